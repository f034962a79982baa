//! `lidr simulate`: labelled traffic with its site folder and what must be found in it.
use std::{io::Write, process::ExitCode};

use anyhow::Context;

use crate::args::Simulate;

pub(crate) fn run(args: &Simulate) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    if args.name == "list" {
        for scenario in lidr_scenarios::list() {
            writeln!(out, "{:<12} {}", scenario.name, scenario.title)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let dir = args.out.as_deref().context("give --out DIR: where the capture and the site folder go")?;
    let options = lidr_scenarios::Options { seed: args.seed, background: args.background };
    let written = lidr_scenarios::write(&args.name, dir, &options)?;
    writeln!(
        out,
        "{}: {} packets in {}, site tables in {}, what must be found in {}",
        args.name,
        written.packets,
        dir.join("capture.pcap").display(),
        dir.join("site").display(),
        dir.join("expected.yml").display()
    )?;
    Ok(ExitCode::SUCCESS)
}
