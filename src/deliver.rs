//! Starts the outputs that reach somebody, as the options ask for them.
use std::{fs, sync::Arc, time::Duration};

use anyhow::Context;
use lidr_analytics::{
    deliver::{Deliveries, Options, Secret},
    metrics::Metrics,
};

use crate::{args::Deliver, folder};

/// How long the queues may take to empty at the end of a run that goes on until it is told to stop, which has ten seconds for all.
const AFTER_STOP: Duration = Duration::from_secs(4);
/// The same for a run that ends with its input, whom nobody hurries.
const AFTER_INPUT: Duration = Duration::from_secs(15);

/// Starts them; `goes_on` is a run that ends when it is told to.
pub(crate) fn start(args: &Deliver, goes_on: bool, metrics: Option<&Arc<Metrics>>) -> anyhow::Result<Deliveries> {
    let options = Options {
        webhooks: args.webhook.clone(),
        secret: if args.webhook.is_empty() { None } else { secret(args)? },
        webhook_level: args.webhook_level,
        alertmanagers: args.alertmanager.clone(),
        alertmanager_level: args.alertmanager_level,
        hold: args.alertmanager_hold,
        queue: args.deliver_queue,
        drain: if goes_on { AFTER_STOP } else { AFTER_INPUT },
        now: folder::now,
    };
    Ok(Deliveries::start(&options, metrics)?)
}

/// The secret of a file, else of the environment, where it is no argument that a list of processes shows.
fn secret(args: &Deliver) -> anyhow::Result<Option<Secret>> {
    if let Some(path) = &args.webhook_secret_file {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        return Secret::parse(&text).with_context(|| path.display().to_string()).map(Some);
    }
    let variable = std::env::var("LIDR_WEBHOOK_SECRET").ok().filter(|text| !text.is_empty());
    variable.map(|text| Secret::parse(&text).context("LIDR_WEBHOOK_SECRET")).transpose()
}
