//! `lidr bench`: packets, rows and memory for one file; every decoder on, no rules, no output.
use std::{io::Write, process::ExitCode, time::Instant};

use arrow::array::RecordBatch;
use lidr_ingest::{
    run::{self, Config},
    sink::{Sink, SinkError},
    source::{Input, Reader},
};
use lidr_schema::{Key, TableId};
use serde_json::json;

use crate::{
    args::{Bench, Shape},
    usage,
};

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

pub(crate) fn run(args: &Bench) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    if let Some(to) = &args.write_repeated {
        let packets = lidr_scenarios::repeat_shifted(&args.file, to, args.repeat)?;
        writeln!(out, "{} packets in {}", packets, to.display())?;
        return Ok(ExitCode::SUCCESS);
    }
    // Nothing leaves the process, so any key will do; a fixed one keeps runs comparable.
    let key = Key::from_hex(&"00".repeat(32))?;
    let reader = Reader::open(&[Input::Path { sensor: None, path: args.file.clone() }])?;
    let mut config = Config::new("bench", args.workers, key, "bench");
    config.count_keys = args.count_keys;
    let (started, before) = (Instant::now(), usage::cpu_seconds());
    let summary = run::run(reader, &config, &mut Nowhere, &mut |_| {})?.to_json();
    let (wall, cpu) = (started.elapsed().as_secs_f64(), usage::cpu_seconds() - before);
    let number = |name: &str| summary[name].as_u64().unwrap_or_default() as f64;
    let (packets, bytes) = (number("packets"), number("bytes"));
    let result = json!({
        "file": args.file,
        "workers": args.workers,
        "packets": packets,
        "bytes": bytes,
        "seconds": { "wall": wall, "cpu": cpu },
        "packets_per_second": packets / wall,
        "packets_per_cpu_second": packets / cpu.max(0.01),
        "gigabits_per_second": bytes * 8.0 / wall / 1e9,
        "nanoseconds_per_packet": cpu * 1e9 / packets.max(1.0),
        "rows": summary["rows"],
        "distinct_flow_keys": summary["distinct_flow_keys"],
        "peak_rss_bytes": usage::peak_rss_bytes(),
        "version": env!("CARGO_PKG_VERSION"),
    });
    match args.format {
        Shape::Json => writeln!(out, "{result}")?,
        Shape::Text => writeln!(
            out,
            "bench {packets} packets {bytes} octets {cpu:.2} cpu_s {wall:.2} wall_s {:.2} Mpackets/cpu_s {:.0} ns/packet {:.2} Gbit/s {} MiB peak rows {} keys {}",
            packets / cpu.max(0.01) / 1e6,
            cpu * 1e9 / packets.max(1.0),
            bytes * 8.0 / wall / 1e9,
            usage::peak_rss_bytes() >> 20,
            summary["rows"],
            summary["distinct_flow_keys"],
        )?,
    }
    Ok(ExitCode::SUCCESS)
}
