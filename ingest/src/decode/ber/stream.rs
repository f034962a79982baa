//! A TCP stream of BER messages one after the other, in both directions: finds where each begins and walks through it.
//!
//! There is nothing between messages; the length of one tells where the next begins. After a loss, or where no message begins,
//! the next beginning is searched for, which the protocol knows by its first octets.
use super::{
    Bad,
    walk::{Step, Visit, Walk},
};
use crate::{
    decode::{Progress, Segment, Verdict},
    record::Stamp,
};

/// A message as far as it is kept.
pub(in crate::decode) trait Message: Visit<Self::Place> + Default {
    /// Where values stand in it.
    type Place: Copy;
    /// Where the message itself stands.
    const OUTSIDE: Self::Place;
    /// Whether one begins with those octets.
    fn begins(data: &[u8]) -> Verdict;
}

/// Both directions.
pub(in crate::decode) struct Stream<M: Message> {
    sides: [Side<M>; 2],
    /// A message was met.
    sure: bool,
}

struct Side<M: Message> {
    open: Option<Open<M>>,
    /// Searching for the next message.
    lost: bool,
}

/// The message that is being read.
struct Open<M: Message> {
    walk: Walk<M::Place>,
    message: M,
    /// The packet in which it began.
    first: Stamp,
}

/// What became of octets.
pub(in crate::decode) enum Read<M> {
    /// A message was met as a whole, which began in that packet.
    Whole(M, Stamp, Progress),
    /// Nothing of interest yet.
    On(Progress),
    /// Out of step, with a message that began in that packet.
    Lost(Bad, Stamp, Progress),
}

impl<M: Message> Default for Stream<M> {
    fn default() -> Self {
        Self { sides: [Side::default(), Side::default()], sure: false }
    }
}

impl<M: Message> Default for Side<M> {
    fn default() -> Self {
        Self { open: None, lost: false }
    }
}

impl<M: Message> Stream<M> {
    /// Deals with the octets up to the end of the next message.
    pub(in crate::decode) fn read(&mut self, segment: &Segment<'_>) -> Read<M> {
        let Some(side) = self.sides.get_mut(segment.dir.index()) else { return Read::On(Progress::Done) };
        if segment.gap > 0 {
            *side = Side { open: None, lost: true };
        }
        if side.lost {
            match find::<M>(segment.data) {
                None => side.lost = false,
                Some(progress) => return Read::On(progress),
            }
        }
        if side.open.is_none() {
            match M::begins(segment.data) {
                Verdict::Certain => {}
                Verdict::Maybe | Verdict::Likely => return Read::On(Progress::NeedMore(segment.data.len() + 1)),
                Verdict::No if !self.sure => return Read::On(Progress::NotMine),
                Verdict::No => {
                    side.lost = true;
                    return Read::Lost(Bad::new("header"), segment.first, Progress::Taken(1));
                }
            }
        }
        self.sure = true;
        let fresh = || Open { walk: Walk::new(M::OUTSIDE), message: M::default(), first: segment.first };
        let open = side.open.take().unwrap_or_else(fresh);
        side.walk(open, segment.data)
    }
}

impl<M: Message> Side<M> {
    fn walk(&mut self, mut open: Open<M>, data: &[u8]) -> Read<M> {
        let mut at = 0;
        while at < data.len() {
            let rest = data.get(at..).unwrap_or_default();
            match open.walk.step(rest, &mut open.message) {
                Step::Needs(_) if at > 0 => break,
                Step::Needs(needed) => {
                    self.open = Some(open);
                    return Read::On(Progress::NeedMore(needed));
                }
                Step::Bad(bad) => {
                    self.lost = true;
                    return Read::Lost(bad, open.first, Progress::Taken(at.max(1)));
                }
                Step::Passed(octets) => {
                    let passed = at as u64 + octets;
                    at = usize::try_from(passed).map_or(data.len(), |passed| passed.min(data.len()));
                    let progress =
                        if passed > data.len() as u64 { Progress::Skip(passed) } else { Progress::Taken(at) };
                    if open.walk.is_over() {
                        return Read::Whole(open.message, open.first, progress);
                    }
                    if at == data.len() {
                        self.open = Some(open);
                        return Read::On(progress);
                    }
                }
            }
        }
        self.open = Some(open);
        Read::On(Progress::Taken(at))
    }
}

/// None where a message begins at the front, else what to do with the octets.
fn find<M: Message>(data: &[u8]) -> Option<Progress> {
    for at in 0..data.len() {
        match M::begins(data.get(at..).unwrap_or_default()) {
            Verdict::No => {}
            Verdict::Certain if at == 0 => return None,
            Verdict::Maybe | Verdict::Likely if at == 0 => return Some(Progress::NeedMore(data.len() + 1)),
            Verdict::Certain | Verdict::Likely | Verdict::Maybe => return Some(Progress::Taken(at)),
        }
    }
    Some(Progress::Taken(data.len()))
}
