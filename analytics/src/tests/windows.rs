//! Windows on the watermark, their context, memory, absence and early runs.
use serde_json::json;

use super::*;
use lidr_schema::finding::Activity;

const LISTS: &str = "SELECT actor, count(*) AS n, max(due) AS at, array_agg(rowid) AS rowids FROM tasking WHERE op = 'list' \
                     GROUP BY actor HAVING count(*) >= 3";

fn lists(seconds: &[i64]) -> Vec<Map<String, Value>> {
    seconds.iter().enumerate().map(|(i, s)| tasking(*s, i as u64 + 1, &json!({ "op": "list" }))).collect()
}

#[test]
fn a_result_belongs_to_the_window_of_its_at_and_sees_the_context_before() {
    let r = rule("A-1", LISTS, window(MINUTE, MINUTE, 0));
    let found = judged(std::slice::from_ref(&r), &lists(&[50, 55, 61]));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].lidr.window, Some((MINUTE, 2 * MINUTE)), "completed by the row at 61 s");
    assert_eq!((found[0].time, found[0].made), (61 * SECOND, 2 * MINUTE));
    let frames: Vec<_> = found[0].evidences.iter().map(|e| e.data["frame"].as_u64().unwrap()).collect();
    assert_eq!(frames, [1, 2, 3]);
    let r = rule("A-1", LISTS, window(MINUTE, 0, 0));
    assert!(judged(&[r], &lists(&[50, 55, 61])).is_empty(), "without context no window holds three");
}

#[test]
fn a_window_ends_before_its_end_and_begins_at_its_start() {
    let sql = "SELECT actor, due AS at, rowid FROM tasking WHERE due >= $start AND due < $end";
    let found = judged(&[rule("A-1", sql, window(MINUTE, MINUTE, MINUTE))], &lists(&[0, 59, 60]));
    let windows: Vec<_> = found.iter().map(|f| (f.lidr.window.unwrap().0 / MINUTE, f.count)).collect();
    assert_eq!(windows, [(0, 2), (1, 1)], "the row at 60 s is the next window's, though both see it");
}

#[test]
fn a_window_runs_when_the_watermark_has_passed_its_context() {
    let mut e = engine(&[rule("A-1", LISTS, window(MINUTE, 0, 30 * SECOND))], Site::default());
    e.push(TableId::Tasking, batch(TableId::Tasking, &lists(&[1, 2, 3])), None).unwrap();
    assert!(e.advance(90 * SECOND - 2).unwrap().is_empty());
    assert_eq!(e.advance(90 * SECOND - 1).unwrap().len(), 1, "no row due before 90 s can come any more");
}

#[test]
fn row_rules_do_not_wait_and_windows_do() {
    let row = rule("A-1", "SELECT actor, due AS at, rowid FROM tasking WHERE op = 'list'", None);
    let mut e = engine(&[row, rule("A-2", LISTS, window(MINUTE, 0, 0))], Site::default());
    e.push(TableId::Tasking, batch(TableId::Tasking, &lists(&[1, 2, 3])), None).unwrap();
    let codes: Vec<_> = e.advance(i64::MIN + 1).unwrap().into_iter().map(|f| (f.code, f.count)).collect();
    assert_eq!(codes, [("A-1".to_owned(), 1)]);
    let codes: Vec<_> = e.finish(0).unwrap().into_iter().map(|f| (f.code, f.count, f.activity)).collect();
    assert_eq!(codes, [("A-2".to_owned(), 1, Activity::Create), ("A-1".to_owned(), 3, Activity::Update)]);
}

/// Partitions are read in any order: what is due first may come last.
#[test]
fn the_first_window_is_that_of_the_least_due_whatever_came_first() {
    let mut e = engine(&[rule("A-1", LISTS, window(MINUTE, 0, 0))], Site::default());
    for seconds in [[601, 602, 603], [1, 2, 3]] {
        e.push(TableId::Tasking, batch(TableId::Tasking, &lists(&seconds)), None).unwrap();
        assert!(e.advance(i64::MIN).unwrap().is_empty());
    }
    e.push(TableId::Tasking, batch(TableId::Tasking, &lists(&[301, 302, 303])), None).unwrap();
    assert_eq!(e.advance(700 * SECOND).unwrap().iter().map(|f| f.time / SECOND).collect::<Vec<_>>(), [3, 303, 603]);
}

fn unknown_deletes() -> Rule {
    let sql = "SELECT t.actor, t.due AS at, t.rowid FROM tasking t WHERE t.op = 'delete' \
               AND NOT EXISTS (SELECT 1 FROM known k WHERE k.task = t.task) \
               AND NOT EXISTS (SELECT 1 FROM tasking c WHERE c.op = 'create' AND c.task = t.task AND c.due < t.due)";
    let mut r = rule("A-1", sql, window(MINUTE, 0, 0));
    r.remembers.insert("known".into(), remember(&["task"], "op = 'create'", "op = 'delete'"));
    r
}

fn ops(given: &[(i64, &str, &str)]) -> Vec<Map<String, Value>> {
    let row = |(i, (second, op, task)): (usize, &(i64, &str, &str))| {
        tasking(*second, i as u64 + 1, &json!({ "op": op, "task": format!("xid:{task}") }))
    };
    given.iter().enumerate().map(row).collect()
}

#[test]
fn memory_holds_what_came_before_the_window_and_not_the_window() {
    let times = |given: &[(i64, &str, &str)]| {
        judged(&[unknown_deletes()], &ops(given)).iter().map(|f| f.time / SECOND).collect::<Vec<_>>()
    };
    assert_eq!(times(&[(10, "create", "a"), (70, "delete", "a")]), [] as [i64; 0], "created a window ago");
    assert_eq!(times(&[(10, "create", "a"), (70, "delete", "a"), (130, "delete", "a")]), [130], "dropped since");
    assert_eq!(
        times(&[(10, "create", "a"), (20, "delete", "a")]),
        [] as [i64; 0],
        "in the same window the query looks itself"
    );
    assert_eq!(times(&[(10, "delete", "a"), (20, "create", "a")]), [10]);
    assert_eq!(times(&[(10, "create", "a"), (200_000, "delete", "a")]), [] as [i64; 0], "over many empty windows");
}

/// At one `due`, row order (frame, n) decides what is remembered.
#[test]
fn rows_of_equal_time_are_remembered_in_row_order() {
    let both = |first: &str, second: &str| ops(&[(10, first, "a"), (10, second, "a"), (70, "delete", "a")]);
    assert_eq!(
        judged(&[unknown_deletes()], &both("delete", "create")).iter().filter(|f| f.time == 70 * SECOND).count(),
        0
    );
    assert_eq!(
        judged(&[unknown_deletes()], &both("create", "delete")).iter().filter(|f| f.time == 70 * SECOND).count(),
        1
    );
    let mut swapped = both("delete", "create");
    swapped.reverse();
    assert_eq!(
        judged(&[unknown_deletes()], &swapped).iter().filter(|f| f.time == 70 * SECOND).count(),
        0,
        "push order is nothing"
    );
}

#[test]
fn memory_that_is_judged_runs_in_empty_windows() {
    let sql = "SELECT ip('10.0.0.1') AS actor, $start AS at FROM known k \
               WHERE k.first_seen + INTERVAL '1 hour' >= $start AND k.first_seen + INTERVAL '1 hour' < $end";
    let mut r = rule("A-1", sql, window(5 * MINUTE, 0, 0));
    r.remembers.insert("known".into(), remember(&["task"], "op = 'create'", "op = 'delete'"));
    let found = judged(std::slice::from_ref(&r), &ops(&[(10, "create", "a"), (20_000, "list", "b")]));
    assert_eq!(found.iter().map(|f| f.time / MINUTE).collect::<Vec<_>>(), [60], "an hour after it was first seen");
    assert!(judged(&[r], &ops(&[(10, "create", "a"), (700, "delete", "a"), (20_000, "list", "b")])).is_empty());
}

/// Where rows are few and windows short, memory is swept now and then instead of in each of them.
#[test]
fn memory_is_swept_at_multiples_and_where_there_are_rows() {
    let sql = "SELECT ip('10.0.0.1') AS actor, $start AS at FROM known k";
    let mut r = rule("A-1", sql, Some(Window { size: 5 * MINUTE, before: 0, after: 0, sweep: Some(HOUR) }));
    r.remembers.insert("known".into(), remember(&["task"], "op = 'create'", "op = 'delete'"));
    let given =
        ops(&[(10, "create", "a"), (5 * 3600 / 2, "list", "b"), (4 * 3600, "delete", "a"), (7 * 3600, "list", "b")]);
    let found = judged(std::slice::from_ref(&r), &given);
    assert_eq!(found.iter().map(|f| f.time / MINUTE).collect::<Vec<_>>(), [60, 120, 150, 180, 240]);
}

#[test]
fn memory_forgets_by_time_and_at_its_bound() {
    let mut r = unknown_deletes();
    r.remembers.get_mut("known").unwrap().ttl = 10 * MINUTE;
    assert_eq!(judged(&[r], &ops(&[(10, "create", "a"), (700, "delete", "a")])).len(), 1, "too old");
    let mut r = unknown_deletes();
    r.remembers.get_mut("known").unwrap().max = 1;
    let given = ops(&[(10, "create", "a"), (11, "create", "b"), (70, "delete", "a"), (71, "delete", "b")]);
    let mut e = engine(&[r], Site::default());
    e.push(TableId::Tasking, batch(TableId::Tasking, &given), None).unwrap();
    assert_eq!(e.finish(0).unwrap().iter().map(|f| f.time / SECOND).collect::<Vec<_>>(), [70], "the older one went");
    assert_eq!(e.stats().dropped.get("memory"), Some(&1));
}

/// A task older than the capture: known from the site's history, so nothing is new about it.
#[test]
fn memory_seeded_from_history() {
    let mut r = rule(
        "A-1",
        "SELECT actor, due AS at, rowid FROM tasking t WHERE NOT EXISTS (SELECT 1 FROM edges e WHERE e.actor = t.actor AND e.ne = t.ne)",
        window(MINUTE, 0, 0),
    );
    let seeded = Remember { seed_history: true, ..remember(&["actor", "ne"], "", "") };
    r.remembers.insert("edges".into(), seeded);
    let given = [tasking(1, 1, &json!({})), tasking(2, 2, &json!({ "actor": "10.0.0.9" }))];
    let mut e = engine(&[r], site(json!({ "history": [{ "src": "10.0.0.1", "dst": "10.9.0.1" }] })));
    e.push(TableId::Tasking, batch(TableId::Tasking, &given), None).unwrap();
    assert_eq!(e.finish(0).unwrap().iter().flat_map(Finding::entity).collect::<Vec<_>>(), ["10.0.0.9"]);
}

/// Edges that the site knows without a time do not keep those that have one from growing old.
#[test]
fn memory_grows_old_beside_history_without_times() {
    let mut r = rule(
        "A-1",
        "SELECT actor, due AS at, rowid FROM tasking t WHERE NOT EXISTS (SELECT 1 FROM edges e WHERE e.actor = t.actor)",
        window(MINUTE, 0, 0),
    );
    let ttl = 10 * MINUTE;
    r.remembers.insert("edges".into(), Remember { seed_history: true, ttl, ..remember(&["actor", "ne"], "", "") });
    let mut e = engine(&[r], site(json!({ "history": [{ "src": "10.0.0.1", "dst": "10.9.0.1" }] })));
    let of = |second: i64, actor: &str| tasking(second, second as u64, &json!({ "actor": actor }));
    let given = [of(1, "10.0.0.9"), of(100, "10.0.0.9"), of(2_000, "10.0.0.9"), of(2_001, "10.0.0.1")];
    e.push(TableId::Tasking, batch(TableId::Tasking, &given), None).unwrap();
    let found = e.finish(0).unwrap();
    assert_eq!(
        found.iter().map(|f| (f.time / SECOND, f.entity())).collect::<Vec<_>>(),
        [1, 2_000].map(|t| (t, vec!["10.0.0.9".to_owned()]))
    );
}

#[test]
fn absence_is_not_judged_past_the_end_of_the_input() {
    let sql = "SELECT actor, due AS at, rowid FROM tasking t WHERE op = 'create' AND due >= $start AND due < $end \
               AND NOT EXISTS (SELECT 1 FROM tasking d WHERE d.op = 'report' AND d.due > t.due)";
    let mut r = rule("A-1", sql, window(MINUTE, 0, 10 * MINUTE));
    r.absence = true;
    let run = |end: i64| {
        let mut e = engine(std::slice::from_ref(&r), Site::default());
        e.push(TableId::Tasking, batch(TableId::Tasking, &ops(&[(10, "create", "a")])), None).unwrap();
        (e.finish(end).unwrap().len(), e.stats().not_evaluated.len())
    };
    assert_eq!(run(11 * MINUTE), (1, 0));
    assert_eq!(run(11 * MINUTE - 1), (0, 1), "the report may still have come, and the rule says so");
}

/// Everybody has ended and more may come: what holds rows is judged, and what comes then is judged with what was there.
#[test]
fn at_rest_windows_with_rows_run_and_the_newest_stays_open() {
    let own = LISTS.replace("GROUP BY", "AND due >= $start AND due < $end GROUP BY");
    let counted = rule("A-1", &own, window(MINUTE, 0, 10 * MINUTE));
    let deletes = Rule { code: "A-2".into(), ..unknown_deletes() };
    let mut e = engine(&[counted, deletes], Site::default());
    let give = |e: &mut Engine, rows: &[Map<String, Value>]| {
        e.push(TableId::Tasking, batch(TableId::Tasking, rows), None).unwrap()
    };
    let shown = |found: &[Finding]| {
        found.iter().map(|f| (f.code.clone(), f.time / SECOND, f.evidences.len())).collect::<Vec<_>>()
    };
    give(&mut e, &lists(&[10, 11, 12, 70, 71, 72]));
    assert!(e.advance(75 * SECOND).unwrap().is_empty());
    assert_eq!(shown(&e.rest(80 * SECOND).unwrap()), [("A-1".to_owned(), 12, 3), ("A-1".to_owned(), 72, 3)]);
    assert!(e.rest(80 * SECOND).unwrap().is_empty(), "nothing new, nothing said");
    let more = |frame: u64, second: i64, op: &str| tasking(second, frame, &json!({ "op": op, "task": "xid:a" }));
    give(&mut e, &[more(7, 85, "list"), more(8, 90, "create"), more(9, 95, "delete")]);
    let found = e.rest(100 * SECOND).unwrap();
    assert_eq!(shown(&found), [("A-1".to_owned(), 72, 4)], "one finding of both parts, and the task is known");
    give(&mut e, &[more(10, 200, "delete")]);
    assert_eq!(shown(&e.finish(0).unwrap()), [("A-2".to_owned(), 200, 1)], "it was learnt once that the task is gone");
}

#[test]
fn at_rest_absence_waits_for_what_may_come() {
    let sql = "SELECT actor, due AS at, rowid FROM tasking t WHERE op = 'create' AND due >= $start AND due < $end \
               AND NOT EXISTS (SELECT 1 FROM tasking d WHERE d.op = 'report' AND d.due > t.due)";
    let mut r = rule("A-1", sql, window(MINUTE, 0, 10 * MINUTE));
    r.absence = true;
    let rested = |end: i64, op: &str, second: i64| {
        let mut e = engine(std::slice::from_ref(&r), Site::default());
        e.push(TableId::Tasking, batch(TableId::Tasking, &ops(&[(10, "create", "a")])), None).unwrap();
        let first = e.rest(end).unwrap().len();
        e.push(TableId::Tasking, batch(TableId::Tasking, &ops(&[(second, op, "a")])), None).unwrap();
        (first, e.advance(800 * SECOND).unwrap().len())
    };
    assert_eq!(rested(11 * MINUTE, "list", 700), (1, 0), "its context was over");
    assert_eq!(rested(11 * MINUTE - 1, "list", 650), (0, 1), "nothing followed");
    assert_eq!(rested(11 * MINUTE - 1, "report", 650), (0, 0), "the report did");
}

#[test]
fn an_early_run_announces_and_the_full_one_confirms_or_closes() {
    let sql = "SELECT actor, due AS at, rowid FROM tasking t WHERE op = 'create' \
               AND NOT EXISTS (SELECT 1 FROM tasking d WHERE d.op = 'report' AND d.task = t.task)";
    let mut r = rule("A-1", sql, window(MINUTE, 0, 10 * MINUTE));
    r.pending = Some(Severity::Informational);
    let lines = |given: &[(i64, &str, &str)]| {
        let found = judged(std::slice::from_ref(&r), &ops(given));
        found.iter().map(|f| (f.activity, f.severity, f.lidr.pending)).collect::<Vec<_>>()
    };
    let announced = (Activity::Create, Severity::Informational, true);
    assert_eq!(lines(&[(10, "create", "a")]), [announced, (Activity::Update, Severity::High, false)]);
    assert_eq!(
        lines(&[(10, "create", "a"), (300, "report", "a")]),
        [announced, (Activity::Close, Severity::Informational, false)]
    );
}

#[test]
fn a_clock_that_jumps_by_decades_costs_nothing() {
    let r = unknown_deletes();
    let year = 365 * 24 * 3600;
    let found = judged(
        &[r, rule("A-2", LISTS, window(MINUTE, 0, 0))],
        &ops(&[(10, "create", "a"), (56 * year, "delete", "b")]),
    );
    assert_eq!(found.len(), 1);
}

#[test]
fn a_late_row_counts_as_due_right_after_the_watermark() {
    let row = rule("A-1", "SELECT actor, due AS at, rowid FROM tasking WHERE op = 'list'", None);
    let counted = rule(
        "A-2",
        "SELECT actor, max(due) AS at, array_agg(rowid) AS rowids FROM tasking GROUP BY actor",
        window(MINUTE, 0, 0),
    );
    let mut e = engine(&[row, counted], Site::default());
    e.push(TableId::Tasking, batch(TableId::Tasking, &lists(&[100])), None).unwrap();
    e.advance(200 * SECOND).unwrap();
    e.push(TableId::Tasking, batch(TableId::Tasking, &lists(&[90])), None).unwrap();
    assert_eq!(e.stats().late, 1);
    let found = e.finish(0).unwrap();
    let late = found.iter().find(|f| f.code == "A-2" && f.lidr.late).expect("the window after the watermark holds it");
    assert_eq!(late.time, 200 * SECOND + 1);
    let own = found.iter().rfind(|f| f.code == "A-1").unwrap();
    assert_eq!((own.count, own.first_seen), (2, 90 * SECOND), "row rules keep its own due");
}

#[test]
fn rows_go_when_no_window_needs_them() {
    let mut e = engine(&[rule("A-1", LISTS, window(MINUTE, MINUTE, 0))], Site::default());
    for minute in 0..50 {
        e.push(TableId::Tasking, batch(TableId::Tasking, &lists(&[minute * 60, minute * 60 + 1])), None).unwrap();
        e.push(TableId::Flow, dynamic::from_json(TableId::Flow.def(), &[Map::new()], &key()).unwrap(), None).unwrap();
        e.advance(minute * MINUTE + 59 * SECOND).unwrap();
    }
    assert!(e.stats().peak_rows < 20, "{} rows held, and flow is read by no rule", e.stats().peak_rows);
}

#[test]
fn a_query_that_fails_ends_its_rule_and_no_other() {
    let bad = rule("A-1", "SELECT actor, due AS at, 1 / (varbinds - varbinds) AS x FROM tasking", window(MINUTE, 0, 0));
    let mut e = engine(&[bad, rule("A-2", LISTS, window(MINUTE, 0, 0))], Site::default());
    e.push(TableId::Tasking, batch(TableId::Tasking, &lists(&[1, 2, 3])), None).unwrap();
    assert_eq!(e.finish(0).unwrap().len(), 1);
    assert!(e.stats().not_evaluated[0].reason.contains("A-1"), "{:?}", e.stats().not_evaluated);
}
