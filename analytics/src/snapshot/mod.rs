//! What a `watch` writes down so that it can go on after a restart (contracts: restart of `watch`).
//!
//! A snapshot has no rows but those that no message holds: memories, next windows, what is open, how far was read, and from where
//! has to be read again. It is one file: a line that says what it is, then JSON, then the tables as Arrow IPC streams, each after its
//! length, then the SHA-256 of all before. A file that is cut or changed anywhere is refused as a whole.
mod file;
pub(crate) mod pairs;

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
pub use file::{Damage, decode, encode};
use serde::{Deserialize, Serialize};

use crate::{
    BrokerOrigin,
    blind::{Blindness, Suspended},
    fold,
    held::{Late, Place},
};

/// Everything, but for the tables.
#[derive(Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// Whose it is: fields by which a run knows its own.
    pub name: serde_json::Value,
    /// The engine.
    pub engine: EngineState,
    /// The source.
    pub source: SourceState,
}

/// Tables of a snapshot; the rest refers to them by their number.
#[derive(Debug, Default)]
pub struct Tables(Vec<RecordBatch>);

impl Tables {
    /// Keeps a table; its number.
    pub(crate) fn put(&mut self, table: RecordBatch) -> usize {
        self.0.push(table);
        self.0.len() - 1
    }

    /// The table of that number.
    pub(crate) fn get(&self, number: usize) -> Option<&RecordBatch> {
        self.0.get(number)
    }
}

/// What the engine knows beside its rows.
#[derive(Debug, Serialize, Deserialize)]
pub struct EngineState {
    pub(crate) watermark: i64,
    pub(crate) due: Option<(i64, i64)>,
    pub(crate) rules: Vec<RuleState>,
    pub(crate) fold: fold::Saved,
    pub(crate) blindness: Blindness,
    pub(crate) needed: Vec<(Place, i64)>,
    pub(crate) late: Vec<Late>,
    pub(crate) notes: Vec<SavedNote>,
}

impl EngineState {
    /// The first message of each partition (topic, number) whose rows are still needed.
    #[must_use]
    pub fn needed(&self) -> BTreeMap<(String, i32), i64> {
        self.needed.iter().cloned().collect()
    }

    /// The watermark, µs.
    #[must_use]
    pub const fn watermark(&self) -> i64 {
        self.watermark
    }
}

/// How far a rule has come.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct RuleState {
    pub(crate) code: String,
    /// Length and context of its windows: with others, its ordinals mean nothing.
    pub(crate) window: Option<(i64, i64, i64)>,
    pub(crate) next: Option<i64>,
    pub(crate) next_pending: Option<i64>,
    pub(crate) last_held: Option<i64>,
    pub(crate) judged: u64,
    pub(crate) past_end: u64,
    pub(crate) windows: u64,
    pub(crate) missed: u64,
    pub(crate) suspended: Suspended,
    pub(crate) memories: BTreeMap<String, SavedMemory>,
}

/// A memory.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SavedMemory {
    /// What it remembers; with another definition the entries are not those that it would have.
    pub(crate) definition: String,
    /// Its table.
    pub(crate) table: usize,
}

/// Rows that no message holds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SavedNote {
    pub(crate) table: String,
    pub(crate) broker: Option<BrokerOrigin>,
    pub(crate) watermark: i64,
    pub(crate) rows: usize,
}

const fn never() -> i64 {
    i64::MIN
}

/// How far the topics were read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SourceState {
    /// Which cluster the offsets are of.
    pub cluster: String,
    /// Sensors that are waited for.
    pub expected: Vec<String>,
    /// Those of them that the settings or the site named.
    pub told: Vec<String>,
    /// The watermark, µs.
    pub watermark: i64,
    /// Greatest clock at which a run has ended, µs.
    pub end: i64,
    /// Up to where everything was judged though nobody had promised it, µs.
    #[serde(default = "never")]
    pub rested: i64,
    /// From when on all topics were whole, µs.
    #[serde(default = "never")]
    pub whole: i64,
    /// The partitions.
    pub partitions: Vec<PartitionState>,
}

/// How far one partition was read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PartitionState {
    /// Its topic.
    pub topic: String,
    /// Its number.
    pub partition: i32,
    /// Offset of the next message to judge.
    pub read: i64,
    /// Messages still needed of which so many rows had come before: offset and rows.
    pub repeats: Vec<(i64, u64)>,
    /// Runs of sensors on it, in the order in which they were met.
    pub epochs: Vec<EpochState>,
}

/// What one run of a sensor has sent on a partition.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct EpochState {
    /// The sensor.
    pub sensor: String,
    /// The run.
    pub epoch: String,
    /// Number of its next row.
    pub next_row: Option<u64>,
    /// What it has promised, µs.
    pub promise: Option<i64>,
    /// Whether it has ended.
    pub ended: bool,
    /// Whether it is refused.
    #[serde(default)]
    pub refused: bool,
}
