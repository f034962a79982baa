//! Warrants and tasks in XML and JSON, over the HTTP that carries them.
use lidr_schema::{AnyRow, Head, Ip};
use proptest::prelude::*;

use super::*;
use crate::decode::{
    http::PROTOCOL,
    testing::{dst, key, oddities, run, src, tasking},
};

const CORE: &str = "http://uri.etsi.org/03120/common/2019/10/Core";

fn message(payload: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><HI1Message xmlns=\"{CORE}\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xmlns:auth=\"http://uri.etsi.org/03120/common/2020/09/Authorisation\" xmlns:task=\"http://uri.etsi.org/03120/common/2020/09/Task\">\
         <Header><SenderIdentifier><CountryCode>XX</CountryCode><UniqueIdentifier>agency-a</UniqueIdentifier></SenderIdentifier>\
         <ReceiverIdentifier><CountryCode>XX</CountryCode><UniqueIdentifier>carrier</UniqueIdentifier></ReceiverIdentifier></Header>\
         <Payload>{payload}</Payload></HI1Message>"
    )
}

fn requests() -> String {
    message(
        "<RequestPayload><ActionRequests><ActionRequest><ActionIdentifier>0</ActionIdentifier><CREATE><HI1Object xsi:type=\"auth:AuthorisationObject\">\
         <ObjectIdentifier>7dbbc880-8750-4d3c-abe7-ea4a17646045</ObjectIdentifier><auth:AuthorisationReference>W000001</auth:AuthorisationReference>\
         <auth:AuthorisationStatus><Name>Approved</Name></auth:AuthorisationStatus><auth:AuthorisationTimespan><auth:StartTime>2026-11-01T00:00:00Z</auth:StartTime>\
         <auth:EndTime>2026-12-01T00:00:00Z</auth:EndTime></auth:AuthorisationTimespan></HI1Object></CREATE></ActionRequest>\
         <ActionRequest><ActionIdentifier>1</ActionIdentifier><CREATE><HI1Object xsi:type=\"task:LITaskObject\"><task:Reference>LIID1</task:Reference>\
         <task:TargetIdentifier><task:TargetIdentifierValues><task:TargetIdentifierValue><task:FormatType><task:FormatOwner>ETSI</task:FormatOwner>\
         <task:FormatName>IMSI</task:FormatName></task:FormatType><task:Value>001010123456789</task:Value></task:TargetIdentifierValue></task:TargetIdentifierValues>\
         </task:TargetIdentifier><task:DeliveryDetails><task:DeliveryDestination><task:DeliveryAddress><task:IPAddressPort><address><IPv4Address>192.0.2.10</IPv4Address>\
         </address><port><TCPPort>30001</TCPPort></port></task:IPAddressPort></task:DeliveryAddress></task:DeliveryDestination></task:DeliveryDetails>\
         </HI1Object></CREATE></ActionRequest></ActionRequests></RequestPayload>",
    )
}

fn post(body: &str) -> Vec<u8> {
    format!("POST /hi1 HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn rows(out: &[(Head, AnyRow)]) -> Vec<tasking::Row> {
    tasking(out).into_iter().map(|(_, row)| row).collect()
}

#[test]
fn a_warrant_and_its_task_are_two_rows() {
    let answer = message(
        "<ResponsePayload><ActionResponses><ActionResponse><ActionIdentifier>0</ActionIdentifier><CREATEResponse/></ActionResponse>\
         <ActionResponse><ActionIdentifier>1</ActionIdentifier><ErrorInformation><ErrorCode>3012</ErrorCode></ErrorInformation></ActionResponse>\
         </ActionResponses></ResponsePayload>",
    );
    let out = run(&PROTOCOL, &[src(0, post(&requests())), dst(10, ok(&answer))]);
    let all = rows(&out);
    let [order, task] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(
        (&*order.protocol, &*order.op, &*order.outcome, order.status.as_deref()),
        ("hi1", "order_create", "ok", Some("approved"))
    );
    assert_eq!(order.order_id, Some(key().pseudonym(Kind::Order, "W000001")));
    assert_eq!((order.start, order.timeout), (date_time("2026-11-01T00:00:00Z"), date_time("2026-12-01T00:00:00Z")));
    assert_eq!((&*task.op, &*task.outcome, task.error_code), ("create", "refused", Some(3012)));
    assert_eq!(
        (task.liid, task.target),
        (Some(key().pseudonym(Kind::Liid, "LIID1")), Some(key().pseudonym(Kind::Imsi, "001010123456789")))
    );
    assert_eq!((task.dest_ip, task.dest_port), (Some(Ip::v4([192, 0, 2, 10])), Some(30_001)));
    assert_eq!((task.actor_name.as_deref(), task.ne_name.as_deref()), (Some("agency-a"), Some("carrier")));
    let shown = format!("{out:?}");
    assert!(
        !shown.contains("001010123456789") && !shown.contains("W000001") && !shown.contains("LIID1"),
        "nothing in clear"
    );
}

#[test]
fn the_same_in_json() {
    let body = format!(
        "{{\"@xmlns\":\"{CORE}\",\"Header\":{{\"SenderIdentifier\":{{\"UniqueIdentifier\":\"agency-a\"}}}},\"Payload\":{{\"RequestPayload\":{{\"ActionRequests\":\
         {{\"ActionRequest\":[{{\"ActionIdentifier\":0,\"UPDATE\":{{\"HI1Object\":{{\"@xsi:type\":\"{{http://uri.etsi.org/03120/common/2020/09/Task}}LITaskObject\",\
         \"task:Reference\":\"LIID1\",\"task:DesiredStatus\":{{\"common:Name\":\"Cancelled\"}}}}}}}},{{\"ActionIdentifier\":1,\"LIST\":{{\"ObjectType\":\"AuthorisationObject\"}}}}]}}}}}}}}"
    );
    let all = rows(&run(&PROTOCOL, &[src(0, post(&body))]));
    let said: Vec<_> = all.iter().map(|r| (r.op.as_ref(), r.list_kind.as_deref(), r.status.as_deref())).collect();
    assert_eq!(said, [("delete", None, Some("cancelled")), ("list", Some("orders"), None)]);
    assert_eq!(all[0].liid, Some(key().pseudonym(Kind::Liid, "LIID1")));
}

#[test]
fn an_error_of_the_whole_message_refuses_all_of_it() {
    let answer =
        message("<ResponsePayload><ErrorInformation><ErrorCode>2001</ErrorCode></ErrorInformation></ResponsePayload>");
    let all = rows(&run(&PROTOCOL, &[src(0, post(&requests())), dst(10, ok(&answer))]));
    assert_eq!(
        all.iter().map(|r| (r.outcome.as_ref(), r.error_code)).collect::<Vec<_>>(),
        [("refused", Some(2001)); 2]
    );
}

#[test]
fn bombs_are_refused_and_said() {
    let deep = message(&"<a>".repeat(200));
    let dtd = format!("<!DOCTYPE x [<!ENTITY a \"aa\">]>{}", requests());
    let many = message(&"<a/>".repeat(30_000));
    let json = format!("{{\"HI1Message\":{{\"@xmlns\":\"{CORE}\",\"Payload\":");
    for body in [deep, dtd, many, json] {
        let out = run(&PROTOCOL, &[src(0, post(&body))]);
        assert_eq!((rows(&out).len(), oddities(&out)), (0, vec!["malformed".to_owned()]), "{:.80}", body);
    }
}

#[test]
fn every_truncation_is_no_row_and_an_oddity() {
    let body = requests();
    let from = body.find("<Header").unwrap();
    for len in from..body.len() {
        let out = run(&PROTOCOL, &[src(0, post(&body[..len]))]);
        assert_eq!((rows(&out).len(), oddities(&out).len()), (0, 1), "cut to {len}");
    }
}

proptest! {
    #[test]
    fn no_change_does_harm(at in 0_usize..4000, value in 32_u8..127) {
        let mut octets = requests().into_bytes();
        let at = at % octets.len();
        octets[at] = value;
        run(&PROTOCOL, &[src(0, post(&String::from_utf8_lossy(&octets)))]);
    }
}
