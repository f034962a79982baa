//! Row order: what the workers hand over in any order leaves in one, behind the least of their promises.
//!
//! No two rows of a table should share a place. Should some all the same, their cells decide, not who handed them over first.
use std::collections::BTreeMap;

use arrow::{
    array::{AsArray, DictionaryArray, PrimitiveArray, RecordBatch, StringArray, UInt32Array},
    compute::{concat_batches, interleave_record_batch, take_record_batch},
    datatypes::{Int32Type, TimestampMicrosecondType, UInt32Type, UInt64Type},
    error::ArrowError,
    row::{RowConverter, SortField},
};
use lidr_schema::{Head, Store, TableId, table::tasking};

use crate::{
    behind::Taps,
    sink::{Sink, SinkError},
    worker::Chunk,
};

/// Rows of one batch that leaves.
const BATCH: usize = 8192;

/// Rows of one batch that are worth a batch of their own.
const WORTH: usize = 256;

/// The place of a row among those of one sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    due: i64,
    ts: i64,
    input: u16,
    frame: u64,
    n: u32,
    batch: u32,
    row: u32,
}

impl Place {
    const fn key(&self) -> (i64, i64, u16, u64, u32) {
        (self.due, self.ts, self.input, self.frame, self.n)
    }
}

/// A batch of which rows wait.
#[derive(Debug)]
struct Held {
    number: u32,
    batch: RecordBatch,
    /// Rows that have not left.
    left: usize,
}

#[derive(Debug, Default)]
struct Pending {
    /// By number; a handful.
    batches: Vec<Held>,
    places: Vec<Place>,
    serial: u32,
}

/// Holds rows until they may leave.
#[derive(Debug)]
pub(crate) struct Order {
    floors: Vec<i64>,
    tables: BTreeMap<TableId, Pending>,
    tasking: Vec<(Head, tasking::Row)>,
    taps: Taps,
    told: i64,
    /// Rows that have left, by table.
    pub(crate) rows: BTreeMap<TableId, u64>,
}

impl Order {
    /// For so many sources of rows.
    pub(crate) fn new(sources: usize) -> Self {
        Self {
            floors: vec![i64::MIN; sources],
            tables: BTreeMap::new(),
            tasking: Vec::new(),
            taps: Taps::default(),
            told: i64::MIN,
            rows: BTreeMap::new(),
        }
    }

    /// Taps that were forgotten at the bound.
    pub(crate) const fn taps_forgotten(&self) -> u64 {
        self.taps.forgotten
    }

    /// Takes rows of one source and passes on what may leave.
    pub(crate) fn take(&mut self, source: usize, chunk: Chunk, sink: &mut dyn Sink) -> Result<(), SinkError> {
        for (table, batch) in chunk.batches {
            let first = self.tables.entry(table).or_default().add(batch);
            debug_assert!(first > self.told, "a row of {} is due at {first}, promised was {}", table.name(), self.told);
        }
        debug_assert!(
            chunk.tasking.iter().all(|(head, _)| head.due.0 > self.told),
            "a request is due before a promise"
        );
        self.tasking.extend(chunk.tasking);
        if let Some(floor) = self.floors.get_mut(source) {
            *floor = chunk.floor.max(*floor);
        }
        let least = self.floors.iter().copied().min().unwrap_or(i64::MAX);
        if least <= self.told {
            return Ok(());
        }
        self.told = least;
        self.release_tasking(least);
        let tables: Vec<TableId> = self.tables.keys().copied().collect();
        for table in tables {
            let Some(pending) = self.tables.get_mut(&table) else { continue };
            for batch in pending.release(least).map_err(|e| SinkError(format!("rows of {}: {e}", table.name())))? {
                *self.rows.entry(table).or_default() += batch.num_rows() as u64;
                sink.rows(table, batch)?;
            }
        }
        sink.floor(least)
    }

    /// Requests about taps become columns once state across conversations has seen them, in row order.
    fn release_tasking(&mut self, floor: i64) {
        let all = std::mem::take(&mut self.tasking);
        let (mut now, later): (Vec<_>, Vec<_>) = all.into_iter().partition(|(head, _)| head.due.0 <= floor);
        self.tasking = later;
        if now.is_empty() {
            return;
        }
        now.sort_by_cached_key(|(head, _)| head.key());
        for tie in now
            .chunk_by_mut(|(a, _), (b, _)| (a.due, a.ts, a.frame, a.n) == (b.due, b.ts, b.frame, b.n))
            .filter(|t| t.len() > 1)
        {
            tie.sort_by_cached_key(|(head, row)| (head.key(), format!("{row:?}")));
        }
        let mut columns = tasking::Columns::default();
        for (head, mut row) in now {
            self.taps.see(&mut row);
            columns.push(head, row);
        }
        self.tables.entry(TableId::Tasking).or_default().add(columns.finish());
    }
}

impl Pending {
    /// Holds rows; the least time at which one of them is due.
    fn add(&mut self, batch: RecordBatch) -> i64 {
        let number = self.serial;
        self.serial = self.serial.wrapping_add(1);
        let places = places(&batch, number);
        let first = places.iter().map(|p| p.due).min().unwrap_or(i64::MAX);
        self.places.extend(places);
        self.batches.push(Held { number, left: batch.num_rows(), batch });
        first
    }

    fn release(&mut self, floor: i64) -> Result<Vec<RecordBatch>, ArrowError> {
        let mut now = sorted(&self.places, floor);
        self.places.retain(|p| p.due > floor);
        for tie in now.chunk_by_mut(|a, b| a.key() == b.key()).filter(|tie| tie.len() > 1) {
            self.by_cells(tie)?;
        }
        // What has waited mingles with what came since; behind the last of it the rows are of one batch, which is taken from much
        // more cheaply than several are mixed: dictionaries stay as they are.
        let last = now.last().map(|p| p.batch);
        let alone = now.iter().rposition(|p| Some(p.batch) != last).map_or(0, |before| before + 1);
        let (mixed, alone) = now.split_at(if now.len() - alone < WORTH { now.len() } else { alone });
        let parts = mixed.chunks(BATCH).chain(alone.chunks(BATCH));
        let out = parts.map(|part| self.gather(part)).collect::<Result<Vec<_>, _>>()?;
        for run in now.chunk_by(|a, b| a.batch == b.batch) {
            if let Some(held) = run.first().and_then(|p| self.held_mut(p.batch)) {
                held.left -= run.len();
            }
        }
        self.batches.retain(|held| held.left > 0);
        Ok(out)
    }

    fn held(&self, number: u32) -> Option<&Held> {
        self.batches.iter().find(|held| held.number == number)
    }

    fn held_mut(&mut self, number: u32) -> Option<&mut Held> {
        self.batches.iter_mut().find(|held| held.number == number)
    }

    /// Puts rows with one place in the order of their cells.
    fn by_cells(&self, tie: &mut [Place]) -> Result<(), ArrowError> {
        let rows = tie.iter().map(|p| self.gather(std::slice::from_ref(p))).collect::<Result<Vec<_>, _>>()?;
        let Some(schema) = rows.first().map(RecordBatch::schema) else { return Ok(()) };
        let all = concat_batches(&schema, &rows)?;
        let fields = schema.fields().iter().map(|f| SortField::new(f.data_type().clone())).collect();
        let cells = RowConverter::new(fields)?.convert_columns(all.columns())?;
        let mut order: Vec<(usize, Place)> = tie.iter().copied().enumerate().collect();
        order.sort_by(|(a, _), (b, _)| cells.row(*a).cmp(&cells.row(*b)));
        tie.iter_mut().zip(order).for_each(|(slot, (_, place))| *slot = place);
        Ok(())
    }

    /// The rows of these places as one batch.
    fn gather(&self, part: &[Place]) -> Result<RecordBatch, ArrowError> {
        let mut numbers: Vec<u32> =
            part.chunk_by(|a, b| a.batch == b.batch).filter_map(|run| Some(run.first()?.batch)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        if let [one] = numbers.as_slice()
            && let Some(held) = self.held(*one)
        {
            let rows = UInt32Array::from_iter_values(part.iter().map(|p| p.row));
            return take_record_batch(&held.batch, &rows);
        }
        let batches: Vec<&RecordBatch> = numbers.iter().filter_map(|n| self.held(*n)).map(|held| &held.batch).collect();
        let place = |p: &Place| (numbers.iter().position(|n| *n == p.batch).unwrap_or_default(), p.row as usize);
        let indices: Vec<(usize, usize)> = part.iter().map(place).collect();
        interleave_record_batch(&batches, &indices)
    }
}

/// Those that are due, in row order. What is moved while they are sorted is `due`, which nearly always tells, and where the place
/// stands.
fn sorted(places: &[Place], floor: i64) -> Vec<Place> {
    let mut order: Vec<(i64, u32)> = Vec::with_capacity(places.len());
    order.extend(places.iter().map(|p| p.due).zip(0..).filter(|(due, _)| *due <= floor));
    let at = |i: u32| places.get(i as usize);
    order.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| at(a.1).cmp(&at(b.1))));
    let mut sorted = Vec::with_capacity(order.len());
    sorted.extend(order.into_iter().filter_map(|(_, i)| at(i).copied()));
    sorted
}

/// The places of a batch's rows, read from its own columns.
fn places(batch: &RecordBatch, number: u32) -> Vec<Place> {
    fn column<'a, T: arrow::array::ArrowPrimitiveType>(
        batch: &'a RecordBatch,
        name: &str,
    ) -> Option<&'a PrimitiveArray<T>> {
        batch.column_by_name(name)?.as_primitive_opt::<T>()
    }
    let due = column::<TimestampMicrosecondType>(batch, "due");
    let ts = column::<TimestampMicrosecondType>(batch, "ts");
    let (frame, n) = (column::<UInt64Type>(batch, "frame"), column::<UInt32Type>(batch, "n"));
    let capture = batch.column_by_name("capture").and_then(|c| c.as_dictionary_opt::<Int32Type>());
    let (Some(due), Some(ts), Some(frame), Some(n), Some(capture)) = (due, ts, frame, n, capture) else {
        return Vec::new();
    };
    let inputs = inputs(capture);
    let keys = capture.keys();
    (0..batch.num_rows())
        .map(|row| Place {
            due: due.value(row),
            ts: ts.value(row),
            input: usize::try_from(keys.value(row)).ok().and_then(|k| inputs.get(k).copied()).unwrap_or_default(),
            frame: frame.value(row),
            n: n.value(row),
            batch: number,
            row: u32::try_from(row).unwrap_or(u32::MAX),
        })
        .collect()
}

/// The ordinal behind each name `epoch-NNNNN` of the dictionary.
fn inputs(capture: &DictionaryArray<Int32Type>) -> Vec<u16> {
    let names: Option<&StringArray> = capture.values().as_string_opt::<i32>();
    let ordinal = |name: Option<&str>| {
        name.and_then(|n| n.rsplit_once('-')).and_then(|(_, n)| n.parse().ok()).unwrap_or_default()
    };
    names.into_iter().flat_map(|n| n.iter().map(ordinal)).collect()
}

#[cfg(test)]
mod tests {
    use lidr_schema::{Key, dynamic};

    use super::*;

    fn batch(names: &[&str]) -> RecordBatch {
        let row = |name: &&str| {
            serde_json::from_value(serde_json::json!({ "due": 5, "ts": 5, "frame": 1, "qname": name })).unwrap()
        };
        let rows: Vec<_> = names.iter().map(row).collect();
        dynamic::from_json(TableId::Dns.def(), &rows, &Key::from_hex(&"00".repeat(32)).unwrap()).unwrap()
    }

    #[test]
    fn rows_at_one_place_leave_in_one_order_whoever_is_first() {
        let orders = [[["b"], ["a"], ["c"]], [["c"], ["b"], ["a"]]].map(|batches| {
            let mut pending = Pending::default();
            batches.iter().for_each(|names| assert_eq!(pending.add(batch(names)), 5));
            let out = pending.release(5).unwrap();
            concat_batches(&out[0].schema(), &out).unwrap()
        });
        assert_eq!(orders[0], orders[1]);
        assert_eq!(orders[0].num_rows(), 3);
    }
}
