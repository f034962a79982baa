//! Whole rule files: defaults, lints and the messages an author reads.
use crate::{Body, Window, parse};

const OWN: &str = r#"title: T
id: 00000000-0000-4000-8000-000000000001
code: XX-01
level: high
logsource: {product: lidr, category: tasking}
sql: |
  SELECT actor, ne, max(due) AS at, array_agg(rowid) AS rowids FROM tasking GROUP BY actor, ne
window: {size: 5m, before: 2m, after: 15m}
entity: [{col: actor, type: host}]
message: "{actor} did it to {name(ne)}"
tests:
  - {name: fires, given: {tasking: [{at: +90s, actor: 10.0.0.1}]}, expect: [{entity: [10.0.0.1], level: high}]}
  - {name: silent, given: {tasking: [{at: -1m}]}, until: +20m, expect: none}
"#;

const ROW: &str = r#"title: T
code: XX-02
level: low
logsource: {product: lidr, category: tasking}
detection: {s: {op: list}, condition: s}
entity: [{col: actor, type: host}]
message: "{actor}"
tests:
  - {name: fires, given: {tasking: [{op: list, actor: 10.0.0.1}]}, expect: [{entity: [10.0.0.1]}]}
  - {name: silent, expect: none}
"#;

fn problems(text: &str) -> Vec<String> {
    match parse::file("r.yml", text) {
        Ok((_, warnings)) => warnings.iter().map(ToString::to_string).collect(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

/// What is said when one piece of a good rule is replaced.
fn said(good: &str, from: &str, to: &str) -> String {
    assert!(good.contains(from), "{from}");
    problems(&good.replace(from, to)).join("\n")
}

#[test]
fn a_good_rule_gets_its_defaults() {
    assert_eq!(problems(OWN), [""; 0]);
    let rule = parse::file("r.yml", OWN).unwrap().0.remove(0);
    assert_eq!(rule.window, Some(Window { size: 300_000_000, before: 120_000_000, after: 900_000_000, sweep: None }));
    assert_eq!(
        (rule.version, rule.bucket, rule.by.as_str(), rule.plain_sigma),
        (1, 3_600_000_000, "all", false),
        "at least 1 h where `before` is above 0"
    );
    assert_eq!(rule.tests[0].given["tasking"][0]["due"], 90_000_000);
    assert_eq!(
        (rule.tests[1].given["tasking"][0]["ts"].as_i64(), rule.tests[1].until),
        (Some(-60_000_000), Some(1_200_000_000))
    );
    let row = parse::file("r.yml", ROW).unwrap().0.remove(0);
    assert_eq!((row.window, row.bucket), (None, 86_400_000_000));
    let short = parse::file("r.yml", &OWN.replace(", before: 2m", "")).unwrap().0.remove(0);
    assert_eq!(short.bucket, 300_000_000);
    let told =
        parse::file("r.yml", &OWN.replace("entity: [{col", "suppress: {for: 24h}\nentity: [{col")).unwrap().0.remove(0);
    assert_eq!(told.bucket, 86_400_000_000);
}

#[test]
fn sweeps_needed_columns_and_values_of_a_case_are_checked() {
    let text = said(OWN, "after: 15m", "after: 15m, sweep: 7m");
    assert!(text.contains("multiple of `size`"), "{text}");
    let swept = parse::file("r.yml", &OWN.replace("after: 15m", "after: 15m, sweep: 1h")).unwrap().0.remove(0);
    assert_eq!(swept.window.and_then(|w| w.sweep), Some(3_600_000_000));
    let text = said(OWN, "entity: [{col", "needs: [warrants.xid|cccd]\nentity: [{col");
    assert!(text.contains("`cccd`, did you mean `cccid`"), "{text}");
    let text = said(OWN, "{name: silent,", "{name: silent, set: {nothing: 1},");
    assert!(text.contains("no tunable `nothing`"), "{text}");
}

#[test]
fn a_plain_sigma_rule_needs_nothing_of_ours() {
    let text = "title: 'T {x}'\nid: 00000000-0000-4000-8000-000000000002\nlogsource: {product: zeek, service: ssh}\ndetection: {s: {client|contains: paramiko}, condition: s}\n";
    let rule = parse::file("r.yml", text).unwrap().0.remove(0);
    assert_eq!((rule.code.as_str(), rule.plain_sigma), ("00000000-0000-4000-8000-000000000002", true));
    assert_eq!(rule.message, "T x: {src_ip} to {dst_ip}");
    assert_eq!(rule.entity.iter().map(|e| e.col.as_str()).collect::<Vec<_>>(), ["src_ip", "dst_ip"]);
    let Body::Detection { table, condition } = &rule.body else { panic!("a condition") };
    let shown = format!("{condition:?}");
    assert!(table.name() == "auth" && shown.contains("service") && shown.contains("client_software"), "{shown}");
}

#[test]
fn misspelt_keys_levels_and_tables() {
    assert_eq!(said(OWN, "window:", "windw:"), "r.yml:8: a rule: unknown key `windw`, did you mean `window`?");
    assert!(said(OWN, "level: high\n", "level: hihg\n").starts_with("r.yml:4: a rule: `level` needed one of"));
    assert!(
        said(OWN, "FROM tasking", "FROM taskng").contains("r.yml:6: `sql`: no table `taskng`, did you mean `tasking`?")
    );
    assert!(
        said(OWN, "size: 5m", "size: 5").contains("`size` needed a duration such as 90s, 5m, 24h or 400d, had `5`")
    );
    assert!(
        said(OWN, "entity: [{col", "needs: [warants]\nentity: [{col")
            .contains("`needs`: no site or event table `warants`, did you mean `warrants`?")
    );
    assert!(said(OWN, "0000-4000", "0000").contains("needed a UUID"));
    assert!(said(OWN, "code: XX-01\n", "").contains("needed `code`"));
    assert!(said(OWN, "sql: |", "correlation: |").contains("r.yml:6: `correlation`"));
}

#[test]
fn columns_that_are_not_there() {
    assert_eq!(
        said(ROW, "{actor}\"", "{acter}\""),
        "r.yml:7: `message`: table `tasking` has no column `acter`, did you mean `actor`?"
    );
    assert!(said(OWN, "{name(ne)}", "{name(nee)}").contains("r.yml:10: `message`: the query returns no column `nee`"));
    assert!(
        said(OWN, "given: {tasking: [{at: +90s, actor", "given: {tasking: [{at: +90s, actr")
            .contains("r.yml:12: table `tasking` has no column `actr`, did you mean `actor`?")
    );
    assert!(
        said(OWN, "expect: none", "site: {element: []}, expect: none")
            .contains("no site table `element`, did you mean `elements`?")
    );
}

#[test]
fn time_is_event_time() {
    assert!(said(OWN, "max(due) AS at", "min(due) AS at").contains("`at` needed due or max(due), had `min(due)`"));
    assert_eq!(
        said(&OWN.replace("entity: [{col", "at_reason: why\nentity: [{col"), "max(due) AS at", "min(due) AS at"),
        ""
    );
    assert!(said(OWN, "max(due) AS at", "now() AS at").contains("`now` differs from run to run"));
    assert!(said(OWN, "max(due) AS at, ", "").contains("needed a column `at`"));
    assert!(said(OWN, "array_agg(rowid) AS rowids", "count(*) AS n").contains("the rows that prove the result"));
}

#[test]
fn what_a_rule_needs_to_be_complete() {
    assert!(said(OWN, "  - {name: silent", "  - {name: x, expect: [{entity: [a]}]}\n  - {name: silent").is_empty());
    assert!(said(ROW, "  - {name: silent, expect: none}\n", "").contains("stays silent"));
    assert!(said(ROW, "expect: [{entity: [10.0.0.1]}]", "expect: none").contains("at least one case that fires"));
    assert!(said(ROW, "entity: [10.0.0.1]}]", "entity: [10.0.0.1, x]}]").contains("needed 1 entity values"));
    assert!(said(ROW, "entity: [{col: actor, type: host}]\n", "").contains("`entity`: needed at least one column"));
    assert!(
        said(ROW, "tests:", "remembers: {m: {from: tasking, key: [ne]}}\ntests:")
            .contains("`remembers` needs a `window`")
    );
    assert!(said(ROW, "tests:", "pending: low\ntests:").contains("`pending` needs a `window`"));
    assert!(said(ROW, "tests:", "suspends: absence\ntests:").contains("`suspends` needs a `window`"));
    assert!(said(OWN, "GROUP BY", "WHERE n > $n GROUP BY").contains("no tunable `n`"));
    assert!(said(OWN, "GROUP BY", "WHERE zone(actor) = 'x' GROUP BY").contains("needed `zones` in `needs` or `uses`"));
    assert!(
        said(OWN, "FROM tasking", "FROM tasking JOIN elements_managers m ON true")
            .contains("needed `elements` in `needs` or `uses`")
    );
}

#[test]
fn addresses_and_absorbed_columns_are_checked_before_anything_runs() {
    let with = |condition: &str| said(OWN, "GROUP BY", &format!("WHERE {condition} GROUP BY"));
    assert!(with("cidr(actor, '10.0.0.0/99')").contains("`cidr` needed a range such as 10.0.0.0/8, had `10.0.0.0/99`"));
    assert!(with("actor = ip('10.0.0')").contains("`ip` needed an address such as 10.0.0.1, had `10.0.0`"));
    assert_eq!(with("cidr(actor, '10.0.0.0/8') AND actor <> ip('10.0.0.1') AND ne <> ip('::1')"), "");
    let absorbs = |by: &str| said(OWN, "entity: [{col", &format!("absorbs: [{{code: LI-04{by}}}]\nentity: [{{col"));
    assert!(
        absorbs(", by: [actr]")
            .contains("r.yml:9: `absorbs`: the query returns no column `actr`, did you mean `actor`?")
    );
    assert!(absorbs("").contains("r.yml:9: `absorbs`: needed `by`"));
    assert_eq!(absorbs(", by: [actor]"), "");
}

#[test]
fn a_case_of_a_rule_that_cannot_judge_shows_no_silence() {
    assert!(said(ROW, "name: silent, expect: none", "name: silent, expect: not_evaluated").contains("stays silent"));
    let more = ROW.replace("tests:\n", "tests:\n  - {name: blind, expect: not_evaluated}\n");
    assert_eq!(problems(&more), [""; 0]);
    assert!(parse::file("r.yml", &more).unwrap().0[0].tests[0].not_evaluated);
}

#[test]
fn what_makes_a_window_blind_is_one_sensor_and_is_sure() {
    let blind = OWN.replace("entity: [{col", "suspends: absence\nentity: [{col");
    assert_eq!(problems(&blind), [""; 0]);
    assert!(parse::file("r.yml", &blind).unwrap().0.remove(0).suspends);
    let two = said(&blind, "type: host}]", "type: host}, {col: ne, type: device}]");
    assert!(two.contains("needed one `entity`, the sensor that was blind, had 2"), "{two}");
    assert!(said(&blind, "entity: [{col", "pending: low\nentity: [{col").contains("needed no `pending`"));
    assert!(said(&blind, "suspends: absence", "suspends: absense").contains("did you mean `absence`?"));
}

#[test]
fn rates_are_of_numbers_and_stand_alone() {
    let memory = |m: &str| {
        said(OWN, "entity: [{col", &format!("remembers: {{m: {{from: tasking, key: [ne], {m}}}}}\nentity: [{{col"))
    };
    assert_eq!(memory("rates: [varbinds]"), "");
    assert!(memory("rates: [varbnds]").contains("has no column `varbnds`, did you mean `varbinds`?"));
    assert!(memory("rates: [op]").contains("`rates` needed columns of numbers, had `op`"));
    assert!(memory("rates: [varbinds], value: [op]").contains("needed no `value` and no `drop` beside `rates`"));
}

#[test]
fn slow_counting_is_only_a_warning() {
    let said =
        said(OWN, "array_agg(rowid) AS rowids", "array_agg(rowid) AS rowids, count(DISTINCT task) AS a, count(*) AS b");
    assert!(said.contains("count(distinct …) beside another aggregate is slow"), "{said}");
    assert!(
        parse::file(
            "r.yml",
            &OWN.replace("array_agg(rowid)", "count(DISTINCT task) AS a, count(*) AS b, array_agg(rowid)")
        )
        .is_ok()
    );
}

#[test]
fn damaged_files_are_refused_and_never_panic() {
    let whole = include_str!("../tasking/LI-01-tap-without-warrant.yml");
    let cuts = (0..whole.len()).step_by(97).filter(|i| whole.is_char_boundary(*i));
    for cut in cuts {
        let (text, _) = whole.split_at(cut);
        drop(parse::file("cut.yml", text));
    }
    for text in ["", "- 1", "a", "? [a]\n: b", "title: [", "\u{0}", "sql: {a: b}\ncode: X", "tests: 7\nsql: x\ncode: X"]
    {
        assert!(parse::file("bad.yml", text).is_err(), "{text:?}");
    }
}
