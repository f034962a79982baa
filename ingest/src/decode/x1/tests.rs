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

/// Elements that are TS 103 280's where they stand in an address.
const COMMON: [&str; 6] = ["address", "IPv4Address", "port", "TCPPort", "IPv4CIDR", "IPv6Address"];

fn container(prefix: &str, root: &str, kind: &str, body: &str) -> String {
    let (p, ns) = if prefix.is_empty() {
        (String::new(), "xmlns".to_owned())
    } else {
        (format!("{prefix}:"), format!("xmlns:{prefix}"))
    };
    let message = if root == "X1Request" { "x1RequestMessage" } else { "x1ResponseMessage" };
    let mut body = body.replace('<', &format!("<{p}")).replace(&format!("<{p}/"), &format!("</{p}"));
    for name in COMMON {
        body = body
            .replace(&format!("<{p}{name}>"), &format!("<c:{name}>"))
            .replace(&format!("</{p}{name}>"), &format!("</c:{name}>"));
    }
    format!(
        "<?xml version=\"1.0\"?><{p}{root} {ns}=\"{NAMESPACE}\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xmlns:c=\"http://uri.etsi.org/03280/common/2017/07\"><{p}{message} xsi:type=\"{p}{kind}\">\
         <{p}admfIdentifier>admf01</{p}admfIdentifier><{p}neIdentifier>poi-01</{p}neIdentifier>\
         <{p}messageTimestamp>2026-11-22T11:15:00.123456Z</{p}messageTimestamp><{p}version>v1.22.1</{p}version>\
         <{p}x1TransactionId>{ID}</{p}x1TransactionId>{body}</{p}{message}></{p}{root}>"
    )
}

fn post(body: &str) -> Vec<u8> {
    format!(
        "POST /X1/NE HTTP/1.1\r\nHost: ne\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

fn tasking(out: &[(lidr_schema::Head, AnyRow)]) -> Vec<&tasking::Row> {
    out.iter().filter_map(|(_, r)| if let AnyRow::Tasking(t) = r { Some(&**t) } else { None }).collect()
}

const TASK: &str = "<taskDetails><xId>29f28e1c-f230-486a-a860-f5a784ab9172</xId><targetIdentifiers><targetIdentifier><imsi>001010123456789</imsi>\
                    </targetIdentifier></targetIdentifiers><deliveryType>X2andX3</deliveryType><listOfDIDs>\
                    <dId>00000000-0000-4000-8000-0000000000d1</dId><dId>00000000-0000-4000-8000-0000000000d2</dId></listOfDIDs>\
                    <listOfMediationDetails><mediationDetails><LIID>LIID-1</LIID><deliveryType>HI2Only</deliveryType></mediationDetails>\
                    </listOfMediationDetails></taskDetails>";

#[test]
fn an_activation_with_and_without_prefix() {
    for prefix in ["", "ns1"] {
        let request = container(prefix, "X1Request", "ActivateTaskRequest", TASK);
        let answer = container(prefix, "X1Response", "ActivateTaskResponse", "<oK>AcknowledgedAndCompleted</oK>");
        let out = run(&PROTOCOL, &[src(0, post(&request)), dst(10, ok(&answer))]);
        let row = tasking(&out)[0];
        assert_eq!(
            (&*row.op, &*row.outcome, row.message.as_deref()),
            ("create", "ok", Some("ActivateTask")),
            "prefix `{prefix}`"
        );
        assert_eq!(row.task, Some(key().pseudonym(Kind::Xid, XID)));
        assert_eq!(row.target, Some(key().pseudonym(Kind::Imsi, "001010123456789")));
        assert!(row.did.as_deref().unwrap().ends_with("0000000000d1;00000000-0000-4000-8000-0000000000d2"));
        assert_eq!((row.dids, row.delivery_type.as_deref()), (2, Some("X2andX3")));
        assert_eq!(row.target_list.as_deref(), Some(&*row.target.unwrap().token()));
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
    assert_eq!(
        (&*row.op, row.dest_ip, row.dest_port),
        ("destination_change", Some(Ip::v4([203, 0, 113, 81])), Some(9000))
    );
    assert_eq!(
        (&*row.outcome, row.error_code, row.status.as_deref()),
        ("refused", Some(1040), Some("identity_mismatch"))
    );
    assert!(!row.schema_ok, "`d1` is no UUID; what it says is kept");
    assert_eq!(row.did.as_deref(), Some("d1"));
}

/// A task with that in it.
fn task(targets: &str, mediation: &str) -> String {
    let targets: String =
        targets.split_whitespace().map(|t| format!("<targetIdentifier>{t}</targetIdentifier>")).collect();
    format!(
        "<taskDetails><xId>{XID}</xId><targetIdentifiers>{targets}</targetIdentifiers><deliveryType>X3Only</deliveryType><listOfDIDs/>\
         <listOfMediationDetails>{mediation}</listOfMediationDetails></taskDetails>"
    )
}

fn activated(body: &str) -> tasking::Row {
    let request = container("x", "X1Request", "ActivateTaskRequest", body);
    tasking(&run(&PROTOCOL, &[src(0, post(&request))]))[0].clone()
}

#[test]
fn every_target_counts_once_and_a_range_of_one_is_an_address() {
    let row = activated(&task(
        "<ipv4Cidr><IPv4CIDR>192.0.2.1/32</IPv4CIDR></ipv4Cidr> <ipv4Address>192.0.2.1</ipv4Address> \
         <tcpPortList><tcpPort>80</tcpPort><tcpPort>443</tcpPort></tcpPortList> <ipv6Cidr>2001:db8::/32</ipv6Cidr>",
        "",
    ));
    let hash = |kind, text| key().pseudonym(kind, text);
    let all = [hash(Kind::Ip, "192.0.2.1"), hash(Kind::Other, "80-443"), hash(Kind::Prefix, "2001:db8::/32")];
    assert_eq!(row.target_list.as_deref(), Some(&*all.map(|p| p.token()).join(";")));
    assert_eq!((row.targets, row.target, row.prefix_len), (4, Some(all[0]), Some(32)));
    assert!(row.schema_ok, "{row:?}");
    let many = task(&"<imsi>001010123456789</imsi> ".repeat(300), "");
    assert_eq!(activated(&many).targets, 300);
}

#[test]
fn mediation_details_say_from_when_until_when_and_under_which_name() {
    let one = |liid: &str, from: &str, to: &str| {
        format!(
            "<mediationDetails><LIID>{liid}</LIID><deliveryType>HI3Only</deliveryType><StartTime>{from}</StartTime><EndTime>{to}</EndTime>\
             <listOfDIDs><dId>00000000-0000-4000-8000-0000000000d{liid}</dId></listOfDIDs></mediationDetails>"
        )
    };
    let first = one("1", "2026-11-22T11:15:00.000000Z", "2026-11-23T00:00:00.000000Z");
    let second = one("2", "2026-11-22T12:00:00.000000+01:00", "2026-12-01T00:00:00.000000Z");
    let row = activated(&task("<imsi>001010123456789</imsi>", &(first + &second)));
    let at = |text| crate::decode::when::date_time(text);
    assert_eq!((row.start, row.timeout), (at("2026-11-22T11:00:00Z"), at("2026-12-01T00:00:00Z")));
    assert_eq!((row.liid, row.dids, row.schema_ok), (Some(key().pseudonym(Kind::Liid, "1")), 2, true));
}

#[test]
fn what_breaks_the_schema_is_kept_and_marked() {
    let good = "<xId>29f28e1c-f230-486a-a860-f5a784ab9172</xId>";
    let row = |kind: &str, body: &str, change: &dyn Fn(String) -> String| {
        let request = change(container("", "X1Request", kind, body));
        tasking(&run(&PROTOCOL, &[src(0, post(&request))]))[0].clone()
    };
    assert!(row("DeactivateTaskRequest", good, &|t| t).schema_ok);
    type Change = fn(String) -> String;
    let changes: [(&str, Change); 8] = [
        ("order", |t| {
            t.replace("<version>v1.22.1</version>", "")
                .replace("</x1TransactionId>", "</x1TransactionId><version>v1.22.1</version>")
        }),
        ("missing", |t| t.replace("<neIdentifier>poi-01</neIdentifier>", "")),
        ("timestamp", |t| t.replace(".123456Z", ".123Z")),
        ("version", |t| t.replace("v1.22.1", "2.0")),
        ("transaction", |t| t.replace("3741800e-", "3741800E-")),
        ("task id", |t| t.replace("29f28e1c-f230", "29F28E1C-f230")),
        ("twice", |t| t.replace("</xId>", "</xId><xId>00000000-0000-4000-8000-000000000000</xId>")),
        ("root", |t| t.replace("</x1RequestMessage>", "</x1RequestMessage><more/>")),
    ];
    for (what, change) in changes {
        let row = row("DeactivateTaskRequest", good, &change);
        assert!(!row.schema_ok, "{what}");
        assert_eq!((&*row.op, row.task), ("delete", Some(key().pseudonym(Kind::Xid, XID))), "{what}");
    }
    let wrong = row("ActivateTaskResponse", TASK, &|t| t);
    assert_eq!((&*wrong.op, wrong.schema_ok), ("create", false), "a response where a request should be");
    let bad = TASK.replace("HI2Only", "HI4Only");
    assert!(!activated(&bad).schema_ok && activated(TASK).schema_ok, "enumerations");
}

#[test]
fn an_element_that_reports_is_the_element() {
    let body = format!(
        "<xId>{XID}</xId><taskReportType>TerminatingFault</taskReportType><taskIssueErrorCode>9030</taskIssueErrorCode>"
    );
    let request = container("", "X1Request", "ReportTaskIssueRequest", &body);
    let answer = container("", "X1Response", "ReportTaskIssueResponse", "<oK>Acknowledged</oK>");
    let out = run(&PROTOCOL, &[src(0, post(&request)), dst(9, ok(&answer))]);
    let row = tasking(&out)[0];
    assert_eq!((&*row.op, row.ne, row.actor), ("report", Ip::v4([10, 0, 0, 1]), Ip::v4([10, 0, 0, 2])));
    assert_eq!(
        (row.status.as_deref(), row.error_code, &*row.outcome, row.schema_ok),
        (Some("terminatingfault"), Some(9030), "ok", true)
    );
}

#[test]
fn messages_of_a_container_have_their_own_answers() {
    let two = |root: &str, message: &str, kinds: [(&str, &str); 2]| {
        let parts = kinds.map(|(kind, body)| {
            container("", root, kind, body).replace(ID, &format!("{:08x}-971b-4aa9-85f4-466d2b1adc7f", kind.len()))
        });
        let inside = |text: &String| {
            let from = text.find(&format!("<{message}")).unwrap();
            text[from..text.rfind(&format!("</{root}>")).unwrap()].to_owned()
        };
        let head = &parts[0][..parts[0].find(&format!("<{message}")).unwrap()];
        format!("{head}{}{}</{root}>", inside(&parts[0]), inside(&parts[1]))
    };
    let asked = two("X1Request", "x1RequestMessage", [("PingRequest", ""), ("GetNEStatusRequest", "")]);
    let status = "<neStatusDetails><neStatus>Faults</neStatus><listOfFaults/></neStatusDetails>";
    // The answers come in the other order.
    let swapped = two(
        "X1Response",
        "x1ResponseMessage",
        [("GetNEStatusResponse", status), ("PingResponse", "<oK>Acknowledged</oK>")],
    )
    .replace(&format!("{:08x}-", "GetNEStatusResponse".len()), &format!("{:08x}-", "GetNEStatusRequest".len()))
    .replace(&format!("{:08x}-", "PingResponse".len()), &format!("{:08x}-", "PingRequest".len()));
    let out = run(&PROTOCOL, &[src(0, post(&asked)), dst(9, ok(&swapped))]);
    let seen: Vec<_> =
        tasking(&out).iter().map(|r| (&*r.op, r.list_kind.as_deref(), r.status.as_deref(), r.schema_ok)).collect();
    assert_eq!(seen, [("keepalive", None, None, true), ("get", Some("status"), Some("faults"), true)]);
    let top = format!(
        "<X1TopLevelErrorResponse xmlns=\"{NAMESPACE}\"><admfIdentifier>a</admfIdentifier><neIdentifier>n</neIdentifier>\
         <messageTimestamp>2026-11-22T11:15:00.123456Z</messageTimestamp><version>v1.6.1</version></X1TopLevelErrorResponse>"
    );
    let out = run(&PROTOCOL, &[src(0, post(&asked)), dst(9, ok(&top))]);
    assert_eq!(tasking(&out).iter().map(|r| (&*r.outcome, r.schema_ok)).collect::<Vec<_>>(), [("refused", true); 2]);
}

#[test]
fn one_message_cannot_hide_behind_many() {
    let ping = container("", "X1Request", "PingRequest", "");
    let task = container("", "X1Request", "ActivateTaskRequest", TASK);
    let inside =
        |text: &str| text[text.find("<x1RequestMessage").unwrap()..text.find("</X1Request>").unwrap()].to_owned();
    let many = inside(&ping).repeat(2500);
    let body = ping.replace("</X1Request>", &format!("{many}{}</X1Request>", inside(&task)));
    let out = run(&PROTOCOL, &[src(0, post(&body))]);
    assert_eq!((tasking(&out).len(), oddities(&out)), (2502, Vec::new()));
    assert!(tasking(&out).iter().any(|r| r.op == "create"));
}

#[test]
fn extensions_keep_their_name() {
    let row = |kind: &str, body: &str| {
        let request = container("ext", "X1Request", kind, body);
        tasking(&run(&PROTOCOL, &[src(0, post(&request))]))[0].clone()
    };
    let seen = |r: &tasking::Row| (r.op.to_string(), r.message.clone().unwrap().into_owned(), r.list_kind.is_some());
    assert_eq!(seen(&row("ListOrdersRequest", "")), ("list".into(), "ListOrders".into(), true));
    assert_eq!(
        seen(&row("ActivateLocationRequest", &format!("<xId>{XID}</xId>"))),
        ("create".into(), "ActivateLocation".into(), false)
    );
    assert_eq!(
        seen(&row("ExtendedRequestMessageType", "")),
        ("unknown".into(), "ExtendedRequestMessageType".into(), false)
    );
}

#[test]
fn lists_say_how_much_was_read_and_silence_is_said() {
    let request = container("", "X1Request", "ListAllDetailsRequest", "");
    let answer = container(
        "",
        "X1Response",
        "ListAllDetailsResponse",
        "<ListOfXIDs><xId>a</xId><xId>b</xId></ListOfXIDs><ListOfDIDs><dId>c</dId></ListOfDIDs>",
    );
    let objects = container("", "X1Request", "ListObjectsOfTypeRequest", "<objectType>Q{n}t</objectType>");
    let listed = "<listOfObjects><objectId>a</objectId><objectId>b</objectId></listOfObjects>";
    let found = run(
        &PROTOCOL,
        &[src(0, post(&objects)), dst(1, ok(&container("", "X1Response", "ListObjectsOfTypeResponse", listed)))],
    );
    assert_eq!((tasking(&found)[0].varbinds, tasking(&found)[0].schema_ok), (2, true));
    let out = run(&PROTOCOL, &[src(0, post(&request)), dst(10, ok(&answer)), src(20, post(&request))]);
    let rows = tasking(&out);
    assert_eq!((&*rows[0].op, rows[0].list_kind.as_deref(), rows[0].varbinds), ("list", Some("all"), 3));
    assert_eq!(&*rows[1].outcome, "not_seen");
}

#[test]
fn every_message_type_has_a_meaning() {
    assert_eq!(requests::REQUESTS.len(), 27);
    for request in requests::REQUESTS {
        let kind = request.name;
        let body = container("", "X1Request", &format!("{kind}Request"), "");
        let out = run(&PROTOCOL, &[src(0, post(&body))]);
        let row = tasking(&out)[0];
        assert_eq!((row.message.as_deref(), &*row.op), (Some(kind), request.op));
        assert_eq!(
            row.schema_ok,
            request.body.is_empty() || request.body == "objectType?",
            "{kind}: the body is missing"
        );
    }
}

/// Messages that other programs wrote and checked against the schema, where they lie beside the workspace.
#[test]
fn published_messages_are_read_and_are_valid() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/captures/li/x1_vectors.txt");
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let all: Vec<(&str, Vec<Message>)> = text
        .split("### ")
        .filter_map(|part| part.split_once('\n'))
        .map(|(name, body)| (name.trim(), parse(body.trim().as_bytes()).unwrap().unwrap()))
        .collect();
    let seen: Vec<_> = all.iter().map(|(name, m)| (*name, m.len(), m[0].schema_ok)).collect();
    let names = [
        "CreateDestinationRequest",
        "ActivateTaskRequest",
        "DeactivateTaskRequest",
        "DeactivateAllTasksRequest",
        "ListAllDetailsRequest",
        "ListAllDetailsResponse",
        "KeepaliveRequest",
        "ErrorResponse",
        "ReportTaskIssueRequest",
    ];
    assert_eq!(seen, names.map(|n| (n, 1, true)));
    let task = &all[1].1[0];
    assert_eq!((task.target_count, task.liid.as_deref()), (2, Some("LIID-000123")));
    assert_eq!((all[5].1[0].entries, all[7].1[0].error_code), (2, Some(1040)));
    for (name, message) in &all {
        let asked = if name.ends_with("Request") { tasking_of(message) } else { continue };
        assert_eq!(asked.message.as_deref(), name.strip_suffix("Request"));
    }
}

fn tasking_of(messages: &[Message]) -> tasking::Row {
    let (key, sensor) = (key(), lidr_schema::Name::default());
    let (mut ordinals, mut out) = (crate::decode::Ordinals::default(), Vec::new());
    let ends = crate::decode::testing::ends(&PROTOCOL);
    let rows = Rows {
        decoder: "x1",
        trust: "clear",
        ends,
        configured: None,
        closed: false,
        sensor: &sensor,
        vlan: None,
        outer: None,
        captures: &[],
        layer_bits: 0,
        key: &key,
        ordinals: &mut ordinals,
        out: &mut out,
    };
    row(&messages[0], &rows)
}

#[test]
fn bombs_and_entities_are_refused_and_said() {
    let bomb = format!("<!DOCTYPE x [<!ENTITY a \"aaaa\">]><X1Request xmlns=\"{NAMESPACE}\">&a;</X1Request>");
    let external = format!("<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><X1Request xmlns=\"{NAMESPACE}\"/>");
    let entity = format!("<X1Request xmlns=\"{NAMESPACE}\">&unknown;</X1Request>");
    let deep = format!("<X1Request xmlns=\"{NAMESPACE}\">{}", "<a>".repeat(1000));
    let empty = format!("<X1Request xmlns=\"{NAMESPACE}\"/>");
    for body in [bomb, external, entity, deep, empty] {
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
