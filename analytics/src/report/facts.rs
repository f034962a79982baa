//! What the rows of a lake say about who is what: the facts behind a proposed site folder.
//!
//! The query is one of the rule pack (`rules/reports/site.sql`); here its rows are only read. A fact is what was on the wire and no
//! judgement: an intruder's manager manages, too.
use std::sync::Arc;

use arrow::array::RecordBatch;
use lidr_rules::reports::SITE;
use lidr_schema::Ip;

use crate::{
    Site,
    feed::FeedError,
    lake::Lake,
    query::{context, run, text},
    udf::Edges,
};

/// Where a fact stands: the capture's name in rows (or the record file), and the frame (or the line).
pub type Stands = (String, u64);

/// One thing that rows say about a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it says: `sends`, `serves`, `is told`, `logs in`, `manages`, `handles taps`, `changes taps`, `is engine`, `notifies`,
    /// `reports to`, `asks by x1`, `is x1 element`, `is destination`, `delivers`.
    pub fact: String,
    /// The host that it is about.
    pub host: Ip,
    /// The other one.
    pub other: Option<Ip>,
    /// A port.
    pub port: Option<u16>,
    /// A transport protocol, IANA number.
    pub proto: Option<u8>,
    /// A protocol, an account or a name, as the fact has it.
    pub value: String,
    /// How often, or how many units.
    pub n: u64,
    /// How many other hosts.
    pub peers: u64,
    /// The first place that proves it, and the last.
    pub places: (Stands, Stands),
}

/// The facts of a lake, in a fixed order.
///
/// # Errors
/// If the lake cannot be read.
pub fn facts(lake: &Lake, site: &Site) -> Result<Vec<Fact>, FeedError> {
    let wrong = |e: &dyn std::fmt::Display| FeedError::Source(format!("{}: {e}", SITE.file));
    let steps: Vec<_> = SITE.steps().into_iter().map(|(name, query)| (name, query.to_owned())).collect();
    let context = context(site, site.key(), &Arc::new(Edges::default()), true)?;
    let answer = run(lake, &context, &steps).map_err(|e| wrong(&e))?;
    answer.rows().map(|(batch, row)| fact(batch, row)).collect()
}

fn fact(batch: &RecordBatch, row: usize) -> Result<Fact, FeedError> {
    let bad = |why: String| FeedError::Source(format!("{}: {why}", SITE.file));
    let cell = |name: &str| {
        let column = batch.column_by_name(name).ok_or_else(|| bad(format!("does not return `{name}`")))?;
        Ok::<_, FeedError>(text(name, column, row)?.unwrap_or_default())
    };
    let number = |name: &str| Ok::<_, FeedError>(cell(name)?.parse::<u64>().unwrap_or_default());
    let host = cell("host")?;
    Ok(Fact {
        fact: cell("fact")?,
        host: host.parse().map_err(|_| bad(format!("needed an address, had `{host}`")))?,
        other: cell("other")?.parse().ok(),
        port: cell("port")?.parse().ok(),
        proto: cell("proto")?.parse().ok(),
        value: cell("value")?,
        n: number("n")?,
        peers: number("peers")?,
        places: (stands(&cell("first")?), stands(&cell("last")?)),
    })
}

/// Taken apart again: a name, and a number with leading zeros.
fn stands(text: &str) -> Stands {
    let (name, number) = text.rsplit_once(' ').unwrap_or((text, ""));
    (name.to_owned(), number.parse().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_a_name_and_a_number() {
        assert_eq!(stands("a b-00000 000000000012"), ("a b-00000".to_owned(), 12));
        assert_eq!(stands(""), (String::new(), 0));
    }
}
