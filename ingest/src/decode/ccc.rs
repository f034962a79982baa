//! PacketCable call content (CCC) over UDP, and the mirrors of Cisco routers, which have its smallest form.
//!
//! A datagram is a content id of four octets, in larger forms a time (NTP) and a case id, then the intercepted IP packet (PKT-SP-ESP1.5
//! §5, PKT-SP-ES-DCI §7; RFC 3924 leaves the form to the router). There is no mark and no port of its own, so content is taken for
//! it only where
//! - the settings give the port to `ccc`, or
//! - three datagrams of one content id have agreed, none in between disagreed, and each holds a whole packet of IP from the end of
//!   the header to the end of the datagram, with a right checksum (IPv4) and a time within a day of the capture's (larger forms).
//!
//! Until then nothing is said, not even that the conversation is call content, and any protocol that is sure comes before it. The
//! form of 8 octets is only taken where the port is given: two other mirrors have it. What comes out is `delivery` rows, one series
//! per (sender, content id), the content id being the task; the case id of the largest form is the `liid`. Nothing inside is read
//! here; on a port that is given the frame decoder opens what is inside.
mod form;
#[cfg(test)]
mod tests;

use lidr_schema::{Key, Kind, Name};

use super::{
    Progress, Protocol, Rows, Segment, Transport, Verdict,
    delivery::{
        Count, Facts, Series, Subject, Unit,
        decoder::{Counted, Product, wrong},
    },
};
use crate::record::{Dir, Stamp};
use form::Content;

/// Call content over UDP.
pub(super) const PROTOCOL: Protocol = Protocol {
    name: Ccc::NAME,
    transport: Transport::Datagram,
    ports: &[],
    probe: |data, _| match form::likely(data) {
        true => Verdict::Likely,
        false => Verdict::Maybe,
    },
    start: || Counted::boxed(Ccc::default()),
};

/// Datagrams of one content id that must agree.
const AGREEING: usize = 3;
/// Datagrams that wait for agreement.
const MOST_WAITING: usize = 16;
/// Ports of tunnels that have a header of four or eight octets before IP: LISP, GUE, MPLS in UDP.
const TUNNELS: [u16; 3] = [4341, 6080, 6635];

#[derive(Default)]
struct Ccc {
    /// That it is content is asserted.
    held: bool,
    /// Datagrams before that.
    waiting: Vec<(Dir, Stamp, Content)>,
    /// Said that some datagram is none.
    odd: bool,
}

/// Counts a datagram.
fn count(content: &Content, segment: &Segment<'_>, series: &mut Series<u32>, rows: &mut Rows<'_>) {
    let subject = |key: &Key| Subject {
        task: Some(key.pseudonym(Kind::Cccid, &content.id.to_string())),
        liid: content.case.as_deref().map(|case| key.pseudonym(Kind::Liid, case)),
    };
    let count = Count { pdus: 1, bytes: content.bytes, ..Count::default() };
    let facts = Facts { format: Some(Name::Borrowed(content.format)), ..Facts::default() };
    series.count(segment, (Ccc::NAME, content.id), subject, Unit { count, facts, ..Unit::default() }, rows);
}

impl Ccc {
    /// Whether it is content, with this datagram: `None` if it is not.
    fn holds(&mut self, segment: &Segment<'_>, content: Content) -> Option<bool> {
        let first = self.waiting.first();
        if self.waiting.len() >= MOST_WAITING || first.is_some_and(|(_, _, first)| first.header != content.header) {
            return None;
        }
        let (dir, id) = (segment.dir, content.id);
        self.waiting.push((dir, segment.first, content));
        self.held = self.waiting.iter().filter(|(d, _, c)| (*d, c.id) == (dir, id)).count() >= AGREEING;
        Some(self.held)
    }
}

impl Product for Ccc {
    /// The content id.
    type Id = u32;
    const NAME: &'static str = "ccc";

    fn decode(&mut self, segment: &Segment<'_>, series: &mut Series<u32>, rows: &mut Rows<'_>) -> Progress {
        let given = rows.configured == Some(Self::NAME);
        let cut = u64::from(segment.cut);
        let content = match given {
            true => Content::given(segment.data, cut),
            false => Content::read(segment.data, cut, segment.first.ts),
        };
        let taken = Progress::Taken(segment.data.len());
        if given || self.held {
            match content {
                Some(content) => count(&content, segment, series, rows),
                None if !std::mem::replace(&mut self.odd, true) => wrong("content", segment, rows),
                None => {}
            }
            return taken;
        }
        let Some(content) =
            content.filter(|_| ![rows.ends.src_port, rows.ends.dst_port].iter().any(|p| TUNNELS.contains(p)))
        else {
            return Progress::NotMine;
        };
        match self.holds(segment, content) {
            None => return Progress::NotMine,
            Some(false) => return Progress::Unsure,
            Some(true) => {}
        }
        for (dir, first, content) in std::mem::take(&mut self.waiting) {
            // What came before is known only now.
            count(&content, &Segment { dir, first, ..*segment }, series, rows);
        }
        taken
    }
}
