//! A plan that is made once and run on many windows gives what a fresh query on a fresh table gives: the twelve shapes that rules
//! are made of. Without resetting the plan's state five of them give rows of earlier windows.
use std::{collections::HashMap, sync::Arc};

use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::{
    datasource::MemTable,
    prelude::{SessionConfig, SessionContext},
};
use serde_json::json;

use super::*;
use crate::{
    leaf::Slots,
    plan::{Planner, event_schema},
    rows::Rows,
    udf::{self, Edges},
};

const SHAPES: [(&str, &str); 15] = [
    (
        "filter, group, having",
        "SELECT actor, ne, count(*) AS n FROM tasking WHERE op = 'list' GROUP BY actor, ne HAVING count(*) >= 2",
    ),
    ("count distinct", "SELECT actor, count(DISTINCT ne) AS n FROM tasking GROUP BY actor"),
    ("filter rows", "SELECT rowid, actor, op FROM tasking WHERE op LIKE '%e' AND dest_port > 1000"),
    ("max", "SELECT max(due) AS at, max(varbinds) AS v FROM tasking"),
    ("count all", "SELECT count(*) AS n FROM tasking"),
    ("lag", "SELECT rowid, due - lag(due) OVER (PARTITION BY actor ORDER BY due, rowid) AS gap FROM tasking"),
    (
        "date_bin",
        "SELECT date_bin(INTERVAL '10 seconds', due) AS bin, count(*) AS n, array_agg(rowid) AS rowids FROM tasking GROUP BY bin",
    ),
    ("top-k", "SELECT rowid, varbinds FROM tasking ORDER BY varbinds DESC, rowid LIMIT 5"),
    ("join", "SELECT t.rowid, e.name FROM tasking t JOIN elements e ON e.address = t.ne WHERE e.role = 'mdf'"),
    (
        "self join",
        "SELECT a.rowid, b.rowid AS rowid_b FROM tasking a JOIN tasking b ON a.actor = b.actor AND a.op = 'create' AND b.op = 'delete' AND b.due > a.due",
    ),
    (
        "subqueries in subqueries",
        "SELECT rowid FROM tasking t WHERE EXISTS (SELECT 1 FROM elements e WHERE e.address = t.ne AND NOT EXISTS \
         (SELECT 1 FROM allow a WHERE e.address >= a.first AND e.address <= a.last)) \
         AND t.varbinds IN (SELECT varbinds FROM tasking b WHERE b.actor = t.actor AND b.due >= (SELECT min(due) FROM tasking c WHERE c.actor = b.actor))",
    ),
    ("scalar subquery", "SELECT rowid FROM tasking WHERE varbinds > (SELECT avg(varbinds) FROM tasking)"),
    (
        "not exists",
        "SELECT rowid FROM tasking t WHERE NOT EXISTS (SELECT 1 FROM allow a WHERE t.actor >= a.first AND t.actor <= a.last)",
    ),
    (
        "window's edges in a join",
        "SELECT a.rowid FROM tasking a JOIN tasking b ON a.ne = b.ne AND b.due >= $start WHERE a.due < $end - INTERVAL '5 seconds' AND a.rowid <> b.rowid",
    ),
    (
        "edges in a group",
        "SELECT actor, $start AS began, count(*) FILTER (WHERE due >= $start) AS n FROM tasking GROUP BY actor ORDER BY actor",
    ),
];

/// A window's rows: none, few or many, from a seed.
fn rows_of(seed: i64) -> Vec<Map<String, Value>> {
    let many = [0, 3, 40, 200][(seed % 4) as usize];
    let draw = |i: i64, n: i64| (seed * 7919 + i * 104_729 + (i * i) % 977) % n;
    (0..many)
        .map(|i| {
            let op = ["create", "delete", "list", "list"][draw(i, 4) as usize];
            let (actor, ne) = (format!("10.0.0.{}", draw(i, 7)), format!("10.9.0.{}", draw(i + 3, 5)));
            tasking(
                seed * 60 + draw(i, 60),
                i as u64 + 1,
                &json!({ "op": op, "actor": actor, "ne": ne, "dest_port": draw(i, 3000), "varbinds": draw(i, 50) }),
            )
        })
        .collect()
}

fn text(batches: &[RecordBatch]) -> Vec<String> {
    let mut out = lines(batches);
    out.sort();
    out
}

/// Every row, in order.
pub(super) fn lines(batches: &[RecordBatch]) -> Vec<String> {
    let options = FormatOptions::default().with_null("null");
    let mut out = Vec::new();
    for batch in batches {
        let columns: Vec<_> =
            batch.columns().iter().map(|c| ArrayFormatter::try_new(c.as_ref(), &options).unwrap()).collect();
        out.extend(
            (0..batch.num_rows())
                .map(|row| columns.iter().map(|c| c.value(row).to_string()).collect::<Vec<_>>().join("|")),
        );
    }
    out
}

/// The same query, planned anew on tables that hold the rows themselves.
pub(super) fn fresh(
    site: &Site,
    tables: &[&str],
    rows: &[RecordBatch],
    sql: &str,
    edges: (i64, i64),
) -> Vec<RecordBatch> {
    let mut config = SessionConfig::new().with_target_partitions(1);
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    let context = SessionContext::new_with_config(config);
    let now = Arc::new(Edges::default());
    now.set(edges.0, edges.1);
    udf::register(&context, &std::sync::Arc::new(udf::ZonesNow::new(site.zones())), site.key(), &now);
    let table = |batches: Vec<RecordBatch>, schema| Arc::new(MemTable::try_new(schema, vec![batches]).unwrap());
    context.register_table("tasking", table(rows.to_vec(), event_schema(TableId::Tasking))).unwrap();
    for name in tables {
        let held = site.table(name).unwrap();
        context.register_table(*name, table(vec![held.clone()], held.schema())).unwrap();
    }
    let sql = sql.replace("$start", "window_start()").replace("$end", "window_end()");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { context.sql(&sql).await.unwrap().collect().await.unwrap() })
}

#[test]
fn plans_made_once_give_what_fresh_queries_give() {
    let site = site(json!({
        "elements": [{ "name": "mdf1", "role": "mdf", "address": "10.9.0.1" }, { "name": "ne2", "role": "poi", "address": "10.9.0.2" }],
        "allow": [{ "kind": "nms", "address": "10.0.0.0/30" }],
    }));
    let planner = Planner::new(&site).unwrap();
    for (name, sql) in SHAPES {
        let mut plan = planner.sql(sql, &BTreeMap::new()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut some = 0;
        for seed in [1, 2, 0, 3, 2, 4, 7, 1, 6, 3, 5, 2] {
            let edges = (seed * MINUTE, (seed + 1) * MINUTE);
            let mut held = Rows::default();
            let given = rows_of(seed);
            if !given.is_empty() {
                held.push(TableId::Tasking, batch(TableId::Tasking, &given), None);
            }
            held.arrivals(i64::MIN, |_| true).unwrap();
            held.settle(i64::MAX).unwrap();
            let rows = held.window(TableId::Tasking, edges.0, edges.1).unwrap();
            let mut slots = HashMap::from([("tasking".to_owned(), rows.clone())]);
            for table in ["elements", "allow"] {
                slots.insert(table.into(), vec![site.table(table).unwrap().clone()]);
            }
            let cached = text(&planner.run(&mut plan, Slots::new(slots, Arc::default()), edges).unwrap());
            some += cached.len();
            let fresh = text(&fresh(&site, &["elements", "allow"], &rows, sql, edges));
            assert_eq!(cached, fresh, "{name}, window {seed}");
        }
        assert!(some > 0, "{name} never gave a row, so nothing was compared");
    }
}

#[test]
fn rules_that_ask_the_clock_or_misspell_do_not_plan() {
    let planner = Planner::new(&Site::default()).unwrap();
    let said = |sql: &str| planner.sql(sql, &BTreeMap::new()).unwrap_err();
    for clock in ["now()", "current_date()", "random()", "current_timestamp"] {
        assert!(!said(&format!("SELECT {clock} AS at FROM tasking")).is_empty(), "{clock}");
    }
    assert!(said("SELECT actr FROM tasking").contains("actor"), "{}", said("SELECT actr FROM tasking"));
    assert!(said("SELECT $n FROM tasking").contains("`$n` is neither"));
    assert!(said("DROP TABLE tasking").contains("DDL"), "{}", said("DROP TABLE tasking"));
}

#[test]
fn an_address_meets_the_pseudonym_that_rows_and_register_hold() {
    let sql = "SELECT pseudonym_of_ip(ip('::ffff:192.0.2.7')) = target, pseudonym_of_ip(src_ip) = target FROM tasking";
    let rows = [tasking(1, 1, &json!({ "target": "ip:192.0.2.7" }))];
    let run = |site: &Site| {
        let planner = Planner::new(site).unwrap();
        let mut held = Rows::default();
        held.push(TableId::Tasking, batch(TableId::Tasking, &rows), None);
        held.arrivals(i64::MIN, |_| true).unwrap();
        held.settle(i64::MAX).unwrap();
        let slots = HashMap::from([("tasking".to_owned(), held.window(TableId::Tasking, 0, i64::MAX).unwrap())]);
        text(
            &planner
                .run(&mut planner.sql(sql, &BTreeMap::new()).unwrap(), Slots::new(slots, Arc::default()), (0, 0))
                .unwrap(),
        )
    };
    assert_eq!(run(&site(json!({}))), ["true|false"]);
    assert_eq!(run(&Site::default()), ["null|null"], "without a key no address has a pseudonym");
}

#[test]
fn tunables_are_literals_and_quoted_text_is_left_alone() {
    let planner = Planner::new(&Site::default()).unwrap();
    let tunables = BTreeMap::from([
        ("n".to_owned(), json!(2)),
        ("ports".to_owned(), json!([22, 23])),
        ("w".to_owned(), json!("it's")),
    ]);
    let sql = "SELECT '$n' AS a, $n AS b, $w AS c, regexp_like('x', 'x$') AS d -- $nothing\n FROM tasking WHERE dest_port IN $ports AND '--' <> '-'";
    let mut plan = planner.sql(sql, &tunables).unwrap();
    let rows = Rows::default();
    assert!(rows.window(TableId::Tasking, 0, 1).unwrap().is_empty());
    let mut held = Rows::default();
    held.push(TableId::Tasking, batch(TableId::Tasking, &[tasking(1, 1, &json!({ "dest_port": 23 }))]), None);
    held.arrivals(i64::MIN, |_| true).unwrap();
    held.settle(i64::MAX).unwrap();
    let slots = HashMap::from([("tasking".to_owned(), held.window(TableId::Tasking, 0, i64::MAX).unwrap())]);
    assert_eq!(text(&planner.run(&mut plan, Slots::new(slots, Arc::default()), (0, 0)).unwrap()), ["$n|2|it's|true"]);
}
