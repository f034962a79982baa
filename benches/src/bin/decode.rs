//! `lidr bench` without the query engine: what `scripts/run-benches` builds in minutes.
//!
//! `lidr-decode FILE [WORKERS]` prints what decoding the capture costs, `--count-keys` before it counts distinct flow keys, too,
//! `--without NAME,…` leaves protocols out, so that the difference is what they cost;
//! `lidr-decode rows WORKERS FILE…` prints a hash of each table's rows, to be compared before and after a change;
//! `lidr-decode repeat FILE OUT TIMES` writes a capture several times over with its times moved on; `lidr-decode simulate DIR
//! PACKETS` writes background traffic.
use std::{env, io::Write, path::Path};

use anyhow::{Context, bail};
use lidr_benches::{measure, rows};
use lidr_scenarios::Options;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut out = std::io::stdout();
    match words.as_slice() {
        ["repeat", file, to, times] => {
            let times = times.parse().context("TIMES: needed a number")?;
            writeln!(
                out,
                "{} packets in {to}",
                lidr_scenarios::repeat_shifted(Path::new(file), Path::new(to), times)?
            )?;
        }
        ["simulate", dir, packets] => {
            let background = packets.parse().context("PACKETS: needed a number")?;
            let written = lidr_scenarios::write("s3", Path::new(dir), &Options { seed: 1, background })?;
            writeln!(out, "{} packets in {dir}", written.packets)?;
        }
        ["rows", workers, files @ ..] => {
            let workers = workers.parse().context("WORKERS: needed a number")?;
            files.iter().try_for_each(|file| match rows::hashes(Path::new(file), workers) {
                Ok(text) => write!(out, "{text}"),
                Err(error) => writeln!(out, "{error}"),
            })?;
        }
        ["--without", names, file] => writeln!(out, "{}", measure::decode_without(Path::new(file), names)?.text())?,
        ["--count-keys", file] => writeln!(out, "{}", measure::decode(Path::new(file), 1, true)?.text())?,
        [file] => writeln!(out, "{}", measure::decode(Path::new(file), 1, false)?.text())?,
        [file, workers] => {
            let workers = workers.parse().context("WORKERS: needed a number")?;
            writeln!(out, "{}", measure::decode(Path::new(file), workers, false)?.text())?;
        }
        _ => bail!(
            "needed [--count-keys | --without NAME,…] FILE [WORKERS], `rows WORKERS FILE…`, `repeat FILE OUT TIMES` or `simulate DIR PACKETS`"
        ),
    }
    Ok(())
}
