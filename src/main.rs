//! `lidr`: a thin binary. It reads the command line, connects the crates, and says in plain words what went wrong.

mod account;
mod args;
mod args_deliver;
mod args_evidence;
mod args_live;
mod args_operate;
mod args_report;
mod bench;
mod case;
mod certification;
mod copies;
mod deliver;
mod demo;
mod doctor;
mod evidence;
mod explain;
mod folder;
mod hear;
mod hunt;
mod incident;
mod inputs;
mod judge;
mod key;
mod live;
mod log;
mod manual;
mod out;
mod refresh;
mod replay;
mod report;
mod rights;
mod rules;
#[cfg(feature = "kafka")]
mod sensor;
mod settings;
mod simulate;
mod sources;
#[cfg(feature = "kafka")]
mod state;
mod stop;
mod take;
mod taps;
#[cfg(feature = "kafka")]
mod watch;

use std::process::ExitCode;

use args::{Cli, Verb};
use lidr_benches::usage;
use settings::Properties;

// Measured best for both speed and memory on the packet path (benches/RESULTS.md).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    log::foresee();
    let (cli, properties) = match settings::parse() {
        Ok(parsed) => parsed,
        Err(error) => return refuse(&error),
    };
    log::start(&cli);
    match run(cli, &properties) {
        Ok(code) => code,
        Err(error) => refuse(&error),
    }
}

fn run(cli: Cli, properties: &Properties) -> anyhow::Result<ExitCode> {
    let quiet = cli.quiet;
    match cli.verb {
        Verb::Replay(args) => replay::run(&args, quiet),
        Verb::Hunt(args) => hunt::run(&args, quiet),
        Verb::Rules(args) => rules::run(&args),
        Verb::Sources(args) => sources::run(&args),
        Verb::Explain(args) => explain::run(&args),
        Verb::Evidence(args) => evidence::run(&args),
        Verb::Report(verb) => report::run(&verb),
        Verb::Simulate(args) => simulate::run(&args),
        Verb::Bench(args) => bench::run(&args),
        Verb::Demo(args) => demo::run(&args),
        Verb::Live(args) => live::run(&args, quiet),
        Verb::Doctor(args) => doctor::run(&args, properties),
        Verb::Settings(args) => settings::list::run(&args),
        Verb::Completions(args) => manual::completions(&args),
        Verb::Man(args) => manual::pages(&args),
        #[cfg(feature = "kafka")]
        Verb::Sensor(args) => sensor::run(&args, properties, quiet),
        #[cfg(feature = "kafka")]
        Verb::Watch(args) => watch::run(&args, properties, quiet),
        #[cfg(not(feature = "kafka"))]
        Verb::Sensor(_) | Verb::Watch(_) => {
            let _ = properties;
            anyhow::bail!("this lidr was built without Kafka: build it with the default features")
        }
    }
}

/// Exit status 2: it could not be done.
fn refuse(error: &anyhow::Error) -> ExitCode {
    // Nothing can be done where standard error itself is gone.
    drop(log::complain(&format!("{error:#}")));
    ExitCode::from(2)
}
