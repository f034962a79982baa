//! Never lose, never double: `watch` and `sensor` killed at many points, a standby that takes over, state that is damaged.
//!
//! A finding may be written twice under one id; none may be missing, and the last line of each is that of a run that nobody disturbed.
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    kafka_broker::broker,
    lidr::{KEY, difference, last_lines, ok, start, stop},
    runs::{Replayed, replayed},
    three_modes::shuffle,
};

const PATIENCE: Duration = Duration::from_secs(90);

/// The arguments of a watch with a state folder, written down at every window's close.
fn watch(run: &Replayed, broker: &str, prefix: &str, name: &str) -> Vec<String> {
    let (site, out, state) =
        (run.s.path("site"), run.s.path(&format!("{name}-out")), run.s.path(&format!("{name}-state")));
    let args = [
        "watch",
        "--kafka",
        broker,
        "--topic-prefix",
        prefix,
        "--sensors",
        "local",
        "--no-produce",
        "--site",
        &site,
        "--out",
        &out,
        "--format",
        "json",
        "--state",
        &state,
        "--state-every",
        "0",
    ];
    args.map(str::to_owned).to_vec()
}

fn with<'a>(args: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    args.iter().map(String::as_str).chain(more.iter().copied()).collect()
}

/// The scenario in the broker, partitions interleaved and one message in ten delivered again; the prefix of its topics.
fn sent(run: &Replayed, broker: &str, name: &str) -> String {
    let prefix = format!("r{}.{name}", std::process::id());
    sensor(run, broker, &prefix);
    let shuffled = format!("{prefix}.shuffled");
    shuffle(broker, &prefix, &shuffled, 11);
    shuffled
}

fn sensor_args(run: &Replayed, broker: &str, prefix: &str) -> Vec<String> {
    let args = ["sensor", "--kafka", broker, "--topic-prefix", prefix, "--name", "local", "--quiet", "--site"];
    let args = args.map(str::to_owned).into_iter().chain([run.s.path("site")]);
    args.chain(run.s.inputs()).collect()
}

fn sensor(run: &Replayed, broker: &str, prefix: &str) {
    ok(sensor_args(run, broker, prefix));
}

/// Number of the newest snapshot in a state folder.
fn newest(dir: &Path) -> u64 {
    let names = fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.file_name());
    names.filter_map(|n| n.to_str()?.strip_prefix("snapshot-")?.parse().ok()).max().unwrap_or(0)
}

fn kill(child: &mut Child) {
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
}

/// Waits until it is so; false if the process has ended first.
fn until(child: &mut Child, so: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    while !so() {
        if child.try_wait().expect("its state is known").is_some() {
            return false;
        }
        assert!(began.elapsed() < PATIENCE, "nothing happened for {PATIENCE:?}");
        thread::sleep(Duration::from_millis(2));
    }
    true
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// Rules of every kind, few enough that a start takes little: on single rows, with context, with memory, pending, on absence.
const RULES: [&str; 9] = ["LI-01", "LI-04", "LI-09", "LI-14", "LI-16", "LI-16b", "LI-18", "LM-01", "AF-08"];

fn some_rules(dir: &Path) -> String {
    let of_pack = crate::tree::files("rules", ".yml");
    let file = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let wanted = |path: &&PathBuf| RULES.iter().any(|code| file(path).starts_with(&format!("{code}-")));
    fs::create_dir_all(dir).unwrap();
    let copied: Vec<&PathBuf> = of_pack.iter().filter(wanted).collect();
    assert_eq!(copied.len(), RULES.len());
    for path in copied {
        fs::copy(path, dir.join(file(path))).unwrap();
    }
    dir.to_str().unwrap().to_owned()
}

#[test]
fn a_watch_killed_at_twenty_points_finds_what_an_undisturbed_one_finds() {
    let Some(broker) = broker("a_watch_killed_at_twenty_points_finds_what_an_undisturbed_one_finds") else { return };
    let run = replayed("s3");
    let prefix = sent(run, &broker, "killed");
    let rules = some_rules(&run.s.dir.join("some-rules"));
    let args = |name: &str| {
        let mut args = watch(run, &broker, &prefix, name);
        args.extend(["--no-builtin", "--rules", &rules, "--until-eos", "--quiet"].map(str::to_owned));
        args
    };
    let began = Instant::now();
    ok(args("undisturbed"));
    let (took, undisturbed) = (began.elapsed(), last_lines(&run.s.dir.join("undisturbed-out")));
    assert!(undisturbed.len() >= 6, "{undisturbed:?}");
    let (args, mut random, mut ends) = (args("killed"), Random(5), 0);
    let (out, state) = (run.s.dir.join("killed-out"), run.s.dir.join("killed-state"));
    for _ in 0..20 {
        let mut child = start(&with(&args, &[]));
        thread::sleep(Duration::from_millis(random.below(took.as_millis() as u64)));
        if child.try_wait().unwrap().is_some() {
            // It came to its end before: the next one begins at the beginning again.
            ends += 1;
            drop((fs::remove_dir_all(&out), fs::remove_dir_all(&state)));
        } else {
            kill(&mut child);
        }
    }
    ok(with(&args, &[]));
    assert_eq!(difference(&undisturbed, &last_lines(&out)), None);
    let lines = fs::read_to_string(out.join("findings.ndjson")).unwrap().lines().count();
    eprintln!(
        "{} kills, {ends} ends, {} snapshots, {} findings in {lines} lines",
        20 - ends,
        newest(&state),
        undisturbed.len()
    );
    assert!(ends < 10, "{ends} of 20 came to their end before they could be killed");
}

#[test]
fn a_sensor_killed_at_ten_points_sends_every_row_once() {
    let Some(broker) = broker("a_sensor_killed_at_ten_points_sends_every_row_once") else { return };
    let run = replayed("s3");
    let prefix = format!("r{}.sensor", std::process::id());
    let args = sensor_args(run, &broker, &prefix);
    let (mut random, began) = (Random(9), Instant::now());
    sensor(run, &broker, &format!("{prefix}.undisturbed"));
    let took = began.elapsed().as_millis() as u64;
    for _ in 0..10 {
        let mut child = start(&with(&args, &[]));
        thread::sleep(Duration::from_millis(random.below(took)));
        kill(&mut child);
    }
    // Twice: however far the others came, every row has come again.
    sensor(run, &broker, &prefix);
    sensor(run, &broker, &prefix);
    let args = watch(run, &broker, &prefix, "sensor");
    ok(with(&args, &["--until-eos", "--quiet"]));
    let out = run.s.dir.join("sensor-out");
    assert_eq!(difference(&run.findings, &last_lines(&out)), None);
    let consumed = crate::lidr::summary(&out)["inputs"][0].clone();
    assert_eq!(consumed["missing"], 0, "{consumed}");
    assert!(consumed["repeated"].as_u64() >= consumed["rows"].as_u64(), "{consumed}");
}

/// Runs it to its end and gives all that it said.
fn told(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lidr"));
    command.args(args).env("LIDR_KEY", KEY).env_remove("LIDR_CONFIG").stdout(Stdio::null()).output().unwrap()
}

#[test]
fn a_second_watch_stands_by_and_takes_over_and_a_damaged_state_is_said() {
    let Some(broker) = broker("a_second_watch_stands_by_and_takes_over_and_a_damaged_state_is_said") else { return };
    let run = replayed("s3");
    let prefix = sent(run, &broker, "standby");
    let args = watch(run, &broker, &prefix, "standby");
    let (out, state) = (run.s.dir.join("standby-out"), run.s.dir.join("standby-state"));
    let mut first = start(&with(&args, &["--quiet"]));
    assert!(until(&mut first, || newest(&state) >= 1), "the first one works");
    let second = start(&with(&args, &["--quiet", "--silence", "1"]));
    thread::sleep(Duration::from_millis(500));
    kill(&mut first);
    let began = Instant::now();
    while difference(&run.findings, &last_lines(&out)).is_some() && began.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(difference(&run.findings, &last_lines(&out)), None, "the second one found the rest");
    let asked = Instant::now();
    stop(second);
    assert!(asked.elapsed() < Duration::from_secs(10), "it took {:?} to stop", asked.elapsed());

    let damaged = fs::read_dir(&state).unwrap().flatten().map(|e| e.path()).max().expect("a snapshot");
    let octets = fs::read(&damaged).unwrap();
    fs::write(&damaged, &octets[..octets.len() - 100]).unwrap();
    let end = with(&args, &["--until-eos"]);
    let said = String::from_utf8(told(&end).stderr).unwrap();
    assert!(said.contains(&damaged.display().to_string()) && said.contains("the one before it"), "{said}");
    assert_eq!(difference(&run.findings, &last_lines(&out)), None, "nothing was lost by it");
    let elsewhere = format!("r{}.other", std::process::id());
    sensor(run, &broker, &elsewhere);
    // The same state folder and other topics; an output folder of its own, for that would be refused first.
    let (own, new) = (run.s.path("standby-out"), run.s.path("other-out"));
    let other = |a: &&str| match *a {
        a if a == prefix => elsewhere.clone(),
        a if a == own => new.clone(),
        a => a.to_owned(),
    };
    let other: Vec<String> = end.iter().map(other).collect();
    let refused = told(&with(&other, &[]));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(2) && said.contains("take another folder for --state"), "{said}");
}
