//! A worker: owns the flows whose keys fall to it, their streams and decoders, and the columns of their rows.
use std::{collections::HashSet, sync::Arc};

use arrow::array::RecordBatch;
use lidr_schema::{AnyRow, Head, Key, Name, Store, Stores, TableId, table::oddity, table::tasking};

use crate::{
    decode::{ALL, Odd, Progress, Protocol, Rows, Segment, Transport, Verdict, ports::Ports},
    flow::{Belongs, Flow, table::FlowTable},
    record::{Dir, FlowKey, Record, Stamp},
    source::clock::DISORDER,
    summary::Tally,
    tcp::{Data, Events, Reader, Streams},
};

/// Looks at the first payload of a direction before recognition is given up.
const LOOKS: u8 = 3;
const SYN: u8 = 2;
const ACK: u8 = 16;

/// What all workers of a run share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The sensor's name.
    pub(crate) sensor: Name,
    /// Names of the inputs.
    pub(crate) captures: Vec<Name>,
    /// The key for pseudonyms.
    pub(crate) key: Key,
    /// Most live flows of one worker.
    pub(crate) most_flows: usize,
    /// Whether distinct keys are counted.
    pub(crate) count_keys: bool,
    /// Ports that the settings give to protocols.
    pub(crate) ports: Ports,
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

    /// Deals with one layer of one packet.
    pub(crate) fn record(&mut self, record: &Record) {
        if self.shared.count_keys && matches!(record.key.proto, 6 | 17) {
            self.keys.insert(record.key);
        }
        let slot = match self.slot_of(record) {
            Some(slot) => slot,
            None => return self.tally.drop_one("tcp_after_close"),
        };
        // Borrowed apart: a count of references kept per packet would be seen in the profile.
        let Self { shared, flows, stores, scratch: out, tally, .. } = self;
        let head = |flow: &Flow| head_of(shared, flow);
        let Some(flow) = flows.get_mut(slot) else { return };
        let now = record.stamp.eff;
        if let Some(row) = flow.open_by(now, &head) {
            stores.flow.push(row.0, row.1);
        }
        expire(flow, now, shared, out);
        let finished = flow.count(record, &head);
        payload(flow, record, shared, out, tally);
        if flow.is_closed() {
            end_decoder(flow, now, shared, out, tally);
        }
        if let Some((head, row)) = finished {
            stores.flow.push(head, row);
        }
        let deadline = flow.deadline();
        // A decoder's question may be due before the wheel was to look again.
        if deadline < flow.scheduled {
            flow.scheduled = deadline;
            flows.schedule(slot, deadline);
        }
        if !self.scratch.is_empty() {
            self.sort_out();
        }
    }

    /// The flow that the packet belongs to, a new one where it has to be; nothing for a packet right after a close.
    fn slot_of(&mut self, record: &Record) -> Option<u32> {
        if let Some(slot) = self.flows.find(record.hash, &record.key) {
            let belongs = self.flows.get(slot).map_or(Belongs::Yes, |f| f.belongs(record));
            match belongs {
                Belongs::Yes => return Some(slot),
                Belongs::Trailing => return None,
                Belongs::No(reason, due) => self.close(slot, reason, due),
            }
        }
        if self.flows.len() >= self.shared.most_flows
            && let Some(oldest) = self.flows.oldest()
        {
            self.tally.drop_one("flow_table");
            self.close(oldest, "evicted", record.stamp.eff);
        }
        let flow = Flow::new(record);
        self.tally.flows += 1;
        Some(self.flows.insert(flow))
    }

    /// Ends a flow and takes it out.
    fn close(&mut self, slot: u32, reason: &'static str, due: i64) {
        let Some(mut flow) = self.flows.remove(slot) else { return };
        let shared = Arc::clone(&self.shared);
        let head = |flow: &Flow| head_of(&shared, flow);
        if let Some((head, row)) = flow.open_by(due, &head) {
            self.stores.flow.push(head, row);
        }
        let mut out = std::mem::take(&mut self.scratch);
        expire(&mut flow, due, &shared, &mut out);
        end_decoder(&mut flow, due, &shared, &mut out, &mut self.tally);
        if let Some((head, row)) = flow.end(reason, due, &head) {
            self.stores.flow.push(head, row);
        }
        if let Some(protocol) = flow.protocol {
            self.tally.decoded(protocol.name);
        }
        self.scratch = out;
        self.sort_out();
    }

    /// Acts on every deadline that the clock has passed: those at or below the floor that follows.
    pub(crate) fn tick(&mut self, clock: i64) {
        let floor = clock - DISORDER - 1;
        for slot in self.flows.due(floor) {
            let Some(flow) = self.flows.get_mut(slot) else { continue };
            // An older ticket of a flow that was looked at since.
            if flow.scheduled.div_euclid(1_000_000) > floor.div_euclid(1_000_000) {
                continue;
            }
            self.look(slot, floor);
        }
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
        let head = |flow: &Flow| head_of(&shared, flow);
        if let Some((head, row)) = flow.open_by(floor + 1, &head) {
            self.stores.flow.push(head, row);
        }
        let mut out = std::mem::take(&mut self.scratch);
        expire(flow, floor + 1, &shared, &mut out);
        let next = flow.deadline().max(floor + 1);
        flow.scheduled = next;
        self.flows.schedule(slot, next);
        self.scratch = out;
        self.sort_out();
    }

    /// Takes the rows so far; `tick` has been called with the same clock.
    pub(crate) fn take(&mut self, clock: i64) -> Chunk {
        Chunk { batches: self.stores.finish(), tasking: std::mem::take(&mut self.tasking), floor: clock - DISORDER - 1 }
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

/// The columns that every row of a conversation has.
fn head_of(shared: &Shared, flow: &Flow) -> Head {
    let mut head = Head { sensor: shared.sensor.clone(), capture: shared.capture(flow.first.input), ..Head::default() };
    flow.fill(&mut head);
    head
}

/// Runs something of a decoder with the conversation's rows.
fn with_rows<T>(flow: &mut Flow, shared: &Shared, out: &mut Vec<(Head, AnyRow)>, run: impl FnOnce(&mut Flow, &mut Rows<'_>) -> T) -> T {
    let template = flow.template.take().unwrap_or_else(|| Box::new(head_of(shared, flow)));
    let mut ordinals = flow.ordinals;
    let mut rows = Rows {
        decoder: flow.protocol.map_or("tcp", |p| p.name),
        trust: flow.trust,
        ends: flow.ends,
        configured: configured(shared, flow),
        closed: flow.is_closed(),
        template: &template,
        captures: &shared.captures,
        layer_bits: u32::from(flow.layer) << 28,
        key: &shared.key,
        ordinals: &mut ordinals,
        out,
    };
    let result = run(flow, &mut rows);
    flow.ordinals = ordinals;
    flow.template = Some(template);
    result
}

fn expire(flow: &mut Flow, now: i64, shared: &Shared, out: &mut Vec<(Head, AnyRow)>) {
    if flow.decoder.as_ref().and_then(|d| d.deadline()).is_none_or(|d| d >= now) {
        return;
    }
    let Some(mut decoder) = flow.decoder.take() else { return };
    with_rows(flow, shared, out, |_, rows| decoder.expire(now, rows));
    flow.decoder = Some(decoder);
}

fn end_decoder(flow: &mut Flow, now: i64, shared: &Shared, out: &mut Vec<(Head, AnyRow)>, tally: &mut Tally) {
    if let Some(mut streams) = flow.streams.take() {
        let last = Stamp { eff: now, ..flow.first };
        let events = with_rows(flow, shared, out, |flow, rows| streams.end(&mut Feed { flow, rows }));
        report(flow, events, last, shared, out, tally);
    }
    if let Some(mut decoder) = flow.decoder.take() {
        with_rows(flow, shared, out, |_, rows| decoder.end(now, rows));
    }
}

/// Gives a packet's payload to whoever reads it, or looks who might.
fn payload(flow: &mut Flow, record: &Record, shared: &Shared, out: &mut Vec<(Head, AnyRow)>, tally: &mut Tally) {
    if flow.decoder.is_none() && flow.probing.over {
        return;
    }
    match record.key.proto {
        6 => tcp(flow, record, shared, out, tally),
        17 if record.payload_len > 0 => udp(flow, record, shared, out),
        17 => {}
        _ => flow.probing.over = true,
    }
}

fn udp(flow: &mut Flow, record: &Record, shared: &Shared, out: &mut Vec<(Head, AnyRow)>) {
    let dir = flow.dir(record);
    let data = record.payload();
    if flow.decoder.is_none() {
        recognise(flow, Transport::Datagram, data, dir, configured(shared, flow));
    }
    let Some(mut decoder) = flow.decoder.take() else { return };
    let cut = record.payload_len.saturating_sub(record.payload_captured);
    let segment = Segment { dir, data, first: record.stamp, last: record.stamp, gap: 0, cut };
    let progress = with_rows(flow, shared, out, |_, rows| decoder.decode(segment, rows));
    match progress {
        Progress::NotMine => forget(flow),
        _ => flow.decoder = Some(decoder),
    }
}

fn tcp(flow: &mut Flow, record: &Record, shared: &Shared, out: &mut Vec<(Head, AnyRow)>, tally: &mut Tally) {
    let dir = flow.dir(record);
    let tcp = record.tcp;
    if tcp.flags & SYN != 0 {
        // Data on a SYN (TCP Fast Open) is rare and read as if it followed.
        flow.streams.get_or_insert_with(Box::<Streams>::default).syn(dir, tcp.seq);
    }
    let has_data = record.payload_len > 0;
    if !has_data && flow.streams.is_none() {
        return;
    }
    let mut streams = flow.streams.take().unwrap_or_default();
    let events = with_rows(flow, shared, out, |flow, rows| {
        let mut feed = Feed { flow, rows };
        let mut events = Events::default();
        if tcp.flags & ACK != 0 {
            events = streams.acked(dir, tcp.ack, record.stamp.eff, &mut feed);
        }
        if has_data {
            let cut = record.payload_len.saturating_sub(record.payload_captured) as usize;
            let seq = tcp.seq.wrapping_add(u32::from(tcp.flags & SYN != 0));
            let data = Data { seq, octets: record.payload(), cut, stamp: record.stamp };
            let more = streams.data(dir, data, &mut feed);
            events = add(events, more);
        }
        events
    });
    report(flow, events, record.stamp, shared, out, tally);
    if flow.decoder.is_some() || !flow.probing.over {
        flow.streams = Some(streams);
    }
}

const fn add(a: Events, b: Events) -> Events {
    Events {
        retransmitted: a.retransmitted + b.retransmitted,
        retransmits: a.retransmits + b.retransmits,
        gap: a.gap + b.gap,
        overlap: a.overlap || b.overlap,
        held_out: a.held_out || b.held_out,
        wanted_too_much: a.wanted_too_much || b.wanted_too_much,
        not_mine: a.not_mine || b.not_mine,
    }
}

/// What happened in a stream: counted, and said where it means that octets were not read.
fn report(flow: &mut Flow, events: Events, stamp: Stamp, shared: &Shared, out: &mut Vec<(Head, AnyRow)>, tally: &mut Tally) {
    flow.retransmits += events.retransmits;
    flow.gap_bytes += events.gap;
    let bounds = [("tcp_held", events.held_out), ("tcp_wanted", events.wanted_too_much)];
    bounds.iter().filter(|(_, hit)| *hit).for_each(|(name, _)| tally.drop_one(name));
    let odds = [
        ("gap", "octets never seen", events.gap > 0 && flow.protocol.is_some()),
        ("overlap", "segments say different things", events.overlap),
        ("bound", "too much held", events.held_out),
        ("bound", "decoder wanted too much", events.wanted_too_much),
    ];
    for (kind, detail, _) in odds.iter().filter(|(_, _, hit)| *hit) {
        let had = (*kind == "gap").then_some(events.gap);
        let odd = Odd { kind, detail, needed: None, had };
        with_rows(flow, shared, out, |_, rows| tcp_odd(rows, stamp, odd));
    }
    if events.not_mine {
        forget(flow);
    }
}

fn tcp_odd(rows: &mut Rows<'_>, stamp: Stamp, odd: Odd) {
    let mark = rows.mark(Dir::Src, stamp);
    let bits = rows.layer_bits;
    // Apart from the decoder's own rows of the same frame.
    rows.layer_bits |= 2 << 24;
    let row = oddity::Row {
        kind: Name::Borrowed(odd.kind),
        stage: Name::Borrowed("tcp"),
        detail: Some(Name::Borrowed(odd.detail)),
        needed: odd.needed,
        had: odd.had,
        count: 1,
    };
    rows.push(mark, stamp.eff, row);
    rows.layer_bits = bits;
}

fn forget(flow: &mut Flow) {
    flow.decoder = None;
    flow.protocol = None;
    flow.probing.over = true;
}

/// Looks at first octets; true where a decoder was started.
fn recognise(flow: &mut Flow, transport: Transport, data: &[u8], dir: Dir, configured: Option<&str>) -> bool {
    let found = ALL.iter().filter(|p| p.transport == transport).find_map(|p| match (p.probe)(data, dir) {
        Verdict::Certain => Some((p, "clear")),
        Verdict::Maybe if on_port(p, flow, configured) => Some((p, "inferred")),
        _ => None,
    });
    let Some((protocol, trust)) = found else {
        let looks = &mut flow.probing.looks;
        if let Some(n) = looks.get_mut(dir.index()) {
            *n += 1;
        }
        flow.probing.over = looks.iter().all(|n| *n >= 1) || looks.iter().any(|n| *n >= LOOKS);
        return false;
    };
    flow.protocol = Some(protocol);
    flow.trust = trust;
    flow.decoder = Some((protocol.start)());
    true
}

/// What the settings give one of the conversation's ports, the opened one first.
fn configured(shared: &Shared, flow: &Flow) -> Option<&'static str> {
    shared.ports.of(flow.ends.dst_port).or_else(|| shared.ports.of(flow.ends.src_port))
}

fn on_port(protocol: &Protocol, flow: &Flow, configured: Option<&str>) -> bool {
    if let Some(name) = configured {
        return name == protocol.name;
    }
    protocol.ports.contains(&flow.ends.dst_port) || protocol.ports.contains(&flow.ends.src_port)
}

/// Gives a stream's octets to the conversation's decoder, once there is one.
struct Feed<'a, 'b> {
    flow: &'a mut Flow,
    rows: &'a mut Rows<'b>,
}

impl Reader for Feed<'_, '_> {
    fn read(&mut self, segment: Segment<'_>) -> Progress {
        /// Octets that tell protocols apart.
        const ENOUGH: usize = 16;
        if self.flow.decoder.is_none() {
            if self.flow.probing.over {
                return Progress::Done;
            }
            let started = recognise(self.flow, Transport::Stream, segment.data, segment.dir, self.rows.configured);
            if !started {
                let again = segment.data.len() < ENOUGH && !self.flow.probing.over;
                return if again { Progress::NeedMore(segment.data.len() + 1) } else { Progress::Done };
            }
            self.rows.decoder = self.flow.protocol.map_or("tcp", |p| p.name);
            self.rows.trust = self.flow.trust;
        }
        match &mut self.flow.decoder {
            Some(decoder) => decoder.decode(segment, self.rows),
            None => Progress::Done,
        }
    }
}
