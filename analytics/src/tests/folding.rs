//! Findings: ids, buckets, severity, absorbing, confidence; and that nothing depends on batches or order.
use lidr_rules::{Absorb, Expr, Literal, Op, Test};
use lidr_schema::finding::{Activity, Confidence};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const ROWS: &str = "SELECT actor, ne, task, due AS at, rowid, CASE WHEN op = 'delete' THEN 'critical' ELSE 'medium' END AS level_col FROM tasking";

fn by_level(window: Option<Window>) -> Rule {
    let mut r = rule("A-1", ROWS, window);
    r.severity_by = Some("level_col".into());
    r.message = "{actor} asked {ne} at {at}".into();
    r.bucket = HOUR;
    r
}

#[test]
fn one_long_session_is_one_finding() {
    let given: Vec<_> = (0..40).map(|i| tasking(i * 60, i as u64 + 1, &json!({ "op": "list" }))).collect();
    let found = judged(&[by_level(window(MINUTE, 0, 0))], &given);
    assert_eq!(found.iter().map(|f| f.activity).collect::<Vec<_>>(), [Activity::Create, Activity::Update]);
    let end = &found[1];
    assert_eq!((end.count, end.first_seen, end.last_seen), (40, 0, 39 * MINUTE));
    assert_eq!(end.evidences.len(), 20, "the first twenty rows");
    assert_eq!(end.evidences[19].data["frame"], 20);
    assert_eq!(end.uid, lidr_schema::finding::uid("A-1", 1, &["10.0.0.1".into()], 0));
}

#[test]
fn severity_that_rises_in_a_bucket_is_written_at_once() {
    let given = [
        tasking(10, 1, &json!({ "op": "list" })),
        tasking(70, 2, &json!({ "op": "delete" })),
        tasking(130, 3, &json!({ "op": "list" })),
    ];
    let found = judged(&[by_level(window(MINUTE, 0, 0))], &given);
    let lines: Vec<_> = found.iter().map(|f| (f.activity, f.severity, f.count, f.time / SECOND)).collect();
    assert_eq!(
        lines,
        [
            (Activity::Create, Severity::Medium, 1, 10),
            (Activity::Update, Severity::Critical, 2, 70),
            (Activity::Update, Severity::Critical, 3, 70)
        ]
    );
    assert!(found[2].message.contains("00:01:10"), "the sentence is that of the worst row: {}", found[2].message);
}

#[test]
fn another_bucket_is_another_id() {
    let found = judged(
        &[by_level(None)],
        &[tasking(10, 1, &json!({ "op": "list" })), tasking(3700, 2, &json!({ "op": "list" }))],
    );
    assert_eq!(last(&found).len(), 2);
}

/// The absorber is made when its window could be judged; who ran first is nothing.
#[test]
fn what_was_made_later_is_absorbed_and_what_was_made_before_is_listed() {
    let mut absorber =
        rule("B-1", "SELECT actor, task, due AS at, rowid FROM tasking WHERE op = 'create'", window(MINUTE, 0, MINUTE));
    absorber.absorbs = vec![Absorb { code: "A-1".into(), by: vec!["task".into()], line: 0 }];
    let mut row = rule("A-1", "SELECT ne AS actor, task, due AS at, rowid FROM tasking", None);
    row.bucket = 30 * SECOND;
    let at = |second: i64, task: &str| {
        tasking(
            second,
            second as u64,
            &json!({ "op": if second == 10 { "create" } else { "list" }, "task": format!("xid:{task}") }),
        )
    };
    let found = last(&judged(&[row, absorber], &[at(10, "a"), at(40, "b"), at(119, "a"), at(120, "a"), at(150, "b")]));
    let of = |second: i64| found.iter().find(|f| f.code == "A-1" && f.time == second * SECOND).unwrap();
    let absorber = found.iter().find(|f| f.code == "B-1").unwrap();
    assert_eq!(absorber.made, 120 * SECOND);
    assert_eq!(of(120).lidr.absorbed_by.as_ref(), Some(&absorber.uid), "made at the same moment");
    assert_eq!((&of(119).lidr.absorbed_by, &of(150).lidr.absorbed_by), (&None, &None));
    let mut before = vec![of(10).uid.clone(), of(119).uid.clone()];
    before.sort();
    assert_eq!(absorber.lidr.absorbs, before);
}

#[test]
fn confidence_falls_with_guessed_rows_and_missing_tables() {
    let mut r = rule("A-1", ROWS, None);
    let sure = |r: &Rule, trust: &str| {
        judged(std::slice::from_ref(r), &[tasking(1, 1, &json!({ "trust": trust }))])[0].confidence
    };
    assert_eq!((sure(&r, "clear"), sure(&r, "port")), (Confidence::High, Confidence::Medium));
    r.uses = vec!["elements".into()];
    assert_eq!((sure(&r, "clear"), sure(&r, "inferred")), (Confidence::Medium, Confidence::Low));
}

#[test]
fn a_rule_whose_tables_are_missing_says_so() {
    let mut r = rule("A-1", ROWS, None);
    r.needs = vec!["warrants".into()];
    let e = engine(&[r], Site::default());
    assert_eq!((e.stats().evaluated, e.stats().not_evaluated[0].reason.as_str()), (0, "needs site table warrants"));
    let mut r = rule("A-1", ROWS, None);
    r.needs = vec!["warrants.xid|cccid".into()];
    let with = |cell: &str| {
        let e = engine(std::slice::from_ref(&r), site(json!({ "warrants": [{ "order": "O-1", "cccid": cell }] })));
        e.stats().not_evaluated.first().map(|n| n.reason.clone())
    };
    assert_eq!(with("").as_deref(), Some("needs a value in column xid or cccid of site table warrants"));
    assert_eq!(with("7001"), None);
}

#[test]
fn a_line_says_who_what_and_where() {
    let mut r = rule("A-1", "SELECT actor, ne, task, due AS at, rowid FROM tasking", None);
    r.message = "{actor} ({zone(actor)}) asked {name(ne)}".into();
    r.entity.push(Entity { col: "task".into(), kind: "task".into() });
    let mut e = engine(
        &[r],
        site(json!({
            "zones": [{ "cidr": "10.0.0.0/8", "zone": "core" }], "elements": [{ "name": "mdf1", "address": "10.9.0.1" }],
        })),
    );
    let rows = [tasking(1, 7, &json!({ "task": "xid:a", "dst_port": 443 }))];
    let broker = crate::BrokerOrigin { topic: "t".into(), partition: 2, first_offset: 9, beside: false };
    e.push(TableId::Tasking, batch(TableId::Tasking, &rows), Some(std::sync::Arc::new(broker))).unwrap();
    let found = e.finish(0).unwrap();
    assert_eq!(found[0].message, "10.0.0.1 (core) asked mdf1");
    let task = key().pseudonym(lidr_schema::Kind::Xid, "a").token();
    assert_eq!(found[0].entity(), ["10.0.0.1".to_owned(), task]);
    let line = found[0].to_json();
    let evidence = &line["evidences"][0];
    assert_eq!(evidence["data"], json!({ "capture": "e-0", "frame": 7, "topic": "t", "partition": 2, "offset": 9 }));
    assert_eq!(evidence["dst_endpoint"], json!({ "ip": "10.9.0.1", "port": 443, "zone": "core", "hostname": "mdf1" }));
    assert_eq!((&line["class_uid"], &line["type_uid"], &line["time"]), (&json!(2004), &json!(200_401), &json!(1000)));
}

/// A missing field is no match, so its negation is one; text compares without regard to case.
#[test]
fn detections_are_two_valued_and_case_blind() {
    let test = |column: &str, op, values| Expr::Test(Test { column: column.into(), op, all: false, values });
    let hits = |condition: Expr| {
        let mut r = rule("A-1", "", None);
        r.body = Body::Detection { table: TableId::Tasking, condition };
        let given = [
            tasking(1, 1, &json!({ "actor_name": "ADMF-1", "dest_port": 22, "dest_ip": "192.0.2.7" })),
            tasking(2, 2, &json!({ "actor_name": "50%_x" })),
            tasking(3, 3, &json!({})),
        ];
        judged(&[r], &given)
            .iter()
            .flat_map(|f| &f.evidences)
            .map(|e| e.data["frame"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    let text = |t: &str| vec![Literal::Text(t.into())];
    let name = |op, t: &str| test("actor_name", op, text(t));
    let last = |mut frames: Vec<u64>| frames.split_off(frames.len().saturating_sub(1));
    assert_eq!(hits(name(Op::Equal, "admf-1")), [1]);
    assert_eq!(hits(name(Op::Like, "%mf-_")), [1]);
    assert_eq!(hits(name(Op::Like, "50\\%\\_x")), [2], "an escaped wildcard is itself");
    assert_eq!(hits(name(Op::Regex, "^ADMF")), [1]);
    assert!(hits(name(Op::Regex, "^admf")).is_empty(), "a regular expression counts case");
    assert_eq!(last(hits(Expr::Not(Box::new(name(Op::Equal, "admf-1"))))), [3], "nothing is not admf-1");
    assert_eq!(last(hits(test("actor_name", Op::Missing, vec![]))), [3]);
    assert_eq!(hits(test("dest_ip", Op::Cidr, vec![Literal::Cidr("192.0.2.0/24".parse().unwrap())])), [1]);
    assert_eq!(hits(test("dest_port", Op::Lt, vec![Literal::Int(23)])), [1]);
    assert_eq!(hits(test("dest_port", Op::Equal, vec![Literal::Int(70_000)])), [] as [u64; 0], "no such port");
}

fn lines(
    rules: &[Rule],
    rows: &[Map<String, Value>],
    cuts: &[usize],
    shuffle: &[usize],
    watermarks: &[i64],
) -> Vec<Finding> {
    let mut e = engine(rules, Site::default());
    let mut out = Vec::new();
    let mut from = i64::MIN;
    for watermark in watermarks.iter().copied().chain([i64::MAX]) {
        let due = |r: &Map<String, Value>| r["due"].as_i64().unwrap();
        let mut part: Vec<_> = rows.iter().filter(|r| due(r) > from && due(r) <= watermark).cloned().collect();
        part.sort_by_key(|r| shuffle[r["frame"].as_u64().unwrap() as usize % shuffle.len()]);
        for chunk in part.chunks(cuts[(watermark.unsigned_abs() as usize) % cuts.len()].max(1)) {
            e.push(TableId::Tasking, batch(TableId::Tasking, chunk), None).unwrap();
        }
        out.extend(if watermark == i64::MAX { e.finish(0).unwrap() } else { e.advance(watermark).unwrap() });
        from = watermark;
    }
    assert_eq!(e.failure(), None);
    out
}

fn rules() -> Vec<Rule> {
    let mut memory = rule(
        "C-1",
        "SELECT actor, due AS at, rowid FROM tasking t WHERE op = 'create' AND NOT EXISTS (SELECT 1 FROM known k WHERE k.actor = t.actor)",
        window(MINUTE, 0, 0),
    );
    memory.remembers.insert("known".into(), remember(&["actor"], "op <> 'delete'", "op = 'delete'"));
    let mut counted = rule(
        "D-1",
        "SELECT ne AS actor, max(due) AS at, count(*) AS n, array_agg(rowid) AS rowids, any_value(task) AS task FROM tasking GROUP BY ne HAVING count(*) > 2",
        window(5 * MINUTE, MINUTE, MINUTE),
    );
    counted.pending = Some(Severity::Low);
    counted.absorbs = vec![Absorb { code: "A-1".into(), by: vec!["actor".into()], line: 0 }];
    vec![by_level(None), by_level(window(MINUTE, MINUTE, 0)).clone_as("B-1"), memory, counted]
}

trait CloneAs {
    fn clone_as(&self, code: &str) -> Rule;
}
impl CloneAs for Rule {
    fn clone_as(&self, code: &str) -> Rule {
        Rule { code: code.into(), file: format!("{code}.yml"), ..self.clone() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// The same rows give the same last lines, however they were cut, in whatever order they came, wherever the watermark stood;
    /// and the same lines in the same order where it stood at the same places.
    #[test]
    fn nothing_depends_on_batches_order_or_watermarks(
        given in proptest::collection::vec((0_i64..1500, 0_usize..4, 0_u8..3, 0_u8..2), 1..40),
        cuts in proptest::collection::vec(1_usize..9, 1..4),
        shuffle in proptest::collection::vec(0_usize..1000, 1..40),
        mut watermarks in proptest::collection::vec(0_i64..1600, 0..6),
    ) {
        let rows: Vec<_> = given.iter().enumerate().map(|(i, (second, op, actor, ne))| {
            let op = ["create", "delete", "list", "report"][*op];
            tasking(*second, i as u64 + 1, &json!({ "op": op, "actor": format!("10.0.0.{actor}"), "ne": format!("10.9.0.{ne}"), "task": "xid:a" }))
        }).collect();
        watermarks.sort_unstable();
        watermarks.dedup();
        let watermarks: Vec<i64> = watermarks.iter().map(|s| s * SECOND).collect();
        let rules = rules();
        let plain = lines(&rules, &rows, &[1000], &[0], &watermarks);
        let cut = lines(&rules, &rows, &cuts, &shuffle, &watermarks);
        prop_assert_eq!(&plain, &cut);
        let at_once = lines(&rules, &rows, &[1000], &[0], &[]);
        prop_assert_eq!(last(&plain), last(&at_once));
    }
}
