//! `lidr doctor --propose-site CAPTURE… --out-site DIR`: a first site folder from what captures show.
//!
//! The captures are decoded as a replay would, their rows are asked for facts (`rules/reports/site.sql`), and facts become roles
//! (`hosts.rs`, `managers.rs`) and entries (`guess.rs`, `allow.rs`, `zones.rs`). Every entry is a guess: `PROPOSED.md` beside the tables says of each why
//! it is there and in which frames that stands, and what was seen and not proposed. Nothing is invented: what a capture cannot show is left
//! empty. The same captures give the same folder.
mod allow;
mod guess;
mod hosts;
mod managers;
mod page;
mod zones;

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use lidr_analytics::{Site, lake::Lake, report};
use lidr_ingest::{run, source::Reader};
use lidr_schema::Key;

use crate::{args::Doctor, inputs, key};

/// An entry of a table: its cells, why it is there, and where that stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entry {
    cells: Vec<String>,
    why: Vec<String>,
}

/// A table of the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Table {
    name: &'static str,
    columns: &'static [&'static str],
    entries: Vec<Entry>,
}

/// What is proposed.
#[derive(Clone, Debug, Default)]
struct Proposal {
    tables: Vec<Table>,
    /// Seen, and not proposed: what somebody has to look at.
    open: Vec<String>,
}

const WARNING: &str = "Every line is a guess from what was on the wire. A capture of an intrusion shows the intruder's hosts, too, and they may be \
proposed here as managers, servers or destinations: a rule that knows them as such is silent about them. Check each line against what you know, \
and take out what you do not.";

pub(crate) fn run(args: &Doctor, dir: &Path) -> anyhow::Result<ExitCode> {
    if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("--out-site {}: needed a new or an empty folder, this one has files", dir.display());
    }
    let key = key::given_or_kept(&args.key)?;
    let (rows, names) = (Rows::new(dir)?, decode(args, &key, &dir.join(ROWS))?);
    let lake =
        Lake::open(&rows.0, key.id()).context("the captures brought no rows, so that nothing can be proposed")?;
    let facts = report::facts(&lake, &Site::load(None, &key)?)?;
    drop((lake, rows));
    let sensor = inputs::sensor_name(args.decode.name.as_deref(), &Site::load(None, &key)?);
    let proposal = guess::propose(&facts, &names, &sensor);
    for table in &proposal.tables {
        write_table(dir, table)?;
    }
    write(&dir.join("site.toml"), SETTINGS)?;
    write(&dir.join("PROPOSED.md"), &page::page(&proposal, &args.propose_site))?;
    Site::load(Some(dir), &key).context("the proposed folder does not load: this is a defect of lidr")?;
    std::io::stdout().write_all(told(dir, &proposal).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

const ROWS: &str = ".rows";

const SETTINGS: &str = "\
# Proposed by `lidr doctor --propose-site`; PROPOSED.md says why each line of the tables is there. Take the # away:
#carrier = \"Example Telecom\"
#domain = \"example.net\"
# Hours in table accounts are local to this; UTC unless told.
#time_zone = \"Europe/Berlin\"
";

/// A folder of rows that goes when it is no longer needed, whatever happened.
struct Rows(PathBuf);

impl Rows {
    fn new(dir: &Path) -> anyhow::Result<Self> {
        let rows = dir.join(ROWS);
        fs::create_dir_all(&rows).with_context(|| rows.display().to_string())?;
        Ok(Self(rows))
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        if let Err(why) = fs::remove_dir_all(&self.0) {
            tracing::warn!("{} is left behind: {why}", self.0.display());
        }
    }
}

/// Decodes the captures into a lake; gives the path of each by its name in rows.
fn decode(args: &Doctor, key: &Key, rows: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let site = Site::load(None, key)?;
    let sensor = inputs::sensor_name(args.decode.name.as_deref(), &site);
    let sources = inputs::sources(&args.decode, None, &site, key)?;
    let (sensors, unreadable) = inputs::readable(inputs::by_sensor(&args.propose_site, &sensor), &sources)?;
    inputs::complain(&unreadable, ExitCode::SUCCESS)?;
    let mut names = BTreeMap::new();
    for (sensor, files) in sensors {
        let workers = inputs::workers(args.decode.workers);
        let config = inputs::config(&args.decode, &sensor, workers, key, &files, &sources)?;
        let mut lake = inputs::lake(rows, &config, key)?;
        let reader = Reader::open_with(&files, Some(&sources))?;
        let summary = run::run(reader, &config, &mut lake, &mut |_| {})?;
        names.extend(summary.inputs.into_iter().map(|i| (i.capture, i.path)));
    }
    Ok(names)
}

fn write_table(dir: &Path, table: &Table) -> anyhow::Result<()> {
    if table.entries.is_empty() {
        return Ok(());
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(table.columns)?;
    for entry in &table.entries {
        writer.write_record(&entry.cells)?;
    }
    let octets = writer.into_inner().map_err(|e| anyhow::anyhow!("{}: {e}", table.name))?;
    write(&dir.join(format!("{}.csv", table.name)), &String::from_utf8(octets)?)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| path.display().to_string())
}

fn told(dir: &Path, proposal: &Proposal) -> String {
    let dir = dir.display();
    let mut out = format!("Proposed in {dir}:\n");
    for table in proposal.tables.iter().filter(|t| !t.entries.is_empty()) {
        out.push_str(&format!("  {:<18} {}\n", format!("{}.csv", table.name), table.entries.len()));
    }
    let open = proposal.open.len();
    out.push_str(&format!(
        "  {:<18} why each line is there, and {open} more to look at\n\n{WARNING}\n\n",
        "PROPOSED.md"
    ));
    out.push_str(&format!("Next: read {dir}/PROPOSED.md, correct the tables, then `lidr doctor --site {dir}`.\n"));
    out
}
