//! DTCP, the Dynamic Tasking Control Protocol (draft-cavuto-dtcp): filters and where their copies go, in the manner of HTTP.
//!
//! Junos carries it as subsystem `flow-tap-dtcp` of SSH on TCP port 32001, where only logins are to be seen: each is a `tasking` row
//! of op `unknown` ([`inside_ssh`]). In clear, over UDP or TCP, every request is a row: ADD makes a filter, DELETE ends it (all of
//! a destination's where no criteria id is named), LIST reads. Requests and answers are paired by their `Seq`. Interfaces, ports
//! and protocols of a filter are not kept; the authentication of messages is not checked, the secret is not ours. Only ADD, DELETE and
//! LIST stand in public documents, the other verbs are those of the draft.
#[cfg(test)]
mod tests;

use lidr_schema::{Kind, Name, hex, table::tasking};

use super::{
    Decoder, Mark, Odd, Progress, Protocol, Rows, Segment, Transport, Verdict,
    pairs::{Asked, Crowded, Pairs},
};
use crate::record::Dir;

/// DTCP in datagrams.
pub(super) const UDP: Protocol = Protocol { transport: Transport::Datagram, ..TCP };
/// DTCP in a stream.
pub(super) const TCP: Protocol =
    Protocol { name: "dtcp", transport: Transport::Stream, ports: &[2400], probe, start: || Box::<Dtcp>::default() };

/// Port of Junos's SSH subsystem.
const SSH_PORT: u16 = 32_001;
/// Octets that tell the protocol: the longest verb and the version.
const ENOUGH: usize = b"DISABLE DTCP/0.".len();
/// Octets of a message.
const MOST_MESSAGE: usize = 16 * 1024;
/// Header lines of a message.
const MOST_LINES: usize = 512;
/// Targets of a filter.
const MOST_TARGETS: usize = 16;

const VERBS: [(&str, &str); 7] = [
    ("ADD", "create"),
    ("DELETE", "delete"),
    ("LIST", "list"),
    ("ENABLE", "enable"),
    ("DISABLE", "disable"),
    ("REFRESH", "keepalive"),
    ("NOOP", "keepalive"),
];

/// Every payload in which no earlier protocol was found comes here: nothing is made for it.
fn probe(data: &[u8], _: Dir) -> Verdict {
    let octets = data.get(..ENOUGH).unwrap_or(data);
    let verbs = VERBS.iter().map(|(verb, _)| [verb.as_bytes(), b" DTCP/0."]);
    let verdict = verbs.chain([[b"".as_slice(), b"DTCP/0."]]).map(|start| begins(octets, start)).max();
    verdict
        .filter(|v| *v != Verdict::No && !octets.is_empty() && std::str::from_utf8(octets).is_ok())
        .unwrap_or(Verdict::No)
}

/// Whether octets begin with these, or break off within them.
fn begins(octets: &[u8], [first, second]: [&[u8]; 2]) -> Verdict {
    let Some(rest) = octets.strip_prefix(first) else {
        return if first.starts_with(octets) { Verdict::Maybe } else { Verdict::No };
    };
    match rest.starts_with(second) {
        true => Verdict::Certain,
        false if second.starts_with(rest) => Verdict::Maybe,
        false => Verdict::No,
    }
}

/// A message's first line and headers, names in lower case.
struct Message<'a> {
    first: &'a str,
    headers: Vec<(String, &'a str)>,
}

impl<'a> Message<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut lines = text.split("\r\n").flat_map(|line| line.split('\n'));
        let first = lines.next()?;
        let headers = lines.take(MOST_LINES).filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim().to_ascii_lowercase(), value.trim()))
        });
        Some(Self { first, headers: headers.collect() })
    }

    /// A header's value; none where it is empty or any.
    fn get(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| *v).filter(|v| !v.is_empty() && *v != "*")
    }

    fn seq(&self) -> u64 {
        self.get("seq").and_then(|s| s.parse().ok()).unwrap_or_default()
    }
}

struct Request {
    mark: Mark,
    dir: Dir,
    row: tasking::Row,
    /// The row's task is to be taken from the answer.
    unnamed: bool,
}

struct Answer {
    status: u32,
    criteria: Option<String>,
    entries: u32,
}

#[derive(Default)]
struct Dtcp {
    pairs: Pairs<(usize, u64), Request, Answer>,
    read_any: bool,
}

impl Decoder for Dtcp {
    fn decode(&mut self, segment: Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        let stream = rows.ends.proto == 6;
        let end = segment.data.windows(4).position(|w| w == b"\r\n\r\n").map(|p| p + 4);
        let length = match end {
            Some(end) => end,
            None if !stream && segment.cut == 0 => segment.data.len(),
            None if !stream => {
                odd(&segment, "truncated", "message", rows);
                return Progress::Taken(segment.data.len());
            }
            None if segment.data.len() < MOST_MESSAGE => return Progress::NeedMore(segment.data.len() + 1),
            None => return self.lost(&segment, rows),
        };
        let text = segment.data.get(..length).and_then(|octets| std::str::from_utf8(octets).ok());
        match text.and_then(Message::read) {
            Some(message) if self.message(&message, &segment, rows) => {
                self.read_any = true;
                Progress::Taken(if stream { length } else { segment.data.len() })
            }
            _ => self.lost(&segment, rows),
        }
    }

    fn deadline(&self) -> Option<i64> {
        self.pairs.deadline()
    }

    fn expire(&mut self, now: i64, rows: &mut Rows<'_>) {
        for (request, due) in self.pairs.expired(now) {
            finish(request, Err("unanswered"), due, rows);
        }
        drop(self.pairs.lapsed(now));
    }

    fn end(&mut self, now: i64, rows: &mut Rows<'_>) {
        for (request, due, over) in self.pairs.flush(now) {
            finish(request, Err(if over || rows.closed { "unanswered" } else { "not_seen" }), due, rows);
        }
    }
}

impl Dtcp {
    fn lost(&mut self, segment: &Segment<'_>, rows: &mut Rows<'_>) -> Progress {
        if !self.read_any && segment.gap == 0 {
            return Progress::NotMine;
        }
        odd(segment, "malformed", "message", rows);
        // Past the next empty line, or past everything there is.
        let next = segment.data.windows(4).position(|w| w == b"\r\n\r\n").map_or(segment.data.len(), |p| p + 4);
        Progress::Taken(if rows.ends.proto == 6 { next } else { segment.data.len() })
    }

    /// False where it is none.
    fn message(&mut self, message: &Message<'_>, segment: &Segment<'_>, rows: &mut Rows<'_>) -> bool {
        let mut words = message.first.split(' ');
        let (Some(verb), Some(second)) = (words.next(), words.next()) else { return false };
        if verb.starts_with("DTCP/0.") {
            let Ok(status) = second.parse() else { return false };
            self.answer(status, message, segment, rows);
            return true;
        }
        let Some((verb, op)) = VERBS.iter().find(|(v, _)| *v == verb) else { return false };
        if !second.starts_with("DTCP/0.") {
            return false;
        }
        let mark = rows.mark(segment.dir, segment.first);
        let row = row(verb, op, message, rows);
        let unnamed = row.task.is_none() && *op == "create";
        let request = Request { mark, dir: segment.dir, row, unnamed };
        let eff = segment.last.eff;
        match self.pairs.ask((segment.dir.index(), message.seq()), eff, request) {
            Asked::Waits | Asked::Repeated => {}
            Asked::Answered(request, answer, due) => finish(request, Ok(&answer), due, rows),
            Asked::Crowded(oldest) => {
                odd(segment, "bound", "requests waiting", rows);
                finish(oldest, Err("not_seen"), eff, rows);
            }
        }
        true
    }

    fn answer(&mut self, status: u32, message: &Message<'_>, segment: &Segment<'_>, rows: &mut Rows<'_>) {
        let asker = 1 - segment.dir.index().min(1);
        let listed = message.headers.iter().filter(|(name, _)| name == "criteria-id").count();
        let counted = message.get("criteria-num").and_then(|n| n.parse().ok());
        let answer = Answer {
            status,
            criteria: message.get("criteria-id").map(str::to_owned),
            entries: counted.unwrap_or(u32::try_from(listed).unwrap_or(u32::MAX)),
        };
        match self.pairs.answer(&(asker, message.seq()), segment.last.eff, answer) {
            Ok(Some((request, answer, due))) => finish(request, Ok(&answer), due, rows),
            Ok(None) => {}
            Err(Crowded(gone)) if gone.is_empty() => odd(segment, "bound", "answers waiting", rows),
            // An answer that nobody asked for is no row.
            Err(Crowded(_)) => {}
        }
    }
}

fn odd(segment: &Segment<'_>, kind: &'static str, detail: &'static str, rows: &mut Rows<'_>) {
    let mark = rows.mark(segment.dir, segment.first);
    rows.odd(mark, segment.last.eff, Odd { kind, detail, needed: None, had: Some(segment.data.len() as u64) });
}

fn finish(request: Request, answer: Result<&Answer, &'static str>, due: i64, rows: &mut Rows<'_>) {
    let mut row = request.row;
    row.outcome = Name::Borrowed(match answer {
        Err(outcome) => outcome,
        Ok(answer) if (200..300).contains(&answer.status) => {
            row.varbinds = if row.list_kind.is_some() { answer.entries } else { 0 };
            if request.unnamed {
                row.task = answer.criteria.as_deref().map(|id| rows.key.pseudonym(Kind::Cccid, id));
            }
            "ok"
        }
        Ok(answer) => {
            row.error_code = Some(answer.status);
            "refused"
        }
    });
    let ends = rows.ends_from(request.dir);
    row.actor = ends.src_ip;
    row.ne = ends.dst_ip;
    rows.push_between(request.mark, due, ends, row);
}

/// What a filter is about, with the kind of identifier it is.
const TARGETS: [(&str, Kind, &str); 8] = [
    ("x-username", Kind::Nai, "nai"),
    ("x-ip-addr", Kind::Ip, "ip"),
    ("source-address", Kind::Ip, "ip"),
    ("dest-address", Kind::Ip, "ip"),
    ("x-act-sess-id", Kind::Other, "session"),
    ("x-rm-circuit-id", Kind::Circuit, "circuit"),
    ("x-interface-id", Kind::Circuit, "circuit"),
    ("x-jtap-input-interface", Kind::Circuit, "circuit"),
];

fn row(verb: &str, op: &'static str, m: &Message<'_>, rows: &Rows<'_>) -> tasking::Row {
    let named = TARGETS.iter().filter_map(|(header, kind, name)| Some((*kind, *name, m.get(header)?)));
    let targets: Vec<_> = named
        .take(MOST_TARGETS)
        .map(|(kind, name, text)| {
            let kind = if kind == Kind::Ip && text.contains('/') { Kind::Prefix } else { kind };
            (name, text, rows.key.pseudonym(kind, text))
        })
        .collect();
    let list = targets.iter().map(|(_, _, p)| hex::encode(&p.octets())).collect::<Vec<_>>().join(";");
    let task =
        m.get("x-md-intercept-id").map(str::to_ascii_lowercase).or_else(|| m.get("criteria-id").map(str::to_owned));
    let dids = m.get("cdest-id").map(|d| d.split(',').map(str::trim).collect::<Vec<_>>());
    tasking::Row {
        protocol: "dtcp".into(),
        op: op.into(),
        message: Some(Name::Owned(verb.to_owned())),
        list_kind: (op == "list").then_some("tasks".into()),
        actor_name: m.get("csource-id").map(|s| Name::Owned(s.to_owned())),
        task: task.map(|t| rows.key.pseudonym(Kind::Cccid, &t)),
        dids: dids.as_ref().map_or(0, |d| u32::try_from(d.len()).unwrap_or(u32::MAX)),
        did: dids.map(|d| Name::Owned(d.join(";"))),
        target_kind: targets.first().map(|(name, ..)| (*name).into()),
        target: targets.first().map(|(.., target)| *target),
        targets: u32::try_from(targets.len()).unwrap_or(u32::MAX),
        target_list: (!list.is_empty()).then_some(Name::Owned(list)),
        prefix_len: targets.first().and_then(|(_, text, _)| text.split_once('/')).and_then(|(_, len)| len.parse().ok()),
        dest_ip: m.get("x-jtap-cdest-dest-address").and_then(|a| a.parse().ok()),
        dest_port: m.get("x-jtap-cdest-dest-port").and_then(|p| p.parse().ok()),
        enable: match op {
            "create" | "enable" => Some(true),
            "delete" | "disable" => Some(false),
            _ => None,
        },
        cleartext: true,
        schema_ok: m.get("seq").is_some(),
        ..tasking::Row::default()
    }
}

/// The row of a login to the SSH subsystem: who reached for the filters of which router; nothing for other ports.
pub(super) fn inside_ssh(outcome: &str, rows: &Rows<'_>) -> Option<tasking::Row> {
    let on_port = rows.configured.map_or(rows.ends.dst_port == SSH_PORT, |name| name == "dtcp");
    on_port.then(|| tasking::Row {
        protocol: "dtcp".into(),
        op: "unknown".into(),
        message: Some("ssh subsystem".into()),
        actor: rows.ends.src_ip,
        ne: rows.ends.dst_ip,
        outcome: Name::Borrowed(match outcome {
            "ok" => "ok",
            "refused" => "refused",
            _ => "not_seen",
        }),
        schema_ok: true,
        ..tasking::Row::default()
    })
}
