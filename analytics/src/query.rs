//! Questions of a hunter over a lake: SQL that may only read.
//!
//! Every event table is there with the columns of this version, null where a file is older; a table without rows is empty. Site
//! tables are there where the site has them, identifiers in them hashed as those of rows are, so that both can be joined; one that
//! the site has not is unknown to a query, for an empty register would answer that no tap has an order.
use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    datatypes::{DataType, Schema},
    util::display::array_value_to_string,
};
use datafusion::{
    datasource::MemTable,
    error::DataFusionError,
    execution::context::SessionContext,
    prelude::{ParquetReadOptions, SessionConfig},
};
use lidr_rules::site::SITE_TABLES;
use lidr_schema::{Key, TableId, hex, table::ALL};
use serde_json::{Map, Value};

use crate::{
    Site,
    feed::FeedError,
    judge::is_pseudonym,
    lake::Lake,
    leaf::Leaf,
    udf::{self, Edges, ZonesNow, ip_at},
};

/// What a query gave.
#[derive(Debug)]
pub struct Answer {
    names: Vec<String>,
    batches: Vec<RecordBatch>,
}

/// Asks a lake.
///
/// # Errors
/// If the query does not plan or run; it may only read.
pub fn ask(lake: &Lake, site: &Site, text: &str) -> Result<Answer, FeedError> {
    let edges = Arc::new(Edges::default());
    run(lake, &context(site, None, &edges, false)?, &[("answer", text.to_owned())])
}

/// A catalogue of the site's tables, those that the site has not as empty ones where `all` is told; with a key, addresses can be
/// compared with targets.
pub(crate) fn context(
    site: &Site,
    key: Option<&Key>,
    edges: &Arc<Edges>,
    all: bool,
) -> Result<SessionContext, FeedError> {
    // Steps of a report are many and small: planning them for several cores costs more than it brings.
    let mut config = if all { SessionConfig::new().with_target_partitions(1) } else { SessionConfig::new() };
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    config.options_mut().execution.parquet.schema_force_view_types = false;
    let context = SessionContext::new_with_config(config);
    udf::register(&context, &Arc::new(ZonesNow::new(site.zones())), key, edges);
    for table in SITE_TABLES.iter().flat_map(|t| t.sql()).filter(|t| all || site.has(&t.name)) {
        let empty = RecordBatch::new_empty(crate::site::schema_of(&table));
        let rows = site.table(&table.name).cloned().unwrap_or(empty);
        context.register_batch(&table.name, rows).map(drop).map_err(|e| wrong(&e))?;
    }
    Ok(context)
}

/// Runs queries over the rows of a lake and the tables of that catalogue, each of which may read what those before it gave under
/// their names; gives what the last one gave.
pub(crate) fn run(lake: &Lake, context: &SessionContext, steps: &[(&str, String)]) -> Result<Answer, FeedError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().map_err(|e| FeedError::Source(e.to_string()))?;
    runtime.block_on(async {
        for table in ALL {
            events(context, lake, *table).await?;
        }
        let mut answer = Answer { names: Vec::new(), batches: Vec::new() };
        for (i, (name, text)) in steps.iter().enumerate() {
            let at = |e: &DataFusionError| {
                if steps.len() > 1 { FeedError::Source(format!("{name}: {}", e.strip_backtrace())) } else { wrong(e) }
            };
            let frame = context.sql_with_options(text, crate::plan::read_only()).await.map_err(|e| at(&e))?;
            let schema = Arc::new(frame.schema().as_arrow().clone());
            answer.names = schema.fields().iter().map(|f| f.name().clone()).collect();
            answer.batches = frame.collect().await.map_err(|e| at(&e))?;
            if i + 1 < steps.len() {
                // What a plan gives may be less null than it said.
                let rows =
                    answer.batches.iter().map(|b| RecordBatch::try_new(Arc::clone(&schema), b.columns().to_vec()));
                let rows =
                    rows.collect::<Result<Vec<_>, _>>().map_err(|e| FeedError::Source(format!("{name}: {e}")))?;
                let table = MemTable::try_new(schema, vec![rows]).map_err(|e| at(&e))?;
                context.register_table(*name, Arc::new(table)).map(drop).map_err(|e| at(&e))?;
            }
        }
        Ok(answer)
    })
}

async fn events(context: &SessionContext, lake: &Lake, table: TableId) -> Result<(), FeedError> {
    // A file of an older version lacks columns, which read as null whatever they are in rows that are written now.
    let fields =
        table.def().schema().fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect::<Vec<_>>();
    let schema = Arc::new(Schema::new(fields));
    let Some(folder) = lake.folder(table) else {
        return context
            .register_table(table.name(), Arc::new(Leaf::new(table.name(), schema)))
            .map(drop)
            .map_err(|e| wrong(&e));
    };
    let options = ParquetReadOptions::default().schema(&schema);
    context.register_parquet(table.name(), folder.display().to_string(), options).await.map_err(|e| wrong(&e))
}

fn wrong(error: &DataFusionError) -> FeedError {
    FeedError::Source(error.strip_backtrace())
}

impl Answer {
    /// As a table of text; addresses and pseudonyms as findings write them.
    ///
    /// # Errors
    /// If a column has no text.
    pub fn table(&self) -> Result<String, FeedError> {
        let mut rows: Vec<Vec<String>> = vec![self.names.clone()];
        for (batch, row) in self.rows() {
            let cells = self.names.iter().zip(batch.columns()).map(|(name, column)| text(name, column, row));
            rows.push(cells.map(|cell| cell.map(Option::unwrap_or_default)).collect::<Result<_, _>>()?);
        }
        let width = |column: usize| {
            rows.iter().filter_map(|r| r.get(column)).map(|c| c.chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..self.names.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
        };
        Ok(rows.iter().map(line).collect())
    }

    /// One JSON object a line.
    ///
    /// # Errors
    /// If a column has no text.
    pub fn lines(&self) -> Result<String, FeedError> {
        let mut out = String::new();
        for (batch, row) in self.rows() {
            let cells = self.names.iter().zip(batch.columns());
            let cells = cells.map(|(name, column)| Ok((name.clone(), value(name, column, row)?)));
            out.push_str(&Value::Object(cells.collect::<Result<Map<_, _>, FeedError>>()?).to_string());
            out.push('\n');
        }
        Ok(out)
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = (&RecordBatch, usize)> {
        self.batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)))
    }
}

/// A cell as text, if it is not null.
pub(crate) fn text(name: &str, column: &ArrayRef, row: usize) -> Result<Option<String>, FeedError> {
    if column.is_null(row) {
        return Ok(None);
    }
    if let Some(sixteen) = column.as_fixed_size_binary_opt().and_then(|c| ip_at(c, row)) {
        return Ok(Some(if is_pseudonym(name) { hex::encode(&sixteen.octets()) } else { sixteen.to_string() }));
    }
    array_value_to_string(column, row).map(Some).map_err(|e| FeedError::Source(format!("column `{name}`: {e}")))
}

/// A cell as JSON: numbers and truth as such, everything else as text.
pub(crate) fn value(name: &str, column: &ArrayRef, row: usize) -> Result<Value, FeedError> {
    let Some(text) = text(name, column, row)? else { return Ok(Value::Null) };
    let plain = column.data_type().is_numeric() || *column.data_type() == DataType::Boolean;
    let value = serde_json::from_str(&text).ok().filter(|_| plain);
    Ok(value.unwrap_or(Value::String(text)))
}

#[cfg(test)]
mod tests {
    use std::{fs::File, path::Path};

    use lidr_schema::SCHEMA_VERSION;
    use parquet::{
        arrow::ArrowWriter,
        file::{metadata::KeyValue, properties::WriterProperties},
    };

    use serde_json::json;

    use super::*;
    use crate::{
        place::Place,
        tests::{batch, key, site, tasking},
    };

    /// A lake with one file of tasking, written by somebody with that key and version; `without` columns are left out.
    fn lake(dir: &Path, key: &Key, major: u16, without: &[&str]) {
        let rows = batch(
            TableId::Tasking,
            &[tasking(1, 1, &json!({ "op": "list" })), tasking(2, 2, &json!({ "op": "create", "task": "xid:a" }))],
        );
        let kept: Vec<usize> =
            (0..rows.num_columns()).filter(|i| !without.contains(&rows.schema().field(*i).name().as_str())).collect();
        let rows = rows.project(&kept).unwrap();
        let folder = dir.join("tasking/day=1970-01-01/sensor=s");
        std::fs::create_dir_all(&folder).unwrap();
        let metadata = [("lidr.key_id", key.id().to_owned()), ("lidr.schema", format!("{major}.0"))];
        let metadata = metadata.map(|(k, v)| KeyValue::new(k.to_owned(), v)).to_vec();
        let properties = WriterProperties::builder().set_key_value_metadata(Some(metadata)).build();
        let file = File::create(folder.join("e-0-0.parquet")).unwrap();
        let mut writer = ArrowWriter::try_new(file, rows.schema(), Some(properties)).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
    }

    fn asked(dir: &Path, site: &Site, text: &str) -> Result<Answer, FeedError> {
        ask(&Lake::open(dir, key().id())?, site, text)
    }

    #[test]
    fn answers_as_a_table_and_as_lines() {
        let dir = tempfile::tempdir().unwrap();
        lake(dir.path(), &key(), SCHEMA_VERSION.0, &[]);
        let answer =
            asked(dir.path(), &Site::default(), "SELECT actor, op, frame, task FROM tasking ORDER BY frame").unwrap();
        let lines = answer.lines().unwrap();
        let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        assert_eq!(
            (&first["actor"], &first["frame"], &first["task"]),
            (&json!("10.0.0.1"), &json!(1), &Value::Null),
            "{lines}"
        );
        let task = hex::encode(&key().pseudonym(lidr_schema::Kind::Xid, "a").octets());
        assert!(lines.lines().nth(1).unwrap().contains(&task), "{lines}");
        let table = answer.table().unwrap();
        assert!(table.starts_with("actor     op      frame  task"), "{table}");
        assert!(table.contains("10.0.0.1  create  2      "), "{table}");
    }

    #[test]
    fn tables_have_one_shape_whether_they_have_rows_or_not() {
        let dir = tempfile::tempdir().unwrap();
        lake(dir.path(), &key(), SCHEMA_VERSION.0, &["approver", "status"]);
        let count = |text: &str| asked(dir.path(), &Site::default(), text).map(|a| a.lines().unwrap());
        assert_eq!(count("SELECT count(*) AS n FROM dns").unwrap(), "{\"n\":0}\n");
        assert_eq!(
            count("SELECT count(*) AS n FROM tasking WHERE approver IS NULL").unwrap(),
            "{\"n\":2}\n",
            "an older file"
        );
        assert!(count("SELECT rowid FROM dns").is_err() && count("SELECT rowid FROM tasking").is_err());
        assert!(count("DROP TABLE tasking").is_err() && count("SELEC").is_err());
    }

    #[test]
    fn site_tables_are_there_where_the_site_has_them() {
        let dir = tempfile::tempdir().unwrap();
        lake(dir.path(), &key(), SCHEMA_VERSION.0, &[]);
        let register = site(json!({ "warrants": [{ "order": "O-1", "xid": "a", "destinations": "D-1;D-2" }] }));
        let join = "SELECT count(*) AS n FROM tasking t JOIN warrants w ON t.task = w.xid JOIN warrants_destinations d ON d.order_id = w.order_id";
        assert_eq!(asked(dir.path(), &register, join).unwrap().lines().unwrap(), "{\"n\":2}\n");
        assert!(asked(dir.path(), &Site::default(), join).unwrap_err().to_string().contains("warrants"));
    }

    #[test]
    fn rows_are_found_by_where_they_came_from() {
        let dir = tempfile::tempdir().unwrap();
        lake(dir.path(), &key(), SCHEMA_VERSION.0, &[]);
        let lake = Lake::open(dir.path(), key().id()).unwrap();
        let all = lake.rows_of(&[Place::Line("x".into(), 1)].into()).unwrap();
        assert!(all.is_empty(), "{all:?}");
        let capture =
            asked(dir.path(), &Site::default(), "SELECT capture FROM tasking LIMIT 1").unwrap().lines().unwrap();
        let capture: Value = serde_json::from_str(&capture).unwrap();
        let capture = capture["capture"].as_str().unwrap().to_owned();
        let (own, other) = (Place::Frame(capture.clone(), 2), Place::Frame("other-00000".into(), 1));
        let found = lake.rows_of(&[own, other].into()).unwrap();
        assert_eq!((found.len(), found[0].table, &found[0].cells["op"]), (1, "tasking", &json!("create")), "{capture}");
        assert!(!found[0].cells.values().any(Value::is_null));
    }

    #[test]
    fn another_key_and_a_newer_version_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        lake(dir.path(), &Key::from_hex(&"08".repeat(32)).unwrap(), SCHEMA_VERSION.0, &[]);
        let said = |dir: &Path| asked(dir, &Site::default(), "SELECT 1").unwrap_err().to_string();
        assert!(said(dir.path()).contains("give --key-file"), "{}", said(dir.path()));
        lake(dir.path(), &key(), SCHEMA_VERSION.0 + 1, &[]);
        assert!(said(dir.path()).contains("update lidr"), "{}", said(dir.path()));
        assert!(said(&dir.path().join("none")).contains("no rows"));
    }
}
