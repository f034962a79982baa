//! `site.toml`: the carrier's time zone, how often files are looked at, and where tables come from that are no files.
//!
//! Section `[files]` says how often a run that goes on looks whether files have changed (`check`, 5 s unless told), and after how long
//! a change that cannot be read makes the copy at hand stale (`stale`, 15 min unless told).
//! Section `[postgres]` names a connection and `[postgres.tables]` a query for each table. A password stands in a file or in the
//! environment, never here: this file is copied, compared and put into version control.
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::tz::TimeZone;
use lidr_rules::{duration, site::SITE_TABLES};
use lidr_schema::dynamic::{hint, nearest};

use super::error;
use crate::SiteError;

/// What `site.toml` says.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) time_zone: Option<TimeZone>,
    pub(super) files: Refresh,
    pub(super) postgres: Option<Postgres>,
    /// What is said of names that lidr does not know.
    pub(super) unknown: Vec<String>,
}

/// Tables that a PostgreSQL has.
pub(super) struct Postgres {
    /// The file that says so, for messages.
    pub(super) file: PathBuf,
    /// What libpq calls a connection string; it may hold a password where it comes from the environment.
    pub(super) connection: String,
    /// Whether it stands in the file.
    pub(super) in_file: bool,
    pub(super) password: Option<String>,
    /// Certificates of authorities, PEM; the system's where none are named.
    pub(super) tls_ca: Option<PathBuf>,
    /// How long a query may take.
    pub(super) timeout: Duration,
    /// Rows that a table may have.
    pub(super) rows: u64,
    pub(super) refresh: Option<Refresh>,
    /// Queries by the table that they fill.
    pub(super) tables: BTreeMap<String, String>,
}

/// How often tables are read again while lidr runs, and after how long the last good copy is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// From one reading to the next.
    pub every: Duration,
    /// Age at which the copy at hand is a finding.
    pub stale: Duration,
}

impl Default for Refresh {
    /// For files.
    fn default() -> Self {
        Self { every: Duration::from_secs(5), stale: Duration::from_secs(15 * 60) }
    }
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Postgres({:?})", self.tables.keys())
    }
}

const NAMES: [&str; 9] =
    ["connection", "connection_env", "password_file", "password_env", "tls_ca", "timeout", "rows", "refresh", "stale"];

/// Names of the file; some are for people.
const KNOWN: [&str; 6] = ["carrier", "domain", "own_asn", "time_zone", "files", "postgres"];

/// Rows that a table may have unless `rows` says otherwise.
const MOST_ROWS: u64 = 1_000_000;

/// Reads the file.
pub(super) fn read(path: &Path, content: &[u8]) -> Result<Settings, SiteError> {
    let bad = |message: String| error(path, None, message.split_whitespace().collect::<Vec<_>>().join(" "));
    let text = std::str::from_utf8(content).map_err(|e| bad(e.to_string()))?;
    // What the parser says quotes the line, which may be one with a password that should not be there.
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| bad(e.message().to_owned()))?;
    let postgres = match table.get("postgres") {
        None => None,
        Some(toml::Value::Table(section)) => Some(postgres(path, section).map_err(bad)?),
        Some(_) => return Err(bad("`postgres`: needed a section [postgres]".to_owned())),
    };
    let files = match table.get("files") {
        None => Refresh::default(),
        Some(toml::Value::Table(section)) => files(section).map_err(bad)?,
        Some(_) => return Err(bad("`files`: needed a section [files]".to_owned())),
    };
    let time_zone = table.get("time_zone").map(|name| time_zone(name).map_err(bad)).transpose()?;
    let unknown = table.keys().filter(|name| !KNOWN.contains(&name.as_str()));
    let unknown = unknown.map(|name| format!("no such setting `{name}`{}", hint(&nearest(name, KNOWN)))).collect();
    Ok(Settings { time_zone, files, postgres, unknown })
}

fn files(section: &toml::Table) -> Result<Refresh, String> {
    let names = ["check", "stale"];
    if let Some(name) = section.keys().find(|name| !names.contains(&name.as_str())) {
        return Err(format!("[files] has no setting `{name}`{}", hint(&nearest(name, names))));
    }
    let usual = Refresh::default();
    let time = |name: &str, usual| Ok::<_, String>(time("files", section, name)?.unwrap_or(usual));
    Ok(Refresh { every: time("check", usual.every)?, stale: time("stale", usual.stale)? })
}

/// A time of a second or more.
fn time(title: &str, section: &toml::Table, name: &str) -> Result<Option<Duration>, String> {
    let text = match section.get(name) {
        None => return Ok(None),
        Some(toml::Value::String(text)) => text,
        Some(_) => return Err(format!("[{title}] `{name}`: needed a text")),
    };
    let micros = duration(text).filter(|micros| *micros >= 1_000_000).and_then(|micros| u64::try_from(micros).ok());
    micros.map(|micros| Some(Duration::from_micros(micros))).ok_or_else(|| {
        format!("[{title}] `{name}`: needed a time of a second or more, such as 30s or 5m, had `{text}`")
    })
}

fn time_zone(name: &toml::Value) -> Result<TimeZone, String> {
    let zone = name.as_str().and_then(|name| TimeZone::get(name).ok());
    zone.ok_or_else(|| format!("`time_zone`: needed a name such as \"Europe/Berlin\", had {name}"))
}

fn postgres(path: &Path, section: &toml::Table) -> Result<Postgres, String> {
    if let Some(name) = section.keys().find(|name| *name != "tables" && !NAMES.contains(&name.as_str())) {
        let near = nearest(name, NAMES.iter().copied().chain(["tables"]));
        return Err(format!("[postgres] has no setting `{name}`{}", hint(&near)));
    }
    let text = |name: &str| match section.get(name) {
        None => Ok(None),
        Some(toml::Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(format!("[postgres] `{name}`: needed a text")),
    };
    let time = |name: &str| time("postgres", section, name);
    let (connection, in_file) = match (text("connection")?, text("connection_env")?) {
        (Some(text), None) => (text.to_owned(), true),
        (None, Some(name)) => (variable(name)?, false),
        _ => return Err("[postgres]: needed one of `connection` and `connection_env`".to_owned()),
    };
    let beside = |name: &str| path.parent().unwrap_or(Path::new(".")).join(name);
    let password = match (text("password_file")?, text("password_env")?) {
        (None, None) => None,
        (Some(file), None) => {
            let read =
                std::fs::read_to_string(beside(file)).map_err(|e| format!("[postgres] `password_file` {file}: {e}"))?;
            Some(read.trim_end_matches(['\r', '\n']).to_owned())
        }
        (None, Some(name)) => Some(variable(name)?),
        _ => return Err("[postgres]: needed one of `password_file` and `password_env`, had both".to_owned()),
    };
    let rows = match section.get("rows") {
        None => MOST_ROWS,
        Some(value) => value
            .as_integer()
            .and_then(|n| u64::try_from(n).ok())
            .filter(|n| *n > 0)
            .ok_or("[postgres] `rows`: needed a whole number above 0")?,
    };
    let (every, stale) = (time("refresh")?, time("stale")?);
    let refresh = match (every, stale) {
        (None, Some(_)) => return Err("[postgres] `stale` says nothing without `refresh`".to_owned()),
        (None, None) => None,
        (Some(every), stale) => Some(Refresh { every, stale: stale.unwrap_or(every * 3) }),
    };
    Ok(Postgres {
        file: path.to_owned(),
        connection,
        in_file,
        password,
        tls_ca: text("tls_ca")?.map(beside),
        timeout: time("timeout")?.unwrap_or(Duration::from_secs(30)),
        rows,
        refresh,
        tables: tables(section.get("tables"))?,
    })
}

/// The value of a variable; nothing of it is ever said.
fn variable(name: &str) -> Result<String, String> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    value.ok_or_else(|| format!("[postgres]: the environment has no variable {name}"))
}

fn tables(section: Option<&toml::Value>) -> Result<BTreeMap<String, String>, String> {
    let queries = section.and_then(toml::Value::as_table).filter(|t| !t.is_empty());
    let queries = queries.ok_or("[postgres]: needed a section [postgres.tables] with a query for each table")?;
    let one = |(name, query): (&String, &toml::Value)| {
        if !SITE_TABLES.iter().any(|t| t.name == name) {
            let near = nearest(name, SITE_TABLES.iter().map(|t| t.name));
            return Err(format!("[postgres.tables]: no such table `{name}`{}", hint(&near)));
        }
        let query = query.as_str().map(|q| q.trim().trim_end_matches(';').trim_end()).filter(|q| !q.is_empty());
        Ok((name.clone(), query.ok_or_else(|| format!("[postgres.tables] `{name}`: needed a query"))?.to_owned()))
    };
    queries.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Result<Postgres, String> {
        let settings = read(Path::new("/site/site.toml"), text.as_bytes()).map_err(|e| e.to_string())?;
        settings.postgres.ok_or_else(|| "none".to_owned())
    }

    #[test]
    fn a_section_has_a_connection_queries_and_times() {
        let text = "[postgres]\nconnection = \"host=/run/postgresql user=lidr\"\nrefresh = \"5m\"\nrows = 7\n[postgres.tables]\nwarrants = \"SELECT 1; \"\n";
        let postgres = said(text).unwrap();
        assert_eq!(postgres.tables["warrants"], "SELECT 1");
        let refresh = Refresh { every: Duration::from_secs(300), stale: Duration::from_secs(900) };
        assert_eq!((postgres.rows, postgres.refresh, postgres.timeout), (7, Some(refresh), Duration::from_secs(30)));
    }

    #[test]
    fn files_are_looked_at_every_five_seconds_unless_told() {
        let read =
            |text: &str| read(Path::new("site.toml"), text.as_bytes()).map(|s| s.files).map_err(|e| e.to_string());
        assert_eq!(read("").unwrap(), Refresh { every: Duration::from_secs(5), stale: Duration::from_secs(900) });
        let told = Refresh { every: Duration::from_secs(2), stale: Duration::from_secs(3600) };
        assert_eq!(read("[files]\ncheck = \"2s\"\nstale = \"1h\"\n").unwrap(), told);
        assert!(read("[files]\nchek = \"2s\"\n").unwrap_err().contains("did you mean `check`?"));
        assert!(read("[files]\ncheck = \"0s\"\n").unwrap_err().contains("[files] `check`: needed a time of a second"));
        assert!(read("files = 5\n").unwrap_err().contains("needed a section [files]"));
    }

    #[test]
    fn what_does_not_fit_is_named_and_no_secret_is_said() {
        let tables = "[postgres.tables]\nwarrants = \"SELECT 1\"\n";
        let refused = |text: &str| said(text).unwrap_err();
        assert!(refused(&format!("[postgres]\nconection = \"x\"\n{tables}")).contains("did you mean `connection`?"));
        assert!(refused(&format!("[postgres]\n{tables}")).contains("one of `connection` and `connection_env`"));
        let text = refused("[postgres]\nconnection = \"x\"\n[postgres.tables]\nwarants = \"SELECT 1\"\n");
        assert!(
            text.contains("/site/site.toml") && text.contains("no such table `warants`, did you mean `warrants`?"),
            "{text}"
        );
        assert!(refused("[postgres]\nconnection = \"x\"\n").contains("[postgres.tables]"));
        assert!(
            refused(&format!("[postgres]\nconnection = \"x\"\nrefresh = \"5\"\n{tables}"))
                .contains("such as 30s or 5m")
        );
        assert!(
            refused(&format!("[postgres]\nconnection = \"x\"\nstale = \"5m\"\n{tables}")).contains("without `refresh`")
        );
        assert!(
            refused(&format!("[postgres]\nconnection_env = \"LIDR_NOBODY_SET_THIS\"\n{tables}"))
                .contains("no variable LIDR_NOBODY_SET_THIS")
        );
        let broken = refused("[postgres]\nconnection = \"password=geheim\nrefresh = 1\n");
        assert!(!broken.contains("geheim"), "{broken}");
    }
}
