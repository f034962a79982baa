//! Decoders of streams of BER messages that carry product: what the handover interfaces have in common.
use super::Series;
use crate::decode::{
    Decoder, Odd, Progress, Rows, Segment,
    ber::stream::{Message, Read, Stream},
};

/// A message that counts in a series.
pub(in crate::decode) trait Delivered: Message + Send {
    /// What tells series apart.
    type Id: Eq + std::hash::Hash + Send;
    /// The decoder's name.
    const NAME: &'static str;
    /// Counts it. The segment begins with the packet in which the message began.
    fn count(self, series: &mut Series<Self::Id>, segment: &Segment<'_>, rows: &mut Rows<'_>);
}

/// One conversation.
pub(in crate::decode) struct Handover<M: Delivered> {
    stream: Stream<M>,
    series: Series<M::Id>,
}

impl<M: Delivered> Default for Handover<M> {
    fn default() -> Self {
        Self { stream: Stream::default(), series: Series::new(M::NAME) }
    }
}

impl<M: Delivered> Decoder for Handover<M>
where
    M::Place: Send,
{
    fn decode(&mut self, segment: Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        self.series.expire(segment.last.eff, rows);
        match self.stream.read(&segment) {
            Read::On(progress) => progress,
            Read::Whole(message, first, progress) => {
                message.count(&mut self.series, &Segment { first, ..segment }, rows);
                progress
            }
            Read::Lost(bad, first, progress) => {
                let (needed, had) = (Some(bad.needed), Some(bad.had));
                malformed(&Segment { first, ..segment }, Odd { kind: "malformed", detail: bad.what, needed, had }, rows);
                progress
            }
        }
    }

    fn deadline(&self) -> Option<i64> {
        self.series.deadline()
    }

    fn expire(&mut self, now: i64, rows: &mut Rows<'_>) {
        self.series.expire(now, rows);
    }

    fn end(&mut self, now: i64, rows: &mut Rows<'_>) {
        self.series.end(now, rows);
    }
}

/// Says that a message does not follow its standard.
pub(in crate::decode) fn wrong(detail: &'static str, segment: &Segment<'_>, rows: &mut Rows<'_>) {
    malformed(segment, Odd { kind: "malformed", detail, needed: None, had: None }, rows);
}

fn malformed(segment: &Segment<'_>, odd: Odd, rows: &mut Rows<'_>) {
    let mark = rows.mark(segment.dir, segment.first);
    rows.odd(mark, segment.last.eff, odd);
}
