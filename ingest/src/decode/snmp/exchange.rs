//! A request that waits for its answer, and the rows that come of both.
use lidr_schema::{Ends, Key, Name, table::mgmt, table::tasking};

use super::{
    message::{Kind, Message, Pdu},
    objects::{Shown, TRAP_OID, generic_trap, text, usm_report},
    tap::{Column, Tap},
    tasks,
};
use crate::decode::{Mark, Rows, ber::Oid};

/// Rows that one SET gets.
pub(super) const MOST_SET_ROWS: usize = 64;

/// A request and the rows that it will be.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Place of the first row; the others follow it.
    pub(super) mark: Mark,
    pub(super) ends: Ends,
    /// Hash of the datagram: the same id with other content is another request.
    pub(super) digest: u64,
    pub(super) mgmt: Vec<mgmt::Row>,
    pub(super) tasks: Vec<tasking::Row>,
    /// For a read that was not under a lawful-intercept MIB, in case that its answer is.
    spare: Option<Box<tasking::Row>>,
}

/// What an answer says.
#[derive(Debug)]
pub(super) struct Answer {
    refused: bool,
    error: Option<u32>,
    returned: u32,
    tap_returned: u32,
    uptime: Option<u64>,
    size: u32,
    first: Option<Shown>,
    first_tap: Option<Shown>,
    engine: Option<Name>,
    /// The row for it if nobody is seen to have asked.
    pub(super) alone: Box<(Mark, Ends, mgmt::Row)>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum End<'a> {
    Answered(&'a Answer),
    Unanswered,
    NotSeen,
    /// Nobody answers it: a trap.
    Told,
}

impl Waiting {
    /// The rows of a request; `left_out` counts varbinds and content ids beyond the bounds.
    pub(super) fn of(message: &Message<'_>, ends: Ends, key: &Key) -> (Self, u32) {
        let base = header_row(message, ends);
        let task = task_row(message, &base);
        let mut new = Self { mark: Mark::default(), ends, digest: 0, mgmt: Vec::new(), tasks: Vec::new(), spare: None };
        let mut left_out = 0;
        match &message.pdu {
            Some(pdu) if pdu.kind == Kind::Set => {
                let shown = pdu.binds.iter().take(MOST_SET_ROWS).map(Shown::value);
                new.mgmt.extend(shown.map(|s| with_object(base.clone(), s, key)));
                let (rows, tasks_left) = tasks::of_set(pdu, &task, key);
                new.tasks = rows;
                left_out = tasks_left + pdu.count.saturating_sub(MOST_SET_ROWS as u32);
            }
            Some(pdu) if pdu.kind.reads() => {
                new.tasks.extend(tasks::of_read(pdu, &task, key));
                if new.tasks.is_empty() {
                    new.spare = Some(Box::new(tasks::read_row(pdu, &task)));
                }
                new.mgmt.push(with_object(base.clone(), first_object(pdu), key));
            }
            Some(pdu) => {
                let shown = notification(pdu);
                new.tasks.extend(tasks::of_notification(pdu, &shown, &task, key));
                new.mgmt.push(with_object(base.clone(), shown, key));
            }
            None => {}
        }
        if new.mgmt.is_empty() {
            new.mgmt.push(base);
        }
        (new, left_out)
    }

    /// Places that its rows take.
    pub(super) fn places(&self) -> usize {
        self.mgmt.len() + self.tasks.len() + usize::from(self.spare.is_some())
    }

    /// Its USM user.
    pub(super) fn user(&self) -> Option<Name> {
        self.mgmt.first().and_then(|row| row.actor_name.clone())
    }

    /// Writes its rows.
    pub(super) fn finish(mut self, end: End<'_>, due: i64, rows: &mut Rows<'_>) {
        let mut place = self.mark;
        let outcome = outcome(end);
        let single = self.mgmt.len() == 1;
        for mut row in self.mgmt {
            row.outcome = Name::Borrowed(outcome);
            if let End::Answered(answer) = end {
                answer.fill(&mut row, single);
            }
            rows.push_between(place, due, self.ends, row);
            place.n += 1;
        }
        if let (Some(mut spare), End::Answered(answer)) = (self.spare, end)
            && let Some(first) = &answer.first_tap
        {
            spare.first_oid = first.oid.clone();
            self.tasks.push(*spare);
        }
        for mut row in self.tasks {
            row.outcome = Name::Borrowed(outcome);
            if let End::Answered(answer) = end {
                row.error_code = answer.error;
                row.varbinds = if row.list_kind.is_some() { answer.tap_returned } else { 0 };
                row.ne_name = row.ne_name.or_else(|| answer.engine.clone());
            }
            rows.push_between(place, due, self.ends, row);
            place.n += 1;
        }
    }
}

fn outcome(end: End<'_>) -> &'static str {
    match end {
        End::Answered(answer) if answer.refused => "refused",
        End::Answered(_) => "ok",
        End::Unanswered => "unanswered",
        End::NotSeen => "not_seen",
        End::Told => "none",
    }
}

impl Answer {
    /// Reads an answer; `ends` are those of the request, the asker being `src`.
    pub(super) fn of(message: &Message<'_>, ends: Ends, key: &Key) -> Self {
        let mut row = header_row(message, ends);
        (row.request_bytes, row.response_bytes) = (0, message.size);
        let engine = row.ne_name.clone();
        let mut new = Self {
            refused: false,
            error: None,
            returned: 0,
            tap_returned: 0,
            uptime: None,
            size: message.size,
            first: None,
            first_tap: None,
            engine,
            alone: Box::default(),
        };
        if let Some(pdu) = &message.pdu {
            new.read(pdu);
            row = with_object(row, first_object(pdu), key);
            row.report = report(pdu);
            (row.returned, row.tap_returned) = (new.returned, new.tap_returned);
            row.error_code = new.error;
            row.tap = new.first_tap.as_ref().and_then(|s| s.tap).map(Name::Borrowed);
        }
        *new.alone = (Mark::default(), ends, row);
        new
    }

    fn read(&mut self, pdu: &Pdu<'_>) {
        self.refused = pdu.error_status != 0 || pdu.kind == Kind::Report;
        self.error = Some(pdu.error_status).filter(|e| *e != 0);
        self.uptime = pdu.uptime();
        self.first = pdu.binds.first().filter(|b| !b.is_exception()).map(Shown::value);
        self.first_tap = pdu.binds.iter().find(|b| Tap::of(b.oid).is_some()).map(|b| Shown::object(b.oid));
        if self.refused {
            return;
        }
        for bind in pdu.binds.iter().filter(|b| !b.is_exception()) {
            self.returned += 1;
            self.tap_returned += u32::from(Tap::of(bind.oid).is_some());
        }
    }

    fn fill(&self, row: &mut mgmt::Row, single: bool) {
        row.error_code = self.error;
        row.returned = self.returned;
        row.tap_returned = self.tap_returned;
        row.uptime = row.uptime.or(self.uptime);
        row.response_bytes = self.size;
        row.ne_name = row.ne_name.take().or_else(|| self.engine.clone());
        let reads = matches!(&*row.op, "get" | "getnext" | "getbulk");
        if row.tap.is_none() && reads {
            row.tap = self.first_tap.as_ref().and_then(|s| s.tap).map(Name::Borrowed);
        }
        // The value belongs to the object that the row names: a getnext returns another one.
        if let Some(first) = self.first.as_ref().filter(|f| single && row.op == "get" && f.oid == row.oid) {
            (row.value_int, row.value_ip) = (first.int, first.ip);
        }
    }
}

/// Which usmStats counter a Report carries.
fn report(pdu: &Pdu<'_>) -> Option<Name> {
    let report = || pdu.binds.first().and_then(|b| usm_report(b.oid)).map(Name::Borrowed);
    (pdu.kind == Kind::Report).then(report).flatten()
}

fn first_object(pdu: &Pdu<'_>) -> Shown {
    pdu.binds
        .first()
        .map(|b| if pdu.kind == Kind::Response { Shown::value(b) } else { Shown::object(b.oid) })
        .unwrap_or_default()
}

/// What a trap or inform is about: the value of snmpTrapOID, or version 1's enterprise and number.
fn notification(pdu: &Pdu<'_>) -> Shown {
    if let Some(trap) = pdu.trap {
        if let Some(shown) = generic_trap(trap.generic) {
            return shown;
        }
        return Shown { content: tasks::content(pdu), ..Shown::enterprise(trap.enterprise, trap.specific) };
    }
    let named = pdu.binds.iter().find(|b| b.tag == 0x06 && b.oid.after(TRAP_OID).is_some());
    let value = named.and_then(|b| Oid::read(b.value).ok());
    let shown = value.map_or_else(|| first_object(pdu), Shown::object);
    Shown { content: tasks::content(pdu), ..shown }
}

/// A packet counter of a tap that an answer brought; `ends.src` asked.
pub(super) fn counters<'a>(message: &Message<'a>, ends: Ends, key: &Key) -> Vec<mgmt::Row> {
    let Some(pdu) = message.pdu.as_ref().filter(|p| p.error_status == 0) else { return Vec::new() };
    let counts =
        pdu.binds.iter().filter(|b| !b.is_exception() && Tap::of(b.oid).is_some_and(|t| t.column == Column::Counter));
    let row = |bind| mgmt::Row {
        outcome: Name::Borrowed("ok"),
        request_bytes: 0,
        response_bytes: message.size,
        returned: 1,
        tap_returned: 1,
        ..with_object(header_row(message, ends), Shown::value(bind), key)
    };
    counts.take(MOST_SET_ROWS).map(row).collect()
}

/// What every `mgmt` row of a message says; `ends.src` sent the request or the trap.
fn header_row(message: &Message<'_>, ends: Ends) -> mgmt::Row {
    let kind = message.pdu.as_ref().map(|p| p.kind);
    let from_agent = matches!(kind, Some(Kind::Trap | Kind::TrapV1 | Kind::Inform));
    let v3 = message.v3.unwrap_or_default();
    // The engine of an inform is the receiver's, of everything else the agent's.
    let engine = Some(v3.engine).filter(|e| !e.is_empty() && kind != Some(Kind::Inform));
    mgmt::Row {
        protocol: Name::Borrowed("snmp"),
        op: Name::Borrowed(kind.map_or("encrypted", Kind::op)),
        version: Some(Name::Borrowed(message.version)),
        level: Some(Name::Borrowed(message.level)),
        actor: if from_agent { ends.dst_ip } else { ends.src_ip },
        actor_name: text(v3.user),
        ne: if from_agent { ends.src_ip } else { ends.dst_ip },
        ne_name: engine.map(|e| Name::Owned(e.iter().map(|o| format!("{o:02x}")).collect())),
        varbinds: message.pdu.as_ref().map_or(0, |p| p.count),
        outcome: Name::Borrowed("none"),
        engine_boots: message.v3.map(|v| v.boots),
        engine_time: message.v3.map(|v| v.time),
        uptime: message.pdu.as_ref().and_then(Pdu::uptime),
        request_bytes: message.size,
        ..mgmt::Row::default()
    }
}

fn task_row(message: &Message<'_>, base: &mgmt::Row) -> tasking::Row {
    tasking::Row {
        protocol: Name::Borrowed("snmp"),
        message: message.pdu.as_ref().map(|p| Name::Borrowed(p.kind.name())),
        actor: base.actor,
        actor_name: base.actor_name.clone(),
        ne: base.ne,
        ne_name: base.ne_name.clone(),
        cleartext: true,
        level: base.level.clone(),
        schema_ok: true,
        ..tasking::Row::default()
    }
}

fn with_object(mut row: mgmt::Row, shown: Shown, key: &Key) -> mgmt::Row {
    row.task = shown.content.map(|id| tasks::task(key, id));
    row.oid = shown.oid;
    row.object = shown.object;
    row.tap = shown.tap.map(Name::Borrowed);
    (row.value_int, row.value_ip, row.value) = (shown.int, shown.ip, shown.text);
    row
}
