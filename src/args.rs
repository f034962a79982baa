//! The command line, as one declaration: help, parsing, environment and settings file all come from it.
//!
//! Precedence: flag, environment (`LIDR_…`), `lidr.toml`. The settings file is read before parsing and becomes the default
//! values of the options it names, so there is one list of options and not three.
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use anyhow::{Context, bail};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

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
    #[arg(long, value_enum, default_value = "text", env = "LIDR_LOG_FORMAT", global = true)]
    pub(crate) log_format: Shape,
}

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
    /// Judge captures: no broker, no root, no configuration
    Replay(Replay),
    /// Decode captures and produce the rows to Kafka
    Sensor(Sensor),
    /// Consume rows from Kafka and judge them
    Watch(Watch),
    /// Judge a Parquet lake that `--lake` wrote, or query it
    Hunt(Hunt),
    /// Look at the rules and test them
    #[command(subcommand)]
    Rules(Rules),
    /// Write labelled attack traffic with its site folder
    Simulate(Simulate),
    /// Measure decoding on one file: no rules, no output
    Bench(Bench),
    /// Simulate a tap without warrant, replay it and explain what was found
    Demo(Demo),
}

/// What is judged, and by what.
#[derive(Debug, Args)]
pub(crate) struct Judge {
    /// Folder of site tables: zones, elements, warrants, destinations, …
    #[arg(long, value_name = "DIR", env = "LIDR_SITE")]
    pub(crate) site: Option<PathBuf>,
    /// Folder of rule files, added to the embedded pack (a rule of the same code replaces the embedded one)
    #[arg(long, value_name = "DIR", env = "LIDR_RULES")]
    pub(crate) rules: Vec<PathBuf>,
    /// Leave the embedded rules out
    #[arg(long)]
    pub(crate) no_builtin: bool,
    /// Write findings.ndjson and summary.json here
    #[arg(long, value_name = "DIR", env = "LIDR_OUT")]
    pub(crate) out: Option<PathBuf>,
    /// Write into an output folder of another run
    #[arg(long)]
    pub(crate) force: bool,
    /// How findings look on standard output
    #[arg(long, value_enum, default_value = "text", env = "LIDR_FORMAT")]
    pub(crate) format: Shape,
    /// Serve /metrics here (127.0.0.1 unless an address is given)
    #[arg(long, value_name = "ADDR", env = "LIDR_METRICS", value_parser = address)]
    pub(crate) metrics: Option<SocketAddr>,
    /// Exit 1 if a finding at or above this level was made
    #[arg(long, value_name = "LEVEL", env = "LIDR_FAIL_ON", value_parser = level)]
    pub(crate) fail_on: Option<lidr_schema::finding::Severity>,
    /// Change a rule's tunable, for instance LI-09.n=50
    #[arg(long = "set", value_name = "CODE.NAME=VALUE")]
    pub(crate) tunables: Vec<String>,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
}

/// The key of the pseudonyms.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// File with the pseudonym key: 64 hex digits on one line
    #[arg(long, value_name = "FILE", env = "LIDR_KEY_FILE")]
    pub(crate) key_file: Option<PathBuf>,
}

/// What is decoded, and how.
#[derive(Debug, Args)]
pub(crate) struct Decode {
    /// Captures (pcap, pcapng, .gz, .zst, `-` for standard input); NAME=FILE puts one under another sensor
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<String>,
    /// Workers; default: cores
    #[arg(long, value_name = "N", env = "LIDR_WORKERS")]
    pub(crate) workers: Option<usize>,
    /// Ports of a protocol that has none of its own, for instance x1=8443
    #[arg(long = "port", value_name = "NAME=PORT[,PORT…]", env = "LIDR_PORT")]
    pub(crate) ports: Vec<String>,
    /// The sensor's name; default: the one of site table `sensors` if it has exactly one, else `local`
    #[arg(long, value_name = "NAME", env = "LIDR_NAME")]
    pub(crate) name: Option<String>,
}

/// `lidr replay`
#[derive(Debug, Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) decode: Decode,
    #[command(flatten)]
    pub(crate) judge: Judge,
    /// Write the rows as Parquet here, for `lidr hunt`
    #[arg(long, value_name = "DIR", env = "LIDR_LAKE")]
    pub(crate) lake: Option<PathBuf>,
    /// Only findings from this time on (RFC 3339)
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
    #[arg(long, value_name = "HOST:PORT", env = "LIDR_KAFKA")]
    pub(crate) kafka: String,
    /// Prefix of the topics
    #[arg(long, default_value = "lidr.v1", env = "LIDR_TOPIC_PREFIX")]
    pub(crate) topic_prefix: String,
    /// A property of librdkafka, for instance security.protocol=SSL; also in lidr.toml under [kafka]
    #[arg(short = 'X', value_name = "NAME=VALUE")]
    pub(crate) property: Vec<String>,
}

/// `lidr sensor`
#[derive(Debug, Args)]
pub(crate) struct Sensor {
    #[command(flatten)]
    pub(crate) decode: Decode,
    #[command(flatten)]
    pub(crate) broker: Broker,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    /// Partitions of topics that are made
    #[arg(long, default_value_t = 4, env = "LIDR_PARTITIONS")]
    pub(crate) partitions: i32,
    /// Serve /metrics here
    #[arg(long, value_name = "ADDR", env = "LIDR_METRICS", value_parser = address)]
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
    #[arg(long, default_value = "lidr", env = "LIDR_GROUP")]
    pub(crate) group: String,
    /// Sensors to wait for, comma separated; default: site table `sensors`
    #[arg(long, value_delimiter = ',', value_name = "NAMES", env = "LIDR_SENSORS")]
    pub(crate) sensors: Vec<String>,
    /// End when all of them have ended
    #[arg(long)]
    pub(crate) until_eos: bool,
    /// Do not produce findings to Kafka
    #[arg(long)]
    pub(crate) no_produce: bool,
}

/// `lidr hunt`
#[derive(Debug, Args)]
pub(crate) struct Hunt {
    /// The lake
    #[arg(long, value_name = "DIR", env = "LIDR_LAKE")]
    pub(crate) lake: PathBuf,
    #[command(flatten)]
    pub(crate) judge: Judge,
    /// Query the lake instead of judging it
    #[arg(long, value_name = "QUERY", conflicts_with = "sql_file")]
    pub(crate) sql: Option<String>,
    /// The query is in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) sql_file: Option<PathBuf>,
    /// Only findings from this time on (RFC 3339); rows before it still feed windows and memory
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) from: Option<i64>,
    /// Only findings before this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) to: Option<i64>,
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
    #[arg(long, value_name = "DIR", env = "LIDR_RULES")]
    pub(crate) rules: Vec<PathBuf>,
    /// Leave the embedded rules out
    #[arg(long)]
    pub(crate) no_builtin: bool,
}

/// `lidr simulate`
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// The scenario, or `list`
    pub(crate) name: String,
    /// Folder to write to
    #[arg(long, value_name = "DIR", required_unless_present_any = ["list"])]
    pub(crate) out: Option<PathBuf>,
    /// Seed: the same seed writes the same octets
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Packets of background traffic, about
    #[arg(long, default_value_t = 20_000)]
    pub(crate) background: u64,
    /// Only list the scenarios
    #[arg(long)]
    pub(crate) list: bool,
}

/// `lidr bench`
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// The capture
    pub(crate) file: PathBuf,
    /// Workers
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) workers: usize,
    /// Write the capture repeated, its times moved on, instead of measuring
    #[arg(long, value_name = "FILE")]
    pub(crate) write_repeated: Option<PathBuf>,
    /// How often, for --write-repeated
    #[arg(long, default_value_t = 10)]
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
    #[arg(long, default_value_t = 50_000)]
    pub(crate) background: u64,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let full = if text.starts_with(':') || !text.contains(':') {
        format!("127.0.0.1:{}", text.trim_start_matches(':'))
    } else {
        text.to_owned()
    };
    full.parse().map_err(|_| format!("needed ADDRESS:PORT or a port, had `{text}`"))
}

fn level(text: &str) -> Result<lidr_schema::finding::Severity, String> {
    lidr_schema::finding::Severity::named(text)
        .ok_or_else(|| format!("needed informational, low, medium, high or critical, had `{text}`"))
}

fn time(text: &str) -> Result<i64, String> {
    lidr_analytics::time::parse_rfc3339(text).ok_or_else(|| format!("needed an RFC 3339 time, had `{text}`"))
}

/// What `lidr.toml` says beside options: properties of librdkafka.
pub(crate) type Properties = BTreeMap<String, String>;

/// Parses the command line with `lidr.toml` behind it.
pub(crate) fn parse() -> anyhow::Result<(Cli, Properties)> {
    let (settings, properties) = settings()?;
    let command = with_defaults(Cli::command(), &settings);
    let matches = command.get_matches();
    Ok((Cli::from_arg_matches(&matches)?, properties))
}

/// `lidr.toml` of the working folder, or the file that `LIDR_CONFIG` names.
fn settings() -> anyhow::Result<(BTreeMap<String, String>, Properties)> {
    let named = std::env::var_os("LIDR_CONFIG").map(PathBuf::from);
    let path = named.clone().unwrap_or_else(|| "lidr.toml".into());
    if named.is_none() && !path.exists() {
        return Ok(Default::default());
    }
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let table: toml::Table = text.parse().with_context(|| path.display().to_string())?;
    let (mut options, mut properties) = (BTreeMap::new(), Properties::new());
    for (name, value) in table {
        match value {
            toml::Value::Table(kafka) if name == "kafka" => {
                properties.extend(kafka.into_iter().map(|(k, v)| (k, scalar(&v))));
            }
            toml::Value::Table(_) => bail!("{}: unknown section [{name}], needed [kafka]", path.display()),
            value => drop(options.insert(name.replace('_', "-"), scalar(&value))),
        }
    }
    Ok((options, properties))
}

fn scalar(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Settings become default values of the options they name, in every verb that has them.
fn with_defaults(command: clap::Command, settings: &BTreeMap<String, String>) -> clap::Command {
    let put = |arg: clap::Arg| {
        let value = arg.get_long().and_then(|long| settings.get(long)).cloned();
        match value {
            Some(value) => arg.default_value(value).required(false),
            None => arg,
        }
    };
    let verbs: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    let command = command.mut_args(put);
    verbs.into_iter().fold(command, |c, verb| c.mut_subcommand(verb, |sub| sub.mut_args(put)))
}
