//! Topics that have to be there: found, or made; and how long a message of each may be.
use std::{
    collections::BTreeMap,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    error::KafkaResult,
    types::RDKafkaErrorCode,
};

use crate::{BrokerError, Hearing, Producer, Settings, block_on, next_step};

/// Longest wait for a topic that was made to appear.
const APPEAR: Duration = Duration::from_secs(10);
/// Longest wait for a broker to tell how long messages may be: one that does not is written to all the same.
const TELL: Duration = Duration::from_secs(3);
/// Most replicas of a topic that is made.
const REPLICAS: usize = 3;

/// A topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its partitions.
    pub partitions: i32,
    /// Octets that a batch of messages may have, if the broker tells.
    pub most: Option<usize>,
}

/// Finds topics, or makes those that are missing with so many partitions.
///
/// # Errors
/// If no broker answers in time, or one can neither be found nor made.
pub fn ensure(
    settings: &Settings,
    producer: &Producer,
    names: &[String],
    partitions: i32,
) -> Result<BTreeMap<String, Topic>, BrokerError> {
    let admin = settings.config().create_with_context(Hearing(Arc::clone(producer.trouble())));
    let admin: AdminClient<Hearing> = admin.map_err(|e| settings.refused(&e))?;
    let (brokers, there) = settings.reach(producer.trouble(), |within| find(producer, within))?;
    let missing: Vec<&String> = names.iter().filter(|n| !there.contains_key(*n)).collect();
    if !missing.is_empty() {
        let replicas = i32::try_from(brokers.clamp(1, REPLICAS)).unwrap_or(1);
        let new = missing.iter().map(|n| NewTopic::new(n, partitions, TopicReplication::Fixed(replicas)));
        make(&admin, &new.collect::<Vec<_>>())?;
    }
    let began = Instant::now();
    let found = loop {
        let (_, there) = settings.reach(producer.trouble(), |within| find(producer, within))?;
        let all = names.iter().map(|n| there.get(n).filter(|p| **p > 0).map(|p| (n.clone(), *p)));
        match all.collect::<Option<BTreeMap<String, i32>>>() {
            Some(all) => break all,
            None if began.elapsed() > APPEAR => {
                let lacking = names.iter().find(|n| !there.contains_key(*n)).map_or("", String::as_str);
                return Err(BrokerError::Failed(format!(
                    "{}: topic {lacking} is there and does not appear: the user needs Describe on it",
                    settings.brokers
                )));
            }
            None => thread::sleep(Duration::from_millis(100)),
        }
    };
    let limits = limits(&admin, names);
    Ok(found
        .into_iter()
        .map(|(n, partitions)| (n.clone(), Topic { partitions, most: limits.get(&n).copied() }))
        .collect())
}

/// How many brokers there are, and partitions by topic.
fn find(producer: &Producer, within: Duration) -> KafkaResult<(usize, BTreeMap<String, i32>)> {
    let metadata = producer.client().fetch_metadata(None, within)?;
    let partitions = |n: usize| i32::try_from(n).unwrap_or(0);
    let topics = metadata.topics().iter().map(|t| (t.name().to_owned(), partitions(t.partitions().len())));
    Ok((metadata.brokers().len(), topics.collect()))
}

fn make(admin: &AdminClient<Hearing>, new: &[NewTopic<'_>]) -> Result<(), BrokerError> {
    let options = AdminOptions::new().operation_timeout(Some(APPEAR)).request_timeout(Some(APPEAR));
    let failed = |topic: &str, why: &str| {
        BrokerError::Failed(format!("topic {topic} is missing and cannot be made ({why}): {}", next_step(why)))
    };
    let first = new.first().map_or("", |t| t.name);
    let made = block_on(admin.create_topics(new, &options)).map_err(|e| failed(first, &e.to_string()))?;
    for result in made {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(failed(&topic, &code.to_string())),
        }
    }
    Ok(())
}

/// What each topic takes at once, where the broker tells it: without permission to ask, a message that is too long is refused.
fn limits(admin: &AdminClient<Hearing>, names: &[String]) -> BTreeMap<String, usize> {
    let asked: Vec<ResourceSpecifier<'_>> = names.iter().map(|n| ResourceSpecifier::Topic(n)).collect();
    let options = AdminOptions::new().request_timeout(Some(TELL));
    let told = match block_on(admin.describe_configs(&asked, &options)) {
        Ok(told) => told,
        Err(error) => {
            tracing::debug!("how long messages may be is not known: {error}");
            return BTreeMap::new();
        }
    };
    let of = |resource: rdkafka::admin::ConfigResource| {
        let limit = resource.get("max.message.bytes")?.value.as_ref()?.parse().ok()?;
        match resource.specifier {
            rdkafka::admin::OwnedResourceSpecifier::Topic(name) => Some((name, limit)),
            _ => None,
        }
    };
    told.into_iter().filter_map(|resource| of(resource.ok()?)).collect()
}
