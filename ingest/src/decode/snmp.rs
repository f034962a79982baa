//! SNMP over UDP: who reads and writes which objects of which device, and which intercepts that sets up.
//!
//! Versions 1 (RFC 1157), 2c (RFC 1901, RFC 3416) and 3 with the user-based security model (RFC 3412, RFC 3414). Each request is
//! paired with its answer by request-id, or msgID in version 3. A SET gives one `mgmt` row per varbind, everything else one per
//! PDU; what touches a lawful-intercept MIB gives `tasking` rows as well (`snmp/tasks.rs`), notifications of elements about taps
//! included; packet counters of taps in an answer are `mgmt` rows of their own; a Report that refuses a user is an `auth` row; a
//! sysObjectID is evidence of a product. Of an encrypted message only its header and its size are there to be read.
//! Not read: community strings (never), the text of values that are not listed as harmless, SNMP over TCP or DTLS.
mod columns;
mod exchange;
mod message;
mod objects;
mod tap;
mod tasks;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use lidr_schema::{
    Name,
    table::{asset, auth},
};

use super::{
    Decoder, Mark, Odd, Progress, Protocol, Rows, Segment, Transport, Verdict,
    ber::{Bad, Ber, Notes, Oid},
    pairs::{ANSWER_WITHIN, Asked, Crowded, Pairs},
};
use crate::record::{Dir, Stamp};
use exchange::{Answer, End, Waiting};
use message::{Kind, Message, Pdu};

/// SNMP's line in the list of protocols.
pub(super) const PROTOCOL: Protocol = Protocol {
    name: "snmp",
    transport: Transport::Datagram,
    ports: &[161, 162],
    probe,
    start: || Box::new(Snmp::default()),
};

/// Rows of one conversation that wait for an answer.
const MOST_ROWS: usize = 8192;
/// Answered requests that are remembered, so that a second copy of either makes no second row.
const MOST_ANSWERED: usize = 64;

/// Version, id and the direction of the request.
type Id = (bool, i64, usize);

fn probe(octets: &[u8], _: Dir) -> Verdict {
    let notes = Notes { cut: true, ..Notes::default() };
    let mut ber = Ber::new(octets, &notes);
    if octets.first() != Some(&0x30) {
        return Verdict::No;
    }
    let Ok(mut inside) = ber.inside(0x30) else { return Verdict::Maybe };
    let (version, next) = (inside.integer(), inside.next().map(|tlv| tlv.tag));
    match (version, next) {
        (Ok(0 | 1), Ok(0x04)) => match inside.next() {
            Ok(pdu) if (0xa0..=0xa8).contains(&pdu.tag) => Verdict::Certain,
            Ok(_) => Verdict::No,
            Err(_) => Verdict::Maybe,
        },
        (Ok(3), Ok(0x30)) => Verdict::Certain,
        (Ok(0 | 1 | 3), Err(_)) => Verdict::Maybe,
        _ => Verdict::No,
    }
}

/// One conversation.
#[derive(Default)]
struct Snmp {
    pairs: Pairs<Id, Waiting, Answer>,
    answered: VecDeque<(Id, u64, i64)>,
    held: usize,
    read_any: bool,
    told_product: bool,
}

const fn other(dir: Dir) -> Dir {
    match dir {
        Dir::Src => Dir::Dst,
        Dir::Dst => Dir::Src,
    }
}

/// Takes so many places in a row and gives the first.
fn places(rows: &mut Rows<'_>, dir: Dir, stamp: Stamp, count: usize) -> Mark {
    let first = rows.mark(dir, stamp);
    for _ in 1..count {
        rows.mark(dir, stamp);
    }
    first
}

impl Decoder for Snmp {
    fn decode(&mut self, segment: Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        let notes = Notes { cut: segment.cut > 0, ..Notes::default() };
        match message::read(segment.data, segment.cut, &notes) {
            Ok(message) => {
                self.read_any = true;
                if notes.nonminimal.get() {
                    self.odd(&segment, rows, "nonminimal", Bad::new("ber"));
                }
                self.message(&message, &segment, rows);
            }
            Err(_) if !self.read_any && segment.data.first() != Some(&0x30) => return Progress::NotMine,
            Err(bad) if bad.is_short() && notes.cut => self.odd(&segment, rows, "truncated", bad),
            Err(bad) => self.odd(&segment, rows, "malformed", bad),
        }
        Progress::Taken(segment.data.len())
    }

    fn deadline(&self) -> Option<i64> {
        [self.pairs.deadline(), self.pairs.early_deadline()].into_iter().flatten().min()
    }

    fn expire(&mut self, now: i64, rows: &mut Rows<'_>) {
        for (waiting, due) in self.pairs.expired(now) {
            self.finish(waiting, End::Unanswered, due, rows);
        }
        for (answer, due) in self.pairs.lapsed(now) {
            alone(answer, due, rows);
        }
    }

    fn end(&mut self, now: i64, rows: &mut Rows<'_>) {
        for (waiting, due, passed) in self.pairs.flush(now) {
            self.finish(waiting, if passed { End::Unanswered } else { End::NotSeen }, due, rows);
        }
        for (answer, due) in self.pairs.lapsed(i64::MAX) {
            alone(answer, due.min(now), rows);
        }
    }
}

/// Writes the row of an answer that nobody is seen to have asked for.
fn alone(answer: Answer, due: i64, rows: &mut Rows<'_>) {
    let (mark, ends, row) = *answer.alone;
    rows.push_between(mark, due, ends, row);
}

impl Snmp {
    fn odd(&self, segment: &Segment<'_>, rows: &mut Rows<'_>, kind: &'static str, bad: Bad) {
        let sizes = (bad.needed > 0).then_some((bad.needed, bad.had));
        let odd = Odd { kind, detail: bad.what, needed: sizes.map(|s| s.0), had: sizes.map(|s| s.1) };
        let mark = rows.mark(segment.dir, segment.first);
        rows.odd(mark, segment.last.eff, odd);
    }

    fn message(&mut self, message: &Message<'_>, segment: &Segment<'_>, rows: &mut Rows<'_>) {
        let dir = segment.dir;
        match message.pdu.as_ref().map(|p| p.kind) {
            Some(Kind::Response) => self.answer(message, segment, rows),
            Some(Kind::Report) => self.report(message, segment, rows),
            Some(Kind::Trap | Kind::TrapV1) => self.tell(message, segment, rows),
            Some(_) => self.request(message, segment, rows),
            None if message.v3.is_some_and(|v| v.reportable) => self.request(message, segment, rows),
            // Nobody answers on the port for traps unless it asked: what goes there unasked for is one.
            None if rows.ends_from(dir).dst_port == 162 => self.tell(message, segment, rows),
            None => self.answer(message, segment, rows),
        }
    }

    /// A request, whose rows wait for its answer.
    fn request(&mut self, message: &Message<'_>, segment: &Segment<'_>, rows: &mut Rows<'_>) {
        let (dir, eff) = (segment.dir, segment.last.eff);
        let id = (message.v3.is_some(), message.id, dir.index());
        let mut hasher = DefaultHasher::new();
        segment.data.hash(&mut hasher);
        let digest = hasher.finish();
        if self.answered.iter().any(|(i, d, then)| (*i, *d) == (id, digest) && eff - then <= ANSWER_WITHIN) {
            return;
        }
        self.pairs.settle(&id, eff);
        match self.pairs.waiting_mut(&id).map(|w| w.digest == digest) {
            Some(true) => return,
            Some(false) => {
                if let Some(former) = self.pairs.give_up(&id) {
                    self.finish(former, End::NotSeen, eff, rows);
                }
            }
            None => {}
        }
        let waiting = self.rows_of(message, segment, rows, digest);
        let size = waiting.places();
        if self.held + size > MOST_ROWS {
            let bound = Bad { what: "waiting", needed: (self.held + size) as u64, had: MOST_ROWS as u64 };
            self.odd(segment, rows, "bound", bound);
            return waiting.finish(End::NotSeen, eff, rows);
        }
        self.held += size;
        match self.pairs.ask(id, eff, waiting) {
            Asked::Waits | Asked::Repeated => {}
            Asked::Answered(waiting, answer, due) => self.pair(id, waiting, &answer, due, rows),
            Asked::Crowded(oldest) => {
                self.odd(segment, rows, "bound", Bad::new("requests"));
                self.finish(oldest, End::NotSeen, eff, rows);
            }
        }
    }

    /// The rows of a request or trap, with their places; what is beyond the bounds is said.
    fn rows_of(&self, message: &Message<'_>, segment: &Segment<'_>, rows: &mut Rows<'_>, digest: u64) -> Waiting {
        let ends = rows.ends_from(segment.dir);
        let (mut waiting, left_out) = Waiting::of(message, ends, rows.key);
        waiting.digest = digest;
        waiting.mark = places(rows, segment.dir, segment.first, waiting.places());
        let count = message.pdu.as_ref().map_or(0, |p| p.count);
        if left_out > 0 {
            let bad =
                Bad { what: "varbinds", needed: u64::from(count), had: u64::from(count.saturating_sub(left_out)) };
            self.odd(segment, rows, "bound", bad);
        } else if count as usize > message::MOST_BINDS {
            let bad = Bad { what: "varbinds", needed: u64::from(count), had: message::MOST_BINDS as u64 };
            self.odd(segment, rows, "bound", bad);
        }
        waiting
    }

    /// A trap: nobody answers it.
    fn tell(&mut self, message: &Message<'_>, segment: &Segment<'_>, rows: &mut Rows<'_>) {
        let waiting = self.rows_of(message, segment, rows, 0);
        waiting.finish(End::Told, segment.last.eff, rows);
    }

    fn answer(&mut self, message: &Message<'_>, segment: &Segment<'_>, rows: &mut Rows<'_>) {
        let (asker, eff) = (other(segment.dir), segment.last.eff);
        let id = (message.v3.is_some(), message.id, asker.index());
        self.pairs.settle(&id, eff);
        let known = self.pairs.waiting_mut(&id).is_some();
        if !known && self.answered.iter().any(|(i, _, then)| *i == id && eff - then <= ANSWER_WITHIN) {
            return;
        }
        if let Some(pdu) = &message.pdu {
            self.product(pdu, segment, rows);
        }
        let ends = rows.ends_from(asker);
        for row in exchange::counters(message, ends, rows.key) {
            let mark = rows.mark(segment.dir, segment.first);
            rows.push_between(mark, eff, ends, row);
        }
        let mut answer = Answer::of(message, ends, rows.key);
        answer.alone.0 = rows.mark(segment.dir, segment.first);
        match self.pairs.answer(&id, eff, answer) {
            Ok(Some((waiting, answer, due))) => self.pair(id, waiting, &answer, due, rows),
            Ok(None) => {}
            Err(Crowded(gone)) if gone.is_empty() => self.odd(segment, rows, "bound", Bad::new("answers")),
            Err(Crowded(gone)) => gone.into_iter().for_each(|(answer, due)| alone(answer, due, rows)),
        }
    }

    /// A Report answers its request and is a row of its own.
    fn report(&mut self, message: &Message<'_>, segment: &Segment<'_>, rows: &mut Rows<'_>) {
        let (asker, eff) = (other(segment.dir), segment.last.eff);
        let id = (true, message.id, asker.index());
        self.pairs.settle(&id, eff);
        let mut answer = Answer::of(message, rows.ends_from(asker), rows.key);
        let (ends, mut row) = (answer.alone.1, answer.alone.2.clone());
        let asked = self.pairs.waiting_mut(&id).and_then(|w| w.user());
        row.actor_name = row.actor_name.or(asked);
        let login = login(&row);
        answer.alone.0 = rows.mark(segment.dir, segment.first);
        rows.push_between(answer.alone.0, eff, ends, row);
        if let Some(login) = login {
            let mark = rows.mark(segment.dir, segment.first);
            rows.push_between(mark, eff, ends, login);
        }
        if let Some(waiting) = self.pairs.give_up(&id) {
            self.pair(id, waiting, &answer, eff, rows);
        }
    }

    fn pair(&mut self, id: Id, waiting: Waiting, answer: &Answer, due: i64, rows: &mut Rows<'_>) {
        self.answered.push_back((id, waiting.digest, due));
        if self.answered.len() > MOST_ANSWERED {
            self.answered.pop_front();
        }
        self.finish(waiting, End::Answered(answer), due, rows);
    }

    fn finish(&mut self, waiting: Waiting, end: End<'_>, due: i64, rows: &mut Rows<'_>) {
        self.held = self.held.saturating_sub(waiting.places());
        waiting.finish(end, due, rows);
    }

    /// A sysObjectID says what the agent is; once a conversation.
    fn product(&mut self, pdu: &Pdu<'_>, segment: &Segment<'_>, rows: &mut Rows<'_>) {
        let named = |b: &&message::Bind<'_>| b.tag == 0x06 && b.oid.after(objects::SYS_OBJECT_ID).is_some();
        let value = pdu.binds.iter().find(named).and_then(|b| Oid::read(b.value).ok());
        let Some(oid) = value.filter(|_| !self.told_product) else { return };
        self.told_product = true;
        let ends = rows.ends_from(segment.dir);
        let mark = rows.mark(segment.dir, segment.first);
        let mut text = oid.dotted(usize::MAX);
        text.truncate(64);
        let row = asset::Row {
            host: ends.src_ip,
            evidence: Name::Borrowed("sysobjectid"),
            vendor: objects::vendor(oid).map(Name::Borrowed),
            value: Some(Name::Owned(text)),
            ..asset::Row::default()
        };
        rows.push_between(mark, segment.last.eff, ends, row);
    }
}

/// The login attempt that a Report refuses; engine discovery and clock setting are none.
fn login(report: &lidr_schema::table::mgmt::Row) -> Option<auth::Row> {
    let evidence = report.report.clone()?;
    if matches!(&*evidence, "usmStatsNotInTimeWindows" | "usmStatsUnknownEngineIDs") {
        return None;
    }
    Some(auth::Row {
        service: Name::Borrowed("snmp"),
        user: report.actor_name.clone(),
        method: Some(Name::Borrowed("usm")),
        outcome: Name::Borrowed("refused"),
        confidence: Name::Borrowed("high"),
        evidence: Some(evidence),
        ..auth::Row::default()
    })
}
