//! `lidr replay`: captures in, findings out; no broker, no root, no configuration.
//!
//! Each sensor's inputs are decoded on threads of their own and judged here: whichever sensor is furthest behind is read next,
//! and the watermark is the least promise of all, so that several sensors are judged as they would be through Kafka.
use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write},
    process::ExitCode,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::Instant,
};

use anyhow::Context;
use arrow::array::RecordBatch;
use indicatif::{ProgressBar, ProgressStyle};
use lidr_analytics::Site;
use lidr_ingest::{
    run,
    sink::{LakeOptions, LakeSink, Sink, SinkError, Tee},
    source::{Input, Reader},
    summary::Summary,
};
use lidr_schema::{Key, TableId};
use serde_json::{Value, json};

use crate::{args::Replay, inputs, judge::Judging, key, usage};

/// What a sensor's thread sends.
enum Event {
    Rows(TableId, RecordBatch),
    Floor(i64),
}

struct Channel(SyncSender<Event>);

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
    let sensors = inputs::by_sensor(&args.decode.inputs, &sensor);
    let mut judging = Judging::start(&args.judge, &key, site)?.within(args.from, args.to);
    let bar = bar(&sensors, quiet);
    let summaries = decode_and_judge(args, sensors, &key, &mut judging, &bar)?;
    bar.finish_and_clear();
    let summary = account(args, &key, &judging, &summaries, started);
    judging.outputs.summary(&summary)?;
    if !quiet {
        tell(&summary, &judging)?;
    }
    Ok(if judging.outputs.failed() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn decode_and_judge(
    args: &Replay,
    sensors: BTreeMap<String, Vec<Input>>,
    key: &Key,
    judging: &mut Judging,
    bar: &ProgressBar,
) -> anyhow::Result<Vec<Summary>> {
    let share = (inputs::workers(args.decode.workers) / sensors.len().max(1)).max(1);
    thread::scope(|scope| {
        let mut threads = Vec::new();
        let mut open = BTreeMap::new();
        for (sensor, files) in sensors {
            let config = inputs::config(&args.decode, &sensor, share, key, &files)?;
            let reader = Reader::open(&files)?;
            let (send, receive) = sync_channel(16);
            let lake = args.lake.as_ref().map(|dir| LakeSink::create(dir, LakeOptions::new(&sensor, &config.epoch, key.id()))).transpose()?;
            let (bar, metrics, name) = (bar.clone(), judging.metrics.clone(), sensor.clone());
            threads.push(scope.spawn(move || {
                let mut progress = |p: &run::Progress| {
                    bar.set_position(p.bytes_read);
                    if let Some(metrics) = &metrics {
                        metrics.progress(&name, &p.so_far.to_json());
                    }
                };
                match lake {
                    Some(lake) => run::run(reader, &config, &mut Tee(Channel(send), lake), &mut progress),
                    None => run::run(reader, &config, &mut Channel(send), &mut progress),
                }
            }));
            open.insert(sensor, (i64::MIN, receive));
        }
        let judged = judge(&mut open, judging);
        drop(open);
        let mut summaries = Vec::new();
        for thread in threads {
            let summary = thread.join().map_err(|_| anyhow::anyhow!("a decoding thread died: this is a defect of lidr"))?;
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
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(total);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}") {
        bar.set_style(style);
    }
    bar
}

fn account(args: &Replay, key: &Key, judging: &Judging, parts: &[Summary], started: Instant) -> Value {
    let (rules, findings) = judging.account();
    let mut summary = Summary::merged(parts).to_json();
    let more = json!({
        "rules": rules,
        "findings": findings,
        "seconds": { "wall": started.elapsed().as_secs_f64(), "cpu": usage::cpu_seconds() },
        "peak_rss_bytes": usage::peak_rss_bytes(),
        "version": env!("CARGO_PKG_VERSION"),
        "workers": inputs::workers(args.decode.workers),
        "key_id": key.id(),
    });
    if let (Some(all), Value::Object(more)) = (summary.as_object_mut(), more) {
        all.extend(more);
    }
    summary
}

/// The end summary on standard error.
fn tell(summary: &Value, judging: &Judging) -> anyhow::Result<()> {
    let mut err = std::io::stderr();
    let text = |v: &Value| {
        let some = v.as_object().into_iter().flatten().filter(|(_, n)| n.as_u64().is_some_and(|n| n > 0));
        some.map(|(name, n)| format!("{name} {n}")).collect::<Vec<_>>().join(", ")
    };
    let none_if_empty = |t: String| if t.is_empty() { "none".to_owned() } else { t };
    writeln!(err, "\npackets   {} ({} octets)", summary["packets"], summary["bytes"])?;
    writeln!(err, "rows      {}", none_if_empty(text(&summary["rows"])))?;
    writeln!(err, "decoded   {}", none_if_empty(text(&summary["decoded"])))?;
    for (title, name) in [("skipped  ", "skipped"), ("oddities ", "oddities"), ("dropped  ", "dropped")] {
        let line = text(&summary[name]);
        if !line.is_empty() {
            writeln!(err, "{title} {line}")?;
        }
    }
    let rules = &summary["rules"];
    let not = rules["not_evaluated"].as_array().map_or(0, Vec::len);
    writeln!(err, "rules     {} loaded, {} evaluated, {not} not evaluated", rules["loaded"], rules["evaluated"])?;
    for rule in rules["not_evaluated"].as_array().into_iter().flatten() {
        let plain = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        writeln!(err, "          {}: {}", plain(&rule["code"]), plain(&rule["reason"]))?;
    }
    writeln!(err, "findings  {}", none_if_empty(text(&summary["findings"])))?;
    if let Some(path) = judging.outputs.path() {
        writeln!(err, "written   {}", path.display())?;
    }
    std::io::stderr().flush().context("standard error")
}
