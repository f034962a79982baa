//! A conversation: its counts, its rows, and when they are due.
//!
//! Rows `open`, `part` and `end` add up. Where one row stops and the next begins is decided by the effective times of the
//! conversation's own packets only, so that neither the timer's rhythm nor other traffic nor the number of workers shows.
mod app;
mod closing;
pub(crate) mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use closing::{CHUNK_INIT, Closing, Meaning, first_chunk};
use lidr_schema::{Ends, Head, Micros, Name, Outer, Store, Text, community::community_id, table::flow};

use crate::{
    decode::{Decoder, Ordinals, Protocol},
    record::{Dir, FlowKey, Record, Stamp},
    tcp::Streams,
    worker::Shared,
};

/// An `open` row is due so long after the first packet, µs.
pub const OPEN_AFTER: i64 = 2_000_000;
/// A `part` row for each so long, counted from the first packet, µs.
pub const PART_EVERY: i64 = 60_000_000;
/// TCP and SCTP conversations end after so long without a packet, µs.
pub const IDLE_STREAM: i64 = 300_000_000;
/// Others, µs.
pub const IDLE_OTHER: i64 = 30_000_000;
/// Packets so soon after the close of a TCP or SCTP conversation belong to it and open no new one, µs.
pub const LINGER: i64 = 5_000_000;

const TCP: u8 = 6;
const SCTP: u8 = 132;
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// Counts since the row before.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    packets: [u64; 2],
    bytes: [u64; 2],
    payload: [u64; 2],
}

/// How far recognition of the protocol has come in each direction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Probing {
    /// Looks taken, by direction; `u8::MAX` for a stream that is not looked at any more.
    pub(crate) looks: [u8; 2],
    /// Nothing more to look at.
    pub(crate) over: bool,
}

impl Probing {
    /// Octets of a stream told nothing; true where its direction has been looked at often enough.
    pub(crate) fn missed(&mut self, dir: Dir, most: u8) -> bool {
        if let Some(n) = self.looks.get_mut(dir.index()) {
            let looked = n.saturating_add(1);
            *n = if looked >= most { u8::MAX } else { looked };
        }
        self.over = self.looks == [u8::MAX; 2];
        self.looks.get(dir.index()) == Some(&u8::MAX)
    }
}

/// Where rows of conversations go, and the names that all of them carry.
#[derive(Debug)]
pub(crate) struct FlowRows<'a> {
    /// Sensor and inputs.
    pub(crate) shared: &'a Shared,
    /// The table's columns.
    pub(crate) columns: &'a mut flow::Columns,
}

/// A live conversation.
///
/// In this order in memory: what every packet looks at fills the first lines of the processor's cache, what a row needs or a
/// decoder's start comes behind them and is seldom fetched.
#[repr(C)]
pub(crate) struct Flow {
    pub(crate) key: FlowKey,
    pub(crate) hash: u64,
    last_ts: i64,
    last_eff: i64,
    next_part: i64,
    /// The least deadline of what the decoder waits for, as it said when it last did anything; `i64::MAX` where there is none.
    asked: i64,
    closed: Option<i64>,
    counts: Counts,
    pub(crate) decoder: Option<Box<dyn Decoder>>,
    pub(crate) streams: Option<Box<Streams>>,
    closing: Closing,
    flags: [u8; 2],
    ttl: [Option<u8>; 2],
    pub(crate) probing: Probing,
    /// Who opened it is the lesser end of the key.
    src_is_low: bool,
    opened: bool,
    /// Whether something odd about its headers was said.
    odd_said: bool,
    /// Datagrams that agree must come before the protocol can be said.
    pub(crate) unsure: bool,
    pub(crate) layer: u8,
    /// Something odd about its headers that has not been said.
    odd: Option<&'static str>,
    pub(crate) first: Stamp,
    pub(crate) ends: Ends,
    pub(crate) protocol: Option<&'static Protocol>,
    pub(crate) trust: &'static str,
    pub(crate) ordinals: Ordinals,
    pub(crate) outer: Option<Arc<Outer>>,
    pub(crate) vlan: Option<u16>,
    part: u32,
    syn: Option<(u32, i64)>,
    rtt_us: Option<u32>,
    direction_by: &'static str,
    pub(crate) retransmits: u32,
    pub(crate) gap_bytes: u64,
}

impl std::fmt::Debug for Flow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Flow(proto {}, {} rows)", self.key.proto, self.part)
    }
}

/// What a packet means for the conversation it would belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Belongs {
    /// It is part of it.
    Yes,
    /// It was sent before the close and captured after it: no row counts it, but what it carries is read.
    Late,
    /// It comes right after its close and is part of nothing.
    Trailing,
    /// The end that had reset it, at that time, sends on: another conversation between the same ends.
    Again(i64),
    /// The conversation has ended, for that reason and then; the packet opens another one.
    No(&'static str, i64),
}

impl Flow {
    /// A conversation that begins with this packet.
    pub(crate) fn new(record: &Record) -> Self {
        let synack = record.key.proto == TCP && record.tcp.flags & (SYN | ACK) == SYN | ACK;
        let syn = record.key.proto == TCP && record.tcp.flags & (SYN | ACK) == SYN;
        let e = record.ends();
        let ends = match (synack, e.proto) {
            // Whoever accepts did not open.
            (true, _) => {
                Ends { src_ip: e.dst_ip, dst_ip: e.src_ip, src_port: e.dst_port, dst_port: e.src_port, proto: e.proto }
            }
            (false, _) => e,
        };
        let eff = record.stamp.eff;
        Self {
            key: record.key,
            hash: record.hash,
            last_ts: record.stamp.ts,
            last_eff: eff,
            next_part: eff + PART_EVERY,
            asked: i64::MAX,
            closed: None,
            counts: Counts::default(),
            decoder: None,
            streams: None,
            closing: Closing::default(),
            flags: [0; 2],
            ttl: [None; 2],
            probing: Probing::default(),
            src_is_low: ends.from_low(),
            opened: false,
            odd_said: false,
            unsure: false,
            layer: record.layer,
            odd: None,
            first: record.stamp,
            ends,
            protocol: None,
            trust: "port",
            ordinals: Ordinals::default(),
            outer: record.outer.clone(),
            vlan: record.vlan,
            part: 0,
            syn: None,
            rtt_us: None,
            direction_by: if syn {
                "syn"
            } else if synack {
                "synack"
            } else {
                "first"
            },
            retransmits: 0,
            gap_bytes: 0,
        }
    }

    /// Who sent this packet.
    pub(crate) fn dir(&self, record: &Record) -> Dir {
        // Both have the same key, so that one bit tells.
        if record.from_low == self.src_is_low { Dir::Src } else { Dir::Dst }
    }

    /// Whether the first octets that end sends are those of the conversation.
    pub(crate) fn began(&self, dir: Dir) -> bool {
        self.flags.get(dir.index()).is_some_and(|seen| seen & SYN != 0)
    }

    const fn idle(&self) -> i64 {
        if matches!(self.key.proto, TCP | SCTP) { IDLE_STREAM } else { IDLE_OTHER }
    }

    const fn opens_by_timer(&self) -> bool {
        matches!(self.key.proto, TCP | SCTP) && !self.opened && self.closed.is_none()
    }

    /// The time at which something about it becomes due, if no packet comes.
    pub(crate) fn deadline(&self) -> i64 {
        let end = match self.closed {
            Some(at) if self.reads() => at,
            Some(at) => at + LINGER,
            None => self.last_eff + self.idle(),
        };
        let open = if self.opens_by_timer() { self.first.eff + OPEN_AFTER } else { end };
        end.min(open).min(self.asked)
    }

    /// When the first of what its decoder waits for is over.
    pub(crate) const fn asked(&self) -> i64 {
        self.asked
    }

    /// The decoder has done something, or is gone: what it waits for may be something else.
    pub(crate) fn ask_decoder(&mut self) {
        self.asked = self.decoder.as_ref().and_then(|d| d.deadline()).unwrap_or(i64::MAX);
    }

    /// Whether somebody still reads its payload.
    fn reads(&self) -> bool {
        self.decoder.is_some() || self.streams.is_some()
    }

    /// Whether a packet at that time, with those fields, is still part of it.
    pub(crate) fn belongs(&self, record: &Record) -> Belongs {
        let eff = record.stamp.eff;
        let opens = match record.key.proto {
            TCP => record.tcp.flags & (SYN | ACK | RST) == SYN,
            _ => first_chunk(record) == Some(CHUNK_INIT),
        };
        if let Some(at) = self.closed {
            let sends_on = record.payload_len > 0
                && record.tcp.flags & (SYN | RST) == 0
                && Some(self.dir(record)) == self.closing.reset_by;
            return match () {
                () if opens || eff > at + LINGER => Belongs::No("closed", at),
                () if eff <= at => Belongs::Late,
                () if sends_on => Belongs::Again(at),
                () => Belongs::Trailing,
            };
        }
        if eff > self.last_eff + self.idle() {
            return Belongs::No("idle", self.last_eff + self.idle());
        }
        // The same SYN again is a retry; another sequence number is another conversation on the same ports.
        if opens
            && record.key.proto == TCP
            && self.syn.is_none_or(|(seq, _)| seq != record.tcp.seq)
            && self.counts_any()
        {
            return Belongs::No("reuse", eff);
        }
        Belongs::Yes
    }

    fn counts_any(&self) -> bool {
        self.part > 0 || self.counts.packets.iter().any(|n| *n > 0)
    }

    /// The `open` row that is due before `now`, for protocols that open by time.
    pub(crate) fn open_by(&mut self, now: i64, out: &mut FlowRows<'_>) {
        let due = self.first.eff + OPEN_AFTER;
        if now > due && self.opens_by_timer() {
            self.opened = true;
            self.row("open", due, None, out);
        }
    }

    /// Counts a packet that belongs to it, and writes the row that it completes.
    pub(crate) fn count(&mut self, record: &Record, out: &mut FlowRows<'_>) {
        let dir = self.dir(record);
        let add = |pair: &mut [u64; 2], n: u64| {
            if let Some(count) = pair.get_mut(dir.index()) {
                *count += n;
            }
        };
        add(&mut self.counts.packets, 1);
        add(&mut self.counts.bytes, u64::from(record.ip_len));
        add(&mut self.counts.payload, u64::from(record.payload_len));
        if let Some(ttl) = self.ttl.get_mut(dir.index()) {
            ttl.get_or_insert(record.ttl);
        }
        let eff = record.stamp.eff;
        self.last_ts = self.last_ts.max(record.stamp.ts);
        self.last_eff = self.last_eff.max(eff);
        if matches!(self.key.proto, TCP | SCTP)
            && let Some(reason) = self.closes(record, dir)
        {
            self.closed = Some(eff);
            return self.row("end", eff, Some(reason), out);
        }
        if !self.opened && !matches!(self.key.proto, TCP | SCTP) {
            if eff >= self.first.eff + OPEN_AFTER {
                self.opened = true;
                self.next_part_after(eff);
                self.row("open", eff, None, out);
            }
            return;
        }
        if eff >= self.next_part && self.opened {
            self.next_part_after(eff);
            self.row("part", eff, None, out);
        }
    }

    const fn next_part_after(&mut self, eff: i64) {
        let minutes = (eff - self.first.eff).div_euclid(PART_EVERY);
        self.next_part = self.first.eff + (minutes + 1) * PART_EVERY;
    }

    /// Follows TCP's flags and SCTP's chunks; why this packet closes the conversation, if it does.
    fn closes(&mut self, record: &Record, dir: Dir) -> Option<&'static str> {
        let flags = record.tcp.flags;
        if let Some(seen) = self.flags.get_mut(dir.index()) {
            *seen |= flags;
        }
        if flags & (SYN | ACK) == SYN && dir == Dir::Src {
            self.syn.get_or_insert((record.tcp.seq, record.stamp.ts));
        }
        if flags & (SYN | ACK) == SYN | ACK
            && let Some((_, asked)) = self.syn
        {
            let micros = u32::try_from((record.stamp.ts - asked).max(0)).unwrap_or(u32::MAX);
            self.rtt_us.get_or_insert(micros);
        }
        match self.closing.see(record, dir) {
            Meaning::GoesOn => None,
            Meaning::Closes(reason) => Some(reason),
            Meaning::Forged => {
                self.note("reset_out_of_window");
                None
            }
        }
    }

    /// Something odd about its headers, which is said once a conversation: whoever floods would say it in every packet.
    fn note(&mut self, odd: &'static str) {
        if !std::mem::replace(&mut self.odd_said, true) {
            self.odd = Some(odd);
        }
    }

    /// What is odd about its headers and has to be said.
    pub(crate) const fn take_odd(&mut self) -> Option<&'static str> {
        self.odd.take()
    }

    /// The conversation that goes on after a reset that was not its sender's: who opened it is known.
    pub(crate) fn again(&self, record: &Record) -> Self {
        let mut again =
            Self { ends: self.ends, src_is_low: self.src_is_low, direction_by: "first", ..Self::new(record) };
        again.note("data_after_reset");
        again
    }

    /// The last row, for a conversation that did not close by itself.
    pub(crate) fn end(&mut self, reason: &'static str, due: i64, out: &mut FlowRows<'_>) {
        if self.closed.is_none() {
            self.closed = Some(due);
            self.row("end", due, Some(reason), out);
        }
    }

    /// When it closed, once somebody waits for what was captured late and nothing of that can come at or before that time.
    pub(crate) fn settled(&self, until: i64) -> Option<i64> {
        self.closed.filter(|at| *at <= until && self.reads())
    }

    /// When it closed.
    pub(crate) const fn closed_at(&self) -> Option<i64> {
        self.closed
    }

    /// Whether its last row has been written.
    pub(crate) const fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// Whether nothing of it is needed any more at that time.
    pub(crate) fn is_over(&self, now: i64) -> bool {
        self.closed.is_some_and(|at| now > at + LINGER)
    }

    /// Whether it has been idle for too long at that time, and since when it was due to end.
    pub(crate) fn idle_end(&self, now: i64) -> Option<i64> {
        let due = self.last_eff + self.idle();
        (self.closed.is_none() && now > due).then_some(due)
    }

    /// What the end of the input means: min(deadline, clock).
    pub(crate) fn flush_due(&self, clock: i64) -> i64 {
        self.closed.unwrap_or(self.last_eff + self.idle()).min(clock)
    }

    /// Reads what every packet looks at, so that it is at hand when one comes.
    pub(crate) fn warm(&self) -> u64 {
        let ([packets, _], [payload, _]) = (self.counts.packets, self.counts.payload);
        let read = self.streams.as_deref().map_or(0, Streams::warm);
        packets ^ payload ^ u64::from(self.layer) ^ u64::from(self.opened) ^ read
    }

    /// The protocol, once it can be said.
    pub(crate) fn known(&self) -> Option<&'static Protocol> {
        self.protocol.filter(|_| !self.unsure)
    }

    /// Writes a row straight into the columns: head and row are half a KiB, and each hand they pass through would copy them.
    fn row(&mut self, state: &'static str, due: i64, reason: Option<&'static str>, out: &mut FlowRows<'_>) {
        let known = self.known().map(|p| p.name);
        let by_port = known.is_none().then(|| app::by_port(&self.ends)).flatten();
        let mut head = Head {
            ts: Micros(self.first.ts),
            due: Micros(due),
            sensor: out.shared.sensor.clone(),
            capture: out.shared.capture(self.first.input),
            frame: self.first.frame,
            n: u32::from(self.layer) << 28 | 1 << 24 | self.part.min(0x00ff_ffff),
            vlan: self.vlan,
            decoder: Name::Borrowed("flow"),
            trust: Name::Borrowed(if by_port.is_some() { "port" } else { "clear" }),
            ..Head::default()
        };
        head.set_outer(self.outer.as_deref());
        head.set_ends(self.ends);
        let [src_packets, dst_packets] = self.counts.packets;
        let [src_bytes, dst_bytes] = self.counts.bytes;
        let [src_payload, dst_payload] = self.counts.payload;
        let [src_flags, dst_flags] = self.flags;
        let [src_ttl, dst_ttl] = self.ttl;
        let row = flow::Row {
            state: Name::Borrowed(state),
            part: self.part,
            last_ts: Micros(self.last_ts),
            app: known.or(by_port).map(Name::Borrowed),
            src_packets,
            dst_packets,
            src_bytes,
            dst_bytes,
            src_payload,
            dst_payload,
            answered: dst_ttl.is_some(),
            established: self.established(),
            src_flags,
            dst_flags,
            direction_by: Name::Borrowed(self.direction_by),
            end_reason: reason.map(Name::Borrowed),
            retransmits: self.retransmits,
            gap_bytes: self.gap_bytes,
            rtt_us: self.rtt_us,
            src_ttl,
            dst_ttl,
            community_id: Text(community_id(&self.ends)),
        };
        self.part += 1;
        self.counts = Counts::default();
        out.columns.push(head, row);
    }

    /// A handshake was completed, or both ends have sent TCP data without us seeing it begin.
    fn established(&self) -> bool {
        let [src, dst] = self.flags;
        match self.key.proto {
            TCP if self.direction_by == "first" => src & ACK != 0 && dst & ACK != 0 && dst & RST == 0,
            TCP => dst & (SYN | ACK) == SYN | ACK && src & ACK != 0,
            SCTP => self.closing.accepted,
            _ => false,
        }
    }
}
