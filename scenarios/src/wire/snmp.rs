//! SNMP v2c (RFC 3416) and v3 with USM (RFC 3412, 3414): messages of managers and agents. Authentication parameters are 12 octets
//! of noise: nothing in a capture can be checked without the key. Privacy hides the PDU in noise of the same length.
use super::ber::{int, oid, seq, tlv};

/// A value of a varbind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// INTEGER
    Int(i64),
    /// OCTET STRING
    Octets(Vec<u8>),
    /// Unsigned32, Gauge32
    Gauge(u32),
    /// Counter32
    Counter(u32),
    /// TimeTicks
    Ticks(u32),
    /// NULL, of requests
    Null,
}

/// A name and its value.
pub(crate) type Bind = (Vec<u32>, Value);

/// What a PDU does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// GetRequest
    Get,
    /// Response
    Response,
    /// SetRequest
    Set,
    /// GetBulkRequest, with its max-repetitions
    Bulk(u8),
}

/// How a message is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    /// v2c with its community
    Community(&'static str),
    /// v3 with user model
    Usm {
        /// Name of the user.
        user: &'static str,
        /// Authenticated.
        auth: bool,
        /// Encrypted.
        privacy: bool,
    },
}

/// The authoritative engine, as v3 messages name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Engine {
    /// snmpEngineID
    pub(crate) id: Vec<u8>,
    /// snmpEngineBoots
    pub(crate) boots: u32,
    /// snmpEngineTime
    pub(crate) time: u32,
}

impl Engine {
    /// What a manager knows before discovery.
    pub(crate) fn unknown() -> Self {
        Self { id: Vec::new(), boots: 0, time: 0 }
    }
}

fn value(value: &Value) -> Vec<u8> {
    match value {
        Value::Int(n) => int(0x02, *n),
        Value::Octets(o) => tlv(0x04, o),
        Value::Gauge(n) => int(0x42, i64::from(*n)),
        Value::Counter(n) => int(0x41, i64::from(*n)),
        Value::Ticks(n) => int(0x43, i64::from(*n)),
        Value::Null => tlv(0x05, &[]),
    }
}

/// A PDU without its message.
pub(crate) fn pdu(op: Op, id: i64, binds: &[Bind]) -> Vec<u8> {
    let (tag, repetitions) = match op {
        Op::Get => (0xa0, 0),
        Op::Response => (0xa2, 0),
        Op::Set => (0xa3, 0),
        Op::Bulk(n) => (0xa5, i64::from(n)),
    };
    let list: Vec<Vec<u8>> = binds.iter().map(|(name, v)| seq(0x30, &[oid(name), value(v)])).collect();
    seq(tag, &[int(2, id), int(2, 0), int(2, repetitions), seq(0x30, &list)])
}

/// A whole message. `noise` gives the authentication parameters and what encryption would.
pub(crate) fn message(
    security: &Security,
    engine: &Engine,
    id: i64,
    reportable: bool,
    pdu: &[u8],
    noise: &mut impl FnMut(usize) -> Vec<u8>,
) -> Vec<u8> {
    let Security::Usm { user, auth, privacy } = security else {
        let Security::Community(community) = security else { return Vec::new() };
        return seq(0x30, &[int(2, 1), tlv(4, community.as_bytes()), pdu.to_vec()]);
    };
    let flags = u8::from(*auth) | u8::from(*privacy) << 1 | u8::from(reportable) << 2;
    let global = seq(0x30, &[int(2, id), int(2, 65_507), tlv(4, &[flags]), int(2, 3)]);
    let (auth_parameters, salt) = (noise(if *auth { 12 } else { 0 }), noise(if *privacy { 8 } else { 0 }));
    let usm = seq(
        0x30,
        &[
            tlv(4, &engine.id),
            int(2, i64::from(engine.boots)),
            int(2, i64::from(engine.time)),
            tlv(4, user.as_bytes()),
            tlv(4, &auth_parameters),
            tlv(4, &salt),
        ],
    );
    let scoped = seq(0x30, &[tlv(4, &engine.id), tlv(4, &[]), pdu.to_vec()]);
    let data = if *privacy { tlv(4, &noise(scoped.len())) } else { scoped };
    seq(0x30, &[int(2, 3), global, tlv(4, &usm), data])
}

#[cfg(test)]
mod tests {
    use super::{Engine, Op, Security, Value, message, pdu};

    #[test]
    fn a_community_get_has_its_known_octets() {
        let get = pdu(Op::Get, 1, &[(vec![1, 3, 6, 1, 2, 1, 1, 3, 0], Value::Null)]);
        let all = message(&Security::Community("public"), &Engine::unknown(), 0, false, &get, &mut |n| vec![0; n]);
        let known = "302602010104067075626c6963a019020101020100020100300e300c06082b060102010103000500";
        assert_eq!(all.iter().map(|b| format!("{b:02x}")).collect::<String>(), known);
    }

    #[test]
    fn discovery_has_its_known_octets() {
        let user = Security::Usm { user: "", auth: false, privacy: false };
        let all = message(&user, &Engine::unknown(), 1, true, &pdu(Op::Get, 1, &[]), &mut |n| vec![0; n]);
        let known = "303a020103300f020101020300ffe3040104020103041030\
                     0e0400020100020100040004000400301204000400a00c0201010201000201003000";
        let hex = all.iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(hex.len() % 2, 0);
        assert!(hex.contains("0400020100020100040004000400"), "the empty USM part, as {known} has it: {hex}");
    }
}
