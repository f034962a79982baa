//! The carrier of the scenarios: who is where, and what it tells lidr about itself.
use std::net::{Ipv4Addr, SocketAddr};

use crate::when::HOUR;

/// 2026-11-20T02:00:00Z: night, 03:00 in the carrier's time zone.
pub(crate) const START: i64 = 1_795_140_000_000_000;
/// Every trace is one hour and a half long.
pub(crate) const LENGTH: i64 = HOUR + HOUR / 2;

pub(crate) const PE1: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub(crate) const PE2: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub(crate) const POI: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 20);
pub(crate) const NMS: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 20);
pub(crate) const JUMP: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 10);
pub(crate) const INTRUDER: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 99);
pub(crate) const ADMF: Ipv4Addr = Ipv4Addr::new(10, 66, 0, 10);
pub(crate) const MDF: Ipv4Addr = Ipv4Addr::new(10, 66, 0, 20);
pub(crate) const RESOLVER: Ipv4Addr = Ipv4Addr::new(10, 40, 0, 53);

/// An address with a port.
pub(crate) fn at(ip: Ipv4Addr, port: u16) -> SocketAddr {
    SocketAddr::new(ip.into(), port)
}

/// The site folder but for the register of orders.
pub(crate) const TABLES: &[(&str, &str)] = &[
    (
        "site.toml",
        "carrier = \"Example Telecom\"\ndomain = \"example.net\"\nown_asn = 64500\ntime_zone = \"Europe/Berlin\"\n",
    ),
    ("zones.csv", ZONES),
    ("policy.csv", POLICY),
    ("devices.csv", DEVICES),
    ("elements.csv", ELEMENTS),
    ("destinations.csv", DESTINATIONS),
    ("history.csv", HISTORY),
    ("mirror_sessions.csv", "device,destination,kind,session\npe2,10.20.0.40,erspan,3\n"),
    ("tunnels.csv", "device,peer,kind,note\npe1,10.255.0.2,gre,backbone\npe1,10.255.0.2,vxlan,customers' networks\n"),
    ("allow.csv", "kind,address,port,note\nbastion,10.20.0.10,22,jump1\nnms,10.20.0.20,161,nms1\n"),
    (
        "accounts.csv",
        "user,role,hosts,on_call,hours\nli-admf,li-operator,10.66.0.10,true,\nops7,engineer,10.20.0.31,false,0;1;2;3;4@7-18\n",
    ),
    (
        "sensors.csv",
        "name,sees,x1_clear_port,note\nlocal,core;mgmt;li-admin;li-mediation,8443,the tap of the scenarios; X1 is decrypted for it\n",
    ),
    (
        "tickets.csv",
        "id,user,objects,from,to,approved_by,note\nCHG-100,eng3,pe2,2026-11-19T22:00:00Z,2026-11-19T23:00:00Z,lead1,line card\n",
    ),
];

const ZONES: &str = "\
cidr,zone,rank
0.0.0.0/0,internet,0
100.64.0.0/10,customer,1
10.0.0.0/16,core,4
10.255.0.0/16,core,4
10.40.0.0/16,core,4
10.20.0.0/16,mgmt,5
10.10.0.0/16,aaa,6
10.66.0.0/28,li-admin,9
10.66.0.16/28,li-mediation,9
192.0.2.0/26,li-handover,9
";

const POLICY: &str = "\
src_zone,dst_zone,protocol,ports
li-admin,core,udp,161
li-admin,core,tcp,443;8443
core,li-mediation,udp,5000
core,li-mediation,tcp,9000
li-mediation,li-handover,tcp,30001
mgmt,core,any,
customer,core,udp,53
customer,internet,any,
";

const DEVICES: &str = "\
name,role,vendor,addresses,loopback,zone,aaa_only,app_hosting
pe1,router,cisco,10.0.0.1,10.255.0.1,core,true,false
pe2,router,cisco,10.0.0.2,10.255.0.2,core,true,false
";

const ELEMENTS: &str = "\
name,role,address,identifier,x1_port,keepalive_s,managers
admf1,admf,10.66.0.10,admf01,,,
mdf1,mdf,10.66.0.20,mdf-east,,,
pe1,ne-snmp-tap,10.0.0.1,800000090300001122334455,,,10.66.0.10/li-admf
poi1,poi,10.0.1.20,smf-poi-01,8443,60,10.66.0.10
lemf-A,lemf,192.0.2.10,,,,
";

const DESTINATIONS: &str = "\
id,name,address,port,kind,agency
mdf-sii,mediation of router taps,10.66.0.20,5000,SII,
19867c20-8c94-473e-b9cd-8b72b7b05fd4,MDF east,10.66.0.20,9000,X2andX3,
5f2c8f0e-3f0d-4a73-9a53-6d0c9e5a7b11,MDF east B,10.66.0.20,9000,X2andX3,
lemf-A-hi3,agency A,192.0.2.10,30001,HI3,agency-a
";

const HISTORY: &str = "\
src,dst,port,protocol,first_seen,last_seen,days
10.20.0.10,10.0.0.1,22,tcp,2026-06-01T00:00:00Z,2026-11-19T00:00:00Z,120
10.20.0.10,10.0.0.2,22,tcp,2026-06-01T00:00:00Z,2026-11-19T00:00:00Z,120
10.20.0.20,10.0.0.1,161,udp,2026-06-01T00:00:00Z,2026-11-19T23:00:00Z,170
10.20.0.20,10.0.0.2,161,udp,2026-06-01T00:00:00Z,2026-11-19T23:00:00Z,170
10.66.0.10,10.0.0.1,161,udp,2026-06-01T00:00:00Z,2026-11-19T23:00:00Z,60
10.66.0.10,10.0.1.20,8443,tcp,2026-06-01T00:00:00Z,2026-11-19T23:00:00Z,160
";
