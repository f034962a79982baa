//! A register that changes while `lidr watch` judges what a real broker brings: in a file, and in a real PostgreSQL. The same night, the
//! same findings; and afterwards what judged is still there to be explained.
use std::{
    collections::BTreeSet,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use lidr_schema::{Key, Kind};

use crate::{
    custody::{search, search_copies},
    kafka_broker::broker,
    lidr::{KEY, last_lines, lidr, ok, start, stop},
    postgres::{psql, server},
    receiver::get,
};

/// Longest wait for what must come.
const PATIENCE: Duration = Duration::from_secs(90);

/// Tasks of the night: with an order all the time, without one, with one that is withdrawn, with one that is entered.
const TASKS: [&str; 4] = [
    "11111111-0000-4000-8000-000000000001",
    "22222222-0000-4000-8000-000000000002",
    "33333333-0000-4000-8000-000000000003",
    "44444444-0000-4000-8000-000000000004",
];
/// Tasks that have an order before the register changes, and after.
const ORDERED: [[usize; 2]; 2] = [[0, 2], [0, 3]];

/// Where the register is.
enum Register {
    File,
    Database { connection: String, table: String },
}

impl Register {
    /// Writes the site folder, or changes what is in it; the file is replaced as a whole.
    fn write(&self, site: &Path, ordered: [usize; 2]) {
        let order = |task: usize| (format!("O-2026-0000{task}"), format!("00101000000000{task}"), TASKS[task]);
        match self {
            Self::File => {
                let mut text = "order,kind,selector,xid,state\n".to_owned();
                for (number, imsi, xid) in ordered.map(order) {
                    text += &format!("{number},imsi,{imsi},{xid},approved\n");
                }
                fs::write(site.join("site.toml"), "[files]\ncheck = \"1s\"\n").unwrap();
                fs::write(site.join("new"), text).unwrap();
                fs::rename(site.join("new"), site.join("warrants.csv")).unwrap();
            }
            Self::Database { connection, table } => {
                let mut script = format!(
                    "CREATE TABLE IF NOT EXISTS {table} (number text, imsi text, xid text); TRUNCATE {table}; "
                );
                for (number, imsi, xid) in ordered.map(order) {
                    script += &format!("INSERT INTO {table} VALUES ('{number}', '{imsi}', '{xid}'); ");
                }
                psql(connection, &format!("BEGIN; {script} COMMIT"));
                let query = format!(
                    "SELECT number AS order, 'imsi' AS kind, imsi AS selector, xid, 'approved' AS state FROM {table}"
                );
                let text = format!(
                    "[postgres]\nconnection_env = \"LIDR_TEST_POSTGRES\"\nrefresh = \"1s\"\n[postgres.tables]\nwarrants = \"{query}\"\n"
                );
                if !site.join("site.toml").exists() {
                    fs::write(site.join("site.toml"), text).unwrap();
                }
            }
        }
    }
}

/// An audit log in which two tasks are switched on.
fn audit(dir: &Path, name: &str, hour: u32, tasks: [usize; 2]) -> String {
    let line = |task: usize| {
        format!(
            "{{\"time\":\"2026-11-20T{hour:02}:01:0{task}Z\",\"system\":\"admf\",\"user\":\"officer1\",\"host\":\"10.66.0.10\",\"action\":\"task.enable\",\
             \"result\":\"success\",\"xid\":\"{}\",\"target\":{{\"type\":\"imsi\",\"value\":\"00101000000000{task}\"}},\
             \"element\":{{\"name\":\"poi1\",\"address\":\"10.0.1.1\"}},\"approver\":\"officer2\"}}\n",
            TASKS[task]
        )
    };
    let path = dir.join(format!("{name}-admf-audit.ndjson"));
    fs::write(&path, tasks.map(line).concat()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The tasks that findings of LI-01 are about, by their number.
fn unlawful(out: &Path) -> BTreeSet<usize> {
    if !out.join("findings.ndjson").exists() {
        return BTreeSet::new();
    }
    let all = serde_json::to_string(&last_lines(out).into_values().collect::<Vec<_>>()).unwrap();
    (0..TASKS.len()).filter(|task| all.contains(&token(*task))).collect()
}

fn token(task: usize) -> String {
    Key::from_hex(KEY).unwrap().pseudonym(Kind::Xid, TASKS[task]).token()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A page of metrics, empty while nobody serves it.
pub(crate) fn metrics(port: u16) -> String {
    get(port, "/metrics")
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A value on the page; 0 where it is not there.
fn value(page: &str, name: &str) -> u64 {
    page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap_or_default()
}

const GOOD: &str = "lidr_site_reads_total{result=\"ok\"}";
const BAD: &str = "lidr_site_reads_total{result=\"failed\"}";

/// One night: a tap with and one without an order, then the register changes, then two more.
fn night(broker: &str, name: &str, register: &Register) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_owned();
    let (site, out, rules) = (dir.join("site"), dir.join("out"), dir.join("rules"));
    fs::create_dir_all(&site).unwrap();
    fs::create_dir_all(&rules).unwrap();
    fs::copy(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/tasking/LI-01-tap-without-warrant.yml"),
        rules.join("LI-01.yml"),
    )
    .unwrap();
    register.write(&site, ORDERED[0]);
    let (prefix, port) = (format!("c{}.{name}", std::process::id()), free_port());
    let sensor = |input: &str| {
        ok(["sensor", input, "--kafka", broker, "--topic-prefix", &prefix, "--name", "tap1", "--quiet"]);
    };
    sensor(&audit(&dir, "first", 2, [0, 1]));
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (site_text, out_text, rules_text, port_text) = (text(&site), text(&out), text(&rules), port.to_string());
    let to = ["watch", "--kafka", broker, "--topic-prefix", &prefix, "--sensors", "tap1", "--site", &site_text];
    let how = ["--no-builtin", "--rules", &rules_text, "--out", &out_text, "--metrics", &port_text];
    let child = start(&[&to[..], &how[..], &["--no-produce", "--silence", "1", "--quiet"]].concat());
    until("the tap without an order is found", || unlawful(&out) == BTreeSet::from([1]));
    let before = value(&metrics(port), GOOD);
    register.write(&site, ORDERED[1]);
    // A database may have been asked just before it changed.
    until("the register is read again", || {
        value(&metrics(port), GOOD) >= before + 2 - u64::from(matches!(register, Register::File))
    });
    sensor(&audit(&dir, "second", 3, [2, 3]));
    until("the tap whose order was withdrawn is found", || unlawful(&out).contains(&2));
    if matches!(register, Register::File) {
        fs::write(site.join("warrants.csv"), "order,sellector\nO-1,x\n").unwrap();
        until("the broken file is counted", || value(&metrics(port), BAD) == 1);
        until("the copy at hand grows old", || value(&metrics(port), "lidr_site_age_seconds") >= 3);
        assert_eq!(value(&metrics(port), BAD), 1, "it is read once, not at every look");
        register.write(&site, ORDERED[1]);
        until("the file is good again", || value(&metrics(port), "lidr_site_age_seconds") < 3);
    }
    let page = metrics(port);
    assert!(page.contains("lidr_site_age_seconds"), "{page}");
    for secret in secrets() {
        assert!(!page.contains(&secret), "the metrics hold {secret}");
    }
    stop(child);
    (folder, out)
}

/// What nobody may see.
fn secrets() -> Vec<String> {
    let more = (0..4).flat_map(|i| [format!("O-2026-0000{i}"), format!("00101000000000{i}")]);
    more.chain(TASKS.map(str::to_owned)).collect()
}

/// What stands in the output folder afterwards.
fn is_judged_by_what_the_register_said_then(out: &Path, site: &Path) {
    assert_eq!(unlawful(out), BTreeSet::from([1, 2]), "one without, one withdrawn; not the one that was entered");
    let found = last_lines(out);
    let of = |task: usize| found.values().find(|f| f.to_string().contains(&token(task))).unwrap();
    let hash = |task: usize| of(task)["unmapped"]["lidr"]["site_hash"].as_str().unwrap().to_owned();
    assert_ne!(hash(1), hash(2));
    for task in [1, 2] {
        assert!(out.join("site").join(hash(task)).join("copy.json").exists());
    }
    let rows = search_copies(&out.join("site"), &secrets());
    assert!(rows >= 4, "two copies of two orders, had {rows}");
    // The register says something else now; what judged is explained and certified from the copy.
    let uid = of(1)["finding_info"]["uid"].as_str().unwrap();
    let at = [uid, "--from", out.to_str().unwrap(), "--site", site.to_str().unwrap()];
    let text = ok(["explain"].iter().chain(&at));
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("the copy that the run kept") && flat.contains("was changed since"), "{text}");
    assert!(flat.contains("warrants: none of its 2 lines speaks of what was found"), "{text}");
    let key = site.join("../sign.pem");
    fs::write(&key, lidr_custody::Signer::generate().unwrap().1).unwrap();
    let file = out.join("../evidence.tar.zst");
    let more = ["--file", file.to_str().unwrap(), "--sign-key", key.to_str().unwrap(), "--rules"];
    let rules = out.join("../rules");
    let made = lidr(["evidence"].iter().chain(&at).chain(&more).copied().chain([rules.to_str().unwrap()]));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let bundle = lidr_custody::Bundle::read(&fs::read(&file).unwrap()).unwrap();
    let part = |name: &str| String::from_utf8(bundle.part(name).unwrap().to_vec()).unwrap();
    assert!(part("readme.txt").contains("from the copy that the run kept"));
    let register = part("site/warrants.ndjson");
    assert!(register.contains(&token(2)) && !register.contains(&token(3)), "as it was: {register}");
    search(register.as_bytes(), &secrets(), "evidence");
    let draft = ok(["report", "certification"].iter().chain(&at));
    assert!(draft.contains("the copy that the run kept"), "{draft}");
}

#[test]
fn orders_entered_and_withdrawn_in_a_file_count_from_the_next_windows_on() {
    let Some(broker) = broker("orders_entered_and_withdrawn_in_a_file_count_from_the_next_windows_on") else { return };
    let (folder, out) = night(&broker, "file", &Register::File);
    is_judged_by_what_the_register_said_then(&out, &folder.path().join("site"));
}

#[test]
fn orders_entered_and_withdrawn_in_a_database_count_from_the_next_windows_on() {
    let test = "orders_entered_and_withdrawn_in_a_database_count_from_the_next_windows_on";
    let (Some(broker), Some(connection)) = (broker(test), server(test)) else { return };
    let table = format!("lidr_night_{}", std::process::id());
    let register = Register::Database { connection: connection.clone(), table: table.clone() };
    let (folder, out) = night(&broker, "database", &register);
    is_judged_by_what_the_register_said_then(&out, &folder.path().join("site"));
    psql(&connection, &format!("DROP TABLE {table}"));
}
