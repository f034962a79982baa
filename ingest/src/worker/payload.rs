//! What becomes of a packet's payload: put in order, recognised, given to the conversation's decoder.
//!
//! A protocol is looked for in the first octets of each direction: once where the conversation was seen to begin, a few times
//! where the capture begins in the middle of something (the body of an answer, an upload). A direction in which nothing was
//! recognised is passed over, not closed: once the other one tells the protocol, the decoder reads both, and takes what it has
//! missed for a hole. First octets that could be several things wait for more, up to the longest header that tells.
use lidr_schema::{AnyRow, Head, Name, table::mark, table::oddity};

use super::Shared;
use crate::{
    decode::{Odd, Progress, Protocol, Protocols, Rows, Segment, Transport, Verdict},
    flow::Flow,
    record::{Dir, Record, Stamp},
    summary::Tally,
    tcp::{Data, Events, Reader, Streams},
};

/// Datagrams of a direction, or segments where the beginning was not seen, that are looked at before recognition is given up.
const LOOKS: u8 = 3;
/// Octets that tell most protocols apart.
const ENOUGH: usize = 16;
/// Octets that tell every protocol: the longest fixed header (40, X2/X3) and the beginning of what follows it.
const MOST_PROBED: usize = 64;
/// Keeps rows about TCP itself apart from the decoder's rows of the same frame.
const TCP_ROWS: u32 = 2 << 24;
const SYN: u8 = 2;
const ACK: u8 = 16;

/// Runs something of a decoder with the conversation's rows.
fn with_rows<T>(
    flow: &mut Flow,
    shared: &Shared,
    out: &mut Vec<(Head, AnyRow)>,
    run: impl FnOnce(&mut Flow, &mut Rows<'_>) -> T,
) -> T {
    let mut ordinals = flow.ordinals;
    // Lent to the rows meanwhile: what runs is given the flow, too.
    let outer = flow.outer.take();
    let mut rows = Rows {
        decoder: flow.protocol.map_or("tcp", |p| p.name),
        trust: flow.trust,
        ends: flow.ends,
        configured: configured(shared, flow),
        closed: flow.is_closed(),
        sensor: &shared.sensor,
        vlan: flow.vlan,
        outer: outer.as_deref(),
        captures: &shared.captures,
        layer_bits: u32::from(flow.layer) << 28,
        key: &shared.key,
        ordinals: &mut ordinals,
        out,
    };
    let result = run(flow, &mut rows);
    flow.ordinals = ordinals;
    flow.outer = outer;
    result
}

#[inline]
pub(super) fn expire(flow: &mut Flow, now: i64, shared: &Shared, out: &mut Vec<(Head, AnyRow)>) {
    if flow.asked() < now {
        give_up(flow, now, shared, out);
    }
}

/// The decoder gives up what is over at that time.
#[cold]
fn give_up(flow: &mut Flow, now: i64, shared: &Shared, out: &mut Vec<(Head, AnyRow)>) {
    let Some(mut decoder) = flow.decoder.take() else { return };
    with_rows(flow, shared, out, |_, rows| decoder.expire(now, rows));
    flow.decoder = Some(decoder);
    flow.ask_decoder();
}

pub(super) fn end_decoder(
    flow: &mut Flow,
    now: i64,
    shared: &Shared,
    out: &mut Vec<(Head, AnyRow)>,
    tally: &mut Tally,
) {
    if let Some(mut streams) = flow.streams.take() {
        let last = Stamp { eff: now, ..flow.first };
        let events = with_rows(flow, shared, out, |flow, rows| {
            streams.end(now, &mut Feed { flow, protocols: &shared.protocols, rows, started: None })
        });
        report(flow, events, last, shared, out, tally);
    }
    if let Some(mut decoder) = flow.decoder.take() {
        with_rows(flow, shared, out, |_, rows| decoder.end(now, rows));
        flow.ask_decoder();
    }
}

/// Gives a packet's payload to whoever reads it, or looks who might.
pub(super) fn payload(
    flow: &mut Flow,
    record: &Record,
    shared: &Shared,
    out: &mut Vec<(Head, AnyRow)>,
    tally: &mut Tally,
) {
    if flow.decoder.is_none() && flow.probing.over {
        return;
    }
    match record.key.proto {
        6 => tcp(flow, record, shared, out, tally),
        17 if record.payload_len > 0 => datagram(Transport::Datagram, flow, record, shared, out),
        17 => {}
        47 => datagram(Transport::Gre, flow, record, shared, out),
        _ => flow.probing.over = true,
    }
}

fn datagram(transport: Transport, flow: &mut Flow, record: &Record, shared: &Shared, out: &mut Vec<(Head, AnyRow)>) {
    let dir = flow.dir(record);
    let data = record.payload();
    let cut = record.payload_len.saturating_sub(record.payload_captured);
    let segment = Segment { dir, data, first: record.stamp, last: record.stamp, gap: 0, cut };
    if flow.decoder.is_some() {
        if feed(flow, segment, shared, out) {
            return;
        }
        // What only seemed to be a protocol may be another one.
        told_nothing(flow, dir);
    }
    if flow.probing.over {
        return;
    }
    let started = recognise(flow, &shared.protocols, transport, data, dir, configured(shared, flow)) == Look::Started;
    if !started || !feed(flow, segment, shared, out) {
        told_nothing(flow, dir);
    }
}

/// A datagram told no protocol: enough of them were looked at, or not yet.
fn told_nothing(flow: &mut Flow, dir: Dir) {
    let looks = &mut flow.probing.looks;
    if let Some(n) = looks.get_mut(dir.index()) {
        *n += 1;
    }
    flow.probing.over |= looks.iter().all(|n| *n >= 1) || looks.iter().any(|n| *n >= LOOKS);
}

/// Gives a datagram to the decoder; false where it is of another protocol.
fn feed(flow: &mut Flow, segment: Segment<'_>, shared: &Shared, out: &mut Vec<(Head, AnyRow)>) -> bool {
    let Some(mut decoder) = flow.decoder.take() else { return false };
    let progress = with_rows(flow, shared, out, |_, rows| decoder.decode(segment, rows));
    match progress {
        Progress::NotMine => {
            let over = !flow.unsure;
            forget(flow);
            flow.probing.over = over;
            return false;
        }
        Progress::Unsure => {}
        _ => flow.unsure = false,
    }
    flow.decoder = Some(decoder);
    flow.ask_decoder();
    true
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
    // Most packets of a long conversation: nothing held, and octets of which nobody wants to know.
    let plain = tcp.flags & SYN == 0 && record.payload_captured == record.payload_len && !flow.is_closed();
    if plain && flow.streams.as_mut().is_some_and(|s| s.follow(dir, tcp.seq, record.payload_len as usize)) {
        return;
    }
    let mut streams = flow.streams.take().unwrap_or_default();
    let events = with_rows(flow, shared, out, |flow, rows| {
        let mut feed = Feed { flow, protocols: &shared.protocols, rows, started: None };
        let mut events = Events::default();
        if tcp.flags & ACK != 0 {
            events = streams.acked(dir, tcp.ack, record.stamp, &mut feed);
            events = add(events, reopen(&mut streams, &mut feed, record.stamp));
        }
        if has_data {
            let cut = record.payload_len.saturating_sub(record.payload_captured) as usize;
            let seq = tcp.seq.wrapping_add(u32::from(tcp.flags & SYN != 0));
            let data = Data { seq, octets: record.payload(), cut, stamp: record.stamp };
            let more = streams.data(dir, data, &mut feed);
            events = add(add(events, more), reopen(&mut streams, &mut feed, record.stamp));
        }
        events
    });
    flow.ask_decoder();
    report(flow, events, record.stamp, shared, out, tally);
    if flow.decoder.is_some() || !(flow.probing.over || flow.is_closed() && streams.is_idle()) {
        flow.streams = Some(streams);
    }
}

/// Once one direction has told the protocol, the other one is read as well.
fn reopen(streams: &mut Streams, feed: &mut Feed<'_, '_>, now: Stamp) -> Events {
    feed.started.take().map(|dir| streams.reopen(dir.other(), now, feed)).unwrap_or_default()
}

const fn add(a: Events, b: Events) -> Events {
    Events {
        retransmits: a.retransmits + b.retransmits,
        gap: a.gap + b.gap,
        overlap: a.overlap || b.overlap,
        held_out: a.held_out || b.held_out,
        wanted_too_much: a.wanted_too_much || b.wanted_too_much,
        not_mine: a.not_mine || b.not_mine,
    }
}

/// What happened in a stream: counted, and said where it means that octets were not read.
fn report(
    flow: &mut Flow,
    events: Events,
    stamp: Stamp,
    shared: &Shared,
    out: &mut Vec<(Head, AnyRow)>,
    tally: &mut Tally,
) {
    if events == Events::default() {
        return;
    }
    flow.retransmits += events.retransmits;
    flow.gap_bytes += events.gap;
    if events == (Events { retransmits: events.retransmits, ..Events::default() }) {
        return;
    }
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

/// Says what is odd about the headers of a conversation's packets: a fact, and no judgement on it.
pub(super) fn say_odd(
    flow: &mut Flow,
    name: &'static str,
    record: &Record,
    shared: &Shared,
    out: &mut Vec<(Head, AnyRow)>,
) {
    let dir = flow.dir(record);
    let row = mark::Row {
        kind: Name::Borrowed("tcp_odd"),
        name: Name::Borrowed(name),
        length: record.payload_len,
        ..mark::Row::default()
    };
    with_rows(flow, shared, out, |_, rows| {
        let place = rows.mark(dir, record.stamp);
        (rows.decoder, rows.trust) = ("tcp", "clear");
        rows.layer_bits |= TCP_ROWS;
        let ends = rows.ends_from(dir);
        rows.push_between(place, record.stamp.eff, ends, row);
    });
}

fn tcp_odd(rows: &mut Rows<'_>, stamp: Stamp, odd: Odd) {
    let mark = rows.mark(Dir::Src, stamp);
    let bits = rows.layer_bits;
    rows.layer_bits |= TCP_ROWS;
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
    flow.ask_decoder();
    flow.protocol = None;
    flow.unsure = false;
    flow.probing.over = true;
}

/// What first octets told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// The protocol: its decoder was started.
    Started,
    /// Not enough, but more of them could.
    May,
    /// Nothing.
    Nothing,
}

/// Looks at first octets.
fn recognise(
    flow: &mut Flow,
    protocols: &Protocols,
    transport: Transport,
    data: &[u8],
    dir: Dir,
    configured: Option<&str>,
) -> Look {
    let mut look = Look::Nothing;
    let mut likely = None;
    for protocol in protocols.on(transport) {
        let trust = match (protocol.probe)(data, dir) {
            Verdict::Certain => "clear",
            Verdict::Maybe | Verdict::Likely if on_port(protocol, flow, configured) => "inferred",
            Verdict::Likely => {
                likely.get_or_insert(protocol);
                continue;
            }
            Verdict::Maybe => {
                look = Look::May;
                continue;
            }
            Verdict::No => continue,
        };
        start(flow, protocol, trust);
        return Look::Started;
    }
    let Some(protocol) = likely else { return look };
    start(flow, protocol, "inferred");
    flow.unsure = true;
    Look::Started
}

fn start(flow: &mut Flow, protocol: &'static Protocol, trust: &'static str) {
    flow.protocol = Some(protocol);
    flow.trust = trust;
    flow.decoder = Some((protocol.start)());
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
    protocols: &'a Protocols,
    rows: &'a mut Rows<'b>,
    /// The direction that has just told the protocol.
    started: Option<Dir>,
}

impl Feed<'_, '_> {
    /// Looks for the protocol; what to do with the octets where nothing was found.
    fn look(&mut self, data: &[u8], dir: Dir) -> Option<Progress> {
        let length = data.len();
        match recognise(self.flow, self.protocols, Transport::Stream, data, dir, self.rows.configured) {
            Look::Started => {
                self.rows.decoder = self.flow.protocol.map_or("tcp", |p| p.name);
                self.rows.trust = self.flow.trust;
                self.started = Some(dir);
                None
            }
            Look::May if length < MOST_PROBED => Some(Progress::NeedMore(length + 1)),
            _ if length < ENOUGH => Some(Progress::NeedMore(length + 1)),
            _ => {
                let most = if self.flow.began(dir) { 1 } else { LOOKS };
                let through = self.flow.probing.missed(dir, most);
                Some(if through { Progress::Done } else { Progress::Taken(length) })
            }
        }
    }
}

impl Reader for Feed<'_, '_> {
    fn read(&mut self, segment: Segment<'_>) -> Progress {
        if self.flow.decoder.is_none() {
            if self.flow.probing.over {
                return Progress::Done;
            }
            if let Some(progress) = self.look(segment.data, segment.dir) {
                return progress;
            }
        }
        match &mut self.flow.decoder {
            Some(decoder) => decoder.decode(segment, self.rows),
            None => Progress::Done,
        }
    }
}
