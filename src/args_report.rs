//! Options of the reports.
use clap::{Args, Subcommand};

use crate::args::At;

/// `lidr report`
#[derive(Debug, Subcommand)]
pub(crate) enum Report {
    /// Draft of the record that 47 CFR 1.20004(a)(1) asks for, about the interception of a finding
    Certification(Certification),
}

/// `lidr report certification`
#[derive(Debug, Args)]
pub(crate) struct Certification {
    /// The finding's id, or its beginning
    pub(crate) uid: String,
    #[command(flatten)]
    pub(crate) at: At,
    /// As a page for a browser
    #[arg(long, conflicts_with = "text")]
    pub(crate) html: bool,
    /// As text (the default)
    #[arg(long)]
    pub(crate) text: bool,
}
