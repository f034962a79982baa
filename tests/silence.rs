//! Sensors that fall silent, come back, or come hours late; and topics of which the beginning is gone.
use std::{
    fs,
    process::Stdio,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};

use crate::{
    kafka_broker::broker,
    lidr::{last_lines, lidr, ok, summary},
    outages::{Logged, feed},
    runs::{Replayed, replayed},
};

fn strings(args: &[&str]) -> Vec<String> {
    args.iter().map(|a| (*a).to_owned()).collect()
}

fn codes(run: &Replayed, name: &str) -> Vec<(String, String)> {
    let lines = last_lines(&run.s.dir.join(name));
    let text = |v: &serde_json::Value| v.as_str().unwrap_or_default().to_owned();
    lines.values().map(|f| (text(&f["finding_info"]["analytic"]["uid"]), text(&f["resources"][0]["name"]))).collect()
}

/// A sensor that reads its capture from the test.
fn fed(run: &Replayed, broker: &str, prefix: &str, name: &str) -> Logged {
    let (site, log) = (run.s.path("site"), run.s.dir.join(format!("{prefix}-{name}.log")));
    let args = ["sensor", "-", "--name", name, "--kafka", broker, "--topic-prefix", prefix, "--site", &site];
    Logged::start(&args, &log, Stdio::piped())
}

#[test]
fn a_silent_sensor_holds_no_window_and_what_it_brings_later_is_judged() {
    let Some(broker) = broker("a_silent_sensor_holds_no_window_and_what_it_brings_later_is_judged") else { return };
    let run = replayed("s4");
    let capture = fs::read(run.s.dir.join("capture.pcap")).unwrap();
    let (prefix, site) = (format!("q{}", std::process::id()), run.s.path("site"));
    let out = run.s.path("silent-out");
    let args = ["watch", "--kafka", &broker, "--topic-prefix", &prefix, "--sensors", "on,off", "--site", &site];
    let more = ["--out", &out, "--silence", "3", "--no-produce"];
    let mut watch = Logged::start(&[&args[..], &more[..]].concat(), &run.s.dir.join("silent.log"), Stdio::null());
    let (mut on, mut off) = (fed(run, &broker, &prefix, "on"), fed(run, &broker, &prefix, "off"));
    // Each step is more than the reader takes at once, and brings time on.
    let step = capture.len() / 40;
    feed(&mut off, &capture[..step]);
    feed(&mut on, &capture[..step]);
    let (mut at, began) = (step, Instant::now());
    while !watch.said().contains("sensor off has said nothing for 3 s") {
        assert!(began.elapsed() < Duration::from_secs(90), "{}", watch.said());
        let next = (at + step).min(capture.len());
        feed(&mut on, &capture[at..next]);
        at = next;
        std::thread::sleep(Duration::from_millis(700));
    }
    feed(&mut on, &capture[at..]);
    drop(on.process.stdin.take());
    on.ends();
    watch.waits_for(|| codes(run, "silent-out").iter().any(|(code, who)| code == "AF-08" && who == "off"));
    feed(&mut off, &capture[step..]);
    drop(off.process.stdin.take());
    off.ends();
    watch.says("sensor off has caught up");
    watch.stops();
    let found = codes(run, "silent-out");
    for code in ["LI-04", "LI-05"] {
        assert!(found.iter().any(|(c, _)| c == code), "no {code} in {found:?}");
    }
    let summary = summary(&run.s.dir.join("silent-out"));
    assert!(summary["late"].as_u64() > Some(0), "{summary}");
    assert_eq!(summary["inputs"][0]["missing"], 0, "{summary}");
}

/// A capture whose packets are earlier by so many seconds.
fn earlier(pcap: &[u8], seconds: u32) -> Vec<u8> {
    let (mut out, mut at) = (pcap.to_vec(), 24);
    let word = |octets: &[u8], at: usize| u32::from_le_bytes(octets[at..at + 4].try_into().unwrap());
    while at + 16 <= pcap.len() {
        out[at..at + 4].copy_from_slice(&(word(pcap, at) - seconds).to_le_bytes());
        at += 16 + word(pcap, at + 8) as usize;
    }
    out
}

#[test]
fn a_run_that_begins_hours_behind_is_refused_and_told_where_to_go() {
    let Some(broker) = broker("a_run_that_begins_hours_behind_is_refused_and_told_where_to_go") else { return };
    let run = replayed("s4");
    let (prefix, site, old) = (format!("b{}", std::process::id()), run.s.path("site"), run.s.path("old.pcap"));
    let capture = fs::read(run.s.dir.join("capture.pcap")).unwrap();
    fs::write(&old, earlier(&capture, 6 * 3600)).unwrap();
    let out = run.s.path("behind-out");
    let args = ["watch", "--kafka", &broker, "--topic-prefix", &prefix, "--site", &site, "--out", &out];
    let more = ["--silence", "2", "--no-produce", "--sensors", "local"];
    let mut watch = Logged::start(&[&args[..], &more[..]].concat(), &run.s.dir.join("behind.log"), Stdio::null());
    let sensor = ["sensor", "--kafka", &broker, "--topic-prefix", &prefix, "--site", &site, "--quiet", "--name"];
    ok(strings(&sensor).into_iter().chain(["local".to_owned()]).chain(run.s.inputs()));
    let dir = run.s.dir.join("behind-out");
    watch.waits_for(|| dir.join("findings.ndjson").exists() && last_lines(&dir).len() >= run.findings.len());
    ok(strings(&sensor).into_iter().chain(["archive".to_owned(), old]));
    watch.says(
        "its run begins more than an hour behind what was judged: replay it, or send it under another --topic-prefix",
    );
    watch.stops();
    let summary = summary(&run.s.dir.join("behind-out"));
    assert!(
        summary["inputs"][0]["refused"].as_u64() > Some(0) && summary["late"].as_u64().unwrap_or(0) == 0,
        "{summary}"
    );
    let found: Vec<String> = last_lines(&run.s.dir.join("behind-out")).into_keys().collect();
    assert_eq!(found, run.findings.keys().cloned().collect::<Vec<_>>());
}

#[test]
fn what_the_topics_do_not_hold_any_more_gives_no_finding() {
    let Some(broker) = broker("what_the_topics_do_not_hold_any_more_gives_no_finding") else { return };
    let run = replayed("s4");
    let (prefix, site, out) = (format!("g{}", std::process::id()), run.s.path("site"), run.s.path("gone-out"));
    let sensor =
        ["sensor", "--kafka", &broker, "--topic-prefix", &prefix, "--site", &site, "--quiet", "--name", "local"];
    ok(strings(&sensor).into_iter().chain(run.s.inputs()));
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", &broker).create().unwrap();
    let mut list = TopicPartitionList::new();
    // All but the last message, which holds no row and says when the sensor has ended.
    let (topic, ten) = (format!("{prefix}.flow"), Duration::from_secs(10));
    for partition in 0..4 {
        let (_, end) = admin.inner().fetch_watermarks(&topic, partition, ten).unwrap();
        list.add_partition_offset(&topic, partition, Offset::Offset(end - 1)).unwrap();
    }
    let deleting = admin.delete_records(&list, &AdminOptions::new());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(deleting).unwrap();
    let args = ["watch", "--kafka", &broker, "--topic-prefix", &prefix, "--site", &site, "--out", &out, "--sensors"];
    let watch = lidr(strings(&args).into_iter().chain(strings(&["local", "--until-eos", "--no-produce"])));
    let said = String::from_utf8_lossy(&watch.stderr).into_owned();
    assert!(watch.status.success() && said.contains("the topics hold everything from 20"), "{said}");
    let found = last_lines(&run.s.dir.join("gone-out"));
    assert!(found.len() < run.findings.len(), "{} of {}", found.len(), run.findings.len());
    let summary = summary(&run.s.dir.join("gone-out"));
    assert!(summary["rows"]["tasking"].as_u64() > Some(0), "what is left is read all the same: {summary}");
}
