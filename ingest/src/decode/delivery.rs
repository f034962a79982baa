//! Series of `delivery` rows, for every decoder of intercept product: one per (sender, protocol of the row, id) of a conversation.
//!
//! The decoder chooses the id (the task's identifier; LIID and CIN) and says what each unit adds. The rows follow the rules of
//! `flow`: `open` 2 s after the first unit, `part` with the first unit of each minute counted from the first, `end` with the
//! conversation; counts add up, and `ts` is the first unit that the row counts. Names and numbers that units repeat are those of
//! the last unit. Keepalives belong to the conversation and are counted on whichever of its rows comes next; a conversation of
//! keepalives only is one row under the decoder's own name.
//!
//! Bounded: series beyond 4096 in one conversation are counted together, without task, correlation and sequence numbers, which
//! would be mixed, and said once. Sequence numbers wrap at 32 bits; one that goes back is a repeat or comes late.
pub(super) mod decoder;

use std::{collections::BTreeSet, hash::Hash};

use hashbrown::HashMap;
use lidr_schema::{Ends, Key, Micros, Name, Pseudonym, table::delivery};

use super::{Mark, Odd, Rows, Segment};
use crate::{
    flow::{OPEN_AFTER, PART_EVERY},
    record::Dir,
};

/// Series of one conversation that are told apart.
const MOST_SERIES: usize = 4096;

/// What one unit adds to its series.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unit {
    /// What it counts.
    pub(crate) count: Count,
    /// What it says of itself.
    pub(crate) facts: Facts,
    /// Its sequence number.
    pub(crate) sequence: Option<u32>,
    /// What kinds of record it holds, from a closed set.
    pub(crate) records: Vec<&'static str>,
}

/// Numbers that add up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    /// Units of product.
    pub(crate) pdus: u64,
    /// Octets of product.
    pub(crate) bytes: u64,
    /// Units that the target sent.
    pub(crate) from_target: u64,
    /// Units that were sent to the target.
    pub(crate) to_target: u64,
    /// Units whose payload is encrypted.
    pub(crate) encrypted: u64,
    /// Integrity checks.
    pub(crate) integrity: u64,
}

/// What units repeat; a row has what was said last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// The sender's name for itself.
    pub(crate) ne_name: Option<Name>,
    /// Interception point.
    pub(crate) point: Option<Name>,
    /// Communication identity number or correlation id.
    pub(crate) correlation: Option<u64>,
    /// Payload format.
    pub(crate) format: Option<Name>,
    /// Matched target.
    pub(crate) target: Option<Pseudonym>,
    /// Authorisation country.
    pub(crate) country: Option<Name>,
    /// Operator identifier.
    pub(crate) operator: Option<Name>,
}

/// Whose product a series is: computed once, with its first unit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Subject {
    /// The task.
    pub(crate) task: Option<Pseudonym>,
    /// Lawful interception identifier.
    pub(crate) liid: Option<Pseudonym>,
}

/// What tells series apart; the last part is none for those counted together at the bound.
type Id<I> = (usize, &'static str, Option<I>);

/// All series of a conversation.
pub(crate) struct Series<I> {
    /// The protocol of a row that counts keepalives only.
    name: &'static str,
    ids: HashMap<Id<I>, usize>,
    all: Vec<One>,
    /// Series without a row yet, by deadline.
    unopened: BTreeSet<(i64, usize)>,
    keepalives: Keepalives,
    full: bool,
}

/// Keepalives that are on no row yet.
#[derive(Default)]
struct Keepalives {
    count: u64,
    answers: u64,
    /// The first, and who keeps the conversation alive.
    first: Option<(Mark, Dir)>,
    last_ts: i64,
}

struct One {
    dir: Dir,
    protocol: &'static str,
    subject: Subject,
    /// Several series in one, at the bound.
    mixed: bool,
    /// The first unit that no row counts yet.
    since: Option<Mark>,
    /// Place of a last row that counts no unit: at the series' first one.
    tail: Mark,
    next_part: i64,
    part: u32,
    last_ts: i64,
    facts: Facts,
    sequence: Option<u32>,
    /// Whether any unit could be read.
    clear: bool,
    count: Count,
    numbers: Numbers,
    records: BTreeSet<&'static str>,
}

/// Sequence numbers since the row before.
#[derive(Default)]
struct Numbers {
    first: Option<u32>,
    last: Option<u32>,
    missing: u64,
}

impl<I: Eq + Hash> Series<I> {
    /// No series yet; a row of keepalives only has that protocol.
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            ids: HashMap::new(),
            all: Vec::new(),
            unopened: BTreeSet::new(),
            keepalives: Keepalives::default(),
            full: false,
        }
    }

    /// Counts a keepalive.
    pub(crate) fn keepalive(&mut self, segment: &Segment<'_>, rows: &mut Rows<'_>) {
        self.keepalives.count += 1;
        self.keepalives.met(segment, segment.dir, rows);
    }

    /// Counts the answer to a keepalive.
    pub(crate) fn answer(&mut self, segment: &Segment<'_>, rows: &mut Rows<'_>) {
        self.keepalives.answers += 1;
        self.keepalives.met(segment, segment.dir.other(), rows);
    }

    /// Counts a unit. Deadlines before it must have been acted on.
    pub(crate) fn count(
        &mut self,
        segment: &Segment<'_>,
        (protocol, id): (&'static str, I),
        subject: impl FnOnce(&Key) -> Subject,
        unit: Unit,
        rows: &mut Rows<'_>,
    ) {
        let now = segment.last.eff;
        let slot = self.slot(segment, (segment.dir.index(), protocol, Some(id)), subject, rows);
        let Some(one) = self.all.get_mut(slot) else { return };
        one.add(unit, segment, rows);
        if one.part > 0 && now >= one.next_part {
            one.next_part += (now - one.next_part) / PART_EVERY * PART_EVERY + PART_EVERY;
            one.row("part", now, self.keepalives.take(), rows);
        }
    }

    fn slot(
        &mut self,
        segment: &Segment<'_>,
        mut id: Id<I>,
        subject: impl FnOnce(&Key) -> Subject,
        rows: &mut Rows<'_>,
    ) -> usize {
        if self.ids.len() >= MOST_SERIES && !self.ids.contains_key(&id) {
            id.2 = None;
            self.say_full(segment, rows);
        }
        if let Some(slot) = self.ids.get(&id) {
            return *slot;
        }
        let (slot, mixed) = (self.all.len(), id.2.is_none());
        let subject = if mixed { Subject::default() } else { subject(rows.key) };
        self.all.push(One::new(segment, id.1, subject, mixed, rows));
        self.ids.insert(id, slot);
        self.unopened.insert((segment.last.eff + OPEN_AFTER, slot));
        slot
    }

    fn say_full(&mut self, segment: &Segment<'_>, rows: &mut Rows<'_>) {
        if std::mem::replace(&mut self.full, true) {
            return;
        }
        let mark = rows.mark(segment.dir, segment.first);
        let odd = Odd { kind: "bound", detail: "series", needed: None, had: Some(MOST_SERIES as u64) };
        rows.odd(mark, segment.last.eff, odd);
    }

    /// When the next first row is due.
    pub(crate) fn deadline(&self) -> Option<i64> {
        self.unopened.first().map(|(deadline, _)| *deadline)
    }

    /// Writes the first rows whose deadline is before `now`.
    pub(crate) fn expire(&mut self, now: i64, rows: &mut Rows<'_>) {
        while self.deadline().is_some_and(|deadline| deadline < now) {
            self.open_next(rows);
        }
    }

    fn open_next(&mut self, rows: &mut Rows<'_>) {
        let Some((deadline, slot)) = self.unopened.pop_first() else { return };
        if let Some(one) = self.all.get_mut(slot) {
            one.row("open", deadline, self.keepalives.take(), rows);
        }
    }

    /// Writes the last rows.
    pub(crate) fn end(&mut self, now: i64, rows: &mut Rows<'_>) {
        self.expire(now, rows);
        self.unopened.clear();
        for one in &mut self.all {
            one.row("end", now, self.keepalives.take(), rows);
        }
        if let (true, Some((mark, dir))) = (self.all.is_empty(), self.keepalives.first.take()) {
            let (keepalives, answers) = self.keepalives.take();
            let row = delivery::Row {
                last_ts: Micros(self.keepalives.last_ts),
                keepalives,
                answers,
                ..blank(self.name, "end", rows.ends_from(dir))
            };
            rows.push(mark, now, row);
        }
        self.all.clear();
        self.ids.clear();
    }
}

impl Keepalives {
    fn met(&mut self, segment: &Segment<'_>, by: Dir, rows: &mut Rows<'_>) {
        self.last_ts = self.last_ts.max(segment.first.ts);
        if self.first.is_none() {
            self.first = Some((rows.mark(segment.dir, segment.first), by));
        }
    }

    /// What the next row has of them.
    const fn take(&mut self) -> (u64, u64) {
        (std::mem::replace(&mut self.count, 0), std::mem::replace(&mut self.answers, 0))
    }
}

impl One {
    fn new(segment: &Segment<'_>, protocol: &'static str, subject: Subject, mixed: bool, rows: &mut Rows<'_>) -> Self {
        Self {
            dir: segment.dir,
            protocol,
            subject,
            mixed,
            since: None,
            tail: rows.mark(segment.dir, segment.first),
            next_part: segment.last.eff + PART_EVERY,
            part: 0,
            last_ts: segment.first.ts,
            facts: Facts::default(),
            sequence: None,
            clear: false,
            count: Count::default(),
            numbers: Numbers::default(),
            records: BTreeSet::new(),
        }
    }

    fn add(&mut self, unit: Unit, segment: &Segment<'_>, rows: &mut Rows<'_>) {
        self.since.get_or_insert_with(|| rows.mark(segment.dir, segment.first));
        self.last_ts = self.last_ts.max(segment.first.ts);
        self.clear |= unit.count.encrypted == 0;
        self.count.add(unit.count);
        self.facts.say(unit.facts);
        self.records.extend(unit.records);
        if self.mixed {
            (self.facts.correlation, self.facts.target) = (None, None);
        } else if let Some(sequence) = unit.sequence {
            self.follow(sequence);
        }
    }

    /// Sequence numbers wrap; one that goes back is a repeat or comes late, and takes nothing off what was missing.
    fn follow(&mut self, sequence: u32) {
        let ahead = self.sequence.map_or(0, |last| sequence.wrapping_sub(last).wrapping_sub(1));
        let back = ahead > u32::MAX / 2;
        if !back {
            self.numbers.missing += u64::from(ahead);
        }
        // From 0 or 1 the sender counts anew.
        if !back || sequence <= 1 {
            self.sequence = Some(sequence);
        }
        self.numbers.first.get_or_insert(sequence);
        self.numbers.last = Some(sequence);
    }

    fn row(&mut self, state: &'static str, due: i64, keepalives: (u64, u64), rows: &mut Rows<'_>) {
        let (count, numbers) = (std::mem::take(&mut self.count), std::mem::take(&mut self.numbers));
        let facts = self.facts.clone();
        let row = delivery::Row {
            part: self.part,
            ne_name: facts.ne_name,
            point: facts.point,
            task: self.subject.task,
            liid: self.subject.liid,
            correlation: facts.correlation,
            format: facts.format,
            last_ts: Micros(self.last_ts),
            pdus: count.pdus,
            bytes: count.bytes,
            first_seq: numbers.first,
            last_seq: numbers.last,
            missing: numbers.missing,
            keepalives: keepalives.0,
            answers: keepalives.1,
            target: facts.target,
            cleartext: self.clear,
            country: facts.country,
            operator: facts.operator,
            from_target: count.from_target,
            to_target: count.to_target,
            encrypted: count.encrypted,
            integrity: count.integrity,
            records: joined(std::mem::take(&mut self.records)),
            ..blank(self.protocol, state, rows.ends_from(self.dir))
        };
        self.part += 1;
        rows.push(self.since.take().unwrap_or(self.tail), due, row);
    }
}

impl Count {
    const fn add(&mut self, more: Self) {
        self.pdus += more.pdus;
        self.bytes += more.bytes;
        self.from_target += more.from_target;
        self.to_target += more.to_target;
        self.encrypted += more.encrypted;
        self.integrity += more.integrity;
    }
}

impl Facts {
    fn say(&mut self, more: Self) {
        self.ne_name = more.ne_name.or(self.ne_name.take());
        self.point = more.point.or(self.point.take());
        self.correlation = more.correlation.or(self.correlation);
        self.format = more.format.or(self.format.take());
        self.target = more.target.or(self.target);
        self.country = more.country.or(self.country.take());
        self.operator = more.operator.or(self.operator.take());
    }
}

fn joined(records: BTreeSet<&'static str>) -> Option<Name> {
    (!records.is_empty()).then(|| Name::from(records.into_iter().collect::<Vec<_>>().join(";")))
}

/// A row that counts nothing.
fn blank(protocol: &'static str, state: &'static str, ends: Ends) -> delivery::Row {
    delivery::Row {
        protocol: Name::Borrowed(protocol),
        state: Name::Borrowed(state),
        ne: ends.src_ip,
        dest_ip: ends.dst_ip,
        dest_port: ends.dst_port,
        cleartext: true,
        ..delivery::Row::default()
    }
}
