//! Containers of every kind, over the HTTP that carries them.
use lidr_schema::{AnyRow, Ip, Kind};
use proptest::prelude::*;

use super::*;
use crate::decode::{
    http::PROTOCOL,
    testing::{dst, key, oddities, run, src},
};

const ID: &str = "3741800e-971b-4aa9-85f4-466d2b1adc7f";
const XID: &str = "29f28e1c-f230-486a-a860-f5a784ab9172";

fn container(prefix: &str, root: &str, kind: &str, body: &str) -> String {
    let (p, ns) = if prefix.is_empty() { (String::new(), "xmlns".to_owned()) } else { (format!("{prefix}:"), format!("xmlns:{prefix}")) };
    let message = if root == "X1Request" { "x1RequestMessage" } else { "x1ResponseMessage" };
    let body = body.replace('<', &format!("<{p}")).replace(&format!("<{p}/"), &format!("</{p}"));
    format!(
        "<?xml version=\"1.0\"?><{p}{root} {ns}=\"{NAMESPACE}\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><{p}{message} \
         xsi:type=\"{p}{kind}\"><{p}admfIdentifier>admf01</{p}admfIdentifier><{p}neIdentifier>poi-01</{p}neIdentifier>\
         <{p}x1TransactionId>{ID}</{p}x1TransactionId>{body}</{p}{message}></{p}{root}>"
    )
}

fn post(body: &str) -> Vec<u8> {
    format!("POST /X1/NE HTTP/1.1\r\nHost: ne\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn tasking(out: &[(lidr_schema::Head, AnyRow)]) -> Vec<&tasking::Row> {
    out.iter().filter_map(|(_, r)| if let AnyRow::Tasking(t) = r { Some(&**t) } else { None }).collect()
}

const TASK: &str = "<taskDetails><xId>29F28E1C-f230-486a-a860-f5a784ab9172</xId><targetIdentifiers><targetIdentifier><imsi>001010123456789</imsi>\
                    </targetIdentifier></targetIdentifiers><deliveryType>X2andX3</deliveryType><listOfDIDs><dId>d1</dId><dId>d2</dId></listOfDIDs>\
                    <listOfMediationDetails><mediationDetails><LIID>LIID-1</LIID><deliveryType>HI2Only</deliveryType></mediationDetails>\
                    </listOfMediationDetails></taskDetails>";

#[test]
fn an_activation_with_and_without_prefix() {
    for prefix in ["", "ns1"] {
        let request = container(prefix, "X1Request", "ActivateTaskRequest", TASK);
        let answer = container(prefix, "X1Response", "ActivateTaskResponse", "<oK>AcknowledgedAndCompleted</oK>");
        let out = run(&PROTOCOL, &[src(0, post(&request)), dst(10, ok(&answer))]);
        let row = tasking(&out)[0];
        assert_eq!((&*row.op, &*row.outcome, row.message.as_deref()), ("create", "ok", Some("ActivateTask")), "prefix `{prefix}`");
        assert_eq!(row.task, Some(key().pseudonym(Kind::Xid, XID)));
        assert_eq!(row.target, Some(key().pseudonym(Kind::Imsi, "001010123456789")));
        assert_eq!((row.did.as_deref(), row.dids, row.delivery_type.as_deref()), (Some("d1;d2"), 2, Some("X2andX3")));
        assert_eq!((row.actor, row.ne, row.schema_ok), (Ip::v4([10, 0, 0, 1]), Ip::v4([10, 0, 0, 2]), true));
        assert!(!format!("{out:?}").contains("001010123456789"), "no target in clear");
    }
}

#[test]
fn a_destination_is_changed_and_a_refusal_has_its_code() {
    let body = "<destinationDetails><dId>d1</dId><deliveryAddress><ipAddressAndPort><address><IPv4Address>203.0.113.81</IPv4Address></address>\
                <port><TCPPort>9000</TCPPort></port></ipAddressAndPort></deliveryAddress></destinationDetails>";
    let request = container("", "X1Request", "ModifyDestinationRequest", body);
    let refusal = "<requestMessageType>ModifyDestination</requestMessageType><errorInformation><errorCode>1040</errorCode>\
                   <errorDescription>no</errorDescription></errorInformation>";
    let answer = container("", "X1Response", "ErrorResponse", refusal);
    let out = run(&PROTOCOL, &[src(0, post(&request)), dst(10, ok(&answer))]);
    let row = tasking(&out)[0];
    assert_eq!((&*row.op, row.dest_ip, row.dest_port), ("destination_change", Some(Ip::v4([203, 0, 113, 81])), Some(9000)));
    assert_eq!((&*row.outcome, row.error_code), ("refused", Some(1040)));
}

#[test]
fn lists_say_how_much_was_read_and_silence_is_said() {
    let request = container("", "X1Request", "ListAllDetailsRequest", "");
    let answer = container("", "X1Response", "ListAllDetailsResponse", "<ListOfXIDs><xId>a</xId><xId>b</xId></ListOfXIDs><ListOfDIDs><dId>c</dId></ListOfDIDs>");
    let out = run(&PROTOCOL, &[src(0, post(&request)), dst(10, ok(&answer)), src(20, post(&request))]);
    let rows = tasking(&out);
    assert_eq!((&*rows[0].op, rows[0].list_kind.as_deref(), rows[0].varbinds), ("list", Some("all"), 3));
    assert_eq!(&*rows[1].outcome, "not_seen");
}

#[test]
fn every_message_type_has_a_meaning() {
    let types = [
        "ActivateTask", "ModifyTask", "DeactivateTask", "DeactivateAllTasks", "GetTaskDetails", "CreateDestination", "ModifyDestination",
        "RemoveDestination", "RemoveAllDestinations", "GetDestinationDetails", "GetNEStatus", "GetAllDetails", "GetAllTaskDetails",
        "GetAllDestinationDetails", "GetAllGenericObjectDetails", "ListAllDetails", "ReportTaskIssue", "ReportDestinationIssue",
        "ReportNEIssue", "Ping", "Keepalive", "CreateObject", "ModifyObject", "GetObject", "DeleteObject", "ListObjectsOfType", "DeleteAllObjects",
    ];
    for kind in types {
        let request = container("", "X1Request", &format!("{kind}Request"), "");
        let out = run(&PROTOCOL, &[src(0, post(&request))]);
        assert_eq!(tasking(&out)[0].message.as_deref(), Some(kind));
    }
}

#[test]
fn bombs_and_entities_are_refused_and_said() {
    let bomb = format!("<!DOCTYPE x [<!ENTITY a \"aaaa\">]><X1Request xmlns=\"{NAMESPACE}\">&a;</X1Request>");
    let external = format!("<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><X1Request xmlns=\"{NAMESPACE}\"/>");
    let entity = format!("<X1Request xmlns=\"{NAMESPACE}\">&unknown;</X1Request>");
    let deep = format!("<X1Request xmlns=\"{NAMESPACE}\">{}", "<a>".repeat(1000));
    for body in [bomb, external, entity, deep] {
        let out = run(&PROTOCOL, &[src(0, post(&body))]);
        assert!(tasking(&out).is_empty() && !oddities(&out).is_empty(), "{body:.60}");
    }
}

#[test]
fn every_truncation_is_no_row_or_an_oddity() {
    let request = container("ns1", "X1Request", "ActivateTaskRequest", TASK);
    for len in 0..request.len() {
        let out = run(&PROTOCOL, &[src(0, post(&request[..len]))]);
        assert!(tasking(&out).is_empty(), "a row from {len} octets");
    }
}

proptest! {
    #[test]
    fn no_change_does_harm(at in 0_usize..2000, value in 32_u8..127) {
        let mut octets = container("", "X1Request", "ActivateTaskRequest", TASK).into_bytes();
        let at = at % octets.len();
        octets[at] = value;
        let text = String::from_utf8_lossy(&octets).into_owned();
        run(&PROTOCOL, &[src(0, post(&text))]);
    }
}
