//! `lidr sensor`: captures and record files, or what is heard live, in; rows to Kafka; no judging.
use std::{
    io::Write,
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use anyhow::bail;
use lidr_analytics::{Site, metrics::Metrics};
use lidr_broker::Settings;
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
    hear::{self, Heard},
    inputs, judge, key,
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
        let Heard { reader, names, stop } = hear::start(&args.hear, &sources)?;
        let config = inputs::live_config(&args.decode, &sensor, &key, &names)?;
        let metrics = args.metrics.map(judge::serve).transpose()?;
        to.send(reader, &config, metrics.as_deref(), Some(stop))?;
        return Ok(ExitCode::SUCCESS);
    }
    let metrics = args.metrics.map(judge::serve).transpose()?;
    let (sensors, unreadable) = inputs::readable(inputs::by_sensor(&args.inputs, &sensor), &sources)?;
    for (sensor, files) in sensors {
        let workers = inputs::workers(args.decode.workers);
        let config = inputs::config(&args.decode, &sensor, workers, &key, &files, &sources)?;
        to.send(Reader::open_with(&files, Some(&sources))?, &config, metrics.as_deref(), None)?;
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
    /// Decodes one sensor's inputs to their end, or until `stop` is set where they have none.
    fn send(
        &self,
        reader: Reader,
        config: &Config,
        metrics: Option<&Metrics>,
        stop: Option<Arc<AtomicBool>>,
    ) -> anyhow::Result<()> {
        let args = self.args;
        let mut cluster = cluster(&args.broker, self.properties)?;
        (cluster.endless, cluster.stop) = (stop.is_some(), stop);
        let options = KafkaSinkOptions {
            prefix: args.broker.topic_prefix.clone(),
            sensor: config.sensor.clone(),
            epoch: config.epoch.clone(),
            key_id: self.key.id().to_owned(),
            partitions: args.partitions,
        };
        let mut sink = KafkaSink::connect(&cluster, options)?;
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

/// The cluster, with the properties of the settings file, then those of the command line.
pub(crate) fn cluster(broker: &Broker, settings: &Properties) -> anyhow::Result<Settings> {
    let mut all = settings.clone();
    for text in &broker.property {
        let Some((name, value)) = text.split_once('=') else {
            bail!("-X {text}: needed NAME=VALUE, for instance security.protocol=SSL")
        };
        all.insert(name.to_owned(), value.to_owned());
    }
    let wait = Duration::from_secs(broker.broker_wait);
    let buffer = usize::try_from(broker.broker_buffer).unwrap_or_default().saturating_mul(1 << 20);
    Ok(Settings { wait, buffer, ..Settings::new(&broker.kafka, &all) })
}
