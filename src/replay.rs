//! `lidr replay`: captures and record files in, findings out; no broker, no root, no configuration.
//!
//! Each sensor's inputs are decoded on threads of their own and judged here: whichever sensor is furthest behind is read next,
//! and the watermark is the least promise of all, so that several sensors are judged as they would be through Kafka.
use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Instant,
};

use arrow::array::RecordBatch;
use indicatif::{ProgressBar, ProgressStyle};
use lidr_analytics::Site;
use lidr_ingest::{
    log::Sources,
    run::{self, Config},
    sink::{Sink, SinkError, Tee},
    source::{Input, InputSummary, Reader},
    summary::Summary,
};
use lidr_schema::{Key, TableId};
use serde_json::{Value, json};

use crate::{account, args::Replay, inputs, judge::Judging, key, log};

/// What a sensor's thread sends.
pub(crate) enum Event {
    Rows(TableId, RecordBatch),
    Floor(i64),
}

/// Hands everything to whoever judges.
pub(crate) struct Channel(pub(crate) SyncSender<Event>);

impl Sink for Channel {
    fn rows(&mut self, table: TableId, batch: RecordBatch) -> Result<(), SinkError> {
        self.0.send(Event::Rows(table, batch)).map_err(|_| SinkError("the judge has stopped".into()))
    }
    fn floor(&mut self, promise: i64) -> Result<(), SinkError> {
        self.0.send(Event::Floor(promise)).map_err(|_| SinkError("the judge has stopped".into()))
    }
}

pub(crate) fn run(args: &Replay, quiet: bool) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let key = key::given_or_kept(&args.judge.key)?;
    let site = Site::load(args.judge.site.as_deref(), &key)?;
    let sensor = inputs::sensor_name(args.decode.name.as_deref(), &site);
    let sources = inputs::sources(&args.decode, args.judge.site.as_deref(), &site, &key)?;
    let (sensors, unreadable) = inputs::readable(inputs::by_sensor(&args.inputs, &sensor), &sources)?;
    let bar = bar(&sensors, quiet);
    let opened = open(args, sensors, &sources, &key)?;
    let mut judging = Judging::start(&args.judge, args.range, &key, site, None)?;
    judging.outputs.bar = bar.clone();
    if !args.show.all {
        judging.outputs.group();
    }
    let done = decode_and_judge(args, opened, &key, &mut judging, &bar);
    bar.finish_and_clear();
    if done.is_err() {
        // What was found until then is not lost with the run.
        judging.outputs.tell()?;
    }
    let summaries = done?;
    let mut own = Summary::merged(&summaries);
    if args.hash {
        own.inputs.iter_mut().try_for_each(InputSummary::hash)?;
    }
    let mut own = own.to_json();
    if let Some(lake) = &args.lake {
        account::put(&mut own, json!({ "lake": lake.display().to_string() }));
    }
    if let Some(inputs) = own.get_mut("inputs").and_then(Value::as_array_mut) {
        inputs.extend(unreadable.iter().cloned());
    }
    let workers = inputs::workers(args.decode.workers);
    let code = judging.end("replay", workers, started, own, quiet)?;
    inputs::complain(&unreadable, code)
}

/// A sensor's inputs, open, and how they are read.
type Opened = (Reader, Config);

/// Opens everything: what is not there is said before anything is made.
fn open(
    args: &Replay,
    sensors: BTreeMap<String, Vec<Input>>,
    sources: &Arc<Sources>,
    key: &Key,
) -> anyhow::Result<Vec<Opened>> {
    let share = (inputs::workers(args.decode.workers) / sensors.len().max(1)).max(1);
    let one = |(sensor, files): (String, Vec<Input>)| {
        let config = inputs::config(&args.decode, &sensor, share, key, &files, sources)?;
        Ok((Reader::open_with(&files, Some(sources))?, config))
    };
    sensors.into_iter().map(one).collect()
}

fn decode_and_judge(
    args: &Replay,
    opened: Vec<Opened>,
    key: &Key,
    judging: &mut Judging,
    bar: &ProgressBar,
) -> anyhow::Result<Vec<Summary>> {
    thread::scope(|scope| {
        let mut threads = Vec::new();
        let mut open = BTreeMap::new();
        for (reader, config) in opened {
            let (send, receive) = sync_channel(16);
            let lake = args.lake.as_ref().map(|dir| inputs::lake(dir, &config, key)).transpose()?;
            let (bar, metrics, sensor) = (bar.clone(), judging.metrics.clone(), config.sensor.clone());
            open.insert(sensor.clone(), (i64::MIN, receive));
            threads.push(scope.spawn(move || {
                let mut progress = |p: &run::Progress| {
                    bar.set_position(p.bytes_read);
                    if let Some(metrics) = &metrics {
                        metrics.progress(&sensor, &p.so_far.to_json());
                    }
                };
                match lake {
                    Some(lake) => run::run(reader, &config, &mut Tee(Channel(send), lake), &mut progress),
                    None => run::run(reader, &config, &mut Channel(send), &mut progress),
                }
            }));
        }
        let judged = judge(&mut open, judging);
        drop(open);
        let mut summaries = Vec::new();
        for thread in threads {
            let summary =
                thread.join().map_err(|_| anyhow::anyhow!("a decoding thread died: this is a defect of lidr"))?;
            // Where the judge failed, decoding stopped for that reason: its own error is the one to tell.
            match (&judged, summary) {
                (Err(_), _) => {}
                (Ok(()), summary) => summaries.push(summary?),
            }
        }
        judged?;
        let end = summaries.iter().map(|s| s.clock).max().unwrap_or(i64::MIN);
        judging.finish(end)?;
        Ok(summaries)
    })
}

/// Reads the sensor that is furthest behind until its promise moves, again and again.
fn judge(open: &mut BTreeMap<String, (i64, Receiver<Event>)>, judging: &mut Judging) -> anyhow::Result<()> {
    loop {
        let behind = open.iter().min_by_key(|(_, (floor, _))| *floor).map(|(name, _)| name.clone());
        let Some(name) = behind else { return Ok(()) };
        let Some((floor, receive)) = open.get_mut(&name) else { return Ok(()) };
        match receive.recv() {
            Ok(Event::Rows(table, batch)) => judging.rows(table, batch, None)?,
            Ok(Event::Floor(promise)) => *floor = promise.max(*floor),
            Err(_) => drop(open.remove(&name)),
        }
        let least = open.values().map(|(floor, _)| *floor).min();
        if let Some(least) = least.filter(|f| (i64::MIN + 1..i64::MAX).contains(f)) {
            judging.watermark(least)?;
        }
    }
}

fn bar(sensors: &BTreeMap<String, Vec<Input>>, quiet: bool) -> ProgressBar {
    let size = |input: &Input| match input {
        Input::Path { path, .. } => std::fs::metadata(path).map_or(0, |m| m.len()),
        Input::Stdin { .. } => 0,
    };
    let total: u64 = sensors.values().flatten().map(size).sum();
    if quiet || log::is_json() || !log::on_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(total);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta} {msg}") {
        bar.set_style(style);
    }
    bar
}
