//! `lidr bench`: packets, rows and memory for one file; every decoder on, no rules, no output.
use std::{io::Write, process::ExitCode};

use lidr_benches::measure;

use crate::args::{Bench, Shape};

pub(crate) fn run(args: &Bench) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    if let Some(to) = &args.write_repeated {
        let packets = lidr_scenarios::repeat_shifted(&args.file, to, args.repeat)?;
        writeln!(out, "{} packets in {}", packets, to.display())?;
        return Ok(ExitCode::SUCCESS);
    }
    let measured = measure::decode(&args.file, args.workers, args.count_keys)?;
    match args.format {
        Shape::Json => writeln!(out, "{}", measured.json(&args.file, args.workers))?,
        Shape::Text => writeln!(out, "{}", measured.text())?,
    }
    Ok(ExitCode::SUCCESS)
}
