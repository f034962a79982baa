//! Capture from an interface, between two ends of a veth pair in a network namespace of its own, which goes when the test does.
//!
//! Each test runs itself again inside a new namespace (`unshare --net`): nothing that it sends can leave, and nothing of the machine
//! is changed. Where that is not allowed the test says that it was skipped, or fails where it is required.
use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use lidr_benches::wire::{Pace, record, send};
use serde_json::Value;

use crate::{
    lidr::{Simulated, last_lines, ok, summary},
    live::Running,
};

/// Set inside the namespace.
const INSIDE: &str = "LIDR_TEST_INSIDE";

/// True inside a namespace with the pair `send0`, `tap0`; outside runs this test again inside one.
fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        let commands = [
            "link add send0 mtu 9000 type veth peer name tap0 mtu 9000",
            "link set lo up",
            "link set send0 up arp off",
            "link set tap0 up arp off",
        ];
        // Before they are up, so that neither says anything of its own.
        for name in ["all", "default"] {
            fs::write(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), "1").ok();
        }
        for words in commands {
            let done = Command::new("ip").args(words.split(' ')).status().expect("ip runs");
            assert!(done.success(), "ip {words}");
        }
        return true;
    }
    let can = Command::new("unshare")
        .args(["--net", "ip", "link", "add", "a0", "type", "veth", "peer", "name", "b0"])
        .output();
    let why = match can {
        Ok(out) if out.status.success() => None,
        Ok(out) => Some(String::from_utf8_lossy(&out.stderr).trim().to_owned()),
        Err(error) => Some(format!("unshare: {error}")),
    };
    if let Some(why) = why {
        assert!(std::env::var_os("LIDR_REQUIRE_NETNS").is_none(), "a network namespace is required: {why}");
        println!("\nskipped: {test}: no network namespace with a veth pair can be made: {why}");
        return false;
    }
    let own = std::env::current_exe().unwrap();
    let name = format!("live_wire::{test}");
    let again =
        Command::new("unshare").arg("--net").arg(own).args(["--exact", &name, "--nocapture"]).env(INSIDE, "1").output();
    let out = again.expect("unshare runs");
    let said = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && said.contains("1 passed"), "{said}");
    false
}

/// What must be the same of a finding, whoever captured: two captures of one packet may differ by some microseconds, and their names do.
fn alike(findings: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let strip = |mut finding: Value| {
        let evidences: Vec<Value> =
            finding["evidences"].as_array().into_iter().flatten().map(|e| e["data"]["frame"].clone()).collect();
        let unmapped = finding["unmapped"]["lidr"].take();
        serde_json::json!({
            "code": finding["finding_info"]["analytic"]["uid"], "severity": finding["severity_id"], "confidence": finding["confidence_id"],
            "count": finding["count"], "resources": finding["resources"], "frames": evidences, "absorbed_by": unmapped["absorbed_by"],
        })
    };
    findings.into_iter().map(|(uid, finding)| (uid, strip(finding))).collect()
}

fn metrics(port: u16) -> String {
    let mut page = String::new();
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return page };
    write!(stream, "GET /metrics HTTP/1.0\r\nHost: x\r\n\r\n").unwrap();
    stream.read_to_string(&mut page).unwrap();
    page
}

#[test]
fn live_finds_what_a_replay_of_what_it_saw_finds() {
    if !inside("live_finds_what_a_replay_of_what_it_saw_finds") {
        return;
    }
    let s = Simulated::new("s3", 1_000);
    let (seen, site) = (s.dir.join("seen.pcap"), s.path("site"));
    let (ready, stop) = (AtomicBool::new(false), AtomicBool::new(false));
    let out = s.dir.join("live");
    let recorded = thread::scope(|scope| {
        let recording = scope.spawn(|| record("tap0", &seen, &ready, &stop).unwrap());
        while !ready.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(10));
        }
        let running =
            Running::start(&s.dir, &["live", "--interface", "tap0", "--site", &site, "--out", out.to_str().unwrap()]);
        let sent = send(Path::new(&s.path("capture.pcap")), "send0", Pace::Speed(400.0)).unwrap();
        // What the kernel holds back has come then, and the clock has not gone on yet.
        thread::sleep(Duration::from_millis(700));
        running.end();
        stop.store(true, Ordering::Relaxed);
        let recorded = recording.join().unwrap();
        assert_eq!(recorded, sent.packets, "the recorder saw all of it");
        recorded
    });
    let told = summary(&out);
    assert_eq!(told["packets"], recorded, "{told}");
    let replayed = s.dir.join("replayed");
    ok(["replay", seen.to_str().unwrap(), "--site", &site, "--quiet", "--out", replayed.to_str().unwrap()]);
    assert_eq!(told["rows"], summary(&replayed)["rows"]);
    let (live, replay) = (alike(last_lines(&out)), alike(last_lines(&replayed)));
    assert!(live.len() > 3, "{live:?}");
    assert_eq!(live, replay);
}

#[test]
fn what_the_kernel_drops_is_counted_and_told() {
    if !inside("what_the_kernel_drops_is_counted_and_told") {
        return;
    }
    let s = Simulated::new("s3", 3_000);
    let out = s.dir.join("live");
    let how = ["live", "--interface", "tap0", "--capture-buffer", "1", "--no-builtin"];
    let running = Running::start(&s.dir, &[&how[..], &["--metrics", "9471", "--out", out.to_str().unwrap()]].concat());
    let capture = s.path("capture.pcap");
    let signal = |name: &str| {
        let sent = Command::new("kill").args([name, &running.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    };
    // A process that is stopped reads nothing, and a MiB does not hold thirty thousand packets.
    send(Path::new(&capture), "send0", Pace::Rate(1000.0, Duration::from_millis(500))).unwrap();
    signal("-STOP");
    let sent = send(Path::new(&capture), "send0", Pace::Rate(30_000.0, Duration::from_secs(1))).unwrap();
    signal("-CONT");
    running.until(|_| metrics(9471).contains("reason=\"kernel_buffer\""), "the metric tells it");
    let page = metrics(9471);
    assert!(page.contains("lidr_live_packets_total{interface=\"tap0\",sensor=\"local\"}"), "{page}");
    assert!(page.contains("lidr_dropped_total{reason=\"kernel_buffer\",sensor=\"local\",stage=\"ingest\"}"), "{page}");
    running.end();
    let told = summary(&out);
    let (packets, dropped) = (told["packets"].as_u64().unwrap(), told["dropped"]["kernel_buffer"].as_u64().unwrap());
    assert!(
        dropped > 1000 && packets + dropped == sent.packets + 500,
        "{packets} and {dropped} of {}",
        sent.packets + 500
    );
    assert_eq!(told["inputs"][0]["lost"]["kernel_buffer"], dropped, "{told}");
    assert!(told["oddities"]["drop"].as_u64().unwrap() > 0, "{told}");
}

#[test]
fn an_interface_that_goes_away_ends_the_run_and_what_was_found_is_written() {
    if !inside("an_interface_that_goes_away_ends_the_run_and_what_was_found_is_written") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let how =
        ["live", "--interface", "tap0", "--filter", "udp port 161", "--no-builtin", "--out", out.to_str().unwrap()];
    let mut running = Running::start(dir.path(), &how);
    let gone = Command::new("ip").args(["link", "delete", "tap0"]).status().unwrap();
    assert!(gone.success());
    let status = running.child.wait().unwrap();
    assert_eq!(status.code(), Some(2), "{}", running.said());
    assert!(running.said().contains("lidr: tap0: "), "{}", running.said());
    assert_eq!(summary(&out)["verb"], "live");
}
