//! Decoders on captures that others made, where they lie beside the workspace; the values are those of other programs.
use std::path::Path;

use super::{ports::Ports, testing::key};
use crate::{
    run::{Config, run},
    source::{Input, Reader},
    testing::{Line, Lines},
};

/// The rows of one table; none where the capture is not there.
fn lines(capture: &str, table: &str, workers: usize) -> Option<Vec<Line>> {
    lines_with(&[], capture, table, workers)
}

/// The same, with ports given to protocols.
fn lines_with(ports: &[&str], capture: &str, table: &str, workers: usize) -> Option<Vec<Line>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures").join(capture);
    if !path.exists() {
        return None;
    }
    let reader = Reader::open(&[Input::Path { sensor: None, path }]).unwrap();
    let mut sink = Lines::default();
    let ports = Ports::read(&ports.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>()).unwrap();
    let config = Config { ports, ..Config::new("here", workers, key(), "test") };
    run(reader, &config, &mut sink, &mut |_| {}).unwrap();
    Some(sink.tables.remove(table).unwrap_or_default())
}

/// Those columns of every row, joined by a blank.
fn columns(lines: &[Line], names: &[&str]) -> Vec<String> {
    lines.iter().map(|line| names.iter().map(|n| line[*n].as_str()).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn product_is_counted_as_other_programs_read_it() {
    let names = ["protocol", "format", "pdus", "bytes", "keepalives", "answers", "ne_name", "point", "first_seq"];
    let Some(all) = lines("li/x2-demo-01.pcap", "delivery", 1) else { return };
    assert_eq!(columns(&all, &names), ["x2 sip 1 539 0 0   "]);
    let Some(mut all) = lines("li/vectors.pcap", "delivery", 2) else { return };
    let copies = [
        "jmirror 1 28",
        "gre 1 28",
        "gre 1 28",
        "erspan1 1 42",
        "erspan2 1 42",
        "erspan3 1 42",
        "vxlan 1 42",
        "tzsp 1 42",
    ];
    let mirrors: Vec<_> = all.extract_if(.., |line| line["protocol"] == "mirror").collect();
    assert_eq!(columns(&mirrors, &["format", "pdus", "bytes"]), copies);
    assert_eq!(
        columns(&all, &names),
        ["x3 ipv4 1 28 0 0 NF1 POI1 1", "x2x3  0 0 1 0   ", "x2x3  0 0 0 1   ", "redbackli ipv4 1 28 0 0   7"]
    );
}

#[test]
fn management_is_counted_as_other_programs_read_it() {
    let names = ["op", "version", "level", "actor_name", "outcome", "object", "report"];
    let count = |all: &[Line], row: &str| columns(all, &names).iter().filter(|r| *r == row).count();
    // One request with eleven variables by community and one authenticated, one encrypted, one discovery, one trap: five messages.
    let Some(all) = lines("li/snmp.pcap", "mgmt", 2) else { return };
    let ops = |version: &str, op: &str| all.iter().filter(|l| l["version"] == version && l["op"] == op).count();
    assert_eq!(
        [ops("v2c", "set"), ops("v3", "encrypted"), ops("v3", "set"), ops("v3", "get"), ops("v2c", "trap")],
        [11, 1, 11, 1, 1]
    );
    assert_eq!(all.len(), 25);
    let Some(tasks) = lines("li/snmp.pcap", "tasking", 1) else { return };
    let seen = columns(&tasks, &["op", "message", "level", "actor_name", "dest_port", "targets", "status"]);
    let want = [
        "enable SetRequest community  5000 1 ",
        "enable SetRequest authNoPriv li-user 5000 1 ",
        "report ciscoTap2MediationTimedOut community   0 expired",
    ];
    assert_eq!(seen, want);
    // Two discoveries that are reported, two encrypted requests that are answered: eight messages.
    let Some(all) = lines("mgmt/SNMPv3.pcap", "mgmt", 1) else { return };
    assert_eq!(count(&all, "report v3 noAuthNoPriv admin none usmStatsUnknownEngineIDs usmStatsUnknownEngineIDs"), 2);
    assert_eq!(
        (count(&all, "get v3 noAuthNoPriv admin refused  "), count(&all, "encrypted v3 authPriv admin ok  ")),
        (2, 2)
    );
    assert_eq!(all.len(), 6);
    // Four requests with four answers.
    let Some(all) = lines("mgmt/SNMPv2c_get_requests.pcap", "mgmt", 1) else { return };
    let seen = columns(&all, &["op", "outcome", "object", "returned"]);
    assert_eq!(seen, ["getnext ok  1", "get ok sysUpTime 1", "get ok  1", "get ok  1"]);
}

#[test]
fn a_hello_over_two_segments_is_one_handshake() {
    let Some(all) = lines("mgmt/tls-split-client-hello.pcap", "tls", 1) else { return };
    let names = ["client_version", "version", "cipher", "sni", "alpn", "outcome", "frame"];
    assert_eq!(columns(&all, &names), ["1.3 1.3 1301 clients2.google.com h2,http/1.1 ok 4"]);
}

#[test]
fn guessed_passwords_are_counted() {
    let Some(all) = lines("mgmt/sshguess.pcap", "auth", 2) else { return };
    let names = ["outcome", "method", "client_software", "client_fingerprint", "server_fingerprint"];
    let one = "refused password OpenSSH_6.2 1f120ecfc2c57fbdeaf66b93a3bf26ee 3711ee816d3ea9975d96c39c31c54299";
    // As many as there are packets of a padded password.
    assert_eq!(columns(&all, &names), [one; 17]);
}

/// As many logins as there are requests that are not answered by a challenge, as many sessions as accounting requests.
#[test]
fn radius_messages_are_paired() {
    let names = ["method", "outcome"];
    let Some(all) = lines("mgmt/radius_localhost.pcap", "auth", 2) else { return };
    let expected = [
        "eap refused",
        "eap ok",
        "pap ok",
        "chap ok",
        "pap refused",
        "pap unknown",
        "pap unknown",
        "pap unknown",
        "pap ok",
    ];
    assert_eq!(columns(&all, &names), expected);
    let Some(all) = lines("telecom/radius.pcap", "signal", 2) else { return };
    assert_eq!(columns(&all, &["op", "outcome"]), ["acct-start ok", "acct-stop ok", "acct-start ok"]);
    let Some(all) = lines("telecom/radius.pcap", "auth", 2) else { return };
    assert_eq!(columns(&all, &names), ["eap ok", "eap ok"]);
    let Some(all) = lines("mgmt/radius.pcap", "auth", 2) else { return };
    assert_eq!(columns(&all, &names), ["eap ok"]);
}

#[test]
fn handover_is_counted_as_the_reference_says() {
    let number = |line: &Line, name: &str| line[name].parse::<u64>().unwrap();
    for workers in [1, 3] {
        let Some(all) = lines("li/etsi_10_pings.pcap", "delivery", workers) else { return };
        let sum = |name: &str| all.iter().map(|line| number(line, name)).sum::<u64>();
        // 35 towards the agency, of which 14 keepalives; 14 answers.
        assert_eq!((sum("pdus"), sum("keepalives"), sum("answers"), sum("missing")), (21, 14, 14, 0));
        assert_eq!((sum("from_target"), sum("to_target")), (10, 10));
        let names = [
            "protocol",
            "state",
            "pdus",
            "keepalives",
            "answers",
            "format",
            "records",
            "country",
            "operator",
            "ne_name",
            "first_seq",
            "last_seq",
        ];
        let got = columns(&all, &names);
        let want = [
            "hi2 open 1 0 0 ip begin NZ Libtrace Libtracedevlab 0 0",
            "hi3 open 4 4 4 ip  NZ Libtrace Libtracedevlab 0 3",
            "hi3 end 16 1 1 ip  NZ Libtrace Libtracedevlab 4 19",
            "hi2 end 0 9 9 ip  NZ Libtrace Libtracedevlab  ",
        ];
        assert_eq!(got, want);
    }
    let Some(all) = lines("li/pspdu.pcap", "delivery", 1) else { return };
    let names = [
        "protocol",
        "pdus",
        "bytes",
        "keepalives",
        "answers",
        "integrity",
        "correlation",
        "records",
        "from_target",
        "to_target",
    ];
    let want = [
        "hi 0 0 1 0 0   0 0",
        "hi 0 0 0 1 0   0 0",
        "hi3 0 0 0 0 1 99  0 0",
        "hi3 1 40 0 0 0 4026531841  1 0",
        "hi2 1 54 0 0 0 77 begin 0 0",
        "hi2 1 4 0 0 0 78 report 0 0",
    ];
    assert_eq!(columns(&all, &names), want);
    let Some(odd) = lines("li/pspdu.pcap", "oddity", 1) else { return };
    assert_eq!(odd.len(), 0, "{odd:?}");
}

#[test]
fn call_content_is_read_where_its_port_is_given() {
    let Some(all) = lines_with(&["ccc=50001,50002,50003"], "li/vectors.pcap", "delivery", 2) else { return };
    let got = columns(&all, &["protocol", "format", "pdus", "bytes", "dest_port", "trust"]);
    let want = [50001, 50002, 50003].map(|port| format!("ccc ipv4 1 28 {port} inferred"));
    assert_eq!(got.into_iter().filter(|line| line.starts_with("ccc")).collect::<Vec<_>>(), want);
}

/// Captures of other protocols, among them RADIUS, DNS, GTP, SIP and tunnels of many kinds.
#[test]
fn nothing_else_is_taken_for_product() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures");
    for folder in ["lateral", "mgmt", "telecom", "tunnel"] {
        for entry in root.join(folder).read_dir().into_iter().flatten() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if !name.ends_with("pcap") && !name.ends_with("pcapng") {
                continue;
            }
            let rows = lines(&format!("{folder}/{name}"), "delivery", 1).unwrap();
            let product: Vec<_> = columns(&rows, &["protocol"]).into_iter().filter(|p| p != "mirror").collect();
            assert_eq!(product, [""; 0], "{folder}/{name}");
        }
    }
}
