//! The floor that packets per second are compared with: a bare libpcap loop over a capture that reads every header and counts.
//!
//! `lidr-floor FILE` prints packets, octets, CPU seconds and packets per CPU second; `scripts/run-benches` runs it beside
//! `lidr bench` in the same loop, because machines are noisy and only ratios of one run mean anything.
use std::{env, fs, io::Write};

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let path = env::args().nth(1).context("needed a capture: lidr-floor FILE")?;
    let mut capture = pcap::Capture::from_file(&path).with_context(|| path.clone())?;
    let (mut packets, mut octets, mut touched) = (0_u64, 0_u64, 0_u64);
    let before = cpu_seconds();
    capture.for_each(None, |packet| {
        packets += 1;
        octets += u64::from(packet.header.caplen);
        touched += packet.data.first().copied().map_or(0, u64::from);
    })?;
    let cpu = cpu_seconds() - before;
    let rate = packets as f64 / cpu.max(0.01) / 1e6;
    writeln!(
        std::io::stdout(),
        "floor {packets} packets {octets} octets {cpu:.2} cpu_s {rate:.2} Mpackets/cpu_s (first octets sum to {touched})"
    )?;
    Ok(())
}

/// CPU seconds of this process so far: user and system ticks of /proc/self/stat, 100 a second.
fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = text.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after.split_whitespace().skip(11).take(2).filter_map(|f| f.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}
