//! Site tables as lines that may leave the enclave: what explains a finding and goes into evidence.
//!
//! Identifiers are pseudonyms in the tables already. Two kinds of text could still betray one and are replaced by pseudonyms here:
//! words of free text that are an identifier of the register (a ticket that names a task or an order), and the hashes of the register's
//! lines, from which whoever knows the rest of a line could find its selector by trying all numbers.
use std::collections::{BTreeSet, HashMap, HashSet};

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::DataType,
};
use lidr_rules::site::{ColumnKind, SITE_TABLES};
use lidr_schema::{Ip, Key, Kind};
use serde_json::{Map, Value};

use super::Site;
use crate::{feed::FeedError, judge::is_pseudonym, query::value, udf::ip_at};

/// Kinds of identifiers that free text may hold. Addresses are those of conversations, too, and are clear everywhere.
const KINDS: [Kind; 11] = [
    Kind::Xid,
    Kind::Liid,
    Kind::Order,
    Kind::Cccid,
    Kind::E164,
    Kind::Imsi,
    Kind::Imei,
    Kind::Nai,
    Kind::Sip,
    Kind::Circuit,
    Kind::Other,
];
/// Letters of the shortest word that is looked at: shorter ones are words of every language and name nobody.
const SHORTEST: usize = 4;

/// A line of a site table.
pub(super) type Line = Map<String, Value>;

impl Site {
    /// Names of the tables that the folder has, as SQL knows them.
    #[must_use]
    pub fn present(&self) -> Vec<String> {
        let all = SITE_TABLES.iter().filter(|t| self.present.contains(t.name)).flat_map(|t| t.sql());
        all.map(|t| t.name).collect()
    }

    /// The lines of these tables that may leave the enclave; `also` are pseudonyms of rows, besides those of the site.
    ///
    /// # Errors
    /// If a cell has no text.
    pub fn lines(&self, tables: &[String], also: &BTreeSet<String>) -> Result<Vec<(String, Vec<Line>)>, FeedError> {
        let mut veil = Veil::new(self, also);
        let named = tables.iter().filter_map(|name| Some((name, self.table(name)?)));
        // Hashes of lines are veiled whole, which must not be done twice.
        let chained = |name: &str| if self.kept { Vec::new() } else { chained(name) };
        named.map(|(name, batch)| Ok((name.clone(), veiled(batch, &chained(name), &mut veil)?))).collect()
    }
}

fn veiled(batch: &RecordBatch, chained: &[&str], veil: &mut Veil<'_>) -> Result<Vec<Line>, FeedError> {
    let line = |row| {
        let cells = batch.schema_ref().fields().iter().zip(batch.columns());
        let cells = cells.map(|(field, column)| {
            let mut cell = value(field.name(), column, row)?;
            if let (Value::String(text), DataType::Utf8) = (&mut cell, column.data_type()) {
                *text = veil.over(text, chained.contains(&field.name().as_str()));
            }
            Ok((field.name().clone(), cell))
        });
        cells.collect()
    };
    (0..batch.num_rows()).map(line).collect()
}

/// Columns that hash a line of the register.
pub(super) fn chained(table: &str) -> Vec<&'static str> {
    let columns = SITE_TABLES.iter().filter(|t| t.name == table).flat_map(|t| t.columns);
    columns.filter(|c| c.kind == ColumnKind::Chain).flat_map(|c| c.in_row()).map(|(name, _)| name).collect()
}

/// Knows which words are identifiers, without knowing any.
pub(super) struct Veil<'a> {
    key: Option<&'a Key>,
    tokens: HashSet<[u8; 16]>,
    /// Numbers long enough to be somebody's are veiled whether anybody knows them or not: in notes that are kept, whose rows come later.
    pub(super) numbers: bool,
    /// Texts repeat from line to line.
    seen: HashMap<(bool, String), String>,
}

/// Digits of the shortest number that may be somebody's.
const LONG: usize = 8;

/// Texts that are remembered.
const MOST_SEEN: usize = 100_000;

impl<'a> Veil<'a> {
    pub(super) fn new(site: &'a Site, also: &BTreeSet<String>) -> Self {
        let octets = |token: &String| lidr_schema::hex::decode(token)?.try_into().ok();
        let mut tokens: HashSet<[u8; 16]> = also.iter().filter_map(octets).collect();
        site.tables.values().for_each(|table| pseudonyms(table, &mut tokens));
        Self { key: site.key(), tokens, numbers: false, seen: HashMap::new() }
    }

    /// These are identifiers, too.
    pub(super) fn also(&mut self, tokens: &HashSet<[u8; 16]>) {
        self.tokens.extend(tokens);
    }

    pub(super) fn over(&mut self, text: &str, whole: bool) -> String {
        let Some(key) = self.key else { return text.to_owned() };
        if whole {
            return key.pseudonym(Kind::Other, text).token();
        }
        let place = (self.numbers, text.to_owned());
        if let Some(known) = self.seen.get(&place) {
            return known.clone();
        }
        let word = |word: &str| self.token(key, word).unwrap_or_else(|| word.to_owned());
        let veiled = match word(text) {
            same if same == text => words(text, &|bare| self.token(key, bare)),
            token => token,
        };
        if self.seen.len() < MOST_SEEN {
            self.seen.insert(place, veiled.clone());
        }
        veiled
    }

    /// The pseudonym of a word that is an identifier. One that has the form of a task's is, whether anybody knows it or not.
    fn token(&self, key: &Key, word: &str) -> Option<String> {
        if word.len() < SHORTEST {
            return None;
        }
        let known = |kind: &Kind| {
            Some(key.pseudonym(*kind, word)).filter(|p| self.tokens.contains(&p.octets())).map(|p| p.token())
        };
        let digits = word.bytes().any(|b| b.is_ascii_digit());
        // Of telephone numbers and the like only the digits count: a word without any would be nobody's.
        let fits = |kind: &&Kind| digits || !matches!(kind, Kind::E164 | Kind::Imsi | Kind::Imei);
        let found = KINDS.iter().filter(fits).find_map(known);
        let long = self.numbers && is_number(word);
        let found = found.or_else(|| is_uuid(word).then(|| key.pseudonym(Kind::Xid, word).token()));
        found.or_else(|| long.then(|| key.pseudonym(Kind::Other, word).token()))
    }
}

pub(super) fn pseudonyms(table: &RecordBatch, tokens: &mut HashSet<[u8; 16]>) {
    for (_, column) in table.schema_ref().fields().iter().zip(table.columns()).filter(|(f, _)| is_pseudonym(f.name())) {
        let Some(sixteen) = column.as_fixed_size_binary_opt() else { continue };
        tokens.extend((0..sixteen.len()).filter_map(|row| Some(ip_at(sixteen, row)?.octets())));
    }
}

/// Parts of a word that are looked at together.
const MOST_PARTS: usize = 12;
/// Pieces that are tried together: numbers are written in groups.
const MOST_TOGETHER: usize = 6;

/// A text with its identifiers replaced: groups of digits together first, then each word, then the word without the punctuation
/// around it and the parts that punctuation makes of it. More is replaced than must be rather than less.
fn words(text: &str, token: &dyn Fn(&str) -> Option<String>) -> String {
    let pieces: Vec<&str> = text.split_inclusive(is_border).collect();
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    while let Some(piece) = pieces.get(at) {
        let together = (2..=MOST_TOGETHER).rev().find_map(|n| {
            let group = pieces.get(at..at + n)?;
            let joined: String = group.iter().flat_map(|p| p.chars()).filter(|c| !is_border(*c)).collect();
            let digits = |piece: &&&str| piece.bytes().any(|b| b.is_ascii_digit());
            let is_number = [group.first(), group.last()].iter().flatten().all(digits)
                && group.iter().all(|p| p.chars().all(|c| c.is_ascii_digit() || is_border(c) || "+-./".contains(c)));
            let found = is_number.then(|| token(joined.trim_matches(['.', '-', '/']))).flatten()?;
            let end = group.last().map_or("", |last| last.trim_start_matches(|c| !is_border(c)));
            Some((n, format!("{found}{end}")))
        });
        let (n, veiled) = together.unwrap_or_else(|| (1, one(piece, token)));
        out.push_str(&veiled);
        at += n;
    }
    out
}

/// A word with what stands after it.
fn one(piece: &str, token: &dyn Fn(&str) -> Option<String>) -> String {
    let bare = piece.trim_end_matches(is_border);
    let after = piece.get(bare.len()..).unwrap_or_default();
    if let Some(found) = token(bare) {
        return format!("{found}{after}");
    }
    let core = bare.trim_matches(|c: char| c.is_ascii_punctuation() && c != '+');
    let (before, behind) = bare.split_once(core).unwrap_or((bare, ""));
    let inner = token(core).unwrap_or_else(|| parts(core, token));
    format!("{before}{inner}{behind}{after}")
}

/// A word that punctuation joins to others: the longest of its parts first, so that a word before an identifier is told from it.
fn parts(core: &str, token: &dyn Fn(&str) -> Option<String>) -> String {
    let pieces: Vec<&str> = core.split_inclusive(is_joint).collect();
    let (mut out, mut at) = (String::with_capacity(core.len()), 0);
    while let Some(piece) = pieces.get(at) {
        let found = (at + 1..=pieces.len().min(at + MOST_PARTS)).rev().find_map(|end| {
            let whole: String = pieces.get(at..end)?.concat();
            let bare = whole.trim_end_matches(is_joint);
            Some((end, format!("{}{}", token(bare)?, whole.get(bare.len()..)?)))
        });
        let (end, text) = found.unwrap_or_else(|| (at + 1, (*piece).to_owned()));
        out.push_str(&text);
        at = end;
    }
    out
}

fn is_border(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            ',' | ';' | '(' | ')' | '"' | '\'' | '=' | '<' | '>' | '[' | ']' | '{' | '}' | '|' | '#' | '?' | '!'
        )
}

/// What may join an identifier to a word before or after it.
fn is_joint(c: char) -> bool {
    matches!(c, ':' | '.' | '/' | '-' | '_' | '&' | '*' | '%')
}

/// Whether a word is a number that may be somebody's, and no address.
fn is_number(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    digits >= LONG && word.bytes().all(|b| b.is_ascii_digit() || b"+-./".contains(&b)) && word.parse::<Ip>().is_err()
}

fn is_uuid(word: &str) -> bool {
    let parts: Vec<usize> = word.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && word.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}
