//! What lidr tells Prometheus (contracts: metrics).
//!
//! Labels come from closed sets: sensor, interface (or listener), table, protocol, reason, code, severity, topic, partition, stage, output, outcome. Never an address, user,
//! task or selector. `dashboards/metrics.txt` is the committed list; a test compares it.
mod serve;

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use lidr_schema::finding::Severity;
use prometheus::{
    Counter, CounterVec, Encoder, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};
use serde_json::Value;
pub use serve::serve;

use crate::{
    EngineStats,
    deliver::{Kind, Outcome},
};

/// What the process uses, as its binary counts it.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Resident memory, octets.
    pub resident_bytes: fn() -> u64,
    /// CPU seconds so far, user and system.
    pub cpu_seconds: fn() -> f64,
}

/// All metrics of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    packets: IntCounterVec,
    bytes: IntCounterVec,
    live_packets: IntCounterVec,
    live_lost: IntCounterVec,
    records: IntCounterVec,
    rows: IntCounterVec,
    skipped: IntCounterVec,
    dropped: IntCounterVec,
    oddities: IntCounterVec,
    judged: IntCounterVec,
    batches: IntCounterVec,
    produced: IntCounterVec,
    consumed: IntCounterVec,
    lag: IntGaugeVec,
    silent: IntGaugeVec,
    watermark: IntGauge,
    watermark_delay: IntGauge,
    rule_seconds: CounterVec,
    findings: IntCounterVec,
    not_evaluated: IntGaugeVec,
    suspended: IntCounterVec,
    rules_loaded: IntGauge,
    late: IntCounter,
    site_age: IntGauge,
    site_reads: IntCounterVec,
    deliveries: IntCounterVec,
    delivery_retries: IntCounterVec,
    delivery_queue: IntGaugeVec,
    resident: IntGauge,
    cpu: Counter,
    usage: OnceLock<Usage>,
    ready: AtomicBool,
    newest: Mutex<i64>,
}

impl Metrics {
    /// Registers everything, at zero.
    ///
    /// # Errors
    /// If two metrics have one name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let made = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(made.clone()))?;
            Ok::<_, prometheus::Error>(made)
        };
        let gauge = |name: &str, help: &str| {
            let made = IntGauge::new(name, help)?;
            registry.register(Box::new(made.clone()))?;
            Ok::<_, prometheus::Error>(made)
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let made = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(made.clone()))?;
            Ok::<_, prometheus::Error>(made)
        };
        let rule_seconds = CounterVec::new(
            Opts::new("lidr_rule_evaluation_seconds_total", "Time spent evaluating a rule."),
            &["code"],
        )?;
        registry.register(Box::new(rule_seconds.clone()))?;
        let late = IntCounter::new("lidr_late_rows_total", "Rows that came behind the watermark.")?;
        registry.register(Box::new(late.clone()))?;
        let cpu = Counter::new("lidr_cpu_seconds_total", "CPU time of the process, user and system.")?;
        registry.register(Box::new(cpu.clone()))?;
        let info = IntGaugeVec::new(Opts::new("lidr_build_info", "Version of lidr, always 1."), &["version"])?;
        registry.register(Box::new(info.clone()))?;
        info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(Self {
            packets: counters("lidr_packets_total", "Packets read.", &["sensor"])?,
            bytes: counters("lidr_packet_bytes_total", "Octets of packets read, as on the wire.", &["sensor"])?,
            live_packets: counters(
                "lidr_live_packets_total",
                "Packets captured live, by interface.",
                &["sensor", "interface"],
            )?,
            live_lost: counters(
                "lidr_live_lost_total",
                "What came to an interface or listener and was not decoded, by where it was lost.",
                &["sensor", "interface", "reason"],
            )?,
            records: counters(
                "lidr_records_total",
                "Records of record files: mapped, skipped, malformed.",
                &["sensor", "result"],
            )?,
            rows: counters("lidr_rows_total", "Rows written by decoding.", &["sensor", "table"])?,
            skipped: counters(
                "lidr_skipped_total",
                "Packets met and not opened, by protocol.",
                &["sensor", "protocol"],
            )?,
            dropped: counters(
                "lidr_dropped_total",
                "Dropped at a bound, by stage and reason; by sensor where it is one's.",
                &["sensor", "stage", "reason"],
            )?,
            oddities: counters("lidr_oddities_total", "Oddities met, by kind.", &["sensor", "kind"])?,
            judged: counters("lidr_rows_judged_total", "Rows given to the rules.", &["table"])?,
            batches: counters("lidr_batches_judged_total", "Batches given to the rules.", &["table"])?,
            produced: counters(
                "lidr_kafka_produced_total",
                "Sent to Kafka: messages, bytes, rows.",
                &["sensor", "unit"],
            )?,
            consumed: counters(
                "lidr_kafka_consumed_total",
                "Read from Kafka: messages, bytes, rows, repeated, missing and refused rows, broken messages.",
                &["unit"],
            )?,
            lag: gauges("lidr_kafka_lag_messages", "Messages not read yet.", &["topic", "partition"])?,
            silent: gauges(
                "lidr_sensor_silent",
                "1 for a sensor that windows do not wait for, 0 once it is back.",
                &["sensor"],
            )?,
            watermark: gauge(
                "lidr_watermark_seconds",
                "Event time up to which everything was judged, seconds since the epoch.",
            )?,
            watermark_delay: gauge("lidr_watermark_delay_seconds", "Newest row's time less the watermark.")?,
            findings: counters("lidr_findings_total", "Lines of findings written.", &["code", "severity"])?,
            not_evaluated: gauges(
                "lidr_rule_not_evaluated",
                "1 for a rule that could not be judged, for want of a site table or of a sensor that sees.",
                &["code"],
            )?,
            suspended: counters(
                "lidr_rule_windows_suspended_total",
                "Windows a rule was not judged in because a sensor was blind.",
                &["code"],
            )?,
            rules_loaded: gauge("lidr_rules_loaded", "Rules loaded.")?,
            site_age: gauge(
                "lidr_site_age_seconds",
                "Age of the copy of the site's tables that rules are judged with.",
            )?,
            site_reads: counters(
                "lidr_site_reads_total",
                "Readings of the site's tables while running: ok, failed.",
                &["result"],
            )?,
            deliveries: counters(
                "lidr_deliveries_total",
                "Findings that webhooks and Alertmanagers took: delivered, refused, failed, overflow of the queue, left at the end.",
                &["output", "outcome"],
            )?,
            delivery_retries: counters(
                "lidr_delivery_retries_total",
                "Attempts to deliver findings that came to nothing and are made again.",
                &["output"],
            )?,
            delivery_queue: gauges("lidr_delivery_queue", "Findings that wait to be delivered.", &["output"])?,
            resident: gauge("lidr_resident_memory_bytes", "Memory of the process that is in use.")?,
            cpu,
            usage: OnceLock::new(),
            rule_seconds,
            late,
            registry,
            ready: AtomicBool::new(false),
            newest: Mutex::new(0),
        })
    }

    /// The page that Prometheus reads.
    #[must_use]
    pub fn page(&self) -> String {
        if let Some(usage) = self.usage.get() {
            self.resident.set(i64::try_from((usage.resident_bytes)()).unwrap_or(i64::MAX));
            self.cpu.inc_by(((usage.cpu_seconds)() - self.cpu.get()).max(0.0));
        }
        let mut out = Vec::new();
        // Writing to memory cannot fail; a metric that cannot be encoded leaves the page without it.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut out);
        String::from_utf8(out).unwrap_or_default()
    }

    /// Asks so what the process uses, whenever the page is read.
    #[must_use]
    pub fn with_usage(self, usage: Usage) -> Self {
        // It is new: nobody else has told it.
        let _ = self.usage.set(usage);
        self
    }

    /// An output of this kind is there: its counters stand at zero before anything happens, so that a first increase is seen.
    pub(crate) fn delivers(&self, output: Kind) {
        for outcome in Outcome::ALL {
            self.delivered(output, outcome, 0);
        }
        self.delivery_retries.with_label_values(&[output.name()]).inc_by(0);
        self.delivery_queue(output, 0);
    }

    /// What became of findings that an output took.
    pub(crate) fn delivered(&self, output: Kind, outcome: Outcome, n: u64) {
        self.deliveries.with_label_values(&[output.name(), outcome.name()]).inc_by(n);
    }

    /// An attempt came to nothing.
    pub(crate) fn delivery_retried(&self, output: Kind) {
        self.delivery_retries.with_label_values(&[output.name()]).inc();
    }

    /// So many more findings wait.
    pub(crate) fn delivery_queue(&self, output: Kind, more: i64) {
        self.delivery_queue.with_label_values(&[output.name()]).add(more);
    }

    /// Something that outputs keep of what they delivered was dropped at its bound.
    pub(crate) fn delivery_forgotten(&self, bound: &str) {
        self.dropped.with_label_values(&["", "deliver", bound]).inc();
    }

    /// Rows given to the rules.
    pub fn rows_judged(&self, table: &str, rows: u64) {
        self.judged.with_label_values(&[table]).inc_by(rows);
        self.batches.with_label_values(&[table]).inc();
    }

    /// Greatest time among rows that came, µs.
    pub fn newest(&self, due: i64) {
        if let Ok(mut newest) = self.newest.lock() {
            *newest = (*newest).max(due);
        }
    }

    /// What the engine did, and how far it is.
    pub fn engine(&self, stats: &EngineStats, watermark: i64) {
        self.ready.store(true, Ordering::Relaxed);
        self.rules_loaded.set(i64::try_from(stats.loaded).unwrap_or(i64::MAX));
        // A rule whose table is back is not among them any more.
        self.not_evaluated.reset();
        for not in &stats.not_evaluated {
            self.not_evaluated.with_label_values(&[&not.code]).set(i64::from(!not.partly));
        }
        for (code, windows) in &stats.suspended {
            raise(&self.suspended.with_label_values(&[code]), *windows);
        }
        for (code, took) in &stats.seconds {
            let counter = self.rule_seconds.with_label_values(&[code]);
            counter.inc_by((took.as_secs_f64() - counter.get()).max(0.0));
        }
        raise(&self.late, stats.late);
        for (bound, n) in &stats.dropped {
            raise(&self.dropped.with_label_values(&["", "engine", bound]), *n);
        }
        if watermark > 0 && watermark < i64::MAX {
            self.watermark.set(watermark / 1_000_000);
            let newest = self.newest.lock().map_or(0, |n| *n);
            self.watermark_delay.set((newest - watermark).max(0) / 1_000_000);
        }
    }

    /// How old the copy of the site's tables is.
    pub fn site_age(&self, age: std::time::Duration) {
        self.site_age.set(i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
    }

    /// The site's tables were read again, or could not be.
    pub fn site_read(&self, ok: bool) {
        self.site_reads.with_label_values(&[if ok { "ok" } else { "failed" }]).inc();
    }

    /// A line of a finding.
    pub fn finding(&self, code: &str, severity: Severity) {
        self.findings.with_label_values(&[code, severity.name()]).inc();
    }

    /// How far decoding is: the account of a run as `summary.json` holds it.
    pub fn progress(&self, sensor: &str, account: &Value) {
        self.ready.store(true, Ordering::Relaxed);
        let number = |name: &str| account.get(name).and_then(Value::as_u64).unwrap_or_default();
        raise(&self.packets.with_label_values(&[sensor]), number("packets"));
        raise(&self.bytes.with_label_values(&[sensor]), number("bytes"));
        let each = |name: &str, counters: &IntCounterVec, labels: &[&str]| {
            for (label, n) in account.get(name).and_then(Value::as_object).into_iter().flatten() {
                raise(&counters.with_label_values(&[labels, &[label]].concat()), n.as_u64().unwrap_or_default());
            }
        };
        for input in account.get("inputs").and_then(Value::as_array).into_iter().flatten() {
            self.live(sensor, input);
        }
        if let Some(records) = account.get("records") {
            let count = |name: &str| match records.get(name) {
                Some(Value::Object(by_reason)) => by_reason.values().filter_map(Value::as_u64).sum(),
                plain => plain.and_then(Value::as_u64).unwrap_or_default(),
            };
            for result in ["mapped", "skipped", "malformed"] {
                raise(&self.records.with_label_values(&[sensor, result]), count(result));
            }
        }
        each("rows", &self.rows, &[sensor]);
        each("skipped", &self.skipped, &[sensor]);
        each("oddities", &self.oddities, &[sensor]);
        each("dropped", &self.dropped, &[sensor, "ingest"]);
    }

    /// The account of one input, where it is live: names of files are no labels.
    fn live(&self, sensor: &str, input: &Value) {
        let Some(name) = input.get("path").and_then(Value::as_str).filter(|_| input.get("live").is_some()) else {
            return;
        };
        let number = |value: Option<&Value>| value.and_then(Value::as_u64).unwrap_or_default();
        if input.get("records").is_none() {
            raise(&self.live_packets.with_label_values(&[sensor, name]), number(input.get("packets")));
        }
        for (reason, n) in input.get("lost").and_then(Value::as_object).into_iter().flatten() {
            raise(&self.live_lost.with_label_values(&[sensor, name, reason]), number(Some(n)));
        }
    }

    /// What a sensor has sent to Kafka.
    pub fn produced(&self, sensor: &str, messages: u64, bytes: u64, rows: u64) {
        for (unit, n) in [("messages", messages), ("bytes", bytes), ("rows", rows)] {
            raise(&self.produced.with_label_values(&[sensor, unit]), n);
        }
    }

    /// Which of the sensors that were ever heard or expected are silent.
    pub fn silent<'a>(&self, sensors: impl Iterator<Item = (&'a str, bool)>) {
        for (sensor, silent) in sensors {
            self.silent.with_label_values(&[sensor]).set(i64::from(silent));
        }
    }

    /// What was read from Kafka: messages, bytes, rows, repeated, missing and refused rows, broken messages; and how far behind.
    pub fn consumed(&self, counts: [(&str, u64); 7], lag: &BTreeMap<(String, i32), i64>) {
        for (unit, n) in counts {
            raise(&self.consumed.with_label_values(&[unit]), n);
        }
        for ((topic, partition), behind) in lag {
            self.lag.with_label_values(&[topic, &partition.to_string()]).set(*behind);
        }
    }
}

/// Counters are told totals; they only ever go up.
fn raise(counter: &IntCounter, total: u64) {
    counter.inc_by(total.saturating_sub(counter.get()));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page on which every metric has a value.
    fn page() -> String {
        let usage = Usage { resident_bytes: || 4096, cpu_seconds: || 1.5 };
        let metrics = Metrics::new().unwrap().with_usage(usage);
        metrics.delivers(Kind::Webhook);
        metrics.delivered(Kind::Webhook, Outcome::Delivered, 2);
        metrics.delivery_queue(Kind::Webhook, 1);
        metrics.rows_judged("flow", 3);
        metrics.newest(9_000_000);
        let mut stats = EngineStats { loaded: 2, late: 1, ..EngineStats::default() };
        stats.seconds.insert("LI-01".into(), std::time::Duration::from_millis(5));
        stats.not_evaluated.push(crate::NotEvaluated { code: "LI-02".into(), ..Default::default() });
        stats.suspended.insert("LI-15".into(), 3);
        stats.dropped.insert("memory", 1);
        metrics.engine(&stats, 5_000_000);
        metrics.finding("LI-01", Severity::Critical);
        metrics.site_age(std::time::Duration::from_secs(61));
        metrics.site_read(false);
        let account = serde_json::json!({
            "packets": 5, "bytes": 500, "inputs": [{"path": "secret.pcap"}, {"path": "eth0", "live": true, "packets": 5, "lost": {"queue": 2}}], "records": {"read": 3, "mapped": 2, "malformed": 0, "skipped": {"logout": 1}}, "rows": {"flow": 2}, "skipped": {"arp": 1}, "oddities": {"gap": 1}, "dropped": {"flow_table": 1},
        });
        metrics.progress("tap1", &account);
        metrics.progress("tap1", &account);
        metrics.produced("tap1", 5, 6, 7);
        metrics.produced("tap2", 1, 2, 3);
        metrics.silent([("tap1", false), ("tap2", true)].into_iter());
        metrics.consumed(
            [
                ("messages", 1),
                ("bytes", 2),
                ("rows", 3),
                ("repeated", 4),
                ("missing", 5),
                ("broken", 6),
                ("refused", 7),
            ],
            &BTreeMap::from([(("t".into(), 0), 7)]),
        );
        metrics.page()
    }

    #[test]
    fn the_committed_list_is_what_is_served() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../dashboards/metrics.txt");
        let page = page();
        let mut lines: Vec<&str> = page.lines().filter(|l| l.starts_with("# ")).collect();
        lines.sort_by_key(|l| (l.split(' ').nth(2), *l));
        let made = lines.join("\n") + "\n";
        if std::env::var_os("LIDR_BLESS").is_some() {
            std::fs::write(path, &made).unwrap();
        }
        assert!(
            std::fs::read_to_string(path).unwrap_or_default() == made,
            "dashboards/metrics.txt differs: LIDR_BLESS=1 writes it anew"
        );
    }

    /// The linter of Prometheus, where it is installed.
    #[test]
    fn prometheus_takes_the_page() {
        use std::{
            io::Write,
            process::{Command, Stdio},
        };
        let promtool = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut promtool) = promtool else {
            assert!(std::env::var_os("LIDR_REQUIRE_PROMTOOL").is_none(), "promtool is required and is not here");
            println!("\nskipped: prometheus_takes_the_page: promtool is not here (Debian: prometheus)");
            return;
        };
        promtool.stdin.take().unwrap().write_all(page().as_bytes()).unwrap();
        let out = promtool.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success() && said.trim().is_empty(), "{said}");
    }

    #[test]
    fn totals_do_not_add_up_twice_and_names_follow_the_conventions() {
        let page = page();
        assert!(page.contains("lidr_packets_total{sensor=\"tap1\"} 5\n"), "{page}");
        assert!(
            page.contains("lidr_kafka_produced_total{sensor=\"tap2\",unit=\"rows\"} 3\n"),
            "the second sensor's are its own: {page}"
        );
        assert!(page.contains("lidr_watermark_delay_seconds 4\n"), "{page}");
        for line in [
            "lidr_deliveries_total{outcome=\"delivered\",output=\"webhook\"} 2\n",
            "lidr_deliveries_total{outcome=\"overflow\",output=\"webhook\"} 0\n",
            "lidr_resident_memory_bytes 4096\n",
            "lidr_cpu_seconds_total 1.5\n",
        ] {
            assert!(page.contains(line), "{page}");
        }
        assert!(
            page.contains("lidr_live_lost_total{interface=\"eth0\",reason=\"queue\",sensor=\"tap1\"} 2\n"),
            "{page}"
        );
        assert!(!page.contains("secret.pcap"), "files are no labels: {page}");
        for line in page.lines().filter(|l| l.starts_with("# TYPE")) {
            let mut words = line.split(' ').skip(2);
            let (name, kind) = (words.next().unwrap(), words.next().unwrap());
            assert!(name.starts_with("lidr_"), "{name}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
        }
    }
}
