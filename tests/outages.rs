//! Brokers that are away, that die, and that refuse: nothing is lost, and what cannot heal is said with the next step.
use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
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
    lidr::{KEY, Process, difference, last_lines},
    runs::{Replayed, replayed},
};

const PATIENCE: Duration = Duration::from_secs(120);

/// A process whose log stands in a file.
struct Logged {
    process: Process,
    log: PathBuf,
}

impl Logged {
    fn start(args: &[&str], log: &Path, input: Stdio) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lidr"));
        command.args(args).env("LIDR_KEY", KEY).env_remove("LIDR_CONFIG").env("NO_COLOR", "1").stdin(input);
        let child = command.stdout(Stdio::null()).stderr(fs::File::create(log).unwrap()).spawn().expect("lidr runs");
        Self { process: Process(child), log: log.to_owned() }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until its log says that.
    fn says(&mut self, words: &str) {
        let began = Instant::now();
        while !self.said().contains(words) {
            assert!(self.process.try_wait().unwrap().is_none(), "it ended before it said `{words}`:\n{}", self.said());
            assert!(began.elapsed() < PATIENCE, "it did not say `{words}`:\n{}", self.said());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until it ends, and demands exit status 0.
    fn ends(mut self) -> String {
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
    let watch = ["watch", "--kafka", &brokers, "--topic-prefix", "tls", "--sensors", "local", "--until-eos", "--quiet"];
    let watch = watch.into_iter().chain(["--site", &site, "--out", out.to_str().unwrap()]);
    let judged = lidr(watch.map(str::to_owned).collect());
    assert!(judged.status.success(), "{}", text(&judged));
    assert_eq!(difference(&run.findings, &last_lines(&out)), None);
    for (user, word, authority, prefix, said) in [
        ("lidr", "lidr-word", "other.pem", "tls", "set ssl.ca.location"),
        ("lidr", "wrong", "authority.pem", "tls", "check sasl.mechanism, sasl.username and sasl.password"),
        ("stranger", "stranger-word", "authority.pem", "tls2", "topic tls2.flow is missing and cannot be made"),
        ("stranger", "stranger-word", "authority.pem", "tls2", "the user needs Describe and Write on the topics"),
    ] {
        fs::write(&file, settings(user, word, authority)).unwrap();
        let refused = lidr(sensor(prefix));
        let had = text(&refused);
        assert_eq!(refused.status.code(), Some(2), "{had}");
        assert!(had.contains(said), "{user} with {authority}: needed `{said}`, had\n{had}");
    }
}
