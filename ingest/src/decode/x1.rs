//! ETSI TS 103 221-1 (X1): tasking of network elements, XML over HTTP. Read where it is in clear: laboratories, decrypting proxies.
//!
//! Elements are known by namespace and local name, whatever the prefix; the message type is the `xsi:type` attribute. All request
//! types, `ErrorResponse` and `X1TopLevelErrorResponse` are read; a container may hold several messages, each gives a row. Document
//! type declarations and entities are refused, depth and size are bounded. Not read: generic objects beyond their id, extensions,
//! traffic policies. Targets, XIDs and LIIDs leave here as pseudonyms only.
mod parse;
#[cfg(test)]
mod tests;

use lidr_schema::{Kind, Name, Pseudonym, table::tasking};
pub(super) use parse::{Message, parse};

use super::{
    rows::{Mark, Rows},
    target::kind_of,
    when::date_time,
};
use crate::record::Dir;

/// The namespace of X1.
pub(super) const NAMESPACE: &str = "http://uri.etsi.org/03221/X1/2017/10";

/// What an answer was, or that there was none.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer<'a> {
    /// The messages of the response.
    Messages(&'a [Message]),
    /// The carrier refused, with that status of HTTP.
    Refused(u16),
    /// None in time.
    None,
    /// The capture ended before it could come.
    NotSeen,
}

/// Writes a row for each request message of a container.
pub(super) fn write(asked: &[(Mark, Message)], dir: Dir, answer: Answer<'_>, due: i64, rows: &mut Rows<'_>) {
    let ends = rows.ends_from(dir);
    for (i, (mark, request)) in asked.iter().enumerate() {
        let mut row = row(request, rows);
        row.actor = ends.src_ip;
        row.ne = ends.dst_ip;
        row.outcome = Name::Borrowed(match answer {
            Answer::Refused(status) => {
                row.error_code = Some(status.into());
                "refused"
            }
            Answer::None => "unanswered",
            Answer::NotSeen => "not_seen",
            Answer::Messages(all) => match found(all, request, i) {
                Some(m) if m.error => {
                    row.error_code = m.error_code;
                    "refused"
                }
                Some(m) => {
                    row.varbinds = m.entries;
                    "ok"
                }
                None => "unanswered",
            },
        });
        rows.push_between(*mark, due, ends, row);
    }
}

/// The answer of a request: the same transaction, else the same place in the container, else the error of the whole container.
fn found<'a>(all: &'a [Message], request: &Message, place: usize) -> Option<&'a Message> {
    let same = all.iter().find(|m| m.transaction.is_some() && m.transaction == request.transaction);
    same.or_else(|| all.get(place).filter(|m| m.transaction.is_none())).or_else(|| all.iter().find(|m| m.top_level))
}

fn row(m: &Message, rows: &Rows<'_>) -> tasking::Row {
    let name = |text: &Option<String>| text.clone().filter(|t| !t.is_empty()).map(Name::Owned);
    let (op, list_kind) = meaning(&m.kind);
    let target = m.targets.first();
    let kind = |element: &str| if element.ends_with("Cidr") { Kind::Prefix } else { kind_of(element) };
    tasking::Row {
        protocol: "x1".into(),
        op: op.into(),
        message: Some(Name::Owned(m.kind.clone())),
        list_kind: list_kind.map(Name::Borrowed),
        actor_name: name(&m.admf),
        ne_name: name(&m.ne),
        task: m.xid.as_deref().map(|x| pseudonym(rows, Kind::Xid, x)),
        liid: m.liid.as_deref().map(|l| pseudonym(rows, Kind::Liid, l)),
        did: (!m.dids.is_empty()).then(|| Name::Owned(m.dids.join(";"))),
        dids: u32::try_from(m.dids.len()).unwrap_or(u32::MAX),
        target_kind: target.map(|(element, _)| Name::Owned(element.clone())),
        target: target.map(|(element, value)| pseudonym(rows, kind(element), value)),
        targets: u32::try_from(m.targets.len()).unwrap_or(u32::MAX),
        prefix_len: target.and_then(|(_, value)| value.split_once('/')).and_then(|(_, len)| len.parse().ok()),
        dest_ip: m.address.as_deref().and_then(|a| a.parse().ok()),
        dest_port: m.port.as_deref().and_then(|p| p.parse().ok()),
        delivery_type: name(&m.delivery),
        enable: match op {
            "create" if list_kind.is_none() => Some(true),
            "delete" if list_kind.is_none() => Some(false),
            _ => None,
        },
        timeout: m.end_time.as_deref().and_then(date_time),
        cleartext: true,
        schema_ok: m.schema_ok,
        ..tasking::Row::default()
    }
}

fn pseudonym(rows: &Rows<'_>, kind: Kind, text: &str) -> Pseudonym {
    rows.key.pseudonym(kind, text)
}

/// What a message type asks for, and what a list covers (clause numbers: TS 103 221-1 §6.2 to §6.6).
fn meaning(kind: &str) -> (&'static str, Option<&'static str>) {
    match kind {
        "ActivateTask" => ("create", None),
        "ModifyTask" => ("change", None),
        "DeactivateTask" => ("delete", None),
        "DeactivateAllTasks" => ("delete", Some("tasks")),
        "CreateDestination" => ("destination_create", None),
        "ModifyDestination" => ("destination_change", None),
        "RemoveDestination" => ("destination_delete", None),
        "RemoveAllDestinations" => ("destination_delete", Some("destinations")),
        "GetTaskDetails" => ("get", Some("tasks")),
        "GetDestinationDetails" => ("get", Some("destinations")),
        "GetNEStatus" => ("get", Some("status")),
        "GetAllDetails" | "ListAllDetails" => ("list", Some("all")),
        "GetAllTaskDetails" => ("list", Some("tasks")),
        "GetAllDestinationDetails" => ("list", Some("destinations")),
        "GetAllGenericObjectDetails" | "ListObjectsOfType" => ("list", Some("objects")),
        "CreateObject" => ("create", Some("objects")),
        "ModifyObject" => ("change", Some("objects")),
        "GetObject" => ("get", Some("objects")),
        "DeleteObject" | "DeleteAllObjects" => ("delete", Some("objects")),
        "Ping" | "Keepalive" => ("keepalive", None),
        "ReportTaskIssue" | "ReportDestinationIssue" | "ReportNEIssue" => ("report", None),
        _ => ("get", Some("status")),
    }
}
