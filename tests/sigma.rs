//! Plain Sigma rules fire: one of the pack and one that a user brings, on packets written here by hand.
use std::{fs, path::Path};

use crate::lidr::{last_lines, ok};

/// One TCP conversation from 192.0.2.7 to a device's web port, as a classic pcap: handshake, a request, its answer.
fn conversation(path: &Path, request: &str) {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let mut packets =
        vec![(true, 0x02, ""), (false, 0x12, ""), (true, 0x10, ""), (true, 0x18, request), (false, 0x18, answer)];
    packets.extend([(false, 0x11, ""), (true, 0x11, "")]);
    let mut out = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
    let mut next = [1_000_u32, 5_000];
    for (i, (forth, flags, payload)) in packets.into_iter().enumerate() {
        let (mine, theirs) = if forth { (0, 1) } else { (1, 0) };
        let octets = frame(forth, flags, next[mine], next[theirs], payload.as_bytes());
        next[mine] += payload.len() as u32 + u32::from(flags & 0x03 != 0);
        for word in [1_790_000_000_u32, 1_000 * i as u32, octets.len() as u32, octets.len() as u32] {
            out.extend(word.to_le_bytes());
        }
        out.extend(octets);
    }
    fs::write(path, out).unwrap();
}

fn frame(forth: bool, flags: u8, seq: u32, ack: u32, payload: &[u8]) -> Vec<u8> {
    let (client, server) = (([192, 0, 2, 7], 40_000_u16), ([198, 51, 100, 1], 80_u16));
    let (from, to) = if forth { (client, server) } else { (server, client) };
    let mut out = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    out.extend([0x45, 0]);
    out.extend((40 + payload.len() as u16).to_be_bytes());
    out.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
    out.extend(from.0.into_iter().chain(to.0));
    out.extend(from.1.to_be_bytes().into_iter().chain(to.1.to_be_bytes()));
    out.extend(seq.to_be_bytes().into_iter().chain(ack.to_be_bytes()));
    out.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    out.extend(payload);
    out
}

/// Ids of the rules that fired, with their entities.
fn fired(dir: &Path, request: &str, more: &[&str]) -> Vec<(String, String)> {
    let (capture, out) = (dir.join("c.pcap"), dir.join("out"));
    conversation(&capture, request);
    let mut args = vec!["replay", capture.to_str().unwrap(), "--quiet", "--force", "--out", out.to_str().unwrap()];
    args.extend(more);
    ok(args);
    let name = |f: &serde_json::Value, i: usize| f["resources"][i]["name"].as_str().unwrap_or_default().to_owned();
    let one = |f: serde_json::Value| {
        (f["finding_info"]["analytic"]["uid"].as_str().unwrap().to_owned(), format!("{} {}", name(&f, 0), name(&f, 1)))
    };
    last_lines(&out).into_values().map(one).collect()
}

#[test]
fn the_packs_own_plain_rule_fires() {
    let dir = tempfile::tempdir().unwrap();
    let attack = "POST /%2577ebui_sma_http HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n";
    let rule = "046b9dd9-874a-498a-82e4-2b3f2444dfd6";
    let found = fired(dir.path(), attack, &[]);
    assert!(found.contains(&(rule.into(), "192.0.2.7 198.51.100.1".into())), "{found:?}");
    let plain = fired(dir.path(), "GET /webui HTTP/1.1\r\nHost: d\r\n\r\n", &[]);
    assert!(!plain.iter().any(|(code, _)| code == rule), "{plain:?}");
}

#[test]
fn a_plain_rule_that_a_user_brings_fires() {
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("rules");
    fs::create_dir(&rules).unwrap();
    let rule = "title: A tool that names itself\nid: 11111111-2222-4333-8444-555555555555\nstatus: test\nlevel: low\n\
                logsource:\n    category: webserver\ndetection:\n    selection:\n        cs-user-agent|startswith: 'evil/'\n    condition: selection\n";
    fs::write(rules.join("tool.yml"), rule).unwrap();
    let only = ["--no-builtin", "--rules", rules.to_str().unwrap()];
    let found = fired(dir.path(), "GET / HTTP/1.1\r\nHost: d\r\nUser-Agent: Evil/1.0\r\n\r\n", &only);
    assert_eq!(found, [("11111111-2222-4333-8444-555555555555".to_owned(), "192.0.2.7 198.51.100.1".to_owned())]);
    assert!(fired(dir.path(), "GET / HTTP/1.1\r\nHost: d\r\nUser-Agent: curl/8\r\n\r\n", &only).is_empty());
}
