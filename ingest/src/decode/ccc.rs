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
//! per (sender, content id), the content id being the task; the case id of the largest form is the `liid`. Nothing inside is read.
mod form;
#[cfg(test)]
mod tests;

use lidr_schema::{Key, Kind, Name};

use super::{
    Decoder, Odd, Progress, Protocol, Rows, Segment, Transport, Verdict,
    delivery::{Count, Facts, Series, Subject, Unit},
};
use crate::record::{Dir, Stamp};
use form::Content;

/// Call content over UDP.
pub(super) const PROTOCOL: Protocol = Protocol {
    name: "ccc",
    transport: Transport::Datagram,
    ports: &[],
    probe: |data, _| match form::likely(data) {
        true => Verdict::Likely,
        false => Verdict::Maybe,
    },
    start: || Box::new(Ccc { series: Series::new(PROTOCOL.name), state: State::Waiting(Vec::new()), odd: false }),
};

/// Datagrams of one content id that must agree.
const AGREEING: usize = 3;
/// Datagrams that wait for agreement.
const MOST_WAITING: usize = 16;
/// Ports of tunnels that have a header of four or eight octets before IP: LISP, GUE, MPLS in UDP.
const TUNNELS: [u16; 3] = [4341, 6080, 6635];

struct Ccc {
    series: Series<u32>,
    state: State,
    /// Said that some datagram is none.
    odd: bool,
}

enum State {
    /// Nothing is asserted.
    Waiting(Vec<(Dir, Stamp, Content)>),
    Held,
}

impl Ccc {
    fn count(&mut self, segment: &Segment<'_>, content: &Content, rows: &mut Rows<'_>) {
        let subject = |key: &Key| Subject {
            task: Some(key.pseudonym(Kind::Cccid, &content.id.to_string())),
            liid: content.case.as_deref().map(|case| key.pseudonym(Kind::Liid, case)),
        };
        let count = Count { pdus: 1, bytes: content.bytes, ..Count::default() };
        let facts = Facts { format: content.format.map(Name::Borrowed), ..Facts::default() };
        self.series.count(segment, (PROTOCOL.name, content.id), subject, Unit { count, facts, ..Unit::default() }, rows);
    }

    /// A datagram where the port is given, or of content that is held.
    fn known(&mut self, segment: &Segment<'_>, content: Option<Content>, rows: &mut Rows<'_>) -> Progress {
        match content {
            Some(content) => self.count(segment, &content, rows),
            None if !std::mem::replace(&mut self.odd, true) => {
                let mark = rows.mark(segment.dir, segment.first);
                let odd = Odd { kind: "malformed", detail: "content", needed: None, had: Some(segment.data.len() as u64) };
                rows.odd(mark, segment.last.eff, odd);
            }
            None => {}
        }
        Progress::Taken(segment.data.len())
    }

    /// A datagram of which it is not known yet whether it is content.
    fn maybe(&mut self, segment: &Segment<'_>, content: Option<Content>, rows: &mut Rows<'_>) -> Progress {
        let (State::Waiting(waiting), Some(content)) = (&mut self.state, content) else { return Progress::NotMine };
        if waiting.len() >= MOST_WAITING || waiting.first().is_some_and(|(_, _, first)| first.header != content.header) {
            return Progress::NotMine;
        }
        let (dir, id) = (segment.dir, content.id);
        waiting.push((dir, segment.first, content));
        if waiting.iter().filter(|(d, _, c)| (*d, c.id) == (dir, id)).count() < AGREEING {
            return Progress::Unsure;
        }
        let waiting = std::mem::take(waiting);
        self.state = State::Held;
        for (dir, first, content) in waiting {
            // What came before is known only now.
            self.count(&Segment { dir, first, ..*segment }, &content, rows);
        }
        Progress::Taken(segment.data.len())
    }
}

impl Decoder for Ccc {
    fn decode(&mut self, segment: Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        self.series.expire(segment.last.eff, rows);
        let given = rows.configured == Some(PROTOCOL.name);
        let content = Content::read(segment.data, u64::from(segment.cut), segment.first.ts, given);
        if given || matches!(self.state, State::Held) {
            return self.known(&segment, content, rows);
        }
        if TUNNELS.contains(&rows.ends.src_port) || TUNNELS.contains(&rows.ends.dst_port) {
            return Progress::NotMine;
        }
        self.maybe(&segment, content, rows)
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
