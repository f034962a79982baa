//! Which findings make a story, whatever order they come in.
use lidr_schema::finding::Severity;
use serde_json::{Value, json};

use super::*;

const S: i64 = 1_000_000;

/// A line as the engine writes it, of what these tests care for: id, code, `severity_id`, first and last second, resources, and who
/// asked whom.
pub(crate) fn line(
    uid: &str,
    code: &str,
    severity: u8,
    (first, last): (i64, i64),
    resources: &[(&str, &str)],
    ends: &[(&str, &str)],
) -> Value {
    let end = |text: &str| match text.split_once('=') {
        Some((ip, name)) => json!({ "ip": ip, "port": 161, "zone": "core", "hostname": name }),
        None => json!({ "ip": text, "port": 40000 }),
    };
    let evidence = |(n, (src, dst)): (usize, &(&str, &str))| {
        json!({
            "src_endpoint": end(src), "dst_endpoint": end(dst),
            "connection_info": { "protocol_name": "udp", "direction_id": 0, "community_uid": "1:x" },
            "data": { "capture": "e-00000", "frame": n + 1 },
        })
    };
    json!({
        "activity_id": 1, "severity_id": severity, "confidence": "High", "count": 1, "message": format!("{code} of {uid}"),
        "finding_info": {
            "uid": uid, "title": format!("Title of {code}"), "analytic": { "uid": code, "version": "1" },
            "first_seen_time": first * 1000, "last_seen_time": last * 1000, "attacks": [],
        },
        "resources": resources.iter().map(|(kind, name)| json!({ "type": kind, "name": name })).collect::<Vec<_>>(),
        "evidences": ends.iter().enumerate().map(evidence).collect::<Vec<_>>(),
        "unmapped": { "lidr": { "triage": "ask", "benign_if": "a test", "blind_spots": "much", "rule_sha256": "ab", "site_hash": "cd" } },
    })
}

fn told(lines: &[Value]) -> Vec<Told> {
    lines.iter().map(|line| Told::read(line).unwrap()).collect()
}

/// The ids of each story.
fn ids(all: &[Told]) -> Vec<Vec<String>> {
    let name = |i: &usize| all[*i].uid.clone();
    stories(all).iter().map(|s| s.findings.iter().map(name).collect()).collect()
}

const HOST: &[(&str, &str)] = &[("host", "10.0.0.9")];
const ROUTER: &[(&str, &str)] = &[("device", "10.0.0.1")];

#[test]
fn an_actor_joins_within_a_day_and_a_system_within_an_hour() {
    let two = |resources: &[(&str, &str)], second: i64| {
        ids(&told(&[
            line("a", "X-1", 3, (0, 0), resources, &[]),
            line("b", "X-2", 3, (second, second), resources, &[]),
        ]))
        .len()
    };
    assert_eq!([two(HOST, 86_400), two(HOST, 86_401)], [1, 2]);
    assert_eq!([two(ROUTER, 3_600), two(ROUTER, 3_601)], [1, 2]);
    assert_eq!([two(&[("task", "t")], 7_200), two(&[("account", "u")], 7_200)], [1, 1]);
    assert_eq!(two(&[("credential", "without TLS")], 1), 2, "a manner is shared by strangers");
    assert_eq!(two(&[("account", "unknown"), ("host", "0.0.0.0"), ("destination", "an order")], 1), 2, "no names");
    let run = told(&[line("a", "X-1", 3, (0, 9_000), ROUTER, &[]), line("b", "X-2", 3, (12_000, 12_000), ROUTER, &[])]);
    assert_eq!(ids(&run).len(), 1, "counted from where the first ended");
}

#[test]
fn an_account_is_no_host_and_addresses_of_one_system_are_one() {
    let other = line("b", "X-2", 3, (1, 1), &[("account", "10.0.0.9")], &[]);
    assert_eq!(ids(&told(&[line("a", "X-1", 3, (0, 0), HOST, &[]), other])).len(), 2);
    let by =
        |ip: &str, uid: &str| line(uid, "X-1", 3, (0, 0), &[("device", ip)], &[("192.0.2.1", &format!("{ip}=pe1"))]);
    let (a, b) = (by("10.0.0.1", "a"), by("10.9.9.9", "b"));
    assert_eq!(ids(&told(&[a, b])).len(), 1);
}

#[test]
fn what_explains_another_is_in_its_story_and_blindness_is_in_none() {
    let (a, mut b) =
        (line("a", "X-1", 3, (0, 0), HOST, &[]), line("b", "X-2", 5, (900_000, 900_000), &[("task", "t")], &[]));
    b["unmapped"]["lidr"]["absorbed_by"] = json!("a");
    let mut blind = line("c", "AF-08", 4, (0, 0), &[("device", "tap1")], &[("10.0.0.9", "10.0.0.1")]);
    blind["unmapped"]["lidr"]["suspends"] = json!(["LI-15"]);
    let all = told(&[blind, b, a]);
    assert_eq!(ids(&all), [vec!["a", "b"], vec!["c"]]);
    let first = &stories(&all)[0];
    assert_eq!((first.severity, first.time), (Severity::Critical, (0, 900_000 * S)));
    assert_eq!(first.weightiest(&all).unwrap().uid, "a", "what is explained does not tell the story");
}

#[test]
fn the_order_in_which_findings_come_changes_nothing() {
    let ends = [("10.0.0.9", "10.0.0.1=pe1")];
    let mut lines: Vec<Value> = (0..40)
        .map(|i| {
            let host = format!("10.1.0.{}", i % 7);
            line(
                &format!("{i:02}"),
                &format!("X-{}", i % 5),
                1 + (i % 5) as u8,
                (i * 1_500, i * 1_500 + 10),
                &[("host", &host)],
                if i % 3 == 0 { &ends } else { &[] },
            )
        })
        .collect();
    let told_once = |lines: &[Value]| {
        let mut all = told(lines);
        all.sort_by_cached_key(Told::key);
        ids(&all)
    };
    let expected = told_once(&lines);
    assert!(expected.len() < 20, "{expected:?}");
    for _ in 0..7 {
        lines.rotate_left(11);
        lines.swap(3, 20);
        let all = told(&lines);
        assert_eq!(ids(&all), expected);
    }
}

#[test]
fn what_was_closed_is_in_no_story() {
    let mut closed = line("a", "X-1", 5, (0, 0), HOST, &[]);
    closed["activity_id"] = json!(3);
    assert!(stories(&told(&[closed])).is_empty());
}

#[test]
fn a_line_that_lacks_something_is_refused_with_what_it_lacks() {
    let without = |pointer: &str| {
        let mut line = line("a", "X-1", 3, (0, 0), HOST, &[]);
        *line.pointer_mut(pointer).unwrap() = Value::Null;
        Told::read(&line).unwrap_err()
    };
    assert_eq!(without("/finding_info/uid"), "needed finding_info/uid");
    assert_eq!(without("/finding_info/first_seen_time"), "needed finding_info/first_seen_time");
    assert!(without("/severity_id").contains("from 1 to 5"));
    assert!(Told::read(&json!([])).is_err() && Told::read(&json!({ "evidences": [3] })).is_err());
}

#[test]
fn the_last_line_stands_and_the_least_severe_go_first() {
    let mut kept = Kept::of_at_most(3);
    let mut take = |uid: &str, severity: u8, second: i64| {
        kept.take(Told::read(&line(uid, "X-1", severity, (second, second), HOST, &[])).unwrap());
    };
    take("a", 2, 0);
    take("b", 5, 1);
    take("a", 4, 0);
    take("c", 2, 20);
    take("d", 2, 1);
    take("e", 3, 9);
    assert_eq!((kept.len(), kept.left_out()), (5, 2));
    assert_eq!(
        kept.by_severity().iter().map(|(s, n)| (s.name(), *n)).collect::<Vec<_>>(),
        [("critical", 1), ("high", 1), ("medium", 1), ("low", 2)]
    );
    let mut closed = line("b", "X-1", 5, (1, 90), HOST, &[]);
    closed["activity_id"] = json!(3);
    kept.take(Told::read(&closed).unwrap());
    let open: Vec<_> = kept.open().iter().map(|(s, n)| (s.name(), *n)).collect();
    assert_eq!(open, [("high", 1), ("medium", 1), ("low", 2)], "what was closed does not stand");
    assert_eq!(kept.time(), Some((0, 20 * S)), "of those that are not kept, too");
    let left: Vec<(String, Severity)> = kept.told().into_iter().map(|f| (f.uid, f.severity)).collect();
    assert_eq!(left, [("a".into(), Severity::High), ("b".into(), Severity::Critical), ("e".into(), Severity::Medium)]);
}

/// An account at a host sets up a tap on a router, which then sends product away.
#[test]
fn who_touched_what_goes_from_accounts_to_destinations() {
    let actor = &[("device", "10.0.0.1"), ("host", "10.0.0.9"), ("account", "netops")];
    let sent = &[("device", "10.0.0.1"), ("destination", "203.0.113.80")];
    let all = told(&[
        line("a", "LI-06", 5, (0, 0), actor, &[("10.0.0.9", "10.0.0.1=pe1")]),
        line("b", "LI-04", 5, (5, 5), sent, &[("10.0.0.9", "10.0.0.1=pe1")]),
        line("c", "LI-14", 4, (9, 9), ROUTER, &[("10.0.0.1=pe1", "203.0.113.80"), ("10.0.0.1=pe1", "10.66.0.20=mdf1")]),
    ]);
    let net = Net::of(&all.iter().collect::<Vec<_>>());
    let name = |i: usize| net.nodes[i].name.as_str();
    let edges: Vec<String> =
        net.edges.iter().map(|e| format!("{} {} {}", name(e.from), name(e.to), e.codes().join(","))).collect();
    let mut sorted = edges.clone();
    sorted.sort();
    assert_eq!(
        sorted,
        ["10.0.0.9 pe1 LI-04,LI-06", "netops 10.0.0.9 LI-06", "pe1 203.0.113.80 LI-04,LI-14", "pe1 mdf1 LI-14"]
    );
    let places: BTreeMap<&str, Place> = net.nodes.iter().map(|n| (n.name.as_str(), n.place)).collect();
    let expected = [
        ("10.0.0.9", Place::Host),
        ("203.0.113.80", Place::Destination),
        ("mdf1", Place::Destination),
        ("netops", Place::Account),
        ("pe1", Place::System),
    ];
    assert_eq!(places, BTreeMap::from(expected));
    assert_eq!(net.in_words(&all.iter().collect::<Vec<_>>()), "netops → 10.0.0.9 → pe1 (core) → 203.0.113.80");
    assert_eq!(Names::of(&all).subject(&[&all[1]]), "pe1 → 203.0.113.80");
}
