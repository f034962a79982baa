//! BER that arrives in parts: values of interest are picked out, everything else is passed over without being held.
//!
//! The decoder says what it wants of each value by the place where it stands; places are its own. Lengths may be longer than
//! they need be or indefinite, at any depth up to 32. Of what is passed over with an indefinite length the insides are walked
//! through, because only they tell where it ends. A value that is longer than what it stands in ends the reading.
use super::{Bad, Ber, Head, Notes};

/// Values inside one another.
const MOST_DEPTH: usize = 32;
/// Octets of the outermost value.
pub(in crate::decode) const MOST_OCTETS: u64 = 16 << 20;
/// Octets of a value that is picked out.
const MOST_VALUE: u64 = 4096;

/// What a decoder wants of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::decode) enum Want<P> {
    /// The values inside it, which stand at that place. Of a primitive value: nothing.
    Inside(P),
    /// Its octets, if they are not too many.
    Value,
    /// To know that it is there.
    Nothing,
}

/// Who looks at the values.
pub(in crate::decode) trait Visit<P> {
    /// What it wants of the value with that head.
    fn wants(&self, place: P, head: Head) -> Want<P>;
    /// A value begins of which it does not get the octets. Told once.
    fn meets(&mut self, place: P, head: Head);
    /// The octets of a value.
    fn value(&mut self, place: P, tag: u32, octets: &[u8]);
    /// All values at that place have been met; they took so many octets.
    fn leaves(&mut self, place: P, octets: u64);
}

/// What became of a look at the octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::decode) enum Step {
    /// Nothing can be done before so many are there.
    Needs(usize),
    /// So many are dealt with, some of which may not be there yet.
    Passed(u64),
    /// No way on.
    Bad(Bad),
}

/// The way through one outermost value.
#[derive(Debug)]
pub(in crate::decode) struct Walk<P> {
    outside: P,
    /// Octets from the first one of the outermost value.
    at: u64,
    levels: Vec<Level<P>>,
}

#[derive(Debug)]
struct Level<P> {
    /// None where nothing inside is of interest.
    place: Option<P>,
    start: u64,
    /// None where a pair of zero octets ends it.
    end: Option<u64>,
    /// Where it must have ended.
    limit: u64,
}

impl<P: Copy> Walk<P> {
    /// Before an outermost value; `outside` is the place where it stands.
    pub(in crate::decode) const fn new(outside: P) -> Self {
        Self { outside, at: 0, levels: Vec::new() }
    }

    /// Whether the outermost value was met as a whole.
    pub(in crate::decode) const fn is_over(&self) -> bool {
        self.at > 0 && self.levels.is_empty()
    }

    /// Deals with the next value's beginning, or with the whole of it. `data` begins where the step before ended.
    pub(in crate::decode) fn step(&mut self, data: &[u8], visit: &mut impl Visit<P>) -> Step {
        let notes = Notes::default();
        let mut ber = Ber::new(data, &notes);
        let head = match ber.head() {
            Ok(head) => head,
            Err(bad) if bad.is_short() => return Step::Needs(data.len() + 1),
            Err(bad) => return Step::Bad(bad),
        };
        let taken = (data.len() - ber.rest.len()) as u64;
        let inner = self.at + taken;
        let (place, limit, open) = match self.levels.last() {
            Some(level) => (level.place, level.limit, level.end.is_none()),
            None => (Some(self.outside), MOST_OCTETS, false),
        };
        let end = inner + head.length.unwrap_or(0);
        if end > limit {
            return Step::Bad(Bad { what: "length", needed: end, had: limit });
        }
        if open && head == (Head { tag: 0, length: Some(0) }) {
            self.close(visit);
            self.move_to(inner, visit);
            return Step::Passed(taken);
        }
        let want = place.map_or(Want::Nothing, |place| visit.wants(place, head));
        if let (Want::Value, Some(place), Some(length @ 0..=MOST_VALUE)) = (want, place, head.length) {
            let Some(octets) = ber.rest.get(..length as usize) else { return Step::Needs((taken + length) as usize) };
            visit.value(place, head.tag, octets);
            self.move_to(end, visit);
            return Step::Passed(taken + length);
        }
        let inside = match want {
            Want::Inside(inside) if head.is_constructed() => Some(inside),
            _ => None,
        };
        let level = Level {
            place: inside,
            start: inner,
            end: head.length.map(|_| end),
            limit: head.length.map_or(limit, |_| end),
        };
        if level.end.is_none() && !head.is_constructed() {
            return Step::Bad(Bad::new("indefinite"));
        }
        if self.levels.len() >= MOST_DEPTH {
            return Step::Bad(Bad { what: "depth", needed: 0, had: MOST_DEPTH as u64 });
        }
        if let Some(place) = place {
            visit.meets(place, head);
        }
        if let (None, Some(end)) = (inside, level.end) {
            self.move_to(end, visit);
            return Step::Passed(end - inner + taken);
        }
        self.levels.push(level);
        self.move_to(inner, visit);
        Step::Passed(taken)
    }

    /// Goes on there; levels that end there are left.
    fn move_to(&mut self, at: u64, visit: &mut impl Visit<P>) {
        self.at = at;
        while self.levels.last().is_some_and(|level| level.end == Some(at)) {
            self.close(visit);
        }
    }

    fn close(&mut self, visit: &mut impl Visit<P>) {
        let Some(Level { place: Some(place), start, .. }) = self.levels.pop() else { return };
        visit.leaves(place, self.at - start);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A value made for tests: a primitive one, or one with values inside.
    #[derive(Clone, Debug)]
    enum Made {
        Leaf(u8, Vec<u8>),
        Node(u8, Vec<Made>),
    }

    /// How lengths are written.
    #[derive(Clone, Copy, Debug)]
    enum Form {
        Short,
        Long,
        Indefinite,
    }

    impl Made {
        fn write(&self, form: Form, out: &mut Vec<u8>) {
            let (tag, inner) = match self {
                Self::Leaf(tag, octets) => (*tag, octets.clone()),
                Self::Node(tag, all) => {
                    let mut inner = Vec::new();
                    all.iter().for_each(|one| one.write(form, &mut inner));
                    (*tag, inner)
                }
            };
            out.push(tag);
            match (self, form) {
                (Self::Node(..), Form::Indefinite) => {
                    out.push(0x80);
                    out.extend(inner);
                    out.extend([0, 0]);
                }
                (_, Form::Short) if inner.len() < 0x80 => {
                    out.push(inner.len() as u8);
                    out.extend(inner);
                }
                _ => {
                    out.push(0x84);
                    out.extend((inner.len() as u32).to_be_bytes());
                    out.extend(inner);
                }
            }
        }

        fn leaves(&self) -> Vec<(u32, Vec<u8>)> {
            match self {
                Self::Leaf(tag, octets) => vec![(u32::from(*tag), octets.clone())],
                Self::Node(_, all) => all.iter().flat_map(Self::leaves).collect(),
            }
        }
    }

    /// Wants every primitive value that is not tagged 0x85, and goes into everything but 0xa5.
    #[derive(Default)]
    struct All {
        values: Vec<(u32, Vec<u8>)>,
        left: usize,
    }

    impl Visit<()> for All {
        fn wants(&self, (): (), head: Head) -> Want<()> {
            match head.tag {
                0x85 | 0xa5 => Want::Nothing,
                _ if head.is_constructed() => Want::Inside(()),
                _ => Want::Value,
            }
        }
        fn meets(&mut self, (): (), _: Head) {}
        fn value(&mut self, (): (), tag: u32, octets: &[u8]) {
            self.values.push((tag, octets.to_vec()));
        }
        fn leaves(&mut self, (): (), _: u64) {
            self.left += 1;
        }
    }

    /// Walks as a stream would: octets come in pieces, what is passed over may lie ahead.
    fn walked(data: &[u8], piece: usize) -> Result<All, Bad> {
        let (mut walk, mut all) = (Walk::new(()), All::default());
        let (mut at, mut there) = (0, piece.min(data.len()));
        while !walk.is_over() {
            match walk.step(data.get(at..there).unwrap_or_default(), &mut all) {
                Step::Bad(bad) => return Err(bad),
                Step::Passed(octets) => at += octets as usize,
                Step::Needs(needed) if at + needed > data.len() => return Err(Bad::new(Bad::SHORT)),
                Step::Needs(needed) => there = (at + needed).next_multiple_of(piece).min(data.len()),
            }
        }
        assert_eq!(at, data.len(), "neither more nor less than the value");
        Ok(all)
    }

    fn made() -> impl Strategy<Value = Made> {
        let leaf = (prop::sample::select(vec![0x80_u8, 0x04, 0x85]), prop::collection::vec(any::<u8>(), 0..200));
        let leaf = leaf.prop_map(|(tag, octets)| Made::Leaf(tag, octets));
        let inside = leaf.prop_recursive(6, 24, 4, |inner| {
            (prop::sample::select(vec![0x30_u8, 0xa0, 0xa5]), prop::collection::vec(inner, 0..4))
                .prop_map(|(tag, all)| Made::Node(tag, all))
        });
        prop::collection::vec(inside, 0..4).prop_map(|all| Made::Node(0x30, all))
    }

    fn wanted(made: &Made) -> Vec<(u32, Vec<u8>)> {
        match made {
            Made::Leaf(0x85, _) | Made::Node(0xa5, _) => Vec::new(),
            Made::Leaf(..) => made.leaves(),
            Made::Node(_, all) => all.iter().flat_map(wanted).collect(),
        }
    }

    proptest! {
        #[test]
        fn every_way_of_writing_lengths_is_walked_alike(made in made(), piece in 1_usize..40) {
            for form in [Form::Short, Form::Long, Form::Indefinite] {
                let mut data = Vec::new();
                made.write(form, &mut data);
                let all = walked(&data, piece).unwrap();
                prop_assert_eq!(&all.values, &wanted(&made), "{:?}", form);
            }
        }

        #[test]
        fn no_octets_break_it(mut data in prop::collection::vec(any::<u8>(), 0..80), piece in 1_usize..9) {
            data.insert(0, 0x30);
            let (mut walk, mut all) = (Walk::new(()), All::default());
            let mut rest = &data[..];
            while let Step::Passed(octets) = walk.step(&rest[..piece.min(rest.len())], &mut all) {
                prop_assert!(octets > 0 && octets <= MOST_OCTETS);
                rest = rest.get(octets as usize..).unwrap_or_default();
            }
        }
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let nested = |depth: usize| [[0x30, 0x80].repeat(depth), [0, 0].repeat(depth)].concat();
        assert_eq!(walked(&nested(MOST_DEPTH), 7).unwrap().left, MOST_DEPTH);
        assert_eq!(walked(&nested(MOST_DEPTH + 1), 7).err().unwrap().what, "depth");
        let unwanted = [&[0x30, 0x80][..], &[0xa5, 0x80].repeat(40), &[0, 0].repeat(41)].concat();
        assert_eq!(walked(&unwanted, 7).err().unwrap().what, "depth", "what nobody wants is bounded as well");
        for long in [&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff][..], &[0x30, 4, 0x80, 3, 0, 0], &[0x30, 2, 0xa0, 0x80, 0, 0]]
        {
            assert_eq!(walked(long, 9).err().unwrap().what, "length", "{long:?}");
        }
        assert_eq!(
            walked(&[0x30, 3, 0x80, 0x80, 0], 9).err().unwrap().what,
            "indefinite",
            "a primitive value has a length"
        );
        assert_eq!(walked(&[0x30, 0x80, 0x9f, 0xff, 0xff, 0xff, 0x7f, 0], 9).err().unwrap().what, "tag");
    }

    #[test]
    fn tags_of_several_octets_are_told_apart() {
        let all = walked(&[0x30, 9, 0x9f, 0x24, 1, 7, 0x9f, 0x81, 0x00, 1, 8], 11).unwrap();
        assert_eq!(all.values, [(0x9f00_0024, vec![7]), (0x9f00_0080, vec![8])]);
    }
}
