//! README and docs: commands that there are, rules that there are, links that lead somewhere.
use std::collections::BTreeMap;

use crate::{
    lidr::ok,
    tree::{files, read, root},
};

fn pages() -> Vec<(String, String)> {
    let docs = files("docs", ".md");
    assert!(docs.len() >= 3, "{docs:?}");
    std::iter::once("README.md".into()).chain(docs).map(|p| (p.display().to_string(), read(&p))).collect()
}

#[test]
fn commands_in_the_docs_have_only_options_that_lidr_takes() {
    let (mut helps, mut commands): (BTreeMap<Vec<String>, String>, usize) = Default::default();
    for (page, text) in pages() {
        for line in text.lines().filter_map(|l| l.strip_prefix("    lidr ")) {
            let line = line.split('#').next().unwrap_or_default();
            let words: Vec<&str> = line.split_whitespace().collect();
            // `report`, `rules` and the like have verbs of their own.
            let deep = matches!(words[0], "report" | "rules" | "sources")
                || words[..2.min(words.len())] == ["evidence", "verify"];
            let verb: Vec<String> = words.iter().take(1 + usize::from(deep)).map(|w| (*w).to_owned()).collect();
            let help =
                helps.entry(verb.clone()).or_insert_with(|| ok(verb.iter().map(String::as_str).chain(["--help"])));
            for option in words.iter().filter(|w| w.starts_with("--")) {
                assert!(
                    help.contains(&format!("{option} ")) || help.contains(&format!("{option}\n")),
                    "{page}: lidr {line}: no {option}"
                );
            }
            commands += 1;
        }
    }
    assert!(commands > 15, "{commands} commands");
}

#[test]
fn the_readme_lists_the_rules_that_there_are() {
    let readme = read("README.md".as_ref());
    for rule in ok(["rules", "list"]).lines() {
        assert!(readme.contains(&format!("    {}\n", rule.trim_end())), "README.md lacks: {rule}");
    }
}

#[test]
fn links_between_the_docs_lead_somewhere() {
    for (page, text) in pages() {
        let folder = root().join(&page).parent().map(std::path::Path::to_path_buf).unwrap();
        for link in text.split("](").skip(1).filter_map(|l| l.split(')').next()).filter(|l| !l.starts_with("http")) {
            assert!(folder.join(link).exists(), "{page}: {link}");
        }
    }
}
