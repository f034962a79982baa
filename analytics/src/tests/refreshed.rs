//! A site that is read again while rules run: the next windows are judged with it, and those before it stay as they were judged.
use serde_json::json;

use super::{SECOND, batch, engine, rule, site, tasking, window};
use lidr_schema::TableId;

#[test]
fn windows_are_judged_with_the_copy_of_their_moment() {
    let unknown = "SELECT t.actor, t.due AS at, t.rowid FROM tasking t WHERE NOT EXISTS (SELECT 1 FROM warrants w WHERE w.xid = t.task)";
    let mut engine = engine(
        &[rule("A-1", unknown, window(10 * SECOND, 0, 0))],
        site(json!({"warrants": [{"order": "W-1", "xid": "b"}]})),
    );
    let at = |engine: &mut crate::Engine, second: i64, task: &str| {
        let row = tasking(second, second.unsigned_abs(), &json!({"op": "create", "task": task}));
        engine.push(TableId::Tasking, batch(TableId::Tasking, &[row]), None).unwrap();
        engine.advance((second + 10) * SECOND).unwrap().len()
    };
    assert_eq!([at(&mut engine, 1, "xid:a"), at(&mut engine, 21, "xid:b")], [1, 0]);
    engine.replace_site(site(json!({"warrants": [{"order": "W-2", "xid": "a"}]})));
    assert_eq!(
        [at(&mut engine, 41, "xid:a"), at(&mut engine, 61, "xid:b")],
        [0, 1],
        "the order was entered, the other one taken out"
    );
    assert_eq!(engine.failure(), None);
}

const UNKNOWN: &str = "SELECT t.actor, t.due AS at, t.rowid FROM tasking t WHERE NOT EXISTS (SELECT 1 FROM warrants w WHERE w.xid = t.task)";

/// Findings of a row at that second, once its window has closed.
fn at(engine: &mut crate::Engine, second: i64) -> usize {
    let row = tasking(second, second.unsigned_abs(), &json!({"op": "create", "task": "xid:a"}));
    engine.push(TableId::Tasking, batch(TableId::Tasking, &[row]), None).unwrap();
    engine.advance((second + 10) * SECOND).unwrap().len()
}

#[test]
fn a_rule_is_not_judged_while_its_table_is_missing_and_a_missing_register_makes_no_tap_unlawful() {
    let mut unknown = rule("A-1", UNKNOWN, window(10 * SECOND, 0, 0));
    unknown.needs = vec!["warrants".into()];
    let register = || site(json!({"warrants": [{"order": "W-1", "xid": "b"}]}));
    let mut engine = engine(&[unknown], site(json!({})));
    assert_eq!((at(&mut engine, 1), engine.stats().evaluated), (0, 0));
    engine.replace_site(register());
    assert_eq!((at(&mut engine, 21), engine.stats().evaluated), (1, 1));
    engine.replace_site(site(json!({})));
    assert_eq!((at(&mut engine, 41), engine.stats().evaluated), (0, 0), "the file is gone, the orders are not");
    assert_eq!(engine.stats().not_evaluated[0].reason, "needs site table warrants");
    engine.replace_site(register());
    assert_eq!(at(&mut engine, 61), 1);
    let stats = engine.stats();
    assert_eq!((stats.evaluated, stats.not_evaluated[0].partly), (1, true));
    assert!(stats.not_evaluated[0].reason.contains("missing in 1 of 3 windows"), "{:?}", stats.not_evaluated);
    assert_eq!(engine.failure(), None);
}

#[test]
fn zones_are_those_of_the_copy_at_hand_and_a_finding_names_the_copy_that_judged_it() {
    let sql = "SELECT t.actor, t.due AS at, t.rowid FROM tasking t WHERE zone(t.actor) = 'lab'";
    let day = 24 * 3_600 * SECOND;
    let mut lab = rule("A-1", sql, window(10 * SECOND, 0, 0));
    lab.bucket = day;
    let dir = tempfile::tempdir().unwrap();
    let load = |zone: &str| {
        std::fs::write(dir.path().join("zones.csv"), format!("cidr,zone\n10.0.0.0/8,{zone}\n")).unwrap();
        crate::Site::load(Some(dir.path()), &super::key()).unwrap()
    };
    let (first, other) = (load("lab"), load("core"));
    let hash = first.hash().to_owned();
    let mut engine = engine(&[lab], first);
    assert_eq!(at(&mut engine, 1), 1);
    engine.replace_site(other);
    assert_eq!(at(&mut engine, 21), 0, "the address has moved");
    let last = engine.open();
    assert_eq!((last.len(), &last[0].lidr.site_hash), (1, &hash), "an open finding was judged with the first copy");
}
