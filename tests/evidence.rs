//! A finding explained, packed as evidence, certified: one replay of a tap without warrant, looked at from every side.
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Output,
    sync::OnceLock,
};

use lidr_custody::Bundle;
use lidr_ingest::source::{Input, Reader};
use serde_json::Value;

use crate::{
    custody::{search, words},
    lidr::{KEY, Simulated, lidr, ok, replay},
    runs::folder,
};

/// The replay that all tests share.
struct Run {
    s: Simulated,
    out: PathBuf,
    findings: BTreeMap<String, Value>,
}

fn run() -> &'static Run {
    static RUN: OnceLock<Run> = OnceLock::new();
    RUN.get_or_init(|| {
        let s = Simulated::at(folder().join("evidence"), "s3", 300);
        let (out, lake) = (s.dir.join("out"), s.path("lake"));
        let findings = replay(&s, &out, &["--hash", "--lake", &lake]);
        fs::write(s.dir.join("lidr.key"), KEY).unwrap();
        fs::write(s.dir.join("other.key"), "00".repeat(32)).unwrap();
        for name in ["sign", "other"] {
            let (signer, pem) = lidr_custody::Signer::generate().unwrap();
            fs::write(s.dir.join(format!("{name}.pem")), pem).unwrap();
            fs::write(s.dir.join(format!("{name}.pub.pem")), signer.public().pem().unwrap()).unwrap();
        }
        Run { s, out, findings }
    })
}

impl Run {
    fn path(&self, name: &str) -> String {
        self.s.path(name)
    }

    /// The id of a finding of that rule at that severity.
    fn uid(&self, code: &str, severity: &str) -> &str {
        let is = |f: &Value| f["finding_info"]["analytic"]["uid"] == code && f["severity"] == severity;
        self.findings.iter().find(|(_, f)| is(f)).unwrap_or_else(|| panic!("no {severity} {code}")).0
    }

    /// A verb on a finding, with folder and site, and what else.
    fn ask(&self, verb: &[&str], uid: &str, more: &[&str]) -> Output {
        let (out, site) = (self.path("out"), self.path("site"));
        lidr(verb.iter().copied().chain([uid, "--from", &out, "--site", &site]).chain(more.iter().copied()))
    }

    /// A bundle of a finding; its path.
    fn bundle(&self, code: &str, severity: &str, name: &str, more: &[&str]) -> String {
        let (file, key) = (self.path(name), self.path("sign.pem"));
        let options = ["--file", &file, "--sign-key", &key];
        let out = self.ask(&["evidence"], self.uid(code, severity), &[&options[..], more].concat());
        assert!(out.status.success(), "{}", said(&out));
        file
    }
}

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

fn shown(out: &Output) -> String {
    assert!(out.status.success(), "{}", said(out));
    String::from_utf8(out.stdout.clone()).unwrap()
}

fn read(file: &str) -> Bundle {
    Bundle::read(&fs::read(file).unwrap()).unwrap()
}

fn part<'a>(bundle: &'a Bundle, name: &str) -> &'a str {
    std::str::from_utf8(bundle.part(name).unwrap_or_else(|| panic!("no {name}"))).unwrap()
}

#[test]
fn an_explanation_says_rule_rows_frames_site_and_what_is_harmless() {
    let run = run();
    let uid = run.uid("LI-01", "Critical");
    let text = shown(&run.ask(&["explain"], &uid[..8], &[]));
    let warrants = "warrants: none of its 3 lines speaks of what was found";
    let capture = run.path("capture.pcap");
    for part in
        [uid, "LI-01 version ", "tasking/LI-01-", "WITH approved_by AS", &capture, "tasking: ", "op=enable", warrants]
    {
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(part) || text.contains(part), "no `{part}` in\n{text}");
    }
    for head in [
        "The rule",
        "The evidence",
        "What in the site decided",
        "What it had to do without",
        "What would make it harmless",
    ] {
        assert!(text.contains(&format!("\n{head}\n")), "{head}");
    }
    assert!(!text.contains('\x1b'), "no colour where nobody looks");
    let (words, addresses) = words(&run.s);
    search(text.as_bytes(), &[words, addresses].concat(), "explain");
}

#[test]
fn what_is_not_at_hand_is_said_and_an_unknown_id_lists_what_there_is() {
    let run = run();
    let bare = own_folder(run, "bare");
    let bare = shown(&lidr(["explain", run.uid("LI-01", "Critical"), "--from", &bare]));
    assert!(bare.contains("not at hand: give --site"), "{bare}");
    // The run kept what judged.
    let kept = shown(&lidr(["explain", run.uid("LI-01", "Critical"), "--from", &run.path("out")]));
    assert!(kept.contains("the copy that the run kept") && kept.contains("warrants: none of its 3 lines"), "{kept}");
    let out = run.ask(&["explain"], "00000000", &[]);
    assert_eq!(out.status.code(), Some(2));
    assert!(said(&out).contains("no finding `00000000`") && said(&out).contains("LI-01"), "{}", said(&out));
}

#[test]
fn a_bundle_holds_what_stands_behind_the_finding_and_names_nobody() {
    let run = run();
    let file = run.bundle("LI-01", "Critical", "whole.tar.zst", &[]);
    let again = run.bundle("LI-01", "Critical", "again.tar.zst", &[]);
    assert_eq!(fs::read(&file).unwrap(), fs::read(again).unwrap(), "the same evidence is the same file");
    let bundle = read(&file);
    let finding: Value = serde_json::from_str(part(&bundle, "finding.ndjson").lines().last().unwrap()).unwrap();
    assert_eq!(finding["finding_info"]["uid"], run.uid("LI-01", "Critical"));
    let rule = lidr_custody::sha256(part(&bundle, "rule.yml").as_bytes());
    assert_eq!(finding["unmapped"]["lidr"]["rule_sha256"], rule.as_str());
    assert_eq!(part(&bundle, "site/warrants.ndjson").lines().count(), 3);
    assert!(part(&bundle, "rows.ndjson").contains("\"table\":\"tasking\""));
    let inputs: Value = serde_json::from_str(part(&bundle, "inputs.json")).unwrap();
    let hash = lidr_custody::sha256(&fs::read(run.path("capture.pcap")).unwrap());
    assert_eq!(inputs[0]["sha256"], hash.as_str(), "{inputs}");
    assert!(part(&bundle, "summary.json").contains("\"dropped\""));
    let (words, _) = words(&run.s);
    for entry in &bundle.manifest.entries {
        search(bundle.part(&entry.path).unwrap(), &words, &entry.path);
    }
    let (_, addresses) = crate::custody::words(&run.s);
    search(bundle.part("site/warrants.ndjson").unwrap(), &addresses, "the register");
    assert!(!bundle.manifest.about.enclave && frames(&bundle).1 == 0, "headers only");
    let listed = std::process::Command::new("tar").args(["--zstd", "-tf", &file]).output();
    if let Some(listed) = listed.ok().filter(|o| o.status.success()) {
        assert!(
            String::from_utf8_lossy(&listed.stdout).starts_with("manifest.json\nmanifest.sig\n"),
            "tar reads it, too"
        );
    }
}

/// Frames in a bundle, and octets of payload in them.
fn frames(bundle: &Bundle) -> (usize, u32) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("frames.pcapng");
    fs::write(&path, bundle.part("frames.pcapng").unwrap()).unwrap();
    let mut reader = Reader::open(&[Input::Path { sensor: None, path }]).unwrap();
    let mut records = Vec::new();
    while reader.next_block(&mut records).unwrap().is_some() {}
    (records.len(), records.iter().map(|r| r.payload_captured).sum())
}

#[test]
fn messages_of_control_are_kept_for_the_enclave_and_product_for_nobody() {
    let run = run();
    let key = run.path("lidr.key");
    let control = read(&run.bundle("LI-01", "Critical", "control.tar.zst", &["--enclave-key", &key]));
    let (count, octets) = frames(&control);
    assert!(count > 0 && octets > 0 && control.manifest.about.enclave, "{count} frames, {octets} octets");
    let product = read(&run.bundle("LI-14", "Critical", "product.tar.zst", &["--enclave-key", &key]));
    let (count, octets) = frames(&product);
    assert!(count > 0 && octets == 0, "{count} frames, {octets} octets of product");
    assert!(part(&product, "readme.txt").contains("for cleared users"));
}

#[test]
fn changes_and_breaks_of_the_chain_are_found() {
    let run = run();
    let first = run.bundle("LI-01", "Critical", "first.tar.zst", &[]);
    let second = run.bundle("LI-16", "Critical", "second.tar.zst", &["--previous", &first]);
    let verify = |more: &[&str]| lidr(["evidence", "verify"].iter().chain(more));
    let key = run.path("sign.pub.pem");
    let good = shown(&verify(&[&first, &second, "--public-key", &key]));
    assert!(good.matches("as it was written").count() == 2 && good.contains("a chain begins here"), "{good}");
    assert!(good.contains("a key that was given"), "{good}");
    let bad = |more: &[&str], part: &str| {
        let out = verify(more);
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(out.status.code() == Some(2) && text.contains(part), "needed `{part}` in\n{text}{}", said(&out));
    };
    bad(&[&second, &first], "it names no bundle before it");
    bad(&[&first, &first], "it names no bundle before it");
    bad(&[&first, "--public-key", &run.path("other.pub.pem")], "none of those given");
    let mut octets = fs::read(&first).unwrap();
    let middle = octets.len() / 2;
    octets[middle] ^= 1;
    let changed = run.path("changed.tar.zst");
    fs::write(&changed, &octets).unwrap();
    bad(&[&changed], "NOT as it was written");
    let out = run.ask(
        &["evidence"],
        run.uid("LI-01", "Critical"),
        &["--file", &run.path("x.tar.zst"), "--previous", &changed],
    );
    assert!(out.status.code() == Some(2) && said(&out).contains("--previous"), "{}", said(&out));
    let out = run.ask(&["evidence"], run.uid("LI-01", "Critical"), &["--file", &first]);
    assert!(out.status.code() == Some(2) && said(&out).contains("evidence is not replaced"), "{}", said(&out));
}

#[test]
fn inputs_sites_and_rules_that_are_others_are_refused() {
    let run = run();
    let uid = run.uid("LI-01", "Critical");
    let refused = |more: &[&str], part: &str| {
        let file = run.path("refused.tar.zst");
        let out =
            run.ask(&["evidence"], uid, &[&["--file", &file, "--sign-key", &run.path("sign.pem")], more].concat());
        assert!(out.status.code() == Some(2) && said(&out).contains(part), "needed `{part}` in {}", said(&out));
        assert!(!Path::new(&file).exists(), "{part}");
    };
    let mut capture = fs::read(run.path("capture.pcap")).unwrap();
    *capture.last_mut().unwrap() ^= 1;
    fs::create_dir_all(run.path("moved")).unwrap();
    fs::write(run.path("moved/capture.pcap"), &capture).unwrap();
    refused(&["--input", &run.path("moved/capture.pcap")], "SHA-256");
    let rules = run.path("rules");
    fs::create_dir_all(&rules).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/tasking");
    let rule =
        fs::read_dir(root).unwrap().flatten().find(|e| e.file_name().to_string_lossy().starts_with("LI-01-")).unwrap();
    fs::write(format!("{rules}/LI-01.yml"), fs::read_to_string(rule.path()).unwrap() + "\n# changed\n").unwrap();
    refused(&["--rules", &rules], "another version than the one that judged");
    let (site, bare) = (other_site(run), own_folder(run, "no-copy"));
    let out = lidr(["evidence", uid, "--from", &bare, "--site", &site, "--file", &run.path("refused.tar.zst")]);
    assert!(out.status.code() == Some(2) && said(&out).contains("not the folder that judged"), "{}", said(&out));
}

#[test]
fn evidence_of_a_site_that_has_changed_is_what_the_run_kept() {
    let run = run();
    let (site, key) = (other_site(run), run.path("sign.pem"));
    let folder = read(&run.bundle("LI-01", "Critical", "folder.tar.zst", &[]));
    let file = run.path("kept.tar.zst");
    let from = ["--from", &run.path("out"), "--site", &site].map(str::to_owned);
    let more = ["--file", &file, "--sign-key", &key].map(str::to_owned);
    let args = ["evidence", run.uid("LI-01", "Critical")].map(str::to_owned);
    let out = lidr(args.iter().chain(&from).chain(&more));
    assert!(out.status.success(), "{}", said(&out));
    let kept = read(&file);
    let tables = folder.manifest.entries.iter().filter(|e| e.path.starts_with("site/"));
    for table in tables {
        assert_eq!(kept.part(&table.path), folder.part(&table.path), "{}", table.path);
    }
    assert!(part(&kept, "readme.txt").contains("from the copy that the run kept"));
    let (words, addresses) = words(&run.s);
    for entry in &kept.manifest.entries {
        search(kept.part(&entry.path).unwrap(), &words, &entry.path);
    }
    search(kept.part("site/warrants.ndjson").unwrap(), &addresses, "the register");
}

/// The site with one line more.
fn other_site(run: &Run) -> String {
    let site = run.path("other-site");
    fs::create_dir_all(&site).unwrap();
    for entry in fs::read_dir(run.path("site")).unwrap().flatten().filter(|e| e.path().is_file()) {
        fs::copy(entry.path(), Path::new(&site).join(entry.file_name())).unwrap();
    }
    let zones = fs::read_to_string(format!("{site}/zones.csv")).unwrap();
    let again = zones.lines().last().unwrap();
    fs::write(format!("{site}/zones.csv"), format!("{zones}{again}\n")).unwrap();
    site
}

/// An output folder of its own for what is recorded in it.
fn own_folder(run: &Run, name: &str) -> String {
    let folder = run.path(name);
    fs::create_dir_all(&folder).unwrap();
    for file in ["findings.ndjson", "summary.json"] {
        fs::copy(run.out.join(file), Path::new(&folder).join(file)).unwrap();
    }
    folder
}

#[test]
fn clear_text_needs_the_key_and_leaves_a_record() {
    let run = run();
    let (folder, site, key) = (own_folder(run, "enclave"), run.path("site"), run.path("lidr.key"));
    // The administration function's own readings name tasks that the register knows.
    let uid = run.uid("LI-18", "Low");
    let explain = |from: &str, key: &str| lidr(["explain", uid, "--from", from, "--site", &site, "--enclave-key", key]);
    let log = Path::new(&folder).join("access.ndjson");
    let refused = explain(&folder, &run.path("other.key"));
    assert!(refused.status.code() == Some(2) && said(&refused).contains("needed that one"), "{}", said(&refused));
    assert!(!log.exists() && refused.stdout.is_empty());
    let clear = shown(&explain(&folder, &key));
    let veiled = shown(&lidr(["explain", uid, "--from", &folder, "--site", &site]));
    assert!(clear.contains("cccid:100") && !veiled.contains("cccid:100"), "{clear}");
    let certified = ["report", "certification", uid, "--from", &folder, "--site", &site, "--enclave-key", &key];
    let draft = shown(&lidr(certified));
    assert!(draft.contains("order:O-2026-00") && draft.contains("ipv4:100.64.1.1"), "{draft}");
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(
        lines.iter().map(|l| l["verb"].as_str().unwrap()).collect::<Vec<_>>(),
        ["explain", "report certification"]
    );
    assert!(lines.iter().all(|l| l["finding"] == uid && !l["fields"].as_array().unwrap().is_empty()), "{text}");
    let (words, addresses) = words(&run.s);
    search(text.as_bytes(), &[words, addresses, vec!["cccid:100".to_owned()]].concat(), "the record of accesses");
    // Where an access cannot be recorded nothing is shown.
    let closed = own_folder(run, "closed");
    fs::create_dir_all(format!("{closed}/access.ndjson")).unwrap();
    let out = explain(&closed, &key);
    assert!(
        out.status.code() == Some(2) && out.stdout.is_empty() && said(&out).contains("nothing is shown in clear"),
        "{}",
        said(&out)
    );
}

#[test]
fn a_certification_is_a_draft_that_says_what_is_unknown_and_concludes_nothing() {
    let run = run();
    let uid = run.uid("LI-01", "Critical");
    let text = shown(&run.ask(&["report", "certification"], uid, &[]));
    for number in ["(i)", "(ii)", "(iii)", "(iv)", "(v)", "(vi)"] {
        assert!(text.contains(&format!("\n{number} ")), "{number} in\n{text}");
    }
    assert!(text.matches("      unknown\n").count() >= 4, "{text}");
    assert!(text.contains("No order in the register at hand names the task"), "{text}");
    let page = shown(&run.ask(&["report", "certification"], uid, &["--html"]));
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("<td>unknown"), "{page}");
    let (words, addresses) = words(&run.s);
    let all = [words, addresses].concat();
    for (form, name) in [(&text, "text"), (&page, "page")] {
        search(form.as_bytes(), &all, name);
        for word in ["unlawful", "illegal", "violat", "without a warrant", "without a lawful", "crime", "guilty"] {
            assert!(!form.to_lowercase().contains(word), "{name} says {word}");
        }
    }
}

#[test]
fn a_key_of_openssl_signs_and_openssl_verifies() {
    let run = run();
    let openssl = |args: &[&str]| std::process::Command::new("openssl").args(args).output();
    let (private, public) = (run.path("openssl.pem"), run.path("openssl.pub.pem"));
    let made = openssl(&["genpkey", "-algorithm", "ed25519", "-out", &private]);
    if !made.is_ok_and(|o| o.status.success()) {
        return;
    }
    assert!(openssl(&["pkey", "-in", &private, "-pubout", "-out", &public]).unwrap().status.success());
    let file = run.path("openssl.tar.zst");
    let out = run.ask(&["evidence"], run.uid("LI-16", "Critical"), &["--file", &file, "--sign-key", &private]);
    assert!(out.status.success(), "{}", said(&out));
    ok(["evidence", "verify", &file, "--public-key", &public]);
    let unpacked = run.path("unpacked");
    fs::create_dir_all(&unpacked).unwrap();
    let tar = std::process::Command::new("tar").args(["--zstd", "-xf", &file, "-C", &unpacked]).output();
    if !tar.is_ok_and(|o| o.status.success()) {
        return;
    }
    let (manifest, signature) = (format!("{unpacked}/manifest.json"), format!("{unpacked}/manifest.sig"));
    let checked = openssl(&[
        "pkeyutl", "-verify", "-rawin", "-in", &manifest, "-sigfile", &signature, "-pubin", "-inkey", &public,
    ])
    .unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
