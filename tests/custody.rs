//! No raw identifier of a target, task or order leaves lidr: every output of every scenario is searched for every one of them.
//!
//! The words come from the register that the scenario wrote. Short numbers (content ids) would be found in any counter and are not
//! searched for; addresses of targets are addresses of conversations too, and are only searched for where conversations are not listed.
use std::{fs, net::IpAddr, path::Path};

use crate::{
    lidr::{Simulated, lidr, ok},
    three_modes::NAMES,
};

/// Letters of the shortest word that is searched for.
const SHORTEST: usize = 8;

/// Columns of the register that nobody may see.
const SECRET: [&str; 4] = ["order", "selector", "xid", "liid"];

/// The register's identifiers, and those that only the traffic names; addresses apart.
pub(crate) fn words(s: &Simulated) -> (Vec<String>, Vec<String>) {
    let text = fs::read_to_string(s.path("site/warrants.csv")).unwrap();
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap().split(',').collect();
    let cells = lines.flat_map(|line| columns.iter().copied().zip(line.split(',')).collect::<Vec<_>>());
    let mut all: Vec<String> = cells.filter(|(c, cell)| SECRET.contains(c) && cell.len() >= SHORTEST).map(|(_, cell)| cell.to_owned()).collect();
    let audit = fs::read_to_string(s.path("lims-audit.ndjson")).unwrap_or_default();
    for line in audit.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let found = [&value["order"], &value["xid"], &value["liid"], &value["target"]["value"]];
        all.extend(found.into_iter().filter_map(|v| v.as_str()).filter(|t| t.len() >= SHORTEST).map(str::to_owned));
    }
    all.sort();
    all.dedup();
    all.into_iter().partition(|word| word.parse::<IpAddr>().is_err())
}

pub(crate) fn search(octets: &[u8], words: &[String], place: &str) {
    for word in words {
        let found = octets.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word.as_bytes()));
        assert!(!found, "{place} holds `{word}` in clear");
    }
}

/// Everything that a run wrote, file by file.
fn search_folder(dir: &Path, words: &[String], name: &str) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => search_folder(&path, words, name),
            false => search(&fs::read(&path).unwrap(), words, &format!("{name}: {}", path.display())),
        }
    }
}

#[test]
fn no_output_of_any_scenario_holds_an_identifier_in_clear() {
    for name in NAMES {
        let s = Simulated::new(name, 500);
        let (words, addresses) = words(&s);
        assert!(words.len() >= 2, "{name}: nothing to search for");
        let (out, lake) = (s.path("out"), s.path("lake"));
        let mut args = vec!["replay".to_owned()];
        args.extend(s.inputs());
        args.extend(["--site", &s.path("site"), "--out", &out, "--lake", &lake, "-vv"].map(str::to_owned));
        let run = lidr(&args);
        assert!(run.status.success(), "{name}: {}", String::from_utf8_lossy(&run.stderr));
        let both = [words.clone(), addresses.clone()].concat();
        search(&run.stdout, &both, &format!("{name}: findings as text"));
        search(&run.stderr, &both, &format!("{name}: log and summary"));
        search_folder(out.as_ref(), &words, name);
        search_folder(lake.as_ref(), &words, name);
        for table in ["tasking", "delivery", "mgmt", "auth", "signal", "http", "oddity", "mark"] {
            // Parquet is compressed: what a reader sees is searched, too.
            let text = ok(["hunt", "--lake", &lake, "--sql", &format!("SELECT * FROM {table}"), "--format", "json"]);
            search(text.as_bytes(), &words, &format!("{name}: table {table}"));
        }
        let own = "SELECT target, target_kind, target_list, did, status, message FROM tasking";
        let text = ok(["hunt", "--lake", &lake, "--sql", own, "--format", "json"]);
        search(text.as_bytes(), &addresses, &format!("{name}: targets of tasking"));
    }
}
