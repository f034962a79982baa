//! Standard error: the operator's log, and what is said at the end of a run.
//!
//! With `--log-format json` every line of it is one JSON object with `timestamp`, `level` and `fields`, whatever says it: log lines,
//! the summary, the sentence that a run ends with, a refused command line, even a panic. Whoever collects logs parses one format.
use std::{
    io::{self, IsTerminal, Write},
    sync::atomic::{AtomicBool, Ordering},
};

use lidr_analytics::time::rfc3339;
use serde_json::{Value, json};
use tracing_subscriber::{EnvFilter, fmt};

use crate::{
    args::{Cli, Shape},
    folder,
};

static JSON: AtomicBool = AtomicBool::new(false);

/// Before the command line is understood: whether it, or the environment, asks for JSON.
pub(crate) fn foresee() {
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let asks = words.iter().any(|w| w == "--log-format=json")
        || words.windows(2).any(|w| matches!(w, [name, value] if name == "--log-format" && value == "json"))
        || std::env::var("LIDR_LOG_FORMAT").is_ok_and(|value| value == "json");
    JSON.store(asks, Ordering::Relaxed);
}

/// Begins to log as the command line says.
pub(crate) fn start(cli: &Cli) {
    let level = match (cli.quiet, cli.verbose) {
        (true, _) => "warn",
        (_, 0) => "info",
        (_, 1) => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::new(format!("warn,lidr={level},lidr_ingest={level},lidr_analytics={level}"));
    let builder = fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    JSON.store(cli.log_format == Shape::Json, Ordering::Relaxed);
    match cli.log_format {
        Shape::Json => {
            builder.json().init();
            std::panic::set_hook(Box::new(|info| {
                // Nothing can be done where standard error itself is gone.
                drop(say("ERROR", "", json!({ "message": info.to_string() })));
            }));
        }
        Shape::Text => builder.without_time().with_ansi(std::env::var_os("NO_COLOR").is_none() && on_terminal()).init(),
    }
}

/// Whether standard error is JSON.
pub(crate) fn is_json() -> bool {
    JSON.load(Ordering::Relaxed)
}

/// Whether somebody looks at standard error.
pub(crate) fn on_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Says the text, or the fields as a log line of that level where standard error is JSON.
pub(crate) fn say(level: &str, text: &str, fields: Value) -> io::Result<()> {
    if !is_json() {
        return io::stderr().write_all(text.as_bytes());
    }
    let line = json!({ "timestamp": rfc3339(folder::now()), "level": level, "fields": fields });
    io::stderr().write_all(format!("{line}\n").as_bytes())
}

/// Says why it could not be done.
pub(crate) fn complain(why: &str) -> io::Result<()> {
    say("ERROR", &format!("lidr: {why}\n"), json!({ "message": why }))
}

/// Says a sentence of its own line.
pub(crate) fn inform(sentence: &str) -> io::Result<()> {
    say("INFO", &format!("{sentence}\n"), json!({ "message": sentence }))
}
