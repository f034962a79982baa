//! Captures made packet by packet, and their rows as text: for tests of the whole path, with one worker and with several.
use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{ArrayRef, AsArray, RecordBatch},
    datatypes::{DataType, TimestampMicrosecondType},
    util::display::array_value_to_string,
};
use etherparse::PacketBuilder;
use lidr_schema::{Key, TableId};

use crate::{
    log::Sources,
    record::Dir,
    run::{Config, run},
    sink::{Sink, SinkError},
    source::{Input, Reader},
    summary::Summary,
};

/// A row: its cells by column.
pub(crate) type Line = BTreeMap<String, String>;
/// A packet: its time, µs, and its frame.
pub(crate) type Packet = (i64, Vec<u8>);

/// One second, µs.
pub(crate) const S: i64 = 1_000_000;
pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const ACK: u8 = 16;
/// When conversations of these tests begin, µs.
pub(crate) const START: i64 = 1_795_000_000 * S;

/// Rows as text by table, in the order in which they left; order and promises are checked on the way.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    pub(crate) tables: BTreeMap<&'static str, Vec<Line>>,
    promised: i64,
}

impl Lines {
    /// The rows of a table.
    pub(crate) fn of(&self, table: &str) -> &[Line] {
        self.tables.get(table).map_or(&[], Vec::as_slice)
    }

    /// Those columns of every row of a table, joined by a blank.
    pub(crate) fn columns(&self, table: &str, names: &[&str]) -> Vec<String> {
        self.of(table)
            .iter()
            .map(|line| names.iter().map(|n| line[*n].as_str()).collect::<Vec<_>>().join(" "))
            .collect()
    }
}

impl Sink for Lines {
    fn rows(&mut self, table: TableId, batch: RecordBatch) -> Result<(), SinkError> {
        let number = |line: &Line, name: &str| -> i64 { line[name].parse().unwrap() };
        let place = |line: &Line| {
            let [due, ts, frame, n] = ["due", "ts", "frame", "n"].map(|name| number(line, name));
            (due, ts, line["capture"].clone(), frame, n)
        };
        let lines = self.tables.entry(table.name()).or_default();
        for at in 0..batch.num_rows() {
            let schema = batch.schema();
            let line: Line =
                schema.fields().iter().zip(batch.columns()).map(|(f, c)| (f.name().clone(), cell(c, at))).collect();
            assert!(
                place(&line).0 > self.promised,
                "a row of {} is due at or before {}: {line:?}",
                table.name(),
                self.promised
            );
            assert!(
                lines.last().is_none_or(|last| place(last) < place(&line)),
                "row order, or two rows at one place: {line:?}"
            );
            lines.push(line);
        }
        Ok(())
    }

    fn floor(&mut self, promised: i64) -> Result<(), SinkError> {
        self.promised = promised;
        Ok(())
    }
}

/// A cell as text; times as µs.
pub(crate) fn cell(column: &ArrayRef, at: usize) -> String {
    match column.data_type() {
        DataType::Timestamp(..) => column.as_primitive::<TimestampMicrosecondType>().value(at).to_string(),
        _ => array_value_to_string(column, at).unwrap(),
    }
}

/// A classic pcap of Ethernet frames.
pub(crate) fn pcap(packets: &[Packet]) -> Vec<u8> {
    let mut out: Vec<u8> =
        [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1].iter().flat_map(|w| w.to_le_bytes()).collect();
    for (at, frame) in packets {
        let words = [(at / S) as u32, (at % S) as u32, frame.len() as u32, frame.len() as u32];
        out.extend(words.iter().flat_map(|w| w.to_le_bytes()));
        out.extend(frame);
    }
    out
}

/// Rows of these packets, which stand in the capture in this order, with so many workers.
pub(crate) fn lines(packets: &[Packet], workers: usize) -> (Lines, Summary) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("made.pcap");
    std::fs::write(&path, pcap(packets)).unwrap();
    lines_of(&[Input::Path { sensor: None, path }], None, workers)
}

/// Rows of these inputs with so many workers.
pub(crate) fn lines_of(inputs: &[Input], sources: Option<&Arc<Sources>>, workers: usize) -> (Lines, Summary) {
    lines_from(Reader::open_with(inputs, sources).unwrap(), workers)
}

/// Rows of what a reader gives.
pub(crate) fn lines_from(reader: Reader, workers: usize) -> (Lines, Summary) {
    let key = Key::from_hex(&"0b".repeat(32)).unwrap();
    // Promises as often as the reader allows, so that a row due too early cannot hide.
    let config = Config { chunk: 1, ..Config::new("here", workers, key, "test") };
    let mut sink = Lines { promised: i64::MIN, ..Lines::default() };
    let summary = run(reader, &config, &mut sink, &mut |_| {}).unwrap();
    (sink, summary)
}

/// The same, and that neither two nor three nor four workers change a row or the order of rows.
pub(crate) fn same_lines(packets: &[Packet]) -> Lines {
    let (one, _) = lines(packets, 1);
    for workers in [2, 3, 4] {
        let (more, _) = lines(packets, workers);
        for (table, rows) in &one.tables {
            assert!(more.of(table) == rows, "rows of {table} with {workers} workers");
        }
        assert_eq!(more.tables.len(), one.tables.len());
    }
    one
}

/// A TCP conversation between 10.0.0.1 and 10.0.0.2, written packet by packet.
#[derive(Debug)]
pub(crate) struct Talk {
    ports: [u16; 2],
    next: [u32; 2],
    /// When the next packet is sent; a millisecond later each time.
    pub(crate) at: i64,
    /// What was captured so far.
    pub(crate) packets: Vec<Packet>,
}

impl Talk {
    /// One of which nothing was seen yet.
    pub(crate) fn new(client: u16, server: u16, at: i64) -> Self {
        Self { ports: [client, server], next: [1000, 9000], at, packets: Vec::new() }
    }

    /// One that begins with its handshake.
    pub(crate) fn open(client: u16, server: u16, at: i64) -> Self {
        let mut talk = Self::new(client, server, at);
        talk.flags(Dir::Src, SYN);
        talk.flags(Dir::Dst, SYN | ACK);
        talk.flags(Dir::Src, ACK);
        talk
    }

    /// A packet with those flags and no data.
    pub(crate) fn flags(&mut self, dir: Dir, flags: u8) {
        self.segment(dir, flags, self.next[dir.index()], b"");
        self.next[dir.index()] += u32::from(flags & (SYN | FIN) != 0);
    }

    /// Data.
    pub(crate) fn send(&mut self, dir: Dir, data: &[u8]) {
        self.segment(dir, ACK, self.next[dir.index()], data);
        self.next[dir.index()] += data.len() as u32;
    }

    /// Data that the capture misses; the packet, should it come later.
    pub(crate) fn lose(&mut self, dir: Dir, data: &[u8]) -> Packet {
        self.send(dir, data);
        self.packets.pop().unwrap()
    }

    /// FIN from both ends, and the last acknowledgement.
    pub(crate) fn close(&mut self) {
        self.flags(Dir::Src, FIN | ACK);
        self.flags(Dir::Dst, FIN | ACK);
        self.flags(Dir::Src, ACK);
    }

    /// A packet of any kind.
    pub(crate) fn segment(&mut self, dir: Dir, flags: u8, seq: u32, data: &[u8]) {
        let hosts = [[10, 0, 0, 1], [10, 0, 0, 2]];
        let (me, other) = (dir.index(), dir.other().index());
        let mut builder = PacketBuilder::ethernet2([2; 6], [2; 6]).ipv4(hosts[me], hosts[other], 64).tcp(
            self.ports[me],
            self.ports[other],
            seq,
            8192,
        );
        if flags & ACK != 0 {
            builder = builder.ack(self.next[other]);
        }
        builder = match flags & !ACK {
            FIN => builder.fin(),
            SYN => builder.syn(),
            RST => builder.rst(),
            _ => builder,
        };
        let mut frame = Vec::new();
        builder.write(&mut frame, data).unwrap();
        self.at += 1000;
        self.packets.push((self.at, frame));
    }
}

/// A datagram between 10.0.0.1 and 10.0.0.2.
pub(crate) fn datagram(at: i64, dir: Dir, ports: [u16; 2], data: &[u8]) -> Packet {
    let hosts = [[10, 0, 0, 1], [10, 0, 0, 2]];
    let (me, other) = (dir.index(), dir.other().index());
    let mut frame = Vec::new();
    let builder =
        PacketBuilder::ethernet2([2; 6], [2; 6]).ipv4(hosts[me], hosts[other], 64).udp(ports[me], ports[other]);
    builder.write(&mut frame, data).unwrap();
    (at, frame)
}

/// An SCTP packet between the same with one chunk of that type, without content.
pub(crate) fn sctp(at: i64, dir: Dir, chunk: u8) -> Packet {
    let ([me, other], ports) = if dir == Dir::Src { ([1, 2], [40_000_u16, 3868]) } else { ([2, 1], [3868, 40_000]) };
    let head = ports.iter().flat_map(|p| p.to_be_bytes()).chain([0; 8]);
    let payload: Vec<u8> = head.chain([chunk, 0, 0, 4]).collect();
    let mut frame = Vec::new();
    let builder = PacketBuilder::ethernet2([2; 6], [2; 6]).ipv4([10, 0, 0, me], [10, 0, 0, other], 64);
    builder.write(&mut frame, etherparse::IpNumber::SCTP, &payload).unwrap();
    (at, frame)
}

/// A datagram of another conversation each 5 ms: what moves the clock.
pub(crate) fn ticking(from: i64, until: i64) -> Vec<Packet> {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2([2; 6], [2; 6])
        .ipv4([10, 9, 9, 1], [10, 9, 9, 2], 64)
        .udp(7, 7)
        .write(&mut frame, b"tick")
        .unwrap();
    (from..until).step_by(5000).map(|at| (at, frame.clone())).collect()
}

/// Packets of several conversations as they would be captured.
pub(crate) fn merged(parts: impl IntoIterator<Item = Vec<Packet>>) -> Vec<Packet> {
    let mut all: Vec<Packet> = parts.into_iter().flatten().collect();
    all.sort_by_key(|(at, _)| *at);
    all
}
