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
