//! `lidr sensor`: captures and record files in, rows to Kafka; no judging.
use std::{collections::BTreeMap, io::Write, process::ExitCode, sync::Arc};

use anyhow::bail;
use lidr_analytics::Site;
use lidr_ingest::{
    log::Sources,
    run,
    sink::{KafkaSink, KafkaSinkOptions, Tee},
    source::{Input, Reader},
    summary::Summary,
};
use lidr_schema::Key;

use crate::{
    account,
    args::{Broker, Sensor},
    inputs, judge, key,
    settings::Properties,
};

pub(crate) fn run(args: &Sensor, properties: &Properties, quiet: bool) -> anyhow::Result<ExitCode> {
    let key = key::given(&args.key)?;
    let metrics = args.metrics.map(judge::serve).transpose()?;
    let site = Site::load(args.site.as_deref(), &key)?;
    let sensor = inputs::sensor_name(args.decode.name.as_deref(), &site);
    let sources = inputs::sources(&args.decode, args.site.as_deref(), &site, &key)?;
    let (sensors, unreadable) = inputs::readable(inputs::by_sensor(&args.decode.inputs, &sensor), &sources)?;
    for (sensor, inputs) in sensors {
        let summary = one(args, properties, &key, &sensor, &inputs, &sources, metrics.as_deref())?;
        if !quiet {
            write!(std::io::stderr(), "\nsensor    {sensor} to {}", args.broker.kafka)?;
            account::tell(&summary)?;
        }
    }
    inputs::complain(&unreadable, ExitCode::SUCCESS)
}

fn one(
    args: &Sensor,
    properties: &Properties,
    key: &Key,
    sensor: &str,
    files: &[Input],
    sources: &Arc<Sources>,
    metrics: Option<&lidr_analytics::metrics::Metrics>,
) -> anyhow::Result<serde_json::Value> {
    let config = inputs::config(&args.decode, sensor, inputs::workers(args.decode.workers), key, files, sources)?;
    let reader = Reader::open_with(files, Some(sources))?;
    let options = KafkaSinkOptions {
        prefix: args.broker.topic_prefix.clone(),
        sensor: sensor.to_owned(),
        epoch: config.epoch.clone(),
        key_id: key.id().to_owned(),
        partitions: args.partitions,
        properties: all_properties(&args.broker, properties)?,
    };
    let mut sink = KafkaSink::connect(&args.broker.kafka, options)?;
    let sent = sink.sent();
    let tell = |account: &Summary| {
        let Some(metrics) = metrics else { return };
        let sent = sent.now();
        metrics.progress(sensor, &account.to_json());
        metrics.produced(sensor, sent.messages, sent.bytes, sent.rows);
    };
    let mut progress = |p: &run::Progress| tell(&p.so_far);
    let lake = args.lake.as_ref().map(|dir| inputs::lake(dir, &config, key)).transpose()?;
    let summary = match lake {
        Some(lake) => run::run(reader, &config, &mut Tee(&mut sink, lake), &mut progress)?,
        None => run::run(reader, &config, &mut sink, &mut progress)?,
    };
    tell(&summary);
    Ok(summary.to_json())
}

/// Properties of the settings file, then those of the command line.
pub(crate) fn all_properties(broker: &Broker, settings: &Properties) -> anyhow::Result<BTreeMap<String, String>> {
    let mut all = settings.clone();
    for text in &broker.property {
        let Some((name, value)) = text.split_once('=') else {
            bail!("-X {text}: needed NAME=VALUE, for instance security.protocol=SSL")
        };
        all.insert(name.to_owned(), value.to_owned());
    }
    Ok(all)
}
