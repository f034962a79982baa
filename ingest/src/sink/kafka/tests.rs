//! The sink against librdkafka's mock cluster, with faults that a real broker does not have at will.
use lidr_schema::{Key, dynamic};
use rdkafka::{
    Message, Offset, TopicPartitionList,
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
    let properties = BTreeMap::from([("retry.backoff.ms".to_owned(), "10".to_owned())]);
    let options = KafkaSinkOptions {
        prefix: "t".into(),
        sensor: "s".into(),
        epoch: "e".into(),
        key_id: "k".into(),
        partitions: 1,
        properties,
    };
    KafkaSink::connect(brokers, options).unwrap()
}

fn batch(dues: &[i64]) -> RecordBatch {
    let rows: Vec<_> =
        dues.iter().map(|d| serde_json::from_value(serde_json::json!({ "due": d, "ts": d })).unwrap()).collect();
    dynamic::from_json(TableId::Dns.def(), &rows, &Key::from_hex(&"00".repeat(32)).unwrap()).unwrap()
}

/// Headers of all messages of the topic.
fn sent(brokers: &str) -> Vec<Headers> {
    let consumer: BaseConsumer = config(brokers, &BTreeMap::new()).set("group.id", "g").create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("t.dns", 0, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let mut out: Vec<Headers> = Vec::new();
    while !out.last().is_some_and(|h| h.eos) {
        let message = consumer.poll(TIMEOUT).expect("a message").unwrap().detach();
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
fn what_cannot_be_delivered_ends_the_run() {
    let cluster = cluster();
    let mut sink = sink(&cluster.bootstrap_servers());
    sink.producer.flush(TIMEOUT).unwrap();
    cluster.request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 1]);
    sink.rows(TableId::Dns, batch(&[1])).unwrap();
    let error = sink.end(50).unwrap_err().to_string();
    assert!(error.contains("messages were not delivered") && error.contains("run the sensor again"), "{error}");
}
