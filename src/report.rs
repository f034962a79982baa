//! `lidr report`: one file a report.
use std::process::ExitCode;

use crate::{args::Report, certification, incident, taps};

pub(crate) fn run(verb: &Report) -> anyhow::Result<ExitCode> {
    match verb {
        Report::Certification(args) => certification::run(args),
        Report::Taps(args) => taps::run(args),
        Report::Incident(args) => incident::run(args),
    }
}
