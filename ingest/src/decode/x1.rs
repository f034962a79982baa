//! ETSI TS 103 221-1 (X1): tasking of network elements, XML over HTTP. Read where it is in clear: laboratories, decrypting proxies.
//!
//! Elements are known by local name, whatever the prefix, and checked against namespace, order and form (`schema_ok`); the message
//! type is the `xsi:type` attribute. All 27 request types, extensions (by their verb), `ErrorResponse` and
//! `X1TopLevelErrorResponse` are read; a container may hold several messages, each gives a row. Either side may ask: an element
//! that reports has the element as `ne` and the receiver as `actor`; with everything else, keepalives of elements included, who
//! asks is the `actor`. A refusal for reasons of identity (error codes 1030, 1040, 1050, 1060) has the status `identity_mismatch`.
//! Inside TLS only the handshake is there to be seen: see [`encrypted`].
//!
//! Document type declarations and entities are refused, depth and size are bounded. Of lists and details that come back only the
//! number of entries is kept. Not read: generic objects beyond their id, extensions, traffic policies, responses whose request was
//! not seen. Targets, XIDs and LIIDs leave here as pseudonyms only.
mod leaf;
mod parse;
mod requests;
mod shape;
#[cfg(test)]
mod tests;

use lidr_schema::{Ends, Ip, Kind, Name, Pseudonym, table::tasking};
pub(super) use parse::{Message, parse};

use super::{
    rows::{Mark, Rows},
    target::{self, kind_of},
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
        (row.actor, row.ne) = if row.op == "report" { (ends.dst_ip, ends.src_ip) } else { (ends.src_ip, ends.dst_ip) };
        row.outcome = Name::Borrowed(match answer {
            Answer::Refused(status) => {
                row.error_code = Some(status.into());
                "refused"
            }
            Answer::None => "unanswered",
            Answer::NotSeen => "not_seen",
            Answer::Messages(all) => found(all, request, i).map_or("unanswered", |m| answered(&mut row, m)),
        });
        rows.push_between(*mark, due, ends, row);
    }
}

/// Adds what the answer says, and names the outcome.
fn answered(row: &mut tasking::Row, answer: &Message) -> &'static str {
    row.schema_ok &= answer.schema_ok;
    if answer.error {
        row.error_code = answer.error_code;
        if matches!(answer.error_code, Some(1030 | 1040 | 1050 | 1060)) {
            row.status = Some(Name::Borrowed("identity_mismatch"));
        }
        return "refused";
    }
    row.varbinds = answer.entries;
    if row.op == "get" {
        row.status = answer.status.as_deref().map(|s| Name::Owned(s.to_lowercase()));
    }
    "ok"
}

/// The row of a TLS handshake on a port that is X1's: somebody opened it to ask something. `ends.src` is the client.
pub(super) fn encrypted(ends: Ends, outcome: &Name) -> tasking::Row {
    tasking::Row {
        protocol: "x1".into(),
        op: "unknown".into(),
        actor: ends.src_ip,
        ne: ends.dst_ip,
        outcome: outcome.clone(),
        schema_ok: true,
        ..tasking::Row::default()
    }
}

/// The answer of a request: the same transaction, else the same place and type in the container, else the error of the whole
/// container.
fn found<'a>(all: &'a [Message], request: &Message, place: usize) -> Option<&'a Message> {
    let same = all.iter().find(|m| m.transaction.is_some() && m.transaction == request.transaction);
    let there = || all.get(place).filter(|m| m.transaction.is_none() || m.kind == request.kind);
    same.or_else(there).or_else(|| all.iter().find(|m| m.top_level))
}

fn row(m: &Message, rows: &Rows<'_>) -> tasking::Row {
    let name = |text: &Option<String>| text.clone().filter(|t| !t.is_empty()).map(Name::Owned);
    let (op, list_kind) = meaning(m);
    let hashed = |(element, value): &(String, String)| {
        let (kind, text, _) = target_of(element, value);
        rows.key.pseudonym(kind, &text)
    };
    let first = m.targets.first();
    tasking::Row {
        protocol: "x1".into(),
        op: op.into(),
        message: name(&Some(m.kind.clone())),
        list_kind: list_kind.map(Name::Borrowed),
        actor_name: name(&m.admf),
        ne_name: name(&m.ne),
        task: m.xid.as_deref().map(|x| pseudonym(rows, Kind::Xid, x)),
        liid: m.liid.as_deref().map(|l| pseudonym(rows, Kind::Liid, l)),
        did: (!m.dids.is_empty()).then(|| Name::Owned(m.dids.join(";"))),
        dids: u32::try_from(m.dids.len()).unwrap_or(u32::MAX),
        target_kind: first.map(|(element, _)| Name::Owned(element.clone())),
        target: first.map(hashed),
        target_list: target::list(m.targets.iter().map(hashed)),
        targets: m.target_count,
        prefix_len: first.and_then(|(element, value)| target_of(element, value).2),
        dest_ip: m.address.as_deref().and_then(|a| a.parse().ok()),
        dest_port: m.port.as_deref().and_then(|p| p.parse().ok()),
        delivery_type: name(&m.delivery),
        enable: match op {
            "create" if list_kind.is_none() => Some(true),
            "delete" if list_kind.is_none() => Some(false),
            _ => None,
        },
        start: m.start,
        timeout: m.end,
        error_code: m.error_code,
        status: m.status.as_deref().map(|s| Name::Owned(s.to_lowercase())),
        cleartext: true,
        schema_ok: m.schema_ok,
        ..tasking::Row::default()
    }
}

/// Kind, text and prefix length of a target.
fn target_of(element: &str, value: &str) -> (Kind, String, Option<u8>) {
    if !element.ends_with("Cidr") {
        return (kind_of(element), value.to_owned(), None);
    }
    let parts = value.split_once('/').and_then(|(ip, len)| Some((ip.parse::<Ip>().ok()?, len.parse::<u8>().ok()?)));
    match parts {
        Some((ip, len)) => {
            let (kind, text) = target::range(ip, Some(len));
            (kind, text, Some(len))
        }
        None => (Kind::Prefix, value.to_owned(), None),
    }
}

fn pseudonym(rows: &Rows<'_>, kind: Kind, text: &str) -> Pseudonym {
    rows.key.pseudonym(kind, text)
}

/// What a message asks for, and what a list covers. An extension that names neither task nor target is about other objects.
fn meaning(m: &Message) -> (&'static str, Option<&'static str>) {
    if let Some(request) = requests::named(&m.kind) {
        return (request.op, request.list_kind);
    }
    let op = requests::extended(&m.kind);
    let other = m.xid.is_none() && m.targets.is_empty() && !matches!(op, "unknown" | "report");
    (op, other.then_some("objects"))
}
