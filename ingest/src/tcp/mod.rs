//! TCP streams put in order (RFC 9293 §3.4), for conversations whose payload somebody reads.
//!
//! The octets seen first win; what comes again is counted. What comes early is held, within a bound. A hole is given up, and said
//! to the decoder, when the other end has acknowledged beyond it for longer than captures are out of order (the capture lost it,
//! not the network), when the bound is reached, or when the conversation ends: all of it decided by the conversation's own
//! packets. A stream may begin in the middle, and a packet cut by the capture leaves a hole of its own.
mod held;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use held::Held;

use crate::{
    decode::{Progress, Segment},
    record::{Dir, Stamp},
    source::clock::DISORDER,
};

/// Octets that a decoder may ask to have at once.
pub const MOST_WANTED: usize = 1 << 20;
/// Octets held for one direction while a hole is open.
pub const MOST_HELD: usize = 256 * 1024;

/// What a stream gives its octets to.
pub(crate) trait Reader {
    /// Deals with octets, as a decoder does.
    fn read(&mut self, segment: Segment<'_>) -> Progress;
}

/// What happened beside delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Events {
    /// Segments that came again as a whole.
    pub(crate) retransmits: u32,
    /// Octets that never came.
    pub(crate) gap: u64,
    /// The same octets came with other content.
    pub(crate) overlap: bool,
    /// A hole was given up because too much was held.
    pub(crate) held_out: bool,
    /// The decoder wanted more at once than the bound.
    pub(crate) wanted_too_much: bool,
    /// The decoder says it is not its protocol.
    pub(crate) not_mine: bool,
}

/// Both directions of a conversation.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    dirs: [Stream; 2],
}

/// A TCP segment with payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Data<'a> {
    pub(crate) seq: u32,
    pub(crate) octets: &'a [u8],
    /// Octets of the segment that the capture cut off.
    pub(crate) cut: usize,
    pub(crate) stamp: Stamp,
}

impl Streams {
    /// Reads what every segment looks at, so that it is at hand when one comes.
    pub(crate) fn warm(&self) -> u64 {
        self.dirs.iter().fold(0, |all, s| all ^ s.passed ^ u64::from(s.done) ^ s.held.octets() as u64)
    }

    /// The first sequence number of a direction, from its SYN.
    pub(crate) fn syn(&mut self, dir: Dir, seq: u32) {
        if let Some(stream) = self.dirs.get_mut(dir.index()) {
            stream.next.get_or_insert(seq.wrapping_add(1));
        }
    }

    /// Payload of a direction.
    pub(crate) fn data(&mut self, dir: Dir, data: Data<'_>, reader: &mut dyn Reader) -> Events {
        self.dirs.get_mut(dir.index()).map(|s| s.data(dir, data, reader)).unwrap_or_default()
    }

    /// Follows the numbers of a packet that needs nobody to read anything: an acknowledgement while nothing is held, octets that
    /// come next and are passed over. False where there is more to do, and then nothing is done.
    pub(crate) fn follow(&mut self, dir: Dir, seq: u32, payload: usize) -> bool {
        let [src, dst] = &mut self.dirs;
        let (own, other) = match dir {
            Dir::Src => (src, dst),
            Dir::Dst => (dst, src),
        };
        other.held.is_empty() && (payload == 0 || own.follow(seq, payload))
    }

    /// An acknowledgement sent in that direction, and its packet: what it says about holes of the other one.
    pub(crate) fn acked(&mut self, by: Dir, ack: u32, now: Stamp, reader: &mut dyn Reader) -> Events {
        let other = by.other();
        let Some(stream) = self.dirs.get_mut(other.index()).filter(|s| !s.held.is_empty()) else {
            return Events::default();
        };
        stream.acked(other, ack, now, reader)
    }

    /// The conversation is over, at an effective time: what is held is delivered, holes and all.
    pub(crate) fn end(&mut self, now: i64, reader: &mut dyn Reader) -> Events {
        let mut events = Events::default();
        for (stream, dir) in self.dirs.iter_mut().zip([Dir::Src, Dir::Dst]) {
            while let Some(first) = stream.held.first().filter(|_| !events.not_mine) {
                let now = Stamp { eff: now, ..first.stamp };
                stream.give_up_hole(dir, now, reader, &mut events);
            }
        }
        events
    }

    /// Somebody reads this direction from here on, who has not read what is behind: that is a hole to him.
    pub(crate) fn reopen(&mut self, dir: Dir, now: Stamp, reader: &mut dyn Reader) -> Events {
        self.dirs.get_mut(dir.index()).map(|s| s.reopen(dir, now, reader)).unwrap_or_default()
    }

    /// Whether nothing waits for anything.
    pub(crate) fn is_idle(&self) -> bool {
        self.dirs.iter().all(|s| s.held.is_empty() && s.buffer.is_empty())
    }

    /// Octets buffered in both directions.
    #[cfg(test)]
    pub(crate) fn buffered(&self) -> usize {
        self.dirs.iter().map(|s| s.buffer.len() + s.held.octets()).sum()
    }
}

/// One direction.
#[derive(Debug, Default)]
struct Stream {
    /// The sequence number expected next.
    next: Option<u32>,
    held: Held,
    /// Octets in order that the decoder has not taken.
    buffer: Vec<u8>,
    /// Which packet brought the octets of the buffer: offset of the first one, and the packet.
    marks: VecDeque<(usize, Stamp)>,
    /// The decoder needs so many octets before it is asked again.
    wanted: usize,
    /// Octets to pass over.
    skip: u64,
    /// Octets lost right before the buffer.
    gap: u64,
    /// Octets that came in order so far.
    passed: u64,
    /// Nobody reads on: the numbers are followed and nothing is held.
    done: bool,
}

impl Stream {
    /// Octets that come next and that nobody reads, be it that nobody reads on or that they are passed over.
    fn follow(&mut self, seq: u32, octets: usize) -> bool {
        let unread = self.done || self.buffer.is_empty() && self.skip >= octets as u64;
        if self.next != Some(seq) || !unread || !self.held.is_empty() {
            return false;
        }
        self.next = Some(seq.wrapping_add(u32::try_from(octets).unwrap_or(u32::MAX)));
        self.passed += octets as u64;
        self.skip = self.skip.saturating_sub(octets as u64);
        true
    }

    fn data(&mut self, dir: Dir, data: Data<'_>, reader: &mut dyn Reader) -> Events {
        let mut events = Events::default();
        let next = *self.next.get_or_insert(data.seq);
        let ahead = data.seq.wrapping_sub(next).cast_signed();
        if ahead > 0 {
            self.hold(dir, ahead.unsigned_abs() as usize, data, reader, &mut events);
            return events;
        }
        let again = ahead.unsigned_abs() as usize;
        let whole = data.octets.len() + data.cut;
        if again > 0 && again >= whole {
            events.retransmits = 1;
            return events;
        }
        let fresh = data.octets.get(again..).unwrap_or_default();
        if self.held.reaches_into(next, whole - again) {
            events.overlap |= self.held.add(next, fresh, whole - again - fresh.len(), data.stamp);
            self.drain(dir, data.stamp, reader, &mut events);
            return events;
        }
        self.in_order(
            dir,
            Fresh { octets: fresh, whole: whole - again, stamp: data.stamp },
            data.stamp,
            reader,
            &mut events,
        );
        self.drain(dir, data.stamp, reader, &mut events);
        events
    }

    fn reopen(&mut self, dir: Dir, now: Stamp, reader: &mut dyn Reader) -> Events {
        let mut events = Events::default();
        let buffer = std::mem::take(&mut self.buffer);
        let marks = std::mem::take(&mut self.marks);
        self.done = false;
        self.gap = self.passed.saturating_sub(buffer.len() as u64);
        if !buffer.is_empty() {
            let taken = self.present(dir, &buffer, Stamps::Many(&marks), latest(now, &marks), reader, &mut events);
            self.keep(buffer, marks, taken);
        }
        events
    }

    /// Octets that come next; where the capture cut some off, a hole follows.
    fn in_order(&mut self, dir: Dir, fresh: Fresh<'_>, now: Stamp, reader: &mut dyn Reader, events: &mut Events) {
        let length = u32::try_from(fresh.whole).unwrap_or(u32::MAX);
        self.next = self.next.map(|n| n.wrapping_add(length));
        self.passed += fresh.whole as u64;
        self.deliver(dir, fresh, now, reader, events);
        if fresh.whole > fresh.octets.len() {
            self.lost((fresh.whole - fresh.octets.len()) as u64, events);
        }
    }

    fn hold(&mut self, dir: Dir, ahead: usize, data: Data<'_>, reader: &mut dyn Reader, events: &mut Events) {
        if self.done {
            // Nobody reads on: follow the numbers without holding anything.
            let length = u32::try_from(data.octets.len() + data.cut).unwrap_or(u32::MAX);
            self.next = Some(data.seq.wrapping_add(length));
            self.passed += (ahead + data.octets.len() + data.cut) as u64;
            return;
        }
        let overlap = self.held.add(data.seq, data.octets, data.cut, data.stamp);
        events.overlap |= overlap;
        if self.held.octets() > MOST_HELD || ahead > (1 << 30) {
            events.held_out = true;
            self.give_up_hole(dir, data.stamp, reader, events);
        }
    }

    fn acked(&mut self, dir: Dir, ack: u32, now: Stamp, reader: &mut dyn Reader) -> Events {
        let mut events = Events::default();
        while let (Some(first), Some(next)) = (self.held.first(), self.next) {
            let beyond =
                ack.wrapping_sub(first.seq).cast_signed() >= 0 && first.seq.wrapping_sub(next).cast_signed() > 0;
            if !beyond || now.eff - first.stamp.eff <= DISORDER {
                break;
            }
            self.give_up_hole(dir, now, reader, &mut events);
        }
        events
    }

    /// Goes on behind the hole; `now` is the packet that decided it.
    fn give_up_hole(&mut self, dir: Dir, now: Stamp, reader: &mut dyn Reader, events: &mut Events) {
        let (Some(first), Some(next)) = (self.held.first().map(|p| p.seq), self.next) else { return };
        let hole = first.wrapping_sub(next).cast_signed();
        if hole > 0 {
            self.lost(u64::from(hole.unsigned_abs()), events);
            self.passed += u64::from(hole.unsigned_abs());
            self.next = Some(first);
        }
        self.drain(dir, now, reader, events);
    }

    /// Delivers what is held and comes next: known only now, however long ago it was captured.
    fn drain(&mut self, dir: Dir, now: Stamp, reader: &mut dyn Reader, events: &mut Events) {
        while let Some(next) = self.next
            && let Some(part) = self.held.take_at(next)
        {
            let again = next.wrapping_sub(part.seq) as usize;
            let whole = part.octets.len() + part.cut;
            if again < whole {
                let octets = part.octets.get(again..).unwrap_or_default();
                let fresh = Fresh { octets, whole: whole - again, stamp: part.stamp };
                let now = Stamp { eff: now.eff.max(part.stamp.eff), ..now };
                self.in_order(dir, fresh, now, reader, events);
            }
        }
    }

    fn lost(&mut self, octets: u64, events: &mut Events) {
        events.gap += octets;
        let passed = self.skip.min(octets);
        self.skip -= passed;
        // A hole inside a stretch that nobody reads is no hole to the decoder.
        if octets > passed {
            self.gap += octets - passed;
            self.buffer.clear();
            self.marks.clear();
            self.wanted = 0;
        }
    }

    fn deliver(&mut self, dir: Dir, fresh: Fresh<'_>, now: Stamp, reader: &mut dyn Reader, events: &mut Events) {
        let Fresh { octets, stamp, .. } = fresh;
        let passed = usize::try_from(self.skip).unwrap_or(usize::MAX).min(octets.len());
        self.skip -= passed as u64;
        let octets = octets.get(passed..).unwrap_or_default();
        if octets.is_empty() || self.done {
            return;
        }
        if self.buffer.is_empty() {
            let taken = self.present(dir, octets, Stamps::One(stamp), now, reader, events);
            let rest = octets.get(taken..).unwrap_or_default();
            if !rest.is_empty() && !self.done {
                self.buffer.extend_from_slice(rest);
                self.marks.push_back((0, stamp));
            }
        } else {
            self.marks.push_back((self.buffer.len(), stamp));
            self.buffer.extend_from_slice(octets);
            if self.buffer.len() < self.wanted {
                return;
            }
            let buffer = std::mem::take(&mut self.buffer);
            let marks = std::mem::take(&mut self.marks);
            let taken = self.present(dir, &buffer, Stamps::Many(&marks), latest(now, &marks), reader, events);
            self.keep(buffer, marks, taken);
        }
        if self.buffer.len() > MOST_WANTED {
            events.wanted_too_much = true;
            self.stop();
        }
    }

    /// Puts back what the decoder has not taken.
    fn keep(&mut self, mut buffer: Vec<u8>, mut marks: VecDeque<(usize, Stamp)>, taken: usize) {
        if self.done || taken >= buffer.len() {
            return;
        }
        buffer.drain(..taken);
        while marks.get(1).is_some_and(|(offset, _)| *offset <= taken) {
            marks.pop_front();
        }
        marks.iter_mut().for_each(|(offset, _)| *offset = offset.saturating_sub(taken));
        (self.buffer, self.marks) = (buffer, marks);
    }

    /// Offers octets until the decoder has no more use for them; gives how many are dealt with.
    fn present(
        &mut self,
        dir: Dir,
        octets: &[u8],
        stamps: Stamps<'_>,
        last: Stamp,
        reader: &mut dyn Reader,
        events: &mut Events,
    ) -> usize {
        let mut at = 0;
        while at < octets.len() && !self.done {
            let data = octets.get(at..).unwrap_or_default();
            let gap = std::mem::take(&mut self.gap);
            match reader.read(Segment { dir, data, first: stamps.at(at), last, gap, cut: 0 }) {
                Progress::Taken(0) => {
                    self.wanted = data.len() + 1;
                    return at;
                }
                Progress::Taken(n) => at += n.min(data.len()),
                Progress::NeedMore(n) => {
                    self.wanted = n.max(data.len() + 1);
                    if n > MOST_WANTED {
                        events.wanted_too_much = true;
                        self.stop();
                    }
                    return at;
                }
                Progress::Skip(n) => {
                    let here = usize::try_from(n).unwrap_or(usize::MAX).min(data.len());
                    self.skip = n - here as u64;
                    at += here;
                    if n == 0 {
                        self.wanted = data.len() + 1;
                        return at;
                    }
                }
                Progress::NotMine => {
                    events.not_mine = true;
                    self.stop();
                }
                // Only decoders of datagrams are unsure.
                Progress::Done | Progress::Unsure => self.stop(),
            }
        }
        self.wanted = 0;
        at
    }

    fn stop(&mut self) {
        self.done = true;
        self.buffer = Vec::new();
        self.marks = VecDeque::new();
        self.held = Held::default();
    }
}

/// Octets that come next.
#[derive(Clone, Copy, Debug)]
struct Fresh<'a> {
    octets: &'a [u8],
    /// How many there were before the capture cut some off.
    whole: usize,
    /// The packet that brought them.
    stamp: Stamp,
}

/// The packet that completes what is buffered, at the latest time of all packets that brought some of it.
fn latest(now: Stamp, marks: &VecDeque<(usize, Stamp)>) -> Stamp {
    let eff = marks.iter().map(|(_, stamp)| stamp.eff).fold(now.eff, i64::max);
    Stamp { eff, ..now }
}

/// Which packet brought an octet.
#[derive(Clone, Copy, Debug)]
enum Stamps<'a> {
    One(Stamp),
    Many(&'a VecDeque<(usize, Stamp)>),
}

impl Stamps<'_> {
    fn at(self, offset: usize) -> Stamp {
        match self {
            Self::One(stamp) => stamp,
            Self::Many(marks) => {
                let before = marks.partition_point(|(start, _)| *start <= offset);
                marks.get(before.saturating_sub(1)).map_or_else(Stamp::default, |(_, stamp)| *stamp)
            }
        }
    }
}
