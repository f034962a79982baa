//! The floor that packets per second are compared with: a bare libpcap loop over a capture that reads every header and counts.
//!
//! `lidr-floor FILE` prints packets, octets, CPU seconds and packets per CPU second; `scripts/run-benches` runs it beside
//! `lidr-decode` in the same loop, because machines are noisy and only ratios of one run mean anything.
use std::{env, io::Write};

use anyhow::Context;
use lidr_benches::usage::cpu_seconds;

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
