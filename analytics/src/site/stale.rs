//! A site whose tables could not be read again for too long, as a row that rules can judge.
use std::time::Duration;

use arrow::array::RecordBatch;
use lidr_schema::{Head, Micros, Name, Store, table::oddity};

use super::Refresh;

/// Where tables come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The files of the folder.
    Files,
    /// The database that the folder names.
    Database,
}

/// The row of `oddity` that says so, due at that time; how old the copy is and may be is told in seconds.
#[must_use]
pub fn stale(due: i64, age: Duration, refresh: Refresh, of: Origin) -> RecordBatch {
    let detail = match of {
        Origin::Files => "files have changed and cannot be read",
        Origin::Database => "the database was not read again",
    };
    let head = Head {
        ts: Micros(due),
        due: Micros(due),
        sensor: Name::Borrowed("site"),
        capture: Name::Borrowed("site"),
        decoder: Name::Borrowed("site"),
        trust: Name::Borrowed("clear"),
        ..Head::default()
    };
    let row = oddity::Row {
        kind: Name::Borrowed("stale"),
        stage: Name::Borrowed("site"),
        detail: Some(Name::Borrowed(detail)),
        needed: Some(refresh.stale.as_secs()),
        had: Some(age.as_secs()),
        count: 1,
    };
    let mut columns = oddity::Columns::default();
    columns.push(head, row);
    columns.finish()
}
