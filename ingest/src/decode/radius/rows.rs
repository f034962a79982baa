//! Rows of RADIUS: logins, accounting, orders to intercept.
use lidr_schema::{
    Ends, Ip, Kind, Name, Pseudonym, hex,
    table::{auth, signal, tasking},
};

use super::{
    Dir, End, Mark, Message, Rows,
    li::{Action, Order},
    packet::Facts,
};
use crate::record::Stamp;

/// Places that the rows of one message may take: a login or session, and an order.
const PLACES: usize = 2;

/// Takes the places of a message's rows and gives the first.
pub(super) fn places(rows: &mut Rows<'_>, dir: Dir, stamp: Stamp) -> Mark {
    let first = rows.mark(dir, stamp);
    for _ in 1..PLACES {
        rows.mark(dir, stamp);
    }
    first
}

/// Writes the rows of a request.
pub(super) fn request(asked: &Message, end: End<'_>, due: i64, rows: &mut Rows<'_>) {
    let answer = match end {
        End::Answered(answer) => Some(&answer.facts),
        End::Unanswered | End::NotSeen => None,
    };
    let outcome = match (end, answer.map(|a| a.code)) {
        (End::Unanswered, _) => "unanswered",
        (End::NotSeen, _) => "not_seen",
        (End::Answered(_), Some(3 | 42 | 45)) => "refused",
        (End::Answered(_), _) => "ok",
    };
    let ends = rows.ends_from(asked.dir);
    match asked.facts.code {
        // A challenge is answered by another request of the same attempt.
        1 if answer.is_some_and(|a| a.code == 11) => {}
        1 => {
            let row = login(&asked.facts, answer, outcome, rows);
            rows.push_between(asked.mark, due, ends, row);
        }
        _ => {
            let row = session(&asked.facts, answer, outcome, ends, rows);
            rows.push_between(asked.mark, due, ends, row);
        }
    }
    if let Some(order) = &asked.facts.order {
        let row = task(order, &asked.facts, &asked.facts, ends, "CoA-Request", outcome, rows);
        rows.push_between(second(asked.mark), due, ends, row);
    }
    if let (End::Answered(accept), Some(order)) = (end, answer.and_then(|a| a.order.as_ref())) {
        ordered(accept, order, &asked.facts, due, rows);
    }
}

/// Writes the rows of an answer whose request is not in the capture.
pub(super) fn alone(answer: &Message, due: i64, rows: &mut Rows<'_>) {
    let facts = &answer.facts;
    let asker = rows.ends_from(if answer.dir == Dir::Src { Dir::Dst } else { Dir::Src });
    if matches!(facts.code, 2 | 3) {
        let outcome = if facts.code == 3 { "refused" } else { "ok" };
        let row = login(facts, Some(facts), outcome, rows);
        rows.push_between(answer.mark, due, asker, row);
    }
    if let Some(order) = &facts.order {
        ordered(answer, order, facts, due, rows);
    }
}

/// The order in an Access-Accept: given by its sender to the access server.
fn ordered(accept: &Message, order: &Order, asked: &Facts, due: i64, rows: &mut Rows<'_>) {
    let ends = rows.ends_from(accept.dir);
    let row = task(order, &accept.facts, asked, ends, "Access-Accept", "ok", rows);
    rows.push_between(second(accept.mark), due, ends, row);
}

const fn second(mark: Mark) -> Mark {
    Mark { n: mark.n + 1, ..mark }
}

fn name(text: &Option<String>) -> Option<Name> {
    text.clone().map(Name::Owned)
}

fn hashed(rows: &Rows<'_>, kind: Kind, text: Option<&String>) -> Option<Pseudonym> {
    text.map(|t| rows.key.pseudonym(kind, t))
}

/// A telephone number, where the calling station is one.
fn msisdn(facts: &Facts) -> Option<&String> {
    let digits = |t: &&String| {
        (8..=15).contains(&t.trim_start_matches('+').len())
            && t.trim_start_matches('+').bytes().all(|o| o.is_ascii_digit())
    };
    facts.calling.as_ref().filter(digits)
}

fn login(asked: &Facts, answer: Option<&Facts>, outcome: &'static str, rows: &Rows<'_>) -> auth::Row {
    let administrator = asked.is_administrator() || answer.is_some_and(Facts::is_administrator);
    let (outcome, confidence) = match outcome {
        "ok" | "refused" => (outcome, "high"),
        _ => ("unknown", "low"),
    };
    let li = answer.is_some_and(|a| a.li_administrator);
    auth::Row {
        service: "radius".into(),
        user: administrator.then(|| name(&asked.user)).flatten(),
        method: asked.method.map(Name::Borrowed),
        outcome: outcome.into(),
        confidence: confidence.into(),
        evidence: answer.map(|a| match (a.code, li) {
            (2, true) => "access-accept with permission to intercept".into(),
            (2, false) => "access-accept".into(),
            _ => "access-reject".into(),
        }),
        nas: asked.nas,
        rem_addr: asked.calling.as_deref().and_then(|t| t.parse::<Ip>().ok()),
        subscriber: if administrator { None } else { hashed(rows, Kind::Nai, asked.user.as_ref()) },
        message_authenticator: Some(asked.signed),
        ..auth::Row::default()
    }
}

fn session(asked: &Facts, answer: Option<&Facts>, outcome: &'static str, ends: Ends, rows: &Rows<'_>) -> signal::Row {
    let op = match (asked.code, asked.status) {
        (4, Some(1)) => "acct-start",
        (4, Some(2)) => "acct-stop",
        (4, Some(3)) => "acct-interim",
        (4, Some(7)) => "acct-on",
        (4, Some(8)) => "acct-off",
        (4, _) => "acct-other",
        (40, _) => "disconnect",
        (43, _) => "coa",
        _ => "status",
    };
    signal::Row {
        protocol: "radius".into(),
        op: op.into(),
        code: u32::from(asked.code),
        outcome: outcome.into(),
        error_code: asked.cause.or_else(|| answer.and_then(|a| a.cause)),
        imsi: hashed(rows, Kind::Imsi, asked.imsi.as_ref()),
        msisdn: hashed(rows, Kind::E164, msisdn(asked)),
        imei: hashed(rows, Kind::Imei, asked.imei.as_ref()),
        apn: name(&asked.called),
        user_ip: asked.framed,
        origin_host: name(&asked.nas_name),
        nai: hashed(rows, Kind::Nai, asked.user.as_ref()),
        session: hashed(rows, Kind::Other, asked.session.as_ref()),
        nas: asked.nas.or(Some(if asked.code == 4 { ends.src_ip } else { ends.dst_ip })),
        ..signal::Row::default()
    }
}

/// `said`: the message with the order; `of`: the one that names the subscriber.
fn task(
    order: &Order,
    said: &Facts,
    of: &Facts,
    ends: Ends,
    message: &'static str,
    outcome: &'static str,
    rows: &Rows<'_>,
) -> tasking::Row {
    let op = match order.action {
        Action::On => "enable",
        Action::Off => "disable",
        Action::Nothing => "change",
        Action::Unknown => "unknown",
    };
    let either = |pick: fn(&Facts) -> Option<&String>| pick(said).or_else(|| pick(of));
    let targets: Vec<(&'static str, Pseudonym)> = [
        ("nai", hashed(rows, Kind::Nai, either(|f| f.user.as_ref()))),
        ("imsi", hashed(rows, Kind::Imsi, either(|f| f.imsi.as_ref()))),
        ("e164", hashed(rows, Kind::E164, either(msisdn))),
        ("ip", said.framed.or(of.framed).map(|ip| rows.key.pseudonym(Kind::Ip, &ip.to_string()))),
        ("session", hashed(rows, Kind::Other, either(|f| f.session.as_ref()))),
    ]
    .into_iter()
    .filter_map(|(kind, target)| Some((kind, target?)))
    .collect();
    let list = targets.iter().map(|(_, p)| hex::encode(&p.octets())).collect::<Vec<_>>().join(";");
    tasking::Row {
        protocol: "radius".into(),
        op: op.into(),
        message: Some(message.into()),
        actor: ends.src_ip,
        ne: ends.dst_ip,
        ne_name: name(&of.nas_name),
        task: order.id.as_deref().map(|id| rows.key.pseudonym(Kind::Cccid, id)),
        target_kind: targets.first().map(|(kind, _)| (*kind).into()),
        target: targets.first().map(|(_, target)| *target),
        targets: u32::from(!targets.is_empty()),
        target_list: (!list.is_empty()).then_some(Name::Owned(list)),
        dest_ip: order.dest_ip,
        dest_port: order.dest_port,
        enable: match order.action {
            Action::On => Some(true),
            Action::Off => Some(false),
            Action::Nothing | Action::Unknown => None,
        },
        outcome: outcome.into(),
        error_code: said.cause,
        cleartext: !order.encrypted,
        schema_ok: true,
        ..tasking::Row::default()
    }
}
