//! `lidr live`: sensor and watch in one process, without a broker.
//!
//! What is heard is decoded on threads of its own and judged here, as a replay of the same packets would be. It goes on until it is
//! told to end; then what has come is judged to its end, as at the end of a capture. What breaks (an interface that goes away) is
//! said with exit status 2 after everything found until then was written.
use std::{
    process::ExitCode,
    sync::mpsc::{Receiver, sync_channel},
    thread,
    time::Instant,
};

use lidr_ingest::{
    run::{self, RunError},
    sink::Tee,
    summary::Summary,
};
use serde_json::json;

use crate::{
    account,
    args::{Live, Range},
    folder::Own,
    hear, inputs,
    judge::Judging,
    key,
    refresh::{self, Refresher},
    replay::{Channel, Event},
};

pub(crate) fn run(args: &Live, quiet: bool) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    hear::one_kind(&args.hear, &[])?;
    let key = key::given_or_kept(&args.judge.key)?;
    let (looked, site) = refresh::read(args.judge.site.as_deref(), &key)?;
    let sensor = inputs::sensor_name(args.decode.name.as_deref(), &site);
    let sources = inputs::sources(&args.decode, args.judge.site.as_deref(), &site, &key)?;
    let hear::Heard { reader, names, .. } = hear::start(&args.hear, &sources)?;
    let config = inputs::live_config(&args.decode, &sensor, &key, &names)?;
    // By this it knows the folder that it wrote before a restart.
    let name = json!({ "verb": "live", "sensor": sensor, "key_id": key.id() });
    let own = Own { name: name.clone(), rotate: args.rotate };
    let first = site.clone();
    let mut judging = Judging::start(&args.judge, Range { from: None, to: None }, &key, site, Some(own))?;
    let refresher = Refresher::start(args.judge.site.clone(), looked, &first, key.clone(), judging.metrics.clone())?;
    judging = judging.refreshed(refresher);
    drop(first);
    let lake = args.lake.as_ref().map(|dir| inputs::lake(dir, &config, &key)).transpose()?;
    let workers = config.workers;
    let metrics = judging.metrics.clone();
    let (heard, broke) = thread::scope(|scope| {
        let (send, receive) = sync_channel(16);
        let decoding = scope.spawn(move || {
            let mut so_far = Summary::default();
            let mut progress = |p: &run::Progress| {
                if let Some(metrics) = &metrics {
                    metrics.progress(&config.sensor, &p.so_far.to_json());
                }
                so_far.clone_from(&p.so_far);
            };
            let done = match lake {
                Some(lake) => run::run(reader, &config, &mut Tee(Channel(send), lake), &mut progress),
                None => run::run(reader, &config, &mut Channel(send), &mut progress),
            };
            if let (Ok(summary), Some(metrics)) = (&done, &metrics) {
                metrics.progress(&config.sensor, &summary.to_json());
            }
            (done, so_far)
        });
        let judged = judge(receive, &mut judging);
        let decoded =
            decoding.join().map_err(|_| anyhow::anyhow!("the decoding thread died: this is a defect of lidr"));
        // Where the judge failed, decoding stopped for that reason.
        let promised = judged?;
        Ok::<_, anyhow::Error>(match decoded? {
            (Ok(summary), _) => (summary, None::<RunError>),
            (Err(error), so_far) => (Summary { clock: promised, ..so_far }, Some(error)),
        })
    })?;
    judging.finish(heard.clock)?;
    let mut own = heard.to_json();
    account::put(&mut own, name);
    if let Some(lake) = &args.lake {
        account::put(&mut own, json!({ "lake": lake.display().to_string() }));
    }
    let code = judging.outputs.end(&account::summary("live", &judging, workers, started, own), quiet)?;
    broke.map_or(Ok(code), |error| Err(error.into()))
}

/// Judges what comes until nothing comes any more; the last promise.
fn judge(receive: Receiver<Event>, judging: &mut Judging) -> anyhow::Result<i64> {
    let mut promised = i64::MIN;
    for event in receive {
        match event {
            Event::Rows(table, batch) => judging.rows(table, batch, None)?,
            Event::Floor(i64::MAX) => {}
            Event::Floor(promise) => {
                promised = promise.max(promised);
                judging.watermark(promised)?;
            }
        }
    }
    Ok(promised)
}
