//! One record file that is being read: its records by time, and the account of them.
//!
//! A file is sorted by time before it is merged with other inputs. It is held in memory for that as far as 500,000 records or 128
//! MiB of text go; from a larger file always the earliest held record leaves, which sorts a log whole unless a record stands
//! further than that from its place. Such a record leaves late, with the time-back oddity of a late packet, and is counted.
//! A record without a time stands behind the one before it. A file of whose first records none can be read is refused as a
//! whole: then the mapping is wrong and not the records.
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    io,
    sync::Arc,
};

use lidr_schema::{
    Name, TableId,
    dynamic::{hint, nearest},
};
use serde::Serialize;

use super::{
    Sources,
    fields::{Fields, cells},
    lines::{Lines, Raw},
    mapping::{Format, Mapping},
    row::{Bad, Cells, Found, Making},
    time::Year,
};
use crate::source::Bytes;

/// Records held for sorting.
pub(crate) const MOST_HELD: usize = 500_000;
/// Octets of them.
const MOST_OCTETS: usize = 128 << 20;
/// Records without a time before the first that has one.
const MOST_EARLY: usize = 10_000;
/// Messages about records that are kept.
const MOST_TOLD: usize = 5;

/// What was read of a record file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RecordCounts {
    /// The mapping file that was used.
    pub mapping: String,
    /// Records read.
    pub read: u64,
    /// Records that became rows.
    pub mapped: u64,
    /// Records that could not be understood; each has an oddity.
    pub malformed: u64,
    /// Records left out, by the mapping's reason.
    pub skipped: BTreeMap<String, u64>,
    /// Names of hosts that no table of the site has an address for.
    pub unresolved_hosts: u64,
    /// Records further from their place in time than can be sorted in memory.
    pub unsorted: u64,
    /// The first few that could not be understood: place in the file, what was wrong, place in the mapping.
    pub first_malformed: Vec<String>,
}

impl RecordCounts {
    /// Counts a record that could not be understood.
    pub(super) fn malformed(&mut self, file: &str, number: u64, bad: &Bad) -> Outcome {
        self.malformed += 1;
        if self.first_malformed.len() < MOST_TOLD {
            self.first_malformed.push(format!("{file}:{number}: {}", bad.message));
        }
        Outcome::Malformed(bad.detail)
    }
}

/// A record that leaves.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// µs.
    pub(crate) ts: i64,
    /// Line number, from 1.
    pub(crate) number: u64,
    /// Ordinal of the input.
    pub(crate) input: u16,
    text: String,
    bad: Option<Box<Bad>>,
}

/// Held records leave by time, then by line.
#[derive(Debug, PartialEq, Eq)]
struct Held(Line);

impl Ord for Held {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0.ts, self.0.number).cmp(&(other.0.ts, other.0.number))
    }
}
impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A record as the run takes it.
#[derive(Debug)]
pub(crate) enum Outcome {
    Row(TableId, Cells),
    Skipped,
    /// What exactly was wrong, from a closed set.
    Malformed(&'static str),
}

/// A record file that is being read.
#[derive(Debug)]
pub(crate) struct LogFile {
    sources: Arc<Sources>,
    mapping: Arc<Mapping>,
    lines: Lines,
    file: String,
    input: u16,
    header: Vec<String>,
    year: Year,
    /// The year as it was before the first record: times inside a record are read with it.
    first_year: Year,
    held: BinaryHeap<Reverse<Held>>,
    early: Vec<Line>,
    octets: usize,
    most_held: usize,
    last: Option<i64>,
    left: i64,
    ended: bool,
    damaged: bool,
    counts: RecordCounts,
}

impl LogFile {
    /// Reads the beginning of a file, with room to sort so many records; what is wrong where none of it can be used.
    pub(crate) fn open(
        most_held: usize,
        bytes: Bytes,
        input: u16,
        file: &str,
        mapping: Arc<Mapping>,
        sources: Arc<Sources>,
    ) -> io::Result<Result<Self, String>> {
        let year = Year::of(mapping.time.year, file);
        let counts = RecordCounts { mapping: mapping.file.clone(), ..RecordCounts::default() };
        let mut log = Self {
            sources,
            lines: Lines::new(bytes),
            file: file.to_owned(),
            input,
            header: mapping.header.clone().unwrap_or_default(),
            mapping,
            year,
            first_year: year,
            held: BinaryHeap::new(),
            early: Vec::new(),
            octets: 0,
            most_held,
            last: None,
            left: i64::MIN,
            ended: false,
            damaged: false,
            counts,
        };
        if log.mapping.format == Format::Csv
            && log.header.is_empty()
            && let Some(message) = log.read_header()?
        {
            return Ok(Err(message));
        }
        // As far as one record whose time can be told: the rest is read when it is its turn.
        log.fill(1)?;
        let first = log.early.first().and_then(|l| Some((l.number, l.bad.as_ref()?)));
        let refused = first.filter(|_| log.held.is_empty()).map(|(number, bad)| {
            format!("none of its {} records can be read: line {number}: {}", log.early.len(), bad.message)
        });
        Ok(refused.map_or(Ok(log), Err))
    }

    /// What rows say of where they are from.
    pub(crate) fn file(&self) -> Name {
        Name::Owned(self.file.clone())
    }

    /// The account so far.
    pub(crate) const fn counts(&self) -> &RecordCounts {
        &self.counts
    }

    /// Octets read of the file as it is stored.
    pub(crate) fn stored(&self) -> u64 {
        self.lines.stored()
    }

    /// The line after the last one read.
    pub(crate) const fn next_number(&self) -> u64 {
        self.lines.next_number()
    }

    /// Whether its compression was cut or damaged.
    pub(crate) const fn is_damaged(&self) -> bool {
        self.damaged
    }

    /// The first line of a CSV file: what is wrong with it.
    fn read_header(&mut self) -> io::Result<Option<String>> {
        let Some(raw) = self.lines.csv()? else { return Ok(None) };
        let names = cells(self.mapping.delimiter, 0, &raw.text);
        let Ok(names) = names else { return Ok(Some(format!("line {}: the header line is no CSV", raw.number))) };
        self.header = names.iter().map(str::to_owned).collect();
        let groups: Vec<&str> = self.mapping.patterns.iter().flat_map(|p| p.regex.capture_names().flatten()).collect();
        let own = [super::fields::LINE, super::fields::PATTERN];
        let known = |name: &str| self.header.iter().any(|h| h == name) || groups.contains(&name) || own.contains(&name);
        let missing = self.mapping.fields.iter().find(|(_, name)| !known(name));
        Ok(missing.map(|(line, name)| {
            let near = hint(&nearest(name, self.header.iter().map(String::as_str)));
            format!("line {}: no column `{name}` in the header line{near} ({}:{line})", raw.number, self.mapping.file)
        }))
    }

    /// The next record by time.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line>> {
        self.fill(self.most_held)?;
        let Some(Reverse(Held(line))) = self.held.pop() else { return Ok(None) };
        self.octets = self.octets.saturating_sub(line.text.len());
        if line.ts < self.left {
            self.counts.unsorted += 1;
        }
        self.left = self.left.max(line.ts);
        Ok(Some(line))
    }

    /// What a record that has left becomes.
    pub(crate) fn outcome(&mut self, line: Line) -> Outcome {
        self.counts.read += 1;
        if let Some(bad) = line.bad {
            return self.malformed(line.number, &bad);
        }
        let sources = Arc::clone(&self.sources);
        let mapping = Arc::clone(&self.mapping);
        let mut making = Making { key: &sources.key, hosts: &sources.hosts, year: self.first_year, unresolved: 0 };
        let fields = Fields::read(&mapping, &self.header, &line.text)
            .map_err(|detail| mapping.bad(detail, 0, detail.to_owned()));
        let found = fields.and_then(|fields| mapping.row(&fields, &mut making));
        self.counts.unresolved_hosts += making.unresolved;
        match found {
            Ok(Found::Row(table, cells)) => {
                self.counts.mapped += 1;
                Outcome::Row(table, cells)
            }
            Ok(Found::Skipped(reason)) => {
                *self.counts.skipped.entry(reason.to_owned()).or_default() += 1;
                Outcome::Skipped
            }
            Err(bad) => self.malformed(line.number, &bad),
        }
    }

    fn malformed(&mut self, number: u64, bad: &Bad) -> Outcome {
        self.counts.malformed(&self.file, number, bad)
    }

    /// Holds so many records, or as many as may be held.
    fn fill(&mut self, most: usize) -> io::Result<()> {
        while !self.ended && self.held.len() < most && self.octets < MOST_OCTETS && self.early.len() < MOST_EARLY {
            let next = match self.mapping.format {
                Format::Csv => self.lines.csv(),
                _ => self.lines.line(),
            };
            match next {
                Ok(Some(raw)) => self.hold(raw),
                Ok(None) => self.ended = true,
                Err(error) if error.raw_os_error().is_some() => return Err(error),
                // What was read before a damaged compression stays.
                Err(_) => (self.ended, self.damaged) = (true, true),
            }
        }
        Ok(())
    }

    fn hold(&mut self, raw: Raw) {
        let Raw { number, text, bad } = raw;
        let mapping = Arc::clone(&self.mapping);
        let time = match bad {
            Some(detail) => Err(mapping.bad(detail, 0, detail.to_owned())),
            None => Fields::read(&mapping, &self.header, &text)
                .map_err(|detail| mapping.bad(detail, 0, detail.to_owned()))
                .and_then(|fields| mapping.time_of(&fields, &mut self.year)),
        };
        let mut line = Line { ts: 0, number, input: self.input, text, bad: None };
        match (time, self.last) {
            (Ok(ts), _) => {
                line.ts = ts;
                self.last = Some(ts);
                // What had no time and came before the first that has one belongs to it.
                for mut early in std::mem::take(&mut self.early) {
                    early.ts = ts;
                    self.held.push(Reverse(Held(early)));
                }
            }
            (Err(bad), last) => {
                line.bad = Some(Box::new(bad));
                // Nothing of it is needed any more.
                line.text = String::new();
                match last {
                    Some(ts) => line.ts = ts,
                    None => return self.early.push(line),
                }
            }
        }
        self.octets += line.text.len();
        self.held.push(Reverse(Held(line)));
    }
}
