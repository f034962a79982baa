//! Plans that ask the site only for what the rows speak of give, row by row and in the same order, what a fresh query over whole
//! tables gives: joins of every kind, through unions, groups and further joins, and what must not be narrowed.
use std::{collections::HashMap, sync::Arc};

use super::{
    shapes::{fresh, lines},
    *,
};
use crate::{leaf::Slots, plan::Planner, rows::Rows};

/// Name, query, and what the plan must hold.
const QUERIES: [(&str, &str, &str); 24] = [
    (
        "inner",
        "SELECT t.rowid, w.state, w.seq FROM tasking t JOIN warrants w ON w.xid = t.task",
        "NarrowJoinExec: first=left",
    ),
    (
        "inner, site first",
        "SELECT t.rowid, w.state, w.seq FROM warrants w JOIN tasking t ON w.xid = t.task WHERE w.seq > 3",
        "NarrowJoinExec: first=right",
    ),
    (
        "left",
        "SELECT t.rowid, w.seq FROM tasking t LEFT JOIN warrants w ON w.xid = t.task AND w.seq % 2 = 0",
        "NarrowJoinExec",
    ),
    ("right", "SELECT t.rowid, w.seq FROM warrants w RIGHT JOIN tasking t ON w.xid = t.task", "NarrowJoinExec"),
    (
        "the site's rows are kept",
        "SELECT t.rowid, w.seq FROM warrants w LEFT JOIN tasking t ON w.xid = t.task WHERE w.seq % 97 < 3",
        "",
    ),
    ("full", "SELECT t.rowid, w.seq FROM warrants w FULL JOIN tasking t ON w.xid = t.task", ""),
    (
        "not exists",
        "SELECT t.rowid FROM tasking t WHERE NOT EXISTS (SELECT 1 FROM warrants w WHERE w.xid = t.task AND (w.\"end\" IS NULL OR w.\"end\" >= t.due))",
        "NarrowJoinExec",
    ),
    ("not in, with nulls", "SELECT t.rowid FROM tasking t WHERE t.task NOT IN (SELECT w.xid FROM warrants w)", ""),
    (
        "not in",
        "SELECT t.rowid FROM tasking t WHERE t.task NOT IN (SELECT w.xid FROM warrants w WHERE w.xid IS NOT NULL)",
        "",
    ),
    (
        "exists or",
        "SELECT t.rowid FROM tasking t WHERE t.varbinds > 40 OR EXISTS (SELECT 1 FROM warrants w WHERE w.xid = t.task)",
        "",
    ),
    ("site in rows", "SELECT w.seq FROM warrants w WHERE w.xid IN (SELECT t.task FROM tasking t)", "NarrowJoinExec"),
    (
        "site without rows",
        "SELECT count(*) AS n FROM warrants w WHERE NOT EXISTS (SELECT 1 FROM tasking t WHERE t.task = w.xid)",
        "",
    ),
    (
        "union, join, filter",
        "WITH by AS (SELECT DISTINCT a.order_id FROM warrants_approvers a), \
         orders AS (SELECT w.xid, w.liid, lower(w.state) AS state, a.order_id IS NOT NULL AS signed FROM warrants w LEFT JOIN by a ON a.order_id = w.order_id), \
         named AS (SELECT o.xid AS id, o.state, o.signed FROM orders o WHERE o.xid IS NOT NULL UNION ALL SELECT o.liid AS id, o.state, o.signed FROM orders o WHERE o.liid IS NOT NULL), \
         others AS (SELECT n.id, max(n.state) AS state, count(*) AS n FROM named n GROUP BY n.id) \
         SELECT t.rowid, x.state, x.n FROM tasking t LEFT JOIN others x ON x.id = t.task WHERE NOT EXISTS (SELECT 1 FROM named l WHERE l.id = t.liid AND l.signed)",
        "NarrowJoinExec",
    ),
    (
        "lists keep their order",
        "SELECT t.rowid, x.l FROM tasking t JOIN (SELECT w.xid AS id, string_agg(CAST(w.seq AS VARCHAR), ';') AS l FROM warrants w GROUP BY w.xid) x ON x.id = t.task",
        "NarrowJoinExec",
    ),
    (
        "a window over the site",
        "SELECT t.rowid, s.before FROM tasking t JOIN (SELECT w.xid, lag(w.seq) OVER (ORDER BY w.seq) AS before FROM warrants w) s ON s.xid = t.task",
        "KeptExec",
    ),
    (
        "a computed key",
        "SELECT t.rowid, w.stop FROM tasking t JOIN (SELECT coalesce(o.xid, o.liid) AS id, max(o.seq) AS stop FROM warrants o GROUP BY coalesce(o.xid, o.liid)) w ON w.id = t.task",
        "KeptExec",
    ),
    (
        "a subquery's value",
        "SELECT w.seq FROM warrants w WHERE w.seq < (SELECT max(t.varbinds) FROM tasking t) ORDER BY w.seq",
        "",
    ),
    (
        "the window's edge",
        "SELECT w.state, count(*) AS n, max(t.due) AS at FROM warrants w CROSS JOIN (SELECT max(due) AS due FROM tasking) t WHERE w.start <= $start GROUP BY w.state ORDER BY w.state",
        "",
    ),
    (
        "null meets null",
        "SELECT t.rowid, w.seq FROM tasking t JOIN warrants w ON w.liid IS NOT DISTINCT FROM t.liid WHERE w.seq < 40",
        "",
    ),
    (
        "a number of rows",
        "SELECT t.rowid, x.seq FROM tasking t JOIN (SELECT w.xid, w.seq FROM warrants w ORDER BY w.seq LIMIT 60) x ON x.xid = t.task",
        "",
    ),
    (
        "both sides have rows",
        "SELECT a.rowid, b.seq FROM (SELECT t.rowid, t.ne, w.seq FROM tasking t JOIN warrants w ON w.xid = t.task) a \
         JOIN (SELECT u.ne, v.seq FROM tasking u JOIN warrants v ON v.xid = u.task) b ON a.ne = b.ne AND a.seq = b.seq",
        "NarrowJoinExec",
    ),
    (
        "several keys",
        "SELECT t.rowid, e.name FROM tasking t JOIN elements e ON e.address = t.ne AND e.x1_port = CAST(t.dest_port AS BIGINT)",
        "NarrowJoinExec",
    ),
    (
        "once for a copy",
        "SELECT t.rowid, h.tasks FROM tasking t CROSS JOIN (SELECT count(w.xid) AS tasks FROM warrants w) h WHERE h.tasks > 0",
        "KeptExec",
    ),
    (
        "semi, other way round",
        "SELECT t.rowid FROM tasking t WHERE t.task IN (SELECT w.xid FROM warrants w JOIN warrants_approvers a ON a.order_id = w.order_id WHERE a.value = 'ann')",
        "NarrowJoinExec",
    ),
];

/// A register that is large enough to be narrowed, with several orders for a task, and some without one.
fn register() -> Site {
    let order = |i: usize| {
        let xid = if i % 7 == 3 { String::new() } else { format!("t{}", i % 300) };
        let liid = if i.is_multiple_of(3) { format!("l{}", i % 90) } else { String::new() };
        let (state, approvers) = (["approved", "Expired"][i % 2], ["ann", "bob;ann", ""][i % 3]);
        let end = if i.is_multiple_of(5) { "1970-01-01T00:03:20Z" } else { "" };
        json!({
            "order": format!("W-{i}"), "xid": xid, "liid": liid, "state": state, "seq": i, "approvers": approvers,
            "start": format!("1970-01-01T00:0{}:00Z", i % 9), "end": end,
        })
    };
    let element = |i: usize| json!({ "name": format!("e{i}"), "address": format!("10.9.{}.{}", i / 200, i % 200), "x1_port": i % 3000 });
    site(
        json!({ "warrants": (0..900).map(order).collect::<Vec<_>>(), "elements": (0..600).map(element).collect::<Vec<_>>() }),
    )
}

/// Rows of a window: none, few or many.
fn rows_of(seed: i64) -> Vec<RecordBatch> {
    let many = [0, 3, 40, 200][(seed % 4) as usize];
    let draw = |i: i64, n: i64| (seed * 7919 + i * 104_729 + (i * i) % 977) % n;
    let row = |i: i64| {
        let task = if i % 11 == 5 { Value::Null } else { json!(format!("xid:t{}", draw(i, 400))) };
        let liid = if i % 4 == 1 { json!(format!("liid:l{}", draw(i, 120))) } else { Value::Null };
        let (ne, port) = (draw(i, 300), draw(i, 50));
        let more = json!({
            "op": "create", "task": task, "liid": liid, "ne": format!("10.9.{}.{}", ne / 200, ne % 200), "dest_port": ne + port % 2,
            "varbinds": draw(i, 50),
        });
        tasking(seed * 60 + draw(i, 60), i.unsigned_abs() + 1, &more)
    };
    let given: Vec<_> = (0..many).map(row).collect();
    let mut held = Rows::default();
    if !given.is_empty() {
        held.push(TableId::Tasking, batch(TableId::Tasking, &given), None);
    }
    held.arrivals(i64::MIN, |_| true).unwrap();
    held.settle(i64::MAX).unwrap();
    held.window(TableId::Tasking, i64::MIN, i64::MAX).unwrap()
}

#[test]
fn narrowed_plans_give_what_whole_tables_give() {
    let site = register();
    let tables = ["warrants", "warrants_approvers", "elements"];
    let planner = Planner::new(&site).unwrap();
    for (name, sql, holds) in QUERIES {
        let mut plan = planner.sql(sql, &BTreeMap::new()).unwrap_or_else(|e| panic!("{name}: {e}"));
        planner.ready(&mut plan).unwrap_or_else(|e| panic!("{name}: {e}"));
        let (mut whole, shown) = (planner.whole(sql), plan.shown());
        assert!(shown.contains(holds), "{name}: no {holds} in\n{shown}");
        let mut some = 0;
        for seed in [1, 2, 0, 3, 2, 4, 7, 1] {
            let (edges, rows) = ((seed * MINUTE, (seed + 1) * MINUTE), rows_of(seed));
            let mut slots = HashMap::from([("tasking".to_owned(), rows.clone())]);
            slots.extend(tables.map(|table| (table.to_owned(), vec![site.table(table).unwrap().clone()])));
            let asked = Slots::new(slots.clone(), Arc::clone(site.store()));
            let mut narrowed = lines(&planner.run(&mut plan, asked, edges).unwrap());
            some += narrowed.len();
            let all = lines(&planner.run(&mut whole, Slots::new(slots, Arc::default()), edges).unwrap());
            assert_eq!(narrowed, all, "{name}, window {seed}, in order\n{shown}");
            // Whoever knows how long tables are may join them the other way round.
            narrowed.sort();
            let mut fresh = lines(&fresh(&site, &tables, &rows, sql, edges));
            fresh.sort();
            assert_eq!(narrowed, fresh, "{name}, window {seed}\n{shown}");
        }
        assert!(some > 0 || name == "not in, with nulls", "{name} never gave a row, so nothing was compared");
    }
}

#[test]
fn another_copy_of_the_site_begins_anew() {
    let sql = "SELECT t.rowid AS rowid, h.n, t.actor, t.due AS at FROM tasking t CROSS JOIN (SELECT count(*) AS n FROM warrants w) h WHERE h.n > 1";
    let orders = |n: usize| site(json!({ "warrants": vec![json!({ "order": "W", "xid": "b" }); n] }));
    let mut engine = engine(&[rule("A-1", sql, window(10 * SECOND, 0, 0))], orders(1));
    let found = |engine: &mut Engine, second: i64| {
        let row = tasking(second, second.unsigned_abs(), &json!({}));
        engine.push(TableId::Tasking, batch(TableId::Tasking, &[row]), None).unwrap();
        engine.advance((second + 10) * SECOND).unwrap().len()
    };
    assert_eq!(found(&mut engine, 1), 0);
    engine.replace_site(orders(2));
    assert_eq!(found(&mut engine, 21), 1);
    engine.replace_site(orders(0));
    assert_eq!(found(&mut engine, 41), 0);
}
