//! Kafka clusters of a test's own: brokers that it may kill, and brokers that want TLS and a password.
//!
//! They are Apache Kafka's own artefacts (`scripts/kafka-libs`), on loopback, and end with the test.
use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::lidr::Process;

/// 16 octets, as Kafka writes them.
const CLUSTER: &str = "bGlkcnRlc3RjbHVzdGVyMQ";
/// Longest wait for a broker.
const UP: Duration = Duration::from_secs(60);

/// Users of a cluster that asks who one is: two that may do everything, and one that may do nothing.
pub(crate) const USERS: [(&str, &str); 3] =
    [("admin", "admin-word"), ("lidr", "lidr-word"), ("stranger", "stranger-word")];

/// Brokers.
pub(crate) struct Cluster {
    libs: PathBuf,
    folder: tempfile::TempDir,
    nodes: Vec<(u16, Option<Process>)>,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Cluster {
    /// Brokers that are formatted and not started yet; with a folder of `certificate.pem`, they want TLS and SCRAM. None where Kafka's
    /// artefacts are not here, which the test then says.
    pub(crate) fn new(test: &str, nodes: usize, secure: Option<&Path>) -> Option<Self> {
        let Some(libs) = std::env::var_os("LIDR_TEST_KAFKA_LIBS") else {
            assert!(
                std::env::var_os("LIDR_REQUIRE_KAFKA").is_none(),
                "LIDR_TEST_KAFKA_LIBS is not set (scripts/kafka-libs)"
            );
            println!("\nskipped: {test}: LIDR_TEST_KAFKA_LIBS is not set");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let ports: Vec<(u16, u16)> = (0..nodes).map(|_| (free_port(), free_port())).collect();
        let cluster = Self { libs: libs.into(), folder, nodes: ports.iter().map(|(port, _)| (*port, None)).collect() };
        for node in 0..nodes {
            fs::write(cluster.config(node), cluster.properties(node, &ports, secure)).unwrap();
        }
        let format = |node: usize| {
            let mut java = cluster.java("kafka.tools.StorageTool");
            java.args(["format", "-t", CLUSTER, "-c"]).arg(cluster.config(node));
            for (user, word) in USERS.iter().filter(|_| secure.is_some()) {
                java.args(["--add-scram", &format!("SCRAM-SHA-512=[name={user},password={word}]")]);
            }
            java
        };
        let formats: Vec<_> =
            (0..nodes).map(|n| format(n).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()).collect();
        for done in formats {
            let out = done.wait_with_output().unwrap();
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        }
        Some(cluster)
    }

    fn config(&self, node: usize) -> PathBuf {
        self.folder.path().join(format!("{node}.properties"))
    }

    fn java(&self, class: &str) -> Command {
        let mut java = Command::new("java");
        java.args(["-Xmx384m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp"]);
        java.arg(format!("{}/*", self.libs.display())).arg(class).stdin(Stdio::null());
        java
    }

    fn properties(&self, node: usize, ports: &[(u16, u16)], secure: Option<&Path>) -> String {
        let (port, controller) = ports[node];
        let (id, replicas) = (node + 1, ports.len().min(3));
        let voters: Vec<String> =
            ports.iter().enumerate().map(|(i, (_, p))| format!("{}@127.0.0.1:{p}", i + 1)).collect();
        let kind = if secure.is_some() { "SASL_SSL" } else { "PLAINTEXT" };
        let mut text = format!(
            "process.roles=broker,controller\nnode.id={id}\ncontroller.listener.names=CONTROLLER\n\
             controller.quorum.voters={}\nlisteners={kind}://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners={kind}://127.0.0.1:{port}\ninter.broker.listener.name={kind}\n\
             listener.security.protocol.map={kind}:{kind},CONTROLLER:PLAINTEXT\nlog.dirs={}\nauto.create.topics.enable=false\n\
             offsets.topic.num.partitions=1\noffsets.topic.replication.factor={replicas}\ndefault.replication.factor={replicas}\n\
             transaction.state.log.replication.factor={replicas}\ntransaction.state.log.min.isr=1\n\
             transaction.state.log.num.partitions=1\nshare.coordinator.state.topic.replication.factor=1\n\
             share.coordinator.state.topic.min.isr=1\nmin.insync.replicas={}\ngroup.initial.rebalance.delay.ms=0\n\
             broker.session.timeout.ms=6000\nlog.flush.interval.messages=1\n",
            voters.join(","),
            self.folder.path().join(format!("data-{node}")).display(),
            replicas.min(2),
        );
        if let Some(folder) = secure {
            let (admin, word) = USERS[0];
            text.push_str(&format!(
                "sasl.enabled.mechanisms=SCRAM-SHA-512\nsasl.mechanism.inter.broker.protocol=SCRAM-SHA-512\n\
                 listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\
                 org.apache.kafka.common.security.scram.ScramLoginModule required username=\"{admin}\" password=\"{word}\";\n\
                 ssl.keystore.type=PEM\nssl.keystore.location={0}/broker.pem\n\
                 ssl.truststore.type=PEM\nssl.truststore.location={0}/authority.pem\n\
                 authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
                 super.users=User:admin;User:lidr;User:ANONYMOUS\n",
                folder.display()
            ));
        }
        text
    }

    /// Addresses of all brokers.
    pub(crate) fn brokers(&self) -> String {
        let all: Vec<String> = self.nodes.iter().map(|(port, _)| format!("127.0.0.1:{port}")).collect();
        all.join(",")
    }

    /// Starts a broker, also one that was killed; it may not answer yet.
    pub(crate) fn start(&mut self, node: usize) {
        let log = fs::File::create(self.folder.path().join(format!("{node}.log"))).unwrap();
        let mut java = self.java("kafka.Kafka");
        java.arg(self.config(node)).stdout(log.try_clone().unwrap()).stderr(log);
        self.nodes[node].1 = Some(Process(java.spawn().expect("java runs")));
    }

    /// Starts all and waits until they answer.
    pub(crate) fn up(mut self) -> Self {
        (0..self.nodes.len()).for_each(|node| self.start(node));
        (0..self.nodes.len()).for_each(|node| self.wait(node));
        self
    }

    /// Waits until a broker answers.
    pub(crate) fn wait(&self, node: usize) {
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.nodes[node].0)).is_err() {
            let log = || fs::read_to_string(self.folder.path().join(format!("{node}.log"))).unwrap_or_default();
            assert!(began.elapsed() < UP, "broker {node} does not come up:\n{}", log());
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Kills a broker with SIGKILL.
    pub(crate) fn kill(&mut self, node: usize) {
        self.nodes[node].1 = None;
    }
}
