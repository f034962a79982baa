//! S4: the destination of a lawful tap is redirected over X1, and restored (catalogue of threats, scenario S4).
//!
//! Two orders, A and B, are active on one point of interception, each with a destination of its own at the mediation function. At
//! 03:12 local time the destination of order A is changed to an address outside; the product follows; 45 minutes later it is put
//! back. Order B is delivered all the time. X1 in clear, as in a lab or behind a decrypting proxy.
use std::net::Ipv4Addr;

use crate::{
    ScenarioError,
    lab::{ADMF, MDF, POI, START, at},
    net::{Net, Wrap},
    tcp::{Side, Tcp},
    when::{MINUTE, SECOND},
    wire::{
        http,
        x1::{self, Ask, Destination, Parties, Task},
        x2x3::{self, Kind, Unit},
    },
};

pub(crate) const WARRANTS: &str = "\
order,agency,kind,selector,type,start,end,state,emergency,test,destinations,xid,liid,elements,creator,approvers,created_at,seq
O-2026-011,agency-a,imsi,001010123456789,both,2026-11-01T00:00:00Z,2026-12-31T00:00:00Z,approved,,,19867c20-8c94-473e-b9cd-8b72b7b05fd4,29f28e1c-f230-486a-a860-f5a784ab9172,LIID-000123,poi1,clerk1,officer1,2026-10-30T10:00:00Z,1
O-2026-012,agency-b,imsi,001010987654321,both,2026-11-01T00:00:00Z,2026-12-31T00:00:00Z,approved,,,5f2c8f0e-3f0d-4a73-9a53-6d0c9e5a7b11,8c292fa1-5831-46ec-86be-bd85f2083299,LIID-000124,poi1,clerk2,officer2,2026-10-30T11:00:00Z,2
";

pub(crate) const EXPECTED: &str = "\
expect:
  - {code: LI-05, level: critical, entity: [10.0.1.20, 19867c20-8c94-473e-b9cd-8b72b7b05fd4]}
  - {code: LI-04, level: critical}
  - {code: LI-15, level: high}
allow:
  - {code: LI-19}
later: [LI-08, LI-07]
";

pub(crate) const EXPECTED_BENIGN: &str = "\
expect: []
allow: []
later: []
";

const PARTIES: Parties = Parties { admf: "admf01", ne: "smf-poi-01" };
pub(crate) const TASK_A: Task = Task {
    xid: "29f28e1c-f230-486a-a860-f5a784ab9172",
    imsi: "001010123456789",
    did: "19867c20-8c94-473e-b9cd-8b72b7b05fd4",
    liid: "LIID-000123",
};
pub(crate) const TASK_B: Task = Task {
    xid: "8c292fa1-5831-46ec-86be-bd85f2083299",
    imsi: "001010987654321",
    did: "5f2c8f0e-3f0d-4a73-9a53-6d0c9e5a7b11",
    liid: "LIID-000124",
};
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 81);
pub(crate) const PORT: u16 = 9000;

const REDIRECTED: i64 = START + 12 * MINUTE;
const RESTORED: i64 = REDIRECTED + 45 * MINUTE;
const END: i64 = START + 80 * MINUTE;

pub(crate) fn destination(task: &Task, address: Ipv4Addr) -> Destination {
    Destination { did: task.did, name: "MDF-east", address, port: PORT }
}

/// One X1 request on a connection of its own, and its answer.
pub(crate) fn order(net: &mut Net, now: i64, ask: Ask) -> Result<(), ScenarioError> {
    order_from(net, ADMF, now, ask)
}

/// The same from another administration function.
pub(crate) fn order_from(net: &mut Net, from: Ipv4Addr, now: i64, ask: Ask) -> Result<(), ScenarioError> {
    exchange(net, from, now, |at, transaction| {
        (x1::request(ask, at, PARTIES, transaction), x1::done(ask, at, PARTIES, transaction))
    })
}

/// The administration function asks for every task and gets these.
pub(crate) fn list(net: &mut Net, now: i64, tasks: &[Task]) -> Result<(), ScenarioError> {
    list_from(net, ADMF, now, tasks)
}

/// The same from another administration function.
pub(crate) fn list_from(net: &mut Net, from: Ipv4Addr, now: i64, tasks: &[Task]) -> Result<(), ScenarioError> {
    exchange(net, from, now, |at, transaction| {
        (x1::request(Ask::List, at, PARTIES, transaction), x1::listed(tasks, at, PARTIES, transaction))
    })
}

fn exchange(
    net: &mut Net,
    from: Ipv4Addr,
    now: i64,
    say: impl FnOnce(i64, &str) -> (String, String),
) -> Result<(), ScenarioError> {
    let port = net.rng.port();
    let mut tcp = Tcp::open(net, now, Wrap::Plain, at(from, port), at(POI, 8443))?;
    let transaction = net.rng.uuid();
    let (question, answer) = say(tcp.now, &transaction);
    let question = http::request("POST", "smf-poi-01", "/X1/NE", "Content-Type: application/xml\r\n", &question);
    let answer = http::response("application/xml", "poi", answer.as_bytes());
    tcp.ask(net, &question, 30_000, &answer)?;
    tcp.close(net, Side::Client).map(drop)
}

/// Product of one task to its places, the same units to each.
pub(crate) fn product(
    net: &mut Net,
    from: i64,
    to: i64,
    task: &Task,
    places: &[Ipv4Addr],
) -> Result<(), ScenarioError> {
    let mut streams = Vec::new();
    for (i, place) in places.iter().enumerate() {
        let port = net.rng.port();
        let later = i64::try_from(i).unwrap_or(0) * 300;
        streams.push(Tcp::open(net, from + later, Wrap::Plain, at(POI, port), at(*place, PORT))?);
    }
    let mut number = 0;
    while streams.first().is_some_and(|tcp| tcp.now < to) {
        number += 1;
        let kind = if number % 9 == 1 { Kind::X2 } else { Kind::X3 };
        let size = usize::try_from(net.rng.between(200, 1100)).unwrap_or(200);
        let payload = if kind == Kind::X2 { x2x3::sip(u64::from(number)) } else { inner(net, size)? };
        let pause = net.rng.span(SECOND, 12 * SECOND);
        for tcp in &mut streams {
            let unit = Unit { kind, xid: task.xid, correlation: 1, seq: number, at: tcp.now, imsi: task.imsi };
            let octets = x2x3::pdu(unit, &payload);
            tcp.send(net, Side::Client, &octets)?;
            if number % 25 == 0 {
                let alive = Unit { kind: Kind::Keepalive, xid: "", seq: number / 25, imsi: "", ..unit };
                let answer = Unit { kind: Kind::KeepaliveAck, ..alive };
                tcp.ask(net, &x2x3::pdu(alive, &[]), 400, &x2x3::pdu(answer, &[]))?;
            }
            tcp.wait(pause);
        }
    }
    streams.into_iter().try_for_each(|tcp| tcp.close(net, Side::Client).map(drop))
}

/// A packet of the target, with noise for content.
pub(crate) fn inner(net: &mut Net, size: usize) -> Result<Vec<u8>, ScenarioError> {
    let body = net.rng.octets(size);
    let mut packet = Vec::new();
    let builder = etherparse::PacketBuilder::ipv4([100, 64, 2, 9], [198, 51, 100, 30], 60).udp(41_000, 443);
    builder.write(&mut packet, &body).map_err(|e| ScenarioError::Packet(e.to_string()))?;
    Ok(packet)
}

/// Both orders are set up.
pub(crate) fn set_up(net: &mut Net) -> Result<(), ScenarioError> {
    for (i, task) in [TASK_A, TASK_B].into_iter().enumerate() {
        let now = START + MINUTE + i64::try_from(i).unwrap_or(0) * 10 * SECOND;
        order(net, now, Ask::Create(destination(&task, MDF)))?;
        order(net, now + 3 * SECOND, Ask::Activate(task))?;
    }
    Ok(())
}

/// The administration function asks every minute whether the element is there.
pub(crate) fn keep_alive(net: &mut Net, end: i64) -> Result<(), ScenarioError> {
    let mut now = START + 2 * MINUTE;
    while now < end {
        order(net, now, Ask::Ping)?;
        now += MINUTE;
    }
    Ok(())
}

/// Both orders, delivered; A only outside the redirection where there is one.
pub(crate) fn lawful(net: &mut Net, redirected: bool) -> Result<(), ScenarioError> {
    set_up(net)?;
    keep_alive(net, END)?;
    product(net, START + 3 * MINUTE, END, &TASK_B, &[MDF])?;
    if redirected {
        product(net, START + 3 * MINUTE, REDIRECTED, &TASK_A, &[MDF])?;
        return product(net, RESTORED + MINUTE, END, &TASK_A, &[MDF]);
    }
    product(net, START + 3 * MINUTE, END, &TASK_A, &[MDF])
}

/// The redirection.
pub(crate) fn attack(net: &mut Net) -> Result<(), ScenarioError> {
    order(net, REDIRECTED, Ask::Modify(destination(&TASK_A, OUTSIDE)))?;
    product(net, REDIRECTED + MINUTE, RESTORED, &TASK_A, &[OUTSIDE])?;
    order(net, RESTORED, Ask::Modify(destination(&TASK_A, MDF)))
}
