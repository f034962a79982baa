//! What the page claims: no more than the findings hold, nothing of them forgotten.
use serde_json::{Value, json};

use super::{page, summary};
use crate::{
    output::digest,
    report::html::tests::balanced,
    story::{Kept, Told, tests::line},
};

const HOST: (&str, &str) = ("host", "10.0.0.9");
const DEVICE: (&str, &str) = ("device", "10.0.0.1");
const SINK: (&str, &str) = ("destination", "203.0.113.80");
const CLERK: (&str, &str) = ("account", "clerk");

/// Kinds and names, or who asked whom.
type Pairs<'a> = &'a [(&'a str, &'a str)];

/// The text of the page without its markup of names.
fn text(lines: &[Value]) -> String {
    let page = page(lines, &summary());
    balanced(&page).unwrap();
    page.replace("<strong>", "").replace("</strong>", "")
}

#[test]
fn the_first_sentence_says_who_did_what_where_whatever_is_known_of_it() {
    let asked = [("10.0.0.9", "10.0.0.1=pe1")];
    let answered = [("10.0.0.1=pe1", "10.0.0.9")];
    let came = [("198.51.100.7", "10.66.0.10=admf1")];
    let two = [("host", "198.51.100.7"), ("host", "10.66.0.10")];
    let cases: [(Pairs<'_>, Pairs<'_>, &str); 14] = [
        (&[HOST], &[], "what 10.0.0.9 did."),
        (&[DEVICE], &[], "what happened at 10.0.0.1."),
        (&[CLERK], &[], "what account clerk did."),
        (&[SINK], &[], "what goes to 203.0.113.80."),
        (&[HOST, SINK], &[], "what 10.0.0.9 did, and what goes to 203.0.113.80."),
        (&[DEVICE, SINK], &[], "what happened at 10.0.0.1, and what goes to 203.0.113.80."),
        (&[HOST, DEVICE], &asked, "what 10.0.0.9 did at pe1."),
        (&[HOST, DEVICE], &answered, "what 10.0.0.9 did at pe1."),
        (&[HOST, CLERK], &[], "what 10.0.0.9 (account clerk) did."),
        (&[CLERK, DEVICE], &[], "what account clerk did at 10.0.0.1."),
        (
            &[HOST, CLERK, DEVICE, SINK],
            &[],
            "what 10.0.0.9 (account clerk) did at 10.0.0.1, and what goes to 203.0.113.80.",
        ),
        (&two, &came, "what 198.51.100.7 did at admf1."),
        (&two, &[], "what 198.51.100.7 did at 10.66.0.10."),
        (&[("credential", "without TLS")], &[], "of no system in particular."),
    ];
    for (resources, ends, expected) in cases {
        let page = text(&[line("aaaaaaaaaa", "LI-19", 5, (5, 5), resources, ends)]);
        assert!(page.contains(&format!("it tells {expected}")), "{expected}\n{page}");
        assert!(page.contains("<p>At 1970-01-01 00:00:05 UTC lidr made 1 finding (1 critical): it tells "), "{page}");
        assert!(!page.contains(" 0 more") && !page.contains(" at ."), "{page}");
    }
}

#[test]
fn an_account_stands_with_the_one_host_that_it_was_seen_at() {
    let other = ("host", "10.0.0.8");
    let (a, b) = (
        line("aaaaaaaaaa", "LI-01", 5, (5, 5), &[HOST, CLERK, DEVICE], &[("10.0.0.9", "10.0.0.1")]),
        line("bbbbbbbbbb", "LI-02", 5, (6, 6), &[other, DEVICE], &[("10.0.0.8", "10.0.0.1")]),
    );
    let page = text(&[a.clone(), b]);
    assert!(page.contains("they tell what 10.0.0.8 and 10.0.0.9, and account clerk, did at 10.0.0.1."), "{page}");
    let alone = line("cccccccccc", "LI-24", 5, (7, 7), &[("account", "boss"), DEVICE], &[]);
    let page = text(&[a, alone]);
    assert!(page.contains("what 10.0.0.9 (account clerk), and account boss, did at 10.0.0.1."), "{page}");
}

#[test]
fn many_stories_are_not_told_as_one_and_equals_not_as_less() {
    let one = |i: i64| {
        let (host, device) = (format!("10.1.0.{i}"), format!("10.2.0.{i}"));
        let all = [("host", host.as_str()), ("device", device.as_str())];
        line(&format!("{i:010}"), "LI-01", 5, (i * 200_000, i * 200_000), &all, &[])
    };
    let page = text(&(0..20).map(one).collect::<Vec<_>>());
    assert!(
        page.contains(
            "From 1970-01-01 00:00:00 to 1970-02-13 23:33:20 UTC lidr made 20 findings (20 critical): they make 20 stories, and the weightiest \
             (1970-01-01 00:00:00 UTC) tells what 10.1.0.0 did at 10.2.0.0; the others stand below, none more severe."
        ),
        "{page}"
    );
    assert!(page.contains("In that story (times in UTC): title of LI-01"), "{page}");
    assert!(page.contains("8 more stories, none more severe") && !page.contains("of less weight"), "{page}");
}

#[test]
fn what_was_closed_counts_for_itself() {
    let mut closed = line("bbbbbbbbbb", "LI-09", 5, (900_000, 900_000), &[HOST], &[]);
    closed["activity_id"] = json!(3);
    let page = text(&[line("aaaaaaaaaa", "LI-01", 4, (5, 5), &[HOST], &[]), closed.clone()]);
    assert!(
        page.contains(
            "At 1970-01-01 00:00:05 UTC lidr made 1 finding (1 high): it tells what 10.0.0.9 did. One more was closed"
        ),
        "{page}"
    );
    assert!(page.contains("<li class=\"high\">") && !page.contains("<li class=\"critical\">"), "{page}");
    let page = text(&[closed]);
    assert!(page.contains("nothing that its rules found stands: 1 finding was closed"), "{page}");
    assert!(!page.contains("its rules found nothing"), "{page}");
}

#[test]
fn steps_say_their_day_where_it_is_another_one_and_how_severe_the_others_are() {
    let at = |code: &str, second: i64| line(&format!("a{second:09}"), code, 5, (second, second), &[HOST], &[]);
    let page = text(&[at("LI-01", 5), at("LI-02", 80_000), at("LI-03", 90_000)]);
    let said = page.replace("<span class=\"code\">", "").replace("</span>", "");
    assert!(
        said.contains(
            "In the order of time (UTC): title of LI-01 (LI-01 at 1970-01-01 00:00:05); title of LI-02 (LI-02 at 22:13:20); \
             title of LI-03 (LI-03 at 1970-01-02 01:00:00)."
        ),
        "{said}"
    );
    let page = text(&(0..8).map(|i| at(&format!("LI-{i:02}"), i)).collect::<Vec<_>>());
    assert!(page.contains("; and 2 more kinds, none more severe (2 critical)."), "{page}");
}

#[test]
fn packets_lost_before_the_capture_are_said_once_and_no_input_is_called_cut_for_them() {
    let mut told = summary();
    told["dropped"] = json!({});
    told["oddities"] = json!({});
    told["inputs"] = json!([{ "path": "a.pcapng", "dropped": 512 }]);
    let page_of = |told: &Value| page(&[], told);
    let lost = page_of(&told);
    assert!(lost.contains("512 packets were lost before the capture was written"), "{lost}");
    assert!(lost.contains("the interface that captured it dropped 512 packets"), "{lost}");
    assert!(!lost.contains("cut or unreadable") && !lost.contains("othing was dropped"), "{lost}");
    told["inputs"] = json!([{ "path": "a.pcapng", "truncated": true }]);
    let cut = page_of(&told);
    assert!(cut.contains("an input was cut or unreadable") && !cut.contains("Nothing was dropped"), "{cut}");
}

#[test]
fn how_sure_is_said_of_all_findings_of_a_step() {
    let (a, mut b) =
        (line("aaaaaaaaaa", "LI-01", 5, (5, 5), &[HOST], &[]), line("bbbbbbbbbb", "LI-01", 5, (6, 6), &[HOST], &[]));
    assert!(text(&[a.clone(), b.clone()]).contains("<dt>Confidence</dt><dd>high</dd>"));
    b["confidence"] = json!("Low");
    b["unmapped"]["lidr"]["pending"] = json!(true);
    b["unmapped"]["lidr"]["without"] = json!(["warrants"]);
    let page = text(&[a, b]);
    assert!(
        page.contains(
            "<dd>low (1 of 2), high (1 of 2); judged without site table warrants (1 of 2); not confirmed yet (1 of 2):"
        ),
        "{page}"
    );
}

#[test]
fn what_is_explained_by_what_is_explained_or_in_a_circle_does_not_vanish() {
    let by = |uid: &str, code: &str, other: Option<&str>| {
        let mut line = line(uid, code, 5, (5, 5), &[HOST], &[]);
        line["unmapped"]["lidr"]["absorbed_by"] = json!(other);
        line
    };
    let all = [
        by("aaaaaaaaaa", "X-1", None),
        by("bbbbbbbbbb", "X-2", Some("aaaaaaaaaa")),
        by("cccccccccc", "X-3", Some("bbbbbbbbbb")),
        by("dddddddddd", "X-4", Some("eeeeeeeeee")),
        by("eeeeeeeeee", "X-5", Some("dddddddddd")),
        by("ffffffffff", "X-6", Some("eeeeeeeeee")),
    ];
    let page = text(&all);
    for uid in all.iter().map(|l| l["finding_info"]["uid"].as_str().unwrap()) {
        assert!(page.contains(&format!("<code>{uid}</code>")), "{uid}\n{page}");
    }
    assert_eq!(page.matches("<article").count(), 2);
    let mut kept = Kept::default();
    all.iter().for_each(|l| kept.take(Told::read(l).unwrap()));
    let screen = digest(kept, false);
    assert!(screen.contains("with X-2, X-3") && screen.contains("with X-5, X-6"), "{screen}");
}

#[test]
fn what_a_step_explains_is_counted_where_the_step_is() {
    let lines = (0..70).flat_map(|i| {
        let (uid, other) = (format!("a{i:09}"), format!("b{i:09}"));
        let mut part = line(&other, &format!("Y-{i:02}"), 5, (i, i), &[HOST], &[]);
        part["unmapped"]["lidr"]["absorbed_by"] = json!(uid);
        [line(&uid, &format!("X-{i:02}"), 5, (i, i), &[HOST], &[]), part]
    });
    let page = text(&lines.collect::<Vec<_>>());
    for i in 0..70 {
        assert!(page.contains(&format!("Y-{i:02}</span>")), "Y-{i:02}");
    }
}

#[test]
fn a_table_that_is_cut_is_not_said_to_be_whole_and_every_list_has_an_end() {
    let one = |i: i64| {
        let host = format!("10.1.0.{i}");
        line(&format!("{i:010}"), "LI-01", 5, (i, i), &[("host", &host), DEVICE], &[(&host, "10.0.0.1")])
    };
    let few = text(&(0..3).map(one).collect::<Vec<_>>());
    assert!(
        few.contains("The table below has all of it.") && few.contains("The table below has each of them."),
        "{few}"
    );
    let lines: Vec<Value> = (0..90).map(one).collect();
    let mut told = summary();
    let rules =
        (0..2_000).map(|i| json!({ "code": format!("R-{i}"), "reason": format!("reason {i}"), "partly": false }));
    told["rules"]["not_evaluated"] = rules.collect();
    told["inputs"] = (0..5_000).map(|i| json!({ "path": format!("f{i}.pcap"), "error": "bad" })).collect();
    told["oddities"] = Value::Object((0..70).map(|i| (format!("odd{i}"), json!(1))).collect());
    let page = page(&lines, &told);
    for words in [
        "The table below has the 60 most severe of 90 pairs.",
        "The table below has the 80 most severe of them.",
        "And 1950 more reasons",
        "And 4950 more lines",
        "And 21 more kinds",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains("has all of it") && !page.contains("has each of them") && page.len() < 400_000);
}

#[test]
fn a_name_has_so_much_room_in_a_sentence_and_no_more() {
    let name = "d".repeat(300);
    let lines = [line("aaaaaaaaaa", "LI-01", 5, (5, 5), &[HOST, ("device", &name)], &[])];
    let short = format!("{}…", "d".repeat(59));
    let page = text(&lines);
    assert!(page.contains(&format!("what 10.0.0.9 did at {short}.")), "{page}");
    assert!(page.contains(&format!("Story 1: 10.0.0.9 → {short}</h3>")) && page.contains(&name), "{page}");
}

#[test]
fn commands_have_a_site_only_where_the_run_had_one_and_settings_are_told() {
    let (mut line, mut told) = (line("aaaaaaaaaa", "LI-01", 5, (5, 5), &[HOST], &[]), summary());
    line["unmapped"]["lidr"]["site_hash"] = json!("");
    told["site_hash"] = json!("");
    let lines = [line];
    assert!(!page(&lines, &told).contains("--site"));
    told["site_hash"] = json!("s1");
    told["settings"] = json!({ "file": "lidr.toml", "environment": ["LIDR_KEY", "LIDR_SITE"] });
    let beside = page(&lines, &told);
    assert!(beside.contains("lidr explain ID --from out/x --site SITE"), "{beside}");
    assert!(
        beside.contains("from the settings file <code>lidr.toml</code> and the environment (<code>LIDR_KEY</code>, <code>LIDR_SITE</code>)"),
        "{beside}"
    );
    told["command"] = json!(["lidr", "replay", "a.pcap", "--site", "my site"]);
    let named = page(&lines, &told);
    assert!(named.contains("lidr evidence ID --from out/x --site &#39;my site&#39; --file"), "{named}");
}
