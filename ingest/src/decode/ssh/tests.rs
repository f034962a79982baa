//! Logins of several kinds, by the lengths that OpenSSH gives them; cut, split, damaged.
use lidr_schema::table::auth::Row;
use proptest::prelude::*;

use super::*;
use crate::decode::testing::{Step, auth, dst, oddities, run, src};

const CHACHA: &str = "chacha20-poly1305@openssh.com";
const GCM: &str = "aes128-gcm@openssh.com";

fn packet(payload: &[u8]) -> Vec<u8> {
    let padding = 8 - (payload.len() + 5) % 8 + 8;
    let length = (payload.len() + 1 + padding) as u32;
    [&length.to_be_bytes(), &[padding as u8][..], payload, &vec![0; padding]].concat()
}

/// An offer of one cipher without compression, or of compression with some cipher.
fn offer(what: &str) -> Vec<u8> {
    let (cipher, squeeze) = if what == "zlib" { (CHACHA, "zlib") } else { (what, "none") };
    let (kex, mac) = ("curve25519-sha256", "hmac-sha2-256");
    let lists = [kex, "ssh-ed25519", cipher, cipher, mac, mac, squeeze, squeeze, "", ""];
    let mut payload = vec![20];
    payload.extend([9; 16]);
    for list in lists {
        payload.extend((list.len() as u32).to_be_bytes());
        payload.extend(list.as_bytes());
    }
    payload.extend([0; 5]);
    packet(&payload)
}

/// Everything in clear, of one side.
fn clear(banner: &str, cipher: &str) -> Vec<u8> {
    [banner.as_bytes(), &offer(cipher), &packet(&[30; 40]), &packet(&[21])].concat()
}

fn opening(cipher: &str) -> Vec<Step> {
    vec![src(1, clear("SSH-2.0-OpenSSH_9.2\r\n", cipher)), dst(1, clear("SSH-2.0-OpenSSH_9.2p1 Debian\r\n", cipher))]
}

/// Octets that look like an encrypted packet of that length; the length field is as if it were in clear.
fn sealed(length: usize) -> Vec<u8> {
    let mut packet = vec![0xaa; length];
    packet[..4].copy_from_slice(&(length as u32 - 20).to_be_bytes());
    packet
}

/// A login: `c…` from the client, `s…` from the server, by length.
fn login(cipher: &str, lengths: &str) -> Vec<Step> {
    let mut steps = opening(cipher);
    for (at, word) in lengths.split_whitespace().enumerate() {
        let octets = sealed(word[1..].parse().unwrap());
        let eff = 10 + at as i64;
        steps.push(if word.starts_with('c') { src(eff, octets) } else { dst(eff, octets) });
    }
    steps
}

fn rows(steps: &[Step]) -> Vec<Row> {
    auth(&run(&PROTOCOL, steps)).into_iter().map(|(_, row)| row).collect()
}

/// Outcome, confidence and method of each row.
fn told(steps: &[Step]) -> Vec<String> {
    let text = |r: &Row| format!("{} {} {}", r.outcome, r.confidence, r.method.as_deref().unwrap_or("-"));
    rows(steps).iter().map(text).collect()
}

#[test]
fn a_key_login_is_told_by_its_shortest_answer() {
    let steps = login(CHACHA, "s116 c44 s44 c60 s76 c140 s100 c308 s28 c112 s600");
    let out = run(&PROTOCOL, &steps);
    assert_eq!(told(&steps), ["ok medium publickey"]);
    let (head, row) = &auth(&out)[0];
    assert_eq!((head.ts.0, head.due.0), (17, 18), "from the request to its answer");
    assert_eq!(row.client_software.as_deref(), Some("OpenSSH_9.2"));
    assert_eq!(row.server_software.as_deref(), Some("OpenSSH_9.2p1 Debian"));
    let print = "curve25519-sha256;chacha20-poly1305@openssh.com;hmac-sha2-256;none";
    let print = lidr_schema::hex::encode(&<md5::Md5 as md5::Digest>::digest(print));
    assert_eq!((row.client_fingerprint.as_deref(), row.server_fingerprint.as_deref()), (Some(&*print), Some(&*print)));
}

#[test]
fn passwords_are_attempts_and_offers_of_keys_are_none() {
    let start = "s116 c44 s44 c60 s76 c140 s76";
    assert_eq!(told(&login(CHACHA, &format!("{start} c148 s76 c148 s76 c148 s76"))), ["refused medium password"; 3]);
    let right = told(&login(CHACHA, &format!("{start} c148 s76 c148 s28")));
    assert_eq!(right, ["refused medium password", "ok medium password"]);
    assert_eq!(told(&login(CHACHA, start)), ["refused low -"], "closed after a key was refused");
    assert_eq!(told(&login(CHACHA, "c44 s44 c60 s76")), ["unknown low -"], "only asked for the methods");
}

#[test]
fn newer_servers_put_extensions_before_their_first_failure() {
    let start = "s132 c44 s44 c60 s288 c148 s76 c148 s76";
    assert_eq!(told(&login(CHACHA, start)), ["refused medium password"; 2]);
    assert_eq!(told(&login(CHACHA, &format!("{start} c148 s28")))[2..], ["ok medium password"]);
}

#[test]
fn packets_with_a_clear_length_are_sure_however_they_were_cut() {
    // GCM: service accepted 52, success 36, failure 68; a password is 128 and 20.
    let steps = login(GCM, "s84 c52 s52 c68 s68 c148 s68 c148 s36 s640 c116");
    assert_eq!(told(&steps), ["refused medium password", "ok high password"]);

    let octets: Vec<Step> =
        steps.iter().flat_map(|s| s.bytes.iter().map(|o| Step { bytes: vec![*o], ..s.clone() })).collect();
    assert_eq!(format!("{:?}", rows(&octets)), format!("{:?}", rows(&steps)), "octet by octet");
}

#[test]
fn other_clients_are_told_with_less_confidence() {
    let mut steps = login(CHACHA, "c44 s44 c60 s76 c92 s76 c92 s28");
    steps[0] = src(1, clear("SSH-2.0-Go\r\n", CHACHA));
    assert_eq!(told(&steps), ["refused low -", "ok medium -"]);
    let mut steps = login(CHACHA, "c44 s44 c84 s76");
    steps[0] = src(1, clear("SSH-2.0-paramiko_3.0\r\n", CHACHA));
    assert_eq!(told(&steps), ["refused low -"]);
}

#[test]
fn a_session_is_told_by_its_volume() {
    let long = " c100 s1400".repeat(12);
    let steps = login(CHACHA, &format!("c44 s44 c60 s76 c148 {}", long));
    assert_eq!(told(&steps), ["ok medium -"]);
    assert_eq!(rows(&steps)[0].evidence.as_deref(), Some("volume"));
}

#[test]
fn what_cannot_be_told_is_unknown() {
    assert_eq!(told(&opening(CHACHA)), ["unknown low -"]);
    assert_eq!(told(&[src(1, "SSH-2.0-x\r\n")]), ["unknown low -"]);
    let old = rows(&[dst(1, "SSH-1.5-Cisco-1.25\n"), src(2, "SSH-1.5-x\n")]);
    assert_eq!((&*old[0].outcome, old[0].server_software.as_deref()), ("unknown", Some("Cisco-1.25")));
    let mut squeezed = login(CHACHA, "c44 s44 c60 s28");
    squeezed[0] = src(1, clear("SSH-2.0-a\r\n", "zlib"));
    squeezed[1] = dst(1, clear("SSH-2.0-b\r\n", "zlib"));
    assert_eq!(told(&squeezed), ["unknown low -"], "compression from the start hides the lengths");
    let lost = Step { gap: 50, ..dst(3, sealed(36)) };
    let steps = [login(GCM, "s84 c52 s52 c68 s68 c148"), vec![lost]].concat();
    assert_eq!(told(&steps), ["unknown low -"]);
    let refused = [opening(CHACHA)[0].clone(), dst(2, [b"SSH-2.0-y\r\n", &*packet(&[1, 0, 0, 0, 3, 0])].concat())];
    assert_eq!(rows(&refused)[0].error_code, Some(3));
}

#[test]
fn splits_of_what_is_in_clear_change_nothing() {
    let (client, server) = (clear("SSH-2.0-a\r\n", CHACHA), clear("hello\r\nSSH-2.0-b\r\n", CHACHA));
    let tail = &login(CHACHA, "c44 s44 c60 s76 c148 s28")[2..];
    let shown = |start: &[Step]| format!("{:?}", rows(&[start, tail].concat()));
    let whole = shown(&[src(1, &client), dst(1, &server)]);
    assert_eq!(told(&[&[src(1, &client), dst(1, &server)], tail].concat()), ["ok medium password"]);
    for at in 1..client.len() {
        assert_eq!(shown(&[src(1, &client[..at]), src(1, &client[at..]), dst(1, &server)]), whole, "client at {at}");
    }
    for at in 1..server.len() {
        assert_eq!(shown(&[src(1, &client), dst(1, &server[..at]), dst(1, &server[at..])]), whole, "server at {at}");
    }
}

#[test]
fn attempts_over_the_bound_are_said() {
    let many = login(CHACHA, &format!("c44 s44 c60 s76{}", " c148 s76".repeat(300)));
    let out = run(&PROTOCOL, &many);
    assert_eq!((auth(&out).len(), oddities(&out)), (256, vec!["bound".into()]));
}

#[test]
fn broken_packets_are_odd() {
    for bad in [&[0, 0, 0, 1, 9][..], &[0xff; 8], &[0, 0, 0, 12, 200, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]] {
        let out = run(&PROTOCOL, &[src(1, [b"SSH-2.0-x\r\n", bad].concat())]);
        assert_eq!((auth(&out).len(), oddities(&out)), (1, vec!["malformed".into()]), "{bad:?}");
    }
    let endless = run(&PROTOCOL, &[src(1, "SSH-2.0-x\n"), dst(2, vec![b'a'; 9000])]);
    assert_eq!(oddities(&endless), ["malformed"]);
}

#[test]
fn the_probe_is_sure_of_the_banner() {
    assert_eq!(probe(b"SSH-2.0-x", Dir::Src), Verdict::Certain);
    assert_eq!(probe(b"SS", Dir::Src), Verdict::Maybe);
    assert_eq!((probe(b"", Dir::Src), probe(b"SMTP", Dir::Src)), (Verdict::No, Verdict::No));
}

#[test]
fn every_truncation_is_survived() {
    let client = clear("SSH-2.0-a\r\n", CHACHA);
    for length in 1..client.len() {
        let out = run(&PROTOCOL, &[src(1, &client[..length]), dst(2, clear("SSH-2.0-b\r\n", CHACHA))]);
        assert_eq!((auth(&out).len(), oddities(&out).len()), (1, 0), "at {length}");
    }
}

proptest! {
    #[test]
    fn any_octets_are_survived(data in proptest::collection::vec(any::<u8>(), 0..300), cut in 0_usize..300) {
        probe(&data, Dir::Src);
        let (a, b) = data.split_at(cut.min(data.len()));
        run(&PROTOCOL, &[src(1, "SSH-2.0-a\n"), src(1, a), dst(1, b)]);
        for cipher in [CHACHA, GCM] {
            run(&PROTOCOL, &[opening(cipher), vec![src(2, a), dst(3, b), src(4, b), dst(5, a)]].concat());
        }
    }

    #[test]
    fn mutations_are_survived(at in 0_usize..300, to in any::<u8>()) {
        let mut steps = login(GCM, "c52 s52 c68 s68 c148 s36");
        let octets = &mut steps[0].bytes;
        let at = at % octets.len();
        octets[at] = to;
        prop_assert!(rows(&steps).len() <= 1);
    }
}

#[test]
fn logins_to_the_port_of_flow_taps_are_tasking_too() {
    use crate::decode::testing::{ends, run_as, tasking};
    for (port, configured, expected) in [(32_001, None, 1), (22, None, 0), (2022, Some("dtcp"), 1)] {
        let between = lidr_schema::Ends { dst_port: port, ..ends(&PROTOCOL) };
        let out = run_as(&PROTOCOL, between, configured, &opening(CHACHA));
        let orders: Vec<_> = tasking(&out).into_iter().map(|(_, row)| (row.protocol, row.op, row.cleartext)).collect();
        assert_eq!(orders.len(), expected, "port {port}");
        assert!(orders.iter().all(|(protocol, op, clear)| (&**protocol, &**op, *clear) == ("dtcp", "unknown", false)));
    }
}
