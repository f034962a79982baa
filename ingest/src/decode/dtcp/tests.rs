//! Filters added, listed and deleted, in datagrams and streams, cut everywhere.
use lidr_schema::{AnyRow, Head, Ip};
use proptest::prelude::*;

use super::*;
use crate::decode::testing::{Step, dst, key, oddities, run, run_as, src, tasking};

const ADD: &str = "ADD DTCP/0.7\r\nCsource-ID: LI-user\r\nCdest-ID: md1\r\nPriority: 2\r\nX-JTap-Cdest-Dest-Address: 198.51.100.7\r\n\
X-JTap-Cdest-Dest-Port: 7890\r\nX-MD-Intercept-Id: 001122334455667788\r\nX-UserName: alice@example.net\r\nFlags: STATIC\r\nSeq: 1\r\n\
Authentication-Info: c9cb4124e5116ff6fc45c25086ef4a0b4555e168\r\n\r\n";
const OK: &str = "DTCP/0.7 200 OK\r\nSEQ: 1\r\nCRITERIA-ID: 5\r\nTIMESTAMP: 2026-11-22 11:15:00\r\n\r\n";

fn rows(out: &[(Head, AnyRow)]) -> Vec<tasking::Row> {
    tasking(out).into_iter().map(|(_, row)| row).collect()
}

#[test]
fn a_filter_is_a_tap_with_its_destination() {
    for protocol in [&UDP, &TCP] {
        let out = run(protocol, &[src(0, ADD), dst(10, OK)]);
        let row = &rows(&out)[0];
        assert_eq!((&*row.op, &*row.outcome, row.actor_name.as_deref()), ("create", "ok", Some("LI-user")));
        assert_eq!(
            (row.did.as_deref(), row.dest_ip, row.dest_port),
            (Some("md1"), Some(Ip::v4([198, 51, 100, 7])), Some(7890))
        );
        assert_eq!(row.task, Some(key().pseudonym(Kind::Cccid, "001122334455667788")));
        assert_eq!(
            (row.target_kind.as_deref(), row.target),
            (Some("nai"), Some(key().pseudonym(Kind::Nai, "alice@example.net")))
        );
        assert!(!format!("{out:?}").contains("alice"));
    }
}

#[test]
fn lists_count_and_refusals_have_their_code() {
    let list = "LIST DTCP/0.7\r\nCsource-ID: x\r\nCdest-ID: md1\r\nFlags: BOTH\r\nSeq: 2\r\n\r\n";
    let listed = "DTCP/0.7 200 OK\r\nSEQ: 2\r\nCRITERIA-NUM: 3\r\nCRITERIA-ID: 1\r\n\r\n";
    let add = "ADD DTCP/0.6\r\nSource-Address: 192.0.2.0/28\r\nCdest-ID: a, b\r\nSeq: 3\r\n\r\n";
    let out = run(
        &TCP,
        &[
            src(0, [list, add].concat()),
            dst(10, [listed, "DTCP/0.7 431 Unknown Content Destination\r\nSEQ: 3\r\n\r\n"].concat()),
        ],
    );
    let all = rows(&out);
    assert_eq!((&*all[0].op, all[0].list_kind.as_deref(), all[0].varbinds), ("list", Some("tasks"), 3));
    assert_eq!((&*all[1].outcome, all[1].error_code, all[1].dids), ("refused", Some(431), 2));
    assert_eq!((all[1].target, all[1].prefix_len), (Some(key().pseudonym(Kind::Prefix, "192.0.2.0/28")), Some(28)));
}

#[test]
fn a_filter_without_a_name_has_the_one_that_the_router_gives() {
    let add = "ADD DTCP/0.7\r\nX-IP-Addr: 192.0.2.9\r\nSeq: 1\r\n\r\n";
    let delete = "DELETE DTCP/0.7\r\nCriteria-ID: 5\r\nSeq: 2\r\n\r\n";
    let out = run(&UDP, &[src(0, add), dst(10, OK), src(20, delete)]);
    let all = rows(&out);
    assert_eq!(all[0].task, Some(key().pseudonym(Kind::Cccid, "5")));
    assert_eq!((all[1].task, &*all[1].op, &*all[1].outcome), (all[0].task, "delete", "not_seen"));
}

#[test]
fn every_split_gives_the_same_row_and_every_truncation_none() {
    let whole = rows(&run(&TCP, &[src(0, ADD), dst(10, OK)])).len();
    for at in 1..ADD.len() {
        let out = run(&TCP, &[src(0, &ADD[..at]), src(1, &ADD[at..]), dst(10, OK)]);
        assert_eq!(rows(&out).len(), whole, "split at {at}");
        let cut = Step { cut: 9, ..src(0, &ADD[..at]) };
        assert!(rows(&run(&UDP, &[cut])).is_empty(), "cut to {at}");
    }
    assert_eq!(oddities(&run(&UDP, &[src(0, ADD), src(1, "SUB DTCP/0.7\r\n\r\n")])), ["malformed"]);
}

#[test]
fn the_subsystem_of_ssh_is_seen_by_its_port() {
    assert_eq!(probe(b"SSH-2.0-OpenSSH", Dir::Src), Verdict::No);
    for (verb, _) in VERBS {
        assert_eq!(probe(format!("{verb} DTCP/0.7\r\n").as_bytes(), Dir::Src), Verdict::Certain, "{verb}");
    }
    assert_eq!((probe(b"ADD DT", Dir::Src), probe(b"DTCP/0.7 200", Dir::Dst)), (Verdict::Maybe, Verdict::Certain));
    let banner = Step { closes: true, ..src(1, "SSH-2.0-x\r\n") };
    assert!(
        rows(&run_as(&TCP, crate::decode::testing::ends(&TCP), Some("dtcp"), &[banner])).is_empty(),
        "DTCP itself says nothing of SSH"
    );
}

proptest! {
    #[test]
    fn no_octets_do_harm(a in prop::collection::vec(any::<u8>(), 0..300), at in 0_usize..300, value: u8) {
        let mut octets = ADD.as_bytes().to_vec();
        let at = at % octets.len();
        octets[at] = value;
        for protocol in [&TCP, &UDP] {
            run(protocol, &[src(0, &octets), src(1, &a), dst(2, OK), dst(3, &a)]);
        }
    }
}
