//! `lidr completions` and `lidr man`: made from the declaration of the command line, so that neither knows an option that is not there.
//!
//! Every verb has a page of its own, `lidr-rules-check.1` like `lidr-replay.1`; what no declaration says (exit status, variables that are
//! no options, files) stands here, once for all pages.
use std::{fs, io::Write, path::Path, process::ExitCode};

use anyhow::Context;
use clap::Command;
use clap_mangen::Man as Page;

use crate::{
    args::{Completions, Man},
    settings,
};

/// Prints the completions of a shell.
pub(crate) fn completions(args: &Completions) -> anyhow::Result<ExitCode> {
    let (mut command, mut text) = (settings::command(), Vec::new());
    clap_complete::generate(args.shell, &mut command, "lidr", &mut text);
    std::io::stdout().write_all(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the pages into a folder.
pub(crate) fn pages(args: &Man) -> anyhow::Result<ExitCode> {
    fs::create_dir_all(&args.out).with_context(|| args.out.display().to_string())?;
    let mut command = settings::command().disable_help_subcommand(true);
    command.build();
    let number = write(&command, "lidr", None, &args.out)?;
    writeln!(std::io::stdout(), "{number} pages in {}", args.out.display())?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the page of a verb and those of the verbs under it.
fn write(command: &Command, name: &str, above: Option<&str>, dir: &Path) -> anyhow::Result<usize> {
    let path = dir.join(format!("{name}.1"));
    fs::write(&path, page(command, name, above)?).with_context(|| path.display().to_string())?;
    let mut number = 1;
    for verb in command.get_subcommands() {
        number += write(verb, &format!("{name}-{}", verb.get_name()), Some(name), dir)?;
    }
    Ok(number)
}

fn page(command: &Command, name: &str, above: Option<&str>) -> anyhow::Result<Vec<u8>> {
    let source = concat!("lidr ", env!("CARGO_PKG_VERSION"));
    let own = command.clone().name(name.to_owned()).bin_name(name.replace('-', " ")).display_name(name.to_owned());
    let page = Page::new(own).title(name.to_uppercase()).section("1").source(source).manual("lidr");
    let mut out = Vec::new();
    page.render_title(&mut out)?;
    page.render_name_section(&mut out)?;
    page.render_synopsis_section(&mut out)?;
    page.render_description_section(&mut out)?;
    page.render_options_section(&mut out)?;
    if command.has_subcommands() {
        let verbs = command.get_subcommands().map(|verb| {
            (format!("{name}-{}(1)", verb.get_name()), verb.get_about().map(ToString::to_string).unwrap_or_default())
        });
        section(&mut out, if above.is_some() { "SUBCOMMANDS" } else { "VERBS" }, verbs)?;
    }
    section(&mut out, "EXIT STATUS", exit_status(command, name).map(owned))?;
    section(&mut out, "ENVIRONMENT", ENVIRONMENT.into_iter().map(owned))?;
    section(&mut out, "FILES", FILES.into_iter().map(owned))?;
    let also = above
        .map_or_else(|| "lidr-doctor(1), lidr-settings(1)".to_owned(), |above| format!("{above}(1), lidr-settings(1)"));
    writeln!(out, ".SH \"SEE ALSO\"\n{}", escaped(&also))?;
    Ok(plain(&String::from_utf8(out)?).into_bytes())
}

/// In ASCII: what else there is becomes the name that troff has for it, whatever encoding it takes its input for.
fn plain(text: &str) -> String {
    let one = |c: char| if c.is_ascii() { c.to_string() } else { format!("\\[u{:04X}]", u32::from(c)) };
    text.chars().map(one).collect()
}

fn owned((name, text): (&str, &str)) -> (String, String) {
    (name.to_owned(), text.to_owned())
}

fn exit_status(command: &Command, name: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let has = |long: &str| command.get_arguments().any(|a| a.get_long() == Some(long));
    let zero = match name {
        "lidr-doctor" => "nothing that was checked failed; warnings, and what was not checked, do not change it",
        _ => "ran to the end of its input, with findings or not",
    };
    let two = match name {
        "lidr-doctor" => "something failed: lidr could not do here what these options ask for",
        _ => "could not do what was asked, or nothing of an input was readable; standard error says why",
    };
    let one = ("1", "the same, and a finding at or above --fail-on was made");
    [("0", zero)].into_iter().chain(has("fail-on").then_some(one)).chain([("2", two)])
}

const ENVIRONMENT: [(&str, &str); 5] = [
    ("LIDR_CONFIG", "The settings file, instead of lidr.toml in the working folder."),
    ("LIDR_KEY", "The pseudonym key, 64 hexadecimal digits, where no --key-file is given."),
    (
        "LIDR_…",
        "Every option with a long name: --key-file is LIDR_KEY_FILE. An option wins over its variable, the variable over the settings file; lidr settings lists all.",
    ),
    ("NO_COLOR", "No colour."),
    ("XDG_STATE_HOME, HOME", "Where a key that lidr made is kept."),
];

const FILES: [(&str, &str); 4] = [
    (
        "lidr.toml",
        "Settings, TOML, in the working folder; names are those of the options with _ for -, section [kafka] has the brokers and librdkafka's properties.",
    ),
    ("~/.local/state/lidr/key", "The pseudonym key that replay and hunt make once if none is given."),
    (
        "/etc/lidr/sensor.toml, /etc/lidr/watch.toml",
        "Settings of the systemd units lidr-sensor@.service and lidr-watch.service.",
    ),
    ("/etc/lidr/site", "The site folder of lidr-watch.service: one CSV or Parquet file for each table."),
];

/// A section of names and what they mean.
fn section(out: &mut Vec<u8>, title: &str, entries: impl IntoIterator<Item = (String, String)>) -> std::io::Result<()> {
    writeln!(out, ".SH \"{title}\"")?;
    for (name, text) in entries {
        writeln!(out, ".TP\n\\fB{}\\fR\n{}", escaped(&name), escaped(&text))?;
    }
    Ok(())
}

/// Text that troff takes as it stands.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_troff_would_take_for_a_request_is_escaped() {
        assert_eq!(escaped(".deb of --a\\b"), "\\&.deb of \\-\\-a\\eb");
        assert_eq!(plain("a…"), "a\\[u2026]");
    }
}
