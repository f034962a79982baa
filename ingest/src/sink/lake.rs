//! Rows as Parquet, for months of them (contracts: lake).
//!
//! `DIR/<table>/day=YYYY-MM-DD/sensor=<name>/<epoch>-<partition>-<first row>.parquet`, the day being that of `due`; zstd, rows in
//! row order, statistics and bloom filters on what is looked up. A file appears under its name only when it is whole. A run
//! replaces what the same run (sensor, epoch) wrote before, so that writing twice never doubles rows: at its end, and only then,
//! so that a run that fails leaves the earlier one's files as they were. Where there are none, files appear day by day.
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use arrow::{
    array::{AsArray, RecordBatch},
    datatypes::{DataType, TimestampMicrosecondType},
};
use lidr_schema::{SCHEMA_VERSION, TableId};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::{metadata::KeyValue, properties::WriterProperties},
    schema::types::ColumnPath,
};

use super::{Sink, SinkError};

const DAY: i64 = 86_400_000_000;
/// Rows of a row group.
const ROW_GROUP: usize = 1_000_000;

/// Whose rows they are.
#[derive(Clone, Debug)]
pub struct LakeOptions {
    /// The sensor's name.
    pub sensor: String,
    /// Name of the run.
    pub epoch: String,
    /// Public name of the pseudonym key.
    pub key_id: String,
}

impl LakeOptions {
    /// For a sensor's run.
    #[must_use]
    pub fn new(sensor: &str, epoch: &str, key_id: &str) -> Self {
        Self { sensor: sensor.to_owned(), epoch: epoch.to_owned(), key_id: key_id.to_owned() }
    }
}

#[derive(Debug)]
struct Open {
    day: i64,
    writer: ArrowWriter<File>,
    temporary: PathBuf,
    path: PathBuf,
}

/// Writes a lake. One file a table is open: rows come in order of `due`, so yesterday is over when today begins.
#[derive(Debug)]
pub struct LakeSink {
    dir: PathBuf,
    options: LakeOptions,
    open: BTreeMap<TableId, Open>,
    rows: BTreeMap<TableId, u64>,
    /// What the same run wrote before.
    before: Vec<PathBuf>,
    /// Whole files that take their names once all are whole.
    whole: Vec<(PathBuf, PathBuf)>,
}

impl LakeSink {
    /// Makes the folder, finds what this run wrote into it before, and removes what it left unfinished.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn create(dir: &Path, options: LakeOptions) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let mut sink = Self {
            dir: dir.to_owned(),
            options,
            open: BTreeMap::new(),
            rows: BTreeMap::new(),
            before: Vec::new(),
            whole: Vec::new(),
        };
        sink.find_own(dir)?;
        Ok(sink)
    }

    fn find_own(&mut self, dir: &Path) -> io::Result<()> {
        let (folder, name) = (format!("sensor={}", self.options.sensor), format!("{}-", self.options.epoch));
        for entry in fs::read_dir(dir)?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                self.find_own(&path)?;
                continue;
            }
            if !path.parent().is_some_and(|p| p.ends_with(&folder)) {
                continue;
            }
            let file = entry.file_name();
            let file = file.to_string_lossy();
            if file.starts_with(&name) {
                self.before.push(path);
            } else if file.strip_prefix('.').is_some_and(|f| f.starts_with(&name)) && file.ends_with(".tmp") {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, table: TableId, batch: &RecordBatch) -> io::Result<()> {
        let due = batch.column_by_name("due").and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
        let Some(due) = due else { return Err(io::Error::other("rows without `due`")) };
        // Sorted by `due`: each day is one stretch of the batch.
        let mut from = 0;
        while from < batch.num_rows() {
            let day = due.value(from).div_euclid(DAY);
            let length = due.values().iter().skip(from).take_while(|d| d.div_euclid(DAY) == day).count();
            self.stretch(table, day, &batch.slice(from, length))?;
            from += length;
        }
        Ok(())
    }

    fn stretch(&mut self, table: TableId, day: i64, rows: &RecordBatch) -> io::Result<()> {
        if self.open.get(&table).is_some_and(|o| o.day != day) {
            self.finish(table)?;
        }
        let first = self.rows.get(&table).copied().unwrap_or_default();
        *self.rows.entry(table).or_default() += rows.num_rows() as u64;
        if !self.open.contains_key(&table) {
            let open = self.begin(table, day, first)?;
            self.open.insert(table, open);
        }
        match self.open.get_mut(&table) {
            Some(open) => open.writer.write(rows).map_err(io::Error::other),
            None => Ok(()),
        }
    }

    fn begin(&self, table: TableId, day: i64, first: u64) -> io::Result<Open> {
        let folder = self
            .dir
            .join(table.name())
            .join(format!("day={}", date(day)))
            .join(format!("sensor={}", self.options.sensor));
        fs::create_dir_all(&folder)?;
        let name = format!("{}-0-{first:012}.parquet", self.options.epoch);
        let temporary = folder.join(format!(".{name}.tmp"));
        let writer =
            ArrowWriter::try_new(File::create(&temporary)?, table.def().schema(), Some(self.properties(table)));
        Ok(Open { day, writer: writer.map_err(io::Error::other)?, temporary, path: folder.join(name) })
    }

    fn properties(&self, table: TableId) -> WriterProperties {
        let metadata = [
            ("lidr.schema", format!("{}.{}", SCHEMA_VERSION.0, SCHEMA_VERSION.1)),
            ("lidr.key_id", self.options.key_id.clone()),
            ("lidr.sensor", self.options.sensor.clone()),
            ("lidr.epoch", self.options.epoch.clone()),
        ];
        let metadata = metadata.map(|(k, v)| KeyValue::new(k.to_owned(), v)).to_vec();
        let mut builder = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP))
            .set_key_value_metadata(Some(metadata));
        for column in &table.def().columns {
            if matches!(column.data_type, DataType::FixedSizeBinary(_) | DataType::Dictionary(..)) {
                builder = builder.set_column_bloom_filter_enabled(ColumnPath::from(column.name), true);
            }
        }
        builder.build()
    }

    /// Closes a table's file: written, synced, renamed unless an earlier run's files are still to stand.
    fn finish(&mut self, table: TableId) -> io::Result<()> {
        let Some(open) = self.open.remove(&table) else { return Ok(()) };
        // In this list until it has its name: what is left in it goes with the sink.
        self.whole.push((open.temporary, open.path));
        open.writer.into_inner().map_err(io::Error::other)?.sync_all()?;
        match self.whole.pop() {
            Some((temporary, path)) if self.before.is_empty() => fs::rename(temporary, path),
            waits => {
                self.whole.extend(waits);
                Ok(())
            }
        }
    }

    fn finish_all(&mut self) -> io::Result<()> {
        let tables: Vec<TableId> = self.open.keys().copied().collect();
        tables.into_iter().try_for_each(|t| self.finish(t))
    }

    /// Everything is written: the new files take their names, and what is left of the earlier ones goes.
    fn replace(&mut self) -> io::Result<()> {
        for (temporary, path) in self.whole.drain(..) {
            fs::rename(temporary, &path)?;
            self.before.retain(|old| *old != path);
        }
        self.before.drain(..).try_for_each(fs::remove_file)
    }
}

impl Drop for LakeSink {
    /// Nothing half-written stays, for instance where the disk was full.
    fn drop(&mut self) {
        let open = self.open.values().map(|open| &open.temporary);
        for temporary in open.chain(self.whole.iter().map(|(temporary, _)| temporary)) {
            drop(fs::remove_file(temporary));
        }
    }
}

impl Sink for LakeSink {
    fn rows(&mut self, table: TableId, batch: RecordBatch) -> Result<(), SinkError> {
        self.write(table, &batch).map_err(|e| SinkError(format!("lake {}: {e}", self.dir.display())))
    }

    fn floor(&mut self, _: i64) -> Result<(), SinkError> {
        Ok(())
    }

    fn end(&mut self, clock: i64) -> Result<(), SinkError> {
        // Every table has its last file open still; all of them say when the input ended.
        for open in self.open.values_mut() {
            open.writer.append_key_value_metadata(KeyValue::new("lidr.clock".to_owned(), clock.to_string()));
        }
        let done = self.finish_all().and_then(|()| self.replace());
        done.map_err(|e| SinkError(format!("lake {}: {e}", self.dir.display())))
    }

    /// What was written is whole; files of an earlier run stay where it is not everything.
    fn broke(&mut self) -> Result<(), SinkError> {
        self.finish_all().map_err(|e| SinkError(format!("lake {}: {e}", self.dir.display())))
    }
}

/// `YYYY-MM-DD` of a day since the epoch (the civil calendar; Howard Hinnant's `civil_from_days`).
fn date(day: i64) -> String {
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use lidr_schema::{Key, dynamic};

    use super::*;

    fn batch(dues: &[i64]) -> RecordBatch {
        let rows: Vec<_> =
            dues.iter().map(|d| serde_json::from_value(serde_json::json!({ "due": d, "ts": d })).unwrap()).collect();
        dynamic::from_json(TableId::Dns.def(), &rows, &Key::from_hex(&"00".repeat(32)).unwrap()).unwrap()
    }

    fn files(dir: &Path) -> Vec<String> {
        let mut out = Vec::new();
        let mut folders = vec![dir.to_owned()];
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
                match path.is_dir() {
                    true => folders.push(path),
                    false => out.push(path.strip_prefix(dir).unwrap().display().to_string()),
                }
            }
        }
        out.sort();
        out
    }

    #[test]
    fn days_are_folders_and_a_second_run_replaces_the_first() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let mut sink = LakeSink::create(dir.path(), LakeOptions::new("tap1", "e", "k")).unwrap();
            sink.rows(TableId::Dns, batch(&[1, DAY - 1, DAY, DAY + 5])).unwrap();
            sink.rows(TableId::Dns, batch(&[DAY + 6])).unwrap();
            sink.end(DAY + 7).unwrap();
            let expected = [
                "dns/day=1970-01-01/sensor=tap1/e-0-000000000000.parquet",
                "dns/day=1970-01-02/sensor=tap1/e-0-000000000002.parquet",
            ];
            assert_eq!(files(dir.path()), expected);
        }
    }

    #[test]
    fn a_run_that_fails_leaves_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let begin = || LakeSink::create(dir.path(), LakeOptions::new("tap1", "e", "k")).unwrap();
        let mut first = begin();
        first.rows(TableId::Dns, batch(&[1, DAY, 2 * DAY])).unwrap();
        assert_eq!(
            files(dir.path()).iter().filter(|f| f.ends_with(".parquet")).count(),
            2,
            "a day that is over is there"
        );
        first.end(2 * DAY).unwrap();
        let good = files(dir.path());
        let sizes = || good.iter().map(|f| fs::metadata(dir.path().join(f)).unwrap().len()).collect::<Vec<_>>();
        let before = sizes();
        let mut second = begin();
        second.rows(TableId::Dns, batch(&[1, 2, 3, DAY])).unwrap();
        drop(second);
        assert_eq!((files(dir.path()).iter().filter(|f| f.ends_with(".parquet")).count(), sizes()), (3, before));
        let mut third = begin();
        assert_eq!(files(dir.path()), good, "nothing unfinished stays");
        third.rows(TableId::Dns, batch(&[1])).unwrap();
        third.end(2).unwrap();
        assert_eq!(files(dir.path()), good[..1], "days that the new run has not are gone");
    }

    #[test]
    fn dates() {
        assert_eq!(
            [date(0), date(20_781), date(-1), date(11_016)],
            ["1970-01-01", "2026-11-24", "1969-12-31", "2000-02-29"]
        );
    }
}
