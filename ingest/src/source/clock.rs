//! The reader's clock: the greatest packet time so far, guarded against a packet that claims the future.
//!
//! Every packet gets `eff` = max(its time, clock - disorder). A packet more than an hour ahead does not move the clock until 16 in
//! a row agree. The median of the first 16 packets says what is absurd, so that one absurd first time does no harm: the clock starts
//! at the least of them that is not an hour from it. Started at the median itself, it would call the first half of every quiet
//! capture, whose 16 packets may span minutes, packets that step back. Record files are sorted and sparse: where one is read, the
//! clock also follows a step that all of what comes next agrees with.

/// How far packets may be out of order without being odd, µs.
pub const DISORDER: i64 = 1_000_000;
/// How far ahead a packet is believed, µs.
pub(crate) const AHEAD: i64 = 3_600_000_000;
const AGREE: u32 = 16;
/// How long a log may be silent: a year and a day.
pub(crate) const PAUSE: i64 = 366 * 24 * 3_600_000_000;

/// What was odd about a packet's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Odd {
    /// Further back than `disorder`.
    Back,
    /// More than an hour ahead of the clock.
    Ahead,
}

impl Odd {
    /// What an oddity calls it.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::Back => "time_back",
            Self::Ahead => "time_ahead",
        }
    }
}

/// The clock of one sensor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    now: i64,
    /// Packets in a row that claim the same future, and the last of their times.
    ahead: u32,
    claimed: i64,
}

impl Clock {
    /// Starts with the first of some times that lies no further than `reach` before their median.
    pub(crate) fn start(mut first: Vec<i64>, reach: i64) -> Self {
        first.sort_unstable();
        // Ordinary traffic starts in order: then the clock starts with the first packet, not in the middle.
        let median = first.get(first.len() / 2).copied().unwrap_or_default();
        let least = first.iter().copied().find(|t| median.saturating_sub(*t) <= reach).unwrap_or(median);
        Self { now: least, ahead: 0, claimed: least }
    }

    /// µs.
    pub(crate) const fn now(&self) -> i64 {
        self.now
    }

    /// Whether that time is further ahead than a packet is believed.
    pub(crate) const fn is_ahead(&self, ts: i64) -> bool {
        ts > self.now.saturating_add(AHEAD)
    }

    /// Follows a time ahead that others agree with: by as far as a log may pause, or any distance if enough of them are `sure`.
    pub(crate) fn jump(&mut self, ts: i64, sure: bool) {
        if sure || ts <= self.now.saturating_add(PAUSE) {
            self.now = self.now.max(ts);
        }
    }

    /// The effective time of a packet, and what was odd about it.
    pub(crate) fn packet(&mut self, ts: i64) -> (i64, Option<Odd>) {
        if self.is_ahead(ts) {
            // Sixteen that name sixteen different futures agree about nothing.
            let agrees = self.ahead > 0 && self.claimed.abs_diff(ts) <= AHEAD.unsigned_abs();
            self.ahead = if agrees { self.ahead + 1 } else { 1 };
            self.claimed = ts;
            if self.ahead < AGREE {
                return (self.now, Some(Odd::Ahead));
            }
        }
        self.ahead = 0;
        let odd = (ts < self.now - DISORDER).then_some(Odd::Back);
        self.now = self.now.max(ts);
        (ts.max(self.now - DISORDER), odd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    #[test]
    fn disorder_is_lifted_and_said() {
        let mut clock = Clock::start(vec![10 * DISORDER], AHEAD);
        assert_eq!(clock.packet(10 * DISORDER), (10 * DISORDER, None));
        assert_eq!(clock.packet(9 * DISORDER), (9 * DISORDER, None));
        assert_eq!(clock.packet(8 * DISORDER), (9 * DISORDER, Some(Odd::Back)));
    }

    #[test]
    fn one_packet_from_the_future_does_not_move_the_clock_but_sixteen_do() {
        let mut clock = Clock::start(vec![0], AHEAD);
        clock.packet(0);
        assert_eq!(clock.packet(2 * HOUR), (0, Some(Odd::Ahead)));
        assert_eq!(clock.packet(5), (5, None));
        for _ in 0..15 {
            assert_eq!(clock.packet(2 * HOUR).1, Some(Odd::Ahead));
        }
        assert_eq!(clock.packet(2 * HOUR), (2 * HOUR, None));
    }

    #[test]
    fn sixteen_different_futures_do_not_move_the_clock() {
        let mut clock = Clock::start(vec![0], AHEAD);
        for i in 1..40 {
            assert_eq!(clock.packet(i * 2 * HOUR), (0, Some(Odd::Ahead)), "{i}");
        }
    }

    #[test]
    fn an_absurd_first_packet_is_outvoted() {
        let times: Vec<i64> = std::iter::once(i64::MAX / 2).chain(1..16).collect();
        assert!(Clock::start(times, AHEAD).now() < 16);
        assert_eq!(
            Clock::start((100..116).collect(), AHEAD).now(),
            100,
            "ordered traffic starts with its first packet"
        );
    }
}
