//! The sink against librdkafka's mock cluster, with faults that a real broker does not have at will.
use lidr_schema::{Key, dynamic};
use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::Headers as _,
    mocking::MockCluster,
    producer::DefaultProducerContext,
    types::{RDKafkaApiKey, RDKafkaRespErr},
};

use super::*;

fn cluster() -> MockCluster<'static, DefaultProducerContext> {
    let cluster = MockCluster::new(1).unwrap();
    ALL.iter().for_each(|t| cluster.create_topic(&format!("t.{}", t.name()), 1, 1).unwrap());
    cluster
}

fn sink(brokers: &str) -> KafkaSink {
    connected(&Settings { wait: Duration::from_secs(60), ..Settings::new(brokers, &quick()) }).unwrap()
}

fn quick() -> BTreeMap<String, String> {
    let quick = [("retry.backoff.ms", "10"), ("reconnect.backoff.max.ms", "200")];
    quick.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn connected(settings: &Settings) -> Result<KafkaSink, SinkError> {
    let options = KafkaSinkOptions {
        prefix: "t".into(),
        sensor: "s".into(),
        epoch: "e".into(),
        key_id: "k".into(),
        partitions: 1,
    };
    KafkaSink::connect(settings, options)
}

fn batch(dues: &[i64]) -> RecordBatch {
    let rows: Vec<_> =
        dues.iter().map(|d| serde_json::from_value(serde_json::json!({ "due": d, "ts": d })).unwrap()).collect();
    dynamic::from_json(TableId::Dns.def(), &rows, &Key::from_hex(&"00".repeat(32)).unwrap()).unwrap()
}

/// Headers of all messages of the topic.
fn sent(brokers: &str) -> Vec<Headers> {
    let consumer: BaseConsumer =
        Settings::new(brokers, &BTreeMap::new()).config().set("group.id", "g").create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("t.dns", 0, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let mut out: Vec<Headers> = Vec::new();
    while !out.last().is_some_and(|h| h.eos) {
        let message = consumer.poll(Duration::from_secs(10)).expect("a message").unwrap().detach();
        let all = message.headers().unwrap();
        let text = |name: &str| all.iter().find(|h| h.key == name).and_then(|h| std::str::from_utf8(h.value?).ok());
        out.push(Headers::from_pairs(text).unwrap());
    }
    out
}

/// A broker that refuses for a moment gets every row once; the last message tells the clock at the end.
#[test]
fn every_row_arrives_once_and_the_end_tells_the_clock() {
    let cluster = cluster();
    let brokers = cluster.bootstrap_servers();
    let mut sink = sink(&brokers);
    let moved = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION;
    cluster.request_errors(RDKafkaApiKey::Produce, &[moved, moved, moved]);
    sink.rows(TableId::Dns, batch(&[1, 2])).unwrap();
    sink.floor(2).unwrap();
    sink.rows(TableId::Dns, batch(&[3])).unwrap();
    sink.floor(i64::MAX).unwrap();
    sink.end(50).unwrap();
    let sent = sent(&brokers);
    let mut next = 0;
    for headers in &sent {
        assert_eq!(headers.seq, next);
        next += headers.rows;
    }
    assert_eq!(next, 3);
    assert_eq!(sent.iter().map(|h| (h.eos, h.promise)).next_back(), Some((true, 50)));
    assert_eq!(sent.iter().map(|h| h.promise).next(), Some(i64::MIN), "hello before the first row");
    assert_eq!(sink.sent().now().rows, 3);
}

#[test]
fn what_is_refused_ends_the_run_with_the_next_step() {
    let cluster = cluster();
    let mut sink = sink(&cluster.bootstrap_servers());
    sink.flush().unwrap();
    cluster.request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 1]);
    sink.rows(TableId::Dns, batch(&[1])).unwrap();
    let error = sink.end(50).unwrap_err().to_string();
    // Whichever message came first.
    assert!(error.contains("1 messages were refused (t.") && error.contains("needs Describe and Write"), "{error}");
    assert!(error.contains("rows did not arrive"), "{error}");
}

#[test]
fn a_broker_that_is_away_for_a_while_gets_everything_later() {
    let cluster = cluster();
    let brokers = cluster.bootstrap_servers();
    let mut sink = sink(&brokers);
    sink.flush().unwrap();
    cluster.broker_down(1).unwrap();
    for due in 1..=50 {
        sink.rows(TableId::Dns, batch(&[due])).unwrap();
        sink.floor(due).unwrap();
    }
    std::thread::scope(|scope| {
        let ending = scope.spawn(move || sink.end(60));
        std::thread::sleep(Duration::from_secs(2));
        cluster.broker_up(1).unwrap();
        ending.join().unwrap().unwrap();
    });
    assert_eq!(sent(&brokers).iter().map(|h| h.rows).sum::<u64>(), 50);
}

#[test]
fn the_buffer_is_bounded_and_a_stop_ends_the_wait() {
    let cluster = cluster();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut settings = Settings::new(&cluster.bootstrap_servers(), &quick());
    (settings.buffer, settings.endless, settings.stop) = (16 * 1024, true, Some(Arc::clone(&stop)));
    let mut sink = connected(&settings).unwrap();
    sink.flush().unwrap();
    cluster.broker_down(1).unwrap();
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_secs(2));
            stop.store(true, Ordering::Relaxed);
        });
        let dues: Vec<i64> = (0..200).collect();
        (0..1000).find_map(|_| {
            sink.rows(TableId::Dns, batch(&dues)).ok()?;
            sink.send_all(false, false).err()
        })
    });
    let error = error.expect("a buffer of 16 KiB does not hold a thousand batches").to_string();
    assert!(error.contains("were not taken"), "{error}");
    assert!(sink.producer.waiting() < 100, "{}", sink.producer.waiting());
}

#[test]
fn a_quiet_spell_is_no_outage() {
    let cluster = cluster();
    let mut sink = connected(&Settings::new(&cluster.bootstrap_servers(), &quick())).unwrap();
    sink.flush().unwrap();
    // Longer than a message may wait here.
    std::thread::sleep(Duration::from_secs(11));
    sink.rows(TableId::Dns, batch(&[1])).unwrap();
    sink.floor(1).unwrap();
    sink.end(2).unwrap();
}

#[test]
fn no_broker_is_said_with_the_next_step() {
    let error = connected(&Settings::new("127.0.0.1:1", &quick())).unwrap_err().to_string();
    assert!(error.contains("cannot reach a Kafka broker at 127.0.0.1:1"), "{error}");
    assert!(error.contains("check the address and that the broker runs"), "{error}");
}
