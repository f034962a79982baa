//! ETSI TS 103 120 (HI1): warrants and tasks between an agency and a carrier, XML or JSON over HTTP. Read where it is in clear.
//!
//! Each action of a request is a `tasking` row: an authorisation (the warrant) gives `order_create` and its like, an interception
//! task `create` and its like, with the LIID that X1 and the handover repeat. Read are references, status, timespan, targets and
//! delivery addresses; an action is paired with its response by its identifier. Disclosure and preservation tasks, documents,
//! notifications and deliveries are kept as `message` names only. References, LIIDs and targets leave here as pseudonyms.
#[cfg(test)]
mod tests;
mod tree;

use lidr_schema::{Kind, Micros, Name, hex, table::tasking};
use tree::Node;

use super::{
    rows::{Mark, Rows},
    target::kind_of,
    when::date_time,
};
use crate::record::Dir;

/// What the namespaces of TS 103 120 have in common.
const NAMESPACE: &str = "uri.etsi.org/03120";
/// Actions of one message.
const MOST_ACTIONS: usize = 1024;
/// Targets and destinations of one task.
const MOST_VALUES: usize = 16;

/// One action, asked for or answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Action {
    /// The message answers.
    pub(super) response: bool,
    id: String,
    /// `CREATE`, `UPDATE`, `GET`, `LIST`, `DELIVER`, `GETCSPCONFIG`, without `Response`.
    verb: String,
    /// `AuthorisationObject`, `LITaskObject`, …
    object: String,
    sender: Option<String>,
    receiver: Option<String>,
    order: Option<String>,
    liid: Option<String>,
    status: Option<String>,
    start: Option<Micros>,
    end: Option<Micros>,
    /// Format name and value.
    targets: Vec<(String, String)>,
    targets_named: u32,
    address: Option<String>,
    port: Option<u16>,
    delivery: Option<String>,
    error: Option<u32>,
    /// Objects returned.
    entries: u32,
}

/// What the first octets of a body hold that is a message.
pub(super) const WORDS: [&[u8]; 2] = [b"HI1Message", NAMESPACE.as_bytes()];

/// The actions of a body; nothing if it is no HI1; what is wrong with it if it is.
pub(super) fn parse(body: &[u8]) -> Option<Result<Vec<Action>, &'static str>> {
    let text = std::str::from_utf8(body).ok()?;
    if !text.contains(NAMESPACE) || !text.contains("HI1Message") && !text.contains("Payload") {
        return None;
    }
    let root = if text.trim_start().starts_with('{') { tree::json(text) } else { tree::xml(text) };
    Some(root.and_then(|root| actions(&root)))
}

fn actions(root: &Node) -> Result<Vec<Action>, &'static str> {
    if root.name != "HI1Message" {
        return Err("root element");
    }
    let id_of = |end: &str| root.text_at(&["Header", end, "UniqueIdentifier"]).map(str::to_owned);
    let base = Action { sender: id_of("SenderIdentifier"), receiver: id_of("ReceiverIdentifier"), ..Action::default() };
    let payload = root.child("Payload").ok_or("payload")?;
    let mut found = Vec::new();
    payload.all("ActionRequest", &mut found);
    let response = found.is_empty();
    if response {
        payload.all("ActionResponse", &mut found);
    }
    let mut out: Vec<Action> = found.into_iter().take(MOST_ACTIONS).map(|node| action(node, response, &base)).collect();
    // The error of a whole message has no action.
    if let Some(error) = payload.at(&["ResponsePayload", "ErrorInformation"]).filter(|_| out.is_empty()) {
        out.push(Action { response: true, error: Some(code(error)), ..base });
    }
    Ok(out)
}

fn code(error: &Node) -> u32 {
    error.text_at(&["ErrorCode"]).and_then(|t| t.parse().ok()).unwrap_or_default()
}

fn action(node: &Node, response: bool, base: &Action) -> Action {
    let mut action = Action { response, ..base.clone() };
    action.id = node.text_at(&["ActionIdentifier"]).unwrap_or_default().to_owned();
    for part in &node.children {
        match part.name.as_str() {
            "ActionIdentifier" => {}
            "ErrorInformation" => action.error = Some(code(part)),
            verb => {
                action.verb = verb.strip_suffix("Response").unwrap_or(verb).to_owned();
                let mut objects = Vec::new();
                part.all("HI1Object", &mut objects);
                part.all("ListResponseRecord", &mut objects);
                action.entries = u32::try_from(objects.len()).unwrap_or(u32::MAX);
                let listed = part.text_at(&["ObjectType"]).unwrap_or_default().to_owned();
                action.object = objects.first().map(|o| o.kind.clone()).filter(|k| !k.is_empty()).unwrap_or(listed);
                if let Some(object) = objects.first() {
                    action.read(object);
                }
            }
        }
    }
    action
}

impl Action {
    fn read(&mut self, object: &Node) {
        let text = |path: &[&str]| object.text_at(path).map(str::to_owned);
        let entry = |name: &str| text(&[name, "Name"]).or_else(|| text(&[name]));
        self.order = text(&["AuthorisationReference"]);
        self.liid = text(&["Reference"]);
        // What is wished for says more than what is: a task that is to be cancelled is still active.
        self.status = ["AuthorisationDesiredStatus", "DesiredStatus", "AuthorisationStatus", "Status"]
            .into_iter()
            .find_map(|name| entry(name).or_else(|| text(&[name, "common:Value"])));
        let time = |names: [&[&str]; 2]| names.into_iter().find_map(|path| object.text_at(path)).and_then(date_time);
        self.start = time([&["AuthorisationTimespan", "StartTime"], &["Timespan", "StartTime"]]);
        self.end = time([&["AuthorisationTimespan", "EndTime"], &["Timespan", "EndTime"]]);
        self.delivery = entry("DeliveryType");
        self.targets(object);
        let mut places = Vec::new();
        object.all("DeliveryAddress", &mut places);
        for place in places.into_iter().take(MOST_VALUES) {
            let ip = ["IPv4Address", "IPv6Address"].into_iter().find_map(|n| first(place, n));
            if self.address.is_none() && ip.is_some() {
                self.address = ip;
                self.port =
                    ["TCPPort", "UDPPort"].into_iter().find_map(|n| first(place, n)).and_then(|p| p.parse().ok());
            }
        }
    }

    fn targets(&mut self, object: &Node) {
        let mut values = Vec::new();
        object.all("TargetIdentifierValue", &mut values);
        self.targets_named = u32::try_from(values.len()).unwrap_or(u32::MAX);
        for value in values.into_iter().take(MOST_VALUES) {
            let kind = value.text_at(&["FormatType", "FormatName"]).unwrap_or_default();
            if let Some(text) = value.text_at(&["Value"]) {
                self.targets.push((kind.to_owned(), text.to_owned()));
            }
        }
    }

    /// What it asks for, and what a list covers.
    fn meaning(&self) -> (&'static str, Option<&'static str>) {
        let order = self.object == "AuthorisationObject";
        let task = self.object == "LITaskObject";
        let ends = self.status.as_deref().is_some_and(|s| {
            matches!(s.to_ascii_lowercase().as_str(), "cancelled" | "expired" | "suspended" | "rejected")
        });
        match self.verb.as_str() {
            "CREATE" if order => ("order_create", None),
            "UPDATE" if order => ("order_change", None),
            "CREATE" if task => ("create", None),
            "UPDATE" if task && ends => ("delete", None),
            "UPDATE" if task => ("change", None),
            "CREATE" => ("create", Some("objects")),
            "UPDATE" => ("change", Some("objects")),
            "LIST" => ("list", Some(if task { "tasks" } else { "orders" })),
            "GET" => ("get", Some(if task { "tasks" } else { "orders" })),
            "DELIVER" => ("report", None),
            _ => ("get", Some("status")),
        }
    }
}

fn first(node: &Node, name: &str) -> Option<String> {
    let mut found = Vec::new();
    node.all(name, &mut found);
    found.first().map(|n| n.text.clone()).filter(|t| !t.is_empty())
}

/// What an answer was.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer<'a> {
    /// The actions of the response.
    Actions(&'a [Action]),
    /// There was none; the outcome that says why.
    None(&'static str, Option<u32>),
}

/// Writes a row for each action that was asked for.
pub(super) fn write(asked: &[(Mark, Action)], dir: Dir, answer: Answer<'_>, due: i64, rows: &mut Rows<'_>) {
    let ends = rows.ends_from(dir);
    for (mark, request) in asked {
        let mut row = row(request, rows);
        row.actor = ends.src_ip;
        row.ne = ends.dst_ip;
        let outcome = match answer {
            Answer::None(outcome, error) => {
                row.error_code = error;
                outcome
            }
            Answer::Actions(all) => {
                match all.iter().find(|a| a.id == request.id).or_else(|| all.iter().find(|a| a.id.is_empty())) {
                    Some(a) if a.error.is_some() => {
                        row.error_code = a.error;
                        "refused"
                    }
                    Some(a) => {
                        row.varbinds = a.entries;
                        "ok"
                    }
                    None => "unanswered",
                }
            }
        };
        row.outcome = Name::Borrowed(outcome);
        rows.push_between(*mark, due, ends, row);
    }
}

fn row(action: &Action, rows: &Rows<'_>) -> tasking::Row {
    let name = |text: &Option<String>| text.clone().map(Name::Owned);
    let hashed = |kind: Kind, text: &Option<String>| text.as_deref().map(|t| rows.key.pseudonym(kind, t));
    let targets: Vec<_> = action.targets.iter().map(|(kind, text)| rows.key.pseudonym(kind_of(kind), text)).collect();
    let list = targets.iter().map(|p| hex::encode(&p.octets())).collect::<Vec<_>>().join(";");
    let (op, list_kind) = action.meaning();
    tasking::Row {
        protocol: "hi1".into(),
        op: op.into(),
        message: Some(Name::Owned(format!("{} {}", action.verb, action.object).trim().to_owned())),
        list_kind: list_kind.map(Name::Borrowed),
        actor_name: name(&action.sender),
        ne_name: name(&action.receiver),
        task: hashed(Kind::Liid, &action.liid),
        liid: hashed(Kind::Liid, &action.liid),
        order_id: hashed(Kind::Order, &action.order),
        target_kind: action.targets.first().map(|(kind, _)| Name::Owned(kind.clone())),
        target: targets.first().copied(),
        targets: action.targets_named,
        target_list: (!list.is_empty()).then_some(Name::Owned(list)),
        dest_ip: action.address.as_deref().and_then(|a| a.parse().ok()),
        dest_port: action.port,
        delivery_type: name(&action.delivery),
        start: action.start,
        timeout: action.end,
        status: action.status.as_ref().map(|s| Name::Owned(s.to_ascii_lowercase())),
        cleartext: true,
        schema_ok: !action.id.is_empty() && action.sender.is_some(),
        ..tasking::Row::default()
    }
}
