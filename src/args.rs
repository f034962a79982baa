//! The command line, as one declaration: help, parsing, environment and settings file all come from it (see `settings.rs`).
use std::{net::SocketAddr, path::PathBuf, str::FromStr};

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use crate::{
    args_deliver::Deliver,
    args_evidence::{At, Evidence, EvidenceVerb, Explain, Verify},
    args_live::{Hear, Live},
    args_operate::{Completions, Doctor, ListShape, Man, Settings},
    args_report::{Certification, Report},
};

/// Finds abuse of a carrier's lawful-intercept systems in captures, Kafka streams and Parquet lakes.
#[derive(Debug, Parser)]
#[command(name = "lidr", version, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
    /// More log lines (-v, -vv)
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
    /// No progress, no summary, only warnings
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// How log lines look
    #[arg(long, value_enum, default_value = "text", global = true)]
    pub(crate) log_format: Shape,
}

/// Workers that a run may have.
pub(crate) const MOST_WORKERS: usize = 256;

/// Text for people, JSON for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// What lidr does.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Judge captures and record files: no broker, no root, no configuration
    Replay(Replay),
    /// Decode captures and record files, or what is heard live, and produce the rows to Kafka
    Sensor(Sensor),
    /// Judge what interfaces and syslog bring, in one process and without a broker
    Live(Live),
    /// Consume rows from Kafka and judge them
    Watch(Watch),
    /// Judge a Parquet lake that `--lake` wrote, or query it
    Hunt(Hunt),
    /// Look at the rules and test them
    #[command(subcommand)]
    Rules(Rules),
    /// Look at the mappings of record files and check them
    #[command(subcommand)]
    Sources(Mappings),
    /// Write labelled attack traffic with its site folder
    Simulate(Simulate),
    /// Measure decoding on one file: no rules, no output
    Bench(Bench),
    /// Simulate a tap without warrant, replay it and explain what was found
    Demo(Demo),
    /// One finding of an output folder: the rule, the rows, the frames, what in the site decided
    Explain(Explain),
    /// Put what stands behind a finding into a signed file, or check such files
    Evidence(Evidence),
    /// Reports on findings and on what runs
    #[command(subcommand)]
    Report(Report),
    /// Check what lidr needs here: capture, folders, clock, site tables, rules, broker; or write a first site folder from captures
    Doctor(Box<Doctor>),
    /// Every setting: its name in lidr.toml, its variable, its option, its default, what it means
    Settings(Settings),
    /// Completions for a shell, on standard output
    Completions(Completions),
    /// Write the manual pages
    Man(Man),
}

/// What is judged, and by what.
#[derive(Debug, Args)]
pub(crate) struct Judge {
    /// Folder of site tables: zones, elements, warrants, destinations, …
    #[arg(long, value_name = "DIR")]
    pub(crate) site: Option<PathBuf>,
    /// Folder of rule files, added to the embedded pack (a rule of the same code replaces the embedded one)
    #[arg(long, value_name = "DIR")]
    pub(crate) rules: Vec<PathBuf>,
    /// Leave the embedded rules out
    #[arg(long)]
    pub(crate) no_builtin: bool,
    /// Write findings.ndjson and summary.json here
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Write into an output folder of another run
    #[arg(long)]
    pub(crate) force: bool,
    /// How findings look on standard output
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Shape,
    /// Serve /metrics here (127.0.0.1 unless an address is given)
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(crate) metrics: Option<SocketAddr>,
    /// Exit 1 if a finding at or above this level was made
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    pub(crate) fail_on: Option<lidr_schema::finding::Severity>,
    /// Change a rule's tunable, for instance LI-09.n=50
    #[arg(long = "set", value_name = "CODE.NAME=VALUE")]
    pub(crate) tunables: Vec<String>,
    #[command(flatten)]
    pub(crate) deliver: Deliver,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
}

/// The key of the pseudonyms.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// File with the pseudonym key: 64 hex digits on one line
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
}

/// How something is decoded.
#[derive(Debug, Args)]
pub(crate) struct Decode {
    /// Folder of mapping files for record files, besides `sources` of the site folder
    #[arg(long, value_name = "DIR")]
    pub(crate) sources: Vec<PathBuf>,
    /// Workers; default: cores
    #[arg(long, value_name = "N", value_parser = workers)]
    pub(crate) workers: Option<usize>,
    /// Ports of a protocol that has none of its own, for instance x1=8443
    #[arg(long = "port", value_name = "NAME=PORT[,PORT…]")]
    pub(crate) ports: Vec<String>,
    /// The sensor's name; default: the one of site table `sensors` if it has exactly one, else `local`
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
}

/// `lidr replay`
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Captures (pcap, pcapng, `-` for standard input) and record files (NDJSON, CSV, syslog that a mapping takes by its name),
    /// plain, .gz or .zst; NAME=FILE puts one under another sensor
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<String>,
    #[command(flatten)]
    pub(crate) decode: Decode,
    #[command(flatten)]
    pub(crate) judge: Judge,
    #[command(flatten)]
    pub(crate) range: Range,
    /// Write the rows as Parquet here, for `lidr hunt`
    #[arg(long, value_name = "DIR")]
    pub(crate) lake: Option<PathBuf>,
    /// Put the SHA-256 of each input file into summary.json (costs as much as decoding)
    #[arg(long)]
    pub(crate) hash: bool,
    #[command(flatten)]
    pub(crate) show: Show,
}

/// How findings are told by verbs that end.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Show {
    /// Print every finding in full as it is made, instead of the stories that they make, on one screen at the end
    #[arg(long)]
    pub(crate) all: bool,
}

/// Which findings are written.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Range {
    /// Only findings from this time on (RFC 3339); rows before it still feed windows and memory
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) from: Option<i64>,
    /// Only findings before this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) to: Option<i64>,
}

/// The broker.
#[derive(Debug, Args)]
pub(crate) struct Broker {
    /// Brokers, HOST:PORT, comma separated
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) kafka: String,
    /// Prefix of the topics
    #[arg(long, default_value = "lidr.v1")]
    pub(crate) topic_prefix: String,
    /// Seconds that a broker may be away, at the start or later, before it is given up; what is heard live is never given up
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(crate) broker_wait: u64,
    /// MiB of messages that wait for a broker; once they are full, files are read later and live inputs fill --queue
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = above_zero::<u32>)]
    pub(crate) broker_buffer: u32,
    /// A property of librdkafka, for instance security.protocol=SSL; also in lidr.toml under [kafka]
    #[arg(short = 'X', value_name = "NAME=VALUE")]
    pub(crate) property: Vec<String>,
}

/// `lidr sensor`
#[derive(Debug, Args)]
pub(crate) struct Sensor {
    /// Captures and record files, as for `lidr replay`; none where it is live
    #[arg(value_name = "INPUT")]
    pub(crate) inputs: Vec<String>,
    #[command(flatten)]
    pub(crate) hear: Hear,
    #[command(flatten)]
    pub(crate) decode: Decode,
    #[command(flatten)]
    pub(crate) broker: Broker,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    /// Site folder, of which a sensor reads its own name (`sensors`), the names of devices and elements, and the mappings of record
    /// files (`sources`)
    #[arg(long, value_name = "DIR")]
    pub(crate) site: Option<PathBuf>,
    /// Write the rows as Parquet here, too, for `lidr hunt`
    #[arg(long, value_name = "DIR")]
    pub(crate) lake: Option<PathBuf>,
    /// Partitions of topics that are made
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = above_zero::<i32>)]
    pub(crate) partitions: i32,
    /// Serve /metrics here
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(crate) metrics: Option<SocketAddr>,
}

/// `lidr watch`
#[derive(Debug, Args)]
pub(crate) struct Watch {
    #[command(flatten)]
    pub(crate) broker: Broker,
    #[command(flatten)]
    pub(crate) judge: Judge,
    /// Consumer group, for lag display
    #[arg(long, default_value = "lidr")]
    pub(crate) group: String,
    /// Sensors to wait for, comma separated; default: site table `sensors`
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) sensors: Vec<String>,
    /// End when all of them have ended
    #[arg(long)]
    pub(crate) until_eos: bool,
    /// When all of them have ended and nothing has come for so long, judge what is open
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    pub(crate) silence: u64,
    /// Do not produce findings to Kafka
    #[arg(long)]
    pub(crate) no_produce: bool,
    /// Write down here how far it has come, and go on from there after a restart; a second watch with the same folder stands by
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Write it down at most so often
    #[arg(long, default_value_t = 10, value_name = "SECONDS", requires = "state")]
    pub(crate) state_every: u64,
    /// Begin a new findings.ndjson after this time, such as 1d, on the hour or day of UTC; the full one is kept under its start
    #[arg(long, value_name = "TIME", value_parser = period)]
    pub(crate) rotate: Option<i64>,
    #[command(flatten)]
    pub(crate) range: Range,
}

/// `lidr hunt`
#[derive(Debug, Args)]
pub(crate) struct Hunt {
    /// The lake
    #[arg(long, value_name = "DIR")]
    pub(crate) lake: PathBuf,
    #[command(flatten)]
    pub(crate) judge: Judge,
    /// Query the lake instead of judging it
    #[arg(long, value_name = "QUERY")]
    pub(crate) sql: Option<String>,
    /// The query is in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) sql_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) range: Range,
    #[command(flatten)]
    pub(crate) show: Show,
}

/// `lidr rules`
#[derive(Debug, Subcommand)]
pub(crate) enum Rules {
    /// Every rule, one a line
    List(RuleArgs),
    /// One rule in full
    Show {
        /// Its code, for instance LI-09
        code: String,
        #[command(flatten)]
        rules: RuleArgs,
    },
    /// Load, lint and plan every rule
    Check(RuleArgs),
    /// Run the cases in the rule files
    Test(RuleArgs),
    /// The tables and their columns
    Schema {
        /// One table only
        table: Option<String>,
    },
}

/// Which rules.
#[derive(Debug, Args)]
pub(crate) struct RuleArgs {
    /// Folder of rule files, added to the embedded pack
    #[arg(long, value_name = "DIR")]
    pub(crate) rules: Vec<PathBuf>,
    /// Leave the embedded rules out
    #[arg(long)]
    pub(crate) no_builtin: bool,
}

/// `lidr sources`
#[derive(Debug, Subcommand)]
pub(crate) enum Mappings {
    /// Every mapping, one a line, the site's first
    List(SourceArgs),
    /// One mapping file in full, to start another from
    Show {
        /// Its name, for instance lims-audit
        name: String,
        #[command(flatten)]
        sources: SourceArgs,
    },
    /// Load every mapping and say what is wrong
    Check(SourceArgs),
}

/// Which mappings.
#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// Site folder, of which `sources` is read
    #[arg(long, value_name = "DIR")]
    pub(crate) site: Option<PathBuf>,
    /// Folder of mapping files
    #[arg(long, value_name = "DIR")]
    pub(crate) sources: Vec<PathBuf>,
}

/// `lidr simulate`
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// The scenario, or `list`
    pub(crate) name: String,
    /// Folder to write to; not needed for `list`
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Seed: the same seed writes the same octets
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole::<u64>)]
    pub(crate) seed: u64,
    /// Packets of background traffic, about
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = whole::<u64>)]
    pub(crate) background: u64,
}

/// `lidr bench`
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// The capture
    pub(crate) file: PathBuf,
    /// Workers
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = workers)]
    pub(crate) workers: usize,
    /// Write the capture repeated, its times moved on, instead of measuring
    #[arg(long, value_name = "FILE")]
    pub(crate) write_repeated: Option<PathBuf>,
    /// How often, for --write-repeated
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = above_zero::<u32>)]
    pub(crate) repeat: u32,
    /// Count distinct flow keys (costs memory)
    #[arg(long)]
    pub(crate) count_keys: bool,
    /// How the result looks
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Shape,
}

/// `lidr demo`
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Folder for the capture and the findings; default: a new one under the temporary folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Packets of background traffic, about
    #[arg(long, value_name = "N", default_value_t = 50_000, value_parser = whole::<u64>)]
    pub(crate) background: u64,
}

pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    let full = if text.starts_with(':') || !text.contains(':') {
        format!("127.0.0.1:{}", text.trim_start_matches(':'))
    } else {
        text.to_owned()
    };
    full.parse().map_err(|_| format!("needed ADDRESS:PORT or a port, had `{text}`"))
}

pub(crate) fn level(text: &str) -> Result<lidr_schema::finding::Severity, String> {
    lidr_schema::finding::Severity::named(text)
        .ok_or_else(|| format!("needed informational, low, medium, high or critical, had `{text}`"))
}

pub(crate) fn time(text: &str) -> Result<i64, String> {
    lidr_analytics::time::parse_rfc3339(text).ok_or_else(|| format!("needed an RFC 3339 time, had `{text}`"))
}

pub(crate) fn period(text: &str) -> Result<i64, String> {
    let length = lidr_rules::duration(text).filter(|length| *length >= 1_000_000);
    length.ok_or_else(|| format!("needed a time of a second or more, such as 1h or 1d, had `{text}`"))
}

fn whole<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("needed a whole number, had `{text}`"))
}

pub(crate) fn above_zero<T: FromStr + PartialOrd + From<u8>>(text: &str) -> Result<T, String> {
    whole(text).ok().filter(|n| *n > T::from(0)).ok_or_else(|| format!("needed a whole number above 0, had `{text}`"))
}

fn workers(text: &str) -> Result<usize, String> {
    let number = whole(text).ok().filter(|n| (1..=MOST_WORKERS).contains(n));
    number.ok_or_else(|| format!("needed a whole number from 1 to {MOST_WORKERS}, had `{text}`"))
}
