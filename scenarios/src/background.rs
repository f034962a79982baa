//! What a carrier's network does all day: web, DNS, SSH of administrators, polling, tunnels. Nothing in it is worth a finding.
use std::net::Ipv4Addr;

use crate::{
    ScenarioError,
    lab::{JUMP, LENGTH, NMS, PE1, PE2, RESOLVER, START, at},
    net::{Net, Wrap},
    tcp::{Side, Tcp},
    when::MINUTE,
    wire::{
        dns, http,
        snmp::{Engine, Op, Security, Value, message, pdu},
        ssh, tls,
    },
};

const SITES: [&str; 6] = [
    "www.example.com",
    "news.example.org",
    "mail.example.net",
    "cdn.example.com",
    "shop.example.org",
    "maps.example.net",
];

/// Adds about so many packets, and the polling that goes on whatever the volume.
pub(crate) fn write(net: &mut Net, packets: u64) -> Result<(), ScenarioError> {
    let mut now = START;
    while now < START + LENGTH {
        poll(net, now, PE1)?;
        poll(net, now + 700_000, PE2)?;
        now += MINUTE;
    }
    for i in 0..3 {
        administrator(net, START + i * 25 * MINUTE + 4 * MINUTE, if i == 1 { PE2 } else { PE1 })?;
    }
    let already = net.trace.len() as u64;
    while (net.trace.len() as u64) < already + packets {
        // The last minutes are left free, so that no conversation runs over the end.
        let now = START + net.rng.span(0, LENGTH - 3 * MINUTE);
        let wrap = tunnel(net);
        match net.rng.below(10) {
            0..5 => lookup(net, now, wrap)?,
            5..8 => secure(net, now, wrap)?,
            _ => plain(net, now, wrap)?,
        }
    }
    Ok(())
}

fn customer(net: &mut Net) -> Ipv4Addr {
    let octet = |n: u64| u8::try_from(n).unwrap_or(1);
    Ipv4Addr::new(100, 64, octet(net.rng.between(8, 40)), octet(net.rng.between(1, 250)))
}

fn server(net: &mut Net) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, u8::try_from(net.rng.between(10, 120)).unwrap_or(10))
}

/// One packet in eight is in a tunnel of the carrier's own.
fn tunnel(net: &mut Net) -> Wrap {
    let (a, b) = (Ipv4Addr::new(10, 255, 0, 1), Ipv4Addr::new(10, 255, 0, 2));
    match net.rng.below(24) {
        0 => Wrap::Gre(a, b),
        1 => Wrap::Vxlan(a, b, 5001),
        2 => Wrap::Gtpu(Ipv4Addr::new(10, 40, 1, 5), Ipv4Addr::new(10, 40, 0, 20), 0x1001, 0x2001),
        _ => Wrap::Plain,
    }
}

fn poll(net: &mut Net, now: i64, router: Ipv4Addr) -> Result<(), ScenarioError> {
    let binds = |value: Value, octets: Value| {
        vec![(vec![1, 3, 6, 1, 2, 1, 1, 3, 0], value), (vec![1, 3, 6, 1, 2, 1, 2, 2, 1, 10, 1], octets)]
    };
    let (port, id) = (net.rng.port(), i64::from(net.rng.word() >> 2));
    let community = Security::Community("monitor");
    let mut none = |_: usize| Vec::new();
    let question = pdu(Op::Get, id, &binds(Value::Null, Value::Null));
    let up = u32::try_from((now - START) / 10_000).unwrap_or(0);
    let counter = net.rng.word();
    let answer = pdu(Op::Response, id, &binds(Value::Ticks(9_000_000 + up), Value::Counter(counter)));
    let there = message(&community, &Engine::unknown(), id, false, &question, &mut none);
    let back = message(&community, &Engine::unknown(), id, false, &answer, &mut none);
    net.udp(now, Wrap::Plain, at(NMS, port), at(router, 161), &there)?;
    net.udp(now + 1_900, Wrap::Plain, at(router, 161), at(NMS, port), &back)
}

fn administrator(net: &mut Net, now: i64, router: Ipv4Addr) -> Result<(), ScenarioError> {
    let port = net.rng.port();
    let mut tcp = Tcp::open(net, now, Wrap::Plain, at(JUMP, port), at(router, 22))?;
    tcp.send(net, Side::Server, b"SSH-2.0-Cisco-1.25\r\n")?;
    tcp.send(net, Side::Client, b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n")?;
    let mut rng = net.rng.clone();
    let steps = [
        (Side::Client, ssh::kexinit(&mut rng)),
        (Side::Server, ssh::kexinit(&mut rng)),
        (Side::Client, ssh::ecdh_init(&mut rng)),
        (Side::Server, ssh::ecdh_reply(&mut rng)),
        (Side::Client, ssh::newkeys(&mut rng)),
    ];
    for (side, octets) in steps {
        tcp.send(net, side, &octets)?;
    }
    for _ in 0..25 {
        let (typed, shown) = (rng.octets(36), rng.octets(84));
        tcp.send(net, Side::Client, &typed)?;
        tcp.send(net, Side::Server, &shown)?;
        let pause = rng.span(80_000, 900_000);
        tcp.wait(pause);
    }
    net.rng = rng;
    tcp.close(net, Side::Client).map(drop)
}

fn lookup(net: &mut Net, now: i64, wrap: Wrap) -> Result<(), ScenarioError> {
    let (client, port) = (customer(net), net.rng.port());
    let site = net.rng.pick(&SITES);
    let id = u16::try_from(net.rng.below(65_536)).unwrap_or(0);
    let address = server(net);
    net.udp(now, wrap, at(client, port), at(RESOLVER, 53), &dns::query(id, site, 1))?;
    let delay = net.rng.span(300, 20_000);
    net.udp(
        now + delay,
        wrap.back(),
        at(RESOLVER, 53),
        at(client, port),
        &dns::answer(id, site, 1, Some(address.into())),
    )
}

fn secure(net: &mut Net, now: i64, wrap: Wrap) -> Result<(), ScenarioError> {
    let (client, port, server) = (customer(net), net.rng.port(), server(net));
    let site = net.rng.pick(&SITES);
    let mut tcp = Tcp::open(net, now, wrap, at(client, port), at(server, 443))?;
    let mut rng = net.rng.clone();
    tcp.ask(net, &tls::client_hello(&mut rng, site), 2_000, &tls::server_flight(&mut rng))?;
    tcp.send(net, Side::Client, &tls::client_finished(&mut rng))?;
    for _ in 0..rng.between(1, 4) {
        let (question, n) = (tls::data(&mut rng, 220), usize::try_from(rng.between(500, 9_000)).unwrap_or(500));
        let answer = tls::data(&mut rng, n);
        tcp.ask(net, &question, 15_000, &answer)?;
    }
    net.rng = rng;
    tcp.close(net, Side::Client).map(drop)
}

fn plain(net: &mut Net, now: i64, wrap: Wrap) -> Result<(), ScenarioError> {
    let (client, port, server) = (customer(net), net.rng.port(), server(net));
    let site = net.rng.pick(&SITES);
    let mut tcp = Tcp::open(net, now, wrap, at(client, port), at(server, 80))?;
    let n = usize::try_from(net.rng.between(300, 12_000)).unwrap_or(300);
    let question = http::request("GET", site, "/weather", "User-Agent: Mozilla/5.0\r\n", "");
    tcp.ask(net, &question, 8_000, &http::response("text/html", "nginx", &http::page(n)))?;
    tcp.close(net, Side::Server).map(drop)
}
