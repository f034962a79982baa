//! Findings as receivers get them: each once, signed, again after an error; a receiver that is away holds nothing up.
use std::{collections::BTreeSet, fs, process::Command};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::{
    lidr::{KEY, Simulated, lidr, ok, summary},
    live::{Running, Syslog},
    receiver::{Posted, Receiver, get},
    site_changes::free_port,
};

/// Octets of the tests' secret.
const SECRET: [u8; 32] = *b"nothing real was signed with it.";

/// Whether the signature is that of the secret over id, time and body.
fn is_signed(posted: &Posted) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(&SECRET).unwrap();
    let (id, time) = (posted.header("webhook-id"), posted.header("webhook-timestamp"));
    mac.update(format!("{id}.{time}.{}", posted.body).as_bytes());
    posted.header("webhook-signature") == format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// The lines of an output folder that page somebody.
fn paging(s: &Simulated) -> Vec<String> {
    let text = fs::read_to_string(s.dir.join("out/findings.ndjson")).unwrap();
    let pages = |line: &str| serde_json::from_str::<Value>(line).unwrap()["unmapped"]["lidr"]["absorbed_by"].is_null();
    text.lines().filter(|line| pages(line)).map(str::to_owned).collect()
}

#[test]
fn every_finding_that_pages_arrives_once_signed_and_after_an_error_again() {
    let s = Simulated::new("s3", 300);
    let receiver = Receiver::start(|n| match n {
        0 => "503 Service Unavailable\r\nretry-after: 1",
        1 => "500 Internal Server Error",
        _ => "204 No Content\r\nx: y",
    });
    let secret = s.path("secret");
    fs::write(&secret, format!("whsec_{}\n", STANDARD.encode(SECRET))).unwrap();
    let (hook, out) = (receiver.url("/hooks/lidr?team=noc"), s.path("out"));
    let how = ["--site", &s.path("site"), "--out", &out, "--webhook", &hook, "--webhook-secret-file", &secret];
    let run = lidr(["replay", &s.path("capture.pcap")].into_iter().chain(how));
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "{said}");
    let posted = receiver.posted();
    let lines = paging(&s);
    assert!(lines.len() > 3, "{lines:?}");
    // What failed came again under its id, before anything else.
    let [first, second, third] = &posted[..3] else { panic!("{posted:?}") };
    assert_eq!((first.header("webhook-id"), &first.body), (second.header("webhook-id"), &second.body));
    assert_eq!(second.body, third.body);
    assert_eq!(posted[2..].iter().map(|p| p.body.as_str()).collect::<Vec<_>>(), lines, "in their order");
    let mut ids = BTreeSet::new();
    for posted in &posted {
        assert_eq!(posted.line(), "POST /hooks/lidr?team=noc HTTP/1.1");
        assert_eq!(posted.header("content-type"), "application/json");
        assert!(is_signed(posted), "{posted:?}");
        ids.insert(posted.header("webhook-id"));
    }
    assert_eq!(ids.len(), lines.len());
    let finding: Value = serde_json::from_str(&first.body).unwrap();
    let id = format!(
        "{}-{}-{}",
        finding["finding_info"]["uid"].as_str().unwrap(),
        finding["activity_id"],
        finding["severity_id"]
    );
    assert_eq!(first.header("webhook-id"), id, "what receivers drop repeats by");
    assert_eq!(summary(&s.dir.join("out"))["deliveries"]["webhook"]["delivered"], lines.len());
    assert!(
        said.contains("findings wait and are sent once it takes them") && said.contains("takes findings again"),
        "{said}"
    );
    assert!(said.contains(&format!("delivery  webhook: delivered {}\n", lines.len())), "{said}");
    assert!(!said.contains("/hooks/lidr"), "a path may be a secret: {said}");
}

#[test]
fn a_level_is_kept_and_what_is_refused_is_not_sent_again() {
    let s = Simulated::new("s3", 300);
    let receiver = Receiver::start(|_| "410 Gone");
    let args = ["--site", &s.path("site"), "--out", &s.path("out"), "--webhook", &receiver.url("/")].map(str::to_owned);
    let mut command = Command::new(env!("CARGO_BIN_EXE_lidr"));
    command.args(["replay", &s.path("capture.pcap"), "--webhook-level", "critical"]).args(args);
    command.env("LIDR_KEY", KEY).env("LIDR_WEBHOOK_SECRET", STANDARD.encode(SECRET));
    let run = command.output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "a receiver decides nothing: {said}");
    let critical = paging(&s).iter().filter(|line| line.contains("\"severity_id\":5")).count();
    let posted = receiver.posted();
    assert!(critical > 2 && posted.len() == critical, "{critical}: {posted:?}");
    assert!(posted.iter().all(is_signed), "by the secret of the environment");
    assert_eq!(summary(&s.dir.join("out"))["deliveries"]["webhook"]["refused"], critical);
    assert!(said.contains("a finding was refused (it answers 410 Gone)"), "{said}");
}

#[test]
fn a_receiver_that_is_away_holds_nothing_up() {
    let s = Syslog::new();
    let (out, site, rules) = (s.path("out"), s.path("site"), s.path("rules"));
    let (nobody, port) = (format!("http://127.0.0.1:{}/", free_port()), free_port());
    let (listeners, port_text) = (s.listeners(), port.to_string());
    let how = ["live", "--no-builtin", "--rules", &rules, "--site", &site, "--out", &out, "--metrics", &port_text];
    let more = ["--webhook", &nobody, "--alertmanager", &nobody, "--deliver-queue", "2"];
    let args: Vec<&str> = how.into_iter().chain(more).chain(listeners.iter().map(String::as_str)).collect();
    let running = Running::start(s.dir.path(), &args);
    s.configure(6);
    let value = |name: &str| {
        let page = get(port, "/metrics");
        page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok()).unwrap_or_default()
    };
    let lost = "lidr_deliveries_total{outcome=\"overflow\",output=\"webhook\"}";
    running.until(|_| value(lost) >= 3, "six findings are more than one under way and two that wait");
    assert!(value("lidr_delivery_queue{output=\"webhook\"}") >= 2);
    assert!(value("lidr_delivery_retries_total{output=\"webhook\"}") >= 1);
    assert!(value("lidr_resident_memory_bytes") > 1 << 20);
    running.until(|r| r.said().contains("were dropped, 2 wait already"), "it is said");
    assert!(running.said().contains("findings go to http://127.0.0.1:"), "{}", running.said());
    // Within ten seconds, with exit status 0.
    running.end();
    let summary = summary(out.as_ref());
    for output in ["webhook", "alertmanager"] {
        let of = &summary["deliveries"][output];
        let count = |name: &str| of[name].as_u64().unwrap();
        assert!(count("delivered") == 0 && count("left") >= 2, "{of}");
        assert_eq!(count("left") + count("overflow"), 6, "{of}");
    }
}

#[test]
fn what_is_no_address_and_what_is_no_secret_is_refused_before_anything_is_made() {
    let s = Simulated::new("s3", 0);
    let (out, secret) = (s.path("out"), s.path("secret"));
    fs::write(&secret, "hunter2\n").unwrap();
    let cases: [(&[&str], &str); 3] = [
        (&["--webhook", "hooks.example/t0ken"], "--webhook: needed http://HOST"),
        (&["--alertmanager", "am:9093"], "--alertmanager: needed http://HOST"),
        (&["--webhook", "http://127.0.0.1:1/", "--webhook-secret-file", &secret], "openssl rand -base64 32"),
    ];
    for (args, words) in cases {
        let capture = s.path("capture.pcap");
        let run = lidr(["replay", &capture, "--out", &out].iter().chain(args));
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.code() == Some(2) && said.contains(words), "{args:?}: {said}");
        assert!(!said.contains("t0ken") && !said.contains("hunter2"), "{said}");
        assert!(fs::metadata(&out).is_err(), "nothing is made");
    }
    ok(["replay", &s.path("capture.pcap"), "--out", &out, "--quiet"]);
}

/// The certificate of the one is trusted, that of the other is not.
#[test]
fn a_receiver_over_tls_shows_who_it_is() {
    let s = Syslog::new();
    let (known, certificate) = Receiver::secure(|_| "200 OK");
    let (stranger, _) = Receiver::secure(|_| "200 OK");
    let trusted = s.path("trusted.pem");
    fs::write(&trusted, certificate).unwrap();
    let (out, site, rules) = (s.path("out"), s.path("site"), s.path("rules"));
    let (to, wrong, listeners) = (
        format!("https://noc:s3cret@127.0.0.1:{}/", known.port),
        format!("https://127.0.0.1:{}/", stranger.port),
        s.listeners(),
    );
    let how = ["live", "--no-builtin", "--rules", &rules, "--site", &site, "--out", &out];
    let args: Vec<&str> = how
        .into_iter()
        .chain(["--webhook", &to, "--webhook", &wrong])
        .chain(listeners.iter().map(String::as_str))
        .collect();
    let running = Running::start_with(s.dir.path(), &args, &[("SSL_CERT_FILE", &trusted)]);
    s.configure(1);
    running.until(|_| !known.posted().is_empty(), "it arrives");
    running.until(|r| r.said().contains("is its certificate trusted?"), "it is said");
    assert_eq!(known.posted()[0].header("authorization"), format!("Basic {}", STANDARD.encode("noc:s3cret")));
    assert!(!running.said().contains("s3cret"));
    running.end();
    assert!(stranger.posted().is_empty());
    let of = &summary(out.as_ref())["deliveries"]["webhook"];
    assert_eq!((&of["delivered"], &of["left"]), (&1.into(), &1.into()));
}

/// A prefix of its path is kept; whether the way is open is known before there is anything to tell.
#[test]
fn an_alertmanager_is_spoken_to_from_the_start() {
    let s = Syslog::new();
    let receiver = Receiver::start(|_| "200 OK");
    let (out, site, rules, to, listeners) =
        (s.path("out"), s.path("site"), s.path("rules"), receiver.url("/am/"), s.listeners());
    let how = ["live", "--no-builtin", "--rules", &rules, "--site", &site, "--out", &out, "--alertmanager", &to];
    let args: Vec<&str> = how.into_iter().chain(listeners.iter().map(String::as_str)).collect();
    let running = Running::start(s.dir.path(), &args);
    running.until(|_| !receiver.posted().is_empty(), "it is there");
    s.configure(2);
    let alerts = || {
        let all: Vec<Value> =
            receiver.posted().iter().map(|p| serde_json::from_str(&p.body).expect("a list of alerts")).collect();
        all.iter().flat_map(|message| message.as_array().unwrap().clone()).collect::<Vec<_>>()
    };
    running.until(|_| alerts().len() == 2, "both arrive");
    running.end();
    let first = &receiver.posted()[0];
    assert_eq!((first.line(), first.body.as_str()), ("POST /am/api/v2/alerts HTTP/1.1", "[]"));
    let uids: BTreeSet<String> = alerts().iter().map(|a| a["labels"]["uid"].to_string()).collect();
    assert_eq!(uids.len(), 2);
    for alert in alerts() {
        assert_eq!(
            (&alert["labels"]["alertname"], &alert["labels"]["severity"]),
            (&"Router configured".into(), &"high".into())
        );
        assert!(alert["endsAt"].as_str() > alert["startsAt"].as_str(), "it stands: {alert}");
    }
}
