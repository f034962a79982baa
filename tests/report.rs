//! `lidr report`: the state of taps in simulated nights, in every format, without an identifier in clear.
use std::{collections::BTreeMap, fs, sync::OnceLock};

use serde_json::Value;

use crate::lidr::{Simulated, lidr, ok};

/// A scenario whose rows stand in a lake inside of its output folder; no rule is needed for that.
fn night(name: &'static str, cell: &'static OnceLock<Simulated>) -> &'static Simulated {
    cell.get_or_init(|| {
        let s = Simulated::new(name, 500);
        let (capture, out, lake) = (s.path("capture.pcap"), s.path("out"), s.path("out/lake"));
        ok(["replay", &capture, "--no-builtin", "--site", &s.path("site"), "--out", &out, "--lake", &lake, "--quiet"]);
        s
    })
}

static S3: OnceLock<Simulated> = OnceLock::new();
static S4: OnceLock<Simulated> = OnceLock::new();
static S5: OnceLock<Simulated> = OnceLock::new();
static QUIET: OnceLock<Simulated> = OnceLock::new();

fn report(s: &Simulated, more: &[&str]) -> String {
    let (from, site) = (s.path("out"), s.path("site"));
    let mut args = vec!["report", "taps", "--from", &from, "--site", &site];
    args.extend(more);
    ok(args)
}

fn taps(s: &Simulated, more: &[&str]) -> Vec<Value> {
    let text = report(s, &[&["--format", "json"], more].concat());
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn count(taps: &[Value]) -> BTreeMap<&str, usize> {
    let mut out = BTreeMap::new();
    for tap in taps {
        *out.entry(tap["state"].as_str().unwrap()).or_default() += 1;
    }
    out
}

#[test]
fn a_tap_without_an_order_stands_beside_three_that_have_one() {
    let taps = taps(night("s3", &S3), &[]);
    assert_eq!(count(&taps), BTreeMap::from([("authorised", 3), ("unauthorised", 1)]), "{taps:#?}");
    let bad = taps.iter().find(|t| t["state"] == "unauthorised").unwrap();
    assert_eq!(
        (&bad["at"], &bad["admf"], &bad["order"]),
        (&"pe1".into(), &"no request seen".into(), &"".into()),
        "{bad}"
    );
    assert!(bad["wire"].as_str().unwrap().contains("203.0.113.80 port 1813"), "{bad}");
    assert!(bad["evidence"].as_str().unwrap().starts_with("frame "), "{bad}");
    assert_eq!(bad["disagree"], "register/element, register/wire, admf/element, admf/wire");
}

#[test]
fn a_redirected_tap_is_redirected_while_it_is() {
    let s = night("s4", &S4);
    let during = taps(s, &["--at", "2026-11-20T02:30:00Z"]);
    // The run read the register long after that night.
    assert!(during[0]["notes"].to_string().contains("other site tables are those of now"), "{}", during[0]);
    assert_eq!(count(&during), BTreeMap::from([("authorised", 1), ("redirected", 1)]), "{during:#?}");
    let bad = during.iter().find(|t| t["state"] == "redirected").unwrap();
    assert!(bad["reason"].as_str().unwrap().contains("203.0.113.81 port 9000, no registered destination"), "{bad}");
    assert_eq!(count(&taps(s, &[])), BTreeMap::from([("authorised", 2)]));
}

/// An emergency, a renewal, a failover, a migration under a ticket, a shared order, a test: all of them lawful, at any time.
#[test]
fn a_night_of_look_alikes_has_only_lawful_taps() {
    let s = night("quiet-benign", &QUIET);
    for more in [&["--at", "2026-11-20T02:45:00Z"][..], &[]] {
        let taps = taps(s, more);
        assert_eq!(count(&taps), BTreeMap::from([("authorised", 4)]), "{more:?}: {taps:#?}");
    }
}

#[test]
fn product_of_a_hundred_taps_that_no_list_has_is_orphaned() {
    let taps = taps(night("s5", &S5), &["--at", "2026-11-20T02:40:00Z"]);
    assert_eq!(count(&taps), BTreeMap::from([("authorised", 1), ("orphaned", 100), ("redirected", 1)]), "{taps:#?}");
}

#[test]
fn no_format_holds_an_identifier_in_clear_and_files_are_written_whole() {
    let s = night("s4", &S4);
    let register = fs::read_to_string(s.path("site/warrants.csv")).unwrap();
    let words: Vec<&str> =
        register.lines().skip(1).flat_map(|l| [0, 3, 11, 12].map(|i| l.split(',').nth(i).unwrap())).collect();
    assert!(words.contains(&"LIID-000123") && words.contains(&"001010123456789"), "{words:?}");
    for format in ["text", "csv", "html", "json"] {
        let out = s.path("out");
        let run =
            lidr(["report", "taps", "--from", &out, "--site", &s.path("site"), "--format", format, "--out", &out]);
        assert!(run.status.success() && run.stdout.is_empty(), "{}", String::from_utf8_lossy(&run.stderr));
        let ending = match format {
            "text" => "txt",
            "json" => "ndjson",
            other => other,
        };
        let text = fs::read_to_string(s.path(&format!("out/taps.{ending}"))).unwrap();
        assert!(text.contains("authorised") || text.contains("AUTHORISED"), "{text}");
        for word in &words {
            assert!(!text.contains(word), "{format} holds {word}");
        }
    }
    let html = fs::read_to_string(s.path("out/taps.html")).unwrap();
    assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>\n"));
}

#[test]
fn what_a_report_cannot_do_without_is_said() {
    let s = night("s3", &S3);
    let said = |args: &[&str]| {
        let run = lidr(args);
        assert_eq!(run.status.code(), Some(2));
        String::from_utf8(run.stderr).unwrap()
    };
    let (out, site) = (s.path("out"), s.path("site"));
    assert!(said(&["report", "taps", "--from", &out]).contains("needed site table warrants"));
    assert!(said(&["report", "taps", "--from", &site, "--site", &site]).contains("no rows: needed TABLE/day="));
    assert!(
        said(&["report", "taps", "--from", &out, "--site", &site, "--at", "2020-01-01T00:00:00Z"])
            .contains("which the data cover")
    );
}
