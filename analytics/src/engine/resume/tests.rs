//! An engine that is stopped anywhere and goes on from its snapshot finds what one that was never stopped finds.
use std::sync::Arc;

use serde_json::json;

use crate::{
    BrokerOrigin, Engine, Finding, Site,
    snapshot::{self, Snapshot, SourceState, Tables},
    tests::{MINUTE, SECOND, batch, engine, last, remember, rule, tasking, window},
};
use lidr_rules::{Remember, Rule};
use lidr_schema::{TableId, finding::Severity};

/// Rules of every kind: on single rows, with context, with memory, pending, on absence, with averages.
fn rules() -> Vec<Rule> {
    let row = rule("A-1", "SELECT actor, due AS at, rowid FROM tasking WHERE op = 'list'", None);
    let lists = "SELECT actor, count(*) AS n, max(due) AS at, array_agg(rowid) AS rowids FROM tasking WHERE op = 'list' \
                 GROUP BY actor HAVING count(*) >= 2";
    let context = rule("A-2", lists, window(MINUTE, MINUTE, 30 * SECOND));
    let mut memory = rule(
        "A-3",
        "SELECT t.actor, t.due AS at, t.rowid FROM tasking t WHERE t.op = 'delete' AND NOT EXISTS \
         (SELECT 1 FROM known k WHERE k.task = t.task)",
        window(MINUTE, 0, 0),
    );
    memory.remembers.insert("known".into(), remember(&["task"], "op = 'create'", "op = 'delete'"));
    let mut pending = rule(
        "A-4",
        "SELECT t.actor, t.due AS at, t.rowid FROM tasking t WHERE t.op = 'create' AND NOT EXISTS \
         (SELECT 1 FROM tasking d WHERE d.op = 'delete' AND d.task = t.task AND d.due > t.due)",
        window(MINUTE, 0, 2 * MINUTE),
    );
    (pending.pending, pending.absence) = (Some(Severity::Informational), true);
    let mut rates = rule(
        "A-5",
        "SELECT u.actor, $start AS at FROM usual u WHERE u.varbinds > 3.2 AND u.windows >= 2",
        window(MINUTE, 0, 0),
    );
    let usual = Remember { rates: vec!["varbinds".into()], ..remember(&["actor"], "op = 'list'", "") };
    rates.remembers.insert("usual".into(), usual);
    vec![row, context, memory, pending, rates]
}

/// Second, what was done, and to which task.
type Op = (i64, &'static str, &'static str);

/// Messages: offset, rows, and the watermark that is told after them. The seventh comes late.
fn messages() -> Vec<(i64, Vec<Op>, i64)> {
    let minutes = [
        vec![(5, "list", "a"), (10, "create", "a")],
        vec![(50, "list", "a"), (59, "create", "b")],
        vec![(65, "list", "c"), (70, "delete", "a")],
        vec![(130, "delete", "z"), (131, "list", "a")],
        vec![(185, "create", "d"), (190, "list", "a")],
        vec![(240, "list", "a"), (241, "list", "a")],
        vec![(100, "list", "late"), (101, "delete", "q")],
        vec![(330, "delete", "b"), (390, "list", "a")],
        vec![(500, "delete", "d"), (501, "create", "e")],
        vec![(700, "list", "a")],
    ];
    let mut told = 0;
    let marked = minutes.into_iter().enumerate().map(|(i, rows)| {
        told = told.max(rows.iter().map(|r| r.0).max().unwrap_or(0) - 1);
        (i as i64, rows, told * SECOND)
    });
    marked.collect()
}

fn origin(offset: i64) -> Arc<BrokerOrigin> {
    Arc::new(BrokerOrigin { topic: "t".into(), partition: 0, first_offset: offset, beside: false })
}

fn rows(offset: i64, given: &[Op]) -> arrow::array::RecordBatch {
    let row = |(i, (second, op, task)): (usize, &Op)| {
        tasking(
            *second,
            offset as u64 * 10 + i as u64,
            &json!({ "op": op, "task": format!("xid:{task}"), "varbinds": 3, "actor": format!("10.0.0.{}", 1 + i) }),
        )
    };
    batch(TableId::Tasking, &given.iter().enumerate().map(row).collect::<Vec<_>>())
}

fn with_rules() -> Engine {
    let mut e = engine(&rules(), Site::default());
    e.keep_account();
    e
}

/// The octets of a snapshot, read again by another engine; what it needs is read again, too.
fn restarted(from: &Engine) -> Engine {
    let mut tables = Tables::default();
    let state = from.save(&mut tables).unwrap();
    let snapshot = Snapshot { name: json!("x"), engine: state, source: SourceState::default() };
    let octets = snapshot::encode(&snapshot, &tables).unwrap();
    let (snapshot, tables) = snapshot::decode(&octets).unwrap();
    let first = snapshot.engine.needed().into_values().next();
    let mut engine = with_rules();
    assert_eq!(engine.resume(snapshot.engine, &tables).unwrap(), Vec::<String>::new());
    let read = from.stats().rows / 2;
    for (offset, given, _) in messages().iter().filter(|m| first.is_some_and(|f| m.0 >= f) && (m.0 as u64) < read) {
        engine.context(TableId::Tasking, rows(*offset, given), Some(origin(*offset))).unwrap();
    }
    engine.resumed().unwrap();
    engine
}

/// All lines, with a restart after the messages at these places.
fn judged(restarts: &[i64]) -> Vec<Finding> {
    let (mut engine, mut out) = (with_rules(), Vec::new());
    for (offset, given, told) in messages() {
        engine.push(TableId::Tasking, rows(offset, &given), Some(origin(offset))).unwrap();
        out.extend(engine.advance(told).unwrap());
        if restarts.contains(&offset) {
            let total = engine.stats().rows;
            engine = restarted(&engine);
            engine.stats.rows = total;
        }
    }
    out.extend(engine.finish(i64::MIN).unwrap());
    assert_eq!(engine.failure(), None);
    out
}

#[test]
fn a_restart_anywhere_changes_nothing() {
    let undisturbed = last(&judged(&[]));
    let codes: std::collections::BTreeSet<&str> = undisturbed.iter().map(|f| f.code.as_str()).collect();
    assert_eq!(
        codes.into_iter().collect::<Vec<_>>(),
        ["A-1", "A-2", "A-3", "A-4", "A-5"],
        "every kind finds something"
    );
    assert!(undisturbed.iter().any(|f| f.lidr.late), "and something late is among it");
    for at in 0..messages().len() as i64 {
        assert_eq!(last(&judged(&[at])), undisturbed, "after message {at}");
    }
    let everywhere: Vec<i64> = (0..messages().len() as i64).collect();
    assert_eq!(last(&judged(&everywhere)), undisturbed, "after every message");
}

#[test]
fn other_rules_begin_anew_and_it_is_said() {
    let mut old = with_rules();
    for (offset, given, told) in messages().into_iter().take(5) {
        old.push(TableId::Tasking, rows(offset, &given), Some(origin(offset))).unwrap();
        old.advance(told).unwrap();
    }
    let mut tables = Tables::default();
    let state = old.save(&mut tables).unwrap();
    let mut changed = rules();
    changed[2].remembers.insert("known".into(), remember(&["task"], "op = 'list'", ""));
    changed[1].window = window(2 * MINUTE, 0, 0);
    changed[0].version = 2;
    let mut new = engine(&changed, Site::default());
    let said = new.resume(state, &tables).unwrap().join("\n");
    assert!(said.contains("A-3: memory `known` begins anew: its definition has changed"), "{said}");
    assert!(said.contains("A-2 was not judged before: it begins now"), "{said}");
    assert!(said.contains("findings of A-1 that were open get no last line"), "{said}");
}

#[test]
fn a_snapshot_that_is_cut_or_changed_anywhere_is_refused() {
    let mut tables = Tables::default();
    let state = with_rules().save(&mut tables).unwrap();
    let whole =
        snapshot::encode(&Snapshot { name: json!("x"), engine: state, source: SourceState::default() }, &tables)
            .unwrap();
    assert!(snapshot::decode(&whole).is_ok());
    for cut in 0..whole.len() {
        assert!(snapshot::decode(&whole[..cut]).is_err(), "cut at {cut}");
    }
    for at in (0..whole.len()).step_by(7) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert!(snapshot::decode(&changed).is_err(), "changed at {at}");
    }
}
