//! Series of `delivery` rows: one per (sender, kind of unit, task) of a conversation, like `flow`.
use std::collections::{BTreeMap, HashMap};

use lidr_schema::{Ends, Micros, Name, Pseudonym, table::delivery};

use super::header::{Unit, UnitKind, format_name};
use crate::{
    decode::{Mark, Odd, Rows, Segment},
    record::Dir,
};

/// When the first row is due, µs after the first unit.
const OPEN_AFTER: i64 = 2_000_000;
/// How long a later row counts, µs.
const PART_EVERY: i64 = 60_000_000;
/// Tasks of one conversation that are told apart.
const MOST_STREAMS: usize = 4096;

/// What tells series apart; the task is the identifier's octets, none for those counted together at the bound.
type Id = (usize, UnitKind, Option<[u8; 16]>);

/// All series of a conversation.
#[derive(Default)]
pub(super) struct Streams {
    ids: HashMap<Id, usize>,
    all: Vec<Stream>,
    /// Series without a row yet, by deadline.
    unopened: BTreeMap<(i64, usize), ()>,
    keepalives: Keepalives,
    full: bool,
}

#[derive(Default)]
struct Keepalives {
    /// Not on a row yet.
    count: u64,
    /// The first and the last.
    first: Option<(Mark, Dir)>,
    last_ts: i64,
}

struct Stream {
    dir: Dir,
    kind: UnitKind,
    task: Option<Pseudonym>,
    /// The first unit that no row counts yet.
    since: Option<Mark>,
    /// Place of a last row that counts no unit: at the series' first one.
    tail: Mark,
    next_part: i64,
    part: u32,
    last_ts: i64,
    last: Last,
    sequence: Option<u32>,
    count: Count,
}

/// What the last unit said.
#[derive(Default)]
struct Last {
    function: Option<Name>,
    point: Option<Name>,
    correlation: Option<u64>,
    format: Option<Name>,
    target: Option<Pseudonym>,
}

/// Since the row before.
#[derive(Default)]
struct Count {
    pdus: u64,
    bytes: u64,
    first_seq: Option<u32>,
    last_seq: Option<u32>,
    missing: u64,
}

impl Streams {
    /// Counts a unit. Deadlines before it must have been acted on.
    pub(super) fn count(&mut self, segment: &Segment<'_>, unit: Unit, rows: &mut Rows<'_>) {
        match unit.header.kind {
            UnitKind::Acknowledgement => {}
            UnitKind::Keepalive => self.keepalive(segment, rows),
            UnitKind::X2 | UnitKind::X3 => self.product(segment, unit, rows),
        }
    }

    fn keepalive(&mut self, segment: &Segment<'_>, rows: &mut Rows<'_>) {
        self.keepalives.count += 1;
        self.keepalives.last_ts = self.keepalives.last_ts.max(segment.first.ts);
        if self.keepalives.first.is_none() {
            self.keepalives.first = Some((rows.mark(segment.dir, segment.first), segment.dir));
        }
    }

    fn product(&mut self, segment: &Segment<'_>, unit: Unit, rows: &mut Rows<'_>) {
        let now = segment.last.eff;
        let slot = self.slot(segment, &unit, now, rows);
        let Some(stream) = self.all.get_mut(slot) else { return };
        stream.add(unit, segment, rows);
        if stream.part > 0 && now >= stream.next_part {
            stream.next_part += (now - stream.next_part) / PART_EVERY * PART_EVERY + PART_EVERY;
            stream.row("part", now, &mut self.keepalives.count, rows);
        }
    }

    fn slot(&mut self, segment: &Segment<'_>, unit: &Unit, now: i64, rows: &mut Rows<'_>) -> usize {
        let mut id = (segment.dir.index(), unit.header.kind, Some(unit.header.xid));
        if self.ids.len() >= MOST_STREAMS && !self.ids.contains_key(&id) {
            id.2 = None;
            if !std::mem::replace(&mut self.full, true) {
                let mark = rows.mark(segment.dir, segment.first);
                rows.odd(
                    mark,
                    now,
                    Odd { kind: "bound", detail: "tasks", needed: None, had: Some(MOST_STREAMS as u64) },
                );
            }
        }
        if let Some(slot) = self.ids.get(&id) {
            return *slot;
        }
        let slot = self.all.len();
        let task = id.2.and_then(|_| unit.task(rows.key));
        self.all.push(Stream::new(segment, unit.header.kind, task, rows));
        self.ids.insert(id, slot);
        self.unopened.insert((now + OPEN_AFTER, slot), ());
        slot
    }

    pub(super) fn deadline(&self) -> Option<i64> {
        self.unopened.first_key_value().map(|((deadline, _), ())| *deadline)
    }

    /// Writes the first rows whose deadline is before `now`.
    pub(super) fn expire(&mut self, now: i64, rows: &mut Rows<'_>) {
        while self.deadline().is_some_and(|deadline| deadline < now) {
            self.open_next(rows);
        }
    }

    fn open_next(&mut self, rows: &mut Rows<'_>) {
        let Some(((deadline, slot), ())) = self.unopened.pop_first() else { return };
        if let Some(stream) = self.all.get_mut(slot) {
            stream.row("open", deadline, &mut self.keepalives.count, rows);
        }
    }

    /// Writes the last rows.
    pub(super) fn end(&mut self, now: i64, rows: &mut Rows<'_>) {
        self.expire(now, rows);
        self.unopened.clear();
        for stream in &mut self.all {
            stream.row("end", now, &mut self.keepalives.count, rows);
        }
        if let (true, Some((mark, dir))) = (self.all.is_empty(), self.keepalives.first.take()) {
            let ends = rows.ends_from(dir);
            let count = std::mem::take(&mut self.keepalives.count);
            let row = delivery::Row {
                last_ts: Micros(self.keepalives.last_ts),
                keepalives: count,
                ..blank("x2x3", "end", ends)
            };
            rows.push(mark, now, row);
        }
        self.all.clear();
        self.ids.clear();
    }
}

impl Stream {
    fn new(segment: &Segment<'_>, kind: UnitKind, task: Option<Pseudonym>, rows: &mut Rows<'_>) -> Self {
        let now = segment.last.eff;
        Self {
            dir: segment.dir,
            kind,
            task,
            since: None,
            tail: rows.mark(segment.dir, segment.first),
            next_part: now + PART_EVERY,
            part: 0,
            last_ts: segment.first.ts,
            last: Last::default(),
            sequence: None,
            count: Count::default(),
        }
    }

    fn add(&mut self, unit: Unit, segment: &Segment<'_>, rows: &mut Rows<'_>) {
        self.since.get_or_insert_with(|| rows.mark(segment.dir, segment.first));
        self.last_ts = self.last_ts.max(segment.first.ts);
        self.count.pdus += 1;
        self.count.bytes += u64::from(unit.header.payload);
        self.last.function = unit.function.or(self.last.function.take());
        self.last.point = unit.point.or(self.last.point.take());
        self.last.target = unit.target.or(self.last.target);
        self.last.correlation = Some(unit.header.correlation);
        self.last.format = Some(format_name(unit.header.format));
        if let Some(sequence) = unit.sequence {
            self.follow(sequence);
        }
    }

    /// Sequence numbers wrap; one that goes back is a repeat or comes late, and takes nothing off what was missing.
    fn follow(&mut self, sequence: u32) {
        let ahead = self.sequence.map_or(0, |last| sequence.wrapping_sub(last).wrapping_sub(1));
        let back = ahead > u32::MAX / 2;
        if !back {
            self.count.missing += u64::from(ahead);
        }
        // From 0 or 1 the sender counts anew.
        if !back || sequence <= 1 {
            self.sequence = Some(sequence);
        }
        self.count.first_seq.get_or_insert(sequence);
        self.count.last_seq = Some(sequence);
    }

    fn row(&mut self, state: &'static str, due: i64, keepalives: &mut u64, rows: &mut Rows<'_>) {
        let ends = rows.ends_from(self.dir);
        let count = std::mem::take(&mut self.count);
        let row = delivery::Row {
            part: self.part,
            ne_name: self.last.function.clone(),
            point: self.last.point.clone(),
            task: self.task,
            correlation: self.last.correlation,
            format: self.last.format.clone(),
            last_ts: Micros(self.last_ts),
            pdus: count.pdus,
            bytes: count.bytes,
            first_seq: count.first_seq,
            last_seq: count.last_seq,
            missing: count.missing,
            keepalives: std::mem::take(keepalives),
            target: self.last.target,
            ..blank(if self.kind == UnitKind::X2 { "x2" } else { "x3" }, state, ends)
        };
        self.part += 1;
        rows.push(self.since.take().unwrap_or(self.tail), due, row);
    }
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
