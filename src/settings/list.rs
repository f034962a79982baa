//! `lidr settings`: every setting once, with its name in `lidr.toml`, its variable and its option, made from the declaration of the
//! command line, so that the list cannot say what the program does not do. `docs/settings.md` is this list, compared by a test.
use std::{collections::BTreeMap, fmt::Write as _, io::Write, process::ExitCode};

use anyhow::bail;
use clap::{Arg, ArgAction, Command};
use lidr_schema::dynamic::{hint, nearest};

use super::{command, variable};
use crate::args::{ListShape, Settings};

/// What one or several verbs mean by a setting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Meaning {
    text: String,
    default: String,
    values: String,
    verbs: Vec<String>,
}

/// A setting, by the long name of its option.
#[derive(Clone, Debug, Default)]
struct Setting {
    value: String,
    list: bool,
    meanings: Vec<Meaning>,
}

type All = BTreeMap<String, Setting>;

pub(crate) fn run(args: &Settings) -> anyhow::Result<ExitCode> {
    let command = command();
    if let Some(verb) = &args.verb {
        let known = || command.get_subcommands().map(Command::get_name);
        if !known().any(|v| v == verb) {
            bail!("no verb `{verb}`{}", hint(&nearest(verb, known())));
        }
    }
    let all = all(&command, args.verb.as_deref());
    let text = match args.shape {
        ListShape::Text => text(&all),
        ListShape::Markdown => page(&all),
        ListShape::Toml => toml(&all, args.verb.as_deref()),
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Every setting, or those of one verb.
fn all(command: &Command, verb: Option<&str>) -> All {
    let mut all = All::new();
    command.get_arguments().for_each(|arg| add(&mut all, arg, "every verb"));
    for sub in command.get_subcommands().filter(|sub| verb.is_none_or(|v| v == sub.get_name())) {
        walk(&mut all, sub, sub.get_name());
    }
    all
}

fn walk(all: &mut All, command: &Command, verb: &str) {
    command.get_arguments().for_each(|arg| add(all, arg, verb));
    for sub in command.get_subcommands() {
        walk(all, sub, &format!("{verb} {}", sub.get_name()));
    }
}

fn add(all: &mut All, arg: &Arg, verb: &str) {
    let Some(long) = arg.get_long() else { return };
    let switch = matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::Count);
    let names = arg.get_value_names().unwrap_or_default().iter().map(|n| n.to_string()).collect::<Vec<_>>();
    let defaults: Vec<_> = arg.get_default_values().iter().map(|v| v.to_string_lossy().into_owned()).collect();
    let default = match (arg.get_action(), arg.is_required_set()) {
        (ArgAction::SetTrue, _) => "false".to_owned(),
        (ArgAction::Count, _) => "0".to_owned(),
        (_, true) => "needed".to_owned(),
        _ => defaults.join(","),
    };
    let values: Vec<_> = arg.get_possible_values().iter().map(|v| v.get_name().to_owned()).collect();
    let setting = all.entry(long.to_owned()).or_default();
    if !switch && setting.value.is_empty() {
        setting.value = names.join(" ");
    }
    setting.list |= matches!(arg.get_action(), ArgAction::Append) || arg.get_value_delimiter().is_some();
    let text = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let values = if switch { String::new() } else { values.join(", ") };
    let same = |m: &&mut Meaning| (&m.text, &m.default, &m.values) == (&text, &default, &values);
    match setting.meanings.iter_mut().find(same) {
        Some(meaning) => meaning.verbs.push(verb.to_owned()),
        None => setting.meanings.push(Meaning { text, default, values, verbs: vec![verb.to_owned()] }),
    }
}

fn option(long: &str, setting: &Setting) -> String {
    if setting.value.is_empty() { format!("--{long}") } else { format!("--{long} {}", setting.value) }
}

fn text(all: &All) -> String {
    let mut out = String::new();
    for (long, setting) in all {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}  {}  {}", long.replace('-', "_"), variable(long), option(long, setting));
        for meaning in &setting.meanings {
            let _ = writeln!(out, "    {}", said(meaning));
            let _ = writeln!(out, "    of {}", meaning.verbs.join(", "));
        }
    }
    out.push_str("\n[kafka] brokers is --kafka; every other name there is a property of librdkafka. `lidr settings --as markdown` says more.\n");
    out
}

/// The meaning, with values and default.
fn said(meaning: &Meaning) -> String {
    let values = if meaning.values.is_empty() { String::new() } else { format!(" ({})", meaning.values) };
    let default = match meaning.default.as_str() {
        "" => String::new(),
        "needed" => " [needed]".to_owned(),
        default => format!(" [default: {default}]"),
    };
    format!("{}{values}{default}", meaning.text)
}

const HEAD: &str = "\
# Settings

Every setting has three names that mean the same: an option of the command line, a variable of the environment, and a line in the
settings file. The option wins over the variable, the variable over the file, the file over the default.

The settings file is the one that `LIDR_CONFIG` names, else `lidr.toml` in the working folder; it is TOML. Its names are those of the
options with `_` for `-`. A setting counts for every verb that has the option. Options that may be given several times are lists there
(`rules = [\"a\", \"b\"]`) and separated by a comma in the environment where the table says so. Switches are `true` or `false`. A name that
no option has, and a value that the option would refuse, end lidr with a sentence: nothing is passed over.

`lidr settings` prints this list, `lidr settings watch --as toml` a settings file for one verb with everything switched off. This page is
made from the program (`LIDR_BLESS=1 cargo test --workspace --bin lidr settings` writes it anew).

## Variables that are no options

| variable | meaning |
|---|---|
| `LIDR_CONFIG` | the settings file |
| `LIDR_KEY` | the pseudonym key, 64 hexadecimal digits, where no `--key-file` is given; a file is safer |
| `NO_COLOR` | no colour, whatever it is set to |
| `XDG_STATE_HOME`, `HOME` | where `replay` and `hunt` keep the key that they make: `$XDG_STATE_HOME/lidr/key`, else `~/.local/state/lidr/key` |

## `[kafka]`

`brokers` is `--kafka` (a text or a list). Every other name is a property of librdkafka, as its own manual spells it, and reaches it as it stands;
`-X NAME=VALUE` does the same on the command line and wins. What lidr's promises rest on it sets itself, whatever stands here: `acks`,
`enable.idempotence`, `enable.auto.commit`, `auto.offset.reset` and `group.id` (which is `--group`).

```toml
[kafka]
brokers = [\"kafka1.example.net:9093\", \"kafka2.example.net:9093\"]
\"security.protocol\" = \"SASL_SSL\"
\"ssl.ca.location\" = \"/etc/lidr/ca.pem\"
\"sasl.mechanism\" = \"SCRAM-SHA-512\"
\"sasl.username\" = \"lidr-watch\"
\"sasl.password\" = \"…\"          # keep this file readable by lidr alone
```

`lidr doctor` reads the same file and tries it: `LIDR_CONFIG=/etc/lidr/watch.toml lidr doctor`.

## The list

| in `lidr.toml` | variable | option | default | meaning |
|---|---|---|---|---|
";

fn page(all: &All) -> String {
    let mut out = HEAD.to_owned();
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    for (long, setting) in all {
        let one = |m: &Meaning| Some(&m.default) == setting.meanings.first().map(|m| &m.default);
        let same = setting.meanings.iter().all(one);
        let shown = |default: &str| match default {
            "" | "needed" => default.to_owned(),
            value => format!("`{value}`"),
        };
        let default = setting.meanings.first().filter(|_| same).map(|m| shown(&m.default)).unwrap_or_default();
        let meaning = |m: &Meaning| {
            let values =
                if m.values.is_empty() { String::new() } else { format!(" (`{}`)", m.values.replace(", ", "`, `")) };
            let own = match m.default.as_str() {
                "" => String::new(),
                _ if same => String::new(),
                "needed" => ", needed".to_owned(),
                value => format!(", default `{value}`"),
            };
            format!("{}{values}{own} — {}", m.text, m.verbs.join(", "))
        };
        let meanings: Vec<_> = setting.meanings.iter().map(meaning).collect();
        let _ = writeln!(
            out,
            "| `{}` | `{}` | `{}` | {} | {} |",
            long.replace('-', "_"),
            variable(long),
            cell(&option(long, setting)),
            cell(&default),
            cell(&meanings.join("<br>"))
        );
    }
    out
}

/// A settings file in which everything is switched off.
fn toml(all: &All, verb: Option<&str>) -> String {
    let whose = verb.map_or_else(|| "lidr".to_owned(), |verb| format!("`lidr {verb}`"));
    let mut out = format!(
        "# Settings of {whose}. Everything is switched off: take the # away before a name to set it. An option of the command line\n\
         # wins over its variable, the variable over this file. `lidr doctor` reads this file, too, and tries it.\n"
    );
    for (long, setting) in all.iter().filter(|(long, _)| *long != "kafka") {
        let Some(meaning) = setting.meanings.first() else { continue };
        let values = if meaning.values.is_empty() { String::new() } else { format!(" ({})", meaning.values) };
        let _ =
            writeln!(out, "\n# {}{values}\n#{} = {}", meaning.text, long.replace('-', "_"), value(setting, meaning));
    }
    if all.contains_key("kafka") {
        out.push_str(
            "\n# The broker. Other names in this section are properties of librdkafka, for instance \"security.protocol\" = \"SSL\".\n\
             #[kafka]\n#brokers = [\"localhost:9092\"]\n",
        );
    }
    out
}

fn value(setting: &Setting, meaning: &Meaning) -> String {
    let default = meaning.default.as_str();
    match default {
        "" | "needed" if setting.list => "[]".to_owned(),
        "" | "needed" => "\"\"".to_owned(),
        "true" | "false" => default.to_owned(),
        number if number.parse::<i64>().is_ok() => number.to_owned(),
        text => format!("\"{text}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `LIDR_BLESS=1` writes the page anew.
    #[test]
    fn the_committed_page_is_what_the_command_line_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings.md");
        let made = page(&all(&command(), None));
        if std::env::var_os("LIDR_BLESS").is_some() {
            std::fs::write(path, &made).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == made,
            "docs/settings.md is older than the options: LIDR_BLESS=1 cargo test --workspace --bin lidr settings"
        );
    }

    #[test]
    fn every_setting_is_there_once_with_its_three_names_and_a_meaning() {
        let all = all(&command(), None);
        assert!(all.len() > 40, "{}", all.len());
        let page = page(&all);
        for (long, setting) in &all {
            assert!(setting.meanings.iter().all(|m| m.text.len() > 5), "--{long} says nothing");
            let row = format!("| `{}` | `{}` | `--{long}", long.replace('-', "_"), variable(long));
            assert_eq!(page.matches(&row).count(), 1, "{row}");
        }
        assert!(page.contains("| `kafka` | `LIDR_KAFKA` |") && page.contains("## `[kafka]`"), "{page}");
    }

    #[test]
    fn a_file_of_a_verb_with_everything_switched_on_is_taken() {
        for verb in ["watch", "sensor", "replay", "live", "doctor"] {
            let made = toml(&all(&command(), Some(verb)), Some(verb));
            assert!(super::super::read("lidr.toml".as_ref(), &made).is_ok(), "{verb}: as it is made");
            // Names only: what has no default has no value that would be taken.
            for line in made.lines().filter_map(|l| l.strip_prefix('#')).filter(|l| !l.starts_with(' ')) {
                if line.contains(" = \"\"") || line.contains(" = []") {
                    let (name, _) = line.split_once(' ').unwrap();
                    assert!(super::super::names(&command()).contains(&name.replace('_', "-")), "{verb}: {line}");
                } else if !line.starts_with('[') && !line.starts_with("brokers") {
                    let read = super::super::read("lidr.toml".as_ref(), line);
                    assert!(read.is_ok(), "{verb}: {line}: {:?}", read.err());
                }
            }
        }
        assert!(!toml(&all(&command(), Some("replay")), Some("replay")).contains("until_eos"));
    }
}
