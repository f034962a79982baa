//! `lidr demo`: an attack in background traffic, found, and told to somebody who has never seen lidr.
use std::{io::Write, path::Path, process::ExitCode};

use clap::Parser;

use crate::{
    args::{Cli, Demo, Verb},
    replay,
};

const INTRODUCTION: &str = "\
A carrier's routers can copy a subscriber's traffic for the police: lawful interception. Whoever controls that function can tap
anybody. This demo writes a capture of a small carrier network: ordinary web, DNS, SSH and monitoring traffic, three taps that have
a court order, and one intruder who lists the taps of router pe1 and then switches on one of his own, over SNMP.
lidr replays the capture beside the site's tables (zones, elements, destinations, the register of orders).
";

pub(crate) fn run(args: &Demo) -> anyhow::Result<ExitCode> {
    let dir =
        args.out.clone().unwrap_or_else(|| std::env::temp_dir().join(format!("lidr-demo-{}", std::process::id())));
    let mut out = std::io::stdout();
    writeln!(out, "{INTRODUCTION}")?;
    let options = lidr_scenarios::Options { seed: 1, background: args.background };
    let written = lidr_scenarios::write("s3", &dir, &options)?;
    writeln!(out, "Wrote {} packets to {}\n", written.packets, dir.join("capture.pcap").display())?;
    out.flush()?;
    let (capture, site, found) = (dir.join("capture.pcap"), dir.join("site"), dir.join("findings"));
    let code = replay_as_a_user_would(&capture, &site, &found)?;
    writeln!(out, "{}", next(&capture, &site, &found))?;
    Ok(code)
}

fn replay_as_a_user_would(capture: &Path, site: &Path, found: &Path) -> anyhow::Result<ExitCode> {
    let words = ["lidr".as_ref(), "replay".as_ref(), capture.as_os_str(), "--site".as_ref(), site.as_os_str()];
    let words = words.into_iter().chain(["--out".as_ref(), found.as_os_str(), "--force".as_ref()]);
    match Cli::try_parse_from(words)?.verb {
        Verb::Replay(args) => replay::run(&args, false),
        _ => anyhow::bail!("the replay verb is gone"),
    }
}

fn next(capture: &Path, site: &Path, found: &Path) -> String {
    format!(
        "\nLook at next:\n\
         - the findings as OCSF lines with frame numbers: {found}/findings.ndjson\n\
         - one of them in full, by the id above:         lidr explain ID --from {found} --site {site}\n\
         - all of it as a page to hand over:            lidr report incident --from {found} --html report.html\n\
         - the packets themselves, by frame number:       {capture}\n\
         - what the carrier told lidr about itself:       {site}\n\
         - why a rule fires and what it cannot see:       lidr rules show LI-01\n\
         - your own capture:                              lidr replay FILE.pcap [--site DIR]",
        found = found.display(),
        capture = capture.display(),
        site = site.display(),
    )
}
