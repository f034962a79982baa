//! The thread of an output: takes what waits, sends it, tries again.
//!
//! One message is under way at a time, in the order of the queue. Pauses are the same for everybody and have no chance in them: a
//! handful of judges does not need to be spread.
use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use hyper::StatusCode;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::{
    DeliverError, Outcome,
    client::{Answer, Client},
    queue::Queue,
};
use crate::{Finding, time::parse_http};

/// The first pause; each one is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Longest pause that a receiver may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(900);
/// Longest pause once the end has come.
const LAST_PAUSE: Duration = Duration::from_millis(500);
/// Attempts at a message over which the receiver breaks.
const MOST_ATTEMPTS: u32 = 8;
/// How often what still stands is told again.
const AGAIN: Duration = Duration::from_secs(60);

/// A message.
#[derive(Debug)]
pub(super) struct Message {
    /// The same for every attempt.
    pub(super) id: String,
    pub(super) body: String,
}

/// How an output speaks.
pub(super) trait Format: Send {
    /// Findings that go into one message.
    fn most(&self) -> usize;
    /// The message that tells of these findings.
    fn message(&mut self, findings: &[Arc<Finding>], now: i64) -> Message;
    /// Headers of an attempt.
    fn headers(&self, message: &Message, now: i64) -> Vec<(&'static str, String)>;
    /// Messages that tell again what still stands; asked for at the start, too, so that a receiver that is away is known before it is
    /// needed.
    fn again(&mut self, now: i64) -> Vec<Message>;
}

/// What an answer means.
enum Verdict {
    Taken,
    Refused(String),
    Broken(String),
    Away(String, Option<Duration>),
}

/// Sends.
pub(super) struct Sender {
    queue: Arc<Queue>,
    format: Box<dyn Format>,
    client: Client,
    now: fn() -> i64,
    /// Attempts that came to nothing since the last that did not.
    failures: u32,
    refused: u64,
}

impl Sender {
    pub(super) fn new(queue: Arc<Queue>, format: Box<dyn Format>, client: Client, now: fn() -> i64) -> Self {
        Self { queue, format, client, now, failures: 0, refused: 0 }
    }

    /// Starts the thread; it ends so long after the end at the latest.
    pub(super) fn start(self, drain: Duration) -> Result<JoinHandle<()>, DeliverError> {
        let failed = |e: std::io::Error| DeliverError(format!("thread that delivers findings: {e}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let queue = Arc::clone(&self.queue);
        let run = move || {
            let late = async {
                queue.stopped().await;
                sleep(drain).await;
            };
            runtime.block_on(async {
                tokio::select! {
                    () = self.run() => {}
                    () = late => {}
                }
            });
            // A look-up of a name that hangs must not keep the process.
            runtime.shutdown_background();
        };
        thread::Builder::new().name("deliver".to_owned()).spawn(run).map_err(failed)
    }

    async fn run(mut self) {
        let mut again = interval(AGAIN);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let queue = Arc::clone(&self.queue);
        loop {
            let batch = tokio::select! {
                batch = queue.next(self.format.most()) => batch,
                _ = again.tick() => {
                    tokio::select! {
                        () = self.again() => {}
                        () = queue.stopped() => {}
                    }
                    continue;
                }
            };
            let Some(batch) = batch else { return };
            let outcome = self.deliver(&batch).await;
            self.queue.done(outcome);
        }
    }

    /// Sends until it is decided.
    async fn deliver(&mut self, batch: &[Arc<Finding>]) -> Outcome {
        let message = self.format.message(batch, (self.now)());
        let mut broken = 0;
        loop {
            let asked = match self.attempt(&message).await {
                Verdict::Taken => {
                    self.back();
                    return Outcome::Delivered;
                }
                Verdict::Refused(why) => {
                    self.back();
                    self.refused += 1;
                    if self.refused.is_power_of_two() {
                        tracing::warn!(
                            "{}: a finding was refused ({why}): look at the receiver's log",
                            self.queue.name()
                        );
                    }
                    return Outcome::Refused;
                }
                Verdict::Broken(why) => {
                    broken += 1;
                    if broken >= MOST_ATTEMPTS {
                        tracing::warn!(
                            "{}: a finding was given up after {MOST_ATTEMPTS} attempts ({why}): look at the receiver's log",
                            self.queue.name()
                        );
                        return Outcome::Failed;
                    }
                    self.away(&why);
                    None
                }
                Verdict::Away(why, asked) => {
                    self.away(&why);
                    asked
                }
            };
            self.queue.retried();
            let pause = asked.map_or_else(|| pause(self.failures), |asked| asked.clamp(FIRST_PAUSE, LONGEST_ASKED));
            tokio::select! {
                () = sleep(pause) => {}
                () = async { self.queue.stopped().await; sleep(pause.min(LAST_PAUSE)).await } => {}
            }
        }
    }

    async fn attempt(&mut self, message: &Message) -> Verdict {
        let now = (self.now)();
        let headers = self.format.headers(message, now);
        match self.client.post(&headers, &message.body).await {
            Ok(answer) => verdict(&answer, now),
            Err(why) => Verdict::Away(why, None),
        }
    }

    /// What still stands, told again; what does not arrive is told in a minute.
    async fn again(&mut self) {
        for message in self.format.again((self.now)()) {
            match self.attempt(&message).await {
                Verdict::Taken => self.back(),
                Verdict::Refused(why) | Verdict::Broken(why) | Verdict::Away(why, _) => {
                    self.away(&why);
                    self.queue.retried();
                    return;
                }
            }
        }
    }

    fn away(&mut self, why: &str) {
        if self.failures == 0 {
            tracing::warn!("{}: {why}: findings wait and are sent once it takes them", self.queue.name());
        }
        self.failures = self.failures.saturating_add(1);
    }

    fn back(&mut self) {
        if self.failures > 0 {
            tracing::info!("{}: takes findings again, after {} attempts in vain", self.queue.name(), self.failures);
        }
        self.failures = 0;
    }
}

/// The pause after so many attempts in vain.
fn pause(failures: u32) -> Duration {
    let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    FIRST_PAUSE.saturating_mul(doubled.max(1)).min(LONGEST_PAUSE)
}

fn verdict(answer: &Answer, now: i64) -> Verdict {
    let why = format!("it answers {}", answer.status);
    match answer.status {
        status if status.is_success() => Verdict::Taken,
        // Signed messages are for the address that was given and go nowhere else.
        status if status.is_redirection() => Verdict::Refused(format!("{why}: give the address that it points to")),
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => {
            Verdict::Away(why, answer.retry_after.as_deref().and_then(|text| asked(text, now)))
        }
        status if status.is_server_error() => Verdict::Broken(why),
        _ => Verdict::Refused(why),
    }
}

/// `Retry-After`: seconds, or a date.
fn asked(text: &str, now: i64) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let micros = parse_http(text)?.saturating_sub(now);
    Some(Duration::from_micros(u64::try_from(micros).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute() {
        let seconds: Vec<f64> = [1, 2, 3, 7, 8, 9, 40, u32::MAX].iter().map(|n| pause(*n).as_secs_f64()).collect();
        assert_eq!(seconds, [0.5, 1.0, 2.0, 32.0, 60.0, 60.0, 60.0, 60.0]);
    }

    #[test]
    fn a_receiver_says_when_to_come_back() {
        assert_eq!(asked(" 17 ", 0), Some(Duration::from_secs(17)));
        let now = crate::time::parse_rfc3339("2026-11-24T03:12:00Z").unwrap();
        assert_eq!(asked("Tue, 24 Nov 2026 03:12:30 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(asked("Tue, 24 Nov 2026 03:11:30 GMT", now), Some(Duration::ZERO));
        assert_eq!(asked("soon", now), None);
    }

    #[test]
    fn answers_mean_what_http_says() {
        let of = |status: u16| {
            let answer = Answer { status: StatusCode::from_u16(status).unwrap(), retry_after: Some("3".into()) };
            match verdict(&answer, 0) {
                Verdict::Taken => "taken",
                Verdict::Refused(_) => "refused",
                Verdict::Broken(_) => "broken",
                Verdict::Away(_, Some(_)) => "away",
                Verdict::Away(_, None) => "unasked",
            }
        };
        let all: Vec<_> = [200, 204, 301, 400, 401, 404, 408, 410, 429, 500, 501, 502, 503, 504].map(of).into();
        let expected = [
            "taken", "taken", "refused", "refused", "refused", "refused", "away", "refused", "away", "broken",
            "broken", "away", "away", "away",
        ];
        assert_eq!(all, expected);
    }
}
