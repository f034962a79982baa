//! What is kept of a copy of the site between runs: indexes of its tables, and what does not depend on a window.
//!
//! It belongs to the copy, so a new copy begins without any. An index says by the hash of a value in which rows it may stand: two
//! values of one hash cost a row that the join then refuses, and never a row that is missing.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use arrow::{
    array::{Array, ArrayRef, RecordBatch, UInt32Array},
    compute::take_record_batch,
};
use datafusion::common::{Result, hash_utils::create_hashes};

/// Rows of the largest table that is read whole: a search costs more than it saves.
const SMALL: usize = 256;
/// Octets of all parts that a copy of the site keeps.
const MOST_STORED: usize = 512 << 20;

/// A table of the site, or something made of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Table(String),
    /// Its number, and a partition.
    Kept(usize, usize),
}

/// What is known of one copy of the site.
#[derive(Debug, Default)]
pub(crate) struct Store {
    indexes: Mutex<HashMap<(Place, usize), Arc<Index>>>,
    kept: Mutex<HashMap<usize, Arc<[RecordBatch]>>>,
}

/// Values that one side of a join asks the other for.
#[derive(Debug)]
pub(crate) struct Keys {
    values: Vec<ArrayRef>,
    hashes: OnceLock<Vec<u64>>,
}

/// Hashes of a column's values with their rows, in order.
#[derive(Debug)]
struct Index(Vec<(u64, u32)>);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is in there is added whole or not at all.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hashes of values that are not null, with their rows: a null meets nothing.
fn hashed(values: &ArrayRef) -> Result<Vec<(u64, u32)>> {
    let mut hashes = vec![0; values.len()];
    create_hashes([values], &foldhash(), &mut hashes)?;
    let nulls = values.logical_nulls();
    let valid = |row: usize| nulls.as_ref().is_none_or(|n| n.is_valid(row));
    let rows = hashes.into_iter().enumerate().filter(|(row, _)| valid(*row));
    Ok(rows.map(|(row, hash)| (hash, u32::try_from(row).unwrap_or(u32::MAX))).collect())
}

fn foldhash() -> datafusion::common::hash_utils::RandomState {
    datafusion::common::hash_utils::RandomState::with_seed(0)
}

impl Keys {
    pub(crate) const fn new(values: Vec<ArrayRef>) -> Self {
        Self { values, hashes: OnceLock::new() }
    }

    /// Distinct hashes; made when somebody looks.
    fn hashes(&self) -> Result<&[u64]> {
        if let Some(known) = self.hashes.get() {
            return Ok(known);
        }
        let mut all = Vec::new();
        for values in &self.values {
            all.extend(hashed(values)?.into_iter().map(|(hash, _)| hash));
        }
        all.sort_unstable();
        all.dedup();
        Ok(self.hashes.get_or_init(|| all))
    }
}

impl Store {
    /// What a plan gave before.
    pub(crate) fn kept(&self, id: usize) -> Option<Arc<[RecordBatch]>> {
        locked(&self.kept).get(&id).cloned()
    }

    /// Keeps what a plan gave, while there is room for it.
    pub(crate) fn keep(&self, id: usize, batches: &Arc<[RecordBatch]>) {
        let size = |of: &Arc<[RecordBatch]>| of.iter().map(RecordBatch::get_array_memory_size).sum::<usize>();
        let mut kept = locked(&self.kept);
        if kept.values().map(size).sum::<usize>().saturating_add(size(batches)) <= MOST_STORED {
            kept.insert(id, Arc::clone(batches));
        }
    }

    fn index(&self, place: &Place, column: usize, batch: &RecordBatch) -> Result<Arc<Index>> {
        let at = (place.clone(), column);
        if let Some(index) = locked(&self.indexes).get(&at) {
            return Ok(Arc::clone(index));
        }
        let mut rows = hashed(batch.column(column))?;
        rows.sort_unstable();
        let index = Arc::new(Index(rows));
        locked(&self.indexes).insert(at, Arc::clone(&index));
        Ok(index)
    }

    /// The rows of a table in which one of the keys may stand, in their order; of several columns that are asked by, the one that
    /// leaves the fewest. None: all of them.
    pub(crate) fn rows(
        &self,
        place: &Place,
        batch: &RecordBatch,
        asks: &[(usize, Arc<Keys>)],
    ) -> Result<Option<UInt32Array>> {
        if batch.num_rows() <= SMALL {
            return Ok(None);
        }
        let mut best: Option<Vec<u32>> = None;
        for (column, keys) in asks {
            let hashes = keys.hashes()?;
            // Where almost every row is asked for, a search per key is no help.
            if hashes.len() >= batch.num_rows() / 4 || *column >= batch.num_columns() {
                continue;
            }
            let rows = self.index(place, *column, batch)?.rows(hashes);
            if best.as_ref().is_none_or(|best| rows.len() < best.len()) {
                best = Some(rows);
            }
        }
        Ok(best.map(UInt32Array::from))
    }
}

impl Index {
    fn rows(&self, hashes: &[u64]) -> Vec<u32> {
        let mut out = Vec::new();
        for hash in hashes {
            let from = self.0.partition_point(|(h, _)| h < hash);
            let same = self.0.iter().skip(from).take_while(|(h, _)| h == hash);
            out.extend(same.map(|(_, row)| *row));
        }
        out.sort_unstable();
        out
    }
}

/// Some rows of a table, or all.
pub(crate) fn narrowed(batch: &RecordBatch, rows: Option<&UInt32Array>) -> Result<RecordBatch> {
    rows.map_or_else(|| Ok(batch.clone()), |rows| Ok(take_record_batch(batch, rows)?))
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array, StringArray};

    use super::*;

    #[test]
    fn the_rows_that_hold_a_key_are_found_in_their_order_and_nulls_meet_nothing() {
        let n = 1_000;
        let names: StringArray = (0..n).map(|i| (i % 10 != 3).then(|| format!("n{}", i % 50))).collect();
        let numbers = Int64Array::from_iter_values(0..n);
        let batch = RecordBatch::try_from_iter([
            ("name", Arc::new(names) as ArrayRef),
            ("number", Arc::new(numbers) as ArrayRef),
        ])
        .unwrap();
        let (store, place) = (Store::default(), Place::Table("t".into()));
        let asked = |values: Vec<Option<&str>>| {
            let keys = Arc::new(Keys::new(vec![Arc::new(StringArray::from(values)) as ArrayRef]));
            let rows = store.rows(&place, &batch, &[(0, keys)]).unwrap();
            let found = narrowed(&batch, rows.as_ref()).unwrap();
            found.column(1).as_primitive::<arrow::datatypes::Int64Type>().values().to_vec()
        };
        let expected: Vec<i64> = (0..n).filter(|i| matches!(i % 50, 1 | 7)).collect();
        assert_eq!(asked(vec![Some("n7"), None, Some("n1"), Some("n7"), Some("x"), Some("n3")]), expected);
        assert!(asked(vec![None]).is_empty());
        let few = batch.slice(0, SMALL);
        assert!(store.rows(&place, &few, &[]).unwrap().is_none(), "a small table is read whole");
        assert!(store.rows(&place, &batch, &[]).unwrap().is_none(), "as is one that nobody asks");
    }
}
