//! The same traffic, three ways: replay, through a real Kafka in another order with repeats, and a hunt over Parquet.
//! Findings must be identical but for topic, partition and offset.
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use rdkafka::{message::OwnedMessage, producer::Producer};

use crate::{
    kafka_broker::{broker, make_topics, producer, read_all, send},
    lidr::{Simulated, difference, last_lines, ok, replay},
    runs::{NAMES, replayed},
};

#[test]
fn replay_with_one_two_and_four_workers() {
    for name in ["s3", "s4", "s5", "s12"] {
        let one = replayed(name);
        assert!(!one.findings.is_empty(), "{name}: nothing found");
        for workers in ["2", "4"] {
            let many = replay(&one.s, &one.s.dir.join(format!("w{workers}")), &["--workers", workers]);
            assert_eq!(difference(&one.findings, &many), None, "{name} with {workers} workers");
        }
    }
}

#[test]
fn a_hunt_over_the_lake_finds_what_the_replay_found() {
    for name in NAMES {
        let run = replayed(name);
        let (site, out) = (run.s.path("site"), run.s.dir.join("hunt"));
        let told = ["--format", "json", "--quiet", "--out", out.to_str().unwrap()];
        ok([&["hunt", "--lake", &run.lake, "--site", &site][..], &told].concat());
        assert_eq!(difference(&run.findings, &last_lines(&out)), None, "{name}");
    }
}

#[test]
fn kafka_in_another_order_with_repeats_finds_what_the_replay_found() {
    let Some(broker) = broker("kafka_in_another_order_with_repeats_finds_what_the_replay_found") else { return };
    for name in NAMES {
        let run = replayed(name);
        let prefix = format!("t{}.{name}", std::process::id());
        let (inputs, site) = (run.s.inputs(), run.s.path("site"));
        let mut args = vec![
            "sensor",
            "--kafka",
            &broker,
            "--topic-prefix",
            &prefix,
            "--name",
            "local",
            "--site",
            &site,
            "--quiet",
        ];
        args.extend(inputs.iter().map(String::as_str));
        ok(args);
        let shuffled = format!("{prefix}.shuffled");
        shuffle(&broker, &prefix, &shuffled, 7);
        for (label, prefix) in [("in order", &prefix), ("shuffled", &shuffled)] {
            let out = watch(&run.s, &broker, prefix);
            assert_eq!(difference(&run.findings, &last_lines(&out)), None, "{name}, {label}");
        }
    }
}

fn watch(s: &Simulated, broker: &str, prefix: &str) -> PathBuf {
    let out = s.dir.join(format!("watch-{prefix}"));
    ok([
        "watch",
        "--kafka",
        broker,
        "--topic-prefix",
        prefix,
        "--sensors",
        "local",
        "--until-eos",
        "--no-produce",
        "--site",
        &s.path("site"),
        "--format",
        "json",
        "--quiet",
        "--out",
        out.to_str().unwrap(),
    ]);
    out
}

/// Copies every message to topics of another prefix: partitions interleaved at random, the order inside each kept, one in ten
/// delivered again a little later.
pub(crate) fn shuffle(broker: &str, from: &str, to: &str, seed: u64) {
    let mut random = seed;
    let mut next = |n: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % n
    };
    let mut queues = read_all(broker, from);
    make_topics(broker, queues.keys().map(|(topic, _)| topic.replacen(from, to, 1)), 4);
    let producer = producer(broker);
    let mut sent: BTreeMap<(String, i32), Vec<OwnedMessage>> = BTreeMap::new();
    while !queues.is_empty() {
        let key = queues.keys().nth(next(queues.len())).unwrap().clone();
        let queue = queues.get_mut(&key).unwrap();
        let message = if queue.is_empty() { None } else { Some(queue.remove(0)) };
        let Some(message) = message else {
            queues.remove(&key);
            continue;
        };
        send(&producer, &message, from, to);
        let before = sent.entry(key).or_default();
        before.push(message);
        if next(10) == 0 {
            let again = before.len().saturating_sub(1 + next(4));
            send(&producer, &before[again], from, to);
        }
    }
    producer.flush(Duration::from_secs(30)).unwrap();
}
