//! A stream cut, shuffled, repeated and holed must reach its reader as it was sent.
use proptest::prelude::*;

use super::*;

/// Takes octets in bites of a given size, and notes holes.
#[derive(Default)]
struct Taker {
    bite: usize,
    got: Vec<u8>,
    holes: Vec<(usize, u64)>,
    firsts: Vec<u64>,
}

impl Reader for Taker {
    fn read(&mut self, s: Segment<'_>) -> Progress {
        if s.gap > 0 {
            self.holes.push((self.got.len(), s.gap));
        }
        let bite = self.bite.max(1);
        if s.data.len() < bite {
            return Progress::NeedMore(bite);
        }
        self.got.extend_from_slice(&s.data[..bite]);
        self.firsts.push(s.first.frame);
        Progress::Taken(bite)
    }
}

fn stamp(frame: u64, eff: i64) -> Stamp {
    Stamp { ts: eff, eff, frame, input: 0 }
}

fn data(seq: u32, octets: &[u8], frame: u64) -> Data<'_> {
    Data { seq, octets, cut: 0, stamp: stamp(frame, 0) }
}

#[test]
fn early_segments_wait_and_repeats_are_counted() {
    let (mut streams, mut taker) = (Streams::default(), Taker::default());
    streams.syn(Dir::Src, 99);
    streams.data(Dir::Src, data(103, b"def", 2), &mut taker);
    assert!(taker.got.is_empty());
    let again = streams.data(Dir::Src, data(100, b"abc", 1), &mut taker);
    assert_eq!((taker.got.as_slice(), again), (b"abcdef".as_slice(), Events::default()));
    let again = streams.data(Dir::Src, data(101, b"bc", 3), &mut taker);
    assert_eq!(again.retransmits, 1);
    streams.data(Dir::Src, data(104, b"?fgh", 4), &mut taker);
    assert_eq!(taker.got, b"abcdefgh", "the octets seen first win");
}

#[test]
fn held_octets_are_not_replaced_by_those_that_fill_the_hole() {
    let (mut streams, mut taker) = (Streams::default(), Taker::default());
    streams.syn(Dir::Src, 99);
    streams.data(Dir::Src, data(110, b"kl", 1), &mut taker);
    assert!(streams.data(Dir::Src, data(104, b"efghij??", 2), &mut taker).overlap);
    assert!(streams.data(Dir::Src, data(100, b"abcd??", 3), &mut taker).overlap);
    assert_eq!(taker.got, b"abcdefghijkl");
    streams.data(Dir::Src, data(116, b"q", 4), &mut taker);
    assert!(streams.data(Dir::Src, data(112, b"mnop?rs", 5), &mut taker).overlap);
    assert_eq!(taker.got, b"abcdefghijklmnopqrs");
}

#[test]
fn what_is_delivered_from_the_hold_is_known_when_the_hole_is_filled() {
    struct Times(Vec<(u64, u64, i64)>);
    impl Reader for Times {
        fn read(&mut self, s: Segment<'_>) -> Progress {
            self.0.push((s.first.frame, s.last.frame, s.last.eff));
            Progress::Taken(s.data.len())
        }
    }
    let (mut streams, mut times) = (Streams::default(), Times(Vec::new()));
    let mut send = |seq, frame, eff| {
        streams.data(Dir::Src, Data { seq, octets: b"ab", cut: 0, stamp: stamp(frame, eff) }, &mut times)
    };
    for (seq, frame, eff) in [(0, 1, 1), (4, 2, 2), (8, 3, 90), (2, 4, 50), (6, 5, 60)] {
        send(seq, frame, eff);
    }
    // The packet that fills the hole, or a held one that was sent after it.
    assert_eq!(times.0, [(1, 1, 1), (4, 4, 50), (2, 4, 50), (5, 5, 60), (3, 5, 90)]);
}

#[test]
fn a_row_begins_in_the_packet_that_brought_its_first_octet() {
    let (mut streams, mut taker) = (Streams::default(), Taker { bite: 4, ..Taker::default() });
    for (i, part) in [b"ab".as_slice(), b"cdef", b"gh", b"ij"].iter().enumerate() {
        let seq = [0, 2, 6, 8][i];
        streams.data(Dir::Src, data(seq, part, i as u64 + 1), &mut taker);
    }
    assert_eq!((taker.got.as_slice(), taker.firsts.as_slice()), (b"abcdefgh".as_slice(), [1, 2].as_slice()));
}

#[test]
fn a_hole_is_given_up_once_the_other_end_has_the_octets() {
    let (mut streams, mut taker) = (Streams::default(), Taker::default());
    streams.data(Dir::Src, data(0, b"ab", 1), &mut taker);
    streams.data(Dir::Src, data(5, b"fg", 2), &mut taker);
    assert_eq!(streams.acked(Dir::Dst, 7, stamp(9, DISORDER), &mut taker), Events::default(), "it may still come");
    assert_eq!(
        streams.acked(Dir::Dst, 2, stamp(9, 9 * DISORDER), &mut taker),
        Events::default(),
        "it was not received"
    );
    let events = streams.acked(Dir::Dst, 7, stamp(9, DISORDER + 1), &mut taker);
    assert_eq!(
        (events.gap, taker.got.as_slice(), taker.holes.as_slice()),
        (3, b"abfg".as_slice(), [(2, 3)].as_slice())
    );
}

#[test]
fn the_end_delivers_what_is_held() {
    let (mut streams, mut taker) = (Streams::default(), Taker::default());
    streams.data(Dir::Dst, data(0, b"a", 1), &mut taker);
    streams.data(Dir::Dst, data(2, b"c", 2), &mut taker);
    streams.data(Dir::Dst, data(4, b"e", 3), &mut taker);
    assert_eq!((streams.end(0, &mut taker).gap, taker.got.as_slice()), (2, b"ace".as_slice()));
}

#[test]
fn a_cut_packet_leaves_a_hole_of_its_own() {
    let (mut streams, mut taker) = (Streams::default(), Taker::default());
    let events = streams.data(Dir::Src, Data { cut: 10, ..data(0, b"ab", 1) }, &mut taker);
    streams.data(Dir::Src, data(12, b"mn", 2), &mut taker);
    assert_eq!(
        (events.gap, taker.holes.as_slice(), taker.got.as_slice()),
        (10, [(2, 10)].as_slice(), b"abmn".as_slice())
    );
}

#[test]
fn numbers_wrap() {
    let (mut streams, mut taker) = (Streams::default(), Taker::default());
    streams.syn(Dir::Src, u32::MAX - 3);
    streams.data(Dir::Src, data(1, b"def", 2), &mut taker);
    streams.data(Dir::Src, data(u32::MAX - 2, b"abc1", 1), &mut taker);
    assert_eq!(taker.got, b"abc1def");
}

#[test]
fn too_much_held_gives_the_hole_up() {
    let (mut streams, mut taker) = (Streams::default(), Taker::default());
    streams.data(Dir::Src, data(0, b"a", 1), &mut taker);
    let big = vec![7; 60_000];
    let mut seq = 100;
    let held_out = (0..9).any(|i| {
        let events = streams.data(Dir::Src, data(seq, &big, i), &mut taker);
        seq += 60_000;
        events.held_out
    });
    assert!(held_out && taker.holes == [(1, 99)], "{:?}", taker.holes);
    assert!(streams.buffered() < MOST_HELD);
}

#[test]
fn a_reader_that_wants_too_much_is_stopped() {
    struct Greedy;
    impl Reader for Greedy {
        fn read(&mut self, _: Segment<'_>) -> Progress {
            Progress::NeedMore(usize::MAX)
        }
    }
    let mut streams = Streams::default();
    assert!(streams.data(Dir::Src, data(0, b"a", 1), &mut Greedy).wanted_too_much);
    assert_eq!(streams.buffered(), 0);
}

#[test]
fn skipped_octets_are_never_held_and_holes_in_them_are_none() {
    struct Skipper(Vec<u8>);
    impl Reader for Skipper {
        fn read(&mut self, s: Segment<'_>) -> Progress {
            assert_eq!(s.gap, 0);
            self.0.push(s.data[0]);
            Progress::Skip(100)
        }
    }
    let (mut streams, mut reader) = (Streams::default(), Skipper(Vec::new()));
    streams.data(Dir::Src, data(0, &[1; 30], 1), &mut reader);
    streams.data(Dir::Src, data(60, &[2; 30], 2), &mut reader);
    streams.end(0, &mut reader);
    streams.data(Dir::Src, data(90, &[3; 30], 3), &mut reader);
    assert_eq!(reader.0, [1, 3]);
}

proptest! {
    #[test]
    fn any_cutting_order_and_repetition_gives_the_octets(
        text in prop::collection::vec(any::<u8>(), 1..400),
        cuts in prop::collection::vec((0_usize..400, 1_usize..60), 0..60),
        bite in 1_usize..9,
        start: u32,
    ) {
        let (mut streams, mut taker) = (Streams::default(), Taker { bite, ..Taker::default() });
        streams.syn(Dir::Src, start.wrapping_sub(1));
        let mut parts: Vec<(usize, usize)> = cuts.into_iter().map(|(at, len)| (at % text.len(), len)).collect();
        // Whatever the random pieces leave out comes at the end.
        parts.extend((0..text.len()).step_by(50).map(|at| (at, 50)));
        for (i, (at, len)) in parts.iter().enumerate() {
            let piece = &text[*at..(*at + len).min(text.len())];
            let segment = Data { seq: start.wrapping_add(*at as u32), octets: piece, cut: 0, stamp: stamp(i as u64, 0) };
            streams.data(Dir::Src, segment, &mut taker);
        }
        let whole = text.len() / bite * bite;
        prop_assert_eq!(&taker.got, &text[..whole]);
        prop_assert!(taker.holes.is_empty());
    }
}
