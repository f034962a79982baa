//! `lidr watch`: rows from Kafka, judged as they come.
use std::{
    mem::ManuallyDrop,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::bail;
use lidr_analytics::{
    feed::FeedError,
    kafka::{Consumed, FindingProducer, Source, SourceOptions},
    metrics::Metrics,
};
use serde_json::json;

use crate::{
    account,
    args::Watch,
    folder::Own,
    judge::{Judging, Resumed},
    key,
    refresh::{self, Refresher},
    sensor::cluster,
    settings::Properties,
    state::State,
    stop,
    take::Taker,
};

pub(crate) fn run(args: &Watch, properties: &Properties, quiet: bool) -> anyhow::Result<ExitCode> {
    match judge(args, properties, quiet) {
        // Nothing was read, so nothing is missing.
        Err(error) if matches!(error.downcast_ref(), Some(FeedError::Stopped)) => Ok(ExitCode::SUCCESS),
        done => done,
    }
}

fn judge(args: &Watch, properties: &Properties, quiet: bool) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let key = key::given(&args.judge.key)?;
    let (mut looked, mut site) = refresh::read(args.judge.site.as_deref(), &key)?;
    let mut cluster = cluster(&args.broker, properties)?;
    // By this a watch knows the folders that it wrote before a restart.
    let name =
        json!({ "verb": "watch", "topic_prefix": args.broker.topic_prefix, "group": args.group, "key_id": key.id() });
    let stop = stop::on_signal()?;
    cluster.stop = Some(Arc::clone(&stop));
    let every = Duration::from_secs(args.state_every);
    let state = match &args.state {
        Some(dir) => match State::open(dir, name.clone(), every, &stop)? {
            Some(state) => Some(state),
            None => return Ok(ExitCode::SUCCESS),
        },
        None => None,
    };
    // It may have stood by for days.
    if state.as_ref().is_some_and(State::waited) {
        (looked, site) = refresh::read(args.judge.site.as_deref(), &key)?;
    }
    let sensors = if args.sensors.is_empty() { site.sensors() } else { args.sensors.clone() };
    if sensors.is_empty() && args.until_eos {
        bail!("--until-eos needs to know whom to wait for: give --sensors a,b or site table `sensors`");
    }
    // Never dropped: librdkafka would wait for a broker that may be gone, and there is no membership of a group to give up.
    let mut source = ManuallyDrop::new(Source::connect(SourceOptions {
        cluster: cluster.clone(),
        prefix: args.broker.topic_prefix.clone(),
        group: args.group.clone(),
        sensors,
        until_eos: args.until_eos,
        silence: Duration::from_secs(args.silence),
        key_id: key.id().to_owned(),
    })?);
    let own = Own { name: name.clone(), rotate: args.rotate };
    let first = site.clone();
    let mut judging = Judging::start(&args.judge, args.range, &key, site, Some(own))?;
    let refresher = Refresher::start(args.judge.site.clone(), looked, &first, key.clone(), judging.metrics.clone())?;
    judging = judging.refreshed(refresher);
    drop(first);
    let mut producer = None;
    if !args.no_produce {
        let made = std::rc::Rc::new(FindingProducer::connect(&cluster, &args.broker.topic_prefix)?);
        producer = Some(std::rc::Rc::clone(&made));
        judging = judging.also(Box::new(move |finding| Ok(made.send(finding)?)));
    }
    if let Some(mut state) = state {
        if let Some(producer) = producer.clone() {
            state = state.after(Box::new(move || Ok(producer.flush()?)));
        }
        if let Some(Resumed { source: stood, needed }) = judging.resume(state)? {
            if !source.resume(&stood, &needed, &mut Taker(&mut judging), &stop)? {
                return Ok(ExitCode::SUCCESS);
            }
            judging.resumed()?;
        }
    }
    let metrics = judging.metrics.clone();
    let ended = source.run(&mut Taker(&mut judging), &stop, &mut |c| tell(metrics.as_deref(), c))?;
    if let Some(end) = ended {
        judging.finish(end)?;
    }
    if let Some(producer) = producer {
        producer.flush()?;
    }
    let mut input = json!({ "path": format!("{} {}.*", cluster.brokers, args.broker.topic_prefix) });
    account::put(&mut input, serde_json::to_value(source.consumed())?);
    let mut more = name;
    account::put(&mut more, json!({ "inputs": [input] }));
    judging.end("watch", 1, started, more, quiet)
}

fn tell(metrics: Option<&Metrics>, c: &Consumed) {
    if let Some(metrics) = metrics {
        let counts = [
            ("messages", c.messages),
            ("bytes", c.bytes),
            ("rows", c.rows),
            ("repeated", c.repeated),
            ("missing", c.missing),
            ("broken", c.broken),
            ("refused", c.refused),
        ];
        metrics.consumed(counts, &c.lag);
        metrics.silent(c.sensors.iter().map(|(sensor, silent)| (sensor.as_str(), *silent)));
    }
}
