//! Protocols by port, for conversations whose content no decoder recognised. A guess, and said to be one (`trust` is `port`).
use lidr_schema::Ends;

/// The protocol that the registered port of either end suggests (IANA service names; vendors' documentation for the rest).
pub(super) fn by_port(ends: &Ends) -> Option<&'static str> {
    match ends.proto {
        6 => tcp(ends.dst_port).or_else(|| tcp(ends.src_port)),
        17 => udp(ends.dst_port).or_else(|| udp(ends.src_port)),
        132 => sctp(ends.dst_port).or_else(|| sctp(ends.src_port)),
        _ => None,
    }
}

const fn tcp(port: u16) -> Option<&'static str> {
    Some(match port {
        20 | 21 => "ftp",
        22 => "ssh",
        23 => "telnet",
        25 | 587 => "smtp",
        49 => "tacacs",
        53 => "dns",
        80 | 8080 => "http",
        88 => "kerberos",
        135 => "dcerpc",
        139 | 445 => "smb",
        179 => "bgp",
        389 => "ldap",
        443 | 8443 => "tls",
        830 => "netconf",
        3389 => "rdp",
        3868 => "diameter",
        4786 => "smi",
        5900 => "vnc",
        5985 | 5986 => "winrm",
        6514 => "syslog",
        32001 => "dtcp",
        _ => return None,
    })
}

const fn udp(port: u16) -> Option<&'static str> {
    Some(match port {
        53 => "dns",
        67 | 68 => "dhcp",
        69 => "tftp",
        123 => "ntp",
        161 | 162 => "snmp",
        443 => "quic",
        500 | 4500 => "ike",
        514 => "syslog",
        1645 | 1646 | 1812 | 1813 | 3799 => "radius",
        2123 => "gtpc",
        2152 => "gtpu",
        4789 => "vxlan",
        5060 => "sip",
        8805 => "pfcp",
        _ => return None,
    })
}

const fn sctp(port: u16) -> Option<&'static str> {
    Some(match port {
        2905 => "m3ua",
        3565 => "m2pa",
        3868 => "diameter",
        14001 => "sua",
        36412 => "s1ap",
        38412 => "ngap",
        _ => return None,
    })
}
