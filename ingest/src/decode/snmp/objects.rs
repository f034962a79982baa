//! Names of well-known objects, and whose values may be kept.
//!
//! A value is kept only where the object is listed here as harmless: what switches something on, counts, or names a server or a
//! file. Keys, passwords, communities and free text are not listed, so they never leave this module.
use lidr_schema::{Ip, Name};

use super::{
    message::Bind,
    tap::{Column, Tap},
};
use crate::decode::ber::Oid;

/// Which values of an object may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    Int,
    Address,
    Text,
    Nothing,
}

use Keep::{Address, Int, Nothing, Text};

const SYSTEM: &[u32] = &[1, 3, 6, 1, 2, 1, 1];
const USM_STATS: &[u32] = &[1, 3, 6, 1, 6, 3, 15, 1, 1];
const TRAPS: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 5];
/// sysObjectID.0.
pub(super) const SYS_OBJECT_ID: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 2];
/// snmpTrapOID.0.
pub(super) const TRAP_OID: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 4, 1];

/// Objects under one prefix: the arc after it, the name, what may be kept.
type Group = (&'static [u32], &'static [(u32, &'static str, Keep)]);

const GROUPS: &[Group] = &[
    (
        SYSTEM,
        &[
            (1, "sysDescr", Nothing),
            (2, "sysObjectID", Nothing),
            (3, "sysUpTime", Int),
            (4, "sysContact", Nothing),
            (5, "sysName", Nothing),
            (6, "sysLocation", Nothing),
        ],
    ),
    (&[1, 3, 6, 1, 2, 1, 2, 2, 1], &[(7, "ifAdminStatus", Int), (8, "ifOperStatus", Int)]),
    (&[1, 3, 6, 1, 2, 1, 4], &[(1, "ipForwarding", Int), (2, "ipDefaultTTL", Int)]),
    (&[1, 3, 6, 1, 2, 1, 11], &[(30, "snmpEnableAuthenTraps", Int)]),
    (
        USM_STATS,
        &[
            (1, "usmStatsUnsupportedSecLevels", Int),
            (2, "usmStatsNotInTimeWindows", Int),
            (3, "usmStatsUnknownUserNames", Int),
            (4, "usmStatsUnknownEngineIDs", Int),
            (5, "usmStatsWrongDigests", Int),
            (6, "usmStatsDecryptionErrors", Int),
        ],
    ),
    (
        TRAPS,
        &[
            (1, "coldStart", Nothing),
            (2, "warmStart", Nothing),
            (3, "linkDown", Nothing),
            (4, "linkUp", Nothing),
            (5, "authenticationFailure", Nothing),
            (6, "egpNeighborLoss", Nothing),
        ],
    ),
    (&[1, 3, 6, 1, 6, 3, 1, 1, 4], &[(1, "snmpTrapOID", Nothing)]),
    (
        &[1, 3, 6, 1, 6, 3, 10, 2, 1],
        &[(1, "snmpEngineID", Nothing), (2, "snmpEngineBoots", Int), (3, "snmpEngineTime", Int)],
    ),
    (&[1, 3, 6, 1, 6, 3, 12, 1, 2, 1], &[(3, "snmpTargetAddrTAddress", Nothing), (9, "snmpTargetAddrRowStatus", Int)]),
    (&[1, 3, 6, 1, 6, 3, 13, 1, 1, 1], &[(5, "snmpNotifyRowStatus", Int)]),
    (
        &[1, 3, 6, 1, 6, 3, 15, 1, 2, 2, 1],
        &[
            (4, "usmUserCloneFrom", Nothing),
            (6, "usmUserAuthKeyChange", Nothing),
            (9, "usmUserPrivKeyChange", Nothing),
            (13, "usmUserStatus", Int),
        ],
    ),
    (&[1, 3, 6, 1, 6, 3, 16, 1, 2, 1], &[(3, "vacmGroupName", Nothing), (5, "vacmSecurityToGroupStatus", Int)]),
    (&[1, 3, 6, 1, 6, 3, 16, 1, 4, 1], &[(5, "vacmAccessReadViewName", Nothing), (9, "vacmAccessStatus", Int)]),
    (&[1, 3, 6, 1, 6, 3, 18, 1, 1, 1], &[(2, "snmpCommunityName", Nothing), (8, "snmpCommunityStatus", Int)]),
    (
        &[1, 3, 6, 1, 4, 1, 9, 2, 1],
        &[(50, "netConfigSet", Text), (53, "hostConfigSet", Text), (54, "writeMem", Int), (55, "writeNet", Text)],
    ),
    (&[1, 3, 6, 1, 4, 1, 9, 2, 9], &[(9, "tsMsgSend", Int)]),
    (
        &[1, 3, 6, 1, 4, 1, 9, 9, 96, 1, 1, 1, 1],
        &[
            (2, "ccCopyProtocol", Int),
            (3, "ccCopySourceFileType", Int),
            (4, "ccCopyDestFileType", Int),
            (5, "ccCopyServerAddress", Address),
            (6, "ccCopyFileName", Text),
            (7, "ccCopyUserName", Nothing),
            (8, "ccCopyUserPassword", Nothing),
            (10, "ccCopyState", Int),
            (14, "ccCopyEntryRowStatus", Int),
            (15, "ccCopyServerAddressType", Int),
            (16, "ccCopyServerAddressRev1", Address),
        ],
    ),
    (
        &[1, 3, 6, 1, 4, 1, 9, 9, 10, 1, 2, 1, 1],
        &[
            (2, "ciscoFlashCopyCommand", Int),
            (3, "ciscoFlashCopyProtocol", Int),
            (4, "ciscoFlashCopyServerAddress", Address),
            (5, "ciscoFlashCopySourceName", Text),
            (6, "ciscoFlashCopyDestinationName", Text),
            (11, "ciscoFlashCopyEntryStatus", Int),
        ],
    ),
    (&[1, 3, 6, 1, 4, 1, 9, 9, 43, 1, 1], &[(1, "ccmHistoryRunningLastChanged", Int)]),
    (&[1, 3, 6, 1, 4, 1, 9, 9, 43, 2, 0], &[(1, "ciscoConfigManEvent", Nothing)]),
];

fn known(oid: Oid<'_>) -> Option<(&'static str, Keep)> {
    // The longest prefix and the arc after it: read once, not once a group.
    let mut arcs = [0; 16];
    let read = arcs.iter_mut().zip(oid.arcs()).map(|(slot, arc)| *slot = arc).count();
    let arcs = arcs.get(..read)?;
    GROUPS.iter().find_map(|(prefix, objects)| {
        let arc = arcs.strip_prefix(*prefix)?.first()?;
        objects.iter().find(|(number, ..)| number == arc).map(|(_, name, keep)| (*name, *keep))
    })
}

/// What of one variable a row may show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) oid: Option<Name>,
    pub(super) object: Option<Name>,
    pub(super) tap: Option<&'static str>,
    /// The tap that it belongs to.
    pub(super) content: Option<u32>,
    /// What a notification says of a tap's state.
    pub(super) state: Option<&'static str>,
    pub(super) int: Option<i64>,
    pub(super) ip: Option<Ip>,
    pub(super) text: Option<Name>,
}

impl Shown {
    /// The object, without its value.
    pub(super) fn object(oid: Oid<'_>) -> Self {
        match Tap::of(oid) {
            Some(tap) => Self::of_tap(tap, oid.dotted(tap.shown())),
            None => Self {
                oid: Some(Name::Owned(oid.dotted(usize::MAX))),
                object: known(oid).map(|(name, _)| Name::Borrowed(name)),
                ..Self::default()
            },
        }
    }

    fn of_tap(tap: Tap, oid: String) -> Self {
        Self {
            oid: Some(Name::Owned(oid)),
            object: tap.object().map(Name::Owned),
            tap: Some(tap.mib()),
            content: tap.content,
            state: tap.state(),
            ..Self::default()
        }
    }

    /// The notification of a version 1 trap that is no generic one.
    pub(super) fn enterprise(enterprise: Oid<'_>, specific: u32) -> Self {
        let oid = format!("{}.0.{specific}", enterprise.dotted(usize::MAX));
        match Tap::of_trap(enterprise, specific) {
            Some(tap) => Self::of_tap(tap, oid),
            None => Self { oid: Some(Name::Owned(oid)), ..Self::default() },
        }
    }

    /// The object with its value, where that is no secret.
    pub(super) fn value(bind: &Bind<'_>) -> Self {
        let mut shown = Self::object(bind.oid);
        if let Some(tap) = Tap::of(bind.oid) {
            shown.int = bind.int().filter(|_| tap.shows_int());
            shown.ip = address(bind.value).filter(|_| tap.column == Column::DestAddress);
            return shown;
        }
        match known(bind.oid).map_or(Nothing, |(_, keep)| keep) {
            Int => shown.int = bind.int(),
            Address => shown.ip = address(bind.value),
            Text => shown.text = text(bind.value),
            Nothing => {}
        }
        shown
    }
}

/// An address as an InetAddress or IpAddress has it.
pub(super) fn address(octets: &[u8]) -> Option<Ip> {
    match octets.len() {
        4 => octets.first_chunk().map(|v4| Ip::v4(*v4)),
        16 => octets.first_chunk().map(|v6| Ip::new(*v6)),
        _ => None,
    }
}

/// Printable text of at most 255 octets.
pub(super) fn text(octets: &[u8]) -> Option<Name> {
    let octets = octets.get(..255).unwrap_or(octets);
    let text = String::from_utf8_lossy(octets);
    let clean: String = text.chars().filter(|c| !c.is_control()).collect();
    (!clean.is_empty()).then_some(Name::Owned(clean))
}

/// Name of a notification, `TRAPS` being where the generic ones are.
pub(super) fn generic_trap(generic: u32) -> Option<Shown> {
    let (number, name, _) = GROUPS.iter().find(|(p, _)| *p == TRAPS)?.1.get(usize::try_from(generic).ok()?)?;
    let oid = format!("1.3.6.1.6.3.1.1.5.{number}");
    Some(Shown { oid: Some(Name::Owned(oid)), object: Some(Name::Borrowed(name)), ..Shown::default() })
}

/// Which counter of the user-based security model a Report carries.
pub(super) fn usm_report(oid: Oid<'_>) -> Option<&'static str> {
    oid.after(USM_STATS).and_then(|_| known(oid)).map(|(name, _)| name)
}

/// Vendor by the enterprise number of a sysObjectID.
pub(super) fn vendor(oid: Oid<'_>) -> Option<&'static str> {
    Some(match oid.after(&[1, 3, 6, 1, 4, 1])?.next()? {
        9 => "Cisco",
        193 => "Ericsson",
        2011 => "Huawei",
        2636 => "Juniper",
        3902 => "ZTE",
        6527 => "Nokia",
        8072 => "Net-SNMP",
        11863 => "TP-Link",
        12356 => "Fortinet",
        14988 => "MikroTik",
        30065 => "Arista",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::testing::hex;

    fn shown(oid: &str, tag: u8, value: &[u8]) -> Shown {
        let octets = hex(oid);
        Shown::value(&Bind { oid: Oid::read(&octets).unwrap(), tag, value })
    }

    #[test]
    fn harmless_values_are_kept_and_others_are_not() {
        let copy = "2b06010401090960010101010563";
        assert_eq!(shown(copy, 0x40, &[203, 0, 113, 66]).ip, Some(Ip::v4([203, 0, 113, 66])));
        let password = shown("2b06010401090960010101010863", 4, b"hunter2");
        assert_eq!(password.object.as_deref(), Some("ccCopyUserPassword"));
        assert_eq!((password.int, password.ip, password.text), (None, None, None));
        assert_eq!(shown("2b06010201010300", 0x43, &[1]).oid, Some(Name::Borrowed("1.3.6.1.2.1.1.3.0")));
    }

    #[test]
    fn a_filter_is_not_shown_but_a_destination_is() {
        assert_eq!(shown("2b060104010909830a0101020105876901", 4, &[192, 0, 2, 1]).ip, None);
        assert_eq!(
            shown("2b060104010909830f01010201038769", 4, &[198, 51, 100, 7]).ip,
            Some(Ip::v4([198, 51, 100, 7]))
        );
    }

    #[test]
    fn every_prefix_and_the_arc_after_it_are_read() {
        assert!(GROUPS.iter().all(|(prefix, _)| prefix.len() < 16));
    }

    #[test]
    fn generic_traps_have_names() {
        assert_eq!(generic_trap(2).unwrap().object.as_deref(), Some("linkDown"));
        assert_eq!(generic_trap(6), None);
    }
}
