//! A worker: owns the flows whose keys fall to it, their streams and decoders, and the columns of their rows.
#[cfg(test)]
mod mix;
mod payload;
#[cfg(test)]
mod tests;

use std::{collections::HashSet, sync::Arc};

use arrow::array::RecordBatch;
use lidr_schema::{AnyRow, Head, Key, Name, Stores, TableId, table::tasking};
use payload::{end_decoder, expire, payload, say_odd};

use crate::{
    decode::{Protocols, ports::Ports},
    flow::{Belongs, Flow, FlowRows, table::FlowTable},
    record::{FlowKey, Record},
    source::clock::DISORDER,
    summary::Tally,
};

/// Packets whose flows are fetched before the first of them is dealt with.
const AHEAD: usize = 32;

/// What all workers of a run share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The sensor's name.
    pub(crate) sensor: Name,
    /// Names of the inputs.
    pub(crate) captures: Vec<Name>,
    /// Names of the inputs that are record files.
    pub(crate) files: Vec<Option<Name>>,
    /// The key for pseudonyms.
    pub(crate) key: Key,
    /// Most live flows of one worker.
    pub(crate) most_flows: usize,
    /// Whether distinct keys are counted.
    pub(crate) count_keys: bool,
    /// Ports that the settings give to protocols.
    pub(crate) ports: Ports,
    /// Protocols that are looked for.
    pub(crate) protocols: Protocols,
}

impl Shared {
    /// The name of an input.
    pub(crate) fn capture(&self, input: u16) -> Name {
        self.captures.get(usize::from(input)).cloned().unwrap_or_default()
    }
}

/// Rows of a worker since the last chunk, and the promise that goes with them.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// Rows by table, in no order.
    pub(crate) batches: Vec<(TableId, RecordBatch)>,
    /// Rows that state across flows looks at before they become columns.
    pub(crate) tasking: Vec<(Head, tasking::Row)>,
    /// No later row is due at or below this.
    pub(crate) floor: i64,
}

/// Owns a share of the flows.
#[derive(Debug)]
pub(crate) struct Worker {
    shared: Arc<Shared>,
    flows: FlowTable,
    stores: Stores,
    tasking: Vec<(Head, tasking::Row)>,
    scratch: Vec<(Head, AnyRow)>,
    /// What it counted.
    pub(crate) tally: Tally,
    keys: HashSet<FlowKey>,
}

impl Worker {
    /// A worker without flows.
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            flows: FlowTable::default(),
            stores: Stores::default(),
            tasking: Vec::new(),
            scratch: Vec::new(),
            tally: Tally::default(),
            keys: HashSet::new(),
        }
    }

    /// Rows that wait to be taken.
    pub(crate) fn waiting(&self) -> usize {
        self.stores.len()
    }

    /// Deals with packets in their order.
    pub(crate) fn records(&mut self, records: &[Record]) {
        for part in records.chunks(AHEAD) {
            let mut slots = [None; AHEAD];
            slots.iter_mut().zip(part).for_each(|(slot, r)| *slot = self.flows.find(r.hash, &r.key));
            self.warm(slots.iter().copied().flatten());
            part.iter().zip(slots).for_each(|(record, slot)| self.record(record, slot));
        }
    }

    /// Deals with one layer of one packet. `found`: where its flow was a few packets ago.
    fn record(&mut self, record: &Record, found: Option<u32>) {
        if self.shared.count_keys && matches!(record.key.proto, 6 | 17) {
            self.keys.insert(record.key);
        }
        let (slot, late) = match self.slot_of(record, found) {
            Some(found) => found,
            None => return self.tally.drop_one("tcp_after_close"),
        };
        // Borrowed apart: a count of references kept per packet would be seen in the profile.
        let Self { shared, flows, stores, scratch: out, tally, .. } = self;
        let Some(flow) = flows.get_mut(slot) else { return };
        // Whoever waits for an answer waits until none can come in time any more, however far this packet's own time is.
        expire(flow, record.clock - DISORDER, shared, out);
        if late {
            tally.drop_one("tcp_after_close");
        } else {
            let rows = &mut FlowRows { shared, columns: &mut stores.flow };
            flow.open_by(record.stamp.eff, rows);
            flow.count(record, rows);
        }
        payload(flow, record, shared, out, tally);
        if let Some(odd) = flow.take_odd() {
            say_odd(flow, odd, record, shared, out);
        }
        let deadline = flow.deadline();
        // A decoder's question may be due before the wheel was to look again.
        if deadline < flows.scheduled(slot) {
            flows.schedule(slot, deadline);
        }
        if !self.scratch.is_empty() {
            self.sort_out();
        }
    }

    /// The flow that the packet belongs to, a new one where it has to be, and whether it comes late; nothing for a packet right
    /// after a close.
    fn slot_of(&mut self, record: &Record, found: Option<u32>) -> Option<(u32, bool)> {
        let mut flow = None;
        // There is one flow of a key at most, so that the one found before is it as long as it is there.
        let still = found.filter(|slot| self.flows.get(*slot).is_some_and(|f| f.key == record.key));
        if let Some(slot) = still.or_else(|| self.flows.find(record.hash, &record.key)) {
            let known = self.flows.get(slot);
            match known.map_or(Belongs::Yes, |f| f.belongs(record)) {
                Belongs::Yes => return Some((slot, false)),
                Belongs::Late => return Some((slot, true)),
                Belongs::Trailing => return None,
                Belongs::No(reason, due) => self.close(slot, reason, due),
                Belongs::Again(at) => {
                    flow = known.map(|f| f.again(record));
                    self.close(slot, "closed", at);
                }
            }
        }
        if self.flows.len() >= self.shared.most_flows
            && let Some(oldest) = self.flows.oldest()
        {
            self.tally.drop_one("flow_table");
            self.close(oldest, "evicted", record.stamp.eff);
        }
        self.tally.flows += 1;
        Some((self.flows.insert(flow.unwrap_or_else(|| Flow::new(record))), false))
    }

    /// Ends a flow and takes it out.
    fn close(&mut self, slot: u32, reason: &'static str, due: i64) {
        let Some(mut flow) = self.flows.remove(slot) else { return };
        let shared = Arc::clone(&self.shared);
        flow.open_by(due, &mut FlowRows { shared: &shared, columns: &mut self.stores.flow });
        let mut out = std::mem::take(&mut self.scratch);
        // Whoever reads on after a close waits for nothing that was sent after it.
        let until = flow.closed_at().unwrap_or(due);
        expire(&mut flow, until, &shared, &mut out);
        end_decoder(&mut flow, until, &shared, &mut out, &mut self.tally);
        flow.end(reason, due, &mut FlowRows { shared: &shared, columns: &mut self.stores.flow });
        if let Some(protocol) = flow.known() {
            self.tally.decoded(protocol.name);
        }
        self.flows.recycle(flow);
        self.scratch = out;
        self.sort_out();
    }

    /// Acts on every deadline that the clock has passed: those at or below the floor that follows.
    pub(crate) fn tick(&mut self, clock: i64) {
        let floor = clock - DISORDER - 1;
        for part in self.flows.due(floor).chunks(AHEAD) {
            self.warm(part.iter().copied());
            for slot in part {
                // Not for an older ticket of a flow that was looked at since.
                if self.flows.is_due(*slot, floor) {
                    self.look(*slot, floor);
                }
            }
        }
    }

    /// Flows lie all over the memory: fetched one after another, without waiting for each, they are at hand when their turn comes.
    fn warm(&self, slots: impl Iterator<Item = u32>) {
        let flows = slots.filter_map(|slot| self.flows.get(slot));
        std::hint::black_box(flows.fold(0, |all, flow| all ^ flow.warm()));
    }

    fn look(&mut self, slot: u32, floor: i64) {
        let Some(flow) = self.flows.get_mut(slot) else { return };
        if flow.is_over(floor) {
            return self.close(slot, "closed", floor);
        }
        if let Some(due) = flow.idle_end(floor + 1) {
            return self.close(slot, "idle", due);
        }
        let shared = Arc::clone(&self.shared);
        flow.open_by(floor + 1, &mut FlowRows { shared: &shared, columns: &mut self.stores.flow });
        let mut out = std::mem::take(&mut self.scratch);
        expire(flow, floor + 1, &shared, &mut out);
        if let Some(at) = flow.settled(floor) {
            end_decoder(flow, at, &shared, &mut out, &mut self.tally);
        }
        let next = flow.deadline().max(floor + 1);
        self.flows.schedule(slot, next);
        self.scratch = out;
        self.sort_out();
    }

    /// Takes the rows so far; `tick` has been called with the same clock.
    pub(crate) fn take(&mut self, clock: i64) -> Chunk {
        Chunk {
            batches: self.stores.finish(),
            tasking: std::mem::take(&mut self.tasking),
            floor: clock.saturating_sub(DISORDER + 1),
        }
    }

    /// The end of all inputs: what is held is due at min(its deadline, clock).
    pub(crate) fn end(&mut self, clock: i64) -> Chunk {
        for slot in self.flows.all() {
            let Some(flow) = self.flows.get(slot) else { continue };
            let due = flow.flush_due(clock);
            self.close(slot, if due < clock { "idle" } else { "eof" }, due);
        }
        self.tally.distinct_flow_keys = self.keys.len() as u64;
        self.tally.peak_flows = self.flows.peak as u64;
        Chunk { floor: i64::MAX, ..self.take(clock) }
    }

    fn sort_out(&mut self) {
        for (head, row) in self.scratch.drain(..) {
            match row {
                AnyRow::Tasking(row) => self.tasking.push((head, *row)),
                row => {
                    if let AnyRow::Oddity(odd) = &row {
                        self.tally.odd(&odd.kind);
                    }
                    self.stores.push(head, row);
                }
            }
        }
    }
}
