//! Messages that are none of ours, or broken, or missing.
//!
//! Whoever can write to a topic could otherwise stop the judging of everything with one line of a console producer. So such a
//! message is counted, said once, passed over, and becomes a row of `oddity` with its place in the broker: evidence like any other.
//! Only what would make every later message wrong, too, stops the run: another key and a newer major version.
use std::{collections::BTreeSet, sync::Arc};

use arrow::record_batch::RecordBatch;
use lidr_schema::{Head, Micros, Name, Store, TableId, table::oddity};

use crate::{
    BrokerOrigin,
    feed::{FeedError, RowSink},
};

/// Oddities that wait for a time to be due at; further ones are only counted.
const MOST_WAITING: usize = 64;

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Headers or body are not those of a table message.
    Broken,
    /// Rows before it never came.
    Hole,
    /// Its run begins too far behind.
    Behind,
}

#[derive(Debug)]
struct Waiting {
    kind: Kind,
    sensor: String,
    detail: &'static str,
    rows: u64,
    origin: Arc<BrokerOrigin>,
}

/// What was strange and has not become a row yet.
#[derive(Debug, Default)]
pub(super) struct Strange {
    waiting: Vec<Waiting>,
    said: BTreeSet<(String, Kind)>,
}

impl Strange {
    /// Notes one, and says it the first time that its topic has one.
    pub(super) fn note(
        &mut self,
        kind: Kind,
        sensor: &str,
        detail: &'static str,
        rows: u64,
        origin: &Arc<BrokerOrigin>,
        why: &str,
    ) {
        let place = format!("{}[{}]@{}", origin.topic, origin.partition, origin.first_offset);
        if self.said.insert((origin.topic.clone(), kind)) {
            tracing::warn!("{place}: {why}; counted, passed over, and so are further ones of this topic");
        } else {
            tracing::debug!("{place}: {why}");
        }
        if self.waiting.len() < MOST_WAITING {
            self.waiting.push(Waiting { kind, sensor: sensor.to_owned(), detail, rows, origin: Arc::clone(origin) });
        }
    }

    /// Whether nothing waits.
    pub(super) const fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Feeds rows of `oddity`, due at that time. Whether there were any.
    pub(super) fn feed(&mut self, due: i64, taker: &mut dyn RowSink) -> Result<bool, FeedError> {
        let any = !self.waiting.is_empty();
        for one in std::mem::take(&mut self.waiting) {
            let origin = Arc::new(BrokerOrigin { beside: true, ..(*one.origin).clone() });
            taker.rows(TableId::Oddity, row(one, due), Some(origin))?;
        }
        Ok(any)
    }
}

fn row(one: Waiting, due: i64) -> RecordBatch {
    let kind = match one.kind {
        Kind::Broken => "malformed",
        Kind::Hole => "drop",
        Kind::Behind => "behind",
    };
    let head = Head {
        ts: Micros(due),
        due: Micros(due),
        sensor: Name::Owned(one.sensor),
        capture: Name::Owned(format!("{}[{}]", one.origin.topic, one.origin.partition)),
        frame: u64::try_from(one.origin.first_offset).unwrap_or_default(),
        decoder: Name::Borrowed("kafka"),
        trust: Name::Borrowed("clear"),
        ..Head::default()
    };
    let (kind, stage, detail) = (Name::Borrowed(kind), Name::Borrowed("kafka"), Some(Name::Borrowed(one.detail)));
    let mut columns = oddity::Columns::default();
    columns.push(head, oddity::Row { kind, stage, detail, needed: None, had: None, count: one.rows.max(1) });
    columns.finish()
}
