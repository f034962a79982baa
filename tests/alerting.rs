//! The way to whoever is on call, with the real Prometheus and Alertmanager: Prometheus scrapes lidr by the configuration that ships
//! with it, an alert of `alerts.yml` fires and arrives at Alertmanager, and so does the finding that lidr posts itself.
use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    dashboards::queries,
    lidr::Process,
    live::{Running, Syslog},
    receiver::get,
    site_changes::free_port,
    tree::{read, root},
};

/// Longest wait for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether both programs are here; without them the test says that it was skipped, or fails where they are required.
fn programs(test: &str) -> bool {
    let here = |name: &str| Command::new(name).arg("--version").output().is_ok();
    if here("prometheus") && here("prometheus-alertmanager") {
        return true;
    }
    assert!(std::env::var_os("LIDR_REQUIRE_PROMETHEUS").is_none(), "Prometheus and Alertmanager are required");
    println!("\nskipped: {test}: prometheus and prometheus-alertmanager are not here (scripts/prometheus-bin)");
    false
}

/// Starts a program whose log is a file.
fn start(dir: &Path, program: &str, args: &[String]) -> Process {
    let log = File::create(dir.join(format!("{program}.log"))).unwrap();
    let mut command = Command::new(program);
    command.args(args).current_dir(dir).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    Process(command.spawn().expect("it starts"))
}

/// Alertmanager with the configuration that ships.
fn alertmanager(dir: &Path, port: u16) -> Process {
    let config = root().join("dashboards/alertmanager.yml");
    let args = [
        format!("--config.file={}", config.display()),
        format!("--storage.path={}", dir.join("alerts").display()),
        format!("--web.listen-address=127.0.0.1:{port}"),
        "--cluster.listen-address=".to_owned(),
    ];
    start(dir, "prometheus-alertmanager", &args)
}

/// Prometheus with the configuration that ships, but for names that only docker-compose has, and for its patience.
fn prometheus(dir: &Path, port: u16, lidr: u16, alertmanager: u16) -> Process {
    let mut config = read("dashboards/prometheus.yml".as_ref());
    for (was, is) in [
        ("watch:9465", format!("127.0.0.1:{lidr}")),
        ("alertmanager:9093", format!("127.0.0.1:{alertmanager}")),
        ("scrape_interval: 15s", "scrape_interval: 1s\n  evaluation_interval: 1s".to_owned()),
        ("[alerts.yml]", format!("[{}]", root().join("dashboards/alerts.yml").display())),
    ] {
        assert!(config.contains(was), "{was}");
        config = config.replace(was, &is);
    }
    fs::write(dir.join("prometheus.yml"), config).unwrap();
    let args = [
        "--config.file=prometheus.yml".to_owned(),
        format!("--storage.tsdb.path={}", dir.join("tsdb").display()),
        format!("--web.listen-address=127.0.0.1:{port}"),
    ];
    start(dir, "prometheus", &args)
}

/// Asks until the answer is one that is wanted.
fn until<T>(what: &str, dir: &Path, ask: impl Fn() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        match ask() {
            Ok(found) => return found,
            Err(had) if began.elapsed() > PATIENCE => {
                let log = |name: &str| fs::read_to_string(dir.join(name)).unwrap_or_default();
                panic!("{what}: had {had}\n{}\n{}", log("prometheus.log"), log("prometheus-alertmanager.log"));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}

fn json(port: u16, path: &str) -> Value {
    serde_json::from_str(&get(port, path)).unwrap_or_default()
}

/// What Prometheus answers to a query.
fn ask(port: u16, query: &str) -> Value {
    let encoded: String = query.bytes().map(|octet| format!("%{octet:02x}")).collect();
    json(port, &format!("/api/v1/query?query={encoded}"))
}

/// The value of a metric as Prometheus has it.
fn value(port: u16, query: &str) -> Result<String, String> {
    let answer = ask(port, query);
    let value = &answer["data"]["result"][0]["value"][1];
    value.as_str().map(str::to_owned).ok_or_else(|| answer.to_string())
}

/// The alert of that name at Alertmanager.
fn alert(port: u16, name: &str) -> Result<Value, String> {
    let all = json(port, "/api/v2/alerts");
    let found = all.as_array().into_iter().flatten().find(|a| a["labels"]["alertname"] == name);
    found.cloned().ok_or_else(|| all.to_string())
}

#[test]
fn an_alert_of_prometheus_and_a_finding_of_lidr_arrive_at_alertmanager() {
    if !programs("an_alert_of_prometheus_and_a_finding_of_lidr_arrive_at_alertmanager") {
        return;
    }
    let s = Syslog::new();
    let rule = s.dir.path().join("rules/configured.yml");
    fs::write(&rule, fs::read_to_string(&rule).unwrap().replace("level: high", "level: critical")).unwrap();
    let dir = s.dir.path();
    let (of_alertmanager, of_prometheus, of_lidr) = (free_port(), free_port(), free_port());
    let _alertmanager = alertmanager(dir, of_alertmanager);
    let _prometheus = prometheus(dir, of_prometheus, of_lidr, of_alertmanager);
    let (out, site, rules, to) =
        (s.path("out"), s.path("site"), s.path("rules"), format!("http://127.0.0.1:{of_alertmanager}"));
    let (metrics, listeners) = (of_lidr.to_string(), s.listeners());
    let how = ["live", "--no-builtin", "--rules", &rules, "--site", &site, "--out", &out, "--metrics", &metrics];
    let args: Vec<&str> =
        how.into_iter().chain(["--alertmanager", &to]).chain(listeners.iter().map(String::as_str)).collect();
    let running = Running::start(dir, &args);

    let up = |role: &str| value(of_prometheus, &format!("up{{job=\"lidr\",role=\"{role}\"}}"));
    let is = |wanted: &'static str| move |had: String| if had == wanted { Ok(()) } else { Err(had) };
    until("lidr is scraped", dir, || up("watch").and_then(is("1")));
    until("its metrics are there", dir, || value(of_prometheus, "lidr_rules_loaded").and_then(is("1")));
    until("what is not there is known to be down", dir, || up("sensor").and_then(is("0")));
    let memory: f64 = value(of_prometheus, "lidr_resident_memory_bytes").unwrap().parse().unwrap();
    assert!(memory > 1e6, "{memory}");

    // What Grafana asks for its panels, once it has put the time that is shown in the place of its variables.
    for (panel, query) in queries() {
        let answer = ask(of_prometheus, &query.replace("$__rate_interval", "1m").replace("$__range", "6h"));
        assert_eq!(answer["status"], "success", "{panel}: {query}: {answer}");
    }

    s.configure(1);
    running.until(|_| fs::metadata(format!("{out}/findings.ndjson")).is_ok_and(|m| m.len() > 0), "it is found");
    let line = fs::read_to_string(format!("{out}/findings.ndjson")).unwrap();
    let finding: Value = serde_json::from_str(line.lines().next().unwrap()).unwrap();
    let posted = until("the finding arrives", dir, || alert(of_alertmanager, "Router configured"));
    let code = &finding["finding_info"]["analytic"]["uid"];
    let labels = serde_json::json!({
        "alertname": "Router configured", "code": code, "severity": "critical",
        "uid": finding["finding_info"]["uid"], "source": "lidr",
    });
    assert_eq!(posted["labels"], labels, "{posted}");
    assert_eq!(posted["annotations"]["summary"], finding["message"]);
    assert_eq!(posted["status"]["state"], "active", "{posted}");

    until("the alert fires", dir, || {
        let all = json(of_prometheus, "/api/v1/alerts");
        let mut alerts = all["data"]["alerts"].as_array().into_iter().flatten();
        let fires = |a: &Value| a["labels"]["alertname"] == "LidrCriticalFinding" && a["state"] == "firing";
        alerts.any(fires).then_some(()).ok_or_else(|| all.to_string())
    });
    // It arrives, and is not told beside the finding that it counts.
    let counted = until("it arrives and is inhibited", dir, || {
        let counted = alert(of_alertmanager, "LidrCriticalFinding")?;
        let quiet = counted["status"]["inhibitedBy"][0] == posted["fingerprint"];
        if quiet { Ok(counted) } else { Err(counted.to_string()) }
    });
    assert_eq!((&counted["labels"]["severity"], &counted["labels"]["code"]), (&Value::from("page"), code));
    running.end();
}
