//! Decoders of product, as far as they are alike: what they read counts in series, and rows are due when those say.
use std::hash::Hash;

use super::Series;
use crate::decode::{
    Decoder, Odd, Progress, Rows, Segment,
    ber::stream::{Message, Read, Stream},
};

/// What differs from decoder to decoder.
pub(in crate::decode) trait Product: Send {
    /// What tells series apart.
    type Id: Eq + Hash + Send;
    /// The decoder's name.
    const NAME: &'static str;
    /// Deals with octets; the first rows that were due before them have been written.
    fn decode(&mut self, segment: &Segment<'_>, series: &mut Series<Self::Id>, rows: &mut Rows<'_>) -> Progress;
}

/// A decoder of product for one conversation.
pub(in crate::decode) struct Counted<P: Product> {
    product: P,
    series: Series<P::Id>,
}

impl<P: Product + 'static> Counted<P> {
    /// A decoder that has read nothing.
    pub(in crate::decode) fn boxed(product: P) -> Box<dyn Decoder> {
        Box::new(Self { product, series: Series::new(P::NAME) })
    }
}

impl<P: Product> Decoder for Counted<P> {
    fn decode(&mut self, segment: Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        self.series.expire(segment.last.eff, rows);
        self.product.decode(&segment, &mut self.series, rows)
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

/// A message of a stream of BER that counts in a series.
pub(in crate::decode) trait Delivered: Message + Send {
    /// What tells series apart.
    type Id: Eq + Hash + Send;
    /// The decoder's name.
    const NAME: &'static str;
    /// Counts it. The segment begins with the packet in which the message began.
    fn count(self, series: &mut Series<Self::Id>, segment: &Segment<'_>, rows: &mut Rows<'_>);
}

impl<M: Delivered> Product for Stream<M>
where
    M::Place: Send,
{
    type Id = M::Id;
    const NAME: &'static str = M::NAME;

    fn decode(&mut self, segment: &Segment<'_>, series: &mut Series<M::Id>, rows: &mut Rows<'_>) -> Progress {
        match self.read(segment) {
            Read::On(progress) => progress,
            Read::Whole(message, first, progress) => {
                message.count(series, &Segment { first, ..*segment }, rows);
                progress
            }
            Read::Lost(bad, first, progress) => {
                let odd = Odd { kind: "malformed", detail: bad.what, needed: Some(bad.needed), had: Some(bad.had) };
                malformed(&Segment { first, ..*segment }, odd, rows);
                progress
            }
        }
    }
}

/// Says that a message does not follow its standard.
pub(in crate::decode) fn wrong(detail: &'static str, segment: &Segment<'_>, rows: &mut Rows<'_>) {
    malformed(segment, Odd { kind: "malformed", detail, needed: None, had: None }, rows);
}

/// Says what is odd about a message.
fn malformed(segment: &Segment<'_>, odd: Odd, rows: &mut Rows<'_>) {
    let mark = rows.mark(segment.dir, segment.first);
    rows.odd(mark, segment.last.eff, odd);
}
