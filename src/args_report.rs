//! The command line of `lidr report`.
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::args::{At, KeyArgs, time};

/// `lidr report`
#[derive(Debug, Subcommand)]
pub(crate) enum Report {
    /// Draft of the record that 47 CFR 1.20004(a)(1) asks for, about the interception of a finding
    Certification(Certification),
    /// The state of every tap: register, administration functions, elements and product on the wire, reconciled
    Taps(Taps),
    /// What happened, as one page to hand over: stories, timeline, who touched what, evidence, what could not be seen
    Incident(Incident),
}

/// `lidr report incident`
#[derive(Debug, Args)]
pub(crate) struct Incident {
    /// Output folder of replay, live, watch or hunt
    #[arg(long, value_name = "DIR")]
    pub(crate) from: PathBuf,
    /// Write the page here; into a folder as `report.html`
    #[arg(long, value_name = "FILE")]
    pub(crate) html: PathBuf,
}

/// `lidr report taps`
#[derive(Debug, Args)]
pub(crate) struct Taps {
    /// Output folder with a lake in it, or the lake itself
    #[arg(long, value_name = "DIR")]
    pub(crate) from: PathBuf,
    /// Folder of site tables; `warrants` is needed
    #[arg(long, value_name = "DIR")]
    pub(crate) site: Option<PathBuf>,
    /// The moment (RFC 3339); default: the end of the data
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) at: Option<i64>,
    /// How it looks
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Look,
    /// Write it here instead of standard output; into a folder as `taps.FORMAT`
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Resolve pseudonyms from the register with this key, for cleared users; each such access is recorded (text and HTML)
    #[arg(long, value_name = "FILE", requires = "site")]
    pub(crate) enclave_key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
}

/// How a report looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Look {
    /// For people at a terminal
    Text,
    /// For spreadsheets
    Csv,
    /// One page, to read, print and hand over
    Html,
    /// One JSON object a line
    Json,
}

impl Look {
    /// The ending of a file's name.
    pub(crate) const fn ending(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Csv => "csv",
            Self::Html => "html",
            Self::Json => "ndjson",
        }
    }
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
