//! `lidr sensor`: captures and record files, or what is heard live, in; rows to Kafka; no judging.
use std::{collections::BTreeMap, io::Write, process::ExitCode};

use anyhow::bail;
use lidr_analytics::{Site, metrics::Metrics};
use lidr_ingest::{
    run::{self, Config},
    sink::{KafkaSink, KafkaSinkOptions, Tee},
    source::Reader,
    summary::Summary,
};
use lidr_schema::Key;

use crate::{
    account,
    args::{Broker, Sensor},
    hear, inputs, judge, key,
    settings::Properties,
};

pub(crate) fn run(args: &Sensor, properties: &Properties, quiet: bool) -> anyhow::Result<ExitCode> {
    hear::one_kind(&args.hear, &args.inputs)?;
    let key = key::given(&args.key)?;
    let site = Site::load(args.site.as_deref(), &key)?;
    let sensor = inputs::sensor_name(args.decode.name.as_deref(), &site);
    let sources = inputs::sources(&args.decode, args.site.as_deref(), &site, &key)?;
    let to = To { args, properties, key: &key, quiet };
    if args.hear.is_live() {
        // Rights are given up before any thread is started, that of the metrics among them.
        let (reader, names) = hear::start(&args.hear, &sources)?;
        let config = inputs::live_config(&args.decode, &sensor, &key, &names)?;
        let metrics = args.metrics.map(judge::serve).transpose()?;
        to.send(reader, &config, metrics.as_deref())?;
        return Ok(ExitCode::SUCCESS);
    }
    let metrics = args.metrics.map(judge::serve).transpose()?;
    let (sensors, unreadable) = inputs::readable(inputs::by_sensor(&args.inputs, &sensor), &sources)?;
    for (sensor, files) in sensors {
        let workers = inputs::workers(args.decode.workers);
        let config = inputs::config(&args.decode, &sensor, workers, &key, &files, &sources)?;
        to.send(Reader::open_with(&files, Some(&sources))?, &config, metrics.as_deref())?;
    }
    inputs::complain(&unreadable, ExitCode::SUCCESS)
}

/// Where rows go.
struct To<'a> {
    args: &'a Sensor,
    properties: &'a Properties,
    key: &'a Key,
    quiet: bool,
}

impl To<'_> {
    /// Decodes one sensor's inputs to their end.
    fn send(&self, reader: Reader, config: &Config, metrics: Option<&Metrics>) -> anyhow::Result<()> {
        let args = self.args;
        let options = KafkaSinkOptions {
            prefix: args.broker.topic_prefix.clone(),
            sensor: config.sensor.clone(),
            epoch: config.epoch.clone(),
            key_id: self.key.id().to_owned(),
            partitions: args.partitions,
            properties: all_properties(&args.broker, self.properties)?,
        };
        let mut sink = KafkaSink::connect(&args.broker.kafka, options)?;
        let sent = sink.sent();
        let tell = |account: &Summary| {
            let Some(metrics) = metrics else { return };
            let sent = sent.now();
            metrics.progress(&config.sensor, &account.to_json());
            metrics.produced(&config.sensor, sent.messages, sent.bytes, sent.rows);
        };
        let mut progress = |p: &run::Progress| tell(&p.so_far);
        let lake = args.lake.as_ref().map(|dir| inputs::lake(dir, config, self.key)).transpose()?;
        let summary = match lake {
            Some(lake) => run::run(reader, config, &mut Tee(&mut sink, lake), &mut progress)?,
            None => run::run(reader, config, &mut sink, &mut progress)?,
        };
        tell(&summary);
        if !self.quiet {
            write!(std::io::stderr(), "\nsensor    {} to {}", config.sensor, args.broker.kafka)?;
            account::tell(&summary.to_json())?;
        }
        Ok(())
    }
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
