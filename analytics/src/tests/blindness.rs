//! Rules that argue from absence are not judged where a sensor was blind, and the account says which, when and why.
use serde_json::json;

use super::*;
use lidr_schema::finding::Activity;

/// Says that a sensor was blind wherever a row says `notify_off`.
fn blind() -> Rule {
    let sql = "SELECT arrow_cast(sensor, 'Utf8') AS actor, max(due) AS at, array_agg(rowid) AS rowids FROM tasking \
               WHERE op = 'notify_off' AND due >= $start AND due < $end GROUP BY 1";
    Rule { suspends: true, absence: true, bucket: 24 * HOUR, ..rule("AF-08", sql, window(5 * MINUTE, 0, 0)) }
}

/// A tap that no report follows.
fn unreported(w: Option<Window>) -> Rule {
    let sql = "SELECT actor, task, due AS at, rowid FROM tasking t WHERE op = 'create' AND due >= $start AND due < $end \
               AND NOT EXISTS (SELECT 1 FROM tasking d WHERE d.op = 'report' AND d.task = t.task)";
    let mut r = rule("A-1", sql, w);
    r.absence = true;
    r.entity.push(Entity { col: "task".into(), kind: "task".into() });
    r
}

fn rows(given: &[(i64, &str, &str)]) -> Vec<Map<String, Value>> {
    let row = |(i, (second, op, name)): (usize, &(i64, &str, &str))| {
        let mut row = tasking(*second, i as u64 + 1, &json!({ "op": op, "task": format!("xid:{name}") }));
        if *op == "notify_off" {
            row.insert("sensor".into(), json!(name));
        }
        row
    };
    given.iter().enumerate().map(row).collect()
}

/// All rows, then the end of the input at that minute.
fn run(rules: &[Rule], given: &[(i64, &str, &str)], end: i64) -> (Vec<Finding>, crate::EngineStats) {
    let mut e = engine(rules, Site::default());
    e.push(TableId::Tasking, batch(TableId::Tasking, &rows(given)), None).unwrap();
    let found = e.finish(end * MINUTE).unwrap();
    assert_eq!(e.failure(), None);
    (found, e.stats())
}

fn seconds(found: &[Finding]) -> Vec<i64> {
    last(found).iter().filter(|f| f.code == "A-1").map(|f| f.time / SECOND).collect()
}

#[test]
fn a_suspending_rule_that_fails_suspends_everything() {
    let sql = "SELECT arrow_cast(sensor, 'Utf8') AS actor, max(due) AS at, array_agg(rowid) AS rowids FROM tasking \
               WHERE due >= $start AND due < $end AND CAST(message AS BIGINT) > 0 GROUP BY 1";
    let failing = Rule { suspends: true, absence: true, ..rule("AF-08", sql, window(5 * MINUTE, 0, 0)) };
    let mut e = engine(&[unreported(window(5 * MINUTE, 2 * MINUTE, 5 * MINUTE)), failing], Site::default());
    let mut given = rows(&[(620, "create", "x"), (2390, "list", "z")]);
    given[0].insert("message".into(), json!("no number"));
    e.push(TableId::Tasking, batch(TableId::Tasking, &given), None).unwrap();
    assert_eq!(seconds(&e.finish(40 * MINUTE).unwrap()), Vec::<i64>::new());
    let not = e.stats().not_evaluated;
    let why = &not.iter().find(|n| n.code == "A-1").expect("it is named").reason;
    assert!(why.contains("any sensor may have been blind (AF-08)"), "{why}");
}

#[test]
fn a_blind_window_suspends_every_run_whose_rows_overlap_it() {
    // Rows of the run of [10, 15): [8, 20).
    let rules = [unreported(window(5 * MINUTE, 2 * MINUTE, 5 * MINUTE)), blind()];
    let found = |blind_at: i64| {
        let given =
            [(0, "list", "z"), (620, "create", "x"), (blind_at * 60 + 1, "notify_off", "tap1"), (2390, "list", "z")];
        let (found, stats) = run(&rules, &given, 40);
        (seconds(&found).len(), stats.suspended.get("A-1").copied().unwrap_or_default())
    };
    // The run of [0, 5) sees [-2, 10), that of [5, 10) sees [3, 15), and so on.
    assert_eq!(found(4), (1, 2), "[0, 5) is before what the run sees");
    assert_eq!(found(5), (0, 3), "[5, 10) overlaps the context before");
    assert_eq!(found(14), (0, 3), "the window itself");
    assert_eq!(found(19), (0, 3), "the context after");
    assert_eq!(found(20), (1, 3), "[20, 25) begins where the context ends");
}

#[test]
fn the_account_names_the_rule_the_windows_and_the_sensors() {
    let rules = [
        blind(),
        unreported(window(5 * MINUTE, 0, 0)),
        rule("B-1", "SELECT actor, due AS at, rowid FROM tasking WHERE op = 'create'", None),
    ];
    let given = [(10, "create", "x"), (310, "notify_off", "tap1"), (311, "create", "y"), (1190, "list", "z")];
    let (found, stats) = run(&rules, &given, 20);
    assert_eq!(seconds(&found), [10]);
    let not: Vec<_> = stats.not_evaluated.iter().map(|n| (n.code.as_str(), n.reason.as_str(), n.partly)).collect();
    assert_eq!(not, [("A-1", "suspended in 1 of 4 windows: sensor tap1 was blind (AF-08)", true)]);
    assert_eq!(stats.evaluated, 3, "it was judged in the other windows");
    let line = found.iter().find(|f| f.code == "AF-08").unwrap().to_json();
    assert_eq!(line["unmapped"]["lidr"]["suspends"], json!(["A-1"]), "the finding names what it suspends: {line}");
    assert!(found.iter().filter(|f| f.code == "B-1").count() > 0, "what argues from what was seen goes on");
}

#[test]
fn a_rule_that_is_suspended_throughout_is_not_evaluated() {
    let rules = [blind(), unreported(window(5 * MINUTE, 0, 0))];
    let given = [(10, "create", "x"), (11, "notify_off", "tap2"), (12, "notify_off", "tap1")];
    let (found, stats) = run(&rules, &given, 5);
    assert_eq!(seconds(&found), [] as [i64; 0]);
    let not = &stats.not_evaluated[0];
    assert_eq!(
        (not.reason.as_str(), not.partly),
        ("suspended in 1 of 1 windows: sensors tap1, tap2 were blind (AF-08)", false)
    );
    assert_eq!(stats.evaluated, 1);
}

/// Without this order a rule would be judged before it is known that nobody looked.
#[test]
fn blindness_is_known_before_absence_is_judged_whatever_the_windows() {
    for (size, after) in [(5, 0), (1, 1), (3, 2), (10, 7), (7, 0)] {
        let rules = [unreported(window(size * MINUTE, 0, after * MINUTE)), blind()];
        // The last second of a blind window decides about runs that ended minutes before.
        for create in [61, 301, 420, 599] {
            let (found, _) =
                run(&rules, &[(create, "create", "x"), (599, "notify_off", "tap1"), (3000, "list", "z")], 60);
            let (start, stop) = (create / 60 / size * size, create / 60 / size * size + size + after);
            let overlaps = start < 10 && stop > 5;
            assert_eq!(
                seconds(&found).is_empty(),
                overlaps,
                "created at {create}, windows of {size} + {after} minutes"
            );
        }
    }
}

#[test]
fn what_the_early_run_announced_stays_as_it_is() {
    let mut r = unreported(window(5 * MINUTE, 0, 10 * MINUTE));
    r.pending = Some(Severity::Informational);
    let given = [(10, "create", "x"), (400, "report", "x"), (700, "notify_off", "tap1"), (3000, "list", "z")];
    let (found, stats) = run(&[blind(), r.clone()], &given, 60);
    let lines: Vec<_> = found.iter().filter(|f| f.code == "A-1").map(|f| (f.activity, f.lidr.pending)).collect();
    assert_eq!(lines, [(Activity::Create, true)], "neither confirmed nor closed");
    assert!(stats.suspended["A-1"] > 0);
    let (found, _) = run(&[r], &given, 60);
    assert_eq!(
        found.iter().map(|f| f.activity).collect::<Vec<_>>(),
        [Activity::Create, Activity::Close],
        "with open eyes it is closed"
    );
}

#[test]
fn what_suspends_is_itself_not_judged_past_the_end_of_the_input() {
    let (found, stats) = run(&[blind()], &[(10, "notify_off", "tap1")], 4);
    assert!(found.is_empty());
    assert_eq!(stats.not_evaluated[0].reason, "its windows go past the end of the input");
}

/// The same lines at the same places whatever the watermarks were: replay gives few, Kafka many.
#[test]
fn suspension_does_not_depend_on_watermarks() {
    let rules = [unreported(window(3 * MINUTE, MINUTE, 4 * MINUTE)), blind()];
    let given: Vec<(i64, &str, &str)> = (0..60)
        .map(|i| match i % 7 {
            0 if i % 2 == 0 => (i * 60 + 7, "notify_off", "tap1"),
            3 => (i * 60 + 7, "report", "x"),
            _ => (i * 60 + 7, "create", ["x", "y", "z"][i as usize % 3]),
        })
        .collect();
    let all = rows(&given);
    let lines = |step: i64| {
        let mut e = engine(&rules, Site::default());
        let mut out = Vec::new();
        for from in (0..70 * MINUTE).step_by((step * SECOND) as usize) {
            let until = from + step * SECOND;
            let part: Vec<_> =
                all.iter().filter(|r| (from..until).contains(&r["due"].as_i64().unwrap())).cloned().collect();
            if !part.is_empty() {
                e.push(TableId::Tasking, batch(TableId::Tasking, &part), None).unwrap();
            }
            out.extend(e.advance(until - 1).unwrap());
        }
        out.extend(e.finish(70 * MINUTE).unwrap());
        (out, e.stats().not_evaluated)
    };
    let (once, often) = (lines(70 * 60), lines(13));
    assert!(
        once.0.iter().any(|f| f.code == "A-1") && once.1.len() == 1,
        "some are found, some suspended: {:?}",
        once.1
    );
    assert_eq!(last(&once.0), last(&often.0));
    assert_eq!(once.1, often.1);
}

#[test]
fn rates_are_averages_of_windows_with_rows() {
    let sql = "SELECT ip('10.0.0.1') AS actor, $start AS at, CAST(k.varbinds AS VARCHAR) || ' ' || k.windows AS said FROM known k";
    let mut r = rule("A-1", sql, window(MINUTE, 0, 0));
    r.message = "{said}".into();
    let rates = Remember { rates: vec!["varbinds".into()], ..remember(&["ne"], "op = 'list'", "") };
    r.remembers.insert("known".into(), rates);
    let row = |second: i64, op: &str, n: u32| tasking(second, second as u64, &json!({ "op": op, "varbinds": n }));
    let given =
        [row(1, "list", 10), row(2, "list", 20), row(3, "create", 99), row(61, "list", 60), row(300, "create", 1)];
    let said: Vec<_> = judged(&[r], &given).into_iter().map(|f| (f.time / MINUTE, f.message)).collect();
    let said: Vec<_> = said.iter().map(|(m, s)| (*m, s.as_str())).collect();
    assert_eq!(
        said,
        [(1, "30.0 1"), (2, "45.0 2"), (3, "45.0 2"), (4, "45.0 2"), (5, "45.0 2")],
        "windows without rows teach nothing"
    );
}
