//! No raw identifier of a target, task or order leaves lidr: every output of every scenario is searched for every one of them.
//!
//! The words come from the register that the scenario wrote. Short numbers (content ids) would be found in any counter and are not
//! searched for; addresses of targets are addresses of conversations too, and are only searched for where conversations are not listed.
use std::{
    fs::{self, File},
    net::IpAddr,
    path::Path,
};

use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::{
    lidr::{Simulated, ok},
    runs::{NAMES, replayed},
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
    let mut all: Vec<String> = cells
        .filter(|(c, cell)| SECRET.contains(c) && cell.len() >= SHORTEST)
        .map(|(_, cell)| cell.to_owned())
        .collect();
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

/// The same of the copies of the site's tables that a run kept.
pub(crate) fn search_copies(dir: &Path, words: &[String]) -> usize {
    search_folder(dir, words, "copies");
    search_lake(dir, words, &[], "copies")
}

/// Parquet is compressed: what a reader sees is searched, too. Targets must not be addresses either. Gives the rows that were read.
fn search_lake(dir: &Path, words: &[String], addresses: &[String], name: &str) -> usize {
    let mut rows = 0;
    for path in fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            rows += search_lake(&path, words, addresses, name);
        } else if path.extension().is_some_and(|e| e == "parquet") {
            let place = format!("{name}: {}", path.display());
            let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
            for row in reader.get_row_iter(None).unwrap() {
                let row = row.unwrap();
                rows += 1;
                search(row.to_string().as_bytes(), words, &place);
                for (column, value) in row.get_column_iter() {
                    if ["target", "target_kind", "target_list", "did", "status", "message"].contains(&column.as_str()) {
                        search(value.to_string().as_bytes(), addresses, &format!("{place}, {column}"));
                    }
                }
            }
        }
    }
    rows
}

#[test]
fn no_output_of_any_scenario_holds_an_identifier_in_clear() {
    for name in NAMES {
        let run = replayed(name);
        let (words, addresses) = words(&run.s);
        assert!(words.len() >= 2, "{name}: nothing to search for");
        let both = [words.clone(), addresses.clone()].concat();
        let [findings, log] = &run.told;
        search(findings, &both, &format!("{name}: findings as text"));
        search(log, &both, &format!("{name}: log and summary"));
        search_folder(&run.out, &words, name);
        search_folder(run.lake.as_ref(), &words, name);
        assert!(search_copies(&run.out.join("site"), &words) > 0, "{name}: no copy of the site was kept");
        let taps = ok(["report", "taps", "--from", &run.lake, "--site", &run.s.path("site"), "--format", "json"]);
        search(taps.as_bytes(), &both, &format!("{name}: the report of all taps"));
        let page = run.s.path("incident.html");
        ok(["report", "incident", "--from", run.out.to_str().unwrap(), "--html", &page]);
        search(&fs::read(&page).unwrap(), &words, &format!("{name}: the incident report"));
        assert!(search_lake(run.lake.as_ref(), &words, &addresses, name) > 100, "{name}: the lake was not read");
    }
}
