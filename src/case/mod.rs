//! A finding with everything that is at hand about it: its lines, the summary of its run, the rule, the site, the rows.
//!
//! Rule and site count only if they are those that judged; what is not at hand, or is another version, is said with the reason, so that
//! who reads an explanation or packs evidence knows what it lacks. Where the site has changed since, the copy that the run kept stands
//! in for it.
pub(crate) mod enclave;
pub(crate) mod find;
pub(crate) mod matching;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use lidr_analytics::{
    Site,
    lake::Lake,
    place::{Place, Row},
    site,
};
use lidr_rules::Rule;
use lidr_schema::Key;
use serde_json::Value;

use crate::{args::At, copies, key, rules};

/// Something that may not be at hand, and then why.
pub(crate) type AtHand<T> = Result<T, String>;

/// A finding and what belongs to it.
pub(crate) struct Case {
    /// The output folder.
    pub(crate) dir: PathBuf,
    /// Every line of the finding, as written.
    pub(crate) lines: Vec<String>,
    /// The last of them.
    pub(crate) finding: Value,
    /// The run's summary as written, where there is one.
    pub(crate) summary_text: Option<String>,
    /// The same, read; null where there is none.
    pub(crate) summary: Value,
    /// The rule that judged.
    pub(crate) rule: AtHand<Box<Rule>>,
    /// The site that judged.
    pub(crate) site: AtHand<Box<Site>>,
    /// Where it is from, and why, if that is the copy that the run kept.
    pub(crate) site_from: Option<String>,
    /// The whole rows behind the evidence.
    pub(crate) rows: AtHand<Vec<Row>>,
    /// The key of the pseudonyms, where a cleared user gave it.
    pub(crate) enclave_key: Option<Key>,
}

/// A text in JSON, empty where it is not there.
pub(crate) fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Texts of a list in JSON.
pub(crate) fn texts(value: &Value, pointer: &str) -> Vec<String> {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

impl Case {
    /// Reads what the options name.
    pub(crate) fn open(uid: &str, at: &At) -> anyhow::Result<Self> {
        let dir = at.from.clone().context("--from: needed the output folder of a run")?;
        let lines = find::find(&dir, uid)?;
        let (summary_text, summary) = summary(&dir)?;
        let key_id = text(&lines.last, "/unmapped/lidr/key_id");
        let enclave_key = at.enclave_key.as_deref().map(|path| enclave_key(path, &key_id)).transpose()?;
        let key = match &enclave_key {
            Some(key) => Ok(key.clone()),
            None => key_at_hand(at, &key_id)?,
        };
        let (site, site_from) = judged(&lines.last, &dir, at.site.as_deref(), &key)?;
        let mut case = Self {
            rule: rule(&lines.last, &at.rules)?,
            site,
            site_from,
            rows: Ok(Vec::new()),
            dir,
            lines: lines.written,
            finding: lines.last,
            summary_text,
            summary,
            enclave_key,
        };
        case.rows = case.rows_at_hand(at.lake.as_deref())?;
        Ok(case)
    }

    /// The finding's id.
    pub(crate) fn uid(&self) -> String {
        text(&self.finding, "/finding_info/uid")
    }

    /// The rule's code.
    pub(crate) fn code(&self) -> String {
        text(&self.finding, "/finding_info/analytic/uid")
    }

    /// A text among what is lidr's own in the finding.
    pub(crate) fn own(&self, name: &str) -> String {
        text(&self.finding, &format!("/unmapped/lidr/{name}"))
    }

    /// The pieces of evidence in the last line.
    pub(crate) fn evidences(&self) -> impl Iterator<Item = &Value> {
        self.finding.get("evidences").and_then(Value::as_array).into_iter().flatten()
    }

    /// Frames and lines that any line of the finding points at.
    pub(crate) fn places(&self) -> BTreeSet<Place> {
        let read = |line: &String| serde_json::from_str::<Value>(line).ok();
        let evidences =
            |finding: Value| finding.get("evidences").and_then(Value::as_array).cloned().unwrap_or_default();
        self.lines.iter().filter_map(read).flat_map(evidences).filter_map(|e| place(&e)).collect()
    }

    fn rows_at_hand(&self, lake: Option<&Path>) -> anyhow::Result<AtHand<Vec<Row>>> {
        let known = self.summary.get("lake").and_then(Value::as_str).map(PathBuf::from).filter(|dir| dir.is_dir());
        let Some(dir) = lake.map(Path::to_owned).or(known) else {
            return Ok(Err("the run wrote no lake that is at hand; give --lake of `replay --lake`".to_owned()));
        };
        // Rows say pseudonyms as findings do: they must be of the same key, and no key is needed to read them.
        let mut rows = Lake::open(&dir, &self.own("key_id"))?.rows_of(&self.places())?;
        // A lake may hold other runs over files of the same name: a line of theirs is another line.
        let inputs = self.summary.get("inputs").and_then(Value::as_array).into_iter().flatten();
        let own: BTreeSet<&str> = inputs.filter_map(|input| input.get("capture")?.as_str()).collect();
        if !own.is_empty() {
            rows.retain(|row| row.cells.get("capture").and_then(Value::as_str).is_some_and(|c| own.contains(c)));
        }
        Ok(Ok(rows))
    }
}

/// Where a piece of evidence came from.
pub(crate) fn place(evidence: &Value) -> Option<Place> {
    let data = evidence.get("data")?;
    let (name, number) =
        (|name: &str| data.get(name).and_then(Value::as_str), |name: &str| data.get(name).and_then(Value::as_u64));
    match name("file") {
        Some(file) => Some(Place::Line(file.to_owned(), number("line")?)),
        None => Some(Place::Frame(name("capture")?.to_owned(), number("frame")?)),
    }
}

/// The summary of an output folder, as written and read; nothing and null where there is none.
pub(crate) fn summary(dir: &Path) -> anyhow::Result<(Option<String>, Value)> {
    let path = dir.join("summary.json");
    if !path.exists() {
        return Ok((None, Value::Null));
    }
    let content = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let value = serde_json::from_str(&content).with_context(|| path.display().to_string())?;
    Ok((Some(content), value))
}

fn enclave_key(path: &Path, key_id: &str) -> anyhow::Result<Key> {
    let key = key::read(path)?;
    if key.id() != key_id {
        bail!("{}: key {}, the finding's pseudonyms are of key {key_id}: needed that one", path.display(), key.id());
    }
    Ok(key)
}

/// The key that judged, if it is at hand. One that was given and is another is an error.
fn key_at_hand(at: &At, key_id: &str) -> anyhow::Result<AtHand<Key>> {
    match key::at_hand(&at.key)? {
        Some(key) if key.id() == key_id => Ok(Ok(key)),
        Some(key) if at.key.key_file.is_some() => {
            bail!("--key-file: key {}, the finding's pseudonyms are of key {key_id}: needed that one", key.id())
        }
        Some(key) => Ok(Err(format!("the key at hand is {}, needed {key_id}: give --key-file", key.id()))),
        None => Ok(Err(format!("needed the pseudonym key {key_id}: give --key-file"))),
    }
}

fn rule(finding: &Value, dirs: &[PathBuf]) -> anyhow::Result<AtHand<Box<Rule>>> {
    let (code, hash) = (text(finding, "/finding_info/analytic/uid"), text(finding, "/unmapped/lidr/rule_sha256"));
    let set = rules::load(true, dirs)?;
    let rule = set.rules.into_iter().find(|r| r.code == code);
    Ok(match rule {
        Some(rule) if rule.sha256 == hash => Ok(Box::new(rule)),
        Some(rule) => Err(format!(
            "{} is another version than the one that judged: SHA-256 {}, needed {hash}; give its folder with --rules",
            rule.file, rule.sha256
        )),
        None => Err(format!("no rule {code} is at hand; give its folder with --rules")),
    })
}

/// The site that judged, and where it is from if that is a copy.
type Judged = (AtHand<Box<Site>>, Option<String>);

fn judged(finding: &Value, out: &Path, dir: Option<&Path>, key: &AtHand<Key>) -> anyhow::Result<Judged> {
    let judged = text(finding, "/unmapped/lidr/site_hash");
    let copy = copies::of(out, &judged);
    let why = match dir {
        None if judged.is_empty() => "the run had no site folder".to_owned(),
        None => "give --site, the folder that judged".to_owned(),
        Some(dir) => match given(dir, &judged, key, copy.is_some())? {
            Ok(site) => return Ok((Ok(site), None)),
            Err(why) => why,
        },
    };
    let Some(copy) = copy else { return Ok((Err(why), None)) };
    match site::open_kept(&copy, key.as_ref().ok()) {
        Ok(site) if site.hash() != judged => {
            Ok((Err(format!("{why}; {} is a copy of another site", copy.display())), None))
        }
        Ok(site) => {
            let why = if dir.is_some() { format!("; {why}") } else { String::new() };
            Ok((Ok(Box::new(site)), Some(format!("the copy that the run kept, {}{why}", copy.display()))))
        }
        Err(broken) => Ok((Err(format!("{why}; the copy that the run kept cannot be used: {broken}")), None)),
    }
}

/// The site in the folder that was given, if it is the one that judged. Where there is a copy, it need not even be readable.
fn given(dir: &Path, judged: &str, key: &AtHand<Key>, has_copy: bool) -> anyhow::Result<AtHand<Box<Site>>> {
    let read = match key {
        Ok(key) => Site::load(Some(dir), key).map_err(|e| e.to_string()),
        Err(why) => Err(format!("--site {}: its identifiers are compared as pseudonyms, and {why}", dir.display())),
    };
    match read {
        Ok(site) if site.hash() == judged => Ok(Ok(Box::new(site))),
        Ok(site) => Ok(Err(format!(
            "{} is not the folder that judged, or was changed since: its hash is {}, needed {judged}",
            dir.display(),
            site.hash()
        ))),
        Err(why) if has_copy => Ok(Err(why)),
        Err(why) => bail!("{why}"),
    }
}
