//! S5: product that nobody ordered (catalogue of threats, scenario S5, after the Athens affair of 2004 and 2005).
//!
//! Software on the point of interception copies the content of a hundred subscribers to fourteen addresses outside, and the
//! product of a lawful task to one of them as well. Nobody asked for it over X1: the administration function lists the element's
//! tasks every quarter of an hour and sees two, as the register does. Only the product itself, on the wire, says otherwise.
use std::net::Ipv4Addr;

use crate::{
    ScenarioError,
    lab::{MDF, POI, START, at},
    net::{Net, Wrap},
    s4::{PORT, TASK_A, TASK_B, inner, keep_alive, list, product, set_up},
    tcp::{Side, Tcp},
    when::{MINUTE, SECOND},
    wire::x2x3::{self, Kind, Unit},
};

pub(crate) const EXPECTED: &str = "\
expect:
  - {code: LI-14, level: critical}
  - {code: LI-13, level: critical}
  - {code: LI-04, level: critical}
allow:
  - {code: LI-19}
  - {code: LI-22}
later: []
";

const END: i64 = START + 80 * MINUTE;
/// Telephones that were listened to, in Athens more than a hundred.
const TARGETS: u64 = 100;
/// Telephones that listened.
const SHADOWS: u64 = 14;

fn shadow(n: u64) -> Ipv4Addr {
    Ipv4Addr::new(203, 0, 113, u8::try_from(100 + n % SHADOWS).unwrap_or(100))
}

/// Both orders; the product of A goes to all of the places.
pub(crate) fn lawful(net: &mut Net, places: &[Ipv4Addr]) -> Result<(), ScenarioError> {
    set_up(net)?;
    keep_alive(net, END)?;
    let mut now = START + 5 * MINUTE;
    while now < END {
        list(net, now, &[TASK_A, TASK_B])?;
        now += 15 * MINUTE;
    }
    product(net, START + 3 * MINUTE, END, &TASK_B, &[MDF])?;
    product(net, START + 3 * MINUTE, END, &TASK_A, places)
}

/// The hidden taps.
pub(crate) fn attack(net: &mut Net) -> Result<(), ScenarioError> {
    lawful(net, &[MDF, shadow(0)])?;
    for n in 0..SHADOWS {
        let port = net.rng.port();
        let mut tcp = Tcp::open(
            net,
            START + 20 * MINUTE + i64::try_from(n).unwrap_or(0) * SECOND,
            Wrap::Plain,
            at(POI, port),
            at(shadow(n), PORT),
        )?;
        for target in (0..TARGETS).filter(|t| t % SHADOWS == n) {
            let (xid, imsi) = (net.rng.uuid(), format!("00101{:010}", 7_000_000 + target));
            for seq in 1..=6 {
                let size = usize::try_from(net.rng.between(160, 220)).unwrap_or(200);
                let payload = inner(net, size)?;
                let unit = Unit { kind: Kind::X3, xid: &xid, correlation: target, seq, at: tcp.now, imsi: &imsi };
                tcp.send(net, Side::Client, &x2x3::pdu(unit, &payload))?;
                let pause = net.rng.span(SECOND, 20 * SECOND);
                tcp.wait(pause);
            }
        }
        tcp.close(net, Side::Client)?;
    }
    Ok(())
}
