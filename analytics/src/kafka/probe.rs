//! What `lidr doctor` asks a broker: whether it answers, which topics there are, whose messages they hold, what may be read and made.
//!
//! Nothing is written, made or committed. Making topics is tried with the broker's own dry run (`validate_only`). Whether messages may be
//! produced is the one question that a broker only answers to somebody who produces, so that it is not asked. What librdkafka says of
//! connections while it tries is kept: the reason for a failure stands there and not in the error of a request that ran out of time.
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use lidr_broker::{Settings, block_on, told};
use lidr_schema::{
    table::ALL,
    wire::{Headers, WireError},
};
use rdkafka::{
    ClientConfig, ClientContext, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, KafkaResult},
    message::Headers as _,
    metadata::MetadataTopic,
    types::RDKafkaErrorCode,
};

/// Longest wait for one answer.
const WAIT: Duration = Duration::from_secs(5);
/// Longest wait for the newest messages of all partitions.
const READ: Duration = Duration::from_secs(8);
/// Reasons that are kept.
const MOST: usize = 20;

/// Whom to ask, and as whom.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// Where the cluster is.
    pub cluster: &'a Settings,
    /// Prefix of the topics.
    pub prefix: &'a str,
    /// Consumer group of the watch.
    pub group: &'a str,
}

/// No broker answered.
#[derive(Clone, Debug, Default)]
pub struct Silent {
    /// What the request ended with.
    pub error: String,
    /// What librdkafka said of its connections meanwhile.
    pub reasons: Vec<String>,
}

/// A broker that answered.
#[derive(Debug)]
pub struct Probe {
    /// Name of the cluster, where it has one.
    pub cluster: Option<String>,
    /// Brokers of the cluster, HOST:PORT.
    pub brokers: Vec<String>,
    /// The topics of the tables and of findings, there or not.
    pub topics: Vec<Topic>,
    /// Whether topics could be made, with which replication.
    pub make: Result<usize, String>,
    /// Whether the group's offsets may be read.
    pub group: Result<(), String>,
    /// What librdkafka complained of although the broker answered.
    pub reasons: Vec<String>,
}

/// A topic.
#[derive(Debug)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// It holds rows, not findings.
    pub table: bool,
    /// Partitions; none: it is not there.
    pub partitions: usize,
    /// Fewest replicas of a partition.
    pub replicas: usize,
    /// Partitions that no broker leads.
    pub leaderless: usize,
    /// Why it may not be looked at, or read.
    pub refused: Option<String>,
    /// Messages that it holds.
    pub messages: u64,
    /// The newest message of each partition that has one.
    pub newest: Vec<Newest>,
}

/// The newest message of a partition.
#[derive(Debug)]
pub struct Newest {
    /// The partition.
    pub partition: i32,
    /// When it was produced, as the producer says, ms since the epoch.
    pub produced: Option<i64>,
    /// What it says of itself; findings have no headers.
    pub headers: Result<Headers, WireError>,
}

/// Keeps what librdkafka says.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<String>>>);

impl Ear {
    fn keep(&self, text: &str) {
        if let Ok(mut kept) = self.0.lock()
            && kept.len() < MOST
            && !kept.iter().any(|k| k == text)
        {
            kept.push(text.to_owned());
        }
    }

    fn kept(&self) -> Vec<String> {
        self.0.lock().map(|kept| kept.clone()).unwrap_or_default()
    }
}

impl ClientContext for Ear {
    fn log(&self, level: RDKafkaLogLevel, _: &str, message: &str) {
        if (level as i32) <= RDKafkaLogLevel::Warning as i32 {
            self.keep(message);
        }
    }
    fn error(&self, _: KafkaError, reason: &str) {
        self.keep(reason);
    }
}

impl ConsumerContext for Ear {}

/// Asks.
///
/// # Errors
/// If no broker answers, or librdkafka does not take a property.
pub fn ask(ask: &Ask<'_>) -> Result<Probe, Silent> {
    let mut config = ask.cluster.config();
    config.set("group.id", ask.group).set("enable.auto.commit", "false").set("auto.offset.reset", "earliest");
    config.set("allow.auto.create.topics", "false");
    let heard = Ear::default();
    let refused = |error: &KafkaError| Silent { error: told(error), reasons: Vec::new() };
    let consumer: BaseConsumer<Ear> = config.create_with_context(heard.clone()).map_err(|e| refused(&e))?;
    let metadata = match consumer.fetch_metadata(None, WAIT) {
        Ok(metadata) => metadata,
        Err(error) => {
            drain(&consumer);
            return Err(Silent { error: told(&error), reasons: heard.kept() });
        }
    };
    let brokers: Vec<String> = metadata.brokers().iter().map(|b| format!("{}:{}", b.host(), b.port())).collect();
    let names = ALL.iter().map(|t| (format!("{}.{}", ask.prefix, t.name()), true));
    let names = names.chain([(format!("{}.finding", ask.prefix), false)]);
    let mut topics: Vec<Topic> = names
        .map(|(name, table)| topic(name.clone(), table, metadata.topics().iter().find(|t| t.name() == name)))
        .collect();
    for topic in topics.iter_mut().filter(|t| t.partitions == 0 && t.refused.is_none()) {
        hidden(&consumer, topic);
    }
    look(&consumer, &mut topics);
    let make = make(&config, ask.prefix, brokers.len());
    let group = group(&consumer, &topics);
    drain(&consumer);
    Ok(Probe { cluster: consumer.client().fetch_cluster_id(WAIT), brokers, topics, make, group, reasons: heard.kept() })
}

/// Hears what librdkafka has to say.
fn drain(consumer: &BaseConsumer<Ear>) {
    for _ in 0..MOST {
        if consumer.poll(Duration::from_millis(20)).is_none() {
            return;
        }
    }
}

fn topic(name: String, table: bool, found: Option<&MetadataTopic>) -> Topic {
    let partitions = found.map(MetadataTopic::partitions).unwrap_or_default();
    let refused = found.and_then(MetadataTopic::error).map(RDKafkaErrorCode::from);
    Topic {
        name,
        table,
        partitions: partitions.len(),
        replicas: partitions.iter().map(|p| p.replicas().len()).min().unwrap_or_default(),
        leaderless: partitions.iter().filter(|p| p.leader() < 0).count(),
        refused: refused.map(|code| code.to_string()),
        messages: 0,
        newest: Vec::new(),
    }
}

/// Whether a topic is not there, or is not shown to whoever may not see it: the list of all topics leaves such out.
fn hidden(consumer: &BaseConsumer<Ear>, topic: &mut Topic) {
    let Ok(metadata) = consumer.fetch_metadata(Some(&topic.name), WAIT) else { return };
    let error = metadata.topics().iter().find_map(MetadataTopic::error).map(RDKafkaErrorCode::from);
    topic.refused =
        error.filter(|code| *code == RDKafkaErrorCode::TopicAuthorizationFailed).map(|code| code.to_string());
}

/// Reads the newest message of every partition.
fn look(consumer: &BaseConsumer<Ear>, topics: &mut [Topic]) {
    let (mut list, mut left) = (TopicPartitionList::new(), BTreeSet::new());
    for topic in topics.iter_mut().filter(|t| t.partitions > 0 && t.leaderless == 0 && t.refused.is_none()) {
        for partition in 0..i32::try_from(topic.partitions).unwrap_or_default() {
            match consumer.fetch_watermarks(&topic.name, partition, WAIT) {
                Ok((low, high)) if high > low => {
                    topic.messages += u64::try_from(high - low).unwrap_or_default();
                    if list.add_partition_offset(&topic.name, partition, Offset::Offset(high - 1)).is_ok() {
                        left.insert((topic.name.clone(), partition));
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    topic.refused = Some(told(&error));
                    break;
                }
            }
        }
    }
    if left.is_empty() || consumer.assign(&list).is_err() {
        return;
    }
    let began = Instant::now();
    while !left.is_empty() && began.elapsed() < READ {
        let Some(came) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = match came {
            Ok(message) => message,
            Err(error) => {
                if let Some(code) = refuses(&error) {
                    let unread = topics.iter_mut().filter(|t| left.iter().any(|(name, _)| *name == t.name));
                    unread.for_each(|t| t.refused = Some(code.to_string()));
                    return;
                }
                continue;
            }
        };
        if !left.remove(&(message.topic().to_owned(), message.partition())) {
            continue;
        }
        let header = |name: &'static str| {
            let headers = message.headers()?;
            headers.iter().find(|h| h.key == name).and_then(|h| std::str::from_utf8(h.value?).ok())
        };
        let newest = Newest {
            partition: message.partition(),
            produced: message.timestamp().to_millis(),
            headers: Headers::from_pairs(header),
        };
        if let Some(topic) = topics.iter_mut().find(|t| t.name == message.topic()) {
            topic.newest.push(newest);
        }
    }
}

/// Whether an error refuses topics; one that refuses the group says nothing of them.
fn refuses(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    error.rdkafka_error_code().filter(|code| *code == RDKafkaErrorCode::TopicAuthorizationFailed)
}

/// Whether a topic could be made; the broker only says whether it would.
fn make(config: &ClientConfig, prefix: &str, brokers: usize) -> Result<usize, String> {
    let replicas = brokers.clamp(1, 3);
    let name = format!("{prefix}.doctor");
    let new = [NewTopic::new(&name, 1, TopicReplication::Fixed(i32::try_from(replicas).unwrap_or(1)))];
    let admin: AdminClient<DefaultClientContext> = config.create().map_err(|e| told(&e))?;
    let options = AdminOptions::new().operation_timeout(Some(WAIT)).request_timeout(Some(WAIT)).validate_only(true);
    let answers = block_on(admin.create_topics(&new, &options)).map_err(|e| told(&e))?;
    match answers.into_iter().next() {
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) | Some(Ok(_)) | None => Ok(replicas),
        Some(Err((_, code))) => Err(code.to_string()),
    }
}

/// Whether the group's offsets may be read, as a watch does for the lag that it shows.
fn group(consumer: &BaseConsumer<Ear>, topics: &[Topic]) -> Result<(), String> {
    let mut list = TopicPartitionList::new();
    for topic in topics.iter().filter(|t| t.partitions > 0) {
        list.add_partition(&topic.name, 0);
    }
    if list.count() == 0 {
        return Ok(());
    }
    let answered: KafkaResult<TopicPartitionList> = consumer.committed_offsets(list, WAIT);
    let answered = answered.map_err(|e| told(&e))?;
    let failed = answered.elements().into_iter().find_map(|e| e.error().err());
    failed.map_or(Ok(()), |e| Err(told(&e)))
}
