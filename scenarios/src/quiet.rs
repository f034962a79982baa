//! A day on which everything that looks like abuse is none: the look-alikes of the catalogue of threats that touch intercepts.
//!
//! The standby administration function takes over and lists every task again; an emergency tap has an approver and its paperwork to
//! come; an order is renewed; the destination of a task moves under a ticket; one order serves two agencies; a target sleeps; a test
//! order is switched on and off; the auditor exports the register; product is handed over on a port that scanners like. Nothing at
//! high or above may be found.
use std::net::Ipv4Addr;

use crate::{
    ScenarioError,
    lab::{ADMF, MDF, START, at},
    net::{Net, Wrap},
    s4::{TASK_A, TASK_B, destination, keep_alive, list_from, order, order_from, product, set_up},
    tcp::{Side, Tcp},
    when::{MINUTE, SECOND, rfc3339},
    wire::x1::{Ask, Task},
};

pub(crate) const WARRANTS: &str = "\
order,agency,kind,selector,type,start,end,state,emergency,test,destinations,xid,liid,elements,creator,approvers,created_at,seq
O-2026-011,agency-a,imsi,001010123456789,both,2026-11-01T00:00:00Z,2026-12-31T00:00:00Z,approved,,,19867c20-8c94-473e-b9cd-8b72b7b05fd4,29f28e1c-f230-486a-a860-f5a784ab9172,LIID-000123,poi1,clerk1,officer1,2026-10-30T10:00:00Z,1
O-2026-012,agency-b,imsi,001010987654321,both,2026-11-01T00:00:00Z,2026-12-31T00:00:00Z,approved,,,5f2c8f0e-3f0d-4a73-9a53-6d0c9e5a7b11,8c292fa1-5831-46ec-86be-bd85f2083299,LIID-000124,poi1,clerk2,officer2,2026-10-30T11:00:00Z,2
O-2026-013,agency-a,imsi,001010555000111,both,2026-11-20T00:00:00Z,2026-11-24T00:00:00Z,pending,true,,19867c20-8c94-473e-b9cd-8b72b7b05fd4,4c1d7e4e-3c57-4f43-9f63-4f3c2b6e0013,LIID-000125,poi1,clerk1,officer1,2026-11-20T01:30:00Z,5
O-2026-014,agency-c,imsi,001010555000222,both,2026-11-01T00:00:00Z,2026-12-31T00:00:00Z,approved,,,19867c20-8c94-473e-b9cd-8b72b7b05fd4;5f2c8f0e-3f0d-4a73-9a53-6d0c9e5a7b11,4c1d7e4e-3c57-4f43-9f63-4f3c2b6e0014,LIID-000126,poi1,clerk2,officer1,2026-10-30T12:00:00Z,3
O-2026-015,agency-a,imsi,001019999999999,both,2026-11-01T00:00:00Z,2026-12-31T00:00:00Z,approved,,true,19867c20-8c94-473e-b9cd-8b72b7b05fd4,4c1d7e4e-3c57-4f43-9f63-4f3c2b6e0015,LIID-000127,poi1,clerk1,officer1,2026-10-30T13:00:00Z,4
";

/// What the carrier knows of that day.
pub(crate) const SITE: &[(&str, &str)] = &[
    (
        "accounts.csv",
        "user,role,hosts,on_call,hours\nli-admf,li-operator,10.66.0.10;10.66.0.12,true,\nclerk1,li-clerk,10.66.0.4,true,\n\
         officer1,li-officer,10.66.0.6,true,\nauditor1,auditor,10.66.0.7,true,\n",
    ),
    (
        "elements.csv",
        "name,role,address,identifier,x1_port,keepalive_s,managers\nadmf1,admf,10.66.0.10,admf01,,,\nadmf2,admf,10.66.0.12,admf01,,,\n\
         lims1,lims,10.66.0.11,,,,\nmdf1,mdf,10.66.0.20,mdf-east,,,\nmdf2,mdf,10.66.0.21,mdf-west,,,\n\
         poi1,poi,10.0.1.20,smf-poi-01,8443,60,10.66.0.10;10.66.0.12\nlemf-A,lemf,192.0.2.10,,,,\n",
    ),
    (
        "destinations.csv",
        "id,name,address,port,kind,agency\n19867c20-8c94-473e-b9cd-8b72b7b05fd4,MDF east,10.66.0.20,9000,X2andX3,\n\
         5f2c8f0e-3f0d-4a73-9a53-6d0c9e5a7b11,MDF east B,10.66.0.20,9000,X2andX3,\n\
         5f2c8f0e-3f0d-4a73-9a53-6d0c9e5a7b11,MDF west B,10.66.0.21,9000,X2andX3,\nlemf-A-hi3,agency A,192.0.2.10,18888,HI3,agency-a\n",
    ),
    (
        "tickets.csv",
        "id,user,objects,from,to,approved_by,note\n\
         CHG-200,eng3,5f2c8f0e-3f0d-4a73-9a53-6d0c9e5a7b11,2026-11-20T00:00:00Z,2026-11-21T00:00:00Z,lead1,mediation moves west\n",
    ),
    (
        "policy.csv",
        "src_zone,dst_zone,protocol,ports\nli-admin,core,udp,161\nli-admin,core,tcp,443;8443\ncore,li-mediation,udp,5000\n\
         core,li-mediation,tcp,9000\nli-mediation,li-handover,tcp,18888;30001\nmgmt,core,any,\ncustomer,core,udp,53\ncustomer,internet,any,\n",
    ),
    (
        "history.csv",
        "src,dst,port,protocol,first_seen,last_seen,days\n10.20.0.10,10.0.0.1,22,tcp,2026-06-01T00:00:00Z,2026-11-19T00:00:00Z,120\n\
         10.20.0.10,10.0.0.2,22,tcp,2026-06-01T00:00:00Z,2026-11-19T00:00:00Z,120\n\
         10.20.0.20,10.0.0.1,161,udp,2026-06-01T00:00:00Z,2026-11-19T23:00:00Z,170\n\
         10.20.0.20,10.0.0.2,161,udp,2026-06-01T00:00:00Z,2026-11-19T23:00:00Z,170\n\
         10.66.0.10,10.0.0.1,161,udp,2026-06-01T00:00:00Z,2026-11-19T23:00:00Z,60\n\
         10.66.0.10,10.0.1.20,8443,tcp,2026-06-01T00:00:00Z,2026-11-19T23:00:00Z,160\n\
         10.66.0.12,10.0.1.20,8443,tcp,2026-06-01T00:00:00Z,2026-11-19T23:00:00Z,12\n\
         10.66.0.20,192.0.2.10,18888,tcp,2026-06-01T00:00:00Z,2026-11-19T23:00:00Z,160\n",
    ),
];

pub(crate) const EXPECTED: &str = "\
expect: []
allow:
  - {code: LI-01, level: informational}
  - {code: LI-02, level: medium}
  - {code: LI-06, level: medium}
  - {code: LI-08, level: medium}
  - {code: LI-15, level: medium}
  - {code: LI-20, level: medium}
  - {code: LM-01, level: medium}
later: []
";

const STANDBY: Ipv4Addr = Ipv4Addr::new(10, 66, 0, 12);
const WEST: Ipv4Addr = Ipv4Addr::new(10, 66, 0, 21);
const LEMF: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
const END: i64 = START + 85 * MINUTE;

const EMERGENCY: Task =
    Task { xid: "4c1d7e4e-3c57-4f43-9f63-4f3c2b6e0013", imsi: "001010555000111", did: TASK_A.did, liid: "LIID-000125" };
const SHARED: Task = Task {
    xid: "4c1d7e4e-3c57-4f43-9f63-4f3c2b6e0014",
    imsi: "001010555000222",
    did: "19867c20-8c94-473e-b9cd-8b72b7b05fd4;5f2c8f0e-3f0d-4a73-9a53-6d0c9e5a7b11",
    liid: "LIID-000126",
};
const TEST: Task =
    Task { xid: "4c1d7e4e-3c57-4f43-9f63-4f3c2b6e0015", imsi: "001019999999999", did: TASK_A.did, liid: "LIID-000127" };

/// The whole day.
pub(crate) fn day(net: &mut Net) -> Result<(), ScenarioError> {
    set_up(net)?;
    keep_alive(net, END)?;
    product(net, START + 3 * MINUTE, END, &TASK_A, &[MDF])?;
    // The mediation of order B moves to the west, under its ticket.
    let moved = START + 40 * MINUTE;
    product(net, START + 3 * MINUTE, moved, &TASK_B, &[MDF])?;
    order(net, moved, Ask::Modify(destination(&TASK_B, WEST)))?;
    product(net, moved + 5 * SECOND, END, &TASK_B, &[WEST])?;
    // An emergency tap and the order that serves two agencies; the emergency's target sleeps.
    order(net, START + 10 * MINUTE, Ask::Activate(EMERGENCY))?;
    order(net, START + 11 * MINUTE, Ask::Activate(SHARED))?;
    product(net, START + 12 * MINUTE, START + 38 * MINUTE, &SHARED, &[MDF])?;
    // A test of the chain, twice.
    for n in 0..2 {
        order(net, START + (15 + 4 * n) * MINUTE, Ask::Activate(TEST))?;
        order(net, START + (17 + 4 * n) * MINUTE, Ask::Deactivate(TEST))?;
    }
    // The standby takes over, lists what there is, and sets one task up again.
    list_from(net, STANDBY, START + 50 * MINUTE, &[TASK_A, TASK_B, SHARED, EMERGENCY])?;
    order_from(net, STANDBY, START + 51 * MINUTE, Ask::Activate(SHARED))?;
    list_from(net, ADMF, START + 5 * MINUTE, &[TASK_A, TASK_B])?;
    handover(net)?;
    people(net);
    Ok(())
}

/// Product on its way to the agency, on the port that Salt Typhoon's servers had, too.
fn handover(net: &mut Net) -> Result<(), ScenarioError> {
    let port = net.rng.port();
    let mut tcp = Tcp::open(net, START + 4 * MINUTE, Wrap::Plain, at(MDF, port), at(LEMF, 18_888))?;
    while tcp.now < END {
        let noise = net.rng.octets(600);
        tcp.send(net, Side::Client, &noise)?;
        tcp.wait(45 * SECOND);
    }
    tcp.close(net, Side::Client).map(drop)
}

fn people(net: &mut Net) {
    let mut line = |minutes: i64, user: &str, host: &str, action: &str, more: &str| {
        let now = START + minutes * MINUTE;
        let time = rfc3339(now);
        net.audit(
            now,
            format!("{{\"time\":\"{time}\",\"system\":\"lims\",\"user\":\"{user}\",\"host\":\"{host}\",\"action\":\"{action}\",\"result\":\"success\"{more}}}"),
        );
    };
    let lims = "\"element\":{\"name\":\"lims1\",\"address\":\"10.66.0.11\"}";
    line(1, "officer1", "10.66.0.6", "login", ",\"server\":\"10.66.0.11\"");
    line(1, "clerk1", "10.66.0.4", "login", ",\"server\":\"10.66.0.11\"");
    line(
        8,
        "clerk1",
        "10.66.0.4",
        "order.create",
        &format!(",\"order\":\"O-2026-013\",\"approver\":\"officer1\",\"state\":\"pending\",{lims}"),
    );
    line(
        20,
        "clerk1",
        "10.66.0.4",
        "order.renew",
        &format!(
            ",\"order\":\"O-2026-012\",\"approver\":\"officer1\",\"end\":\"2027-01-31T00:00:00Z\",\"state\":\"approved\",{lims}"
        ),
    );
    line(
        23,
        "officer1",
        "10.66.0.6",
        "order.approve",
        &format!(",\"order\":\"O-2026-012\",\"state\":\"approved\",{lims}"),
    );
    line(30, "auditor1", "10.66.0.7", "login", ",\"server\":\"10.66.0.11\"");
    line(31, "auditor1", "10.66.0.7", "order.export", &format!(",\"rows\":4000,{lims}"));
}
