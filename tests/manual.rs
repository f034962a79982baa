//! Manual pages, completions, the list of settings: every verb is there, and the programs that read them take them.
use std::{collections::BTreeSet, fs, path::Path, process::Command};

use crate::lidr::{lidr, ok};

/// Verbs and verbs under them, as help lists them.
fn verbs(of: &[String]) -> BTreeSet<String> {
    let mut args = of.to_vec();
    args.push("--help".to_owned());
    let help = ok(&args);
    let mut out = BTreeSet::new();
    let listed = help.lines().skip_while(|l| !l.starts_with("Commands:")).skip(1).take_while(|l| !l.is_empty());
    for name in
        listed.filter(|l| l.starts_with("  ") && !l.starts_with("   ")).filter_map(|l| l.split_whitespace().next())
    {
        if name == "help" {
            continue;
        }
        let path: Vec<String> = of.iter().cloned().chain([name.to_owned()]).collect();
        out.insert(path.join("-"));
        out.extend(verbs(&path));
    }
    out
}

/// Runs a program on a file, where it is there; what it complained of.
fn complaints(test: &str, program: &str, args: &[&str], file: &Path) -> Option<String> {
    let Ok(out) = Command::new(program).args(args).arg(file).env("LC_ALL", "C.UTF-8").output() else {
        let required = format!("LIDR_REQUIRE_{}", program.to_uppercase());
        assert!(std::env::var_os(&required).is_none(), "{program} is required and is not here");
        println!("\nskipped: {test}: {program} is not here");
        return None;
    };
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{program} {}: {said}", file.display());
    Some(said)
}

#[test]
fn every_verb_has_a_page_that_troff_takes() {
    let dir = tempfile::tempdir().unwrap();
    ok(["man", "--out", dir.path().to_str().unwrap()]);
    let pages: BTreeSet<String> =
        fs::read_dir(dir.path()).unwrap().flatten().map(|e| e.file_name().into_string().unwrap()).collect();
    let mut needed: BTreeSet<String> = verbs(&[]).into_iter().map(|v| format!("lidr-{v}.1")).collect();
    needed.insert("lidr.1".to_owned());
    assert!(needed.len() > 20 && needed.contains("lidr-rules-check.1"), "{needed:?}");
    assert_eq!(pages, needed);
    let mut groff = true;
    for page in &pages {
        let path = dir.path().join(page);
        let text = fs::read_to_string(&path).unwrap();
        for section in ["NAME", "SYNOPSIS", "EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO"] {
            assert!(text.replace('"', "").contains(&format!(".SH {section}\n")), "{page} lacks {section}");
        }
        assert!(text.is_ascii(), "{page}");
        let test = "every_verb_has_a_page_that_troff_takes";
        let said = groff.then(|| complaints(test, "groff", &["-man", "-ww", "-z", "-Tutf8"], &path)).flatten();
        groff = said.is_some();
        assert!(said.is_none_or(|said| said.is_empty()), "{page}");
    }
    let watch = fs::read_to_string(dir.path().join("lidr-watch.1")).unwrap();
    assert!(watch.contains("fail\\-on was made") && watch.contains("LIDR_KEY"), "{watch}");
    let sensor = fs::read_to_string(dir.path().join("lidr-sensor.1")).unwrap();
    assert!(!sensor.contains("fail\\-on was made"), "status 1 is for verbs that have --fail-on");
}

#[test]
fn shells_take_their_completions() {
    let dir = tempfile::tempdir().unwrap();
    for (shell, program) in [("bash", "bash"), ("zsh", "zsh"), ("fish", "fish")] {
        let text = ok(["completions", shell]);
        assert!(text.contains("until-eos") && text.contains("propose-site"), "{shell}");
        let path = dir.path().join(shell);
        fs::write(&path, text).unwrap();
        if let Some(said) = complaints("shells_take_their_completions", program, &["-n"], &path) {
            assert!(said.is_empty(), "{shell}: {said}");
        }
    }
}

#[test]
fn settings_of_one_verb_are_its_own_and_a_mistyped_one_is_told() {
    let watch = ok(["settings", "watch"]);
    assert!(watch.contains("until_eos  LIDR_UNTIL_EOS  --until-eos") && !watch.contains("LIDR_SNAPLEN"), "{watch}");
    let wrong = lidr(["settings", "wathc"]);
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(wrong.status.code() == Some(2) && said.contains("did you mean `watch`?"), "{said}");
}
