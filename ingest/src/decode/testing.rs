//! A conversation for decoder tests: octets of both ends go in, rows come out, as the stream layer would drive it.
//!
//! It holds octets back on `NeedMore`, passes over them on `Skip`, cuts a datagram never, calls `expire` before every step with
//! the time before which nothing comes any more, and `end` at the end. One step is one packet.
use lidr_schema::{AnyRow, Ends, Head, Ip, Key, Name};

use super::{Decoder, Progress, Protocol, Rows, Segment, Transport, rows::Ordinals};
use crate::{
    record::{Dir, Stamp},
    source::clock::DISORDER,
};

/// What a decoder may leave waiting before the harness says that it makes no headway.
const MOST_HELD: usize = 2 << 20;

/// One packet of a conversation.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Who sent it.
    pub(crate) dir: Dir,
    /// Its payload.
    pub(crate) bytes: Vec<u8>,
    /// Its time and effective time, µs.
    pub(crate) eff: i64,
    /// Octets lost before it.
    pub(crate) gap: u64,
    /// Octets cut off its end by the capture.
    pub(crate) cut: u32,
    /// The conversation closes with it.
    pub(crate) closes: bool,
}

/// A packet of `src` (who opened the conversation), sent at `eff` µs.
pub(crate) fn src(eff: i64, bytes: impl AsRef<[u8]>) -> Step {
    Step { dir: Dir::Src, bytes: bytes.as_ref().to_vec(), eff, gap: 0, cut: 0, closes: false }
}

/// A packet of `dst`, sent at `eff` µs.
pub(crate) fn dst(eff: i64, bytes: impl AsRef<[u8]>) -> Step {
    Step { dir: Dir::Dst, ..src(eff, bytes) }
}

/// The key that the harness hashes with.
pub(crate) fn key() -> Key {
    Key::from_hex(&"0b".repeat(32)).unwrap()
}

/// The conversation of the harness: 10.0.0.1:40000 to 10.0.0.2 on the protocol's first port.
pub(crate) fn ends(protocol: &Protocol) -> Ends {
    Ends {
        src_ip: Ip::v4([10, 0, 0, 1]),
        dst_ip: Ip::v4([10, 0, 0, 2]),
        src_port: 40_000,
        dst_port: protocol.ports.first().copied().unwrap_or(1),
        proto: if protocol.transport == Transport::Stream { 6 } else { 17 },
    }
}

#[derive(Default)]
struct Side {
    held: Vec<u8>,
    packets: Vec<(usize, Stamp)>,
    need: usize,
    skip: u64,
    gap: u64,
    done: bool,
}

impl Side {
    fn first(&self, fallback: Stamp) -> Stamp {
        self.packets.first().map_or(fallback, |(_, stamp)| *stamp)
    }

    fn take(&mut self, count: usize) {
        self.held.drain(..count);
        let mut left = count;
        while let Some((length, _)) = self.packets.first_mut() {
            if *length > left {
                *length -= left;
                return;
            }
            left -= *length;
            self.packets.remove(0);
        }
    }

    fn pass_over(&mut self) {
        let now = self.skip.min(self.held.len() as u64);
        self.skip -= now;
        self.take(now as usize);
    }
}

/// Runs a decoder over the steps and gives back its rows in the order in which they were written.
pub(crate) fn run(protocol: &Protocol, steps: &[Step]) -> Vec<(Head, AnyRow)> {
    run_between(protocol, ends(protocol), steps)
}

/// [`run`] between other ends.
pub(crate) fn run_between(protocol: &Protocol, ends: Ends, steps: &[Step]) -> Vec<(Head, AnyRow)> {
    run_as(protocol, ends, None, steps)
}

/// [`run`] between other ends, on a port that the settings give to a protocol.
pub(crate) fn run_as(
    protocol: &Protocol,
    ends: Ends,
    configured: Option<&'static str>,
    steps: &[Step],
) -> Vec<(Head, AnyRow)> {
    let (key, sensor, captures) = (key(), Name::default(), [Name::Borrowed("test-0")]);
    let (mut ordinals, mut out) = (Ordinals::default(), Vec::new());
    let mut decoder = (protocol.start)();
    let mut sides = [Side::default(), Side::default()];
    let mut over = false;
    let mut clock = i64::MIN;
    for (index, step) in steps.iter().enumerate() {
        clock = clock.max(step.eff);
        let mut rows = Rows {
            decoder: protocol.name,
            trust: "clear",
            ends,
            configured,
            closed: false,
            sensor: &sensor,
            vlan: None,
            outer: None,
            captures: &captures,
            layer_bits: 0,
            key: &key,
            ordinals: &mut ordinals,
            out: &mut out,
        };
        decoder.expire(clock - DISORDER, &mut rows);
        if over {
            continue;
        }
        let stamp = Stamp { ts: step.eff, eff: step.eff, frame: index as u64 + 1, input: 0 };
        let side = &mut sides[step.dir.index()];
        over = match protocol.transport {
            Transport::Datagram | Transport::Gre => datagram(&mut *decoder, step, stamp, &mut rows),
            Transport::Stream => stream(&mut *decoder, side, step, stamp, &mut rows),
        };
    }
    let now = steps.iter().map(|s| s.eff).max().unwrap_or_default();
    let mut rows = Rows {
        decoder: protocol.name,
        trust: "clear",
        ends,
        configured,
        closed: steps.last().is_some_and(|s| s.closes),
        sensor: &sensor,
        vlan: None,
        outer: None,
        captures: &captures,
        layer_bits: 0,
        key: &key,
        ordinals: &mut ordinals,
        out: &mut out,
    };
    decoder.end(now, &mut rows);
    assert_places(&out);
    out
}

fn datagram(decoder: &mut dyn Decoder, step: &Step, stamp: Stamp, rows: &mut Rows<'_>) -> bool {
    let Step { dir, bytes, gap, cut, .. } = step;
    let progress =
        decoder.decode(Segment { dir: *dir, data: bytes, first: stamp, last: stamp, gap: *gap, cut: *cut }, rows);
    match progress {
        Progress::Taken(n) => assert_eq!(n, bytes.len(), "a datagram is taken whole"),
        Progress::NotMine | Progress::Done | Progress::Unsure => {}
        other => panic!("{other:?} is no answer to a datagram"),
    }
    progress == Progress::NotMine
}

fn stream(decoder: &mut dyn Decoder, side: &mut Side, step: &Step, stamp: Stamp, rows: &mut Rows<'_>) -> bool {
    if side.done {
        return false;
    }
    let lost = step.gap.min(side.skip);
    side.skip -= lost;
    if step.gap > lost {
        *side = Side { gap: side.gap + step.gap - lost, ..Side::default() };
    }
    side.held.extend_from_slice(&step.bytes);
    side.packets.push((step.bytes.len(), stamp));
    side.pass_over();
    while !side.held.is_empty() && side.held.len() >= side.need {
        let before = side.held.len();
        let segment =
            Segment { dir: step.dir, data: &side.held, first: side.first(stamp), last: stamp, gap: side.gap, cut: 0 };
        let progress = decoder.decode(segment, rows);
        side.gap = 0;
        side.need = 0;
        match progress {
            Progress::Taken(n) => {
                assert!(n > 0 && n <= before, "took {n} of {before}");
                side.take(n);
            }
            Progress::NeedMore(n) => {
                assert!(n > before, "needs {n}, has {before}");
                assert!(n <= MOST_HELD, "wants {n} octets held");
                side.need = n;
            }
            Progress::Skip(n) => {
                assert!(n > 0, "a skip of nothing");
                side.skip = n;
                side.pass_over();
            }
            Progress::NotMine => return true,
            Progress::Unsure => panic!("a stream is sure"),
            Progress::Done => {
                side.done = true;
                return false;
            }
        }
    }
    false
}

/// No two rows of a conversation share a place.
fn assert_places(out: &[(Head, AnyRow)]) {
    let mut places: Vec<_> = out.iter().map(|(head, _)| (head.frame, head.n)).collect();
    places.sort_unstable();
    let count = places.len();
    places.dedup();
    assert_eq!(places.len(), count, "two rows share a place");
    assert!(out.iter().all(|(head, _)| head.due >= head.ts), "a row is due before it happened");
}

/// The rows of one table, with their common columns.
macro_rules! rows_of {
    ($name:ident, $variant:ident, $table:ident) => {
        /// The rows of that table.
        pub(crate) fn $name(out: &[(Head, AnyRow)]) -> Vec<(Head, lidr_schema::table::$table::Row)> {
            out.iter()
                .filter_map(|(head, row)| match row {
                    AnyRow::$variant(row) => Some((head.clone(), (**row).clone())),
                    _ => None,
                })
                .collect()
        }
    };
}
rows_of!(mgmt, Mgmt, mgmt);
rows_of!(tasking, Tasking, tasking);
rows_of!(http, Http, http);
rows_of!(auth, Auth, auth);
rows_of!(tls, Tls, tls);
rows_of!(dns, Dns, dns);
rows_of!(delivery, Delivery, delivery);
rows_of!(asset, Asset, asset);
rows_of!(oddity, Oddity, oddity);

/// Kinds of the oddities among the rows.
pub(crate) fn oddities(out: &[(Head, AnyRow)]) -> Vec<String> {
    oddity(out).into_iter().map(|(_, row)| row.kind.into_owned()).collect()
}

/// Octets from hexadecimal text; white space is ignored.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16).unwrap()).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}
