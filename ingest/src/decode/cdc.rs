//! PacketCable call data (CdcPdu of PCESP, PKT-SP-ESP): signalling of intercepted calls, from a delivery function to an agency.
//!
//! A TCP stream of BER messages without port of their own, known by their shape: a protocol version, then one message of a known
//! kind that begins with a printable case id, lengths that fit into one another. Read are the kind, the case id (`liid`), the
//! accessing element and the content channel (CCC-ID) that an opening or a closing names, as the task's pseudonym in
//! the form that content (`ccc`) and the routers' MIB have. Series are per (sender, case, content channel); `records` are the
//! names of the messages. Called and calling parties, dialled digits and SDP are passed over and never held.
//!
//! Not read: J-STD-025 and ATIS messages, whose tags are not public; call identities; the channel of
//! a change, whose place in it is not public; streams inside TLS.
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

use lidr_schema::{Key, Kind, Name};

use super::{
    Protocol, Rows, Segment, Transport, Verdict,
    ber::{
        Bad, Ber, Head, Notes,
        stream::{Message, Stream},
        walk::{Visit, Want},
    },
    cursor::printable,
    delivery::{
        Count, Facts, Series, Subject, Unit,
        decoder::{Counted, Delivered, wrong},
    },
};

/// Call data over TCP.
pub(super) const PROTOCOL: Protocol = Protocol {
    name: Cdc::NAME,
    transport: Transport::Stream,
    ports: &[],
    probe: |data, _| Cdc::begins(data),
    start: || Counted::boxed(Stream::<Cdc>::default()),
};

/// Characters of a case id and of a CCC-ID, at most (PCESP: 25 and 20).
const MOST_ID: usize = 25;
/// Characters kept of an element's name.
const MOST_NAME: usize = 64;
/// Octets of one message, at most: signalling, with SDP at the longest.
const MOST_MESSAGE: u64 = 64 * 1024;

/// Where values stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Outside,
    Pdu,
    /// The choice of messages.
    Choice,
    Message(Event),
    /// A content channel: one for both directions, or one each.
    Channel,
}

/// What a message is about, as far as its tags differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Open,
    Close,
    Other,
}

/// A message as far as it is kept.
#[derive(Clone, Debug, Default)]
struct Cdc {
    name: Option<&'static str>,
    case: String,
    element: Option<Name>,
    channel: Option<String>,
    bytes: u64,
}

impl Message for Cdc {
    type Place = Place;
    const OUTSIDE: Place = Place::Outside;

    fn begins(data: &[u8]) -> Verdict {
        let notes = Notes::default();
        match shape(Ber::new(data, &notes)) {
            Ok(verdict) => verdict,
            Err(bad) if bad.is_short() && data.len() < HEADS => Verdict::Maybe,
            Err(_) => Verdict::No,
        }
    }
}

/// Octets of the heads and of the version up to the case id, at most.
const HEADS: usize = 40;

fn shape(mut ber: Ber<'_>) -> Result<Verdict, Bad> {
    let unlike = Bad::new("shape");
    let whole = inside(&mut ber, 0x30..=0x30, Some(MOST_MESSAGE))?;
    if ber.head()? != (Head { tag: 0x80, length: Some(1) }) {
        return Err(unlike);
    }
    let mut ber = match ber.rest().split_first() {
        None => return Ok(Verdict::Maybe),
        Some((3 | 4, rest)) => ber.of(rest),
        Some(_) => return Err(unlike),
    };
    let choice = whole.map(|length| length.checked_sub(3).ok_or(unlike)).transpose()?;
    let message = inside(&mut ber, 0xa1..=0xa1, choice)?;
    let fields = inside(&mut ber, 0xa1..=0xb4, message)?;
    let id = inside(&mut ber, 0x80..=0x80, fields)?.and_then(|length| usize::try_from(length).ok());
    let length = id.filter(|length| (1..=MOST_ID).contains(length)).ok_or(unlike)?;
    let there = ber.rest().get(..length.min(ber.rest().len())).unwrap_or_default();
    match there.iter().all(|o| o.is_ascii_graphic() || *o == b' ') {
        true if there.len() == length => Ok(Verdict::Certain),
        true => Ok(Verdict::Maybe),
        false => Err(unlike),
    }
}

/// Octets of the next value, which has such a tag and is in one of so many octets; none where its end is marked.
fn inside(ber: &mut Ber<'_>, tags: RangeInclusive<u32>, within: Option<u64>) -> Result<Option<u64>, Bad> {
    let before = ber.rest().len();
    let head = ber.head()?;
    let taken = (before - ber.rest().len()) as u64;
    let fits = within.is_none_or(|within| taken + head.length.unwrap_or(0) <= within);
    match tags.contains(&head.tag) && fits {
        true => Ok(head.length),
        false => Err(Bad::new("shape")),
    }
}

impl Visit<Place> for Cdc {
    fn wants(&self, place: Place, head: Head) -> Want<Place> {
        Want::Inside(match (place, head.tag) {
            (Place::Outside, 0x30) => Place::Pdu,
            (Place::Pdu, 0xa1) => Place::Choice,
            (Place::Choice, tag) => Place::Message(event(tag)),
            (Place::Message(Event::Close), 0xa3) | (Place::Message(Event::Open), 0xa5) | (Place::Channel, 0xa1) => {
                Place::Channel
            }
            (Place::Message(_), 0x80 | 0x81) | (Place::Channel, 0x80 | 0x81) => return Want::Value,
            _ => return Want::Nothing,
        })
    }

    fn meets(&mut self, place: Place, head: Head) {
        if place == Place::Choice {
            self.name = name(head.tag);
        }
    }

    fn value(&mut self, place: Place, tag: u32, octets: &[u8]) {
        let text = printable(octets, MOST_NAME);
        match (place, tag) {
            (Place::Message(_), 0x80) => self.case = text,
            (Place::Message(_), _) => self.element = Some(text).filter(|t| !t.is_empty()).map(Name::from),
            _ => {
                self.channel.get_or_insert(text);
            }
        }
    }

    fn leaves(&mut self, place: Place, octets: u64) {
        if place == Place::Choice {
            self.bytes = octets;
        }
    }
}

impl Delivered for Cdc {
    /// Case and content channel.
    type Id = (String, Option<String>);
    const NAME: &'static str = "cdc";

    fn count(self, series: &mut Series<Self::Id>, segment: &Segment<'_>, rows: &mut Rows<'_>) {
        if self.name.is_none() {
            wrong("message", segment, rows);
        }
        if !(1..=MOST_ID).contains(&self.case.len()) {
            wrong("case", segment, rows);
        }
        let id = (self.case, self.channel);
        let (case, channel) = id.clone();
        let subject = |key: &Key| Subject {
            task: channel.map(|channel| key.pseudonym(Kind::Cccid, decimal(&channel))),
            liid: Some(case).filter(|case| !case.is_empty()).map(|case| key.pseudonym(Kind::Liid, &case)),
        };
        let count = Count { pdus: 1, bytes: self.bytes, ..Count::default() };
        let facts = Facts { ne_name: self.element, ..Facts::default() };
        series.count(
            segment,
            (Self::NAME, id),
            subject,
            Unit { count, facts, sequence: None, records: self.name.into_iter().collect() },
            rows,
        );
    }
}

/// One spelling of a number: without zeros before it.
fn decimal(text: &str) -> &str {
    match text.trim_start_matches('0') {
        "" => text,
        number => number,
    }
}

const fn event(tag: u32) -> Event {
    match tag {
        0xa2 => Event::Close,
        0xa3 => Event::Open,
        _ => Event::Other,
    }
}

const fn name(tag: u32) -> Option<&'static str> {
    Some(match tag {
        0xa1 => "answer",
        0xa2 => "ccclose",
        0xa3 => "ccopen",
        0xa5 => "origination",
        0xa7 => "redirection",
        0xa8 => "release",
        0xaa => "terminationattempt",
        0xac => "ccchange",
        0xaf => "dialeddigitextraction",
        0xb0 => "networksignal",
        0xb1 => "subjectsignal",
        0xb2 => "mediareport",
        0xb3 => "serviceinstance",
        0xb4 => "confpartychange",
        _ => return None,
    })
}
