//! Record files from their octets to rows: the samples against their golden rows, the merge with captures, and everything that
//! can be wrong with a mapping or a record.
use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use lidr_schema::{Ip, Key};
use proptest::prelude::*;

use super::*;
use crate::{
    source::{Bytes, Input, Reader, SourceError},
    summary::Summary,
    testing::{self, Lines, S, START},
};

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../sources/samples")
}

fn key() -> Key {
    Key::from_hex(&"0b".repeat(32)).unwrap()
}

/// With lidr's own mappings alone.
static BUILT_IN_ALONE: LazyLock<Arc<Sources>> = LazyLock::new(|| sources(&[]).unwrap());

fn sources(mappings: &[(&str, &str)]) -> Result<Arc<Sources>, MappingError> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in mappings {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let hosts = BTreeMap::from([
        ("PE1".to_owned(), Ip::v4([10, 0, 0, 1])),
        ("admf-console".to_owned(), Ip::v4([10, 66, 0, 10])),
    ]);
    let dirs: &[PathBuf] = if mappings.is_empty() { &[] } else { &[dir.path().to_owned()] };
    Sources::load(dirs, &hosts, &key())
}

/// Files in a folder that goes when this does.
struct Files {
    _dir: tempfile::TempDir,
}

impl Files {
    fn new(files: &[(&str, &[u8])]) -> (Self, Vec<Input>) {
        let dir = tempfile::tempdir().unwrap();
        let mut inputs = Vec::new();
        for (name, octets) in files {
            let path = dir.path().join(name);
            fs::write(&path, octets).unwrap();
            inputs.push(Input::Path { sensor: None, path });
        }
        (Self { _dir: dir }, inputs)
    }
}

fn read(files: &[(&str, &[u8])], sources: &Arc<Sources>, workers: usize) -> (Lines, Summary) {
    let (_dir, inputs) = Files::new(files);
    testing::lines_of(&inputs, Some(sources), workers)
}

fn refused(files: &[(&str, &[u8])], sources: &Arc<Sources>) -> String {
    let (_dir, inputs) = Files::new(files);
    match Reader::open_with(&inputs, Some(sources)) {
        Err(error @ SourceError::Open { .. }) => error.to_string(),
        other => panic!("opened: {other:?}"),
    }
}

/// A row as people read it: what it says, without what every row says.
fn shown(table: &str, line: &testing::Line) -> String {
    let mut out = format!("{table} {}:{}", line["file"], line["frame"]);
    let silent = ["file", "frame", "due", "sensor", "capture", "decoder", "trust", "n", "ts"];
    for (name, value) in line.iter().filter(|(n, _)| !silent.contains(&n.as_str())) {
        let address = value.strip_prefix("00000000000000000000ffff").filter(|v| v.len() == 8);
        let text = match address.and_then(|v| u32::from_str_radix(v, 16).ok()) {
            Some(v4) => std::net::Ipv4Addr::from(v4).to_string(),
            None => value.clone(),
        };
        if !text.is_empty() && text != "0" && text != "false" && !text.trim_matches('0').is_empty() {
            out.push_str(&format!(" {name}={text}"));
        }
    }
    out
}

fn golden(name: &str) {
    let sources = &*BUILT_IN_ALONE;
    let input = Input::Path { sensor: None, path: samples().join(name) };
    let (lines, summary) = testing::lines_of(&[input], Some(sources), 1);
    let mut all: Vec<(i64, String)> = Vec::new();
    for (table, rows) in &lines.tables {
        all.extend(rows.iter().map(|row| (row["ts"].parse().unwrap(), shown(table, row))));
    }
    all.sort_by_key(|(ts, _)| *ts);
    let mut text: String = all
        .iter()
        .map(|(ts, row)| {
            let at = jiff::Timestamp::from_microsecond(*ts).unwrap();
            format!("{at} {row}\n")
        })
        .collect();
    let counts = summary.inputs[0].records.clone().unwrap();
    text.push_str(&serde_json::to_string_pretty(&counts).unwrap());
    text.push('\n');
    let path = samples().join(format!("{name}.rows"));
    if std::env::var_os("LIDR_BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, golden, "{name}: LIDR_BLESS=1 writes the rows anew");
    let raw = ["001010123456789", "W-2026-0117", "LI-117", "LI-118", "198.51.100.0", "hunter2", "hush", "29f28e1c"];
    for identifier in raw {
        assert!(!text.to_lowercase().contains(&identifier.to_lowercase()), "{name} shows {identifier}");
    }
}

#[test]
fn an_audit_log_as_ndjson() {
    golden("lims-audit.ndjson");
}

#[test]
fn a_task_dump_as_csv() {
    golden("task-export-pe1.csv");
}

#[test]
fn messages_of_routers_as_syslog() {
    golden("cisco-ios-2026.log");
}

#[test]
fn accounting_as_lines_with_tabs() {
    golden("tac_plus.acct");
}

const SMALL: &str = r"
title: small
format: ndjson
files: ['*.rec']
time: {field: t, format: epoch_us}
rows:
  - table: mgmt
    columns: {protocol: {is: cli}, op: {is: command}, actor: host, ne: ne, value: text, varbinds: n}
";

fn record(at: i64, text: &str) -> String {
    format!("{{\"t\":{at},\"ne\":\"pe1\",\"text\":\"{text}\"}}\n")
}

#[test]
fn records_and_packets_are_one_order_whoever_works() {
    let sources = sources(&[("small.yml", SMALL)]).unwrap();
    let packets = testing::pcap(&testing::ticking(START, START + 4 * S));
    // Out of order in its file, and at times between packets.
    let log: String =
        [(2, "c"), (0, "a"), (1, "b"), (3, "d")].map(|(i, text)| record(START + i * S + 1, text)).concat();
    let files: [(&str, &[u8]); 2] = [("a.pcap", &packets), ("b.rec", log.as_bytes())];
    let (one, summary) = read(&files, &sources, 1);
    assert_eq!(one.columns("mgmt", &["value", "file", "frame"]), ["a b.rec 2", "b b.rec 3", "c b.rec 1", "d b.rec 4"]);
    let same = |line: &testing::Line| line["due"] == line["ts"] && line["capture"] == "test-00001";
    assert!(one.of("mgmt").iter().all(same), "{:?}", one.of("mgmt"));
    assert_eq!((summary.records.read, summary.records.mapped, summary.packets), (4, 4, 800));
    assert_eq!(one.of("oddity"), []);
    for workers in [2, 4] {
        assert!(read(&files, &sources, workers).0 == one, "{workers} workers");
    }
}

#[test]
fn a_sparse_log_long_before_a_capture_moves_the_clock_and_none_of_it_is_odd() {
    let sources = sources(&[("small.yml", SMALL)]).unwrap();
    let day = 86_400 * S;
    let packets = testing::pcap(&testing::ticking(START, START + S));
    let log: String =
        (1..=30).map(|i| record(START - i * 9 * day, "x")).chain([record(START + 20 * day, "after")]).collect();
    let (lines, _) = read(&[("a.pcap", &packets), ("b.rec", log.as_bytes())], &sources, 1);
    assert_eq!(lines.of("oddity"), []);
    assert!(lines.of("mgmt").iter().all(|l| l["due"] == l["ts"]), "records are due when they happened");
    assert!(lines.of("flow").iter().all(|l| l["due"].parse::<i64>().unwrap() >= START), "{:?}", lines.of("flow"));
}

#[test]
fn one_packet_from_the_future_is_odd_beside_a_log_too() {
    let sources = sources(&[("small.yml", SMALL)]).unwrap();
    let mut packets = testing::ticking(START, START + S);
    packets[100].0 += 500 * 86_400 * S;
    let (lines, _) =
        read(&[("a.pcap", &testing::pcap(&packets)), ("b.rec", record(START + 7, "x").as_bytes())], &sources, 1);
    assert_eq!(lines.columns("oddity", &["kind", "frame"]), ["time_ahead 101"]);
}

#[test]
fn bad_records_are_oddities_with_their_line_and_the_rest_is_read() {
    let sources = sources(&[("small.yml", SMALL)]).unwrap();
    let long = format!("{{\"t\":{START},\"text\":\"{}\"}}\n", "x".repeat(600_000));
    let bad = [
        "no json\n",
        &record(START, "first"),
        "[1]\n",
        "{\"text\":\"no time\"}\n",
        "{\"t\":5}\n",
        "{\"t\":\"soon\"}\n",
        &format!("{{\"t\":{START},\"ne\":\"10.0.0.999\"}}\n"),
        &format!("{{\"t\":{START},\"n\":-1}}\n"),
        &long,
        "\n",
        &record(START + 5, "last").replace('\n', ""),
    ];
    let (lines, summary) = read(&[("a.rec", bad.concat().as_bytes())], &sources, 1);
    assert_eq!(
        lines.columns("oddity", &["kind", "stage", "detail", "file", "frame"]),
        [
            "malformed record not JSON a.rec 1",
            "malformed record not a JSON object a.rec 3",
            "malformed record time a.rec 4",
            "malformed record time out of range a.rec 5",
            "malformed record time a.rec 6",
            "malformed record ne a.rec 7",
            "malformed record varbinds a.rec 8",
            "malformed record too long a.rec 9",
        ]
    );
    assert_eq!(lines.columns("mgmt", &["value", "frame"]), ["first 2", "last 11"]);
    let counts = summary.inputs[0].records.clone().unwrap();
    assert_eq!((counts.read, counts.mapped, counts.malformed), (10, 2, 8));
    assert_eq!(summary.oddities["malformed"], 8);
    let told = counts.first_malformed.join("\n");
    assert!(told.contains("a.rec:1: not JSON") && told.contains("small.yml"), "{told}");
    assert!(told.contains("a.rec:6: time, had `soon`"), "{told}");
}

#[test]
fn files_that_cannot_be_used_say_what_was_tried() {
    let sources = sources(&[("small.yml", SMALL), ("csv.yml", CSV)]).unwrap();
    let text = refused(&[("what.bin", b"hello world, no capture")], &sources);
    for word in ["what.bin", "not a capture", "68656c6c", "small (*.rec)", "lims-audit", "CONTRIBUTING"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let text = refused(&[("a.rec", b"no\nnone\n")], &sources);
    assert!(
        text.contains("none of its 2 records") && text.contains("line 1: not JSON") && text.contains("small.yml"),
        "{text}"
    );
    let text = refused(&[("a.csv", b"when;wat\n2026-11-20;x\n")], &sources);
    assert!(
        text.contains("line 1: no column `what`") && text.contains("did you mean `wat`") && text.contains("csv.yml:6"),
        "{text}"
    );
    assert!(refused(&[("empty", b"")], &sources).contains("empty"));
    let (lines, summary) = read(&[("a.rec", b""), ("b.csv", b""), ("c.csv", b"when;what\n")], &sources, 1);
    assert!(lines.tables.is_empty() && summary.records == Default::default(), "a log may be empty");
}

const CSV: &str = r"title: t
format: csv
delimiter: ';'
files: '*.csv'
time: {field: when}
rows: [{table: mgmt, columns: {protocol: {is: cli}, op: {is: command}, value: what}}]
";

#[test]
fn compressed_logs_are_read_and_damaged_ones_as_far_as_they_go() {
    let sources = sources(&[("small.yml", SMALL)]).unwrap();
    let log: String = (0..2000).map(|i| record(START + i, &format!("{}", i * 7919 % 1000))).collect();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(log.as_bytes()).unwrap();
    let gz = gz.finish().unwrap();
    let zst = zstd::encode_all(log.as_bytes(), 1).unwrap();
    let (lines, _) = read(&[("a.rec.gz", &gz)], &sources, 1);
    assert_eq!(lines.of("mgmt").len(), 2000);
    assert_eq!(read(&[("a.rec.zst", &zst)], &sources, 1).0.of("mgmt").len(), 2000);
    let (lines, summary) = read(&[("a.rec.gz", &gz[..gz.len() / 2])], &sources, 1);
    let rows = lines.of("mgmt").len();
    assert!(summary.inputs[0].truncated && rows > 100 && rows < 2000, "{rows} rows");
    assert!(lines.columns("oddity", &["kind"]).contains(&"truncated".to_owned()));
}

#[test]
fn a_file_larger_than_can_be_sorted_leaves_what_is_too_late_and_counts_it() {
    let sources = sources(&[("small.yml", SMALL)]).unwrap();
    let log = [(5, "e"), (1, "a"), (4, "d"), (2, "b"), (6, "f"), (0, "late"), (7, "g")]
        .map(|(i, t)| record(START + i, t))
        .concat();
    let order = |most_held| {
        let bytes = Bytes::new(Box::new(std::io::Cursor::new(log.as_bytes().to_vec()))).unwrap();
        let mapping = sources.find("a.rec").unwrap().unwrap();
        let mut log = LogFile::open(most_held, bytes, 0, "a.rec", mapping, Arc::clone(&sources)).unwrap().unwrap();
        let numbers: Vec<u64> = std::iter::from_fn(|| log.next().unwrap()).map(|l| l.number).collect();
        (numbers, log.counts().unsorted)
    };
    assert_eq!(order(100), (vec![6, 2, 4, 3, 1, 5, 7], 0));
    assert_eq!(order(3), (vec![2, 4, 3, 6, 1, 5, 7], 1));
}

#[test]
fn mappings_say_everything_that_is_wrong_with_them() {
    let text = r"title: wrong
format: cvs
files: x
";
    let said = |text: &str| sources(&[("m.yml", text)]).unwrap_err().to_string();
    assert!(
        said(text).contains("m.yml:2: needed ndjson, csv, syslog or text, had `cvs`, did you mean `csv`?"),
        "{}",
        said(text)
    );
    let text = r"title: wrong
format: syslog
files: x
tyme: {zone: UTC}
patterns: [{field: content, regex: '(?<verb>\w+'}]
rows:
  - table: tasking
    columns:
      op: {field: hots, map: {a: make}}
      task: message
      target: {field: message, kind: imzi}
      actr: host
      due: host
      dest_port: {is: high}
  - table: flow
    columns: {}
  - table: auth
    columns: {user: app}
";
    let all = said(text);
    for problem in [
        "m.yml:4: no key `tyme`, did you mean `time`?",
        "m.yml:5: `regex`: unclosed group",
        "m.yml:9: `op`: needed an operation of tasking",
        "m.yml:10: `task` is an identifier: needed its `kind`",
        "m.yml:11: no kind of identifier `imzi`",
        "m.yml:12: table `tasking` has no column `actr`, did you mean `actor`?",
        "m.yml:13: column `due` is filled by lidr itself",
        "m.yml:14: `dest_port`: needed a whole number from 0, had `high`",
        "m.yml:15: needed table tasking, auth or mgmt, had `flow`",
        "m.yml:17: rows of `auth` need column `service`",
        "m.yml:9: records of this format have no field `hots`, did you mean `host`?",
    ] {
        assert!(all.contains(problem), "{problem}\nis not in\n{all}");
    }
    assert!(said("title: [").contains("m.yml:"));
    let zone = "title: t\nformat: syslog\nfiles: x\ntime: {zone: Mars/Base, year: soon}\nrows: []\n";
    assert!(said(zone).contains("m.yml:4: no time zone `Mars/Base`"), "{}", said(zone));
}

#[test]
fn the_site_comes_before_lidr_and_two_of_the_site_are_one_too_many() {
    let mine = SMALL.replace("*.rec", "audit*.ndjson");
    let one = sources(&[("mine.yml", &mine)]).unwrap();
    assert!(one.find("audit.ndjson").unwrap().unwrap().file.ends_with("mine.yml"));
    assert_eq!(one.find("lims-audit-3.ndjson.gz").unwrap().unwrap().name, "lims-audit");
    let two = sources(&[("a.yml", &mine), ("b.yml", &mine)]).unwrap();
    let error = two.find("AUDIT.ndjson").unwrap_err();
    assert!(error.contains("a.yml") && error.contains("b.yml"), "{error}");
    let same = sources(&[("lims-audit.yml", &mine)]).unwrap();
    assert!(same.find("lims-audit-3.ndjson").unwrap().is_none(), "a mapping of the same name replaces lidr's");
    let settings = |s: &Arc<Sources>, name| s.settings([name]);
    assert_ne!(settings(&one, "audit.ndjson"), settings(&same, "lims-audit.ndjson"));
    assert_eq!(settings(&one, "a.pcap"), "", "captures alone do not change their name with the mappings");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_octets_are_survived(octets in proptest::collection::vec(any::<u8>(), 0..400), which in 0..4_usize) {
        let sources = &*BUILT_IN_ALONE;
        let name = ["lims-audit.ndjson", "task-export.csv", "cisco-2026.log", "tac_plus.acct"][which];
        let sample = ["lims-audit.ndjson", "task-export-pe1.csv", "cisco-ios-2026.log", "tac_plus.acct"][which];
        let mut file = fs::read(samples().join(sample)).unwrap();
        let at = octets.len() * 7 % file.len();
        file.splice(at..at, octets);
        let (_dir, inputs) = Files::new(&[(name, &file)]);
        if let Ok(mut reader) = Reader::open_with(&inputs, Some(sources)) {
            while reader.next_block(&mut Vec::new()).unwrap().is_some() {}
        }
    }

    #[test]
    fn every_cut_of_a_sample_is_survived(which in 0..4_usize, part in 0.0..1.0_f64) {
        let sources = &*BUILT_IN_ALONE;
        let sample = ["lims-audit.ndjson", "task-export-pe1.csv", "cisco-ios-2026.log", "tac_plus.acct"][which];
        let file = fs::read(samples().join(sample)).unwrap();
        let (_dir, inputs) = Files::new(&[(sample, &file[..(file.len() as f64 * part) as usize])]);
        if let Ok(mut reader) = Reader::open_with(&inputs, Some(sources)) {
            while reader.next_block(&mut Vec::new()).unwrap().is_some() {}
        }
    }
}
