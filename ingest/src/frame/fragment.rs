//! IP fragments put together (RFC 791 §3.2, RFC 8200 §4.5).
//!
//! The octets seen first win where fragments overlap, and that is said. A datagram that is not complete 30 s after its first
//! fragment, or when the input ends, is dropped, counted and said; the oldest one is dropped and counted when too many wait or hold
//! too many octets. Only a datagram's own fragments, or a clock beyond which none can come in time, decide that it has waited
//! long enough.
use std::collections::BTreeMap;

use hashbrown::HashMap;
use lidr_schema::{Ends, Ip};

use crate::{
    record::Stamp,
    source::{FRAGMENTS_MISSING, ReaderOdd},
};

/// Datagrams that wait at the same time.
const MOST_DATAGRAMS: usize = 4096;
/// Fragments of one datagram.
const MOST_PARTS: usize = 256;
/// Octets of one datagram (its length field has 16 bits).
const MOST_OCTETS: usize = 65_535;
/// Octets of all datagrams that wait.
const MOST_HELD: usize = 32 * 1024 * 1024;
/// How long a datagram waits, µs.
const PATIENCE: i64 = 30_000_000;

/// Which datagram a fragment belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Id {
    pub(super) src: Ip,
    pub(super) dst: Ip,
    pub(super) id: u32,
    pub(super) proto: u8,
    pub(super) layer: u8,
    /// The same addresses in another network or tunnel are another host's.
    pub(super) vlan: Option<u16>,
    pub(super) tunnel: Option<u64>,
}

/// A fragment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    pub(super) offset: usize,
    pub(super) more: bool,
    /// What the fragment says that the datagram carries.
    pub(super) proto: u8,
    pub(super) data: &'a [u8],
}

#[derive(Debug, Default)]
struct Datagram {
    /// Its place in the order of waiting.
    place: (i64, u64),
    /// The packet that brought its first fragment.
    first: Stamp,
    /// Octets there; parts never overlap.
    have: usize,
    /// What the first fragment says that it carries.
    proto: Option<u8>,
    /// Whether it was said that it has too many fragments.
    said: bool,
    parts: BTreeMap<usize, Vec<u8>>,
    /// Length, once the last fragment was seen.
    len: Option<usize>,
}

/// What became of a fragment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// More are needed.
    Waits,
    /// The datagram's payload and its protocol.
    Complete(Vec<u8>, u8),
    /// It cannot belong to a datagram; what was wrong.
    Refused(&'static str),
    /// One more of a datagram that has too many, which was said.
    TooMany,
}

/// Datagrams that wait for fragments.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    waiting: HashMap<Id, Datagram>,
    order: BTreeMap<(i64, u64), Id>,
    serial: u64,
    held: usize,
    /// What has to be said of datagrams that were given up.
    gone: Vec<ReaderOdd>,
    /// Datagrams given up, by reason.
    pub(super) timed_out: u64,
    pub(super) incomplete: u64,
    pub(super) crowded_out: u64,
    /// Whether the last fragment overlapped others with different content.
    pub(super) overlapped: bool,
}

impl Fragments {
    /// Takes a fragment.
    pub(super) fn add(&mut self, id: Id, part: Part<'_>, stamp: Stamp) -> Outcome {
        self.overlapped = false;
        if self.waiting.get(&id).is_some_and(|d| d.deadline() < stamp.eff) {
            self.give_up(id, i64::MAX);
        }
        let end = part.offset + part.data.len();
        if end > MOST_OCTETS {
            return Outcome::Refused("fragment beyond 65535");
        }
        if part.more && !part.data.len().is_multiple_of(8) {
            return Outcome::Refused("fragment length");
        }
        if !self.waiting.contains_key(&id) {
            self.open(id, stamp);
        }
        let Some(datagram) = self.waiting.get_mut(&id) else { return Outcome::Waits };
        if datagram.parts.len() >= MOST_PARTS {
            let said = std::mem::replace(&mut datagram.said, true);
            return if said { Outcome::TooMany } else { Outcome::Refused("too many fragments") };
        }
        let before = datagram.have;
        self.overlapped = datagram.insert(part.offset, part.data);
        self.held += datagram.have - before;
        if !part.more {
            datagram.len.get_or_insert(end);
        }
        if part.offset == 0 {
            datagram.proto.get_or_insert(part.proto);
        }
        if let Some(whole) = datagram.whole() {
            let proto = datagram.proto.unwrap_or(part.proto);
            self.forget(id);
            return Outcome::Complete(whole, proto);
        }
        while self.held > MOST_HELD && self.forget_oldest() {}
        Outcome::Waits
    }

    fn forget(&mut self, id: Id) {
        if let Some(datagram) = self.waiting.remove(&id) {
            self.held -= datagram.have;
            self.order.remove(&datagram.place);
        }
    }

    fn forget_oldest(&mut self) -> bool {
        let Some(oldest) = self.order.first_key_value().map(|(_, id)| *id) else { return false };
        self.forget(oldest);
        self.crowded_out += 1;
        true
    }

    fn open(&mut self, id: Id, first: Stamp) {
        if self.waiting.len() >= MOST_DATAGRAMS {
            self.forget_oldest();
        }
        self.serial += 1;
        let place = (first.eff, self.serial);
        self.order.insert(place, id);
        self.waiting.insert(id, Datagram { place, first, ..Datagram::default() });
    }

    /// Gives up what has waited long enough at a time at or before which no fragment comes any more; what is to be said of it and
    /// of others before.
    pub(super) fn lapse(&mut self, until: i64) -> std::vec::Drain<'_, ReaderOdd> {
        while let Some((_, id)) = self.order.first_key_value().filter(|((first, _), _)| first + PATIENCE <= until) {
            self.give_up(*id, i64::MAX);
        }
        self.gone.drain(..)
    }

    /// The input has ended at that time: nothing more comes.
    pub(super) fn end(&mut self, clock: i64) {
        while let Some((_, id)) = self.order.first_key_value() {
            self.give_up(*id, clock);
        }
    }

    fn give_up(&mut self, id: Id, clock: i64) {
        if let Some(datagram) = self.waiting.get(&id) {
            let deadline = datagram.deadline();
            let count = if deadline <= clock { &mut self.timed_out } else { &mut self.incomplete };
            *count += 1;
            self.gone.push(datagram.missing(&id, deadline.min(clock)));
        }
        self.forget(id);
    }
}

impl Datagram {
    const fn deadline(&self) -> i64 {
        self.place.0 + PATIENCE
    }

    fn missing(&self, id: &Id, due: i64) -> ReaderOdd {
        ReaderOdd {
            kind: "truncated",
            stage: "fragment",
            detail: FRAGMENTS_MISSING,
            needed: self.len.map(|len| len as u64),
            had: Some(self.have as u64),
            count: 1,
            stamp: Stamp { eff: due, ..self.first },
            ends: Ends { src_ip: id.src, dst_ip: id.dst, proto: self.proto.unwrap_or(id.proto), ..Ends::default() },
        }
    }

    /// Puts a fragment beside those that are there; true if it said something else about octets already seen.
    fn insert(&mut self, offset: usize, data: &[u8]) -> bool {
        let (mut at, end, mut differs) = (offset, offset + data.len(), false);
        let slice = |from: usize, to: usize| data.get(from - offset..to - offset).unwrap_or_default();
        let near: Vec<(usize, usize)> = self
            .parts
            .iter()
            .map(|(start, part)| (*start, start + part.len()))
            .filter(|(start, stop)| *start < end && *stop > offset)
            .collect();
        let mut fresh = Vec::new();
        for (start, stop) in near {
            if at < start {
                fresh.push((at, slice(at, start).to_vec()));
            }
            let (from, to) = (at.max(start).min(end), stop.min(end));
            let old = self.parts.get(&start).and_then(|p| p.get(from.checked_sub(start)?..to.checked_sub(start)?));
            differs |= from < to && old.is_some_and(|old| old != slice(from, to));
            at = at.max(stop);
        }
        if at < end {
            fresh.push((at, slice(at, end).to_vec()));
        }
        self.have += fresh.iter().map(|(_, part)| part.len()).sum::<usize>();
        self.parts.extend(fresh.into_iter().filter(|(_, part)| !part.is_empty()));
        differs
    }

    fn whole(&self) -> Option<Vec<u8>> {
        let len = self.len.filter(|len| *len <= self.have)?;
        let mut out = Vec::with_capacity(len);
        for (start, part) in &self.parts {
            if *start != out.len() {
                return None;
            }
            out.extend_from_slice(part);
        }
        (out.len() >= len).then(|| {
            out.truncate(len);
            out
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: Id = Id {
        src: Ip::v4([1, 1, 1, 1]),
        dst: Ip::v4([2, 2, 2, 2]),
        id: 7,
        proto: 17,
        layer: 0,
        vlan: None,
        tunnel: None,
    };

    const START: Stamp = Stamp { ts: 0, eff: 0, frame: 1, input: 0 };

    fn part(offset: usize, data: &[u8], more: bool) -> Part<'_> {
        Part { offset, more, proto: 17, data }
    }

    #[test]
    fn any_order_gives_the_datagram() {
        let parts = [part(0, &[1; 8], true), part(8, &[2; 8], true), part(16, &[3; 3], false)];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
            let mut fragments = Fragments::default();
            let outcomes: Vec<_> = order.iter().map(|i| fragments.add(ID, parts[*i], START)).collect();
            let whole = [[1; 8].as_slice(), &[2; 8], &[3; 3]].concat();
            assert_eq!(outcomes[2], Outcome::Complete(whole, 17), "{order:?}");
            assert!(fragments.waiting.is_empty() && fragments.order.is_empty() && fragments.held == 0);
        }
    }

    #[test]
    fn the_first_octets_win_and_a_difference_is_said() {
        let mut fragments = Fragments::default();
        fragments.add(ID, part(0, &[1; 16], true), START);
        assert_eq!(fragments.add(ID, part(8, &[9; 8], true), START), Outcome::Waits);
        assert!(fragments.overlapped);
        assert_eq!(fragments.add(ID, part(8, &[1; 9], false), START), Outcome::Complete(vec![1; 17], 17));
        assert!(!fragments.overlapped, "equal octets are a repeat");
    }

    #[test]
    fn a_gap_never_completes_and_is_given_up() {
        let mut fragments = Fragments::default();
        fragments.add(ID, part(0, &[1; 8], true), START);
        assert_eq!(fragments.add(ID, part(16, &[3; 3], false), Stamp { eff: PATIENCE, ..START }), Outcome::Waits);
        fragments.add(Id { id: 8, ..ID }, part(0, &[1; 8], true), Stamp { eff: 2 * PATIENCE, frame: 5, ..START });
        assert_eq!(fragments.lapse(PATIENCE - 1).count(), 0, "other fragments decide nothing");
        let odd: Vec<_> =
            fragments.lapse(PATIENCE).map(|o| (o.stamp.eff, o.stamp.frame, o.needed, o.had, o.ends.proto)).collect();
        assert_eq!((odd.as_slice(), fragments.timed_out), ([(PATIENCE, 1, Some(19), Some(11), 17)].as_slice(), 1));
        fragments.end(2 * PATIENCE + 7);
        assert_eq!(fragments.lapse(i64::MAX).map(|o| o.stamp.eff).collect::<Vec<_>>(), [2 * PATIENCE + 7]);
        assert_eq!((fragments.incomplete, fragments.waiting.len(), fragments.held), (1, 0, 0));
    }

    #[test]
    fn a_fragment_after_thirty_seconds_is_of_another_datagram() {
        let mut fragments = Fragments::default();
        fragments.add(ID, part(0, &[1; 8], true), START);
        assert_eq!(fragments.add(ID, part(8, &[2; 8], false), Stamp { eff: PATIENCE + 1, ..START }), Outcome::Waits);
        assert_eq!((fragments.lapse(0).count(), fragments.timed_out), (1, 1), "said at once: its deadline has passed");
    }

    #[test]
    fn bounds_hold() {
        let mut fragments = Fragments::default();
        for id in 0..MOST_DATAGRAMS as u32 + 5 {
            fragments.add(Id { id, ..ID }, part(0, &[1; 8], true), START);
        }
        assert_eq!((fragments.waiting.len(), fragments.crowded_out), (MOST_DATAGRAMS, 5));
        assert_eq!(fragments.add(ID, part(65_528, &[0; 16], false), START), Outcome::Refused("fragment beyond 65535"));
    }

    #[test]
    fn too_many_fragments_are_said_once() {
        let mut fragments = Fragments::default();
        let outcomes: Vec<_> =
            (0..MOST_PARTS + 3).map(|i| fragments.add(ID, part(i * 16, &[1; 8], true), START)).collect();
        let (kept, refused) = outcomes.split_at(MOST_PARTS);
        assert!(kept.iter().all(|o| *o == Outcome::Waits));
        assert_eq!(refused, [Outcome::Refused("too many fragments"), Outcome::TooMany, Outcome::TooMany]);
    }

    #[test]
    fn octets_held_are_bounded_whatever_the_number_of_datagrams() {
        let mut fragments = Fragments::default();
        let large = vec![1; 65_000];
        for id in 0..1000 {
            fragments.add(Id { id, ..ID }, part(0, &large, true), START);
            let there: usize = fragments.waiting.values().flat_map(|d| d.parts.values()).map(Vec::len).sum();
            assert!(there == fragments.held && there <= MOST_HELD, "{there} octets after {id}");
        }
        assert_eq!(fragments.crowded_out as usize, 1000 - MOST_HELD / 65_000);
    }

    #[test]
    fn the_same_addresses_in_another_tunnel_are_another_datagram() {
        let mut fragments = Fragments::default();
        fragments.add(ID, part(0, &[1; 8], true), START);
        assert_eq!(fragments.add(Id { tunnel: Some(9), ..ID }, part(8, &[2; 8], false), START), Outcome::Waits);
        assert_eq!(fragments.add(Id { vlan: Some(3), ..ID }, part(8, &[2; 8], false), START), Outcome::Waits);
    }

    #[test]
    fn the_first_fragment_says_what_is_carried() {
        let mut fragments = Fragments::default();
        fragments.add(ID, Part { proto: 99, ..part(8, &[2; 8], false) }, START);
        assert!(matches!(fragments.add(ID, part(0, &[1; 8], true), START), Outcome::Complete(_, 17)));
    }

    proptest! {
        #[test]
        fn any_pieces_in_any_order_give_the_octets_seen_first(
            length in 1_usize..400,
            pieces in prop::collection::vec((0_usize..50, 1_usize..12, any::<u8>()), 0..40),
            order in any::<u64>(),
        ) {
            let (mut fragments, mut first) = (Fragments::default(), vec![None; length]);
            // Random pieces, then whatever they leave out, the last octets at the end.
            let mut all: Vec<(usize, usize, u8)> = pieces.into_iter().map(|(at, len, fill)| (at * 8, len * 8, fill)).collect();
            all.retain(|(at, len, _)| at + len < length);
            all.extend((0..length).step_by(8).map(|at| (at, 8.min(length - at), (at as u64 ^ order) as u8)));
            let mut outcome = Outcome::Waits;
            for (at, len, fill) in all {
                let more = at + len < length;
                outcome = fragments.add(ID, part(at, &vec![fill; len], more), START);
                first[at..at + len].iter_mut().for_each(|slot: &mut Option<u8>| { slot.get_or_insert(fill); });
            }
            let whole: Vec<u8> = first.into_iter().flatten().collect();
            prop_assert_eq!(outcome, Outcome::Complete(whole, 17));
            prop_assert!(fragments.held == 0 && fragments.waiting.is_empty() && fragments.order.is_empty());
        }

        #[test]
        fn nothing_grows_whatever_comes(parts in prop::collection::vec((0_u32..9, 0_usize..9000, 0_usize..80, any::<bool>(), 0_i64..90), 0..200)) {
            let mut fragments = Fragments::default();
            for (id, offset, len, more, seconds) in parts {
                fragments.add(Id { id, ..ID }, part(offset * 8, &vec![7; len], more), Stamp { eff: seconds * 1_000_000, ..START });
                let there: usize = fragments.waiting.values().map(|d| d.parts.values().map(Vec::len).sum::<usize>()).sum();
                prop_assert_eq!(there, fragments.held);
                prop_assert_eq!(fragments.order.len(), fragments.waiting.len());
            }
            fragments.end(0);
            prop_assert!(fragments.held == 0 && fragments.waiting.is_empty());
        }
    }
}
