//! What a SET under a lawful-intercept MIB asks for: one `tasking` row per content id.
//!
//! A mediation device may write a tap in one PDU or in many; this module sees one PDU. If it does several things for one content
//! id, the row's `op` is the strongest of them, and every column says what the PDU said: a tap that is created with its
//! notifications off is `create` with `notify` false. A notification of the element about a tap is a `report`.
use lidr_schema::{Ip, Key, Kind, Name, Pseudonym, table::tasking};

use super::{
    message::{Bind, Pdu},
    objects::{Shown, address},
    tap::{Column, Tap},
};
use crate::decode::{target, when};

/// Content ids of one PDU that get a row.
pub(super) const MOST_TASKS: usize = 64;

/// What is done, the strongest last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Op {
    #[default]
    Change,
    NotifyOff,
    Disable,
    Create,
    Enable,
    Delete,
}

impl Op {
    const fn name(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::NotifyOff => "notify_off",
            Self::Disable => "disable",
            Self::Create => "create",
            Self::Enable => "enable",
            Self::Delete => "delete",
        }
    }

    /// What that value of that column does.
    fn of(column: Column, value: Option<i64>) -> Self {
        match (column, value) {
            (Column::StreamStatus | Column::StreamOnStatus | Column::Enable, Some(1)) => Self::Enable,
            (status, Some(4 | 5)) if status.is_status() => Self::Create,
            (status, Some(6)) if status.is_status() => Self::Delete,
            (status, Some(2)) if status.is_status() => Self::Disable,
            (Column::Enable, Some(2)) => Self::Disable,
            (Column::Notify, Some(2)) => Self::NotifyOff,
            _ => Self::Change,
        }
    }
}

/// Whose traffic, as far as the PDU says it.
#[derive(Clone, Debug, Default)]
struct Filter {
    source: Option<Ip>,
    source_length: Option<u8>,
    dest: Option<Ip>,
    dest_length: Option<u8>,
    subscriber_kind: i64,
    subscriber: Option<String>,
    called_kind: i64,
    called: Option<String>,
    voip_uri: bool,
    voip: Option<String>,
    others: Vec<(&'static str, String)>,
}

struct Target {
    name: &'static str,
    kind: Kind,
    text: String,
    prefix: Option<u8>,
}

impl Filter {
    fn targets(&self) -> Vec<Target> {
        let mut out: Vec<Target> = [range(self.source, self.source_length), range(self.dest, self.dest_length)]
            .into_iter()
            .flatten()
            .collect();
        // The narrower end is whom it is about; an end that is anybody is no target beside one that is not.
        out.sort_by_key(|t| std::cmp::Reverse(t.prefix.unwrap_or(128)));
        if out.len() > 1 {
            out.retain(|t| t.prefix != Some(0));
        }
        out.extend(self.subscriber.as_deref().map(|text| subscriber(self.subscriber_kind, text)));
        out.extend(self.called.as_deref().map(|text| subscriber(self.called_kind, text)));
        out.extend(self.voip.as_deref().map(|text| self.voice(text)));
        let plain = |(name, text): &(&'static str, String)| Target {
            name,
            kind: Kind::Other,
            text: text.clone(),
            prefix: None,
        };
        out.extend(self.others.iter().map(plain));
        out
    }

    fn voice(&self, text: &str) -> Target {
        let number = !text.is_empty() && text.trim_start_matches('+').bytes().all(|b| b.is_ascii_digit());
        let (name, kind) = match (self.voip_uri, number) {
            (true, _) => ("sip", Kind::Sip),
            (false, true) => ("e164", Kind::E164),
            (false, false) => ("nai", Kind::Nai),
        };
        Target { name, kind, text: text.to_owned(), prefix: None }
    }
}

fn range(ip: Option<Ip>, length: Option<u8>) -> Option<Target> {
    let ip = ip?;
    // A length that another PDU gives is not known here; the address by itself is.
    let (kind, text) = target::range(ip, length);
    let (name, whole) = if ip.is_v4() { ("ipv4", 32) } else { ("ipv6", 128) };
    let name = if kind == Kind::Prefix { "prefix" } else { name };
    Some(Target { name, kind, text, prefix: length.map(|l| l.min(whole)) })
}

fn subscriber(kind: i64, text: &str) -> Target {
    let (name, kind) = match kind {
        3 => ("imsi", Kind::Imsi),
        4 => ("nai", Kind::Nai),
        6 => ("e164", Kind::E164),
        2 => ("msid", Kind::Other),
        5 => ("esn", Kind::Other),
        _ => ("other", Kind::Other),
    };
    Target { name, kind, text: text.to_owned(), prefix: None }
}

struct Draft {
    content: Option<u32>,
    op: Op,
    /// A stream was created that is on unless the request says otherwise.
    on: bool,
    filter: Filter,
    row: tasking::Row,
}

/// The rows of a SET, `base` being what they share, and how many content ids were left out.
pub(super) fn of_set(pdu: &Pdu<'_>, base: &tasking::Row, key: &Key) -> (Vec<tasking::Row>, u32) {
    let (mut drafts, mut left_out): (Vec<Draft>, Vec<Option<u32>>) = (Vec::new(), Vec::new());
    for bind in &pdu.binds {
        let Some(tap) = Tap::of(bind.oid) else { continue };
        let place = match drafts.iter().position(|d| d.content == tap.content) {
            Some(place) => place,
            None if drafts.len() < MOST_TASKS => {
                let first_oid = Shown::object(bind.oid).oid;
                let row = tasking::Row { first_oid, ..base.clone() };
                drafts.push(Draft { content: tap.content, op: Op::Change, on: false, filter: Filter::default(), row });
                drafts.len() - 1
            }
            None => {
                if left_out.last() != Some(&tap.content) {
                    left_out.push(tap.content);
                }
                continue;
            }
        };
        if let Some(draft) = drafts.get_mut(place) {
            draft.take(tap, bind, key);
        }
    }
    left_out.sort_unstable();
    left_out.dedup();
    (drafts.into_iter().map(|d| d.finish(key)).collect(), u32::try_from(left_out.len()).unwrap_or(u32::MAX))
}

impl Draft {
    fn take(&mut self, tap: Tap, bind: &Bind<'_>, key: &Key) {
        let int = bind.int();
        self.op = self.op.max(Op::of(tap.column, int));
        self.on |= tap.column == Column::StreamOnStatus && int == Some(4);
        let truth = int.and_then(|v| [(1, true), (2, false)].into_iter().find(|(n, _)| *n == v).map(|(_, t)| t));
        let text = || String::from_utf8_lossy(bind.value).into_owned();
        let (row, filter) = (&mut self.row, &mut self.filter);
        let well_typed = match tap.column {
            Column::DestAddress => set(&mut row.dest_ip, address(bind.value)),
            Column::DestPort => set(&mut row.dest_port, int.and_then(|v| u16::try_from(v).ok())),
            Column::Timeout => set(&mut row.timeout, when::date_and_time(bind.value)),
            Column::Transport => set(&mut row.delivery_type, int.and_then(transport)),
            Column::InterceptType if row.delivery_type.is_none() => set(&mut row.delivery_type, int.and_then(product)),
            Column::Notify => set(&mut row.notify, truth),
            Column::Enable => set(&mut row.enable, truth),
            Column::FilterSource => set(&mut filter.source, address(bind.value)) || bind.value.is_empty(),
            Column::FilterDest => set(&mut filter.dest, address(bind.value)) || bind.value.is_empty(),
            Column::FilterSourceLength => set(&mut filter.source_length, int.and_then(|v| u8::try_from(v).ok())),
            Column::FilterDestLength => set(&mut filter.dest_length, int.and_then(|v| u8::try_from(v).ok())),
            Column::SubscriberKind => int.inspect(|v| filter.subscriber_kind = *v).is_some(),
            Column::CalledKind => int.inspect(|v| filter.called_kind = *v).is_some(),
            Column::Subscriber => set(&mut filter.subscriber, Some(text())),
            Column::Called => set(&mut filter.called, Some(text())),
            Column::Voip => set(&mut filter.voip, Some(text())),
            Column::VoipKind => int.inspect(|v| filter.voip_uri = *v == 2).is_some(),
            Column::Session => int.inspect(|v| filter.add("acct_session", format!("{v:08X}"))).is_some(),
            Column::Mac => mac(bind.value).map(|m| filter.add("mac", m)).is_some() || bind.value.is_empty(),
            Column::Liid => set(&mut row.liid, Some(key.pseudonym(Kind::Liid, &text()))),
            status if status.is_status() => matches!(int, Some(1..=6)),
            _ => true,
        };
        row.schema_ok &= well_typed;
    }

    fn finish(self, key: &Key) -> tasking::Row {
        let mut row = self.row;
        let on = self.on && row.enable != Some(false);
        let op = if on { self.op.max(Op::Enable) } else { self.op };
        row.op = Name::Borrowed(op.name());
        row.task = self.content.map(|id| task(key, id));
        row.enable = row.enable.or(match op {
            Op::Enable => Some(true),
            Op::Disable => Some(false),
            _ => None,
        });
        let targets = self.filter.targets();
        row.targets = u32::try_from(targets.len()).unwrap_or(u32::MAX);
        let named = |t: &Target| key.pseudonym(t.kind, &t.text);
        row.target_list = target::list(targets.iter().map(named));
        if let Some(first) = targets.first() {
            row.target_kind = Some(Name::Borrowed(first.name));
            row.target = Some(named(first));
            row.prefix_len = first.prefix;
        }
        row
    }
}

impl Filter {
    fn add(&mut self, name: &'static str, text: String) {
        self.others.push((name, text));
    }
}

/// Fills a column, if there is something to fill it with.
fn set<T>(column: &mut Option<T>, value: Option<T>) -> bool {
    let there = value.is_some();
    if there {
        *column = value;
    }
    there
}

fn transport(number: i64) -> Option<Name> {
    let names = ["udp", "rtpNack", "tcp", "sctp", "rtp"];
    Some(Name::Borrowed(names.get(usize::try_from(number).ok()?.checked_sub(1)?)?))
}

fn product(number: i64) -> Option<Name> {
    let names = ["ccOnly", "iriOnly", "both"];
    Some(Name::Borrowed(names.get(usize::try_from(number).ok()?.checked_sub(1)?)?))
}

fn mac(octets: &[u8]) -> Option<String> {
    let octets: &[u8; 6] = octets.try_into().ok()?;
    Some(octets.map(|o| format!("{o:02x}")).join(":"))
}

/// A content id as rows have it.
pub(super) fn task(key: &Key, content: u32) -> Pseudonym {
    key.pseudonym(Kind::Cccid, &content.to_string())
}

/// The content id that a notification is about: that of an object in it, or one that it names.
pub(super) fn content(pdu: &Pdu<'_>) -> Option<u32> {
    let named = |b: &Bind<'_>, tap: Tap| {
        b.int().filter(|_| tap.column == Column::Content).and_then(|id| u32::try_from(id).ok())
    };
    pdu.binds.iter().find_map(|b| Tap::of(b.oid).and_then(|tap| tap.content.or_else(|| named(b, tap))))
}

/// What an element tells of a tap.
pub(super) fn of_notification(pdu: &Pdu<'_>, shown: &Shown, base: &tasking::Row, key: &Key) -> Option<tasking::Row> {
    shown.tap?;
    Some(tasking::Row {
        op: Name::Borrowed("report"),
        message: shown.object.clone().or_else(|| base.message.clone()),
        task: content(pdu).map(|id| task(key, id)),
        first_oid: shown.oid.clone(),
        status: shown.state.map(Name::Borrowed),
        ..base.clone()
    })
}

/// What a read under such a MIB asked for.
pub(super) fn of_read(pdu: &Pdu<'_>, base: &tasking::Row, key: &Key) -> Option<tasking::Row> {
    let first = pdu.binds.iter().find_map(|b| Tap::of(b.oid).map(|tap| (b, tap)))?;
    let content = pdu.binds.iter().find_map(|b| Tap::of(b.oid)?.content);
    let mut row = read_row(pdu, base);
    row.first_oid = Shown::object(first.0.oid).oid;
    row.task = content.filter(|_| row.op == "get").map(|id| task(key, id));
    Some(row)
}

/// A read that began elsewhere and came to such a MIB.
pub(super) fn read_row(pdu: &Pdu<'_>, base: &tasking::Row) -> tasking::Row {
    let op = if pdu.kind == super::message::Kind::Get { "get" } else { "list" };
    tasking::Row { op: Name::Borrowed(op), list_kind: Some(Name::Borrowed("tap")), ..base.clone() }
}
