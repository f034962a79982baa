//! The shape of the sources: short files that open with an essay, decoders that are listed, rules that say everything.
use crate::tree::{files, read};

#[test]
fn no_source_file_is_longer_than_500_lines() {
    let long: Vec<_> =
        files(".", ".rs").into_iter().map(|f| (read(&f).lines().count(), f)).filter(|(n, _)| *n > 500).collect();
    assert!(long.is_empty(), "split these: {long:?}");
}

#[test]
fn every_source_file_opens_with_a_module_doc() {
    let sources = files(".", ".rs");
    assert!(sources.len() > 50, "looked in the wrong place: {} files", sources.len());
    let bare: Vec<_> = sources.into_iter().filter(|f| !read(f).lines().take(3).any(|l| l.starts_with("//!"))).collect();
    assert!(bare.is_empty(), "say what these files are for: {bare:?}");
}

#[test]
fn no_lint_is_silenced_and_no_test_is_switched_off() {
    let marks = ["#[allow(", "#![allow(", "#[ignore", "#[expect("];
    let silenced: Vec<_> = files(".", ".rs")
        .into_iter()
        .filter(|f| !f.ends_with("tests/shape.rs"))
        .filter(|f| marks.iter().any(|m| read(f).contains(m)))
        .collect();
    assert!(silenced.is_empty(), "mend instead of silencing: {silenced:?}");
}

/// A decoder is a file of `ingest/src/decode` that makes a `Protocol`; each must stand in the list that dispatch is made from.
#[test]
fn every_decoder_file_is_listed() {
    let list = read("ingest/src/decode/mod.rs".as_ref());
    let helpers = ["mod", "rows", "pairs", "testing"];
    let mut decoders = 0;
    for file in files("ingest/src/decode", ".rs") {
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        let top = file.parent().is_some_and(|p| p.ends_with("decode"));
        if !top || helpers.contains(&stem.as_str()) || !read(&file).contains("Protocol {") {
            continue;
        }
        decoders += 1;
        assert!(list.contains(&format!("{stem}::")), "{stem}.rs is not in decode::ALL");
    }
    assert!(decoders >= 6, "found {decoders} decoders");
}

#[test]
fn every_rule_says_what_it_cannot_see_and_what_to_do() {
    let rules: Vec<_> = files("rules", ".yml").into_iter().filter(|f| read(f).contains("\ncode: ")).collect();
    assert!(rules.len() >= 11, "found {} rules", rules.len());
    for rule in rules {
        let text = read(&rule);
        for key in ["blind_spots:", "triage:", "benign_if:", "falsepositives:", "message:", "tests:"] {
            assert!(text.contains(key), "{} has no `{key}`", rule.display());
        }
    }
}
