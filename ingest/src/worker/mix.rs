//! A large capture of everything, where it is there: the same rows in the same order whatever the number of workers.
use std::{
    collections::BTreeMap,
    fs::File,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Read},
    path::Path,
};

use arrow::{
    array::{AsArray, RecordBatch},
    datatypes::{TimestampMicrosecondType, UInt32Type, UInt64Type},
    row::{RowConverter, SortField},
};
use lidr_schema::TableId;

use crate::{
    decode::testing::key,
    run::{Config, run},
    sink::{Sink, SinkError},
    source::{Input, Reader},
};

/// By table: rows, a hash of all of them one after the other, the place of the last one.
#[derive(Default)]
struct Hashes {
    tables: BTreeMap<&'static str, (u64, DefaultHasher, [i64; 4])>,
    promised: i64,
}

impl Sink for Hashes {
    fn rows(&mut self, table: TableId, batch: RecordBatch) -> Result<(), SinkError> {
        let fields = batch.schema().fields().iter().map(|f| SortField::new(f.data_type().clone())).collect();
        let cells = RowConverter::new(fields).unwrap().convert_columns(batch.columns()).unwrap();
        let (count, hash, last) = self.tables.entry(table.name()).or_default();
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let (due, ts) = (
            column("due").as_primitive::<TimestampMicrosecondType>(),
            column("ts").as_primitive::<TimestampMicrosecondType>(),
        );
        let (frame, n) = (column("frame").as_primitive::<UInt64Type>(), column("n").as_primitive::<UInt32Type>());
        for (i, row) in cells.iter().enumerate() {
            let place = [due.value(i), ts.value(i), frame.value(i) as i64, i64::from(n.value(i))];
            assert!(place > *last, "{table:?}: {place:?} after {last:?}");
            assert!(due.value(i) > self.promised);
            row.as_ref().hash(hash);
            (*count, *last) = (*count + 1, place);
        }
        Ok(())
    }

    fn floor(&mut self, promise: i64) -> Result<(), SinkError> {
        self.promised = promise;
        Ok(())
    }
}

/// So many octets of it: enough of everything, and done in seconds.
const PART: u64 = 20 << 20;

#[test]
fn a_large_capture_gives_the_same_rows_in_the_same_order() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures/bench/mix-300k.pcap.zst");
    let Ok(file) = File::open(path) else {
        println!("\nskipped: a_large_capture_gives_the_same_rows_in_the_same_order: the large capture is not here");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("part.pcap");
    io::copy(&mut zstd::Decoder::new(file).unwrap().take(PART), &mut File::create(&path).unwrap()).unwrap();
    let of = |workers| {
        let reader = Reader::open(&[Input::Path { sensor: None, path: path.clone() }]).unwrap();
        let config = Config { chunk: 2048, ..Config::new("here", workers, key(), "test") };
        let mut sink = Hashes::default();
        let summary = run(reader, &config, &mut sink, &mut |_| {}).unwrap();
        assert!(summary.packets > 30_000, "{}", summary.packets);
        sink.tables.into_iter().map(|(name, (count, hash, _))| (name, count, hash.finish())).collect::<Vec<_>>()
    };
    let one = of(1);
    assert!(one.iter().any(|(name, count, _)| *name == "flow" && *count > 3_000), "{one:?}");
    for workers in [2, 4] {
        assert_eq!(of(workers), one, "{workers} workers");
    }
}
