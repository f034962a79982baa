//! What loads and can hardly be meant: words that no rule knows, ranks that are none, times that end before they start.
//!
//! A register is not refused for them: a carrier may know more states of an order than rules do, and half a register is worse than one
//! with an odd line. The log names them when a folder is loaded, `lidr doctor` when it is checked.
use std::collections::{BTreeMap, BTreeSet};

use lidr_rules::site::{SiteTable, words};
use lidr_schema::{Cidr, Ip, dynamic};

use super::table::{Doubt, holds_identifiers};
use crate::time::parse_rfc3339;

/// What is told of one table; the rest is of the same kinds.
const MOST: usize = 100;
/// Ranks of zones, from outside to intercept.
const RANKS: std::ops::RangeInclusive<i64> = 0..=9;

/// What was said of a table, and what later lines are compared with.
#[derive(Default)]
pub(super) struct Odd {
    said: BTreeSet<(&'static str, String)>,
    ranges: BTreeMap<(Ip, Ip), usize>,
    told: usize,
}

impl Odd {
    /// Looks at a line; `cell` gives what stands in a column.
    pub(super) fn look<'a>(
        &mut self,
        table: &SiteTable,
        number: usize,
        cell: &dyn Fn(&str) -> &'a str,
        doubts: &mut Vec<Doubt>,
    ) {
        if self.told > MOST {
            return;
        }
        let mut found = self.words(table, cell);
        if table.name == "zones" {
            found.extend(self.zone(number, cell));
        }
        let times = match table.name {
            "warrants" => Some(("start", "end")),
            "tickets" => Some(("from", "to")),
            _ => None,
        };
        found.extend(times.and_then(|(from, to)| backwards(cell(from), cell(to), from, to)));
        for why in found {
            self.told += 1;
            match self.told.cmp(&(MOST + 1)) {
                std::cmp::Ordering::Less => doubts.push((number, why)),
                std::cmp::Ordering::Equal => doubts.push((number, format!("and more of the kind: {MOST} were told"))),
                std::cmp::Ordering::Greater => {}
            }
        }
    }

    /// Words that no rule knows, each once.
    fn words<'a>(&mut self, table: &SiteTable, cell: &dyn Fn(&str) -> &'a str) -> Vec<String> {
        let mut out = Vec::new();
        for column in table.columns {
            let (Some(known), word) = (words(table.name, column.name), cell(column.name)) else { continue };
            if word.is_empty() || known.contains(&word) || !self.said.insert((column.name, word.to_owned())) {
                continue;
            }
            let same = known.iter().find(|k| k.eq_ignore_ascii_case(word)).map(|k| (*k).to_owned());
            let near = same.or_else(|| dynamic::nearest(word, known.iter().copied()));
            // Columns may have changed places, and what stands here may be an identifier.
            let had =
                if holds_identifiers(table) { "a word that is not shown".to_owned() } else { format!("`{word}`") };
            out.push(format!(
                "column `{}`: no rule knows {had}{} Known are {}",
                column.name,
                near.map_or_else(|| ".".to_owned(), |n| dynamic::hint(&Some(n))),
                known.join(", ")
            ));
        }
        out
    }

    fn zone<'a>(&mut self, number: usize, cell: &dyn Fn(&str) -> &'a str) -> Vec<String> {
        let mut out = Vec::new();
        if let Some(rank) = cell("rank").parse::<i64>().ok().filter(|rank| !RANKS.contains(rank)) {
            out.push(format!("column `rank`: needed 0 (outside) to 9 (intercept), had `{rank}`"));
        }
        let text = cell("cidr");
        let Ok(range) = text.parse::<Cidr>() else { return out };
        match self.ranges.get(&(range.first(), range.last())) {
            Some(line) => {
                out.push(format!("column `cidr`: `{text}` stands in line {line} already: needed one zone for a range"))
            }
            None => drop(self.ranges.insert((range.first(), range.last()), number)),
        }
        out
    }
}

fn backwards(from: &str, to: &str, start: &str, end: &str) -> Option<String> {
    let is_before = parse_rfc3339(to)? < parse_rfc3339(from)?;
    is_before.then(|| format!("column `{end}`: lies before `{start}`, so that it is never in force"))
}
