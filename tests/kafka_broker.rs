//! The broker of the tests, and what they do with it beside `lidr`.
use std::{collections::BTreeMap, time::Duration};

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    message::OwnedMessage,
    producer::{BaseProducer, BaseRecord},
};

/// The broker of the tests; without one the test says that it was skipped, or fails where a broker is required.
pub(crate) fn broker(test: &str) -> Option<String> {
    if let Ok(broker) = std::env::var("LIDR_TEST_KAFKA") {
        return Some(broker);
    }
    assert!(std::env::var_os("LIDR_REQUIRE_KAFKA").is_none(), "a broker is required and LIDR_TEST_KAFKA is not set");
    println!("\nskipped: {test}: LIDR_TEST_KAFKA is not set");
    None
}

/// A producer whose messages are there once it is flushed.
pub(crate) fn producer(broker: &str) -> BaseProducer {
    ClientConfig::new().set("bootstrap.servers", broker).set("acks", "all").create().unwrap()
}

/// Sends a message again, to the topic of another prefix.
pub(crate) fn send(producer: &BaseProducer, message: &OwnedMessage, from: &str, to: &str) {
    let topic = message.topic().replacen(from, to, 1);
    let record = BaseRecord::<(), [u8]>::to(&topic)
        .partition(message.partition())
        .payload(message.payload().unwrap_or_default())
        .headers(message.headers().expect("headers").clone());
    producer.send(record).map_err(|(e, _)| e).unwrap();
    producer.poll(Duration::ZERO);
}

/// Every message of the topics with that prefix, by topic and partition.
pub(crate) fn read_all(broker: &str, prefix: &str) -> BTreeMap<(String, i32), Vec<OwnedMessage>> {
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

/// Makes topics.
pub(crate) fn make_topics(broker: &str, names: impl Iterator<Item = String>, partitions: i32) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", broker).create().unwrap();
    let names: std::collections::BTreeSet<String> = names.collect();
    let topics: Vec<_> = names.iter().map(|n| NewTopic::new(n, partitions, TopicReplication::Fixed(1))).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let made = runtime.block_on(admin.create_topics(&topics, &AdminOptions::new())).unwrap();
    made.into_iter().for_each(|r| drop(r.unwrap()));
}
