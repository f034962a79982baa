//! The enclave view: pseudonyms in clear, for who holds the key, and the record of it.
//!
//! The record is on disk before anything clear is anywhere else; where it cannot be written nothing is shown. It says who looked at
//! which finding, when and at which fields; what was seen it does not say.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use anyhow::{Context, bail};
use lidr_analytics::{site, time::seconds_text};
use lidr_schema::Key;
use serde_json::{Map, Value, json};

use super::{Case, matching::is_token};
use crate::{args::At, certification::escaped, folder};

/// Who looks: the process's user, and who logged in where the system knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Viewer {
    /// Name of the user.
    pub(crate) user: String,
    /// Number of the user.
    pub(crate) user_id: Option<u32>,
    /// Number of the user who logged in, before any `sudo`.
    pub(crate) login_id: Option<u32>,
}

/// Clear text by pseudonym.
#[derive(Debug, Default)]
pub(crate) struct Enclave(BTreeMap<String, String>);

/// Opens the enclave view on what stands in these values, if the key was given, and records it.
pub(crate) fn open(case: &Case, at: &At, verb: &str, shown: &[(&str, Value)]) -> anyhow::Result<Enclave> {
    let Some(key) = &case.enclave_key else { return Ok(Enclave::default()) };
    view((&case.dir, at.site.as_deref()), key, verb, &case.uid(), shown)
}

/// The enclave view on these values for who holds the key; recorded in the output folder, `about` says on what.
pub(crate) fn view(
    (dir, site): (&Path, Option<&Path>),
    key: &Key,
    verb: &str,
    about: &str,
    shown: &[(&str, Value)],
) -> anyhow::Result<Enclave> {
    let Some(register) = site else { bail!("--enclave-key: needed --site, too: the register holds the clear text") };
    let places = tokens(shown);
    let wanted = places.keys().cloned().collect();
    let clear = site::reveal(register, key, &wanted)?;
    let fields: BTreeSet<String> = clear.keys().filter_map(|token| places.get(token)).flatten().cloned().collect();
    record(dir, folder::now(), &viewer(), verb, about, key.id(), &fields.into_iter().collect::<Vec<_>>())?;
    Ok(Enclave(clear))
}

/// Appends one access and sees to it that it is on disk.
pub(crate) fn record(
    dir: &Path,
    now: i64,
    viewer: &Viewer,
    verb: &str,
    uid: &str,
    key_id: &str,
    fields: &[String],
) -> anyhow::Result<()> {
    let line = json!({
        "time": format!("{}Z", seconds_text(now).replace(' ', "T")),
        "user": viewer.user,
        "user_id": viewer.user_id,
        "login_id": viewer.login_id,
        "verb": verb,
        "finding": uid,
        "key_id": key_id,
        "fields": fields,
    });
    let path = dir.join("access.ndjson");
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_all()?;
        fs::File::open(dir)?.sync_all()
    };
    write().with_context(|| format!("{}: the access cannot be recorded, so nothing is shown in clear", path.display()))
}

/// Where each pseudonym stands, whole or shortened: names of fields, and of lists without their place.
fn tokens(shown: &[(&str, Value)]) -> BTreeMap<String, BTreeSet<String>> {
    let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut short: Vec<(String, String)> = Vec::new();
    for (name, value) in shown {
        each_word(name, value, &mut |place, word| {
            if is_token(word) {
                out.entry(word.to_owned()).or_default().insert(place.to_owned());
            } else if word.len() == SHOWN && word.bytes().all(|b| b.is_ascii_hexdigit()) {
                short.push((place.to_owned(), word.to_owned()));
            }
        });
    }
    for (place, word) in short {
        let whole = out.iter_mut().filter(|(token, _)| token.starts_with(&word));
        whole.for_each(|(_, places)| places.extend([place.clone()]));
    }
    out
}

fn each_word(place: &str, value: &Value, take: &mut impl FnMut(&str, &str)) {
    match value {
        Value::String(text) => words(text).for_each(|word| take(place, word)),
        Value::Array(items) => items.iter().for_each(|item| each_word(place, item, take)),
        Value::Object(fields) => {
            fields.iter().for_each(|(name, field)| each_word(&format!("{place}.{name}"), field, take))
        }
        _ => {}
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
}

impl Enclave {
    /// The text with every pseudonym that could be resolved in clear.
    pub(crate) fn clear(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (token, clear)| in_clear(&text, token, clear))
    }

    /// The same inside HTML.
    pub(crate) fn clear_html(&self, page: &str) -> String {
        self.0.iter().fold(page.to_owned(), |page, (token, clear)| in_clear(&page, token, &escaped(clear)))
    }

    /// Says on standard error what was done, where the view was open.
    pub(crate) fn told(&self, case: &Case) -> anyhow::Result<()> {
        if case.enclave_key.is_some() {
            let (known, log) = (self.0.len(), case.dir.join("access.ndjson"));
            crate::log::inform(&format!("{known} pseudonyms in clear, recorded in {}", log.display()))?;
            if case.site_from.is_some() {
                crate::log::inform(
                    "the register has changed since it judged: clear text is what it holds now, what it no longer holds stays a pseudonym",
                )?;
            }
        }
        Ok(())
    }
}

/// Digits of a pseudonym that sentences show.
const SHOWN: usize = 12;

/// A text with one pseudonym, whole or as sentences shorten it, in clear.
fn in_clear(text: &str, token: &str, clear: &str) -> String {
    let whole = text.replace(token, clear);
    token.get(..SHOWN).map_or_else(|| whole.clone(), |short| whole.replace(short, clear))
}

/// Site lines as a value, for looking through them.
pub(crate) fn as_value(lines: &[Map<String, Value>]) -> Value {
    Value::Array(lines.iter().cloned().map(Value::Object).collect())
}

/// Who runs this process, from the system and not from what the environment claims.
pub(crate) fn viewer() -> Viewer {
    let user_id = fs::metadata("/proc/self").ok().map(|m| m.uid());
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = user_id.and_then(|id| {
        let of = |line: &str| line.split(':').nth(2) == Some(id.to_string().as_str());
        accounts.lines().find(|line| of(line)).and_then(|line| line.split(':').next()).map(str::to_owned)
    });
    let login = fs::read_to_string("/proc/self/loginuid").ok().and_then(|t| t.trim().parse().ok());
    Viewer {
        user: named.unwrap_or_else(|| "unknown".to_owned()),
        user_id,
        login_id: login.filter(|id| *id != u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn an_access_is_a_line_on_disk_that_says_who_and_which_fields() {
        let dir = tempfile::tempdir().unwrap();
        let viewer = Viewer { user: "ann".into(), user_id: Some(7), login_id: None };
        for second in [0, 1] {
            record(dir.path(), second * 1_000_000, &viewer, "explain", "f00d", "k", &["message".to_owned()]).unwrap();
        }
        let path = dir.path().join("access.ndjson");
        let lines: Vec<Value> =
            fs::read_to_string(&path).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(
            (lines.len(), &lines[1]["time"], &lines[1]["user"]),
            (2, &json!("1970-01-01T00:00:01Z"), &json!("ann"))
        );
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let said = record(&dir.path().join("none"), 0, &viewer, "explain", "f", "k", &[]).unwrap_err();
        assert!(format!("{said:#}").contains("nothing is shown in clear"), "{said:#}");
    }

    #[test]
    fn pseudonyms_are_found_where_they_stand_and_replaced() {
        let message = format!("task {}, runs", &TOKEN[..12]);
        let places = tokens(&[(
            "finding",
            json!({ "message": message, "list": [{ "name": TOKEN }], "n": 3, "id": "000000000000" }),
        )]);
        assert_eq!(
            places,
            BTreeMap::from([(
                TOKEN.to_owned(),
                BTreeSet::from(["finding.message".into(), "finding.list.name".into()])
            )])
        );
        let enclave = Enclave(BTreeMap::from([(TOKEN.to_owned(), "xid:abc".to_owned())]));
        assert_eq!(enclave.clear(&format!("a {TOKEN}, b 0123456789ab c")), "a xid:abc, b xid:abc c");
    }

    #[test]
    fn the_system_says_who_looks() {
        assert_ne!(viewer().user, "");
    }
}
