//! The same traffic, three ways: replay, through a real Kafka in another order with repeats, and a hunt over Parquet.
//! Findings must be identical but for topic, partition and offset.
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    message::OwnedMessage,
    producer::{BaseProducer, BaseRecord, Producer},
};

use crate::lidr::{Simulated, difference, last_lines, ok};

const SCENARIOS: [&str; 4] = ["s3", "s3-benign", "s4", "s4-benign"];

/// The broker of the tests; without one the test says that it was skipped, or fails where a broker is required.
pub(crate) fn broker(test: &str) -> Option<String> {
    if let Ok(broker) = std::env::var("LIDR_TEST_KAFKA") {
        return Some(broker);
    }
    assert!(std::env::var_os("LIDR_REQUIRE_KAFKA").is_none(), "a broker is required and LIDR_TEST_KAFKA is not set");
    println!("\nskipped: {test}: LIDR_TEST_KAFKA is not set");
    None
}

fn replay(s: &Simulated, out: &Path, more: &[&str]) -> BTreeMap<String, serde_json::Value> {
    let (capture, site) = (s.path("capture.pcap"), s.path("site"));
    let mut args = vec!["replay", &capture, "--site", &site, "--format", "json", "--quiet", "--out", out.to_str().unwrap()];
    args.extend(more);
    ok(args);
    last_lines(out)
}

#[test]
fn replay_with_one_two_and_four_workers() {
    for name in ["s3", "s4"] {
        let s = Simulated::new(name, 3_000);
        let one = replay(&s, &s.dir.join("w1"), &["--workers", "1"]);
        assert!(!one.is_empty(), "{name}: nothing found");
        for workers in ["2", "4"] {
            let many = replay(&s, &s.dir.join(format!("w{workers}")), &["--workers", workers]);
            assert_eq!(difference(&one, &many), None, "{name} with {workers} workers");
        }
    }
}

#[test]
fn a_hunt_over_the_lake_finds_what_the_replay_found() {
    for name in SCENARIOS {
        let s = Simulated::new(name, 3_000);
        let lake = s.path("lake");
        let replayed = replay(&s, &s.dir.join("replay"), &["--lake", &lake]);
        let out = s.dir.join("hunt");
        ok(["hunt", "--lake", &lake, "--site", &s.path("site"), "--format", "json", "--quiet", "--out", out.to_str().unwrap()]);
        assert_eq!(difference(&replayed, &last_lines(&out)), None, "{name}");
    }
}

#[test]
fn kafka_in_another_order_with_repeats_finds_what_the_replay_found() {
    let Some(broker) = broker("kafka_in_another_order_with_repeats_finds_what_the_replay_found") else { return };
    for name in SCENARIOS {
        let s = Simulated::new(name, 3_000);
        let replayed = replay(&s, &s.dir.join("replay"), &[]);
        let prefix = format!("t{}.{name}", std::process::id());
        ok(["sensor", &s.path("capture.pcap"), "--kafka", &broker, "--topic-prefix", &prefix, "--name", "local", "--quiet"]);
        let shuffled = format!("{prefix}.shuffled");
        shuffle(&broker, &prefix, &shuffled, 7);
        for (label, prefix) in [("in order", &prefix), ("shuffled", &shuffled)] {
            let out = watch(&s, &broker, prefix);
            assert_eq!(difference(&replayed, &last_lines(&out)), None, "{name}, {label}");
        }
    }
}

fn watch(s: &Simulated, broker: &str, prefix: &str) -> PathBuf {
    let out = s.dir.join(format!("watch-{prefix}"));
    ok([
        "watch", "--kafka", broker, "--topic-prefix", prefix, "--sensors", "local", "--until-eos", "--no-produce",
        "--site", &s.path("site"), "--format", "json", "--quiet", "--out", out.to_str().unwrap(),
    ]);
    out
}

/// Copies every message to topics of another prefix: partitions interleaved at random, the order inside each kept, one in ten
/// delivered again a little later.
fn shuffle(broker: &str, from: &str, to: &str, seed: u64) {
    let mut random = seed;
    let mut next = |n: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % n
    };
    let mut queues = read_all(broker, from);
    make_topics(broker, queues.keys().map(|(topic, _)| topic.replacen(from, to, 1)), 4);
    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", broker).set("acks", "all").create().unwrap();
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

fn send(producer: &BaseProducer, message: &OwnedMessage, from: &str, to: &str) {
    let topic = message.topic().replacen(from, to, 1);
    let record = BaseRecord::<(), [u8]>::to(&topic)
        .partition(message.partition())
        .payload(message.payload().unwrap_or_default())
        .headers(message.headers().expect("headers").clone());
    producer.send(record).map_err(|(e, _)| e).unwrap();
    producer.poll(Duration::ZERO);
}

/// Every message of the topics with that prefix, by topic and partition.
fn read_all(broker: &str, prefix: &str) -> BTreeMap<(String, i32), Vec<OwnedMessage>> {
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", broker).set("group.id", "shuffle").create().unwrap();
    let metadata = consumer.fetch_metadata(None, Duration::from_secs(10)).unwrap();
    let (mut list, mut left) = (TopicPartitionList::new(), BTreeMap::new());
    for topic in metadata.topics().iter().filter(|t| t.name().starts_with(&format!("{prefix}."))) {
        for p in topic.partitions() {
            let (low, high) = consumer.fetch_watermarks(topic.name(), p.id(), Duration::from_secs(10)).unwrap();
            left.insert((topic.name().to_owned(), p.id()), high - low);
            list.add_partition_offset(topic.name(), p.id(), Offset::Beginning).unwrap();
        }
    }
    assert!(!left.is_empty(), "the sensor made no topics {prefix}.*");
    consumer.assign(&list).unwrap();
    let mut out: BTreeMap<(String, i32), Vec<OwnedMessage>> = BTreeMap::new();
    while left.values().any(|n| *n > 0) {
        let message = consumer.poll(Duration::from_secs(20)).expect("a message within 20 s").unwrap().detach();
        let key = (message.topic().to_owned(), message.partition());
        *left.get_mut(&key).unwrap() -= 1;
        out.entry(key).or_default().push(message);
    }
    out
}

fn make_topics(broker: &str, names: impl Iterator<Item = String>, partitions: i32) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new().set("bootstrap.servers", broker).create().unwrap();
    let names: std::collections::BTreeSet<String> = names.collect();
    let topics: Vec<_> = names.iter().map(|n| NewTopic::new(n, partitions, TopicReplication::Fixed(1))).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let made = runtime.block_on(admin.create_topics(&topics, &AdminOptions::new())).unwrap();
    made.into_iter().for_each(|r| drop(r.unwrap()));
}
