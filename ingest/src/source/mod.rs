//! Inputs of one sensor: opened, merged by time into one clock, decoded into records.
//!
//! An input is a capture by its magic, else a record file by its name (`log`). All inputs are open from the start, because the
//! earliest packet or record may be in any of them; each holds one and a heap holds their times. What an input breaks off with (a cut record, a damaged compression) ends that input alone and is told as an
//! oddity; only a failure of the system to read ends the run.
mod account;
mod bytes;
mod capture;
pub mod clock;
#[cfg(test)]
mod collection;
mod epoch;
pub mod live;
mod pcapng;
mod stream;
#[cfg(test)]
mod tests;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

pub use account::InputSummary;
pub use bytes::Bytes;
pub use capture::CaptureError;
pub(crate) use capture::{Capture, RawPacket};
use clock::Clock;
pub use epoch::epoch;
use lidr_schema::{Ends, Name, TableId};

use self::stream::{Item, Stream, stamp_of};
use crate::{
    decode::ports::Ports,
    frame::{FrameCounters, Frames},
    log::{Cells, Outcome, Sources},
    record::{Record, Stamp},
};

/// How long nothing may come live before the clock follows this machine's, and longest time between two promises.
const QUIET: Duration = Duration::from_millis(250);
/// Packets that one call of [`Reader::next_block`] reads: their records fit the processor's first cache.
const PACKETS: usize = 64;
/// Packets from which the clock starts, and that are looked at where it would jump.
const FIRST: usize = 16;

/// Something to read.
#[derive(Clone, Debug)]
pub enum Input {
    /// A file.
    Path {
        /// The sensor it belongs to, where it was named.
        sensor: Option<String>,
        /// Where it is.
        path: PathBuf,
    },
    /// Standard input.
    Stdin {
        /// The sensor it belongs to, where it was named.
        sensor: Option<String>,
    },
}

impl Input {
    /// The name without its folder: what chooses a mapping, and what rows of a record file say.
    #[must_use]
    pub fn file_name(&self) -> String {
        match self {
            Self::Path { path, .. } => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            Self::Stdin { .. } => "-".to_owned(),
        }
    }

    /// How it is called in messages and in the summary.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Path { path, .. } => path.display().to_string(),
            Self::Stdin { .. } => "-".to_owned(),
        }
    }
}

/// Why inputs cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Nothing of it can be read.
    #[error("{name}: {why}")]
    Open {
        /// The input.
        name: String,
        /// Why: part of the sentence, so that it is no `source` that would say it again.
        why: CaptureError,
    },
    /// It broke while it was read.
    #[error("{name}: {why}")]
    Read {
        /// The input.
        name: String,
        /// Why.
        why: io::Error,
    },
    /// More inputs than frames can say where they are from.
    #[error("{0} inputs for one sensor: at most 65535")]
    TooMany(usize),
}

/// What is said of a datagram whose fragments did not all come.
pub(crate) const FRAGMENTS_MISSING: &str = "fragments missing";

/// Something odd that reader or frame decoder met: an `oddity` row.
#[derive(Clone, Copy, Debug)]
pub struct ReaderOdd {
    /// `drop`, `truncated`, `time_back`, `time_ahead`, `time_unknown`, `unknown_link`, `too_deep`, `overlap`, `malformed`, `bound`.
    pub kind: &'static str,
    /// `reader`, `frame`, `fragment`, `tunnel`, `record`.
    pub stage: &'static str,
    /// What exactly.
    pub detail: &'static str,
    /// Octets needed.
    pub needed: Option<u64>,
    /// Octets there.
    pub had: Option<u64>,
    /// How often: packets, where some were dropped.
    pub count: u64,
    /// The packet.
    pub stamp: Stamp,
    /// Its ends, as far as they are known.
    pub ends: Ends,
}

impl ReaderOdd {
    /// Whether it was found out by time, long after its packet: once for each packet at most.
    pub(crate) fn is_later(&self) -> bool {
        self.detail == FRAGMENTS_MISSING
    }
}

/// A row that a record file gives.
#[derive(Debug)]
pub(crate) struct RecordRow {
    pub(crate) table: TableId,
    pub(crate) stamp: Stamp,
    pub(crate) cells: Cells,
}

/// Reads the inputs of one sensor in the order of time.
#[derive(Default)]
pub struct Reader {
    streams: Vec<Stream>,
    /// Where standard input is read, which may be a capture in progress: when the last promise was due.
    piped: Option<Instant>,
    /// Interfaces and listeners, where it reads those and no files.
    live: Option<Box<live::Live>>,
    /// Times of the heads of several streams, with their ordinals; empty where there is one.
    heads: BinaryHeap<Reverse<(i64, usize)>>,
    /// Packets and records read ahead, so that the clock can start at their median.
    ahead: VecDeque<Item>,
    /// Whether a record file is among the inputs.
    logs: bool,
    clock: Option<Clock>,
    frames: Frames,
    rows: Vec<RecordRow>,
    odds: Vec<ReaderOdd>,
    /// Oddities from before the clock started: they get their effective time then.
    early: Vec<ReaderOdd>,
    /// What an input broke with, told once what was read before it has been taken.
    broken: Option<SourceError>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reader({} inputs)", self.streams.len())
    }
}

impl Reader {
    /// Opens captures. One that cannot be read at all is an error, before anything is decoded.
    ///
    /// # Errors
    /// If an input cannot be opened or is no capture.
    pub fn open(inputs: &[Input]) -> Result<Self, SourceError> {
        Self::open_with(inputs, None)
    }

    /// Opens captures and, by these mappings, record files.
    ///
    /// # Errors
    /// If an input cannot be opened or is neither.
    pub fn open_with(inputs: &[Input], sources: Option<&Arc<Sources>>) -> Result<Self, SourceError> {
        let mut streams = Vec::new();
        for (i, input) in inputs.iter().enumerate() {
            let number = u16::try_from(i).map_err(|_| SourceError::TooMany(inputs.len()))?;
            let opened = Stream::open(input, number, sources);
            streams.push(opened.map_err(|why| SourceError::Open { name: input.name(), why })?);
        }
        let piped = inputs.iter().any(|i| matches!(i, Input::Stdin { .. })).then(Instant::now);
        let mut reader = Self { logs: streams.iter().any(Stream::is_log), streams, piped, ..Self::default() };
        // One input needs no merging, and its packets no waiting place.
        if reader.streams.len() > 1 {
            for i in 0..reader.streams.len() {
                reader.advance(i)?;
            }
        }
        Ok(reader)
    }

    /// Tunnels and mirrors are looked for on these ports, too.
    pub(crate) fn set_ports(&mut self, ports: Ports) {
        self.frames.set_ports(ports);
    }

    /// Appends the records of the next packets, in reading order; the clock after them, or nothing at the end of all inputs. Rows
    /// of record files read meanwhile wait for [`Reader::take_rows`].
    ///
    /// # Errors
    /// If an input breaks while it is read.
    pub fn next_block(&mut self, out: &mut Vec<Record>) -> Result<Option<i64>, SourceError> {
        if self.live.is_some() {
            return self.live_block(out);
        }
        if let Some(why) = self.broken.take() {
            return Err(why);
        }
        match self.file_block(out) {
            Err(why) if !out.is_empty() => {
                self.broken = Some(why);
                Ok(self.clock.map(|c| c.now()))
            }
            done => done,
        }
    }

    fn file_block(&mut self, out: &mut Vec<Record>) -> Result<Option<i64>, SourceError> {
        let mut read = self.straight(out)?;
        while read < PACKETS {
            let Some(item) = self.item()? else { break };
            self.decode(item, out);
            read += 1;
        }
        Ok(self.clock.filter(|_| read > 0).map(|c| c.now()))
    }

    /// Packets of an only capture, whose clock runs and of which none waits: nothing has to be compared with anything, and each is
    /// decoded where it stands. How many there were.
    fn straight(&mut self, out: &mut Vec<Record>) -> Result<usize, SourceError> {
        let Self { streams, ahead, clock: Some(clock), frames, odds, early, .. } = self else { return Ok(0) };
        let ([stream], true) = (streams.as_mut_slice(), ahead.is_empty()) else { return Ok(0) };
        for read in 0..PACKETS {
            let packet = stream.packet(early)?;
            if !early.is_empty() {
                settle(early, odds, clock);
            }
            let Some(packet) = packet else { return Ok(read) };
            let (eff, odd) = clock.packet(packet.ts);
            let stamp = stamp_of(&packet, eff);
            if let Some(odd) = odd {
                odds.push(odd_of(odd.kind(), "packet time", stamp));
            }
            if let Some(block) = stream.block() {
                frames.packet(&packet, block, stamp, clock.now(), out, odds);
            }
        }
        Ok(PACKETS)
    }

    /// Rows of record files since the last call.
    pub(crate) fn take_rows(&mut self) -> Vec<RecordRow> {
        std::mem::take(&mut self.rows)
    }

    /// Rows of record files that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.rows.len()
    }

    /// Whether a promise is due by time: what is heard live must not wait until there is enough for a batch.
    pub(crate) fn is_time(&mut self) -> bool {
        if let Some(live) = &mut self.live {
            return live.is_time();
        }
        let due = self.piped.filter(|last| last.elapsed() >= QUIET).map(|_| Instant::now());
        self.piped = due.or(self.piped);
        due.is_some()
    }

    /// Names of the inputs that are record files, by ordinal.
    pub(crate) fn files(&self) -> Vec<Option<Name>> {
        self.live.as_ref().map_or_else(|| self.streams.iter().map(Stream::file).collect(), |live| live.files())
    }

    /// The inputs are at their end, and so is all waiting.
    pub fn end(&mut self) {
        if let Some(clock) = &self.clock {
            self.frames.end(clock.now());
        }
    }

    /// What was odd since the last call. With it goes the promise that nothing odd is due at or before clock - disorder any more.
    pub fn take_odds(&mut self) -> Vec<ReaderOdd> {
        if let Some(clock) = &self.clock {
            self.frames.lapse(clock.now() - clock::DISORDER - 1, &mut self.odds);
        }
        // Without a clock there was no packet at all, and nothing to wait for.
        if self.clock.is_none() {
            self.odds.append(&mut self.early);
        }
        std::mem::take(&mut self.odds)
    }

    /// What was decoded, skipped and dropped so far.
    #[must_use]
    pub fn counters(&self) -> FrameCounters {
        let mut counters = self.frames.counters();
        counters.dropped("pcapng_interfaces", self.streams.iter().map(Stream::interfaces_left_out).sum());
        counters
    }

    /// The inputs so far.
    #[must_use]
    pub fn summary(&self) -> Vec<InputSummary> {
        self.live.as_ref().map_or_else(|| self.streams.iter().map(Stream::account).collect(), |live| live.summary())
    }

    /// Octets read of the inputs as they are stored, compressed or not: progress towards [`Reader::total`].
    #[must_use]
    pub fn position(&self) -> u64 {
        self.streams.iter().map(Stream::stored).sum::<u64>() + self.live.as_ref().map_or(0, |live| live.octets())
    }

    /// Octets of all inputs; 0 for those whose size nobody knows (standard input, pipes).
    #[must_use]
    pub fn total(&self) -> u64 {
        self.streams.iter().map(Stream::size).sum()
    }

    fn decode(&mut self, item: Item, out: &mut Vec<Record>) {
        let Some(clock) = &mut self.clock else { return };
        let (eff, odd) = clock.packet(item.ts());
        let now = clock.now();
        let stamp = item.stamp(eff);
        self.odds.extend(odd.map(|odd| odd_of(odd.kind(), item.time_name(), stamp)));
        match item {
            Item::Packet(packet, block) => {
                let current = self.streams.get(usize::from(packet.input)).and_then(Stream::block);
                let Some(block) = block.as_ref().or(current) else { return };
                self.frames.packet(&packet, block, stamp, now, out, &mut self.odds);
            }
            Item::Line(line) => match self.streams.get_mut(usize::from(stamp.input)).and_then(|s| s.outcome(*line)) {
                Some(Outcome::Row(table, cells)) => self.rows.push(RecordRow { table, stamp, cells }),
                Some(Outcome::Malformed(detail)) => {
                    self.odds.push(ReaderOdd { stage: "record", ..odd_of("malformed", detail, stamp) })
                }
                Some(Outcome::Skipped) | None => {}
            },
        }
    }

    /// The next packet or record of all inputs by time; equal times by the order of the inputs.
    fn item(&mut self) -> Result<Option<Item>, SourceError> {
        if self.clock.is_none() {
            self.look_ahead()?;
            let reach = if self.logs { clock::PAUSE } else { clock::AHEAD };
            let times: Vec<i64> = self.ahead.iter().map(Item::ts).collect();
            self.clock = (!times.is_empty()).then(|| Clock::start(times, reach));
            self.settle_early();
        }
        let item = match self.ahead.pop_front() {
            Some(item) => Some(item),
            None => self.merged()?,
        };
        if self.logs
            && let Some(item) = &item
        {
            self.jump(item)?;
        }
        Ok(item)
    }

    /// Logs are sparse, and a capture may begin long after them: where a record file is read, the clock follows a step ahead at once
    /// if what comes after it does not fall back behind it. A lone absurd time is not followed.
    fn jump(&mut self, item: &Item) -> Result<(), SourceError> {
        let ts = item.ts();
        if !self.clock.is_some_and(|c| c.is_ahead(ts)) {
            return Ok(());
        }
        self.look_ahead()?;
        let back = self.ahead.iter().filter(|i| i.ts() < ts - clock::DISORDER).count();
        let agreed = match self.ahead.len() {
            // The last of all: a log may end after a pause.
            0 => matches!(item, Item::Line(_)),
            following => back * 2 < following,
        };
        if agreed && let Some(clock) = &mut self.clock {
            clock.jump(ts, self.ahead.len() + 1 >= FIRST);
        }
        Ok(())
    }

    fn look_ahead(&mut self) -> Result<(), SourceError> {
        while self.ahead.len() < FIRST
            && let Some(item) = self.merged()?
        {
            self.ahead.push_back(item);
        }
        Ok(())
    }

    fn merged(&mut self) -> Result<Option<Item>, SourceError> {
        if self.streams.len() == 1 {
            return self.pull(0);
        }
        let Some(Reverse((_, i))) = self.heads.pop() else { return Ok(None) };
        let item = self.streams.get_mut(i).and_then(|s| s.head.take());
        self.advance(i)?;
        Ok(item)
    }

    /// Reads the next head of a stream.
    fn advance(&mut self, i: usize) -> Result<(), SourceError> {
        let head = self.pull(i)?;
        if let Some(item) = &head {
            self.heads.push(Reverse((item.ts(), i)));
        }
        if let Some(stream) = self.streams.get_mut(i) {
            stream.head = head;
        }
        Ok(())
    }

    /// The next of a stream; at its end what it broke off with becomes an oddity.
    fn pull(&mut self, i: usize) -> Result<Option<Item>, SourceError> {
        let several = self.streams.len() > 1;
        let Some(stream) = self.streams.get_mut(i) else { return Ok(None) };
        let mut next = stream.next(&mut self.early)?;
        // One input's packets are decoded before the next one is read; any other packet waits and holds its block.
        if (self.clock.is_none() || self.logs || several)
            && let Some(Item::Packet(_, block)) = &mut next
        {
            *block = stream.block().cloned();
        }
        self.settle_early();
        Ok(next)
    }

    fn settle_early(&mut self) {
        if let Some(clock) = &self.clock {
            settle(&mut self.early, &mut self.odds, clock);
        }
    }
}

/// Gives oddities that belong to no packet their effective time, once there is a clock: what the last packet of a cut input claimed
/// may be far from it.
fn settle(early: &mut Vec<ReaderOdd>, odds: &mut Vec<ReaderOdd>, clock: &Clock) {
    let now = clock.now();
    for mut odd in early.drain(..) {
        odd.stamp.eff = odd.stamp.ts.clamp(now - clock::DISORDER, now);
        if odd.stamp.ts == 0 {
            odd.stamp.ts = odd.stamp.eff;
        }
        odds.push(odd);
    }
}

fn odd_of(kind: &'static str, detail: &'static str, stamp: Stamp) -> ReaderOdd {
    ReaderOdd { kind, stage: "reader", detail, needed: None, had: None, count: 1, stamp, ends: Ends::default() }
}
