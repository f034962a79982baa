//! What a tired analyst reads: one screen for a night, by story; every finding in full for who asks.
use crate::{
    lidr::{lidr, ok},
    runs::{NAMES, replayed},
};

#[test]
fn a_night_is_one_screen_whatever_happened_in_it() {
    for name in NAMES {
        let run = replayed(name);
        let text = String::from_utf8(run.told[0].clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() <= 34 && lines.iter().all(|l| l.chars().count() <= 120), "{name}:\n{text}");
        assert_eq!(lines.is_empty(), run.findings.is_empty(), "{name}:\n{text}");
        assert!(!text.contains('\x1b'), "colour where no terminal is");
        let worst = run.findings.values().filter(|f| f["severity_id"] == 5 && f["activity_id"] != 3);
        for finding in worst {
            let code = finding["finding_info"]["analytic"]["uid"].as_str().unwrap();
            assert!(
                text.contains(&format!("critical {code}"))
                    || text.contains(&format!("with {code}"))
                    || text.contains(&format!(", {code}")),
                "{name}: {code} is not told:\n{text}"
            );
        }
    }
}

#[test]
fn a_story_names_who_whom_and_where_to_and_what_to_do_next() {
    let run = replayed("s3");
    let [text, told] = [0, 1].map(|i| String::from_utf8(run.told[i].clone()).unwrap());
    assert!(
        text.starts_with("CRITICAL  netops → 10.20.0.99 (mgmt) → pe1 (core) → 203.0.113.80 (internet), "),
        "{text}"
    );
    assert!(text.contains("  pe1 → 203.0.113.80\n    02:15:00 critical LI-04  "), "{text}");
    assert!(text.contains("no order in the warrant register covers") && text.contains("\n  look at  "), "{text}");
    assert!(
        told.contains("next      lidr explain ID --from ") && told.contains("lidr report incident --from "),
        "{told}"
    );
    let short = text.lines().find(|l| l.contains("LI-01")).and_then(|l| l.split_whitespace().rev().nth(2)).unwrap();
    assert!(ok(["explain", short, "--from", run.out.to_str().unwrap()]).contains("Tap without a warrant"), "{short}");
}

#[test]
fn who_asks_for_all_gets_every_finding_in_full_and_json_is_a_line_each() {
    let run = replayed("s4");
    let (lake, site) = (&run.lake, run.s.path("site"));
    let all = ok(["hunt", "--lake", lake, "--site", &site, "--all"]);
    assert_eq!(all.matches("\n  harmless if ").count(), run.findings.len(), "{all}");
    for uid in run.findings.keys() {
        assert!(all.contains(uid), "{all}");
    }
    let json = lidr(["hunt", "--lake", lake, "--site", &site, "--format", "json"]);
    let lines = String::from_utf8(json.stdout).unwrap();
    assert!(lines.lines().count() >= run.findings.len() && lines.lines().all(|l| l.starts_with('{')), "{lines}");
    assert!(!String::from_utf8(json.stderr).unwrap().contains("next      "));
}
