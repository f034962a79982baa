//! What is heard becomes records and rows: the reader of live inputs.
//!
//! It comes back at the latest when nothing has come for a quarter of a second, so that promises go out and windows close. When it
//! shall stop, what has come is read to its end, but not for ever: what is left after some seconds is counted as lost.
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use lidr_schema::Name;

use super::{
    LiveInput, host_time,
    queue::{Cause, Ear, Found, Heard, Message, Packets},
};
use crate::{
    log::{Listener, Outcome},
    record::{Block, Record, Stamp},
    source::{
        Clock, InputSummary, Item, PACKETS, QUIET, RawPacket, Reader, ReaderOdd, RecordRow, SourceError,
        clock::{AHEAD, DISORDER},
        odd_of,
    },
};

/// How long what has come is decoded after it was to stop.
const PATIENCE: Duration = Duration::from_secs(3);

/// Reads what is heard.
pub(super) fn reader(ear: Ear, inputs: Vec<LiveInput>, stop: &Arc<AtomicBool>) -> Reader {
    let live = Live {
        ear,
        inputs,
        at_hand: None,
        octets: 0,
        promised: Instant::now(),
        stop: Arc::clone(stop),
        stopping: None,
        left: Vec::new(),
        broke: None,
    };
    Reader { live: Some(Box::new(live)), ..Reader::default() }
}

/// What a reader has of its live inputs.
pub(in crate::source) struct Live {
    ear: Ear,
    inputs: Vec<LiveInput>,
    /// Packets that were heard together, and how many of them were taken.
    at_hand: Option<(Packets, usize)>,
    octets: u64,
    /// When the last promise went out.
    promised: Instant,
    stop: Arc<AtomicBool>,
    stopping: Option<Instant>,
    /// What was given up, by input.
    left: Vec<(u16, Cause, u64)>,
    /// The input that broke, and why.
    broke: Option<(u16, String)>,
}

/// What comes next.
enum Next {
    Packet(RawPacket, Block),
    Message(Message),
    Lost(u16, Cause, u64),
    Nothing,
    Over,
}

impl Live {
    /// The account of every input so far.
    pub(in crate::source) fn summary(&self) -> Vec<InputSummary> {
        let account = |input: &LiveInput| InputSummary {
            records: input.listener.as_ref().map(|l| l.counts().clone()),
            ..input.summary.clone()
        };
        self.inputs.iter().map(account).collect()
    }

    /// Names of the listeners, by input.
    pub(in crate::source) fn files(&self) -> Vec<Option<Name>> {
        self.inputs.iter().map(|i| i.listener.as_ref().map(|_| Name::Owned(i.summary.path.clone()))).collect()
    }

    /// Octets heard.
    pub(in crate::source) const fn octets(&self) -> u64 {
        self.octets
    }

    /// Whether it is time for the next promise, though few packets came.
    pub(in crate::source) fn is_time(&mut self) -> bool {
        let due = self.promised.elapsed() >= QUIET;
        if due {
            self.promised = Instant::now();
        }
        due
    }

    fn next(&mut self, patience: Duration) -> Next {
        if let Some((packet, block)) = self.packet() {
            return Next::Packet(packet, block);
        }
        if self.stop.load(Ordering::Relaxed) && self.stopping.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
            return self.give_up();
        }
        match self.ear.hear(patience) {
            Found::Nothing => Next::Nothing,
            Found::Over => Next::Over,
            Found::Heard(Heard::Lost { input, cause, count }) => Next::Lost(input, cause, count),
            Found::Heard(Heard::Broke { input, why }) => {
                // The others must not go on as if nothing were missing.
                self.stop.store(true, Ordering::Relaxed);
                self.broke.get_or_insert((input, why));
                self.next(Duration::ZERO)
            }
            Found::Heard(Heard::Message(message)) => {
                self.octets += message.text.len() as u64;
                Next::Message(message)
            }
            #[cfg(any(feature = "live", test))]
            Found::Heard(Heard::Packets(packets)) => {
                self.octets += packets.block.len() as u64;
                self.at_hand = Some((packets, 0));
                self.packet().map_or(Next::Nothing, |(packet, block)| Next::Packet(packet, block))
            }
        }
    }

    /// The next packet at hand.
    fn packet(&mut self) -> Option<(RawPacket, Block)> {
        let (packets, taken) = self.at_hand.as_mut()?;
        let Some(p) = packets.packets.get(*taken) else {
            self.at_hand = None;
            return None;
        };
        let frame = packets.first + *taken as u64;
        *taken += 1;
        let block = Arc::clone(&packets.block);
        let packet = RawPacket {
            ts: p.ts,
            link: packets.link,
            wire_len: p.wire_len,
            start: p.start as usize,
            len: p.len as usize,
            input: packets.input,
            frame,
        };
        if let Some(input) = self.inputs.get_mut(usize::from(packet.input)) {
            input.summary.packets += 1;
            input.summary.bytes += u64::from(packet.wire_len);
            input.summary.seen(packet.ts);
        }
        Some((packet, block))
    }

    /// There is no time to decode what still waits: it is counted as lost.
    fn give_up(&mut self) -> Next {
        while let Found::Heard(heard) = self.ear.hear(Duration::ZERO) {
            match heard {
                #[cfg(any(feature = "live", test))]
                Heard::Packets(p) => self.left.push((p.input, Cause::Queue, p.packets.len() as u64)),
                Heard::Message(m) => self.left.push((m.input, Cause::Queue, 1)),
                Heard::Lost { input, cause, count } => self.left.push((input, cause, count)),
                Heard::Broke { input, why } => drop(self.broke.get_or_insert((input, why))),
            }
        }
        let Some((input, cause, _)) = self.left.first().copied() else { return Next::Over };
        let same = |of: &(u16, Cause, u64)| (of.0, of.1) == (input, cause);
        let count = self.left.iter().filter(|of| same(of)).map(|of| of.2).sum();
        self.left.retain(|of| !same(of));
        Next::Lost(input, cause, count)
    }

    /// Counts what was lost; its kind, and what exactly.
    fn lost(&mut self, input: u16, cause: Cause, count: u64) -> (&'static str, &'static str) {
        let Some(of) = self.inputs.get_mut(usize::from(input)) else { return ("drop", "queue") };
        let (kind, bound, detail) = match (cause, of.listener.is_some()) {
            (Cause::Kernel, false) => ("drop", "kernel_buffer", "kernel buffer"),
            #[cfg(any(feature = "live", test))]
            (Cause::Interface, _) => ("drop", "interface", "capture interface"),
            (Cause::Queue, false) => ("drop", "queue", "queue"),
            // Anybody can flood a listener: that must not pass for a sensor that lost packets, which would suspend rules.
            (Cause::Kernel, true) => ("bound", "syslog_kernel_buffer", "syslog kernel buffer"),
            (Cause::Queue, true) => ("bound", "syslog_queue", "syslog queue"),
            (Cause::Connections, _) => ("bound", "syslog_connections", "syslog connections"),
            (Cause::Framing, _) => ("malformed", "syslog_framing", "syslog framing"),
        };
        *of.summary.lost.entry(bound.to_owned()).or_default() += count;
        // What is lost before it came to this process, as captures say it of themselves.
        if of.listener.is_none() && cause != Cause::Queue {
            of.summary.dropped += count;
        }
        (kind, detail)
    }
}

impl Reader {
    /// As [`Reader::next_block`], of live inputs: it comes back at the latest when nothing has come for a quarter of a second.
    pub(in crate::source) fn live_block(&mut self, out: &mut Vec<Record>) -> Result<Option<i64>, SourceError> {
        let Some(mut live) = self.live.take() else { return Ok(None) };
        let done = self.live_items(&mut live, out);
        self.live = Some(live);
        done
    }

    fn live_items(&mut self, live: &mut Live, out: &mut Vec<Record>) -> Result<Option<i64>, SourceError> {
        for read in 0..PACKETS {
            match live.next(if read == 0 { QUIET } else { Duration::ZERO }) {
                Next::Packet(packet, block) => {
                    self.begin(packet.ts);
                    self.decode(Item::Packet(packet, Some(block)), out);
                }
                Next::Message(message) => {
                    self.begin(message.received);
                    self.message(live, &message);
                }
                Next::Lost(input, cause, count) => self.lost(live, input, cause, count),
                Next::Over if read == 0 => return live.broke.take().map_or(Ok(None), |broke| Err(broken(live, broke))),
                Next::Nothing if read == 0 => {
                    self.quiet();
                    break;
                }
                Next::Nothing | Next::Over => break,
            }
        }
        Ok(self.clock.map(|c| c.now()))
    }

    /// The clock starts with what comes first, unless that claims a time far from this machine's.
    fn begin(&mut self, ts: i64) {
        if self.clock.is_none() {
            let now = host_time();
            let start = if ts.abs_diff(now) <= AHEAD.unsigned_abs() { ts } else { now - 2 * DISORDER };
            self.clock = Some(Clock::start(vec![start], AHEAD));
        }
    }

    /// Nothing has come: the clock follows this machine's.
    fn quiet(&mut self) {
        let at = host_time() - 2 * DISORDER;
        self.begin(at);
        if let Some(clock) = &mut self.clock {
            clock.jump(at, true);
        }
    }

    fn lost(&mut self, live: &mut Live, input: u16, cause: Cause, count: u64) {
        self.begin(host_time() - 2 * DISORDER);
        let Some(eff) = self.clock.map(|c| c.now()) else { return };
        let (kind, detail) = live.lost(input, cause, count);
        let frame = live.inputs.get(usize::from(input)).map_or(0, LiveInput::next);
        let stamp = Stamp { ts: eff, eff, frame, input };
        self.odds.push(ReaderOdd { count, ..odd_of(kind, detail, stamp) });
    }

    fn message(&mut self, live: &mut Live, message: &Message) {
        let (Some(clock), Some(of)) = (&mut self.clock, live.inputs.get_mut(usize::from(message.input))) else {
            return;
        };
        let (eff, _) = clock.packet(message.received);
        let Some(listener) = &mut of.listener else { return };
        let told = listener.outcome(&message.text, message.sender, message.received);
        let ts = told.ts.unwrap_or(message.received);
        of.summary.seen(ts);
        let stamp = Stamp { ts, eff, frame: told.number, input: message.input };
        let odd = |kind, detail| ReaderOdd { stage: "record", ..odd_of(kind, detail, stamp) };
        if let Some(whole) = message.cut_from {
            let had = Some(message.text.len() as u64);
            self.odds.push(ReaderOdd { needed: Some(whole), had, ..odd("truncated", "syslog message") });
        }
        match told.ts {
            None => self.odds.push(odd("time_unknown", "record time")),
            Some(ts) if ts > message.received + AHEAD => self.odds.push(odd("time_ahead", "record time")),
            Some(ts) if ts < message.received - AHEAD => self.odds.push(odd("time_back", "record time")),
            Some(_) => {}
        }
        match told.outcome {
            Outcome::Row(table, cells) => self.rows.push(RecordRow { table, stamp, cells }),
            Outcome::Malformed(detail) => self.odds.push(odd("malformed", detail)),
            Outcome::Skipped => {}
        }
    }
}

impl LiveInput {
    /// The number of what comes next.
    fn next(&self) -> u64 {
        self.listener.as_ref().map_or(self.summary.packets, Listener::heard) + 1
    }
}

fn broken(live: &Live, (input, why): (u16, String)) -> SourceError {
    let name = live.inputs.get(usize::from(input)).map(|i| i.summary.path.clone()).unwrap_or_default();
    SourceError::Read { name, why: io::Error::other(why) }
}
