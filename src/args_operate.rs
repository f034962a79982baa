//! The command line of what runs once: `lidr doctor`, `lidr settings`, `lidr completions`, `lidr man`.
use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, ValueEnum};
use clap_complete::Shell;

use crate::args::{Decode, KeyArgs, RuleArgs, Shape, address};

/// `lidr doctor`
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Folder of site tables: every file is looked through, and what is wrong told with its line
    #[arg(long, value_name = "DIR")]
    pub(crate) site: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    /// Open this interface and close it again; may be given several times
    #[arg(long, value_name = "IF")]
    pub(crate) interface: Vec<String>,
    /// Whether findings could be written here
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Whether a watch could keep its state here
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Whether rows could be written here
    #[arg(long, value_name = "DIR")]
    pub(crate) lake: Option<PathBuf>,
    /// Whether /metrics could be served here
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(crate) metrics: Option<SocketAddr>,
    /// Brokers to ask, HOST:PORT, comma separated; nothing is written to them
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) kafka: Option<String>,
    /// Prefix of the topics
    #[arg(long, default_value = "lidr.v1")]
    pub(crate) topic_prefix: String,
    /// Consumer group of the watch
    #[arg(long, default_value = "lidr")]
    pub(crate) group: String,
    /// A property of librdkafka, for instance security.protocol=SSL; also in lidr.toml under [kafka]
    #[arg(short = 'X', value_name = "NAME=VALUE")]
    pub(crate) property: Vec<String>,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    #[command(flatten)]
    pub(crate) decode: Decode,
    /// How the checks look
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Shape,
    /// List the protocols that are read, with their ports, and check nothing
    #[arg(long)]
    pub(crate) protocols: bool,
    /// Write a first site folder from these captures instead of checking anything
    #[arg(long, value_name = "CAPTURE", num_args = 1.., requires = "out_site")]
    pub(crate) propose_site: Vec<String>,
    /// The folder that --propose-site writes: a new or an empty one
    #[arg(long, value_name = "DIR", requires = "propose_site")]
    pub(crate) out_site: Option<PathBuf>,
}

/// `lidr settings`
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// Only what this verb takes, for instance watch
    pub(crate) verb: Option<String>,
    /// How the list looks
    // Not `--format`: whoever sets `format = "json"` for findings sets it for every verb that has the option.
    #[arg(long = "as", value_enum, default_value = "text")]
    pub(crate) shape: ListShape,
}

/// How the list of settings looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListShape {
    /// For people at a terminal
    Text,
    /// A page of documentation
    Markdown,
    /// A settings file with everything switched off
    Toml,
}

/// `lidr completions`
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// `lidr man`
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Folder for the pages: lidr.1, lidr-replay.1, …
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}
