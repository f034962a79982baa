//! One input of a reader: a capture or a record file, and the account of it.
use std::{io, sync::Arc};

use lidr_schema::Name;

use super::{
    Bytes, CaptureError, Input, InputSummary, RawPacket, ReaderOdd, SourceError,
    capture::{Capture, Cut, is_capture},
    odd_of,
};
use crate::{
    log::{Line, LogFile, MOST_HELD, Outcome, Sources},
    record::{Block, Stamp},
};

/// What an input gives.
#[derive(Debug)]
pub(super) enum Item {
    /// A packet of a capture, with the block that its octets stand in where it waits for its turn.
    Packet(RawPacket, Option<Block>),
    /// A record of a record file.
    Line(Box<Line>),
}

impl Item {
    /// When it happened, µs.
    pub(super) fn ts(&self) -> i64 {
        match self {
            Self::Packet(packet, _) => packet.ts,
            Self::Line(line) => line.ts,
        }
    }

    /// Its place, with an effective time.
    pub(super) fn stamp(&self, eff: i64) -> Stamp {
        match self {
            Self::Packet(p, _) => stamp_of(p, eff),
            Self::Line(l) => Stamp { ts: l.ts, eff, frame: l.number, input: l.input },
        }
    }

    /// What its time is called in an oddity.
    pub(super) const fn time_name(&self) -> &'static str {
        match self {
            Self::Packet(..) => "packet time",
            Self::Line(_) => "record time",
        }
    }
}

#[derive(Debug)]
enum Of {
    Capture(Capture),
    Log(Box<LogFile>),
}

const DAMAGED: Cut = Cut { detail: "compressed stream", needed: 1, had: 0 };

/// An input that is being read.
pub(super) struct Stream {
    of: Of,
    number: u16,
    /// What was read of it and waits for its turn.
    pub(super) head: Option<Item>,
    summary: InputSummary,
}

impl Stream {
    /// Opens an input: a capture by its magic, else a record file by its name.
    pub(super) fn open(input: &Input, number: u16, sources: Option<&Arc<Sources>>) -> Result<Self, CaptureError> {
        let (mut bytes, size) = match input {
            Input::Path { path, .. } => (Bytes::open(path)?, std::fs::metadata(path).map_or(0, |m| m.len())),
            Input::Stdin { .. } => (Bytes::new(Box::new(io::stdin()))?, 0),
        };
        let summary = InputSummary { path: input.name(), size, ..InputSummary::default() };
        let head = bytes.want(24)?.to_vec();
        let of = match sources.filter(|_| !is_capture(&head)) {
            Some(sources) => match sources.find(&input.file_name()).map_err(CaptureError::Log)? {
                Some(mapping) => {
                    let log =
                        LogFile::open(MOST_HELD, bytes, number, &input.file_name(), mapping, Arc::clone(sources))?;
                    Of::Log(Box::new(log.map_err(CaptureError::Log)?))
                }
                None if head.is_empty() => return Err(CaptureError::Empty),
                None => {
                    let had = lidr_schema::hex::encode(head.get(..4).unwrap_or(&head));
                    return Err(CaptureError::Neither { had, tried: sources.tried() });
                }
            },
            None => Of::Capture(Capture::open(bytes, number)?),
        };
        Ok(Self { of, number, head: None, summary })
    }

    /// Whether it is a record file.
    pub(super) const fn is_log(&self) -> bool {
        matches!(self.of, Of::Log(_))
    }

    /// The name that rows of a record file say.
    pub(super) fn file(&self) -> Option<Name> {
        match &self.of {
            Of::Capture(_) => None,
            Of::Log(log) => Some(log.file()),
        }
    }

    /// What the packet read last stands in, until the next one is read.
    pub(super) const fn block(&self) -> Option<&Block> {
        match &self.of {
            Of::Capture(capture) => Some(capture.block()),
            Of::Log(_) => None,
        }
    }

    /// What was read of it so far.
    pub(super) fn account(&self) -> InputSummary {
        let records = match &self.of {
            Of::Capture(_) => None,
            Of::Log(log) => Some(log.counts().clone()),
        };
        InputSummary { records, ..self.summary.clone() }
    }

    /// Octets of it; 0 where nobody knows.
    pub(super) const fn size(&self) -> u64 {
        self.summary.size
    }

    /// Octets read of it as it is stored.
    pub(super) fn stored(&self) -> u64 {
        match &self.of {
            Of::Capture(capture) => capture.stored(),
            Of::Log(log) => log.stored(),
        }
    }

    /// What a record of it becomes.
    pub(super) fn outcome(&mut self, line: Line) -> Option<Outcome> {
        match &mut self.of {
            Of::Capture(_) => None,
            Of::Log(log) => Some(log.outcome(line)),
        }
    }

    /// Interfaces of a pcapng beyond the bound.
    pub(super) const fn interfaces_left_out(&self) -> u64 {
        match &self.of {
            Of::Capture(capture) => capture.interfaces_left_out(),
            Of::Log(_) => 0,
        }
    }

    /// The next packet or record, accounted for; what was odd about it goes to `odds`, at the end what the input broke off with.
    pub(super) fn next(&mut self, odds: &mut Vec<ReaderOdd>) -> Result<Option<Item>, SourceError> {
        let Of::Log(log) = &mut self.of else { return Ok(self.packet(odds)?.map(|p| Item::Packet(p, None))) };
        match log.next() {
            Ok(Some(line)) => {
                self.summary.seen(line.ts);
                Ok(Some(Item::Line(Box::new(line))))
            }
            Ok(None) => self.ended(None, odds),
            Err(why) => self.broken(why, odds),
        }
    }

    /// The next packet, where the input is a capture. A part of the loop that calls it: what it gives would else be copied twice.
    #[inline(always)]
    pub(super) fn packet(&mut self, odds: &mut Vec<ReaderOdd>) -> Result<Option<RawPacket>, SourceError> {
        let Of::Capture(capture) = &mut self.of else { return Ok(None) };
        let packet = match capture.next() {
            Ok(Some(packet)) => packet,
            Ok(None) => return self.ended(None, odds),
            Err(why) => return self.broken(why, odds),
        };
        let s = &mut self.summary;
        s.packets += 1;
        s.bytes += u64::from(packet.wire_len);
        let before = s.seen(packet.ts);
        if capture.take_untimed() {
            odds.push(odd_of("time_unknown", "simple packet block", stamp_of(&packet, packet.ts)));
        }
        // They were dropped before this packet, which may have come long after.
        let stamp = Stamp { ts: before, ..stamp_of(&packet, before) };
        s.dropped = s.dropped.saturating_add(dropped(capture, stamp, odds));
        Ok(Some(packet))
    }

    /// What the system refuses ends the run; a compression that was cut or damaged ends this input.
    #[cold]
    fn broken<T>(&mut self, why: io::Error, odds: &mut Vec<ReaderOdd>) -> Result<Option<T>, SourceError> {
        if why.raw_os_error().is_some() {
            return Err(SourceError::Read { name: self.summary.path.clone(), why });
        }
        self.ended(Some(DAMAGED), odds)
    }

    /// The end of the input: what it broke off with is said, once.
    #[cold]
    fn ended<T>(&mut self, damaged: Option<Cut>, odds: &mut Vec<ReaderOdd>) -> Result<Option<T>, SourceError> {
        let s = &mut self.summary;
        let ts = s.last.unwrap_or_default();
        if let Of::Capture(capture) = &mut self.of {
            let frame = capture.next_frame();
            s.dropped =
                s.dropped.saturating_add(dropped(capture, Stamp { ts, eff: ts, frame, input: self.number }, odds));
        }
        let (cut, frame) = match &self.of {
            Of::Capture(capture) => (damaged.or(capture.cut), capture.next_frame()),
            Of::Log(log) => (log.is_damaged().then_some(DAMAGED), log.next_number()),
        };
        let Some(cut) = cut.filter(|_| !s.truncated) else { return Ok(None) };
        s.truncated = true;
        let odd = odd_of("truncated", cut.detail, Stamp { ts, eff: ts, frame, input: self.number });
        odds.push(ReaderOdd { needed: Some(cut.needed), had: Some(cut.had), ..odd });
        Ok(None)
    }
}

/// The place of a packet, with an effective time.
pub(super) const fn stamp_of(p: &RawPacket, eff: i64) -> Stamp {
    Stamp { ts: p.ts, eff, frame: p.frame, input: p.input }
}

/// What the interfaces of a capture say they dropped until here; tcpdump and dumpcap say it at the end only.
fn dropped(capture: &mut Capture, stamp: Stamp, odds: &mut Vec<ReaderOdd>) -> u64 {
    let count = capture.take_dropped();
    if count > 0 {
        odds.push(ReaderOdd { count, ..odd_of("drop", "capture interface", stamp) });
    }
    count
}
