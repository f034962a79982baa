//! `lidr doctor`: what lidr needs to work here, looked at piece by piece; each line says how it stands and what to do next.
//!
//! Without options it checks what a laptop can show, and says what it did not check and which option would. The options have the names
//! of those of the verbs, so that settings file and environment of a unit are what is tried:
//! `LIDR_CONFIG=/etc/lidr/watch.toml lidr doctor`. Nothing is changed: a folder is tried with a file that is taken away again, an interface
//! is opened and closed, a broker is asked and not written to. Exit status: 0 where nothing failed, 2 where something did; a warning, and what was
//! not checked, are no failures. A new group of checks is its file here and its line in [`GROUPS`].
#[cfg(feature = "kafka")]
mod broker;
mod capture;
mod check;
mod clock;
mod propose;
mod protocols;
mod rights;
mod rules;
mod site;
#[cfg(feature = "kafka")]
mod topics;

use std::{io::Write, process::ExitCode};

use check::{Check, State};
use lidr_schema::Key;

use crate::{
    args::{Doctor, Shape},
    key,
    settings::Properties,
};

/// What the checks look at.
struct Asked<'a> {
    args: &'a Doctor,
    /// librdkafka's properties of the settings file.
    properties: &'a Properties,
    /// The key that a run would have, if one is at hand and sound.
    key: anyhow::Result<Option<Key>>,
}

impl Asked<'_> {
    /// The key at hand; where there is none, one with which tables can be read, and that is no secret: nothing that it hashes is kept.
    fn any_key(&self) -> anyhow::Result<Key> {
        match &self.key {
            Ok(Some(key)) => Ok(key.clone()),
            _ => Ok(Key::from_hex(&"00".repeat(32))?),
        }
    }
}

/// A group of checks.
type Group = (&'static str, fn(&Asked<'_>) -> Vec<Check>);

/// Every group, in the order in which they are told.
const GROUPS: &[Group] = &[
    ("capture", capture::checks),
    ("folders and key", rights::checks),
    ("clock", clock::checks),
    ("site tables", site::checks),
    ("rules", rules::checks),
    #[cfg(feature = "kafka")]
    ("broker and topics", broker::checks),
    ("protocols", protocols::checks),
];

pub(crate) fn run(args: &Doctor, properties: &Properties) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    if args.protocols {
        out.write_all(protocols::list(args.format).as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(dir) = &args.out_site {
        return propose::run(args, dir);
    }
    let asked = Asked { args, properties, key: key::at_hand(&args.key) };
    let mut all = Vec::new();
    for (group, checks) in GROUPS {
        let checks = checks(&asked);
        let text = match args.format {
            Shape::Json => checks.iter().map(|c| c.json(group)).collect(),
            Shape::Text => format!("{group}\n{}\n", checks.iter().map(Check::text).collect::<String>()),
        };
        out.write_all(text.as_bytes())?;
        out.flush()?;
        all.extend(checks);
    }
    if args.format == Shape::Text {
        writeln!(out, "{}", check::total(&all))?;
    }
    let failed = all.iter().any(|c| c.state == State::Fail);
    Ok(if failed { ExitCode::from(2) } else { ExitCode::SUCCESS })
}
