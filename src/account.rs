//! What a run says of itself: `summary.json` and the lines at its end, the same for every verb that judges.
//!
//! A verb brings what only it knows (packets and inputs of a replay, files of a lake, messages of a broker); the rest is the same
//! everywhere: rules that judged and rules that could not, findings, what was dropped at a bound by whom, time and memory.
use std::time::Instant;

use serde_json::{Map, Value, json};

use crate::{judge::Judging, log, usage};

/// The summary of a run that judged; `own` is what its verb adds, and wins where both say something, but for what was dropped.
pub(crate) fn summary(verb: &str, judging: &Judging, workers: usize, started: Instant, own: Value) -> Value {
    let stats = judging.stats();
    let mut dropped = own.get("dropped").cloned().unwrap_or_else(|| json!({}));
    for (bound, n) in &stats.dropped {
        let before = dropped.get(*bound).and_then(Value::as_u64).unwrap_or_default();
        if let Some(all) = dropped.as_object_mut() {
            all.insert((*bound).to_owned(), json!(before + n));
        }
    }
    let rows: Map<String, Value> = judging.rows.iter().map(|(table, n)| (table.name().to_owned(), json!(n))).collect();
    let mut all = json!({ "verb": verb, "rows": rows });
    put(&mut all, own);
    put(
        &mut all,
        json!({
            "dropped": dropped,
            "late": stats.late,
            "rules": { "loaded": stats.loaded, "evaluated": stats.evaluated, "not_evaluated": stats.not_evaluated },
            "findings": judging.outputs.by_severity(),
            "seconds": { "wall": started.elapsed().as_secs_f64(), "cpu": usage::cpu_seconds() },
            "peak_rss_bytes": usage::peak_rss_bytes(),
            "version": env!("CARGO_PKG_VERSION"),
            "workers": workers,
            "key_id": judging.key_id,
            "site_hash": judging.site_hash(),
            "command": command(std::env::args_os()),
            "settings": crate::settings::beside(),
        }),
    );
    all
}

/// Options whose addresses may hold a password or a token.
const SECRET: [&str; 2] = ["--webhook", "--alertmanager"];

/// Scheme and host of an address; what else there is of it may be secret.
fn host_of(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}/…")
}

/// A word of the command line without the address of a receiver, if that is what it holds.
fn without_secret(last: Option<&String>, word: &str) -> Option<String> {
    if last.is_some_and(|last| SECRET.contains(&last.as_str())) {
        return Some(host_of(word));
    }
    let (name, address) = word.split_once('=').filter(|(name, _)| SECRET.contains(name))?;
    Some(format!("{name}={}", host_of(address)))
}

/// The command line, so that the run can be repeated; of `-X NAME=VALUE` the value is left out, for it may be a password, and of
/// addresses of receivers all but the host.
fn command(words: impl Iterator<Item = std::ffi::OsString>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for word in words.take(MOST_WORDS) {
        let word = word.to_string_lossy().into_owned();
        if let Some(open) = without_secret(out.last(), &word) {
            out.push(open);
            continue;
        }
        let property = match out.last() {
            Some(last) if last == "-X" => Some(word.as_str()),
            _ => word.strip_prefix("-X").filter(|rest| !rest.is_empty()),
        };
        let hidden = property.and_then(|p| p.split_once('=')).map(|(name, _)| format!("{name}=…"));
        out.push(match hidden {
            Some(hidden) if word.starts_with("-X") => format!("-X{hidden}"),
            Some(hidden) => hidden,
            None => word,
        });
    }
    if let Some(program) = out.first_mut() {
        "lidr".clone_into(program);
    }
    out
}

/// Words of a command line that are written down.
const MOST_WORDS: usize = 1_000;

/// Adds fields to an object; a field that is there gets the new value and keeps its place.
pub(crate) fn put(to: &mut Value, more: Value) {
    if let (Some(to), Value::Object(more)) = (to.as_object_mut(), more) {
        to.extend(more);
    }
}

/// The end of a run on standard error: whatever of it the summary has.
pub(crate) fn tell(summary: &Value) -> anyhow::Result<()> {
    log::say("INFO", &lines(summary), json!({ "message": "summary", "summary": summary }))?;
    Ok(())
}

fn lines(summary: &Value) -> String {
    let mut out = vec![String::new()];
    if let (Some(packets), Some(octets)) = (at(summary, "packets").as_u64(), at(summary, "bytes").as_u64()) {
        out.push(format!("packets   {packets} ({octets} octets)"));
    }
    out.extend(at(summary, "inputs").as_array().into_iter().flatten().filter_map(trouble));
    out.extend(records(summary));
    out.push(format!("rows      {}", none_if_empty(counts(at(summary, "rows")))));
    if summary.get("decoded").is_some() {
        out.push(format!("decoded   {}", none_if_empty(counts(at(summary, "decoded")))));
    }
    for (title, name) in [("skipped  ", "skipped"), ("oddities ", "oddities"), ("dropped  ", "dropped")] {
        let line = counts(at(summary, name));
        if !line.is_empty() {
            out.push(format!("{title} {line}"));
        }
    }
    if let Some(late) = at(summary, "late").as_u64().filter(|n| *n > 0) {
        out.push(format!("late      {late} rows came behind the watermark and were judged as if due right after it"));
    }
    out.extend(rules(at(summary, "rules")));
    if summary.get("findings").is_some() {
        out.push(format!("findings  {}", none_if_empty(counts(at(summary, "findings")))));
    }
    out.extend(
        at(summary, "deliveries")
            .as_object()
            .into_iter()
            .flatten()
            .map(|(output, by_outcome)| format!("delivery  {output}: {}", none_if_empty(counts(by_outcome)))),
    );
    out.push(String::new());
    out.join("\n")
}

/// What was wrong with an input, if something was.
fn trouble(input: &Value) -> Option<String> {
    let path = at(input, "path").as_str().unwrap_or_default();
    let truncated = at(input, "truncated").as_bool().unwrap_or_default();
    let error = at(input, "error").as_str().map(str::to_owned);
    let cut = error.or_else(|| truncated.then(|| "cut: it ends in the middle of a record".to_owned()));
    let lost = at(input, "dropped")
        .as_u64()
        .filter(|n| *n > 0)
        .map(|n| format!("{n} packets dropped by the interface that captured it"));
    let said: Vec<String> = cut.into_iter().chain(lost).collect();
    (!said.is_empty()).then(|| format!("input     {path}: {}", said.join("; ")))
}

/// What became of record files, with the first records of each that could not be understood.
fn records(summary: &Value) -> Vec<String> {
    let all = at(summary, "records");
    let number = |name: &str| at(all, name).as_u64().unwrap_or_default();
    if number("read") == 0 {
        return Vec::new();
    }
    let skipped: u64 = at(all, "skipped").as_object().into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum();
    let (read, mapped, malformed) = (number("read"), number("mapped"), number("malformed"));
    let head = format!("records   {read} read, {mapped} mapped, {skipped} left out, {malformed} not understood");
    let inputs = at(summary, "inputs").as_array().into_iter().flatten();
    let told = inputs.flat_map(|i| at(at(i, "records"), "first_malformed").as_array().into_iter().flatten());
    std::iter::once(head).chain(told.filter_map(Value::as_str).map(|t| format!("          {t}"))).collect()
}

/// Every rule that did not judge, by name: silence of a rule that could not look is not a clean network.
fn rules(rules: &Value) -> Vec<String> {
    let Some(not) = at(rules, "not_evaluated").as_array() else { return Vec::new() };
    let plain = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let (partly, wholly): (Vec<_>, Vec<_>) = not.iter().partition(|rule| *at(rule, "partly") == true);
    let partly = if partly.is_empty() { String::new() } else { format!(", {} not in all windows", partly.len()) };
    let (loaded, evaluated) = (at(rules, "loaded"), at(rules, "evaluated"));
    let head = format!("rules     {loaded} loaded, {evaluated} evaluated, {} not evaluated{partly}", wholly.len());
    // By reason, in the order of the codes: without a site folder one reason has a dozen of them.
    let mut by_reason: Vec<(String, Vec<String>)> = Vec::new();
    for rule in not {
        let (code, reason) = (plain(at(rule, "code")), plain(at(rule, "reason")));
        match by_reason.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, codes)) => codes.push(code),
            None => by_reason.push((reason, vec![code])),
        }
    }
    let each = by_reason.into_iter().map(|(reason, codes)| format!("          {}: {reason}", codes.join(", ")));
    std::iter::once(head).chain(each).collect()
}

fn counts(value: &Value) -> String {
    let some = value.as_object().into_iter().flatten().filter(|(_, n)| n.as_u64().is_some_and(|n| n > 0));
    some.map(|(name, n)| format!("{name} {n}")).collect::<Vec<_>>().join(", ")
}

fn none_if_empty(text: String) -> String {
    if text.is_empty() { "none".to_owned() } else { text }
}

/// A field, null where it is not there.
fn at<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).unwrap_or(&Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_kept_without_what_may_be_secret() {
        let words = [
            "/usr/bin/lidr",
            "replay",
            "a.pcap",
            "-X",
            "sasl.password=geheim",
            "--webhook",
            "https://noc:geheim@soc.example:8443/hook/geheim?t=geheim",
            "--alertmanager=http://am:9093/geheim",
            "--site",
            "s",
        ];
        let kept = command(words.into_iter().map(Into::into)).join(" ");
        assert_eq!(
            kept,
            "lidr replay a.pcap -X sasl.password=… --webhook https://soc.example:8443/… --alertmanager=http://am:9093/… --site s"
        );
    }

    #[test]
    fn lines_say_what_the_summary_has_and_nothing_else() {
        let hunt = json!({
            "rows": { "flow": 3, "dns": 0 }, "late": 2, "dropped": { "memory": 1 }, "findings": { "high": 0 },
            "rules": { "loaded": 3, "evaluated": 2, "not_evaluated": [
                { "code": "LI-01", "reason": "needs site table warrants", "partly": false },
                { "code": "LI-02", "reason": "needs site table warrants", "partly": false },
                { "code": "LI-15", "reason": "suspended in 3 of 40 windows: sensor tap1 was blind (AF-08)", "partly": true },
            ] },
        });
        let text = lines(&hunt);
        for line in [
            "rows      flow 3\n",
            "dropped   memory 1\n",
            "late      2 rows",
            "          LI-01, LI-02: needs site table warrants\n          LI-15: suspended",
            "3 loaded, 2 evaluated, 2 not evaluated, 1 not in all windows\n",
            "findings  none\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
        assert!(!text.contains("packets") && !text.contains("decoded") && !text.contains("delivery"), "{text}");
        let delivered = json!({ "deliveries": { "webhook": { "delivered": 3, "refused": 0, "left": 1 } } });
        assert!(lines(&delivered).ends_with("delivery  webhook: delivered 3, left 1\n"), "{}", lines(&delivered));
        let sensor = json!({ "packets": 2, "bytes": 9, "rows": {}, "inputs": [{ "path": "a", "truncated": true }, { "path": "b", "error": "empty" }] });
        let text = lines(&sensor);
        assert!(
            text.contains("input     a: cut") && text.contains("input     b: empty\n") && !text.contains("rules"),
            "{text}"
        );
    }

    #[test]
    fn records_are_told_with_the_first_that_were_not_understood() {
        let told = json!({ "first_malformed": ["a:3: not JSON"] });
        let all = json!({ "records": { "read": 4, "mapped": 2, "malformed": 1, "skipped": { "x": 1 } }, "inputs": [{ "path": "a", "records": told }] });
        assert!(
            lines(&all).contains("records   4 read, 2 mapped, 1 left out, 1 not understood\n          a:3: not JSON\n"),
            "{}",
            lines(&all)
        );
        assert!(!lines(&json!({ "records": { "read": 0 } })).contains("records"));
    }

    #[test]
    fn a_command_keeps_its_words_but_for_values_of_properties() {
        let words = [
            "/usr/bin/lidr",
            "watch",
            "-X",
            "sasl.password=secret",
            "-Xsasl.username=me",
            "-X",
            "broken",
            "--site",
            "s=1",
        ];
        let told = command(words.iter().map(Into::into));
        assert_eq!(told.join(" "), "lidr watch -X sasl.password=… -Xsasl.username=… -X broken --site s=1");
    }

    #[test]
    fn fields_keep_their_place() {
        let mut all = json!({ "a": 1, "b": 2 });
        put(&mut all, json!({ "b": 3, "c": 4 }));
        assert_eq!(all.to_string(), r#"{"a":1,"b":3,"c":4}"#);
    }
}
