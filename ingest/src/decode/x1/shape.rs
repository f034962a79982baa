//! Which elements stand in which, and in what order (the XML schema of TS 103 221-1 V1.22.1).
//!
//! Earlier versions have fewer optional elements, so that their messages pass too. Not checked: what stands in extensions, in
//! generic objects, in hashed identifiers and in traffic policies.

/// Children of an element in their order, parted by blanks: `?` at most one, `*` any number, `+` one or more, else exactly one;
/// `a|b` is either.
const SHAPES: &[(&str, &str)] = &[
    ("X1Request", "x1RequestMessage+"),
    ("X1Response", "x1ResponseMessage+"),
    ("X1TopLevelErrorResponse", "admfIdentifier neIdentifier messageTimestamp version"),
    (
        "taskDetails",
        "xId targetIdentifiers deliveryType listOfDIDs listOfMediationDetails? correlationID? implicitDeactivationAllowed? \
         productID? listOfServiceTypes? taskDetailsExtensions* listOfTrafficPolicyReferences?",
    ),
    ("targetIdentifiers", "targetIdentifier+"),
    (
        "targetIdentifier",
        "e164Number|imsi|imei|macAddress|ipv4Address|ipv6Address|ipv4Cidr|ipv6Cidr|tcpPort|tcpPortRange|tcpPortList|udpPort|\
         udpPortRange|udpPortList|emailAddress|internationalizedEmailAddress|sipUri|telUri|h323Uri|impu|impi|nai|\
         radiusAttribute|gtpuTunnelId|gtpcTunnelId|callPartyRole|nonLocalIdentifier|supiimsi|supinai|suci|peiImei|\
         peiImeiCheckDigit|peiImeisv|gpsiMsisdn|gpsiNai|eui64|serviceAccessIdentifier|hashedIdentifier|\
         targetIdentifierExtension|vrf",
    ),
    ("tcpPortRange", "start end"),
    ("udpPortRange", "start end"),
    ("tcpPortList", "tcpPort+"),
    ("udpPortList", "udpPort+"),
    ("ipv4Cidr", "IPv4CIDR|IPv6CIDR"),
    ("listOfDIDs", "dId|dSId*"),
    ("listOfMediationDetails", "mediationDetails*"),
    (
        "mediationDetails",
        "LIID deliveryType StartTime? EndTime? listOfDIDs? mediationDetailsExtensions* serviceScopingOptions? \
         listOfTrafficPolicyReferences?",
    ),
    ("listOfServiceTypes", "serviceType*"),
    ("listOfTrafficPolicyReferences", "trafficPolicyReference*"),
    ("destinationDetails", "dId friendlyName? deliveryType deliveryAddress destinationDetailsExtensions*"),
    ("deliveryAddress", "ipAddressAndPort|e164Number|uri|emailAddress"),
    ("ipAddressAndPort", "address port"),
    ("address", "IPv4Address|IPv6Address"),
    ("port", "TCPPort|UDPPort"),
    ("listOfTaskResponseDetails", "taskResponseDetails*"),
    ("taskResponseDetails", "taskDetails taskStatus"),
    (
        "taskStatus",
        "provisioningStatus listOfFaults timeOfLastIntercept? amountOfX2Data? amountOfX3Data? timeOfLastModification? \
         numberOfModifications? taskStatusExtensions*",
    ),
    ("listOfFaults", "unresolvedFault*"),
    ("unresolvedFault", "errorCode errorDescription"),
    ("listOfDestinationResponseDetails", "destinationResponseDetails*"),
    ("destinationResponseDetails", "destinationDetails destinationStatus"),
    ("neStatusDetails", "neStatus listOfFaults"),
    ("ListOfXIDs", "xId*"),
    ("ListOfDIDs", "dId*"),
    ("listOfObjects", "objectId*"),
    ("errorInformation", "errorCode errorDescription"),
];

/// Elements whose insides the schema leaves to others.
const FREE: &[&str] = &[
    "createObject",
    "modifyObject",
    "genericObjectResponseDetails",
    "listOfGenericObjectResponseDetails",
    "hashedIdentifier",
    "serviceScopingOptions",
    "trafficPolicyReference",
    "extensionInformation",
    "destinationStatus",
];

/// Elements whose children stand in the namespace of TS 103 280.
const COMMON: &[&str] = &["ipAddressAndPort", "address", "port", "ipv4Cidr", "tcpPortRange", "udpPortRange"];

/// Whether the insides of an element are not checked.
pub(super) fn is_free(name: &str) -> bool {
    FREE.contains(&name) || name.ends_with("Extension") || name.ends_with("Extensions")
}

/// Whether the children of an element belong to TS 103 280.
pub(super) fn has_common(parent: &str) -> bool {
    COMMON.contains(&parent)
}

/// What may still come inside an element.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    parts: Vec<&'static str>,
    /// The part that may take the next child.
    at: usize,
    /// Children that it has taken.
    seen: u32,
}

impl Shape {
    /// The shape of an element, where the schema gives it one.
    pub(super) fn of(name: &str) -> Option<Self> {
        SHAPES.iter().find(|(n, _)| *n == name).map(|(_, children)| Self::new(children))
    }

    /// The shape of a message with that body.
    pub(super) fn message(body: &'static str) -> Self {
        let mut shape = Self::new("admfIdentifier neIdentifier messageTimestamp version x1TransactionId");
        shape.parts.extend(body.split_whitespace());
        shape
    }

    fn new(children: &'static str) -> Self {
        Self { parts: children.split_whitespace().collect(), at: 0, seen: 0 }
    }

    /// The part at hand: its names, whether it may be missing, whether it may be repeated.
    fn part(&self) -> Option<(&'static str, bool, bool)> {
        let part = *self.parts.get(self.at)?;
        let names = part.trim_end_matches(['?', '*', '+']);
        Some((names, part.ends_with(['?', '*']), part.ends_with(['*', '+'])))
    }

    /// A child; false where it may not stand.
    pub(super) fn child(&mut self, name: &str) -> bool {
        while let Some((names, optional, many)) = self.part() {
            if (many || self.seen == 0) && names.split('|').any(|n| n == name) {
                self.seen += 1;
                return true;
            }
            if !optional && self.seen == 0 {
                return false;
            }
            (self.at, self.seen) = (self.at + 1, 0);
        }
        false
    }

    /// Whether nothing is missing at the end.
    pub(super) fn is_whole(&self) -> bool {
        let missing = |part: &&&str| !part.ends_with(['?', '*']);
        let from = self.at + usize::from(self.seen > 0);
        self.parts.get(from..).unwrap_or_default().iter().find(missing).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(shape: &str, children: &str) -> bool {
        let mut shape = Shape::of(shape).unwrap();
        children.split_whitespace().all(|c| shape.child(c)) && shape.is_whole()
    }

    #[test]
    fn order_number_and_choice_count() {
        assert!(holds(
            "mediationDetails",
            "LIID deliveryType EndTime mediationDetailsExtensions mediationDetailsExtensions"
        ));
        assert!(!holds("mediationDetails", "LIID deliveryType EndTime StartTime"), "order");
        assert!(!holds("mediationDetails", "LIID"), "the last is missing");
        assert!(!holds("mediationDetails", "deliveryType"), "the first is missing");
        assert!(!holds("mediationDetails", "LIID LIID deliveryType"), "one too many");
        assert!(holds("listOfDIDs", "") && holds("listOfDIDs", "dId dSId dId"));
        assert!(
            holds("address", "IPv6Address") && !holds("address", "IPv4Address IPv6Address") && !holds("address", "")
        );
        assert!(!holds("targetIdentifiers", "") && !holds("targetIdentifiers", "imsi"));
    }

    #[test]
    fn messages_have_a_head_and_a_body() {
        let mut ping = Shape::message("");
        assert!(["admfIdentifier", "neIdentifier", "messageTimestamp", "version"].iter().all(|c| ping.child(c)));
        assert!(!ping.is_whole() && ping.child("x1TransactionId") && ping.is_whole() && !ping.child("oK"));
    }
}
