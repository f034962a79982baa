//! RADIUS over UDP (RFC 2865, 2866, 5176): logins, accounting sessions, and interceptions that a server orders.
//!
//! Every code is read and paired with its answer by identifier. An Access-Request that is accepted, refused or not answered is an
//! `auth` row (rounds that end in a challenge are parts of one attempt and give none); accounting, disconnects and other changes of
//! authorisation are `signal` rows, which tie a subscriber to an address and a session. Lawful-intercept attributes of Cisco, Juniper,
//! Nokia, Huawei, Ericsson, Ascend, Lucent, Alcatel and CableLabs in an Access-Accept or CoA-Request are `tasking` rows (`radius/li.rs`):
//! the server that orders is the actor, the access server the element. Names of administrators (Service-Type Login, Administrative,
//! NAS-Prompt) are clear, those of subscribers are pseudonyms. Not read: passwords, RADIUS over TLS, the inside of EAP and of
//! salt-encrypted values, authenticators (the secret is not ours).
mod li;
mod packet;
mod rows;
#[cfg(test)]
mod tests;

use packet::{Bad, Facts, Packet};

use super::{
    Decoder, Mark, Odd, Progress, Protocol, Rows, Segment, Transport, Verdict,
    pairs::{Asked, Crowded, Pairs},
};
use crate::record::Dir;

/// RADIUS's line in the list of protocols.
pub(super) const PROTOCOL: Protocol = Protocol {
    name: "radius",
    transport: Transport::Datagram,
    ports: &[1812, 1813, 3799, 1645, 1646, 1700],
    probe: |data, _| packet::probe(data),
    start: || Box::<Radius>::default(),
};

/// Direction of the request, identifier and the request code that the message belongs to.
type Id = (usize, u8, u8);

/// A message with what is needed of it.
struct Message {
    mark: Mark,
    dir: Dir,
    facts: Facts,
}

/// How a request ended.
#[derive(Clone, Copy)]
enum End<'a> {
    Answered(&'a Message),
    Unanswered,
    NotSeen,
}

#[derive(Default)]
struct Radius {
    pairs: Pairs<Id, Message, Message>,
    read_any: bool,
}

impl Decoder for Radius {
    fn decode(&mut self, segment: Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        match Packet::read(segment.data, segment.cut > 0) {
            Ok(packet) => {
                self.read_any = true;
                self.message(&packet, &segment, rows);
            }
            Err(Bad { what: "code" | "length", .. }) if !self.read_any => return Progress::NotMine,
            Err(bad) => {
                let kind = if bad.cut { "truncated" } else { "malformed" };
                odd(&segment, kind, bad.what, Some((bad.needed, bad.had)), rows);
            }
        }
        Progress::Taken(segment.data.len())
    }

    fn deadline(&self) -> Option<i64> {
        [self.pairs.deadline(), self.pairs.early_deadline()].into_iter().flatten().min()
    }

    fn expire(&mut self, now: i64, rows: &mut Rows<'_>) {
        for (request, due) in self.pairs.expired(now) {
            rows::request(&request, End::Unanswered, due, rows);
        }
        for (answer, due) in self.pairs.lapsed(now) {
            rows::alone(&answer, due, rows);
        }
    }

    fn end(&mut self, now: i64, rows: &mut Rows<'_>) {
        for (request, due, over) in self.pairs.flush(now) {
            rows::request(&request, if over { End::Unanswered } else { End::NotSeen }, due, rows);
        }
        for (answer, due) in self.pairs.lapsed(i64::MAX) {
            rows::alone(&answer, due.min(now), rows);
        }
    }
}

impl Radius {
    fn message(&mut self, packet: &Packet<'_>, segment: &Segment<'_>, rows: &mut Rows<'_>) {
        let (dir, eff) = (segment.dir, segment.last.eff);
        let facts = Facts::of(packet);
        if facts.left_out > 0 {
            odd(segment, "malformed", "vendor attribute", Some((1, 0)), rows);
        }
        let family = packet::family(packet.code);
        let mark = rows::places(rows, dir, segment.first);
        let message = Message { mark, dir, facts };
        if family == packet.code {
            return self.request((dir.index(), packet.id, family), message, segment, rows);
        }
        let asker = 1 - dir.index().min(1);
        match self.pairs.answer(&(asker, packet.id, family), eff, message) {
            Ok(Some((request, answer, due))) => rows::request(&request, End::Answered(&answer), due, rows),
            Ok(None) => {}
            Err(Crowded(gone)) if gone.is_empty() => odd(segment, "bound", "answers waiting", None, rows),
            Err(Crowded(gone)) => gone.iter().for_each(|(answer, due)| rows::alone(answer, *due, rows)),
        }
    }

    fn request(&mut self, id: Id, message: Message, segment: &Segment<'_>, rows: &mut Rows<'_>) {
        let eff = segment.last.eff;
        // The same identifier with another authenticator is another request (RFC 2865 §3); with the same one it is a repeat.
        self.pairs.settle(&id, eff);
        let other = self.pairs.waiting_mut(&id).is_some_and(|w| w.facts.authenticator != message.facts.authenticator);
        if other && let Some(former) = self.pairs.give_up(&id) {
            rows::request(&former, End::Unanswered, eff, rows);
        }
        match self.pairs.ask(id, eff, message) {
            Asked::Waits | Asked::Repeated => {}
            Asked::Answered(request, answer, due) => rows::request(&request, End::Answered(&answer), due, rows),
            Asked::Crowded(oldest) => {
                odd(segment, "bound", "requests waiting", None, rows);
                rows::request(&oldest, End::NotSeen, eff, rows);
            }
        }
    }
}

fn odd(
    segment: &Segment<'_>,
    kind: &'static str,
    detail: &'static str,
    sizes: Option<(usize, usize)>,
    rows: &mut Rows<'_>,
) {
    let mark = rows.mark(segment.dir, segment.first);
    let (needed, had) = (sizes.map(|s| s.0 as u64), sizes.map(|s| s.1 as u64));
    rows.odd(mark, segment.last.eff, Odd { kind, detail, needed, had });
}
