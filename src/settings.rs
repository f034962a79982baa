//! Settings behind the command line: flag, environment (`LIDR_…`), `lidr.toml`, in this order.
//!
//! Every option with a long name may stand in the environment (`--key-file` as `LIDR_KEY_FILE`) and in the file (`key_file = …`),
//! so there is one list of options and not three. The file is read before the command line and becomes default values of the
//! options that it names, in every verb that has them. A name that no option has is an error, as is a value that the option would
//! refuse: a setting that is silently ignored is worse than none. Section `[kafka]` has `brokers`, which is `--kafka`, and beside
//! it librdkafka's own property names.
pub(crate) mod list;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, bail};
use clap::{Arg, ArgAction, Command, CommandFactory, FromArgMatches};
use lidr_schema::dynamic::{hint, nearest};

use crate::{args::Cli, log};

/// Properties of librdkafka.
pub(crate) type Properties = BTreeMap<String, String>;
type Options = BTreeMap<String, Vec<String>>;

/// Parses the command line with environment and settings file behind it.
pub(crate) fn parse() -> anyhow::Result<(Cli, Properties)> {
    let (command, properties) = match file() {
        Some(path) => {
            let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            read(&path, &text)?
        }
        None => (command(), Properties::new()),
    };
    let matches = match command.try_get_matches() {
        Ok(matches) => matches,
        // Usage is for people; who collects logs gets the sentence.
        Err(refused) if refused.use_stderr() && log::is_json() => return Err(anyhow!(said(&refused))),
        Err(refused) => refused.exit(),
    };
    Ok((Cli::from_arg_matches(&matches)?, properties))
}

/// The whole command line as it is without a settings file: what completions, manual pages and the list of settings are made from.
pub(crate) fn command() -> Command {
    with_defaults(Cli::command(), &Options::new())
}

/// `lidr.toml` of the working folder, or the file that `LIDR_CONFIG` names.
pub(crate) fn file() -> Option<PathBuf> {
    let named = std::env::var_os("LIDR_CONFIG").map(PathBuf::from);
    named.or_else(|| Some("lidr.toml".into()).filter(|path: &PathBuf| path.exists()))
}

/// What a run may have been told beside its command line: the settings file, and the variables of options that were set. Names only, for
/// a value may be a key.
pub(crate) fn beside() -> serde_json::Value {
    let known: BTreeSet<String> = names(&Cli::command()).iter().map(|long| variable(long)).collect();
    let mut set: Vec<String> = known.into_iter().filter(|name| std::env::var_os(name).is_some()).collect();
    set.extend(
        ["LIDR_KEY", "LIDR_WEBHOOK_SECRET"].into_iter().filter(|n| std::env::var_os(n).is_some()).map(str::to_owned),
    );
    serde_json::json!({ "file": file().map(|path| path.display().to_string()), "environment": set })
}

/// The command with the settings of a file as defaults.
fn read(path: &Path, text: &str) -> anyhow::Result<(Command, Properties)> {
    let table: toml::Table = text.parse().with_context(|| path.display().to_string())?;
    let command = Cli::command();
    let known = names(&command);
    let (mut options, mut properties) = (Options::new(), Properties::new());
    for (name, value) in table {
        let values = match value {
            toml::Value::Table(kafka) if name == "kafka" => {
                properties.extend(kafka.into_iter().map(|(name, value)| (name, texts(&value).join(","))));
                let Some(brokers) = properties.remove("brokers") else { continue };
                vec![brokers]
            }
            toml::Value::Table(_) => bail!("{}: unknown section [{name}], needed [kafka]", path.display()),
            value => texts(&value),
        };
        let long = name.replace('_', "-");
        if !known.contains(&long) {
            let near = hint(&nearest(&long, known.iter().map(String::as_str)));
            bail!(
                "{}: no setting `{name}`{near}: the names are those of the options, `lidr VERB --help` lists them",
                path.display()
            );
        }
        fits(&command, &long, &values).map_err(|message| anyhow!("{}: `{name}`: {message}", path.display()))?;
        options.insert(long, values);
    }
    Ok((with_defaults(command, &options), properties))
}

/// Long names of all options, whatever the verb.
fn names(command: &Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(Arg::get_long).map(str::to_owned);
    own.chain(command.get_subcommands().flat_map(names)).collect()
}

fn texts(value: &toml::Value) -> Vec<String> {
    match value {
        toml::Value::Array(items) => items.iter().flat_map(texts).collect(),
        toml::Value::String(text) => vec![text.clone()],
        other => vec![other.to_string()],
    }
}

/// Whether every verb that has the option takes these values.
fn fits(command: &Command, long: &str, values: &[String]) -> Result<(), String> {
    for arg in command.get_arguments().filter(|a| a.get_long() == Some(long)) {
        takes(arg, long, values)?;
    }
    command.get_subcommands().try_for_each(|verb| fits(verb, long, values))
}

fn takes(arg: &Arg, long: &str, values: &[String]) -> Result<(), String> {
    let one = || if let [one] = values { Ok(one) } else { Err(format!("needed one value, had {}", values.len())) };
    match arg.get_action() {
        ArgAction::SetTrue if !matches!(one()?.as_str(), "true" | "false") => {
            return Err(format!("needed true or false, had `{}`", one()?));
        }
        ArgAction::Count if one()?.parse::<u8>().is_err() => {
            return Err(format!("needed a whole number, had `{}`", one()?));
        }
        ArgAction::SetTrue | ArgAction::Count => return Ok(()),
        ArgAction::Append => {}
        _ => drop(one()?),
    }
    let alone = Command::new("lidr").no_binary_name(true).arg(bare(arg, long));
    let refused = alone.try_get_matches_from(values.iter().map(|v| format!("--{long}={v}"))).err();
    refused.map_or(Ok(()), |e| Err(said(&e)))
}

/// The sentence of what clap says: the rest is about help and usage, which a file has not.
fn said(refused: &clap::Error) -> String {
    refused.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// An option without what it says of others: those are not there when it is tried alone.
fn bare(arg: &Arg, long: &str) -> Arg {
    let names = arg.get_value_names().unwrap_or_default().to_vec();
    let bare = Arg::new("value").long(long.to_owned()).action(arg.get_action().clone()).value_names(names);
    let bare = bare.value_parser(arg.get_value_parser().clone()).value_delimiter(arg.get_value_delimiter());
    match arg.get_num_args() {
        Some(number) => bare.num_args(number),
        None => bare,
    }
}

/// The variable of an option.
fn variable(long: &str) -> String {
    format!("LIDR_{}", long.replace('-', "_").to_uppercase())
}

/// Gives every option of every verb its variable, and as default what the file says.
fn with_defaults(command: Command, options: &Options) -> Command {
    let put = |arg: Arg| {
        let Some(long) = arg.get_long().map(str::to_owned) else { return arg };
        let switch = matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::Count);
        let arg = arg.env(variable(&long)).hide_env(switch).hide_env_values(true);
        match options.get(&long) {
            Some(values) => arg.default_values(values.clone()).required(false),
            None => arg,
        }
    };
    let verbs: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    let command = command.mut_args(put);
    verbs.into_iter().fold(command, |c, verb| c.mut_subcommand(verb, |sub| with_defaults(sub, options)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Rules, Verb};

    fn parsed(settings: &str, words: &str) -> anyhow::Result<(Verb, Properties)> {
        let (command, properties) = read("lidr.toml".as_ref(), settings)?;
        let matches = command.try_get_matches_from(words.split(' '))?;
        Ok((Cli::from_arg_matches(&matches)?.verb, properties))
    }

    fn refused(settings: &str) -> String {
        parsed(settings, "lidr demo").map(drop).unwrap_err().to_string()
    }

    #[test]
    fn every_verb_has_what_the_file_says_and_a_flag_wins() {
        let file = "workers = 3\nrules = [\"a\", \"b\"]\nquiet = true\n";
        let Verb::Replay(replay) = parsed(file, "lidr replay x.pcap").unwrap().0 else { panic!() };
        assert_eq!((replay.decode.workers, replay.judge.rules.len()), (Some(3), 2));
        let Verb::Replay(replay) = parsed(file, "lidr replay x.pcap --workers 5 --rules c").unwrap().0 else {
            panic!()
        };
        assert_eq!((replay.decode.workers, replay.judge.rules), (Some(5), vec!["c".into()]));
        let Verb::Rules(Rules::List(list)) = parsed(file, "lidr rules list").unwrap().0 else { panic!() };
        assert_eq!(list.rules.len(), 2, "verbs under verbs as well");
    }

    #[test]
    fn brokers_and_properties_stand_in_one_section() {
        let file = "sensors = [\"a\", \"b\"]\n[kafka]\nbrokers = [\"h1:9092\", \"h2:9092\"]\n\"security.protocol\" = \"SSL\"\n";
        let (verb, properties) = parsed(file, "lidr watch").unwrap();
        let Verb::Watch(watch) = verb else { panic!() };
        assert_eq!((watch.broker.kafka.as_str(), watch.sensors.len()), ("h1:9092,h2:9092", 2));
        assert_eq!(properties, Properties::from([("security.protocol".into(), "SSL".into())]));
        let Verb::Watch(watch) = parsed("kafka = \"h:1\"\nsensors = \"a,b\"", "lidr watch").unwrap().0 else {
            panic!()
        };
        assert_eq!((watch.broker.kafka.as_str(), watch.sensors.len()), ("h:1", 2));
    }

    #[test]
    fn what_no_option_takes_is_refused_with_its_name() {
        assert!(refused("wokers = 3").contains("lidr.toml: no setting `wokers`, did you mean `workers`?"));
        assert!(refused("[site]\nx = 1").contains("unknown section [site]"));
        assert!(
            refused("workers = \"many\"").contains("`workers`: ")
                && refused("workers = \"many\"").contains("had `many`")
        );
        assert!(refused("workers = [1, 2]").contains("needed one value, had 2"));
        assert!(refused("quiet = \"yes\"").contains("needed true or false, had `yes`"));
        assert!(parsed("state_every = 5", "lidr demo").is_ok(), "an option that says something of another one");
        assert!(parsed("format = \"json\"", "lidr demo").is_ok(), "every verb that has --format takes it");
        assert!(refused("help = true").contains("no setting `help`"));
        assert!(refused("x = ").contains("lidr.toml"));
    }

    #[test]
    fn the_command_is_sound_with_and_without_a_file() {
        with_defaults(Cli::command(), &Options::new()).debug_assert();
        read("lidr.toml".as_ref(), "verbose = 2\nsite = \"s\"\nfrom = \"2026-01-01T00:00:00Z\"")
            .unwrap()
            .0
            .debug_assert();
    }
}
