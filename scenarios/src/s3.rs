//! S3: a tap without warrant, by SNMP (catalogue of threats, scenario S3).
//!
//! The administration function keeps three lawful taps on pe1, each set up and switched on with an order behind it. Somebody in
//! the management network walks the tap tables, writes a mediation entry of his own (notifications off, timeout in 2037), switches
//! a stream on, and receives a copy of a subscriber's packets. SNMPv3 with authentication but without privacy: with privacy no
//! object would be visible at all.
use std::net::Ipv4Addr;

use crate::{
    ScenarioError,
    lab::{ADMF, INTRUDER, MDF, PE1, START, at},
    net::{Net, Wrap},
    when::{MINUTE, SECOND, date_and_time},
    wire::snmp::{Bind, Engine, Op, Security, Value, message, pdu},
};

pub(crate) const WARRANTS: &str = "\
order,agency,kind,selector,type,start,end,state,emergency,test,destinations,cccid,elements,creator,approvers,created_at,seq
O-2026-001,agency-a,ipv4,100.64.1.11,cc,2026-11-01T00:00:00Z,2026-12-31T00:00:00Z,approved,,,mdf-sii,1001,pe1,clerk1,officer1,2026-10-30T10:00:00Z,1
O-2026-002,agency-a,ipv4,100.64.1.12,cc,2026-11-01T00:00:00Z,2026-12-31T00:00:00Z,approved,,,mdf-sii,1002,pe1,clerk1,officer2,2026-10-30T11:00:00Z,2
O-2026-003,agency-b,ipv4,100.64.1.13,cc,2026-11-01T00:00:00Z,2026-12-31T00:00:00Z,approved,,,mdf-sii,1003,pe1,clerk2,officer1,2026-10-30T12:00:00Z,3
";

pub(crate) const EXPECTED: &str = "\
expect:
  - {code: LI-06, level: critical, entity: [10.0.0.1, 10.20.0.99, netops]}
  - {code: LI-09, level: critical, entity: [10.20.0.99, 10.0.0.1]}
  - {code: LI-18, level: critical, entity: [10.20.0.99, 10.0.0.1]}
  - {code: LI-04, level: critical}
  - {code: LI-16, level: critical}
  - {code: LI-01, level: critical}
  - {code: LI-14, level: critical}
allow:
  - {code: LI-18, level: low, entity: [10.66.0.10, 10.0.0.1]}
  - {code: LM-01}
later: []
";

pub(crate) const EXPECTED_BENIGN: &str = "\
expect: []
allow:
  - {code: LI-18, level: low, entity: [10.66.0.10, 10.0.0.1]}
later: []
";

const TAP2: [u32; 9] = [1, 3, 6, 1, 4, 1, 9, 9, 399];
const IP_TAP: [u32; 9] = [1, 3, 6, 1, 4, 1, 9, 9, 394];
const STOLEN: Security = Security::Usm { user: "netops", auth: true, privacy: false };
const LAWFUL: Security = Security::Usm { user: "li-admf", auth: true, privacy: false };

fn engine(now: i64) -> Engine {
    let id = vec![0x80, 0, 0, 9, 3, 0, 0, 0x11, 0x22, 0x33, 0x44, 0x55];
    Engine { id, boots: 5, time: 123_456 + u32::try_from((now - START) / SECOND).unwrap_or(0) }
}

fn name(base: &[u32], tail: &[u32]) -> Vec<u32> {
    base.iter().chain(tail).copied().collect()
}

fn mediation(column: u32, id: u32) -> Vec<u32> {
    name(&TAP2, &[1, 1, 2, 1, column, id])
}

fn stream(column: u32, id: u32) -> Vec<u32> {
    name(&TAP2, &[1, 2, 1, 1, column, id, 1])
}

fn filter(column: u32, id: u32) -> Vec<u32> {
    name(&IP_TAP, &[1, 1, 2, 1, column, id, 1])
}

/// A request and its answer, from a port of its own as managers do.
fn ask(
    net: &mut Net,
    now: i64,
    from: Ipv4Addr,
    security: &Security,
    op: Op,
    binds: &[Bind],
    answer: &[Bind],
) -> Result<(), ScenarioError> {
    let port = net.rng.port();
    let id = i64::from(net.rng.word() >> 1);
    let mut rng = net.rng.clone();
    let mut noise = |n: usize| rng.octets(n);
    let there = message(security, &engine(now), id, true, &pdu(op, id, binds), &mut noise);
    let back = message(security, &engine(now), id, false, &pdu(Op::Response, id, answer), &mut noise);
    net.rng = rng;
    net.udp(now, Wrap::Plain, at(from, port), at(PE1, 161), &there)?;
    net.udp(now + 2_400, Wrap::Plain, at(PE1, 161), at(from, port), &back)
}

struct Tap {
    id: u32,
    target: Ipv4Addr,
    to: Ipv4Addr,
    port: u32,
    quiet: bool,
    timeout: i64,
}

fn set_up(net: &mut Net, now: i64, from: Ipv4Addr, security: &Security, tap: &Tap) -> Result<(), ScenarioError> {
    let mut binds = vec![
        (mediation(2, tap.id), Value::Int(1)),
        (mediation(3, tap.id), Value::Octets(tap.to.octets().to_vec())),
        (mediation(4, tap.id), Value::Gauge(tap.port)),
        (mediation(10, tap.id), Value::Octets(date_and_time(tap.timeout))),
        (mediation(11, tap.id), Value::Int(1)),
    ];
    if tap.quiet {
        binds.push((mediation(12, tap.id), Value::Int(2)));
    }
    binds.push((mediation(13, tap.id), Value::Int(4)));
    ask(net, now, from, security, Op::Set, &binds, &binds)?;
    let binds = [
        (filter(2, tap.id), Value::Int(1)),
        (filter(5, tap.id), Value::Octets(tap.target.octets().to_vec())),
        (filter(6, tap.id), Value::Gauge(32)),
        (filter(16, tap.id), Value::Int(4)),
    ];
    ask(net, now + 20 * SECOND, from, security, Op::Set, &binds, &binds)
}

fn switch_on(net: &mut Net, now: i64, from: Ipv4Addr, security: &Security, tap: &Tap) -> Result<(), ScenarioError> {
    let binds =
        [(stream(2, tap.id), Value::Int(1)), (stream(3, tap.id), Value::Int(1)), (stream(6, tap.id), Value::Int(4))];
    ask(net, now, from, security, Op::Set, &binds, &binds)
}

/// Intercepted packets: four octets of content id, then the packet (RFC 3924, PacketCable's smallest form).
fn product(net: &mut Net, from: i64, to: i64, tap: &Tap) -> Result<(), ScenarioError> {
    let source = net.rng.port();
    let mut now = from;
    while now < to {
        let mut inner = Vec::new();
        let size = usize::try_from(net.rng.between(60, 900)).unwrap_or(60);
        let body = net.rng.octets(size);
        let builder = etherparse::PacketBuilder::ipv4(tap.target.octets(), [198, 51, 100, 20], 60).udp(40_000, 443);
        builder.write(&mut inner, &body).map_err(|e| ScenarioError::Packet(e.to_string()))?;
        let payload = [tap.id.to_be_bytes().as_slice(), &inner].concat();
        net.udp(now, Wrap::Plain, at(PE1, source), at(tap.to, u16::try_from(tap.port).unwrap_or(0)), &payload)?;
        now += net.rng.span(SECOND / 4, 8 * SECOND);
    }
    Ok(())
}

/// Three taps with orders.
pub(crate) fn lawful(net: &mut Net) -> Result<(), ScenarioError> {
    for (i, id) in (1001_u32..=1003).enumerate() {
        let target = Ipv4Addr::new(100, 64, 1, 11 + u8::try_from(i).unwrap_or(0));
        let timeout = START + 86_400 * SECOND;
        let tap = Tap { id, target, to: MDF, port: 5000, quiet: false, timeout };
        let now = START + MINUTE + i64::try_from(i).unwrap_or(0) * MINUTE;
        set_up(net, now, ADMF, &LAWFUL, &tap)?;
        switch_on(net, now + 40 * SECOND, ADMF, &LAWFUL, &tap)?;
        product(net, now + 45 * SECOND, START + 80 * MINUTE, &tap)?;
    }
    Ok(())
}

/// The intruder.
pub(crate) fn attack(net: &mut Net) -> Result<(), ScenarioError> {
    let began = START + 12 * MINUTE;
    for page in 0..4_u32 {
        let from = [(name(&TAP2, &[1, 1, 2, 1, 2 + page * 2]), Value::Null)];
        let rows: Vec<Bind> = (1001..=1003)
            .flat_map(|id| [(mediation(2 + page * 2, id), Value::Int(1)), (mediation(3 + page * 2, id), Value::Int(1))])
            .collect();
        let now = began + i64::from(page) * SECOND;
        ask(net, now, INTRUDER, &STOLEN, Op::Bulk(10), &from, &rows)?;
    }
    // 2037-01-01T00:00:00Z: as far away as the clock of many an agent goes.
    let timeout = 2_114_380_800 * SECOND;
    let tap = Tap {
        id: 7001,
        target: Ipv4Addr::new(100, 64, 1, 77),
        to: Ipv4Addr::new(203, 0, 113, 80),
        port: 1813,
        quiet: true,
        timeout,
    };
    set_up(net, began + 3 * MINUTE, INTRUDER, &STOLEN, &tap)?;
    switch_on(net, began + 4 * MINUTE, INTRUDER, &STOLEN, &tap)?;
    product(net, began + 5 * MINUTE, START + 80 * MINUTE, &tap)
}
