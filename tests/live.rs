//! `lidr live` and a live `lidr sensor` as an operator meets them, with syslog over loopback: no privileges needed.
use std::{
    fs::{self, File},
    io::Write,
    net::{TcpListener, TcpStream, UdpSocket},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    kafka_broker::broker,
    lidr::{KEY, Process, last_lines, lidr, ok, stop, summary},
};

/// Longest wait for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A rule that any message which a listener hears may fire.
const RULE: &str = "title: Router configured\nid: 6f1cbe0a-4c0f-4f0e-9a3b-6f8f7c2d1e20\nlevel: high\n\
    logsource: {product: lidr, category: mgmt}\n\
    detection:\n  selection: {protocol: syslog, op: configured}\n  condition: selection\n";

const CONFIGURED: &str = "%SYS-5-CONFIG_I: Configured from console by noc1 on vty0 (10.20.0.10)";

/// A `lidr` that goes on, whose log is a file.
pub(crate) struct Running {
    pub(crate) child: Process,
    pub(crate) log: std::path::PathBuf,
}

impl Running {
    /// Starts it and waits until it hears.
    pub(crate) fn start(dir: &Path, args: &[&str]) -> Self {
        Self::start_with(dir, args, &[])
    }

    /// The same with variables of its own.
    pub(crate) fn start_with(dir: &Path, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let log = dir.join("log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_lidr"));
        command.args(args).env("LIDR_KEY", KEY).env_remove("LIDR_CONFIG").env("NO_COLOR", "1");
        command.envs(variables.iter().copied());
        let child = command.stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().expect("lidr runs");
        let child = Process(child);
        let running = Self { child, log };
        running.until(|r| r.said().contains("hearing "), "it hears");
        running
    }

    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until something holds.
    pub(crate) fn until(&self, holds: impl Fn(&Self) -> bool, what: &str) {
        let began = Instant::now();
        while !holds(self) {
            assert!(began.elapsed() < PATIENCE, "{what}: {}", self.said());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends it within ten seconds, with exit status 0.
    pub(crate) fn end(self) {
        let (began, log) = (Instant::now(), self.log);
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stop(self.child)));
        let said = fs::read_to_string(&log).unwrap();
        assert!(ended.is_ok() && began.elapsed() < Duration::from_secs(10), "took {:?}: {said}", began.elapsed());
    }
}

/// Free ports of loopback, as far as one can know.
fn ports() -> (u16, u16) {
    let (udp, tcp) = (UdpSocket::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    (udp.local_addr().unwrap().port(), tcp.local_addr().unwrap().port())
}

fn found(out: &Path) -> Vec<Value> {
    let there = fs::metadata(out.join("findings.ndjson")).is_ok_and(|m| m.len() > 0);
    if there { last_lines(out).into_values().collect() } else { Vec::new() }
}

/// What `lidr live` reads and hears.
pub(crate) struct Syslog {
    pub(crate) dir: tempfile::TempDir,
    udp: u16,
    tcp: u16,
}

impl Syslog {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("rules")).unwrap();
        fs::create_dir_all(dir.path().join("site")).unwrap();
        fs::write(dir.path().join("rules/configured.yml"), RULE).unwrap();
        fs::write(dir.path().join("site/devices.csv"), "name,role,loopback\npe1,router,10.0.0.1\n").unwrap();
        let (udp, tcp) = ports();
        Self { dir, udp, tcp }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn listeners(&self) -> Vec<String> {
        vec!["--syslog".into(), format!("udp:{}", self.udp), "--syslog".into(), format!("tcp:127.0.0.1:{}", self.tcp)]
    }

    /// So many hosts configure the router, each of which is a finding.
    pub(crate) fn configure(&self, hosts: u8) {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        for host in 1..=hosts {
            let line = CONFIGURED.replace("10.20.0.10", &format!("10.20.0.{host}"));
            udp.send_to(format!("<189>29: *Mar  1 00:00:05.911: {line}").as_bytes(), ("127.0.0.1", self.udp)).unwrap();
        }
    }

    /// A router's own line over UDP, what a relay makes of one over TCP, and a line of somebody else.
    fn speak(&self) {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = ("127.0.0.1", self.udp);
        udp.send_to(b"<13>Nov 20 02:13:05 mail1 postfix: hello", to).unwrap();
        udp.send_to(format!("<189>29: *Mar  1 00:00:05.911: {CONFIGURED}").as_bytes(), to).unwrap();
        let mut tcp = TcpStream::connect(("127.0.0.1", self.tcp)).unwrap();
        let line = format!("<189>Nov 20 02:13:05 pe1 4711: *Nov 20 02:13:04.911: {CONFIGURED}");
        write!(tcp, "{} {line}", line.len()).unwrap();
        // Closed only once it was read: the answer of a port that nobody hears any more would come before.
        tcp.flush().unwrap();
    }
}

#[test]
fn syslog_is_judged_in_one_process_and_proved_by_listener_and_number() {
    let s = Syslog::new();
    let (out, site, rules) = (s.path("out"), s.path("site"), s.path("rules"));
    let out = Path::new(&out);
    let listeners = s.listeners();
    let how = ["live", "--no-builtin", "--rules", &rules, "--site", &site, "--out", out.to_str().unwrap()];
    let args: Vec<&str> = how.into_iter().chain(listeners.iter().map(String::as_str)).collect();
    let running = Running::start(s.dir.path(), &args);
    s.speak();
    running.until(|_| found(out).len() >= 2, "both are found while it runs");
    let of_status = fs::read_to_string(format!("/proc/{}/status", running.child.id())).unwrap();
    let rights = of_status.lines().find(|l| l.starts_with("CapPrm:")).unwrap();
    assert_eq!(rights.trim_start_matches("CapPrm:").trim(), "0000000000000000", "no capability is left");
    running.end();
    let findings = found(out);
    let mut evidence: Vec<String> = findings.iter().map(|f| f["evidences"][0]["data"].to_string()).collect();
    evidence.sort();
    let expected = [
        format!("{{\"file\":\"syslog-tcp-{}\",\"line\":1}}", s.tcp),
        format!("{{\"file\":\"syslog-udp-{}\",\"line\":2}}", s.udp),
    ];
    assert_eq!(evidence, expected, "{findings:?}");
    let summary = summary(out);
    assert_eq!(
        (&summary["verb"], &summary["records"]["read"], &summary["records"]["mapped"]),
        (&"live".into(), &3.into(), &2.into())
    );
    assert_eq!(summary["records"]["skipped"]["no message of IOS"], 1, "{summary}");
    let text = fs::read_to_string(out.join("summary.json")).unwrap();
    assert!(!text.contains("postfix") && !text.contains("Configured from"), "no content in the summary: {text}");
    // It goes on in its own folder; another's is refused.
    let again = Running::start(s.dir.path(), &args);
    again.end();
    assert_eq!(found(out).len(), 2);
    let other: Vec<&str> = args.iter().copied().chain(["--name", "other"]).collect();
    let refused = lidr(other);
    assert!(refused.status.code() == Some(2) && String::from_utf8_lossy(&refused.stderr).contains("--force"));
}

#[test]
fn a_sensor_that_hears_syslog_ends_as_a_file_does() {
    let Some(broker) = broker("a_sensor_that_hears_syslog_ends_as_a_file_does") else { return };
    let s = Syslog::new();
    let (site, rules, out, prefix) =
        (s.path("site"), s.path("rules"), s.path("out"), format!("l{}", std::process::id()));
    let listeners = s.listeners();
    let how = ["sensor", "--kafka", &broker, "--topic-prefix", &prefix, "--name", "tap1", "--site", &site];
    let args: Vec<&str> = how.into_iter().chain(listeners.iter().map(String::as_str)).collect();
    let running = Running::start(s.dir.path(), &args);
    s.speak();
    thread::sleep(Duration::from_secs(1));
    running.end();
    let to =
        ["watch", "--kafka", &broker, "--topic-prefix", &prefix, "--sensors", "tap1", "--until-eos", "--no-produce"];
    ok(to.into_iter().chain(["--no-builtin", "--rules", &rules, "--site", &site, "--quiet", "--out", &out]));
    assert_eq!(found(Path::new(&out)).len(), 2);
}

#[test]
fn what_cannot_be_heard_is_refused_before_anything_is_made() {
    let s = Syslog::new();
    let out = s.path("out");
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let kept = UdpSocket::bind(taken).unwrap();
    let address = format!("udp:{}", kept.local_addr().unwrap());
    let cases: [(&[&str], &str); 5] = [
        (&["live"], "nothing to read: needed files, --interface IF or --syslog"),
        (&["live", "--syslog", &address], "in use"),
        (&["live", "--syslog", "udp:somewhere:514"], "needed udp:ADDR:PORT or tcp:ADDR:PORT, had `udp:somewhere:514`"),
        (&["live", "--interface", "nosuch0"], "nosuch0: "),
        (&["sensor", "x.pcap", "--interface", "lo", "--kafka", "127.0.0.1:1"], "files and live inputs at once"),
    ];
    for (args, words) in cases {
        let more: &[&str] = if args[0] == "live" { &["--out", &out] } else { &[] };
        let run = lidr([args, more].concat());
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.code() == Some(2) && said.contains(words), "{args:?}: {said}");
    }
    assert!(!Path::new(&out).exists());
}
