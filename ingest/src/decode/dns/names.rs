//! Names of types, operations and response codes (IANA, DNS parameters).
use lidr_schema::Name;

/// Name of a record type.
pub(super) fn kind_name(kind: u16) -> Name {
    Name::Borrowed(match kind {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        10 => "NULL",
        12 => "PTR",
        13 => "HINFO",
        15 => "MX",
        16 => "TXT",
        24 => "SIG",
        25 => "KEY",
        28 => "AAAA",
        29 => "LOC",
        33 => "SRV",
        35 => "NAPTR",
        39 => "DNAME",
        41 => "OPT",
        43 => "DS",
        46 => "RRSIG",
        47 => "NSEC",
        48 => "DNSKEY",
        50 => "NSEC3",
        52 => "TLSA",
        64 => "SVCB",
        65 => "HTTPS",
        99 => "SPF",
        249 => "TKEY",
        250 => "TSIG",
        251 => "IXFR",
        252 => "AXFR",
        255 => "ANY",
        257 => "CAA",
        other => return Name::Owned(format!("TYPE{other}")),
    })
}

/// Name of an operation, where it is no query.
pub(super) fn opcode_name(opcode: u8) -> Option<Name> {
    Some(Name::Borrowed(match opcode {
        0 => return None,
        1 => "iquery",
        2 => "status",
        4 => "notify",
        5 => "update",
        6 => "stateful",
        _ => "other",
    }))
}

/// Name of a response code.
pub(super) fn rcode_name(rcode: u8) -> Name {
    const NAMES: [&str; 11] = [
        "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH",
        "NOTZONE",
    ];
    match NAMES.get(usize::from(rcode)) {
        Some(name) => Name::Borrowed(name),
        None => Name::Owned(format!("RCODE{rcode}")),
    }
}
