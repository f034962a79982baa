//! Every capture of the reference collection, where it is there: no panic, packet counts equal to the file's own.
use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    lidr::{ok, summary},
    tree::root,
};

/// All of them; where there is none, `test` says that it was skipped.
fn captures(test: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["li", "mgmt", "lateral", "telecom", "tunnel"] {
        let Ok(entries) = fs::read_dir(root().join("../shared/captures").join(folder)) else { continue };
        let is_capture = |p: &PathBuf| p.extension().is_some_and(|e| e == "pcap" || e == "cap" || e == "pcapng");
        found.extend(entries.flatten().map(|e| e.path()).filter(is_capture));
    }
    found.sort();
    if found.is_empty() {
        println!("\nskipped: {test}: the reference collection is not here");
    }
    found
}

/// Records of a capture, counted without lidr: classic records by their lengths, pcapng packet blocks by their types.
fn records(path: &Path) -> u64 {
    let data = fs::read(path).unwrap();
    let word = |at: usize, big: bool| {
        let four: [u8; 4] = data[at..at + 4].try_into().unwrap();
        if big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
    };
    let magic = word(0, true);
    let mut n = 0;
    if magic == 0x0a0d_0d0a {
        let (mut at, mut big) = (0, false);
        while at + 12 <= data.len() {
            if word(at, true) == 0x0a0d_0d0a {
                big = word(at + 8, true) == 0x1a2b_3c4d;
            }
            n += u64::from(matches!(word(at, big), 2 | 3 | 6));
            at += word(at + 4, big) as usize;
        }
        return n;
    }
    let big = magic == 0xa1b2_c3d4 || magic == 0xa1b2_3c4d;
    let mut at = 24;
    while at + 16 <= data.len() {
        at += 16 + word(at + 8, big) as usize;
        n += u64::from(at <= data.len());
    }
    n
}

/// Without rules, capture by capture: that is about packets, and the planning of all rules would cost more than all captures.
#[test]
fn every_capture_replays_and_counts() {
    for path in captures("every_capture_replays_and_counts") {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        ok(["replay", path.to_str().unwrap(), "--no-builtin", "--quiet", "--out", out.to_str().unwrap()]);
        let summary = summary(&out);
        assert_eq!(summary["packets"].as_u64(), Some(records(&path)), "{}", path.display());
        assert!(
            summary["rows"]["flow"].as_u64().unwrap_or_default() > 0 || records(&path) < 3,
            "{}: {summary}",
            path.display()
        );
    }
}

/// Traffic of the intercept plane with every rule: nothing of it ends a rule.
#[test]
fn captures_of_the_intercept_plane_are_judged_by_every_rule() {
    let all = captures("captures_of_the_intercept_plane_are_judged_by_every_rule");
    for path in all.into_iter().filter(|path| path.parent().is_some_and(|p| p.ends_with("li"))) {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        ok(["replay", path.to_str().unwrap(), "--quiet", "--out", out.to_str().unwrap()]);
        let summary = summary(&out);
        assert!(summary["rules"]["evaluated"].as_u64().unwrap() > 5, "{}: {summary}", path.display());
        let reasons =
            summary["rules"]["not_evaluated"].as_array().unwrap().iter().map(|r| r["reason"].as_str().unwrap());
        let strange: Vec<&str> =
            reasons.filter(|r| !["needs ", "suspended ", "its windows "].iter().any(|w| r.starts_with(w))).collect();
        assert!(strange.is_empty(), "{}: {strange:?}", path.display());
    }
}
