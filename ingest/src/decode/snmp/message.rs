//! SNMP messages: v1 (RFC 1157), v2c (RFC 1901), v3 with the user-based security model (RFC 3412, RFC 3414).
//!
//! The community is passed over, never read. Of an encrypted message (authPriv) everything up to the ciphertext is in clear:
//! engine, boots, time and user. Keys, digests and salts are not looked at.
use crate::decode::ber::{Bad, Ber, Notes, Oid, signed, unsigned};

/// Varbinds of one message that are read.
pub(super) const MOST_BINDS: usize = 4096;

/// A protocol data unit's kind, by its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Get,
    GetNext,
    Response,
    Set,
    TrapV1,
    GetBulk,
    Inform,
    Trap,
    Report,
}

impl Kind {
    fn of(tag: u8) -> Option<Self> {
        Some(match tag {
            0xa0 => Self::Get,
            0xa1 => Self::GetNext,
            0xa2 => Self::Response,
            0xa3 => Self::Set,
            0xa4 => Self::TrapV1,
            0xa5 => Self::GetBulk,
            0xa6 => Self::Inform,
            0xa7 => Self::Trap,
            0xa8 => Self::Report,
            _ => return None,
        })
    }

    /// As `mgmt.op` says it.
    pub(super) const fn op(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::GetNext => "getnext",
            Self::Response => "response",
            Self::Set => "set",
            Self::TrapV1 | Self::Trap => "trap",
            Self::GetBulk => "getbulk",
            Self::Inform => "inform",
            Self::Report => "report",
        }
    }

    /// As the standard names it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Get => "GetRequest",
            Self::GetNext => "GetNextRequest",
            Self::Response => "Response",
            Self::Set => "SetRequest",
            Self::TrapV1 | Self::Trap => "Trap",
            Self::GetBulk => "GetBulkRequest",
            Self::Inform => "InformRequest",
            Self::Report => "Report",
        }
    }

    /// Whether it asks for objects without changing them.
    pub(super) const fn reads(self) -> bool {
        matches!(self, Self::Get | Self::GetNext | Self::GetBulk)
    }
}

/// One variable with its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bind<'a> {
    pub(super) oid: Oid<'a>,
    pub(super) tag: u8,
    pub(super) value: &'a [u8],
}

impl Bind<'_> {
    /// The value as an integer, for the integer types.
    pub(super) fn int(&self) -> Option<i64> {
        match self.tag {
            0x02 => signed(self.value),
            0x41..=0x43 | 0x46 => unsigned(self.value),
            _ => None,
        }
    }

    /// Whether it says that there is no such object or instance.
    pub(super) const fn is_exception(&self) -> bool {
        matches!(self.tag, 0x80..=0x82)
    }
}

/// What a v1 trap says beside its varbinds.
#[derive(Clone, Copy, Debug)]
pub(super) struct TrapV1<'a> {
    pub(super) enterprise: Oid<'a>,
    pub(super) generic: u32,
    pub(super) specific: u32,
    pub(super) uptime: u32,
}

/// A protocol data unit in clear.
#[derive(Clone, Debug)]
pub(super) struct Pdu<'a> {
    pub(super) kind: Kind,
    pub(super) id: i64,
    pub(super) error_status: u32,
    pub(super) trap: Option<TrapV1<'a>>,
    pub(super) binds: Vec<Bind<'a>>,
    /// Varbinds there, those beyond the bound included.
    pub(super) count: u32,
}

/// sysUpTime.
const SYS_UP_TIME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 3];

impl Pdu<'_> {
    /// sysUpTime, where the PDU carries it: every notification does, and many answers.
    pub(super) fn uptime(&self) -> Option<u64> {
        let bound = || self.binds.iter().find(|b| b.tag == 0x43 && b.oid.after(SYS_UP_TIME).is_some())?.int();
        self.trap.map(|t| u64::from(t.uptime)).or_else(|| bound().and_then(|t| u64::try_from(t).ok()))
    }
}

/// The header of version 3.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct V3<'a> {
    pub(super) reportable: bool,
    pub(super) engine: &'a [u8],
    pub(super) boots: u32,
    pub(super) time: u32,
    pub(super) user: &'a [u8],
}

/// A message.
#[derive(Clone, Debug)]
pub(super) struct Message<'a> {
    pub(super) version: &'static str,
    pub(super) level: &'static str,
    /// What its answer repeats: msgID for v3, request-id else.
    pub(super) id: i64,
    pub(super) v3: Option<V3<'a>>,
    /// None: encrypted.
    pub(super) pdu: Option<Pdu<'a>>,
    /// Octets of the whole message.
    pub(super) size: u32,
}

/// Reads a whole message, of which the capture cut off so many octets.
pub(super) fn read<'a>(octets: &'a [u8], cut: u32, notes: &'a Notes) -> Result<Message<'a>, Bad> {
    let mut ber = Ber::new(octets, notes).inside(0x30)?;
    let message = match ber.integer()? {
        0 => community(ber, "v1"),
        1 => community(ber, "v2c"),
        3 => version3(ber),
        _ => Err(Bad::new("version")),
    }?;
    Ok(Message { size: u32::try_from(octets.len()).unwrap_or(u32::MAX).saturating_add(cut), ..message })
}

fn community<'a>(mut ber: Ber<'a>, version: &'static str) -> Result<Message<'a>, Bad> {
    ber.tagged(0x04)?;
    let pdu = pdu(ber)?;
    Ok(Message { version, level: "community", id: pdu.id, v3: None, pdu: Some(pdu), size: 0 })
}

fn version3(mut ber: Ber<'_>) -> Result<Message<'_>, Bad> {
    let mut header = ber.inside(0x30)?;
    let id = header.integer()?;
    header.integer()?;
    let flags = *header.tagged(0x04)?.first().ok_or(Bad::new("flags"))?;
    let model = header.integer()?;
    let security = ber.tagged(0x04)?;
    let mut v3 = V3 { reportable: flags & 4 != 0, ..V3::default() };
    if model == 3 {
        usm(ber.of(security), &mut v3)?;
    }
    let level = match flags & 3 {
        0 => "noAuthNoPriv",
        1 => "authNoPriv",
        3 => "authPriv",
        _ => return Err(Bad::new("flags")),
    };
    if flags & 2 != 0 {
        match ber.tagged(0x04) {
            Err(bad) if !(bad.is_short() && ber.is_cut()) => return Err(bad),
            _ => {}
        }
        return Ok(Message { version: "v3", level, id, v3: Some(v3), pdu: None, size: 0 });
    }
    let mut scoped = ber.inside(0x30)?;
    scoped.tagged(0x04)?;
    scoped.tagged(0x04)?;
    Ok(Message { version: "v3", level, id, v3: Some(v3), pdu: Some(pdu(scoped)?), size: 0 })
}

fn usm<'a>(outer: Ber<'a>, v3: &mut V3<'a>) -> Result<(), Bad> {
    let mut outer = outer;
    let mut ber = outer.inside(0x30)?;
    v3.engine = ber.tagged(0x04)?;
    v3.boots = ber.unsigned()?;
    v3.time = ber.unsigned()?;
    v3.user = ber.tagged(0x04)?;
    if v3.engine.len() > 32 || v3.user.len() > 255 {
        return Err(Bad::new("usm"));
    }
    Ok(())
}

fn pdu(mut ber: Ber<'_>) -> Result<Pdu<'_>, Bad> {
    let tlv = ber.next()?;
    let kind = Kind::of(tlv.tag).ok_or(Bad::new("pdu"))?;
    let mut inner = ber.of(tlv.value);
    let mut pdu = Pdu { kind, id: 0, error_status: 0, trap: None, binds: Vec::new(), count: 0 };
    if kind == Kind::TrapV1 {
        let enterprise = inner.oid()?;
        inner.tagged(0x40)?;
        let (generic, specific) = (inner.unsigned()?, inner.unsigned()?);
        let uptime =
            crate::decode::ber::unsigned(inner.tagged(0x43)?).and_then(|t| u32::try_from(t).ok()).unwrap_or(u32::MAX);
        pdu.trap = Some(TrapV1 { enterprise, generic, specific, uptime });
    } else {
        pdu.id = inner.integer()?;
        // Of a GetBulk these are non-repeaters and max-repetitions.
        let (status, _) = (inner.integer()?, inner.integer()?);
        pdu.error_status = if kind == Kind::GetBulk { 0 } else { u32::try_from(status).unwrap_or(u32::MAX) };
    }
    binds(inner.inside(0x30)?, &mut pdu)?;
    Ok(pdu)
}

fn binds<'a>(mut list: Ber<'a>, pdu: &mut Pdu<'a>) -> Result<(), Bad> {
    while !list.is_empty() {
        match bind(&mut list) {
            Ok(bind) if pdu.binds.len() < MOST_BINDS => pdu.binds.push(bind),
            Ok(_) => {}
            // What the capture cut off is missing, what is there counts.
            Err(bad) if bad.is_short() && list.is_cut() => return Ok(()),
            Err(bad) => return Err(bad),
        }
        pdu.count = pdu.count.saturating_add(1);
    }
    Ok(())
}

fn bind<'a>(list: &mut Ber<'a>) -> Result<Bind<'a>, Bad> {
    let mut pair = list.inside(0x30)?;
    let oid = pair.oid()?;
    let value = pair.next()?;
    Ok(Bind { oid, tag: value.tag, value: value.value })
}
