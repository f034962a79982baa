//! `lidr doctor` as somebody meets it who sets lidr up: what it says, what it leaves alone, and the site folder that it proposes.
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Output},
    time::Instant,
};

use serde_json::Value;

use crate::{
    kafka_broker::{broker, make_topics, producer},
    lidr::{KEY, Simulated, lidr, ok},
};

fn told(out: &Output) -> String {
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// The checks, as JSON has them: group, state, sentence with the next step.
fn checks(args: &[&str]) -> (Option<i32>, Vec<(String, String, String)>) {
    let mut all = vec!["doctor", "--format", "json"];
    all.extend(args);
    let out = lidr(all);
    let text = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
    let one = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("a line is JSON");
        (text(&line, "group"), text(&line, "state"), text(&line, "what") + " > " + &text(&line, "next"))
    };
    (out.status.code(), told(&out).lines().map(one).collect())
}

fn has(checks: &[(String, String, String)], group: &str, state: &str, words: &[&str]) -> bool {
    checks.iter().any(|(g, s, what)| g == group && s == state && words.iter().all(|w| what.contains(w)))
}

#[test]
fn without_options_nothing_fails_and_what_was_not_checked_is_named() {
    let out = lidr(["doctor"]);
    let said = told(&out);
    assert_eq!(out.status.code(), Some(0), "{said}");
    for word in [
        "capture\n",
        "clock\n",
        "rules load",
        "--interface IF",
        "--site DIR",
        "--kafka HOST:PORT",
        "protocols are read",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(said.trim_end().ends_with("not checked"), "{said}");
    assert!(said.contains("not evaluated: ") && said.contains("needs site table warrants"), "{said}");
}

#[test]
fn protocols_stand_with_their_ports() {
    let listed = ok(["doctor", "--protocols"]);
    assert!(listed.lines().any(|l| l.starts_with("ssh ") && l.contains(" 22 ")), "{listed}");
    let lines = ok(["doctor", "--protocols", "--format", "json"]);
    assert!(lines.lines().count() > 15 && lines.lines().all(|l| serde_json::from_str::<Value>(l).is_ok()), "{lines}");
}

#[test]
fn a_sound_site_folder_is_told_table_by_table_and_a_broken_one_error_by_error() {
    let s = Simulated::new("s3", 100);
    let site = s.path("site");
    let (code, good) = checks(&["--site", &site]);
    assert_eq!(code, Some(0), "{good:?}");
    assert!(has(&good, "site tables", "warn", &["warrants.csv has mode", "may read who is tapped"]), "{good:?}");
    let doubts = good.iter().filter(|(g, state, _)| g == "site tables" && state == "warn").count();
    assert_eq!(doubts, 1, "every word of a scenario is known: {good:?}");
    assert!(
        has(&good, "site tables", "ok", &["elements.csv: 5 lines"]) && has(&good, "rules", "ok", &["rules load"]),
        "{good:?}"
    );
    let register = fs::read_to_string(s.dir.join("site/warrants.csv")).unwrap();
    fs::write(s.dir.join("site/warrants.csv"), register.replace(",approved,", ",aproved,")).unwrap();
    let (code, odd) = checks(&["--site", &site]);
    let words = ["warrants.csv:2", "column `state`: no rule knows", "did you mean `approved`?"];
    assert!(code == Some(0) && has(&odd, "site tables", "warn", &words), "{odd:?}");
    fs::write(s.dir.join("site/zones.csv"), "cidr,zone,rang\n10.0.0.0/8,core,3\nten,mgmt,4\n").unwrap();
    fs::write(s.dir.join("site/elemets.csv"), "name\n").unwrap();
    fs::write(s.dir.join("site/allow.csv"), "kind,address,port,note\nnms,10.20.0.20,nine,\nnms,x,1,\n").unwrap();
    let (code, bad) = checks(&["--site", &site]);
    assert_eq!(code, Some(2), "{bad:?}");
    for words in [
        ["zones.csv:1", "did you mean `rank`?"],
        ["zones.csv:3", "column `cidr`"],
        ["allow.csv:2", "column `port`"],
        ["allow.csv:3", "column `address`"],
        ["elemets.csv", "did you mean `elements`?"],
    ] {
        assert!(has(&bad, "site tables", "fail", &words), "{words:?}: {bad:?}");
    }
    assert!(has(&bad, "site tables", "ok", &["devices.csv: 2 lines"]), "others are told, too: {bad:?}");
    assert!(has(&bad, "rules", "unchecked", &["once the site folder does"]), "{bad:?}");
}

#[test]
fn rules_that_lack_something_and_rules_that_do_not_load_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    fs::create_dir(dir.path().join("site")).unwrap();
    fs::write(dir.path().join("site/zones.csv"), "cidr,zone,rank\n10.0.0.0/8,core,3\n").unwrap();
    let (code, lacking) = checks(&["--site", &text(&dir.path().join("site"))]);
    assert!(code == Some(0) && has(&lacking, "rules", "warn", &["not evaluated", "LI-01", "warrants"]), "{lacking:?}");
    assert!(has(&lacking, "site tables", "unchecked", &["not there", "warrants", "policy"]), "{lacking:?}");
    fs::create_dir(dir.path().join("rules")).unwrap();
    fs::write(dir.path().join("rules/bad.yml"), "title: x\nlevl: high\n").unwrap();
    let (code, bad) = checks(&["--rules", &text(&dir.path().join("rules"))]);
    assert!(code == Some(2) && has(&bad, "rules", "fail", &["bad.yml"]), "{bad:?}");
}

#[test]
fn folders_key_and_interfaces_are_tried_and_left_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    fs::write(&key, KEY).unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (code, all) = checks(&["--out", &path("out"), "--state", &path("file/state"), "--key-file", &path("key")]);
    assert_eq!(code, Some(2), "{all:?}");
    let group = "folders and key";
    assert!(
        has(&all, group, "ok", &["--out", "is not there yet"])
            && has(&all, group, "fail", &["--state", "is no folder"]),
        "{all:?}"
    );
    assert!(has(&all, group, "warn", &["has mode 644", "chmod 600"]), "{all:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left behind");
    fs::write(&key, "abc").unwrap();
    let (code, all) = checks(&["--key-file", &path("key"), "--interface", "nosuch0"]);
    assert!(code == Some(2) && has(&all, group, "fail", &["pseudonym key"]), "{all:?}");
    assert!(has(&all, "capture", "fail", &["nosuch0"]), "{all:?}");
}

#[test]
fn a_broker_that_is_not_there_is_told_in_a_sentence_with_the_next_step() {
    let began = Instant::now();
    let (code, all) = checks(&["--kafka", "127.0.0.1:1"]);
    assert_eq!(code, Some(2), "{all:?}");
    let group = "broker and topics";
    assert!(has(&all, group, "fail", &["no broker answers at 127.0.0.1:1", "refused", "check the address"]), "{all:?}");
    assert!(!all.iter().any(|(.., what)| what.contains("thrd:")), "{all:?}");
    assert!(began.elapsed().as_secs() < 60, "it ends");
    let (code, all) = checks(&["--kafka", "127.0.0.1:1", "-X", "sasl.pasword=geheim"]);
    assert!(code == Some(2) && has(&all, group, "fail", &["sasl.pasword", "[kafka] in the settings file"]), "{all:?}");
    assert!(!format!("{all:?}").contains("geheim"), "{all:?}");
}

#[test]
fn a_settings_file_is_what_is_tried() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("lidr.toml"),
        "site = \"nowhere\"\n[kafka]\nbrokers = \"127.0.0.1:1\"\n\"sasl.password\" = \"geheim\"\n",
    )
    .unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lidr"));
    let out =
        command.arg("doctor").env("LIDR_KEY", KEY).env_remove("LIDR_CONFIG").current_dir(dir.path()).output().unwrap();
    let said = told(&out);
    assert!(
        out.status.code() == Some(2) && said.contains("fail  nowhere: ") && said.contains("at 127.0.0.1:1"),
        "{said}"
    );
}

#[test]
fn topics_of_another_key_or_of_somebody_else_are_told() {
    let Some(broker) = broker("topics_of_another_key_or_of_somebody_else_are_told") else { return };
    let prefix = format!("doctor{}", std::process::id());
    let group = "broker and topics";
    let (code, none) = checks(&["--kafka", &broker, "--topic-prefix", &prefix]);
    assert!(code == Some(0) && has(&none, group, "ok", &["answers: 1 broker"]), "{none:?}");
    assert!(
        has(&none, group, "warn", &["there are no topics"]) && has(&none, group, "ok", &["topics may be made"]),
        "{none:?}"
    );
    let s = Simulated::new("s3", 100);
    ok([
        "sensor",
        &s.path("capture.pcap"),
        "--kafka",
        &broker,
        "--topic-prefix",
        &prefix,
        "--partitions",
        "2",
        "--quiet",
    ]);
    let (code, good) = checks(&["--kafka", &broker, "--topic-prefix", &prefix]);
    assert!(code == Some(0) && has(&good, group, "ok", &[".tasking: 2 partitions"]), "{good:?}");
    assert!(has(&good, group, "ok", &["no message was produced in this machine's future"]), "{good:?}");
    let key = s.path("key");
    fs::write(&key, KEY.replace('5', "6")).unwrap();
    let (code, other) = checks(&["--kafka", &broker, "--topic-prefix", &prefix, "--key-file", &key]);
    assert!(code == Some(2) && has(&other, group, "fail", &["message of key", "--key-file"]), "{other:?}");
    let strange = format!("{prefix}x");
    make_topics(&broker, [format!("{strange}.flow")].into_iter(), 1);
    let producer = producer(&broker);
    let (topic, hour) = (format!("{strange}.flow"), 3_600_000);
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let record = rdkafka::producer::BaseRecord::<(), str>::to(&topic).payload("hello").timestamp(now + hour / 2);
    producer.send(record).map_err(|(e, _)| e).unwrap();
    rdkafka::producer::Producer::flush(&producer, std::time::Duration::from_secs(20)).unwrap();
    let (code, odd) = checks(&["--kafka", &broker, "--topic-prefix", &strange]);
    assert!(code == Some(0) && has(&odd, group, "warn", &["none of lidr's"]), "{odd:?}");
    assert!(
        has(&odd, group, "warn", &["ahead of this machine's"]) && has(&odd, group, "warn", &["not there", ".tasking"]),
        "{odd:?}"
    );
}

/// Files of a folder by name.
fn read(dir: &Path) -> BTreeMap<String, String> {
    let one = |e: fs::DirEntry| (e.file_name().into_string().unwrap(), fs::read_to_string(e.path()).unwrap());
    fs::read_dir(dir).unwrap().flatten().map(one).collect()
}

#[test]
fn a_proposed_site_folder_loads_and_does_not_hide_the_intruder() {
    let s = Simulated::new("s3", 2_000);
    let (capture, dir) = (s.path("capture.pcap"), s.path("proposed"));
    let said = ok(["doctor", "--propose-site", &capture, "--out-site", &dir]);
    assert!(said.contains("Check each line") && said.contains("intruder"), "{said}");
    let files = read(Path::new(&dir));
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["PROPOSED.md", "allow.csv", "devices.csv", "elements.csv", "sensors.csv", "site.toml", "zones.csv"]
    );
    for (file, line) in [
        ("elements.csv", "host-10-0-0-1,ne-snmp-tap,10.0.0.1,800000090300001122334455,,10.66.0.10/li-admf\n"),
        ("elements.csv", "host-10-66-0-20,mdf,10.66.0.20,,,\n"),
        ("devices.csv", "host-10-0-0-2,,,10.0.0.2,core\n"),
        ("allow.csv", "nms,10.20.0.20,161,proposed\n"),
        ("allow.csv", "dns,10.40.0.53,53,proposed\n"),
        ("zones.csv", "10.0.0.0/24,core,4\n"),
        ("sensors.csv", "local,,,proposed\n"),
    ] {
        assert!(files[file].contains(line), "{file} lacks {line}: {}", files[file]);
    }
    // Who handles taps beside the administration function, and where product goes outside, is asked and not approved.
    let page = &files["PROPOSED.md"];
    assert!(page.contains("10.20.0.99") && page.contains("203.0.113.80") && page.contains(" frame"), "{page}");
    for (name, text) in files.iter().filter(|(name, _)| name.ends_with(".csv")) {
        assert!(!text.contains("10.20.0.99") && !text.contains("203.0.113.80"), "{name}: {text}");
    }
    let (code, all) = checks(&["--site", &dir]);
    assert!(code == Some(0) && !all.iter().any(|(_, state, _)| state == "fail"), "{all:?}");
    // The intruder is found with the proposed folder, too.
    let out = ok(["replay", &capture, "--site", &dir, "--format", "json", "--quiet"]);
    assert!(out.lines().any(|l| l.contains("10.20.0.99")), "{out}");
    let again = s.path("again");
    ok(["doctor", "--propose-site", &capture, "--out-site", &again]);
    assert_eq!(files, read(Path::new(&again)), "the same capture, the same folder");
    let refused = lidr(["doctor", "--propose-site", &capture, "--out-site", &again]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("needed a new or an empty folder"));
}

#[test]
fn elements_of_x1_are_proposed_and_a_lone_manager_with_its_destinations_is_asked_about() {
    let s = Simulated::new("s4", 300);
    let dir = s.path("proposed");
    ok(["doctor", "--propose-site", &s.path("capture.pcap"), "--out-site", &dir, "--port", "x1=8443"]);
    let files = read(Path::new(&dir));
    let elements = &files["elements.csv"];
    assert!(elements.contains("poi,10.0.1.20,") && elements.contains(",8443,\n"), "{elements}");
    assert!(elements.contains("mdf,10.66.0.20,"), "{elements}");
    // One host alone asked and nothing else speaks for it: neither it nor the destinations that it made are proposed without an answer.
    let page = &files["PROPOSED.md"];
    assert!(
        !elements.contains("10.66.0.10") && page.contains("10.66.0.10 is the only one that asked 10.0.1.20 for taps"),
        "{page}"
    );
    assert!(
        !files.contains_key("destinations.csv") && page.contains("is not proposed as manager of 10.0.1.20"),
        "{page}"
    );
    assert!(lidr(["doctor", "--site", &dir]).status.success());
}

#[test]
fn a_capture_that_shows_nothing_proposes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (empty, out) = (dir.path().join("x.pcap"), dir.path().join("site"));
    fs::write(&empty, [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0]).unwrap();
    let run = lidr(["doctor", "--propose-site", empty.to_str().unwrap(), "--out-site", out.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.code() == Some(2) && said.contains("brought no rows"), "{said}");
    assert!(!out.exists() || fs::read_dir(&out).unwrap().count() == 0, "nothing half-written");
    let alone = lidr(["doctor", "--propose-site", empty.to_str().unwrap()]);
    assert_eq!(alone.status.code(), Some(2));
}
