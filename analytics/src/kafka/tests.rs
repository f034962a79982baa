//! Source and producer against librdkafka's mock cluster, with faults that a real broker does not have at will.
use std::{collections::BTreeMap, sync::atomic::AtomicBool, time::Duration};

use lidr_broker::Settings;
use lidr_schema::{
    Key, SCHEMA_VERSION, TableId, dynamic,
    wire::{self, Headers},
};
use rdkafka::{
    message::{Header, OwnedHeaders},
    mocking::MockCluster,
    producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer},
    types::{RDKafkaApiKey, RDKafkaRespErr},
};

use super::*;
use crate::{BrokerOrigin, feed::RowSink};

type Failed = Box<dyn std::error::Error + Send + Sync>;
type Cluster = MockCluster<'static, DefaultProducerContext>;

/// Notes what it is fed.
#[derive(Debug, Default)]
struct Notes {
    rows: BTreeMap<TableId, usize>,
    watermark: Option<i64>,
    rests: Vec<i64>,
    stop: std::sync::Arc<AtomicBool>,
}

impl RowSink for Notes {
    fn rows(
        &mut self,
        table: TableId,
        batch: arrow::record_batch::RecordBatch,
        _: Option<std::sync::Arc<BrokerOrigin>>,
    ) -> Result<(), Failed> {
        *self.rows.entry(table).or_default() += batch.num_rows();
        Ok(())
    }
    fn watermark(&mut self, watermark: i64) -> Result<(), Failed> {
        self.watermark = Some(watermark);
        Ok(())
    }
    fn rest(&mut self, end: i64) -> Result<(), Failed> {
        self.rests.push(end);
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    }
}

fn cluster() -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("t.dns", 1, 1).unwrap();
    cluster
}

fn options(cluster: &Cluster, until_eos: bool) -> SourceOptions {
    SourceOptions {
        cluster: settings(cluster),
        prefix: "t".into(),
        group: "g".into(),
        sensors: vec!["s".into()],
        until_eos,
        silence: Duration::from_millis(300),
        key_id: "k".into(),
    }
}

fn settings(cluster: &Cluster) -> Settings {
    let quick = [("reconnect.backoff.max.ms", "200"), ("retry.backoff.ms", "10")];
    let quick = quick.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Settings { wait: Duration::from_secs(60), ..Settings::new(&cluster.bootstrap_servers(), &quick) }
}

/// Messages to the topic: headers and body.
fn send(cluster: &Cluster, messages: &[(Option<Headers>, Vec<u8>)]) {
    let producer: BaseProducer = settings(cluster).config().create().unwrap();
    for (headers, body) in messages {
        let pairs = headers.iter().flat_map(Headers::to_pairs).collect::<Vec<_>>();
        let headers =
            pairs.iter().fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(value) }));
        producer
            .send(BaseRecord::<(), [u8]>::to("t.dns").partition(0).payload(body).headers(headers))
            .map_err(|(e, _)| e)
            .unwrap();
    }
    producer.flush(TIMEOUT).unwrap();
}

/// A message of rows due at these times, after so many others of the epoch.
fn rows(epoch: &str, seq: u64, dues: &[i64]) -> (Option<Headers>, Vec<u8>) {
    let table = TableId::Dns.def();
    let given: Vec<_> =
        dues.iter().map(|d| serde_json::from_value(serde_json::json!({ "due": d, "ts": d })).unwrap()).collect();
    let batch = dynamic::from_json(table, &given, &Key::from_hex(&"00".repeat(32)).unwrap()).unwrap();
    let body = if dues.is_empty() { Vec::new() } else { wire::encode(&batch).unwrap() };
    let promise = dues.last().copied().unwrap_or(i64::MIN);
    let (epoch, rows) = (epoch.to_owned(), dues.len() as u64);
    let headers = Headers {
        schema: SCHEMA_VERSION,
        sensor: "s".into(),
        epoch,
        seq,
        rows,
        promise,
        key_id: "k".into(),
        ..Headers::default()
    };
    (Some(headers), body)
}

fn end(epoch: &str, seq: u64, clock: i64) -> (Option<Headers>, Vec<u8>) {
    let (headers, body) = rows(epoch, seq, &[]);
    (headers.map(|h| Headers { promise: clock, eos: true, ..h }), body)
}

fn run(cluster: &Cluster, until_eos: bool) -> (Notes, Result<Option<i64>, FeedError>, Consumed) {
    let mut source = Source::connect(options(cluster, until_eos)).unwrap();
    let mut notes = Notes::default();
    let stop = std::sync::Arc::clone(&notes.stop);
    let ended = source.run(&mut notes, &stop, &mut |_| {});
    let consumed = source.consumed().clone();
    (notes, ended, consumed)
}

#[test]
fn all_runs_of_a_partition_are_read_before_it_ends() {
    let cluster = cluster();
    send(
        &cluster,
        &[
            rows("e1", 0, &[1, 2]),
            end("e1", 2, 9),
            rows("e2", 0, &[20]),
            end("e2", 1, 25),
            rows("e1", 0, &[1, 2]),
            end("e1", 2, 9),
        ],
    );
    let (notes, ended, consumed) = run(&cluster, true);
    assert_eq!(ended.unwrap(), Some(25), "the latest clock at an end");
    assert_eq!((notes.rows[&TableId::Dns], consumed.repeated, consumed.missing), (3, 2, 0));
}

#[test]
fn silence_after_the_end_of_all_is_rest_and_not_the_end() {
    let cluster = cluster();
    send(&cluster, &[rows("e1", 0, &[1, 2]), end("e1", 2, 9)]);
    let (notes, ended, _) = run(&cluster, false);
    assert_eq!((ended.unwrap(), notes.rests), (None, vec![9]));
}

#[test]
fn what_is_strange_is_counted_and_becomes_an_oddity() {
    let cluster = cluster();
    let torn = |(headers, body): (Option<Headers>, Vec<u8>)| (headers, body[..body.len() / 2].to_vec());
    let far = rows("e1", 5, &[i64::MAX - 1]);
    let lies = (rows("e1", 6, &[5, 6]).0, rows("e1", 6, &[5]).1);
    send(
        &cluster,
        &[
            (None, b"hello?".to_vec()),
            rows("e1", 0, &[1, 2]),
            torn(rows("e1", 2, &[3])),
            rows("e1", 4, &[4]),
            far,
            lies,
            end("e1", 8, 9),
        ],
    );
    let (notes, ended, consumed) = run(&cluster, true);
    assert_eq!(ended.unwrap(), Some(9));
    assert_eq!((consumed.broken, consumed.rows), (4, 3), "{consumed:?}");
    assert_eq!(consumed.missing, 1 + 1 + 1 + 2, "those of broken bodies and the one of the hole");
    assert_eq!(notes.rows[&TableId::Oddity], 5);
}

#[test]
fn another_key_and_a_newer_major_are_refused() {
    for (change, sentence) in [(true, "give both the same key"), (false, "update the reader")] {
        let cluster = cluster();
        let (headers, body) = rows("e1", 0, &[1]);
        let headers = headers.map(|h| {
            if change {
                Headers { key_id: "other".into(), ..h }
            } else {
                Headers { schema: (SCHEMA_VERSION.0 + 1, 0), ..h }
            }
        });
        send(&cluster, &[(headers, body)]);
        let error = run(&cluster, true).1.unwrap_err().to_string();
        assert!(error.contains("t.dns[0]@0") && error.contains(sentence), "{error}");
    }
}

#[test]
fn a_broker_that_goes_away_and_comes_back_costs_nothing() {
    let cluster = cluster();
    send(&cluster, &[rows("e1", 0, &[1, 2]), end("e1", 2, 9)]);
    let mut source = Source::connect(options(&cluster, true)).unwrap();
    cluster.broker_down(1).unwrap();
    let reading = std::thread::spawn(move || {
        let mut notes = Notes::default();
        let ended = source.run(&mut notes, &AtomicBool::new(false), &mut |_| {});
        (ended.unwrap(), notes.rows[&TableId::Dns])
    });
    std::thread::sleep(Duration::from_millis(700));
    cluster.request_errors(RDKafkaApiKey::Fetch, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION]);
    cluster.broker_up(1).unwrap();
    assert_eq!(reading.join().unwrap(), (Some(9), 2));
}

#[test]
fn a_finding_that_is_refused_is_said() {
    let cluster = cluster();
    cluster.create_topic("t.finding", 1, 1).unwrap();
    let producer = FindingProducer::connect(&settings(&cluster), "t").unwrap();
    let finding = crate::tests::finding();
    producer.send(&finding).unwrap();
    producer.flush().unwrap();
    cluster.request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 1]);
    producer.send(&finding).unwrap();
    let error = producer.flush().unwrap_err().to_string();
    assert!(error.starts_with("1 messages were refused (t.finding: "), "{error}");
    assert!(error.contains("needs Describe and Write") && error.contains("run watch again"), "{error}");
}
