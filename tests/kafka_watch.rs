//! `lidr watch` against a real broker: what the README shows, what must not wait, what must not stop it, what must.
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use rdkafka::{
    Message,
    message::{Header, Headers, OwnedHeaders},
    producer::{BaseRecord, Producer},
};
use serde_json::Value;

use crate::{
    custody::{search, words},
    kafka_broker::{broker, producer, read_all},
    lidr::{KEY, Simulated, difference, last_lines, lidr, ok, replay, start, stop, summary},
    site_changes::{free_port, metrics},
};

/// Longest wait for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

fn sensor(s: &Simulated, broker: &str, prefix: &str, name: &str) {
    ok(["sensor", &s.path("capture.pcap"), "--kafka", broker, "--topic-prefix", prefix, "--name", name, "--quiet"]);
}

fn prefix(name: &str) -> String {
    format!("w{}.{name}", std::process::id())
}

/// `lidr watch` up to where everything has ended.
fn until_eos<'a>(broker: &'a str, prefix: &'a str, site: &'a str, out: &'a str) -> Vec<&'a str> {
    let to = ["watch", "--kafka", broker, "--topic-prefix", prefix, "--sensors", "tap1", "--site", site, "--out", out];
    to.into_iter().chain(["--until-eos", "--no-produce", "--format", "json", "--quiet"]).collect()
}

/// Looks at an output folder until it shows what is wanted, or patience has run out; gives what it shows last.
fn wait_for(out: &Path, wanted: impl Fn(&BTreeMap<String, Value>) -> bool) -> BTreeMap<String, Value> {
    let began = Instant::now();
    loop {
        let there = out.join("findings.ndjson").exists();
        let found = if there { last_lines(out) } else { BTreeMap::new() };
        if wanted(&found) || began.elapsed() > PATIENCE {
            return found;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn codes(findings: &BTreeMap<String, Value>) -> BTreeSet<&str> {
    findings.values().filter_map(|f| f["finding_info"]["analytic"]["uid"].as_str()).collect()
}

/// The README's example: a sensor that has ended, a watch that has not.
#[test]
fn a_watch_that_goes_on_finds_what_the_replay_found() {
    let Some(broker) = broker("a_watch_that_goes_on_finds_what_the_replay_found") else { return };
    let s = Simulated::new("s3", 3_000);
    let replayed = replay(&s, &s.dir.join("replay"), &["--name", "tap1"]);
    let (prefix, out, site) = (prefix("live"), s.dir.join("watch"), s.path("site"));
    sensor(&s, &broker, &prefix, "tap1");
    let to = ["watch", "--kafka", &broker, "--topic-prefix", &prefix, "--sensors", "tap1", "--site", &site];
    let port = free_port();
    let (how, port_text) = (["--silence", "1", "--quiet", "--out", out.to_str().unwrap()], port.to_string());
    let child = start(&[&to[..], &how[..], &["--metrics", &port_text]].concat());
    let found = wait_for(&out, |found| difference(&replayed, found).is_none());
    let page = metrics(port);
    stop(child);
    assert_eq!(difference(&replayed, &found), None);
    assert_eq!(difference(&replayed, &last_lines(&out)), None, "and stopping adds nothing");
    let topics = read_all(&broker, &prefix);
    let sent = topics.iter().filter(|((topic, _), _)| topic.ends_with(".finding")).flat_map(|(_, messages)| messages);
    let (words, addresses) = words(&s);
    assert!(page.contains("lidr_findings_total"), "{page}");
    search(page.as_bytes(), &[words.clone(), addresses].concat(), "the metrics");
    for message in topics.values().flatten() {
        search(message.payload().unwrap_or_default(), &words, "a message");
        let headers = message
            .headers()
            .map(|all| all.iter().flat_map(|h| h.value.unwrap_or_default().to_vec()).collect::<Vec<_>>());
        search(&headers.unwrap_or_default(), &words, "headers of a message");
    }
    let keys: BTreeSet<&str> = sent.map(|m| std::str::from_utf8(m.key().unwrap()).unwrap()).collect();
    assert_eq!(keys, replayed.keys().map(String::as_str).collect(), "all of them went to the broker, too");
}

#[test]
fn rules_on_single_rows_do_not_wait_for_a_sensor_that_never_comes() {
    let Some(broker) = broker("rules_on_single_rows_do_not_wait_for_a_sensor_that_never_comes") else { return };
    let s = Simulated::new("s3", 0);
    let (prefix, out, site) = (prefix("ghost"), s.dir.join("watch"), s.path("site"));
    sensor(&s, &broker, &prefix, "tap1");
    let to = ["watch", "--kafka", &broker, "--topic-prefix", &prefix, "--sensors", "tap1,ghost", "--site", &site];
    let child =
        start(&[&to[..], &["--no-produce", "--silence", "1", "--quiet", "--out", out.to_str().unwrap()]].concat());
    let found = wait_for(&out, |found| codes(found).is_superset(&["LI-04", "LI-16"].into()));
    stop(child);
    assert!(codes(&found).is_superset(&["LI-04", "LI-16"].into()), "{:?}", codes(&found));
    assert!(!codes(&last_lines(&out)).contains("LI-09"), "windows wait for everybody");
}

#[test]
fn several_runs_in_one_topic_are_read_to_the_end_and_once() {
    let Some(broker) = broker("several_runs_in_one_topic_are_read_to_the_end_and_once") else { return };
    let (a, b) = (Simulated::new("s3", 500), Simulated::new("s4", 500));
    let (prefix, out, site) = (prefix("runs"), a.dir.join("watch"), b.path("site"));
    let rows = |s: &Simulated| {
        sensor(s, &broker, &prefix, "tap1");
        replay(s, &s.dir.join("replay"), &["--force"]);
        let summary = summary(&s.dir.join("replay"));
        summary["rows"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>()
    };
    let (first, second, again) = (rows(&a), rows(&b), rows(&a));
    ok(until_eos(&broker, &prefix, &site, out.to_str().unwrap()));
    let consumed = &summary(&out)["inputs"][0];
    let count = |name: &str| consumed[name].as_u64().unwrap();
    assert_eq!([count("rows"), count("repeated"), count("missing")], [first + second, again, 0], "{consumed}");
}

/// What a console producer or a torn message brings is passed over; what would make all findings wrong is not.
#[test]
fn a_stray_message_stops_nothing_and_another_key_or_a_newer_schema_does() {
    let Some(broker) = broker("a_stray_message_stops_nothing_and_another_key_or_a_newer_schema_does") else { return };
    let s = Simulated::new("s3", 500);
    let replayed = replay(&s, &s.dir.join("replay"), &["--name", "tap1"]);
    let (prefix, out, site) = (prefix("stray"), s.dir.join("watch"), s.path("site"));
    sensor(&s, &broker, &prefix, "tap1");
    let (topic, producer) = (format!("{prefix}.flow"), producer(&broker));
    let own = read_all(&broker, &prefix).into_iter().filter(|((t, _), _)| *t == topic).flat_map(|(_, m)| m);
    let own = own.max_by_key(|m| m.payload().map_or(0, <[u8]>::len)).expect("a message with rows");
    let refused = |key: &str, sentence: &str| {
        let args = until_eos(&broker, &prefix, &site, out.to_str().unwrap());
        let run =
            Command::new(env!("CARGO_BIN_EXE_lidr")).args(args).arg("--force").env("LIDR_KEY", key).output().unwrap();
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(run.status.code() == Some(2) && said.contains(sentence), "{:?}: {said}", run.status);
    };
    refused(&KEY.replace('5', "6"), "give both the same key");

    producer.send(BaseRecord::<(), str>::to(&topic).partition(1).payload("hello?")).map_err(|(e, _)| e).unwrap();
    let torn = &own.payload().unwrap()[..40];
    let record = BaseRecord::<(), [u8]>::to(&topic)
        .partition(own.partition())
        .payload(torn)
        .headers(own.headers().unwrap().clone());
    producer.send(record).map_err(|(e, _)| e).unwrap();
    producer.flush(PATIENCE).unwrap();
    let run = lidr(until_eos(&broker, &prefix, &site, out.to_str().unwrap()).into_iter().chain(["--force"]));
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && said.contains("without header `schema`"), "{:?}: {said}", run.status);
    assert_eq!(summary(&out)["inputs"][0]["broken"], 2);
    assert_eq!(difference(&replayed, &last_lines(&out)), None);

    let newer = own
        .headers()
        .unwrap()
        .iter()
        .map(|h| if h.key == "schema" { ("schema", &b"99.0"[..]) } else { (h.key, h.value.unwrap()) });
    let newer = newer.fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(value) }));
    producer
        .send(BaseRecord::<(), [u8]>::to(&topic).partition(2).payload(&[][..]).headers(newer))
        .map_err(|(e, _)| e)
        .unwrap();
    producer.flush(PATIENCE).unwrap();
    refused(KEY, "update the reader");
}
