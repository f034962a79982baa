//! Tables of the lawful-intercept MIBs: where each is, what its columns are called and what they mean.
//!
//! Cisco's TAP (252), IP-TAP (394), 802-TAP (395), TAP2 (399), USER-CONNECTION-TAP (400), MOBILITY-TAP (672) and VOIP-TAP (716), and
//! PacketCable's ES-TAP, which has the tables of TAP2. A stream of the old TAP intercepts from its creation unless the request says
//! that it shall not (its InterceptEnable is true by default); in the later ones it is the other way round.

/// Where Cisco's are.
pub(super) const CISCO: &[u32] = &[1, 3, 6, 1, 4, 1, 9, 9];
/// Where PacketCable's is.
pub(super) const PKTC: &[u32] = &[1, 3, 6, 1, 4, 1, 4491, 2, 2, 9, 1, 1];

/// A lawful-intercept MIB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mib {
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
    pub(super) const fn of_cisco(arc: u32) -> Option<Self> {
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
    pub(super) const fn name(self) -> &'static str {
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
    pub(super) const fn prefix(self) -> &'static str {
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

    pub(super) const fn arcs(self) -> usize {
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
    /// RowStatus of a stream row that intercepts unless it is told not to.
    StreamOnStatus,
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
    /// Packets intercepted or lost.
    Counter,
    /// A content id as a value.
    Content,
    /// An integer that is no secret.
    Plain,
    /// Anything else: not kept.
    Other,
}

impl Column {
    /// Whether it is a RowStatus.
    pub(super) const fn is_status(self) -> bool {
        matches!(self, Self::MediationStatus | Self::StreamStatus | Self::StreamOnStatus | Self::FilterStatus)
    }
}

/// A table of these MIBs: where it is, what its columns are called and mean. Columns count from 1.
pub(super) struct Table {
    pub(super) path: &'static [u32],
    pub(super) columns: &'static [(&'static str, Column)],
}

use Column as C;

const MEDIATION: Table = Table {
    path: &[1, 1, 2, 1],
    columns: &[
        ("MediationContentId", C::Content),
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
        ("StreamInterceptedPackets", C::Counter),
        ("StreamInterceptDrops", C::Counter),
        ("StreamStatus", C::StreamStatus),
        ("StreamInterceptedHCPackets", C::Counter),
        ("StreamInterceptHCDrops", C::Counter),
    ],
};

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
        ("StreamIpInterceptedPackets", C::Counter),
        ("StreamIpInterceptDrops", C::Counter),
        ("StreamIpStatus", C::StreamOnStatus),
    ],
};

const OLD_ETHER_STREAM: Table = Table {
    path: &[1, 2, 3, 1],
    columns: &[
        ("Stream802Index", C::Other),
        ("Stream802Fields", C::Other),
        ("Stream802Interface", C::Plain),
        ("Stream802DestinationAddress", C::Mac),
        ("Stream802SourceAddress", C::Mac),
        ("Stream802EthernetPid", C::Plain),
        ("Stream802DestinationLlcSap", C::Plain),
        ("Stream802SourceLlcSap", C::Plain),
        ("Stream802InterceptEnable", C::Enable),
        ("Stream802InterceptedPackets", C::Counter),
        ("Stream802InterceptDrops", C::Counter),
        ("Stream802Status", C::StreamOnStatus),
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

const USER_FILTER: Table =
    Table { path: &[1, 1, 2, 1], columns: &[("StreamAcctSessID", C::Session), ("StreamStatus", C::FilterStatus)] };

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

/// An object that no table above has, none of which has the content id as its index: where, name, meaning.
pub(super) type Scalar = (&'static [u32], &'static str, Column);

const OLD_SCALARS: &[Scalar] = &[
    (&[1, 1, 1], "MediationNewIndex", C::Other),
    (&[1, 1, 3], "MediationCapabilities", C::Other),
    (&[1, 2, 1], "StreamCapabilities", C::Other),
    (&[1, 3, 1, 1, 2], "DebugMessage", C::Other),
];

/// Those of TAP2 and its twin.
const SCALARS: &[Scalar] = &[
    (&[1, 1, 1], "MediationNewIndex", C::Other),
    (&[1, 1, 3], "MediationCapabilities", C::Other),
    (&[1, 3, 1], "DebugAge", C::Other),
    (&[1, 3, 2], "DebugMaxEntries", C::Other),
    (&[1, 3, 3, 1, 2], "DebugMediationId", C::Content),
    (&[1, 3, 3, 1, 3], "DebugStreamId", C::Other),
    (&[1, 3, 3, 1, 4], "DebugMessage", C::Other),
    (&[1, 3, 3, 1, 5], "DebugStatus", C::Other),
];

/// What the notifications say of a tap's state, by their number: it works, its time is over, something is wrong (twice), the
/// element has changed over to its standby.
pub(super) const STATES: [Option<&str>; 5] = [Some("active"), Some("expired"), Some("fault"), Some("fault"), None];

impl Mib {
    /// Names of notifications, by their number.
    pub(super) const fn notifications(self) -> &'static [&'static str] {
        match self {
            Self::Tap => &["cTapMIBActive", "cTapMediationTimedOut", "cTapMediationDebug", "cTapStreamIpDebug"],
            Self::Tap2 => &[
                "ciscoTap2MIBActive",
                "ciscoTap2MediationTimedOut",
                "ciscoTap2MediationDebug",
                "ciscoTap2StreamDebug",
                "ciscoTap2Switchover",
            ],
            Self::PktcTap => &[
                "pktcESTapMibActive",
                "pktcESTapMediationTimedOut",
                "pktcESTapMediationDebug",
                "pktcESTapStreamDebug",
                "pktcESTapSwitchover",
            ],
            _ => &[],
        }
    }

    pub(super) const fn scalars(self) -> &'static [Scalar] {
        match self {
            Self::Tap => OLD_SCALARS,
            Self::Tap2 | Self::PktcTap => SCALARS,
            _ => &[],
        }
    }

    pub(super) fn tables(self) -> &'static [Table] {
        match self {
            Self::Tap => &[MEDIATION, OLD_STREAM, OLD_ETHER_STREAM],
            Self::Tap2 | Self::PktcTap => &[MEDIATION, STREAM, DEBUG_USER],
            Self::IpTap => &[IP_FILTER],
            Self::EtherTap => &[ETHER_FILTER],
            Self::UserTap => &[USER_FILTER],
            Self::MobilityTap => &[MOBILITY_FILTER],
            Self::VoipTap => &[VOIP_FILTER],
        }
    }
}
