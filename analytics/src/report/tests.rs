//! A lake with a tap in every state that there is, and what the report says of each.
use std::{collections::BTreeMap, fs::File, path::Path, sync::OnceLock};

use lidr_rules::Rule;
use lidr_schema::{Kind, SCHEMA_VERSION, TableId};
use parquet::{
    arrow::ArrowWriter,
    file::{metadata::KeyValue, properties::WriterProperties},
};
use serde_json::{Map, Value, json};

use super::{State, Taps, taps};
use crate::{
    Site,
    lake::Lake,
    tests::{SECOND, batch, key, site, tasking},
};

/// The end of the data: two hours after midnight.
const END: i64 = 7_200;

fn write(dir: &Path, table: TableId, rows: &[Map<String, Value>]) {
    let folder = dir.join(table.name()).join("day=1970-01-01/sensor=s");
    std::fs::create_dir_all(&folder).unwrap();
    let clock = (END * SECOND).to_string();
    let metadata = [
        ("lidr.key_id", key().id().to_owned()),
        ("lidr.schema", format!("{}.0", SCHEMA_VERSION.0)),
        ("lidr.clock", clock),
    ];
    let metadata = metadata.map(|(k, v)| KeyValue::new(k.to_owned(), v)).to_vec();
    let properties = WriterProperties::builder().set_key_value_metadata(Some(metadata)).build();
    let mut rows = rows.to_vec();
    rows.sort_by_key(|row| row["due"].as_i64());
    let rows = batch(table, &rows);
    let mut writer =
        ArrowWriter::try_new(File::create(folder.join("e-0-0.parquet")).unwrap(), rows.schema(), Some(properties))
            .unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
}

/// A request of the administration function, or of whom `more` names.
fn asked(second: i64, op: &str, task: &str, more: Value) -> Map<String, Value> {
    let mut row =
        json!({"protocol": "x1", "op": op, "task": format!("xid:{task}"), "actor": "10.66.0.10", "ne": "10.0.0.2"});
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    tasking(second, second.unsigned_abs() * 100 + u64::from(task.as_bytes()[0]), &row)
}

/// An entry of the element's own list.
fn listed(second: i64, ne: &str, task: &str) -> Map<String, Value> {
    asked(
        second,
        "report",
        task,
        json!({"protocol": "record", "list_kind": "tasks", "status": "active", "ne": ne, "actor": "::", "file": "dump.csv"}),
    )
}

fn product(second: i64, task: &str, to: &str) -> Map<String, Value> {
    tasking(second, 9, &json!({"protocol": "x3", "state": "part", "ne": "10.0.0.2", "dest_ip": to, "dest_port": 9000, "task": format!("xid:{task}"), "pdus": 4}))
        .into_iter()
        .filter(|(name, _)| !["actor", "outcome"].contains(&name.as_str()))
        .collect()
}

fn flow(second: i64, src: &str, (there, back): (u64, u64)) -> Map<String, Value> {
    let row = json!({"src_ip": src, "dst_ip": "198.51.100.7", "src_packets": there, "dst_packets": back, "src_payload": 900, "last_ts": second * SECOND});
    tasking(second, 3, &row)
        .into_iter()
        .filter(|(name, _)| !["actor", "ne", "outcome"].contains(&name.as_str()))
        .collect()
}

fn lake(dir: &Path, blind: bool) {
    let mdf = "10.66.0.20";
    let mut requests: Vec<_> =
        "abcdefg".chars().map(|t| asked(3_600, "create", &t.to_string(), json!({"did": "D-1"}))).collect();
    requests[5].insert("target".to_owned(), json!("ip:100.64.1.11"));
    requests.extend([
        asked(1_000, "destination_create", "x", json!({"task": null, "did": "D-1", "dest_ip": mdf, "dest_port": 9000})),
        asked(3_600, "create", "i", json!({"actor": "10.20.0.99"})),
        asked(3_000, "create", "j", json!({})),
        asked(4_000, "delete", "j", json!({})),
        asked(3_000, "create", "m", json!({})),
        asked(4_000, "delete", "m", json!({})),
        asked(3_000, "create", "n", json!({})),
        asked(5_000, "delete", "n", json!({})),
        asked(3_000, "create", "o", json!({})),
        asked(6_000, "delete", "o", json!({})),
        listed(6_000, "10.0.0.2", "n"),
        listed(6_500, "10.0.0.3", "q"),
    ]);
    write(dir, TableId::Tasking, &requests);
    let delivered =
        [("a", mdf), ("b", mdf), ("c", mdf), ("e", "203.0.113.9"), ("h", "203.0.113.9"), ("i", mdf), ("j", mdf)];
    write(dir, TableId::Delivery, &delivered.map(|(task, to)| product(7_100, task, to)));
    let mut flows = vec![flow(6_000, "100.64.1.11", (30, 30))];
    if blind {
        flows.extend((0..25).map(|_| flow(6_900, "10.1.1.1", (30, 0))));
    }
    write(dir, TableId::Flow, &flows);
}

fn register() -> Site {
    let mut orders: Vec<Value> = "aefghijnoklq"
        .chars()
        .filter(|t| *t != 'h')
        .map(|t| json!({"order": format!("W-{t}"), "kind": "imsi", "selector": format!("0010100000000{:02}", t as u32 % 100), "xid": t.to_string(), "state": "approved", "start": "1969-12-01T00:00:00Z", "end": "1970-03-01T00:00:00Z"}))
        .collect();
    orders[9]["elements"] = json!("poi2");
    orders.push(json!({"order": "W-c", "xid": "c", "state": "approved", "start": "1969-12-01T00:00:00Z", "end": "1970-01-01T01:20:00Z"}));
    orders.push(json!({"order": "W-d", "xid": "d", "state": "cancelled"}));
    orders.push(json!({"order": "W-m", "xid": "m", "state": "expired", "end": "1970-01-01T01:00:00Z"}));
    // A second agency's order for the same task: no tap of its own.
    orders.push(json!({"order": "W-p", "xid": "a", "state": "approved", "end": "1970-02-01T00:00:00Z"}));
    site(json!({
        "warrants": orders,
        "destinations": [{"id": "D-1", "address": "10.66.0.20", "port": 9000}],
        "elements": [
            {"name": "poi1", "role": "poi", "address": "10.0.0.2", "managers": "10.66.0.10"},
            {"name": "poi2", "role": "poi", "address": "10.0.0.3", "managers": "10.66.0.10"},
            {"name": "admf1", "role": "admf", "address": "10.66.0.10"},
        ],
    }))
}

fn rules() -> &'static [Rule] {
    static RULES: OnceLock<Vec<Rule>> = OnceLock::new();
    RULES.get_or_init(|| lidr_rules::load(true, &[]).unwrap().rules)
}

fn report(dir: &Path, site: &Site, second: Option<i64>) -> Taps {
    taps(&Lake::open(dir, key().id()).unwrap(), site, rules(), second.map(|s| s * SECOND), key().id()).unwrap()
}

/// State and reason by the letter of task or order.
fn states(report: &Taps) -> BTreeMap<char, (State, String)> {
    let letter = |task: &str, order: &str| {
        let is = |c: &char| {
            key().pseudonym(Kind::Xid, &c.to_string()).token() == task
                || key().pseudonym(Kind::Order, &format!("W-{c}")).token() == order
        };
        ('a'..='z').find(is).unwrap()
    };
    report
        .taps
        .iter()
        .map(|t| (letter(&t.task, &t.order), (t.state, format!("{} [{}]", t.reason, t.disagree))))
        .collect()
}

#[test]
fn every_state_has_its_tap() {
    let dir = tempfile::tempdir().unwrap();
    lake(dir.path(), false);
    let report = report(dir.path(), &register(), None);
    let states = states(&report);
    let expected = [
        ('a', State::Authorised, "order, task and product agree []"),
        (
            'b',
            State::Unauthorised,
            "no order in the register covers the task or its target [register/admf, register/element, register/wire]",
        ),
        ('c', State::Expired, "goes on after its order has ended"),
        ('d', State::Unauthorised, "its order is cancelled"),
        ('e', State::Redirected, "X3 goes to 203.0.113.9 port 9000, no registered destination [register/wire]"),
        ('f', State::Silent, "the target exchanged 60 packets and no product was seen for 30 minutes [element/wire]"),
        ('g', State::Authorised, "nothing says that the target was active"),
        ('h', State::Orphaned, "no such task was set up, and no order covers it"),
        (
            'i',
            State::Orphaned,
            "it was switched on by 10.20.0.99, no administration function or manager of that element [admf/element, admf/wire]",
        ),
        ('j', State::Orphaned, "product flows although the task ended at 1970-01-01T01:06:40Z"),
        ('k', State::Unknown, "nothing was seen of it"),
        ('l', State::Silent, "the element's list of 1970-01-01T01:48:20Z does not have it"),
        ('n', State::Orphaned, "the element runs it although the administration function has ended it [admf/element]"),
        ('o', State::Silent, "the order is in force, and its task ended at 1970-01-01T01:40:00Z"),
        ('q', State::Authorised, "nothing says that the target was active"),
    ];
    for (letter, state, reason) in expected {
        let Some((had, why)) = states.get(&letter) else { panic!("{letter} is not listed: {states:#?}") };
        assert!(*had == state && why.contains(reason), "{letter}: {had:?} {why}");
    }
    assert_eq!(states.len(), expected.len(), "a task that ended with its order is no tap any more: {states:#?}");
    assert!(report.taps.is_sorted() && report.notes.is_empty());
    let tap = |letter: &str| report.taps.iter().find(|t| t.task == key().pseudonym(Kind::Xid, letter).token()).unwrap();
    assert_eq!(tap("b").evidence, "frame 360098 of e-0, frame 9 of e-0");
    assert!(tap("n").evidence.contains("dump.csv:600110"), "{}", tap("n").evidence);
    assert_eq!(
        (tap("a").at.as_str(), tap("a").address.as_str(), tap("a").since.as_str()),
        ("poi1", "10.0.0.2", "1970-01-01 01:00:00")
    );
    assert_eq!(tap("a").wire, "X3 to 10.66.0.20 port 9000, last at 1970-01-01T01:58:20Z");
}

#[test]
fn what_was_not_seen_while_a_sensor_was_blind_is_unknown() {
    let dir = tempfile::tempdir().unwrap();
    lake(dir.path(), true);
    let report = report(dir.path(), &register(), None);
    let states = states(&report);
    for letter in ['f', 'g', 'k', 'q'] {
        let (state, reason) = &states[&letter];
        assert!(*state == State::Unknown && reason.contains("blind was s"), "{letter}: {state:?} {reason}");
    }
    assert_eq!(
        [states[&'a'].0, states[&'b'].0, states[&'h'].0],
        [State::Authorised, State::Unauthorised, State::Orphaned],
        "what was seen stands"
    );
    assert!(report.notes[0].starts_with("blind at that time: s;"), "{:?}", report.notes);
}

#[test]
fn another_moment_has_other_states_and_none_outside_the_data() {
    let dir = tempfile::tempdir().unwrap();
    lake(dir.path(), false);
    let site = register();
    let earlier = states(&report(dir.path(), &site, Some(4_500)));
    assert_eq!([earlier[&'c'].0, earlier[&'n'].0], [State::Authorised; 2], "{earlier:#?}");
    let lake = Lake::open(dir.path(), key().id()).unwrap();
    let refused = |site: &Site, second: i64| {
        taps(&lake, site, rules(), Some(second * SECOND), key().id()).unwrap_err().to_string()
    };
    assert!(refused(&site, END + 1).contains("needed a time from 1970-01-01 00:16:40 to 1970-01-01 02:00:00 UTC"));
    assert!(refused(&Site::default(), 4_500).contains("needed site table warrants"));
}

#[test]
fn without_destinations_and_elements_the_report_says_what_it_cannot_tell() {
    let dir = tempfile::tempdir().unwrap();
    lake(dir.path(), false);
    let site = site(
        json!({"warrants": [{"order": "W-e", "xid": "e", "state": "approved"}, {"order": "W-i", "xid": "i", "state": "approved"}]}),
    );
    let report = report(dir.path(), &site, None);
    let states = states(&report);
    assert_eq!([states[&'e'].0, states[&'i'].0], [State::Authorised; 2], "{states:#?}");
    assert!(report.notes.len() == 2 && report.notes[0].contains("redirected is not judged"), "{:?}", report.notes);
}
