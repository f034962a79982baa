//! Labelled attack and benign traffic: no public captures of lawful-intercept abuse exist, so lidr writes its own.
//!
//! [`write()`] makes a folder with `capture.pcap`, for some `lims-audit.ndjson`, `site/` (the tables that a carrier would give) and `expected.yml`: what must be
//! found (`expect`, each with code, level and sometimes entity), what may be found beside it (`allow`), and what later rules will
//! find (`later`). The same seed writes the same octets. A twin `NAME-benign` is the same trace without the attack.
mod background;
mod expected;
mod lab;
mod net;
mod quiet;
mod rng;
mod s12;
mod s3;
mod s4;
mod s5;
mod shift;
mod tcp;
mod trace;
mod when;
mod wire;

use std::{fs, io, path::Path};

pub use expected::{Expected, Item, expected};
use net::Net;
use rng::Rng;
pub use shift::repeat_shifted;

/// A scenario.
#[derive(Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What happens in it.
    pub title: &'static str,
    build: fn(&mut Net) -> Result<(), ScenarioError>,
    expected: &'static str,
    warrants: &'static str,
    /// Site tables that differ from those of the lab.
    site: &'static [(&'static str, &'static str)],
}

/// How it is written.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The same seed writes the same octets.
    pub seed: u64,
    /// Packets of background traffic, about.
    pub background: u64,
}

/// What was written.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    /// Packets in the capture.
    pub packets: u64,
}

/// Why a scenario cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// No scenario of that name.
    #[error("no scenario `{0}`: needed one of {1}")]
    Unknown(String, String),
    /// A packet that cannot be made.
    #[error("packet: {0}")]
    Packet(String),
    /// The folder.
    #[error("{0}: {1}")]
    Io(String, io::Error),
    /// `expected.yml` does not read.
    #[error("expected.yml: {0}")]
    Expected(String),
}

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "s3",
        title: "an intruder lists the taps of a router and switches on one of his own, by SNMP",
        build: |net| s3::lawful(net).and_then(|()| s3::attack(net)),
        expected: s3::EXPECTED,
        warrants: s3::WARRANTS,
        site: &[],
    },
    Scenario {
        name: "s3-benign",
        title: "the same network with its three lawful taps only",
        build: s3::lawful,
        expected: s3::EXPECTED_BENIGN,
        warrants: s3::WARRANTS,
        site: &[],
    },
    Scenario {
        name: "s4",
        title: "the destination of a lawful tap is redirected at night over X1, and restored",
        build: |net| s4::lawful(net, true).and_then(|()| s4::attack(net)),
        expected: s4::EXPECTED,
        warrants: s4::WARRANTS,
        site: &[],
    },
    Scenario {
        name: "s4-benign",
        title: "the same night with both lawful taps delivered where they belong",
        build: |net| s4::lawful(net, false),
        expected: s4::EXPECTED_BENIGN,
        warrants: s4::WARRANTS,
        site: &[],
    },
    Scenario {
        name: "s5",
        title: "software on an element copies a hundred subscribers' product to addresses outside, and no list shows it",
        build: s5::attack,
        expected: s5::EXPECTED,
        warrants: s4::WARRANTS,
        site: &[],
    },
    Scenario {
        name: "s5-benign",
        title: "the same element with its two lawful tasks only",
        build: |net| s5::lawful(net, &[lab::MDF]),
        expected: s4::EXPECTED_BENIGN,
        warrants: s4::WARRANTS,
        site: &[],
    },
    Scenario {
        name: "s12",
        title: "a clerk's account exports the register at night, moves an order back and taps four telephones for minutes",
        build: |net| s12::lawful(net).and_then(|()| s12::attack(net)),
        expected: s12::EXPECTED,
        warrants: s12::WARRANTS,
        site: s12::SITE,
    },
    Scenario {
        name: "s12-benign",
        title: "the same night with a renewal and the auditor's export only",
        build: s12::lawful,
        expected: s12::EXPECTED_BENIGN,
        warrants: s12::WARRANTS,
        site: s12::SITE,
    },
    Scenario {
        name: "quiet-benign",
        title: "everything that looks like abuse of intercepts and is none: failover, emergency, renewal, migration, tests, audit",
        build: quiet::day,
        expected: quiet::EXPECTED,
        warrants: quiet::WARRANTS,
        site: quiet::SITE,
    },
];

/// Every scenario.
#[must_use]
pub fn list() -> &'static [Scenario] {
    SCENARIOS
}

/// Writes a scenario into a folder.
///
/// # Errors
/// If there is none of that name or the folder cannot be written.
pub fn write(name: &str, dir: &Path, options: &Options) -> Result<Written, ScenarioError> {
    let Some(scenario) = SCENARIOS.iter().find(|s| s.name == name) else {
        let names = SCENARIOS.iter().map(|s| s.name).collect::<Vec<_>>().join(", ");
        return Err(ScenarioError::Unknown(name.to_owned(), names));
    };
    // The twin shares the seed of its attack, so that the rest of the trace is the same.
    let mut net = Net::new(Rng::part(options.seed, name.trim_end_matches("-benign")));
    background::write(&mut net, options.background)?;
    (scenario.build)(&mut net)?;
    let io = |path: &Path| {
        let name = path.display().to_string();
        move |e| ScenarioError::Io(name, e)
    };
    let site = dir.join("site");
    fs::create_dir_all(&site).map_err(io(&site))?;
    let of_lab =
        lab::TABLES.iter().copied().filter(|(table, _)| !scenario.site.iter().any(|(other, _)| other == table));
    for (table, text) in of_lab.chain(scenario.site.iter().copied()).chain([("warrants.csv", scenario.warrants)]) {
        let path = site.join(table);
        fs::write(&path, text).map_err(io(&path))?;
    }
    let path = dir.join("expected.yml");
    fs::write(&path, scenario.expected).map_err(io(&path))?;
    if !net.audit.is_empty() {
        let path = dir.join("lims-audit.ndjson");
        net.audit.sort_by_key(|(at, _)| *at);
        let text: String = net.audit.iter().map(|(_, line)| format!("{line}\n")).collect();
        fs::write(&path, text).map_err(io(&path))?;
    }
    let path = dir.join("capture.pcap");
    let mut out = io::BufWriter::new(fs::File::create(&path).map_err(io(&path))?);
    net.trace.write(&mut out).map_err(io(&path))?;
    io::Write::flush(&mut out).map_err(io(&path))?;
    Ok(Written { packets: net.trace.len() as u64 })
}

#[cfg(test)]
mod tests;
