//! What goes into a bundle, part by part.
use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use lidr_custody::{Contents, Facts};
use lidr_schema::{SCHEMA_VERSION, finding::OCSF_VERSION};
use serde_json::Value;

use super::inputs::Inputs;
use crate::case::{Case, matching, text};

/// The parts, and what could not be put in.
pub(super) struct Gathered {
    pub(super) parts: Contents,
    /// In words.
    pub(super) lacks: Vec<String>,
}

pub(super) fn gather(case: &Case, inputs: &Inputs) -> anyhow::Result<(Facts, Gathered)> {
    let mut gathered = Gathered { parts: Contents::default(), lacks: Vec::new() };
    finding(case, &mut gathered)?;
    rule(case, &mut gathered)?;
    site(case, &mut gathered)?;
    let frames = inputs.frames(case)?;
    gathered.parts.add("inputs.json", pretty(&inputs.told())?)?;
    gathered.parts.add("frames.pcapng", frames.pcapng)?;
    gathered.lacks.extend(frames.lacks);
    let readme = readme(case, frames.written, &gathered.lacks);
    gathered.parts.add("readme.txt", readme.into_bytes())?;
    Ok((facts(case), gathered))
}

fn facts(case: &Case) -> Facts {
    let versions = [
        ("lidr", env!("CARGO_PKG_VERSION").to_owned()),
        ("lidr_judged", text(&case.finding, "/metadata/product/version")),
        ("ocsf", OCSF_VERSION.to_owned()),
        ("rule", text(&case.finding, "/finding_info/analytic/version")),
        ("schema", format!("{}.{}", SCHEMA_VERSION.0, SCHEMA_VERSION.1)),
    ];
    Facts {
        finding: case.uid(),
        rule: case.code(),
        created: case.finding.get("time").and_then(Value::as_i64).unwrap_or_default(),
        versions: versions.into_iter().map(|(name, version)| (name.to_owned(), version)).collect::<BTreeMap<_, _>>(),
        key_id: case.own("key_id"),
        site_hash: case.own("site_hash"),
        enclave: case.enclave_key.is_some(),
    }
}

fn finding(case: &Case, gathered: &mut Gathered) -> anyhow::Result<()> {
    gathered.parts.add("finding.ndjson", lines(&case.lines))?;
    match &case.summary_text {
        Some(text) => gathered.parts.add("summary.json", text.clone().into_bytes())?,
        None => gathered.lacks.push("summary.json: the run left none".to_owned()),
    }
    match &case.rows {
        Ok(rows) => {
            let line = |row: &lidr_analytics::place::Row| {
                let table = std::iter::once(("table".to_owned(), Value::from(row.table)));
                Value::Object(table.chain(row.cells.clone()).collect()).to_string()
            };
            gathered.parts.add("rows.ndjson", lines(&rows.iter().map(line).collect::<Vec<_>>()))?;
        }
        Err(why) => gathered.lacks.push(format!("rows.ndjson: {why}")),
    }
    Ok(())
}

fn rule(case: &Case, gathered: &mut Gathered) -> anyhow::Result<()> {
    match &case.rule {
        Ok(rule) => match lidr_rules::text(rule) {
            Ok(text) => Ok(gathered.parts.add("rule.yml", text.into_bytes())?),
            Err(problem) => bail!("{problem}"),
        },
        Err(why) => bail!("evidence holds the rule that judged: {why}"),
    }
}

/// The tables as they judged, identifiers hashed.
fn site(case: &Case, gathered: &mut Gathered) -> anyhow::Result<()> {
    let site = match &case.site {
        Ok(site) => site,
        Err(why) if case.own("site_hash").is_empty() => {
            gathered.lacks.push(format!("site: {why}"));
            return Ok(());
        }
        Err(why) => bail!("evidence holds the site's tables as they judged: {why}"),
    };
    let tokens: BTreeSet<String> = matching::Facts::of(case).tokens();
    for (table, all) in site.lines(&site.present(), &tokens)? {
        let written: Vec<String> = all.into_iter().map(|line| Value::Object(line).to_string()).collect();
        gathered.parts.add(&format!("site/{table}.ndjson"), lines(&written))?;
    }
    Ok(())
}

fn lines(lines: &[String]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect()
}

fn pretty(value: &Value) -> anyhow::Result<Vec<u8>> {
    Ok(format!("{}\n", serde_json::to_string_pretty(value)?).into_bytes())
}

fn readme(case: &Case, frames: u64, lacks: &[String]) -> String {
    let messages = if case.enclave_key.is_some() {
        "behind the transport header only messages of control protocols (SNMP, RADIUS, DTCP, X1, HI1) are kept. They may name\n\
         \x20                   targets and hold credentials: this bundle is for cleared users."
    } else {
        "everything behind the transport header is cut, because control messages may name targets. With --enclave-key they\n\
         \x20                   are kept."
    };
    let site = match &case.site_from {
        Some(_) => {
            ",\n\x20                   from the copy that the run kept: the site had changed since, or was not at hand"
        }
        None => "",
    };
    let lacks = if lacks.is_empty() { "nothing".to_owned() } else { lacks.join("\n  ") };
    format!(
        "Evidence of finding {uid} (rule {code})\n\n\
         manifest.json       what is here: SHA-256 and size of each part, the bundle before this one, versions; its time is the event's\n\
         manifest.sig        Ed25519 signature of manifest.json\n\
         finding.ndjson      every line of the finding, as written (OCSF 2004)\n\
         rows.ndjson         the rows that came from its frames and lines: the decoded messages\n\
         rule.yml            the rule that judged\n\
         site/               the site's tables that judged, one line a row{site}\n\
         summary.json        the run: versions, what it read, what it dropped and skipped, rules that could not judge\n\
         inputs.json         the inputs of the run: SHA-256, and whether they are those that were read\n\
         frames.pcapng       {frames} frames of the evidence, each with its capture and number as comment; times to the microsecond;\n\
         \x20                   {messages}\n\
         \x20                   Of tunnels, fragments and links that are not understood only the outermost header is kept. The length on the\n\
         \x20                   wire stays. Intercepted content is never in here.\n\n\
         Targets, tasks, LIIDs, content ids and orders are pseudonyms: the first 16 octets of HMAC-SHA-256 under key {key}.\n\n\
         Not in here:\n  {lacks}\n\n\
         Check it: lidr evidence verify FILE --public-key PUB.pem\n\
         or        tar --zstd -xf FILE; openssl pkeyutl -verify -rawin -in manifest.json -sigfile manifest.sig -pubin -inkey PUB.pem\n",
        uid = case.uid(),
        code = case.code(),
        key = case.own("key_id"),
    )
}
