//! X1 containers to messages.
//!
//! What is read is found by its name, wherever the schema would have it; whether it stands there is judged beside that, so that a
//! message that breaks the schema is read all the same, and marked.
use lidr_schema::Micros;
use quick_xml::{
    NsReader,
    events::{BytesStart, Event},
    name::ResolveResult,
};

use super::{
    NAMESPACE,
    leaf::is_well_written,
    requests,
    shape::{Shape, has_common, is_free},
};
use crate::decode::when::date_time;

/// Characters of a name: of a message, an element, an identifier that is kept in clear.
const MOST_NAME: usize = 128;

/// Levels of elements.
const MOST_DEPTH: usize = 64;
/// Messages of one container: more than there can be with all that they must have in the longest body that is read, so that nobody
/// hides one behind many.
const MOST_MESSAGES: usize = 8192;
/// Targets or destinations of one message that are kept; all are counted.
const MOST_VALUES: usize = 256;
/// Characters of one target.
const MOST_TARGET: usize = 1024;
/// The namespace of TS 103 280.
const COMMON: &str = "http://uri.etsi.org/03280/common/2017/07";

/// One request or response message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// Type without `Request` or `Response`.
    pub(crate) kind: String,
    /// It is an `ErrorResponse`.
    pub(crate) error: bool,
    /// It is the error of a whole container.
    pub(crate) top_level: bool,
    pub(crate) admf: Option<String>,
    pub(crate) ne: Option<String>,
    pub(crate) transaction: Option<String>,
    pub(crate) xid: Option<String>,
    pub(crate) dids: Vec<String>,
    /// Element name and value.
    pub(crate) targets: Vec<(String, String)>,
    /// Targets there, those beyond the bound included.
    pub(crate) target_count: u32,
    /// The first of them.
    pub(crate) liid: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) port: Option<String>,
    pub(crate) delivery: Option<String>,
    /// The earliest start and the latest end of the mediation details.
    pub(crate) start: Option<Micros>,
    pub(crate) end: Option<Micros>,
    /// Code of an error, or of the issue that is reported.
    pub(crate) error_code: Option<u32>,
    /// State of the task, destination or element, or what a report says of it.
    pub(crate) status: Option<String>,
    /// Tasks, destinations and objects returned.
    pub(crate) entries: u32,
    /// Everything was as the schema has it.
    pub(crate) schema_ok: bool,
}

/// The messages of a body; nothing if it is no X1; what is wrong with it if it is.
pub(crate) fn parse(body: &[u8]) -> Option<Result<Vec<Message>, &'static str>> {
    let text = std::str::from_utf8(body).ok()?;
    text.contains(NAMESPACE).then(|| read(text))
}

fn read(text: &str) -> Result<Vec<Message>, &'static str> {
    let mut reader = NsReader::from_str(text);
    reader.config_mut().trim_text(true);
    reader.config_mut().expand_empty_elements = true;
    let mut state = State::default();
    loop {
        let (resolved, event) = reader.read_resolved_event().map_err(|_| "xml")?;
        let space = match resolved {
            ResolveResult::Bound(ns) if text_of(ns.as_ref()) == NAMESPACE => Space::X1,
            ResolveResult::Bound(ns) if text_of(ns.as_ref()) == COMMON => Space::Common,
            _ => Space::Other,
        };
        match event {
            Event::DocType(_) => return Err("dtd"),
            Event::GeneralRef(entity) => state.reference(&text_of(&*entity))?,
            Event::Start(start) => state.start(&start, space)?,
            Event::Text(part) => state.text.push_str(&text_of(&*part)),
            Event::CData(part) => state.text.push_str(&text_of(&*part)),
            Event::End(_) => state.end(),
            Event::Eof => return state.done(),
            _ => {}
        }
    }
}

fn text_of<T: AsRef<[u8]> + ?Sized>(part: &T) -> String {
    String::from_utf8_lossy(part.as_ref()).into_owned()
}

/// Whose name an element's is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Space {
    X1,
    Common,
    Other,
}

/// An element that is not closed yet.
struct Open {
    name: String,
    shape: Option<Shape>,
    /// Nothing inside is checked.
    free: bool,
    /// It has children.
    parent: bool,
}

#[derive(Default)]
struct State {
    path: Vec<Open>,
    text: String,
    messages: Vec<Message>,
    current: Option<Message>,
    is_x1: bool,
    /// Something beside the messages is not as the schema has it.
    bad: bool,
}

impl State {
    fn start(&mut self, start: &BytesStart<'_>, space: Space) -> Result<(), &'static str> {
        if self.path.len() >= MOST_DEPTH {
            return Err("depth");
        }
        self.text.clear();
        let name = text_of(start.local_name().as_ref());
        let ours = space == Space::X1;
        if self.path.is_empty() {
            self.is_x1 = ours && matches!(name.as_str(), "X1Request" | "X1Response" | "X1TopLevelErrorResponse");
            if name == "X1TopLevelErrorResponse" {
                let kind = "TopLevelError".to_owned();
                self.current =
                    Some(Message { kind, error: true, top_level: true, schema_ok: true, ..Message::default() });
            }
        }
        self.place(&name, space);
        let mut shape = Shape::of(&name);
        if ours && matches!(name.as_str(), "x1RequestMessage" | "x1ResponseMessage") {
            if self.messages.len() >= MOST_MESSAGES {
                return Err("too many messages");
            }
            let (message, body) = message(start, name == "x1ResponseMessage");
            self.current = Some(message);
            shape = body;
        }
        if let Some(m) = &mut self.current {
            m.open(&name);
        }
        let free = is_free(&name) || self.path.last().is_some_and(|p| p.free || p.is_free_message());
        self.path.push(Open { name, shape, free, parent: false });
        Ok(())
    }

    /// Checks that a child may stand where it does.
    fn place(&mut self, name: &str, space: Space) {
        let Some(parent) = self.path.last_mut() else { return };
        parent.parent = true;
        if parent.free {
            return;
        }
        let here = parent.shape.as_mut().is_none_or(|s| s.child(name));
        let wanted = if has_common(&parent.name) { Space::Common } else { Space::X1 };
        let named = space == wanted || name == "dSId" || parent.is_free_message();
        if !(here && named) {
            self.bad();
        }
    }

    fn bad(&mut self) {
        match &mut self.current {
            Some(m) => m.schema_ok = false,
            None => self.bad = true,
        }
    }

    /// Only the five entities of XML itself and numbers; anything else was declared somewhere, and nobody needs to.
    fn reference(&mut self, entity: &str) -> Result<(), &'static str> {
        self.text.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            number => character(number).ok_or("entity")?,
        });
        Ok(())
    }

    fn end(&mut self) {
        let text = std::mem::take(&mut self.text);
        let Some(open) = self.path.pop() else { return };
        let text = text.trim();
        let parent = self.path.last().map_or("", |p| p.name.as_str());
        let whole = open.shape.as_ref().is_none_or(Shape::is_whole);
        let written = open.parent || open.shape.is_some() || is_well_written(parent, &open.name, text);
        if !(open.free || whole && written) {
            self.bad();
        }
        if matches!(open.name.as_str(), "x1RequestMessage" | "x1ResponseMessage" | "X1TopLevelErrorResponse") {
            self.messages.extend(self.current.take());
            return;
        }
        if let Some(m) = &mut self.current
            && !text.is_empty()
        {
            m.value(&self.path, &open.name, text);
        }
    }

    fn done(mut self) -> Result<Vec<Message>, &'static str> {
        match (self.is_x1, self.path.is_empty()) {
            (false, _) => Err("root element"),
            (true, false) => Err("cut"),
            (true, true) if self.messages.is_empty() => Err("no message"),
            (true, true) => {
                for message in self.messages.iter_mut().filter(|_| self.bad) {
                    message.schema_ok = false;
                }
                Ok(self.messages)
            }
        }
    }
}

impl Open {
    /// A message of a type whose body nobody here knows.
    fn is_free_message(&self) -> bool {
        self.shape.is_none() && matches!(self.name.as_str(), "x1RequestMessage" | "x1ResponseMessage")
    }
}

fn character(entity: &str) -> Option<char> {
    let number = entity.strip_prefix('#')?;
    let code = number.strip_prefix('x').map_or_else(|| number.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok());
    code.and_then(char::from_u32)
}

/// A message by its `xsi:type`, and the shape of its body; none for a type that the standard does not list.
fn message(start: &BytesStart<'_>, response: bool) -> (Message, Option<Shape>) {
    let of_type = |a: &quick_xml::events::attributes::Attribute<'_>| text_of(a.key.local_name().as_ref()) == "type";
    let found = start.attributes().take(32).flatten().find(of_type);
    let full = found.map(|a| text_of(a.value.as_ref())).unwrap_or_default();
    let kind = full.rsplit(':').next().unwrap_or_default();
    let error = response && kind == "ErrorResponse";
    let bare = kind.strip_suffix(if response { "Response" } else { "Request" });
    let listed = bare.and_then(requests::named);
    let body = match (error, listed) {
        (true, _) => Some("requestMessageType errorInformation extensionInformation?"),
        (false, Some(request)) => Some(if response { request.response } else { request.body }),
        (false, None) => None,
    };
    let name = cut(bare.unwrap_or(kind));
    let schema_ok = error || bare.is_some_and(|b| !b.is_empty());
    (Message { kind: name, error, schema_ok, ..Message::default() }, body.map(Shape::message))
}

/// As much of a text as rows may have.
fn cut(text: &str) -> String {
    text.chars().take(MOST_NAME).collect()
}

impl Message {
    /// An element begins.
    fn open(&mut self, name: &str) {
        match name {
            "taskResponseDetails" | "destinationResponseDetails" | "genericObjectResponseDetails" => self.entries += 1,
            "targetIdentifier" => {
                self.target_count += 1;
                if self.target_count as usize <= MOST_VALUES {
                    self.targets.push(Default::default());
                }
            }
            _ => {}
        }
    }

    /// An element had a text.
    fn value(&mut self, path: &[Open], name: &str, text: &str) {
        let under = |parent: &str| path.iter().any(|p| p.name == parent);
        let parent = path.last().map_or("", |p| p.name.as_str());
        let put = |place: &mut Option<String>| {
            place.get_or_insert_with(|| cut(text));
        };
        if let Some(at) = path.iter().position(|p| p.name == "targetIdentifier") {
            return self.target(path.get(at + 1).map_or(name, |p| p.name.as_str()), text);
        }
        match name {
            "admfIdentifier" => put(&mut self.admf),
            "neIdentifier" => put(&mut self.ne),
            "x1TransactionId" => put(&mut self.transaction),
            "xId" if parent == "ListOfXIDs" => self.entries += 1,
            "dId" if parent == "ListOfDIDs" => self.entries += 1,
            "objectId" if matches!(parent, "listOfObjects" | "ListOfGenericObjectIDs") => self.entries += 1,
            "xId" => put(&mut self.xid),
            "dId" => self.destination(cut(text)),
            "LIID" => put(&mut self.liid),
            "IPv4Address" | "IPv6Address" if under("deliveryAddress") => put(&mut self.address),
            "TCPPort" | "UDPPort" if under("deliveryAddress") => put(&mut self.port),
            "deliveryType" if parent != "mediationDetails" => put(&mut self.delivery),
            "StartTime" => self.start = [self.start, date_time(text)].into_iter().flatten().min(),
            "EndTime" => self.end = [self.end, date_time(text)].into_iter().flatten().max(),
            "errorCode" if parent == "errorInformation" => self.error_code = text.parse().ok(),
            "taskIssueErrorCode" | "destinationIssueErrorCode" | "issueCode" => self.error_code = text.parse().ok(),
            "provisioningStatus" | "destinationDeliveryStatus" | "neStatus" => put(&mut self.status),
            "taskReportType" | "destinationReportType" | "typeOfNeIssueMessage" => put(&mut self.status),
            "requestMessageType" if self.error => self.kind = cut(text),
            _ => {}
        }
    }

    /// A destination, each once.
    fn destination(&mut self, did: String) {
        if self.dids.len() < MOST_VALUES && !self.dids.contains(&did) {
            self.dids.push(did);
        }
    }

    /// A value of the target at hand; a target of several values (a range of ports) has them joined.
    fn target(&mut self, kind: &str, text: &str) {
        let Some((known, value)) = self.targets.last_mut().filter(|_| self.target_count as usize <= MOST_VALUES) else {
            return;
        };
        if value.len() + text.len() > MOST_TARGET {
            return;
        }
        *known = cut(kind);
        if !value.is_empty() {
            value.push('-');
        }
        value.push_str(text);
    }
}
