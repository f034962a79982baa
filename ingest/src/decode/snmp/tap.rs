//! Objects of the lawful-intercept MIBs.
//!
//! Cisco's service independent intercept (RFC 3924) and its PacketCable twin: a mediation row says where product goes and until
//! when, a stream row switches it on, a filter row of a second MIB says whose traffic. All are indexed by the content id, which
//! is the task's number; filter rows and streams by a stream index after it. Old CISCO-TAP-MIB has stream and filter in one row.
//! The content id stands in every instance's name, so an object identifier is only ever shown up to its column.
use crate::decode::ber::Oid;

const CISCO: &[u32] = &[1, 3, 6, 1, 4, 1, 9, 9];
const PKTC: &[u32] = &[1, 3, 6, 1, 4, 1, 4491, 2, 2, 9, 1, 1];

/// A lawful-intercept MIB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mib {
    Tap,
    IpTap,
    EtherTap,
    Tap2,
    UserTap,
    MobilityTap,
    VoipTap,
    PktcTap,
}

impl Mib {
    const fn of_cisco(arc: u32) -> Option<Self> {
        Some(match arc {
            252 => Self::Tap,
            394 => Self::IpTap,
            395 => Self::EtherTap,
            399 => Self::Tap2,
            400 => Self::UserTap,
            672 => Self::MobilityTap,
            716 => Self::VoipTap,
            _ => return None,
        })
    }

    /// As `mgmt.tap` says it.
    const fn name(self) -> &'static str {
        match self {
            Self::Tap => "tap",
            Self::IpTap => "ip-tap",
            Self::EtherTap => "802-tap",
            Self::Tap2 => "tap2",
            Self::UserTap => "user-connection-tap",
            Self::MobilityTap => "mobility-tap",
            Self::VoipTap => "voip-tap",
            Self::PktcTap => "pktc-es-tap",
        }
    }

    /// What its object names begin with.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Tap => "cTap",
            Self::IpTap => "citap",
            Self::EtherTap => "c802tap",
            Self::Tap2 => "cTap2",
            Self::UserTap => "cuctTap",
            Self::MobilityTap => "cmtap",
            Self::VoipTap => "cvoiptap",
            Self::PktcTap => "pktcEScTap",
        }
    }

    const fn arcs(self) -> usize {
        match self {
            Self::PktcTap => PKTC.len(),
            _ => CISCO.len() + 1,
        }
    }
}

/// What a column means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// RowStatus of a mediation row.
    MediationStatus,
    /// RowStatus of a stream row.
    StreamStatus,
    /// RowStatus of a filter row.
    FilterStatus,
    DestAddress,
    DestPort,
    Timeout,
    Transport,
    Notify,
    Enable,
    FilterDest,
    FilterDestLength,
    FilterSource,
    FilterSourceLength,
    Mac,
    Session,
    CalledKind,
    Called,
    SubscriberKind,
    Subscriber,
    Liid,
    InterceptType,
    VoipKind,
    Voip,
    /// An integer that is no secret.
    Plain,
    /// Anything else: not kept.
    Other,
}

/// A table of these MIBs: where it is, what its columns are called and mean. Columns count from 1.
struct Table {
    path: &'static [u32],
    columns: &'static [(&'static str, Column)],
}

use Column as C;

const MEDIATION: Table = Table {
    path: &[1, 1, 2, 1],
    columns: &[
        ("MediationContentId", C::Other),
        ("MediationDestAddressType", C::Plain),
        ("MediationDestAddress", C::DestAddress),
        ("MediationDestPort", C::DestPort),
        ("MediationSrcInterface", C::Plain),
        ("MediationRtcpPort", C::Plain),
        ("MediationDscp", C::Plain),
        ("MediationDataType", C::Plain),
        ("MediationRetransmitType", C::Plain),
        ("MediationTimeout", C::Timeout),
        ("MediationTransport", C::Transport),
        ("MediationNotificationEnable", C::Notify),
        ("MediationStatus", C::MediationStatus),
    ],
};

const STREAM: Table = Table {
    path: &[1, 2, 1, 1],
    columns: &[
        ("StreamIndex", C::Other),
        ("StreamType", C::Plain),
        ("StreamInterceptEnable", C::Enable),
        ("StreamInterceptedPackets", C::Plain),
        ("StreamInterceptDrops", C::Plain),
        ("StreamStatus", C::StreamStatus),
        ("StreamInterceptedHCPackets", C::Plain),
        ("StreamInterceptHCDrops", C::Plain),
    ],
};

/// Columns from 9 on are in the order in which public indexes list them.
const OLD_STREAM: Table = Table {
    path: &[1, 2, 2, 1],
    columns: &[
        ("StreamIpIndex", C::Other),
        ("StreamIpInterface", C::Plain),
        ("StreamIpAddrType", C::Plain),
        ("StreamIpDestinationAddress", C::FilterDest),
        ("StreamIpDestinationLength", C::FilterDestLength),
        ("StreamIpSourceAddress", C::FilterSource),
        ("StreamIpSourceLength", C::FilterSourceLength),
        ("StreamIpTosByte", C::Plain),
        ("StreamIpTosByteMask", C::Plain),
        ("StreamIpFlowId", C::Plain),
        ("StreamIpProtocol", C::Plain),
        ("StreamIpDestL4PortMin", C::Plain),
        ("StreamIpDestL4PortMax", C::Plain),
        ("StreamIpSourceL4PortMin", C::Plain),
        ("StreamIpSourceL4PortMax", C::Plain),
        ("StreamIpInterceptEnable", C::Enable),
        ("StreamIpInterceptedPackets", C::Plain),
        ("StreamIpInterceptDrops", C::Plain),
        ("StreamIpStatus", C::StreamStatus),
    ],
};

const IP_FILTER: Table = Table {
    path: &[1, 1, 2, 1],
    columns: &[
        ("StreamInterface", C::Plain),
        ("StreamAddrType", C::Plain),
        ("StreamDestinationAddress", C::FilterDest),
        ("StreamDestinationLength", C::FilterDestLength),
        ("StreamSourceAddress", C::FilterSource),
        ("StreamSourceLength", C::FilterSourceLength),
        ("StreamTosByte", C::Plain),
        ("StreamTosByteMask", C::Plain),
        ("StreamFlowId", C::Plain),
        ("StreamProtocol", C::Plain),
        ("StreamDestL4PortMin", C::Plain),
        ("StreamDestL4PortMax", C::Plain),
        ("StreamSourceL4PortMin", C::Plain),
        ("StreamSourceL4PortMax", C::Plain),
        ("StreamVRF", C::Other),
        ("StreamStatus", C::FilterStatus),
    ],
};

const ETHER_FILTER: Table = Table {
    path: &[1, 1, 2, 1],
    columns: &[
        ("StreamFields", C::Other),
        ("StreamInterface", C::Plain),
        ("StreamDestinationAddress", C::Mac),
        ("StreamSourceAddress", C::Mac),
        ("StreamEthernetPid", C::Plain),
        ("StreamDestinationLlcSap", C::Plain),
        ("StreamSourceLlcSap", C::Plain),
        ("StreamStatus", C::FilterStatus),
    ],
};

const USER_FILTER: Table = Table {
    path: &[1, 1, 2, 1],
    columns: &[("StreamAcctSessID", C::Session), ("StreamStatus", C::FilterStatus)],
};

const MOBILITY_FILTER: Table = Table {
    path: &[1, 1, 2, 1],
    columns: &[
        ("StreamCalledSubscriberIDType", C::CalledKind),
        ("StreamCalledSubscriberID", C::Called),
        ("StreamSubscriberIDType", C::SubscriberKind),
        ("StreamSubscriberID", C::Subscriber),
        ("StreamStorageType", C::Plain),
        ("StreamStatus", C::FilterStatus),
        ("StreamLIIdentifier", C::Liid),
        ("StreamLocationInfo", C::Other),
        ("StreamInterceptType", C::InterceptType),
    ],
};

const VOIP_FILTER: Table = Table {
    path: &[1, 1, 2, 1],
    columns: &[
        ("StreamId", C::Liid),
        ("StreamType", C::Plain),
        ("StreamMatch", C::Voip),
        ("StreamMatchType", C::VoipKind),
        ("StreamCCMediationDevice", C::Plain),
        ("StreamRowStatus", C::FilterStatus),
    ],
};

const DEBUG_USER: Table = Table {
    path: &[1, 3, 4, 1],
    columns: &[
        ("DebugUserName", C::Other),
        ("DebugUserTimeout", C::Other),
        ("DebugUserStorageType", C::Plain),
        ("DebugUserStatus", C::Plain),
    ],
};

/// Other named objects of TAP2 and its twin, none of which has the content id as its index.
const SCALARS: &[(&[u32], &str)] = &[
    (&[0, 1], "MIBActive"),
    (&[0, 2], "MediationTimedOut"),
    (&[0, 3], "MediationDebug"),
    (&[0, 4], "StreamDebug"),
    (&[0, 5], "Switchover"),
    (&[1, 1, 1], "MediationNewIndex"),
    (&[1, 1, 3], "MediationCapabilities"),
    (&[1, 3, 1], "DebugAge"),
    (&[1, 3, 2], "DebugMaxEntries"),
    (&[1, 3, 3, 1, 2], "DebugMediationId"),
    (&[1, 3, 3, 1, 3], "DebugStreamId"),
    (&[1, 3, 3, 1, 4], "DebugMessage"),
    (&[1, 3, 3, 1, 5], "DebugStatus"),
];

impl Mib {
    fn tables(self) -> &'static [Table] {
        match self {
            Self::Tap => &[MEDIATION, OLD_STREAM],
            Self::Tap2 | Self::PktcTap => &[MEDIATION, STREAM, DEBUG_USER],
            Self::IpTap => &[IP_FILTER],
            Self::EtherTap => &[ETHER_FILTER],
            Self::UserTap => &[USER_FILTER],
            Self::MobilityTap => &[MOBILITY_FILTER],
            Self::VoipTap => &[VOIP_FILTER],
        }
    }
}

/// An object under a lawful-intercept MIB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tap {
    mib: Mib,
    suffix: Option<&'static str>,
    pub(super) column: Column,
    /// Content id, where the object is indexed by it and the index is there.
    pub(super) content: Option<u32>,
}

/// Arcs of a row's identifier beyond the MIB that are looked at: group, table, entry, column, content id and stream.
const DEEPEST: usize = 8;

impl Tap {
    /// Reads an object identifier, if it is under one of these MIBs.
    pub(super) fn of(oid: Oid<'_>) -> Option<Self> {
        match oid.after(CISCO) {
            Some(mut rest) => Self::under(Mib::of_cisco(rest.next()?)?, rest),
            None => Self::under(Mib::PktcTap, oid.after(PKTC)?),
        }
    }

    fn under(mib: Mib, rest: impl Iterator<Item = u32>) -> Option<Self> {
        let mut tail = [0; DEEPEST];
        let mut length = 0;
        for (slot, arc) in tail.iter_mut().zip(rest) {
            *slot = arc;
            length += 1;
        }
        let tail = tail.get(..length)?;
        Some(Self::in_table(mib, tail).unwrap_or_else(|| Self::outside(mib, tail)))
    }

    fn in_table(mib: Mib, tail: &[u32]) -> Option<Self> {
        mib.tables().iter().find_map(|table| {
            let index = tail.strip_prefix(table.path)?;
            let (number, index) = index.split_first()?;
            let place = usize::try_from(*number).ok()?.checked_sub(1)?;
            let (suffix, column) = table.columns.get(place)?;
            Some(Self { mib, suffix: Some(suffix), column: *column, content: index.first().copied() })
        })
    }

    fn outside(mib: Mib, tail: &[u32]) -> Self {
        let named = matches!(mib, Mib::Tap2 | Mib::PktcTap | Mib::Tap);
        let found = SCALARS.iter().find(|(path, _)| named && tail.starts_with(path));
        Self { mib, suffix: found.map(|(_, suffix)| *suffix), column: Column::Other, content: None }
    }

    /// The MIB, as `mgmt.tap` says it.
    pub(super) const fn mib(self) -> &'static str {
        self.mib.name()
    }

    /// Name of the object.
    pub(super) fn object(self) -> Option<String> {
        let prefix = match (self.mib, self.suffix?) {
            (Mib::Tap2, "MIBActive" | "MediationTimedOut" | "MediationDebug" | "StreamDebug" | "Switchover") => "ciscoTap2",
            (mib, _) => mib.prefix(),
        };
        Some(format!("{prefix}{}", self.suffix?))
    }

    /// Arcs of the identifier that name the object and nothing of its instance: group, table, entry, column after the MIB.
    pub(super) const fn shown(self) -> usize {
        self.mib.arcs() + 5
    }

    /// Whether the value is an integer that is no secret.
    pub(super) const fn shows_int(self) -> bool {
        use Column as C;
        !matches!(self.column, C::Session | C::Mac | C::Other | C::FilterDest | C::FilterSource | C::Called | C::Subscriber)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::testing::hex;

    fn tap(text: &str) -> Option<Tap> {
        Tap::of(Oid::read(&hex(text)).unwrap())
    }

    #[test]
    fn objects_are_named_and_their_content_id_is_read() {
        let status = tap("2b060104010909830f010102010d8769").unwrap();
        assert_eq!((status.column, status.content, status.mib()), (Column::MediationStatus, Some(1001), "tap2"));
        assert_eq!(status.object().as_deref(), Some("cTap2MediationStatus"));
        let source = tap("2b060104010909830a0101020105876901").unwrap();
        assert_eq!((source.column, source.content), (Column::FilterSource, Some(1001)));
        assert_eq!(source.object().as_deref(), Some("citapStreamSourceAddress"));
        let trap = tap("2b060104010909830f0002").unwrap();
        assert_eq!(trap.object().as_deref(), Some("ciscoTap2MediationTimedOut"));
        let cable = tap("2b06010401a30b020209010101020101030102").unwrap();
        assert_eq!((cable.mib(), cable.column, cable.content), ("pktc-es-tap", Column::Enable, Some(1)));
    }

    #[test]
    fn the_subtree_itself_counts_and_its_neighbours_do_not() {
        assert_eq!(tap("2b060104010909830f").unwrap().object(), None);
        for near in ["2b060104010909830e", "2b0601040109098311", "2b06010401090a830f", "2b0601", ""] {
            assert_eq!(tap(near), None, "{near}");
        }
    }

    #[test]
    fn nothing_of_an_instance_is_shown() {
        let octets = hex("2b060104010909830f010102010d8769");
        let oid = Oid::read(&octets).unwrap();
        assert_eq!(oid.dotted(Tap::of(oid).unwrap().shown()), "1.3.6.1.4.1.9.9.399.1.1.2.1.13");
    }
}
