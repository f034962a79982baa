//! The state of every tap at one moment, from four sources of which any two may disagree: register, administration function,
//! element, product on the wire.
//!
//! The reconciliation itself is a query of the rule pack (`rules/reports/taps.sql`). Two things are found here: when the data end,
//! and which sensors were blind, by running AF-08 over the lake: a tap of which nothing was seen while nobody looked is unknown and
//! not silent.
use std::{error::Error, fmt, sync::Arc};

use arrow::{
    array::{Array, AsArray, RecordBatch},
    compute::cast,
    datatypes::{DataType, TimeUnit, TimestampMicrosecondType},
};
use lidr_rules::{Rule, reports::TAPS};
use lidr_schema::{Ip, TableId};
use serde_json::json;

use crate::{
    BrokerOrigin, Engine, EngineOptions, Site,
    feed::{FeedError, RowSink},
    lake::{Lake, LakeRead},
    plan,
    query::{context, run, text},
    time::seconds_text,
    udf::Edges,
};

/// What a tap is at that moment; the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It runs and no order in force covers it.
    Unauthorised,
    /// Product or an element's task without the task that should be behind it.
    Orphaned,
    /// Its product goes elsewhere.
    Redirected,
    /// It is there outside the dates of its order.
    Expired,
    /// It should bring product and brings none.
    Silent,
    /// Nobody looked, or nothing can be compared.
    Unknown,
    /// The sources agree.
    Authorised,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Unauthorised,
        Self::Orphaned,
        Self::Redirected,
        Self::Expired,
        Self::Silent,
        Self::Unknown,
        Self::Authorised,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unauthorised => "unauthorised",
            Self::Orphaned => "orphaned",
            Self::Redirected => "redirected",
            Self::Expired => "expired",
            Self::Silent => "silent",
            Self::Unknown => "unknown",
            Self::Authorised => "authorised",
        }
    }

    /// What it says, in one sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Unauthorised => "an interception runs and no order in force covers it",
            Self::Orphaned => "product flows, or an element has a task, without the request that should be behind it",
            Self::Redirected => "product goes, or was told to go, where it should not",
            Self::Expired => "an interception runs before its order begins or after it has ended",
            Self::Silent => "an interception should bring product and does not",
            Self::Unknown => "nobody looked, or nothing could be compared: no statement is made",
            Self::Authorised => "register, administration function, element and wire do not contradict each other",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// A tap; identifiers are pseudonyms, hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tap {
    /// Its state.
    pub state: State,
    /// The element's name, or its address.
    pub at: String,
    /// The element's address.
    pub address: String,
    /// The task.
    pub task: String,
    /// The order that fits best.
    pub order: String,
    /// Its lawful interception identifier.
    pub liid: String,
    /// What the register says.
    pub register: String,
    /// What administration functions asked for.
    pub admf: String,
    /// What the element says.
    pub element: String,
    /// What is on the wire.
    pub wire: String,
    /// Pairs of sources that contradict each other.
    pub disagree: String,
    /// Why it is in that state.
    pub reason: String,
    /// Since when it is known to be there, UTC.
    pub since: String,
    /// Frames, or files and lines, that prove it.
    pub evidence: String,
}

/// Every tap at one moment.
#[derive(Clone, Debug)]
pub struct Taps {
    /// The moment, µs.
    pub moment: i64,
    /// Least and greatest time of the data, µs.
    pub data: (i64, i64),
    /// The taps, the gravest first.
    pub taps: Vec<Tap>,
    /// What the report has to do without, in sentences.
    pub notes: Vec<String>,
    /// Public name of the pseudonym key.
    pub key_id: String,
    /// SHA-256 over the site's files.
    pub site_hash: String,
}

impl Taps {
    /// How many taps are in a state.
    #[must_use]
    pub fn count(&self, state: State) -> usize {
        self.taps.iter().filter(|t| t.state == state).count()
    }
}

/// Reconciles the taps of a lake at that moment, or at the end of its data.
///
/// # Errors
/// If the site has no register, the moment is outside the data, or the lake cannot be read.
pub fn taps(lake: &Lake, site: &Site, rules: &[Rule], moment: Option<i64>, key_id: &str) -> Result<Taps, FeedError> {
    if !site.has("warrants") {
        return Err(FeedError::Source(
            "taps are compared with orders: needed site table warrants, give --site DIR".to_owned(),
        ));
    }
    let (read, blind) = look(lake, site, rules, key_id)?;
    let moment = moment.unwrap_or(read.end);
    if !(read.first..=read.end).contains(&moment) {
        let had = format!(
            "needed a time from {} to {} UTC, which the data cover",
            seconds_text(read.first),
            seconds_text(read.end)
        );
        return Err(FeedError::Source(format!("--at {}: {had}", seconds_text(moment))));
    }
    let mut values = TAPS.values(rules).map_err(FeedError::Source)?;
    let silence = values.get("silence").and_then(|v| v.as_str()).and_then(length);
    let silence = silence.ok_or_else(|| FeedError::Source("LI-15: `silence` is no length of time".to_owned()))?;
    let mut dark: Vec<&str> = blind
        .iter()
        .filter(|(_, since, until)| *since < moment && *until > moment - silence)
        .map(|b| b.0.as_str())
        .collect();
    dark.sort_unstable();
    dark.dedup();
    values.insert("blind".to_owned(), json!(dark.join(", ")));
    values.insert("destinations".to_owned(), json!(site.has("destinations")));
    values.insert("elements".to_owned(), json!(site.has("elements")));
    let edges = Arc::new(Edges::default());
    edges.set(moment - silence, moment);
    let wrong = |e: &dyn fmt::Display| FeedError::Source(format!("{}: {e}", TAPS.file));
    let steps =
        TAPS.steps().into_iter().map(|(name, query)| Ok((name, plan::fill(query, &values).map_err(|e| wrong(&e))?)));
    let steps = steps.collect::<Result<Vec<_>, FeedError>>()?;
    let answer = run(lake, &context(site, site.key(), &edges, true)?, &steps).map_err(|e| wrong(&e))?;
    let mut taps = answer.rows().map(|(batch, row)| tap(site, batch, row)).collect::<Result<Vec<_>, _>>()?;
    taps.sort();
    let notes = notes(site, &dark);
    Ok(Taps {
        moment,
        data: (read.first, read.end),
        taps,
        notes,
        key_id: key_id.to_owned(),
        site_hash: site.hash().to_owned(),
    })
}

/// A length as rules write it for SQL: `30 minutes`.
fn length(text: &str) -> Option<i64> {
    let (number, unit) = text.split_once(' ')?;
    lidr_rules::duration(&format!("{number}{}", unit.get(..1)?))
}

fn notes(site: &Site, dark: &[&str]) -> Vec<String> {
    let lacks = |table: &str, what: &str| (!site.has(table)).then(|| format!("no site table {table}: {what}"));
    let mut out: Vec<String> = [
        lacks("destinations", "whether a tap is redirected is not judged"),
        lacks(
            "elements",
            "who is an administration function is not known, so that its requests cannot be told from others'",
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !dark.is_empty() {
        out.push(format!("blind at that time: {}; what was not seen then proves nothing (AF-08)", dark.join(", ")));
    }
    out
}

fn tap(site: &Site, batch: &RecordBatch, row: usize) -> Result<Tap, FeedError> {
    let bad = |why: String| FeedError::Source(format!("{}: {why}", TAPS.file));
    let column = |name: &str| batch.column_by_name(name).ok_or_else(|| bad(format!("does not return `{name}`")));
    let cell = |name: &str| Ok::<_, FeedError>(text(name, column(name)?, row)?.unwrap_or_default());
    let state = cell("state")?;
    let address = cell("ne")?;
    let name = address.parse::<Ip>().ok().and_then(|ip| site.name_of(ip)).map(str::to_owned);
    let since = cast(column("since")?, &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))
        .map_err(|e| bad(e.to_string()))?;
    let since = since
        .as_primitive_opt::<TimestampMicrosecondType>()
        .filter(|c| c.is_valid(row))
        .map(|c| seconds_text(c.value(row)));
    Ok(Tap {
        state: State::named(&state).ok_or_else(|| bad(format!("needed a state, had `{state}`")))?,
        at: name.unwrap_or_else(|| address.clone()),
        address,
        task: cell("task")?,
        order: cell("order_id")?,
        liid: cell("liid")?,
        register: cell("register")?,
        admf: cell("admf")?,
        element: cell("element")?,
        wire: cell("wire")?,
        disagree: cell("disagree")?,
        reason: cell("reason")?,
        since: since.unwrap_or_default(),
        evidence: cell("evidence")?,
    })
}

/// A sensor that was blind, from and until when, µs.
type Span = (String, i64, i64);

/// Reads the lake once with the rules that say when a sensor was blind.
fn look(lake: &Lake, site: &Site, rules: &[Rule], key_id: &str) -> Result<(LakeRead, Vec<Span>), FeedError> {
    let suspends: Vec<Rule> = rules.iter().filter(|r| r.suspends).cloned().collect();
    let options = EngineOptions { key_id: key_id.to_owned(), ..EngineOptions::default() };
    let mut engine = Engine::new(&suspends, site.clone(), options).map_err(|e| FeedError::Source(e.to_string()))?;
    engine.keep_blindness();
    let mut look = Look(engine);
    let read = lake.read(&mut look)?;
    look.0.finish(read.end).map_err(|e| FeedError::Source(e.to_string()))?;
    if let Some(why) = look.0.failure() {
        return Err(FeedError::Source(format!("which sensors were blind could not be judged: {why}")));
    }
    Ok((read, look.0.blind()))
}

type Failed = Box<dyn Error + Send + Sync>;

/// Judges blindness; what it finds beside that is no part of the report.
struct Look(Engine);

impl fmt::Debug for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Look")
    }
}

impl RowSink for Look {
    fn rows(&mut self, table: TableId, batch: RecordBatch, origin: Option<Arc<BrokerOrigin>>) -> Result<(), Failed> {
        // The rules that tell of sensors read conversations and losses.
        if matches!(table, TableId::Flow | TableId::Oddity) {
            self.0.push(table, batch, origin)?;
        }
        Ok(())
    }

    fn watermark(&mut self, watermark: i64) -> Result<(), Failed> {
        self.0.advance(watermark)?;
        Ok(())
    }

    fn rest(&mut self, _: i64) -> Result<(), Failed> {
        Ok(())
    }
}
