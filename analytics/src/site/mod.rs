//! The site folder: what is where, who may do what, which intercepts are lawful (contracts: site folder).
//!
//! One file a table, CSV or Parquet, or a query of PostgreSQL (`site.toml`). Identifiers of warrants are hashed with the run's key while they are read; what is kept can
//! be joined with rows and not be read back. A table that is not there is not the same as an empty one, and rules are told.
mod kept;
mod lines;
mod odd;
#[cfg(feature = "postgres")]
mod postgres;
mod print;
mod read;
mod reveal;
mod settings;
mod stale;
mod survey;
mod table;

pub use kept::{is_hash, open_kept};
pub use print::{Print, print};
pub use reveal::reveal;
pub use settings::Refresh;
pub use stale::{Origin, stale};
pub use survey::{Found, Survey, survey};
pub(crate) use table::schema_of;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::array::{Array, AsArray, RecordBatch};
use jiff::tz::TimeZone;
use lidr_rules::site::SITE_TABLES;
use lidr_schema::{Cidr, Ip, Key, dynamic, hex};
use serde_json::{Map, Value};
use settings::Settings;
use sha2::{Digest, Sha256};
use table::Line;

use crate::{
    SiteError,
    narrow::Store,
    udf::{Zone, Zones, ip_at},
};

/// The site's tables, typed, hashed where they hold identifiers.
#[derive(Clone, Debug, Default)]
pub struct Site {
    tables: BTreeMap<String, RecordBatch>,
    present: BTreeSet<String>,
    zones: Arc<Zones>,
    names: BTreeMap<Ip, String>,
    hash: String,
    /// What identifiers were hashed with.
    key: Option<Key>,
    /// Selectors that meet less than their clerk may think: file, line and why, never the selector.
    doubts: Vec<String>,
    refresh: Option<Refresh>,
    files: Refresh,
    /// It is a copy that a run kept, whose texts are veiled.
    kept: bool,
    /// What plans have made of its tables.
    store: Arc<Store>,
}

/// Doubtful lines of a folder that are told one by one.
const MOST_TOLD: usize = 5;

impl Site {
    /// Reads a folder, or a copy that a run kept; none: a site of which nothing is known.
    ///
    /// # Errors
    /// If a file cannot be read or holds what its table has not.
    pub fn load(dir: Option<&Path>, key: &Key) -> Result<Self, SiteError> {
        let Some(dir) = dir else { return Self::from_lines(BTreeMap::new(), key, String::new()) };
        if kept::is_kept(dir) {
            return open_kept(dir, Some(key));
        }
        let mut hash = Sha256::new();
        let mut tables = BTreeMap::new();
        let mut settings = Settings::default();
        for path in files(dir)? {
            let content = fs::read(&path).map_err(|e| error(&path, None, e.to_string()))?;
            let is_settings = path.file_name().is_some_and(|name| name == "site.toml");
            if is_settings {
                settings = settings::read(&path, &content)?;
            }
            let stem = table_of(&path)?;
            // What nobody is judged by (a password, an editor's copy) must not make two sites of one.
            if is_settings || stem.is_some() {
                hash.update(path.file_name().unwrap_or_default().as_encoded_bytes());
                hash.update((content.len() as u64).to_be_bytes());
                hash.update(&content);
            }
            let Some(stem) = stem else { continue };
            let lines = match path.extension().and_then(|e| e.to_str()) {
                Some("csv") => read::csv(&path, &content)?,
                _ => read::parquet(&path)?,
            };
            if let Some((other, _)) = tables.insert(stem, (path.clone(), lines)) {
                return Err(error(
                    &path,
                    None,
                    format!("the table stands in {} too: needed one file for each table", other.display()),
                ));
            }
        }
        if let Some(from) = &settings.postgres {
            for (name, (path, lines)) in database(from)? {
                // A database gives rows in any order.
                let mut sorted: Vec<_> = lines.iter().map(|line| (&line.names, &line.cells)).collect();
                sorted.sort();
                hash.update(&name);
                for cell in sorted.into_iter().flat_map(|(names, cells)| names.iter().chain(cells)) {
                    hash.update((cell.len() as u64).to_be_bytes());
                    hash.update(cell);
                }
                if let Some((other, _)) = tables.insert(name, (path.clone(), lines)) {
                    return Err(error(
                        &path,
                        None,
                        format!("the table stands in {} too: needed one place for each table", other.display()),
                    ));
                }
            }
        }
        let mut site = Self::from_lines(tables, key, hex::encode(&hash.finalize()))?;
        site.zones = Arc::new(site.zone_map().in_time_zone(settings.time_zone.unwrap_or(TimeZone::UTC)));
        site.refresh = settings.postgres.and_then(|p| p.refresh);
        site.files = settings.files;
        site.tell_doubts();
        Ok(site)
    }

    /// Says what is doubtful, the first few by their lines.
    fn tell_doubts(&self) {
        self.doubts.iter().take(MOST_TOLD).for_each(|doubt| tracing::warn!("{doubt}"));
        let more = self.doubts.len().saturating_sub(MOST_TOLD);
        if more > 0 {
            tracing::warn!("{}", format_args!("{more} more like these"));
        }
    }

    /// From tables in short form, as the cases of rules give them.
    ///
    /// # Errors
    /// If a table or column does not exist or a value does not fit.
    pub fn from_short(tables: &BTreeMap<String, Vec<Map<String, Value>>>, key: &Key) -> Result<Self, SiteError> {
        let mut lines = BTreeMap::new();
        for (name, rows) in tables {
            let path = PathBuf::from(format!("site: {name}"));
            if !SITE_TABLES.iter().any(|t| t.name == name) {
                let near = dynamic::nearest(name, SITE_TABLES.iter().map(|t| t.name));
                return Err(error(&path, None, format!("no such table{}", dynamic::hint(&near))));
            }
            let rows = rows.iter().enumerate().map(|(i, row)| read::short(i + 1, row)).collect();
            lines.insert(name.clone(), (path, rows));
        }
        Self::from_lines(lines, key, String::new())
    }

    fn from_lines(
        mut lines: BTreeMap<String, (PathBuf, Vec<Line>)>,
        key: &Key,
        hash: String,
    ) -> Result<Self, SiteError> {
        let mut site =
            Self { hash, present: lines.keys().cloned().collect(), key: Some(key.clone()), ..Self::default() };
        for table in SITE_TABLES {
            let (path, lines) = lines.remove(table.name).unwrap_or_default();
            let (built, doubts) =
                table::build(table, lines, key).map_err(|(line, message)| error(&path, Some(line), message))?;
            site.tables.extend(built);
            site.doubts.extend(doubts.into_iter().map(|(line, message)| error(&path, Some(line), message).to_string()));
        }
        site.zones = Arc::new(site.zone_map());
        site.names = site.host_names();
        Ok(site)
    }

    /// Names in table `sensors`.
    #[must_use]
    pub fn sensors(&self) -> Vec<String> {
        self.texts("sensors", "name")
    }

    /// How often it is to be read again, where a database has some of it.
    #[must_use]
    pub const fn refresh(&self) -> Option<Refresh> {
        self.refresh
    }

    /// How often its files are to be looked at, and how long a change that cannot be read may last.
    #[must_use]
    pub const fn files(&self) -> Refresh {
        self.files
    }

    /// SHA-256 over names and contents of the files, and what a database gave, hex.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Whether the folder has that table (`warrants_destinations` comes with `warrants`).
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        lidr_rules::site::file_of(name).is_some_and(|t| self.present.contains(t.name))
    }

    /// Whether one of the columns of a table holds a value.
    pub(crate) fn holds(&self, table: &str, columns: &[&str]) -> bool {
        let filled = |batch: &RecordBatch| {
            columns.iter().filter_map(|c| batch.column_by_name(c)).any(|c| c.null_count() < c.len())
        };
        self.tables.get(table).is_some_and(filled)
    }

    /// A table as SQL sees it.
    pub(crate) fn table(&self, name: &str) -> Option<&RecordBatch> {
        self.tables.get(name)
    }

    /// What plans have made of its tables.
    pub(crate) const fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The zones.
    pub(crate) const fn zones(&self) -> &Arc<Zones> {
        &self.zones
    }

    /// What its identifiers were hashed with.
    pub(crate) const fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// The name that devices and elements give an address.
    pub(crate) fn name_of(&self, address: Ip) -> Option<&str> {
        self.names.get(&address).map(String::as_str)
    }

    /// The address by which each device and element is known: an element's own, a device's loopback, else its first address.
    #[must_use]
    pub fn addresses(&self) -> BTreeMap<String, Ip> {
        let mut out = BTreeMap::new();
        for (table, name, address) in NAMED.iter().rev() {
            for (name, ip) in self.named(table, name, address) {
                out.entry(name).or_insert(ip);
            }
        }
        out
    }

    /// Names and addresses of a table, row by row.
    fn named(&self, table: &str, name: &str, address: &str) -> Vec<(String, Ip)> {
        let Some(batch) = self.tables.get(table) else { return Vec::new() };
        let names = batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
        let addresses = batch.column_by_name(address).and_then(|c| c.as_fixed_size_binary_opt());
        let (Some(names), Some(addresses)) = (names, addresses) else { return Vec::new() };
        names.iter().enumerate().filter_map(|(i, name)| Some((name?.to_owned(), ip_at(addresses, i)?))).collect()
    }

    fn texts(&self, table: &str, column: &str) -> Vec<String> {
        let found =
            self.tables.get(table).and_then(|t| t.column_by_name(column)).and_then(|c| c.as_string_opt::<i32>());
        found.into_iter().flat_map(|c| c.iter().flatten().map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    fn zone_map(&self) -> Zones {
        let ranges = self.texts("zones", "cidr");
        let names = self.texts("zones", "zone");
        let ranks = self.tables.get("zones").and_then(|t| t.column_by_name("rank")).cloned();
        let ranks = ranks.as_ref().and_then(|c| c.as_primitive_opt::<arrow::datatypes::Int64Type>());
        let rank = |i: usize| ranks.filter(|r| r.is_valid(i)).map(|r| r.value(i));
        let rows = ranges.iter().zip(names).enumerate();
        Zones::new(
            rows.filter_map(|(i, (range, name))| Some((range.parse::<Cidr>().ok()?, Zone { name, rank: rank(i) }))),
        )
    }

    fn host_names(&self) -> BTreeMap<Ip, String> {
        let all = NAMED.iter().flat_map(|(table, name, address)| self.named(table, name, address));
        all.map(|(name, ip)| (ip, name)).collect()
    }
}

/// The tables that a database has.
#[cfg(feature = "postgres")]
fn database(from: &settings::Postgres) -> Result<postgres::Tables, SiteError> {
    postgres::fetch(from)
}

/// The tables that the folder's `site.toml` fetches from a database; none where it names none.
fn of_database(dir: &Path) -> Result<BTreeMap<String, (PathBuf, Vec<Line>)>, SiteError> {
    let path = dir.join("site.toml");
    let Ok(content) = fs::read(&path) else { return Ok(BTreeMap::new()) };
    match &settings::read(&path, &content)?.postgres {
        Some(from) => database(from),
        None => Ok(BTreeMap::new()),
    }
}

/// The tables that a database has.
#[cfg(not(feature = "postgres"))]
fn database(from: &settings::Postgres) -> Result<BTreeMap<String, (PathBuf, Vec<Line>)>, SiteError> {
    Err(error(
        &from.file,
        None,
        "[postgres]: this lidr was built without PostgreSQL: build it with the default features".to_owned(),
    ))
}

/// Where names stand beside addresses: table, name and address; of two names the later one is shown.
const NAMED: [(&str, &str, &str); 3] =
    [("devices_addresses", "name", "value"), ("devices", "name", "loopback"), ("elements", "name", "address")];

/// The table that a file holds; none for what is no table (`site.toml`, notes). A table that would be passed over for its ending
/// or its capitals is an error: rules would be judged without it, and nobody would know why.
fn table_of(path: &Path) -> Result<Option<String>, SiteError> {
    let part = |p: Option<&std::ffi::OsStr>| p.unwrap_or_default().to_string_lossy().into_owned();
    let (stem, ending) = (part(path.file_stem()), part(path.extension()));
    let known = SITE_TABLES.iter().any(|t| t.name == stem);
    match (known, matches!(ending.as_str(), "csv" | "parquet")) {
        (true, true) => Ok(Some(stem)),
        (false, true) => {
            let near = dynamic::nearest(&stem, SITE_TABLES.iter().map(|t| t.name));
            Err(error(path, None, format!("no such table `{stem}`{}", dynamic::hint(&near))))
        }
        _ if SITE_TABLES.iter().any(|t| t.name == stem.to_lowercase()) => {
            let name = stem.to_lowercase();
            Err(error(path, None, format!("needed {name}.csv or {name}.parquet, had the ending `{ending}`")))
        }
        _ => Ok(None),
    }
}

fn files(dir: &Path) -> Result<Vec<PathBuf>, SiteError> {
    let entries = fs::read_dir(dir).map_err(|e| error(dir, None, e.to_string()))?;
    let mut out = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| error(dir, None, e.to_string()))?.path();
        match fs::metadata(&path) {
            Ok(about) if about.is_file() => out.push(path),
            Ok(_) => {}
            // A table that cannot be looked at is not one that was taken away.
            Err(why) if is_ours(&path) => return Err(error(&path, None, why.to_string())),
            Err(_) => {}
        }
    }
    out.sort();
    Ok(out)
}

/// Whether a name in a site folder is one that is read; editors leave others beside them.
fn is_ours(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && (path.file_name().is_some_and(|name| name == "site.toml") || !matches!(table_of(path), Ok(None)))
}

fn error(file: &Path, line: Option<usize>, message: String) -> SiteError {
    SiteError { file: file.display().to_string(), line: line.filter(|l| *l > 0), message }
}

#[cfg(test)]
mod tests;
