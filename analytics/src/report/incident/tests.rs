//! The page: whole, escaped, bounded, the same each time.
mod true_words;

use serde_json::{Value, json};

use super::{
    layout::{BOX, layout},
    *,
};
use crate::{report::html::tests::balanced, story::tests::line};

fn page(lines: &[Value], summary: &Value) -> String {
    let mut findings = Kept::default();
    lines.iter().for_each(|l| findings.take(Told::read(l).unwrap()));
    Incident { folder: "out/x".into(), findings, summary: summary.clone(), notes: Vec::new() }.html()
}

/// The summary of a run that could not see everything.
fn summary() -> Value {
    json!({
        "verb": "replay", "command": ["lidr", "replay", "a b.pcap", "--out", "out/x"], "version": "0.1.0", "key_id": "k1", "site_hash": "s1",
        "inputs": [{ "path": "dir/a b.pcap", "capture": "e-00000", "size": 77, "packets": 5, "first": 1_000_000, "last": 9_000_000, "truncated": true, "sha256": "abcd" },
            { "path": "none.pcap", "error": "empty" }],
        "packets": 5, "rows": { "flow": 3 }, "oddities": { "gap": 2 }, "dropped": { "held": 4 }, "skipped": {}, "late": 0,
        "rules": { "loaded": 31, "evaluated": 29, "not_evaluated": [
            { "code": "LI-01", "reason": "needs site table warrants", "partly": false }, { "code": "LI-02", "reason": "needs site table warrants", "partly": false },
            { "code": "LI-15", "reason": "suspended in 3 windows", "partly": true }] },
    })
}

const TAP: &[(&str, &str)] = &[("host", "10.0.0.9"), ("device", "10.0.0.1"), ("account", "netops")];

fn attack() -> Vec<Value> {
    let ends = [("10.0.0.9", "10.0.0.1=pe1")];
    let mut part =
        line("cccccccccc", "LI-14", 5, (8, 8), &[("device", "10.0.0.1"), ("destination", "203.0.113.80")], &ends);
    part["unmapped"]["lidr"]["absorbed_by"] = json!("bbbbbbbbbb");
    let mut file = line("dddddddddd", "LI-24", 3, (9, 9), &[("account", "clerk")], &[("10.0.0.9", "10.0.0.8")]);
    file["evidences"][0]["data"] = json!({ "file": "audit.ndjson", "line": 17 });
    file["unmapped"]["lidr"]["without"] = json!(["accounts"]);
    vec![
        line("aaaaaaaaaa", "LI-09", 4, (2, 3), TAP, &ends),
        line("bbbbbbbbbb", "LI-01", 5, (5, 7), TAP, &ends),
        part,
        file,
    ]
}

#[test]
fn a_page_tells_what_happened_by_what_proof_and_what_was_not_seen() {
    let page = page(&attack(), &summary());
    let tags = balanced(&page).unwrap();
    assert_eq!(
        [tags["h1"], tags["h2"], tags["svg"], tags["article"]],
        [1, 6, 2, 3],
        "what another explains has no article"
    );
    for words in [
        "lidr made 4 findings (2 critical, 1 high, 1 medium): they tell what <strong>10.0.0.9</strong> (account <strong>netops</strong>) did at <strong>pe1</strong>",
        "In the order of time (UTC): title of LI-09 (<span class=\"code\">LI-09</span> at 1970-01-01 00:00:02)",
        "29 of 31 rules judged, and 2 could not; 1 rule judged only at times, 4 items were dropped, 2 inputs were cut or unreadable",
        "frame 1 of <span class=\"code\">a b.pcap</span>",
        "<span class=\"code\">audit.ndjson:17</span>",
        "<dt>Harmless if</dt><dd>a test</dd>",
        "<dt>Look at next</dt><dd>ask</dd>",
        "<dt>Explains</dt><dd><ul><li><span class=\"code\">LI-14</span>",
        "<th scope=\"row\">needs site table warrants</th><td><span class=\"code\">LI-01, LI-02</span></td><td>not at all</td>",
        "<td><span class=\"code\">LI-15</span></td><td>at times</td>",
        "<span class=\"code\">accounts</span>: findings of LI-24",
        "none.pcap</span>: empty",
        "lidr replay &#39;a b.pcap&#39; --out out/x",
        "<code>abcd</code>",
        "not taken (--hash)",
        "lidr explain ID --from out/x",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
}

/// Read with a keyboard, on paper and by a screen reader: what can be seen in the text of the page.
#[test]
fn a_page_needs_nothing_else_and_no_mouse() {
    let page = page(&attack(), &summary());
    for outside in
        ["http:", "https:", "src=", "<script", "@import", "<link", "<img", "<iframe", "javascript:", " on", ":hover"]
    {
        let inside = page.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "");
        let found = inside.match_indices(outside).find(|(at, _)| {
            outside != " on"
                || inside[*at..]
                    .split(['=', ' '])
                    .nth(1)
                    .is_some_and(|w| w.starts_with("on") && inside[*at + 1 + w.len()..].starts_with('='))
        });
        assert_eq!(found, None, "{outside}");
    }
    assert!(page.contains("url(#tip)") && page.matches("url(").count() == page.matches("url(#").count());
    assert!(page.contains("default-src 'none'"));
    assert!(page.contains("@media print") && page.contains("@page{size:A4"));
    let ids: std::collections::BTreeSet<&str> =
        page.split(" id=\"").skip(1).filter_map(|p| p.split('"').next()).collect();
    assert_eq!(ids.len(), page.matches(" id=\"").count(), "an id is given once");
    for link in page.split("href=\"#").skip(1).filter_map(|p| p.split('"').next()) {
        assert!(ids.contains(link), "nothing is at #{link}");
    }
    let levels: Vec<u8> = page
        .match_indices("<h")
        .filter_map(|(i, _)| page.as_bytes().get(i + 2).copied())
        .filter(u8::is_ascii_digit)
        .map(|d| d - b'0')
        .collect();
    assert!(levels[0] == 1 && levels.windows(2).all(|w| w[1] <= w[0] + 1), "headings leave out a level: {levels:?}");
    assert_eq!(page.matches("<table>").count(), page.matches("<caption>").count());
    assert_eq!(page.matches("<th ").count(), page.matches("<th scope=").count());
    assert_eq!(page.matches("<svg ").count(), page.matches("role=\"img\" aria-labelledby=").count());
    assert!(page.split("tabindex=\"").skip(1).all(|p| p.starts_with('0')));
}

#[test]
fn names_from_the_wire_stay_text() {
    let bad = "<script>alert(1)</script>\" onload=\"x' \u{202e}&lt;";
    let mut line = line(
        "aaaaaaaaaa",
        bad,
        5,
        (2, 3),
        &[("account", bad), ("host", bad), ("device", bad), ("destination", "x<svg>")],
        &[("<b>", "10.0.0.1=<i>")],
    );
    for field in [
        "/message",
        "/finding_info/title",
        "/unmapped/lidr/triage",
        "/unmapped/lidr/benign_if",
        "/unmapped/lidr/blind_spots",
        "/unmapped/lidr/site_hash",
        "/unmapped/lidr/rule_sha256",
    ] {
        *line.pointer_mut(field).unwrap() = json!(bad);
    }
    line["unmapped"]["lidr"]["without"] = json!([bad]);
    line["evidences"][0]["data"] = json!({ "file": bad, "line": 3 });
    let mut blind = line.clone();
    blind["finding_info"]["uid"] = json!("bbbbbbbbbb");
    blind["unmapped"]["lidr"]["suspends"] = json!([bad]);
    let mut told = summary();
    for field in
        ["/inputs/0/path", "/inputs/1/error", "/rules/not_evaluated/0/reason", "/command/2", "/version", "/key_id"]
    {
        *told.pointer_mut(field).unwrap() = json!(bad);
    }
    told["oddities"] = json!({ bad: 3 });
    let page = page(&[line, blind], &told);
    balanced(&page).unwrap();
    assert!(!page.contains("<script") && !page.contains("onload=\"x") && !page.contains('\u{202e}'), "{page}");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

#[test]
fn ten_thousand_findings_make_a_page_that_is_bounded_and_counts_the_rest() {
    let one = |i: i64| {
        let (host, device) = (format!("10.{}.{}.9", i / 250, i % 250), format!("10.200.{}.1", i / 400));
        line(
            &format!("{i:010}"),
            &format!("LM-{:02}", i % 23),
            1 + (i % 5) as u8,
            (i * 9, i * 9),
            &[("host", &host), ("device", &device)],
            &[(&host, &device)],
        )
    };
    let lines: Vec<Value> = (0..10_000).map(one).collect();
    let page = page(&lines, &summary());
    balanced(&page).unwrap();
    assert!(page.len() < 1_500_000, "{} octets", page.len());
    assert!(page.contains("lidr made 10000 findings (2000 critical"), "{}", page.get(..6_000).unwrap_or_default());
    assert!(page.contains("and 17 more") || page.contains("more</text>"));
    assert!(page.contains("findings.ndjson"));
}

#[test]
fn without_findings_it_says_what_was_looked_at() {
    let text = page(&[], &summary());
    balanced(&text).unwrap();
    assert!(
        text.contains(
            "lidr looked at 5 packets and 3 rows from 1970-01-01 00:00:01 to 00:00:09 UTC and its rules found nothing."
        ),
        "{text}"
    );
    assert!(
        text.contains("no statement that the network is clean")
            && text.contains("There are no findings")
            && text.contains("needs site table warrants")
    );
    let nothing = page(&[], &Value::Null);
    assert!(nothing.contains("has not written its summary") && !nothing.contains("found nothing"), "{nothing}");
    balanced(&nothing).unwrap();
    // What a watch writes when it begins.
    let running = page(&attack(), &json!({ "verb": "watch", "group": "lidr", "key_id": "k1" }));
    assert!(
        running.contains("has written no summary: what is not told") && !running.contains("rules judged"),
        "{running}"
    );
    assert!(!running.contains("Nothing was dropped"), "{running}");
}

#[test]
fn the_same_folder_gives_the_same_page() {
    let mut lines = attack();
    let first = page(&lines, &summary());
    lines.reverse();
    assert_eq!(page(&lines, &summary()), first);
}

/// Any net: boxes and codes stand apart, and everything is inside of the picture.
#[test]
fn nothing_in_the_graph_stands_on_anything_else() {
    let mut seed = 7u64;
    let mut roll = |n: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % n
    };
    for round in 0..60 {
        let mut lines = Vec::new();
        for i in 0..1 + roll(40) {
            let (a, b) = (format!("10.0.0.{}", roll(12)), format!("10.0.1.{}", roll(12)));
            let (user, to) = (format!("u{}", roll(4)), format!("203.0.113.{}", roll(11)));
            let all = [
                ("host", a.as_str()),
                ("device", b.as_str()),
                ("account", user.as_str()),
                ("destination", to.as_str()),
            ];
            let from = roll(3) as usize;
            let ends = [(b.as_str(), to.as_str()), (b.as_str(), a.as_str()), (a.as_str(), "10.0.1.1")];
            lines.push(line(
                &format!("{i:010}"),
                &format!("LI-{:02}", roll(20)),
                1 + roll(5) as u8,
                (1, 2),
                &all[from..],
                &ends[..roll(4) as usize],
            ));
        }
        let told: Vec<Told> = lines.iter().map(|l| Told::read(l).unwrap()).collect();
        let net = Net::of(&told.iter().collect::<Vec<_>>());
        let layout = layout(&net);
        let boxes = layout.boxes.iter().map(|b| (b.x, b.y, b.x + b.width, b.y + BOX));
        let codes = layout.lines.iter().map(|l| {
            let (w, h) = (45, l.codes.len() as i32 * 14 / 2);
            (l.label.0 - w, l.label.1 - h, l.label.0 + w, l.label.1 + h)
        });
        let all: Vec<_> = boxes.chain(codes).collect();
        for (i, a) in all.iter().enumerate() {
            assert!(
                a.0 >= 0 && a.1 >= 0 && a.2 <= layout.width && a.3 <= layout.height,
                "{round}: {a:?} in {}x{}",
                layout.width,
                layout.height
            );
            for b in &all[..i] {
                assert!(a.0 >= b.2 || b.0 >= a.2 || a.1 >= b.3 || b.1 >= a.3, "{round}: {a:?} on {b:?}");
            }
        }
        assert!(layout.lines.len() <= layout::MOST_LINES);
    }
}
