//! How the values of X1 are written: the lexical forms of TS 103 221-1 and TS 103 280.
//!
//! A value that is written otherwise is kept as it is; the message only is marked. Real implementations do deviate (identifiers
//! that are no UUIDs, upper case).
use lidr_schema::Ip;

use super::requests;
use crate::decode::when::date_time;

/// Names of values, and what they may be.
const ENUMERATIONS: &[(&str, &[&str])] = &[
    ("oK", &["AcknowledgedAndCompleted", "Acknowledged"]),
    ("taskReportType", REPORTS),
    ("destinationReportType", REPORTS),
    ("typeOfNeIssueMessage", &["Warning", "FaultCleared", "FaultReport", "Alert"]),
    ("provisioningStatus", &["awaitingProvisioning", "failed", "complete"]),
    ("destinationDeliveryStatus", &["activeAndWorking", "deliveryFault"]),
    ("neStatus", &["OK", "Faults"]),
    ("serviceType", &["voice", "data", "messaging", "pushToTalk", "LALS", "RCS"]),
    ("callPartyRole", &["Originating", "Terminating", "Forwarded-To"]),
    ("nonLocalIdentifier", &["Local", "NonLocal"]),
];

const REPORTS: &[&str] = &[
    "AllClear",
    "Warning",
    "NonTerminatingFault",
    "TerminatingFault",
    "ImplicitDeactivation",
    "FullyActionedAndSuccessful",
    "FullyActionedAndUnsuccessful",
];

/// Whether the text of an element inside `parent` is written as the standards say.
pub(super) fn is_well_written(parent: &str, name: &str, text: &str) -> bool {
    if let Some((_, values)) = ENUMERATIONS.iter().find(|(n, _)| *n == name) {
        return values.contains(&text);
    }
    match name {
        "admfIdentifier" | "neIdentifier" => !text.is_empty(),
        "messageTimestamp" => has_micros(text) && has_zone(text),
        "StartTime" | "EndTime" => date_time(text).is_some() && has_zone(text),
        "version" => is_version(text),
        "x1TransactionId" | "xId" | "dId" => is_uuid(text),
        "LIID" => is_liid(text),
        "deliveryType" if parent == "mediationDetails" => ["HI2Only", "HI3Only", "HI2andHI3"].contains(&text),
        "deliveryType" => ["X2Only", "X3Only", "X2andX3"].contains(&text),
        "requestMessageType" => requests::named(text).is_some() || text == "ExtendedRequestMessageType",
        "errorCode" | "taskIssueErrorCode" | "destinationIssueErrorCode" | "issueCode" => text.parse::<u32>().is_ok(),
        "IPv4Address" => is_ip(text, true),
        "IPv6Address" => is_ip(text, false),
        "TCPPort" | "UDPPort" => text.parse::<u16>().is_ok(),
        "IPv4CIDR" | "IPv6CIDR" | "ipv6Cidr" => is_cidr(text),
        _ => parent != "targetIdentifier" || is_target(name, text),
    }
}

/// Whether a target is written as its kind is.
fn is_target(kind: &str, text: &str) -> bool {
    let digits =
        |least: usize, most: usize| (least..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    match kind {
        "e164Number" | "gpsiMsisdn" => digits(1, 15),
        "imsi" | "supiimsi" => digits(6, 15),
        "imei" | "peiImei" => digits(14, 14),
        "peiImeiCheckDigit" => digits(15, 15),
        "peiImeisv" => digits(16, 16),
        "macAddress" => text.split(':').count() == 6 && text.split(':').all(|o| o.len() == 2 && is_lower_hex(o)),
        "ipv4Address" => is_ip(text, true),
        // Only with all eight groups of four.
        "ipv6Address" => text.split(':').count() == 8 && text.split(':').all(|g| g.len() == 4 && is_lower_hex(g)),
        "tcpPort" | "udpPort" => text.parse::<u16>().is_ok(),
        "sipUri" => text.starts_with("sip:") || text.starts_with("sips:"),
        "telUri" => text.starts_with("tel:"),
        "gtpuTunnelId" | "gtpcTunnelId" => text.parse::<u64>().is_ok_and(|n| n <= 1 << 32),
        "radiusAttribute" | "suci" => text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit()),
        "emailAddress" => text.contains('@'),
        _ => true,
    }
}

fn is_ip(text: &str, v4: bool) -> bool {
    text.parse::<Ip>().is_ok_and(|ip| ip.is_v4() == v4)
}

fn is_cidr(text: &str) -> bool {
    let parts = text.split_once('/').and_then(|(ip, len)| Some((ip.parse::<Ip>().ok()?, len.parse::<u8>().ok()?)));
    parts.is_some_and(|(ip, len)| len <= if ip.is_v4() { 32 } else { 128 })
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// 8-4-4-4-12 hexadecimal digits in lower case; upper case is met, and against the schema.
fn is_uuid(text: &str) -> bool {
    text.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && text.split('-').all(is_lower_hex)
}

/// `v1.` and two numbers.
fn is_version(text: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let minor = text.strip_prefix("v1.").and_then(|rest| rest.split_once('.'));
    minor.is_some_and(|(a, b)| number(a) && number(b))
}

/// Up to 25 printable characters, or 26 to 50 digits of lower-case hexadecimal.
fn is_liid(text: &str) -> bool {
    match text.len() {
        1..=25 => text.bytes().all(|b| b.is_ascii_graphic()),
        26..=50 => is_lower_hex(text),
        _ => false,
    }
}

/// Exactly six digits of fraction.
fn has_micros(text: &str) -> bool {
    let fraction = text.split_once('.').map(|(_, rest)| rest.find(['Z', '+', '-']).unwrap_or(rest.len()));
    fraction == Some(6) && date_time(text).is_some()
}

fn has_zone(text: &str) -> bool {
    text.split_once('T').is_some_and(|(_, time)| time.contains(['Z', '+', '-']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_forms() {
        let good = [
            ("x1ResponseMessage", "oK", "Acknowledged"),
            ("x1RequestMessage", "messageTimestamp", "2026-11-22T11:15:00.123456+01:00"),
            ("x1RequestMessage", "version", "v1.22.1"),
            ("taskDetails", "xId", "29f28e1c-f230-486a-a860-f5a784ab9172"),
            ("mediationDetails", "LIID", "LIID-000123"),
            ("mediationDetails", "LIID", "0123456789abcdef0123456789abcdef"),
            ("mediationDetails", "deliveryType", "HI2andHI3"),
            ("targetIdentifier", "ipv6Address", "2001:0db8:0000:0000:0000:0000:0000:0001"),
            ("ipv4Cidr", "IPv4CIDR", "192.0.2.0/28"),
            ("targetIdentifier", "nai", "anything"),
        ];
        let bad = [
            ("x1ResponseMessage", "oK", "ok"),
            ("x1RequestMessage", "messageTimestamp", "2026-11-22T11:15:00.123Z"),
            ("x1RequestMessage", "messageTimestamp", "2026-11-22T11:15:00.123456"),
            ("x1RequestMessage", "messageTimestamp", "2026-11-22T99:15:00.123456Z"),
            ("x1RequestMessage", "version", "1.22.1"),
            ("taskDetails", "xId", "29F28E1C-f230-486a-a860-f5a784ab9172"),
            ("listOfDIDs", "dId", "pre-shared-did"),
            ("mediationDetails", "LIID", "an LIID"),
            ("mediationDetails", "LIID", "LIID-0123456789-0123456789"),
            ("mediationDetails", "deliveryType", "X2Only"),
            ("taskDetails", "deliveryType", "HI2Only"),
            ("targetIdentifier", "ipv6Address", "2001:db8::1"),
            ("targetIdentifier", "imsi", "00101-012"),
            ("targetIdentifier", "macAddress", "AA:00:00:00:00:01"),
            ("ipv4Cidr", "IPv4CIDR", "192.0.2.0/33"),
            ("errorInformation", "errorCode", "x"),
            ("x1ResponseMessage", "requestMessageType", "Pong"),
        ];
        for (parent, name, text) in good {
            assert!(is_well_written(parent, name, text), "{name} {text}");
        }
        for (parent, name, text) in bad {
            assert!(!is_well_written(parent, name, text), "{name} {text}");
        }
    }
}
