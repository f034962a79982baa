//! Brokers that are away, that die, and that refuse: nothing is lost, and what cannot heal is said with the next step.
use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
};

use openssl::{
    asn1::Asn1Time,
    bn::BigNum,
    hash::MessageDigest,
    pkey::{PKey, Private},
    rsa::Rsa,
    x509::{
        X509, X509Builder, X509Name,
        extension::{BasicConstraints, SubjectAlternativeName},
    },
};

use crate::{
    cluster::Cluster,
    lidr::{KEY, Process, difference, last_lines, ok},
    runs::{Replayed, replayed},
};

const PATIENCE: Duration = Duration::from_secs(120);

/// A process whose log stands in a file.
pub(crate) struct Logged {
    /// The process.
    pub(crate) process: Process,
    log: PathBuf,
}

impl Logged {
    /// Starts `lidr` with these arguments and the tests' key.
    pub(crate) fn start(args: &[&str], log: &Path, input: Stdio) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lidr"));
        command.args(args).env("LIDR_KEY", KEY).env_remove("LIDR_CONFIG").env("NO_COLOR", "1").stdin(input);
        let child = command.stdout(Stdio::null()).stderr(fs::File::create(log).unwrap()).spawn().expect("lidr runs");
        Self { process: Process(child), log: log.to_owned() }
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until its log says that.
    pub(crate) fn says(&mut self, words: &str) {
        let log = self.log.clone();
        self.waits(words, || fs::read_to_string(&log).unwrap_or_default().contains(words));
    }

    /// Waits until that is so.
    pub(crate) fn waits_for(&mut self, so: impl Fn() -> bool) {
        self.waits("what was waited for is so", so);
    }

    fn waits(&mut self, what: &str, so: impl Fn() -> bool) {
        let began = Instant::now();
        while !so() {
            assert!(self.process.try_wait().unwrap().is_none(), "it ended before `{what}`:\n{}", self.said());
            assert!(began.elapsed() < PATIENCE, "`{what}` did not happen:\n{}", self.said());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Asks it to stop, and demands exit status 0.
    pub(crate) fn stops(self) {
        let asked = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().expect("kill runs");
        assert!(asked.success());
        self.ends();
    }

    /// Waits until it ends, and demands exit status 0.
    pub(crate) fn ends(mut self) -> String {
        let began = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                assert!(status.success(), "{status}\n{}", self.said());
                return self.said();
            }
            assert!(began.elapsed() < PATIENCE, "it did not end:\n{}", self.said());
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A watch that ends with the sensor, and a sensor that reads its capture from here.
fn both(run: &Replayed, brokers: &str, name: &str) -> (Logged, Logged, PathBuf) {
    let (site, out) = (run.s.path("site"), run.s.dir.join(format!("{name}-out")));
    let log = |who: &str| run.s.dir.join(format!("{name}-{who}.log"));
    let common = ["--kafka", brokers, "--topic-prefix", name, "--site", &site, "-X", "reconnect.backoff.max.ms=500"];
    let watch = ["watch", "--sensors", "local", "--until-eos", "--out", out.to_str().unwrap()];
    let watch = Logged::start(&[&watch[..], &common[..]].concat(), &log("watch"), Stdio::null());
    let sensor = [&["sensor", "-", "--name", "local"][..], &common[..]].concat();
    (watch, Logged::start(&sensor, &log("sensor"), Stdio::piped()), out)
}

/// Gives a sensor some of its capture.
pub(crate) fn feed(sensor: &mut Logged, octets: &[u8]) {
    sensor.process.stdin.as_mut().expect("its standard input is ours").write_all(octets).unwrap();
}

/// Which findings there are: a capture from standard input is called otherwise than a file.
fn ids(out: &Path) -> BTreeSet<String> {
    last_lines(out).into_keys().collect()
}

fn expected(run: &Replayed) -> BTreeSet<String> {
    run.findings.keys().cloned().collect()
}

#[test]
fn a_broker_that_is_away_at_the_start_and_dies_later_costs_no_row() {
    let test = "a_broker_that_is_away_at_the_start_and_dies_later_costs_no_row";
    let Some(mut cluster) = Cluster::new(test, 1, None) else { return };
    let run = replayed("s4");
    let capture = fs::read(run.s.dir.join("capture.pcap")).unwrap();
    let (mut watch, mut sensor, out) = both(run, &cluster.brokers(), "away");
    // As much as a pipe holds: it is read once there is a broker.
    let first = 50_000;
    feed(&mut sensor, &capture[..first]);
    sensor.says("trying again: check the address and that the broker runs");
    cluster.start(0);
    watch.says("no topics away.*: start a sensor, it makes them; waiting for them");
    let half = capture.len() / 2;
    feed(&mut sensor, &capture[first..half]);
    cluster.kill(0);
    feed(&mut sensor, &capture[half..]);
    drop(sensor.process.stdin.take());
    thread::sleep(Duration::from_secs(3));
    cluster.start(0);
    let said = sensor.ends();
    assert!(said.contains("answers again"), "{said}");
    watch.ends();
    assert_eq!(ids(&out), expected(run));
    assert_eq!(crate::lidr::summary(&out)["inputs"][0]["missing"], 0);
}

#[test]
fn one_broker_of_three_killed_in_the_middle_costs_no_row() {
    let Some(cluster) = Cluster::new("one_broker_of_three_killed_in_the_middle_costs_no_row", 3, None) else { return };
    let mut cluster = cluster.up();
    let run = replayed("s4");
    let capture = fs::read(run.s.dir.join("capture.pcap")).unwrap();
    let (watch, mut sensor, out) = both(run, &cluster.brokers(), "killed");
    let third = capture.len() / 3;
    feed(&mut sensor, &capture[..third]);
    cluster.kill(1);
    feed(&mut sensor, &capture[third..2 * third]);
    thread::sleep(Duration::from_secs(1));
    feed(&mut sensor, &capture[2 * third..]);
    drop(sensor.process.stdin.take());
    sensor.ends();
    watch.ends();
    assert_eq!(ids(&out), expected(run));
    assert_eq!(crate::lidr::summary(&out)["inputs"][0]["missing"], 0);
}

/// A key, and a certificate that `by` or itself has signed.
fn certificate(name: &str, by: Option<&(PKey<Private>, X509)>) -> (PKey<Private>, X509) {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut subject = X509Name::builder().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let (subject, mut cert) = (subject.build(), X509Builder::new().unwrap());
    let serial = BigNum::from_u32(if by.is_some() { 2 } else { 1 }).unwrap();
    cert.set_version(2).unwrap();
    cert.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    cert.set_subject_name(&subject).unwrap();
    cert.set_issuer_name(by.map_or(&*subject, |(_, issuer)| issuer.subject_name())).unwrap();
    cert.set_pubkey(&key).unwrap();
    cert.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    cert.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
    match by {
        None => cert.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap(),
        Some((_, issuer)) => {
            let mut names = SubjectAlternativeName::new();
            let names = names.dns("localhost").ip("127.0.0.1").build(&cert.x509v3_context(Some(issuer), None)).unwrap();
            cert.append_extension(names).unwrap();
        }
    }
    cert.sign(by.map_or(&key, |(signer, _)| signer), MessageDigest::sha256()).unwrap();
    (key, cert.build())
}

/// Writes an authority, another one that nobody trusts, and the broker's key and certificate.
fn certificates(folder: &Path) {
    let authority = certificate("authority of the tests", None);
    let (key, own) = certificate("broker of the tests", Some(&authority));
    let write = |name: &str, pem: Vec<u8>| fs::write(folder.join(name), pem).unwrap();
    write("authority.pem", authority.1.to_pem().unwrap());
    write("other.pem", certificate("another authority", None).1.to_pem().unwrap());
    write("broker.pem", [key.private_key_to_pem_pkcs8().unwrap(), own.to_pem().unwrap()].concat());
}

/// What `lidr.toml` says of a broker that wants TLS and SCRAM.
fn secure(folder: &Path, user: &str, word: &str, authority: &str) -> String {
    format!(
        "[kafka]\n\"security.protocol\" = \"SASL_SSL\"\n\"sasl.mechanism\" = \"SCRAM-SHA-512\"\n\"sasl.username\" = \"{user}\"\n\
         \"sasl.password\" = \"{word}\"\n\"ssl.ca.location\" = \"{}\"\n",
        folder.join(authority).display()
    )
}

#[test]
fn tls_and_scram_against_a_real_broker_and_what_it_refuses() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let test = "tls_and_scram_against_a_real_broker_and_what_it_refuses";
    let Some(cluster) = Cluster::new(test, 1, Some(folder.path())) else { return };
    let cluster = cluster.up();
    let (run, file) = (replayed("s4"), folder.path().join("lidr.toml"));
    let (brokers, site, out) = (cluster.brokers(), run.s.path("site"), run.s.dir.join("tls-out"));
    let lidr = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lidr"));
        let command = command.args(args).env("LIDR_KEY", KEY).env("LIDR_CONFIG", &file).env("NO_COLOR", "1");
        let out = command.output().unwrap();
        (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    let inputs = run.s.inputs();
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let sensor = |prefix: &str| {
        let args = ["sensor", "--kafka", &brokers, "--topic-prefix", prefix, "--name", "local", "--site", &site];
        lidr(&[&args[..], &inputs[..]].concat())
    };
    fs::write(&file, secure(folder.path(), "lidr", "lidr-word", "authority.pem")).unwrap();
    let (code, said) = sensor("tls");
    assert_eq!(code, Some(0), "{said}");
    let watch = ["watch", "--kafka", &brokers, "--topic-prefix", "tls", "--sensors", "local", "--until-eos", "--quiet"];
    let (code, said) = lidr(&[&watch[..], &["--site", &site, "--out", out.to_str().unwrap()][..]].concat());
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(difference(&run.findings, &last_lines(&out)), None);
    for (user, word, authority, prefix, needed) in [
        ("lidr", "lidr-word", "other.pem", "tls", "set ssl.ca.location"),
        ("lidr", "wrong", "authority.pem", "tls", "check sasl.mechanism, sasl.username and sasl.password"),
        ("stranger", "stranger-word", "authority.pem", "tls2", "is missing and cannot be made"),
        ("stranger", "stranger-word", "authority.pem", "tls2", "the user needs Describe and Write on the topics"),
    ] {
        fs::write(&file, secure(folder.path(), user, word, authority)).unwrap();
        let (code, said) = sensor(prefix);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(needed), "{user} with {authority}: needed `{needed}`, had\n{said}");
    }
}

#[test]
fn a_topic_that_takes_short_messages_only_gets_short_ones() {
    let Some(broker) = crate::kafka_broker::broker("a_topic_that_takes_short_messages_only_gets_short_ones") else {
        return;
    };
    let (run, prefix) = (replayed("s4"), format!("short{}", std::process::id()));
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", &broker).create().unwrap();
    let name = format!("{prefix}.flow");
    let topic = NewTopic::new(&name, 4, TopicReplication::Fixed(1)).set("max.message.bytes", "12000");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(admin.create_topics(&[topic], &AdminOptions::new())).unwrap();
    let (site, out) = (run.s.path("site"), run.s.path("short-out"));
    let common = ["--kafka", &broker, "--topic-prefix", &prefix, "--site", &site];
    let inputs = run.s.inputs();
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    ok([&["sensor", "--name", "local"][..], &common[..], &inputs[..]].concat());
    ok([&["watch", "--sensors", "local", "--until-eos", "--no-produce", "--out", &out][..], &common[..]].concat());
    assert_eq!(difference(&run.findings, &last_lines(Path::new(&out))), None);
}
