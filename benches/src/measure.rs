//! Decoding of one file: every decoder on, no rules, no output.
use std::{path::Path, time::Instant};

use anyhow::bail;
use arrow::array::RecordBatch;
use lidr_ingest::{
    decode::ALL,
    run::{self, Config},
    sink::{Sink, SinkError},
    source::{Input, Reader},
};
use lidr_schema::{Key, TableId};
use serde_json::{Value, json};

use crate::usage;

/// Takes rows and lets them go: what is measured is the way to here.
struct Nowhere;

impl Sink for Nowhere {
    fn rows(&mut self, _: TableId, batch: RecordBatch) -> Result<(), SinkError> {
        std::hint::black_box(batch);
        Ok(())
    }
    fn floor(&mut self, _: i64) -> Result<(), SinkError> {
        Ok(())
    }
}

/// What one run over a capture cost.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Packets and octets of the capture.
    pub packets: f64,
    /// Octets on the wire.
    pub bytes: f64,
    /// Seconds by the clock on the wall.
    pub wall: f64,
    /// CPU seconds, user and system.
    pub cpu: f64,
    /// Rows by table.
    pub rows: Value,
    /// Distinct TCP and UDP flow keys, if they were counted.
    pub keys: Value,
}

/// How captures are decoded here. Nothing leaves the process, so any key will do; a fixed one keeps runs comparable.
pub(crate) fn config(workers: usize) -> anyhow::Result<Config> {
    Ok(Config::new("bench", workers, Key::from_hex(&"00".repeat(32))?, "bench"))
}

/// Decodes the capture and says what it cost.
///
/// # Errors
/// If it cannot be read.
pub fn decode(file: &Path, workers: usize, count_keys: bool) -> anyhow::Result<Measured> {
    decode_with(file, &Config { count_keys, ..config(workers)? })
}

/// The same without these protocols: what they cost.
///
/// # Errors
/// If the capture cannot be read, or a name is none of a protocol.
pub fn decode_without(file: &Path, names: &str) -> anyhow::Result<Measured> {
    let without: Vec<String> = names.split(',').map(str::to_owned).collect();
    if let Some(name) = without.iter().find(|n| !ALL.iter().any(|p| p.name == **n)) {
        let known: Vec<&str> = ALL.iter().map(|p| p.name).collect();
        bail!("no protocol `{name}`, needed some of {}", known.join(", "));
    }
    decode_with(file, &Config { without, ..config(1)? })
}

fn decode_with(file: &Path, config: &Config) -> anyhow::Result<Measured> {
    let reader = Reader::open(&[Input::Path { sensor: None, path: file.to_owned() }])?;
    let (started, before) = (Instant::now(), usage::cpu_seconds());
    let summary = run::run(reader, config, &mut Nowhere, &mut |_| {})?.to_json();
    let number = |name: &str| summary.get(name).and_then(Value::as_u64).unwrap_or_default() as f64;
    Ok(Measured {
        packets: number("packets"),
        bytes: number("bytes"),
        wall: started.elapsed().as_secs_f64(),
        cpu: usage::cpu_seconds() - before,
        rows: summary.get("rows").cloned().unwrap_or_default(),
        keys: summary.get("distinct_flow_keys").cloned().unwrap_or_default(),
    })
}

impl Measured {
    /// One JSON object.
    #[must_use]
    pub fn json(&self, file: &Path, workers: usize) -> Value {
        let Self { packets, bytes, wall, cpu, .. } = *self;
        json!({
            "file": file,
            "workers": workers,
            "packets": packets,
            "bytes": bytes,
            "seconds": { "wall": wall, "cpu": cpu },
            "packets_per_second": packets / wall,
            "packets_per_cpu_second": packets / cpu.max(0.01),
            "gigabits_per_second": bytes * 8.0 / wall / 1e9,
            "nanoseconds_per_packet": cpu * 1e9 / packets.max(1.0),
            "rows": self.rows,
            "distinct_flow_keys": self.keys,
            "peak_rss_bytes": usage::peak_rss_bytes(),
            "version": env!("CARGO_PKG_VERSION"),
        })
    }

    /// One line for people.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { packets, bytes, wall, cpu, .. } = *self;
        format!(
            "bench {packets} packets {bytes} octets {cpu:.2} cpu_s {wall:.2} wall_s {:.2} Mpackets/cpu_s {:.0} ns/packet {:.2} Gbit/s {} MiB peak rows {} keys {}",
            packets / cpu.max(0.01) / 1e6,
            cpu * 1e9 / packets.max(1.0),
            bytes * 8.0 / wall / 1e9,
            usage::peak_rss_bytes() >> 20,
            self.rows,
            self.keys,
        )
    }
}
