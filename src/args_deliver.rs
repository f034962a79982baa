//! The command line of outputs that reach somebody: webhooks and Alertmanager.
use std::path::PathBuf;

use clap::Args;
use lidr_schema::finding::Severity;

use crate::args::{above_zero, level, period};

/// Where findings are delivered, beside standard output and the output folder.
#[derive(Debug, Args)]
pub(crate) struct Deliver {
    /// POST each finding's line to this address; may be given several times
    #[arg(long, value_name = "URL")]
    pub(crate) webhook: Vec<String>,
    /// File with the secret that webhook messages are signed with: base64 of 24 to 64 octets on one line (or LIDR_WEBHOOK_SECRET)
    #[arg(long, value_name = "FILE")]
    pub(crate) webhook_secret_file: Option<PathBuf>,
    /// Webhooks get findings at or above this level
    #[arg(long, value_name = "LEVEL", default_value = "informational", value_parser = level)]
    pub(crate) webhook_level: Severity,
    /// Post findings as alerts to this Alertmanager; may be given several times, for every member of a cluster
    #[arg(long, value_name = "URL")]
    pub(crate) alertmanager: Vec<String>,
    /// Alertmanagers get findings at or above this level
    #[arg(long, value_name = "LEVEL", default_value = "medium", value_parser = level)]
    pub(crate) alertmanager_level: Severity,
    /// How long an alert stands in Alertmanager, such as 12h
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = period)]
    pub(crate) alertmanager_hold: i64,
    /// Findings that may wait for each receiver; beyond them the least grave are dropped and counted
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = above_zero::<usize>)]
    pub(crate) deliver_queue: usize,
}
