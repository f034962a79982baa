//! X1 containers to messages.
use quick_xml::{
    NsReader,
    events::{BytesStart, Event},
    name::ResolveResult,
};

use super::NAMESPACE;

/// Levels of elements.
const MOST_DEPTH: usize = 64;
/// Messages of one container.
const MOST_MESSAGES: usize = 1024;
/// Targets or destinations of one message.
const MOST_VALUES: usize = 256;

/// One request or response message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// Type without `Request` or `Response`.
    pub(crate) kind: String,
    /// It answers.
    pub(crate) response: bool,
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
    pub(crate) liid: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) port: Option<String>,
    pub(crate) delivery: Option<String>,
    pub(crate) end_time: Option<String>,
    pub(crate) error_code: Option<u32>,
    /// Tasks, destinations and objects returned.
    pub(crate) entries: u32,
    /// The common elements are there and the transaction is a UUID.
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
        let ours = matches!(resolved, ResolveResult::Bound(ns) if text_of(ns.as_ref()) == NAMESPACE);
        match event {
            Event::DocType(_) => return Err("dtd"),
            Event::GeneralRef(entity) => state.reference(&text_of(&*entity))?,
            Event::Start(start) => state.start(&start, ours)?,
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

#[derive(Default)]
struct State {
    path: Vec<String>,
    text: String,
    messages: Vec<Message>,
    current: Option<Message>,
    is_x1: bool,
}

impl State {
    fn start(&mut self, start: &BytesStart<'_>, ours: bool) -> Result<(), &'static str> {
        if self.path.len() >= MOST_DEPTH {
            return Err("depth");
        }
        self.text.clear();
        let name = text_of(start.local_name().as_ref());
        if self.path.is_empty() {
            self.is_x1 = ours && matches!(name.as_str(), "X1Request" | "X1Response" | "X1TopLevelErrorResponse");
            if name == "X1TopLevelErrorResponse" {
                let top = Message { kind: "TopLevelError".into(), response: true, error: true, top_level: true, ..Message::default() };
                self.current = Some(top);
            }
        }
        if ours && matches!(name.as_str(), "x1RequestMessage" | "x1ResponseMessage") {
            if self.messages.len() >= MOST_MESSAGES {
                return Err("too many messages");
            }
            self.current = Some(message(start, name == "x1ResponseMessage"));
        }
        if matches!(name.as_str(), "taskResponseDetails" | "destinationResponseDetails" | "genericObjectResponseDetails")
            && let Some(m) = &mut self.current
        {
            m.entries += 1;
        }
        self.path.push(name);
        Ok(())
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
        let Some(name) = self.path.pop() else { return };
        if matches!(name.as_str(), "x1RequestMessage" | "x1ResponseMessage" | "X1TopLevelErrorResponse") {
            if let Some(mut m) = self.current.take() {
                m.schema_ok = m.admf.is_some() && m.ne.is_some() && (m.top_level || m.transaction.as_deref().is_some_and(is_uuid));
                self.messages.push(m);
            }
            return;
        }
        let text = text.trim();
        if let Some(m) = &mut self.current
            && !text.is_empty()
        {
            value(m, &self.path, &name, text);
        }
    }

    fn done(self) -> Result<Vec<Message>, &'static str> {
        match (self.is_x1, self.path.is_empty()) {
            (true, true) => Ok(self.messages),
            (true, false) => Err("cut"),
            (false, _) => Err("root element"),
        }
    }
}

fn character(entity: &str) -> Option<char> {
    let number = entity.strip_prefix('#')?;
    let code = number.strip_prefix('x').map_or_else(|| number.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok());
    code.and_then(char::from_u32)
}

fn message(start: &BytesStart<'_>, response: bool) -> Message {
    let of_type = |a: &quick_xml::events::attributes::Attribute<'_>| text_of(a.key.local_name().as_ref()) == "type";
    let found = start.attributes().take(32).flatten().find(of_type);
    let full = found.map(|a| text_of(a.value.as_ref())).unwrap_or_default();
    let kind = full.rsplit(':').next().unwrap_or_default();
    let error = kind == "ErrorResponse";
    let bare = kind.strip_suffix(if response { "Response" } else { "Request" }).unwrap_or(kind);
    Message { kind: bare.to_owned(), response, error, ..Message::default() }
}

fn value(m: &mut Message, path: &[String], name: &str, text: &str) {
    let under = |parent: &str| path.iter().any(|p| p == parent);
    let parent = path.last().map_or("", String::as_str);
    let put = |place: &mut Option<String>| {
        place.get_or_insert_with(|| text.to_owned());
    };
    if let Some(at) = path.iter().position(|p| p == "targetIdentifier") {
        let kind = path.get(at + 1).map_or(name, String::as_str);
        if m.targets.len() < MOST_VALUES {
            m.targets.push((kind.to_owned(), text.to_owned()));
        }
        return;
    }
    match name {
        "admfIdentifier" => put(&mut m.admf),
        "neIdentifier" => put(&mut m.ne),
        "x1TransactionId" => put(&mut m.transaction),
        "xId" if parent == "ListOfXIDs" => m.entries += 1,
        "dId" if parent == "ListOfDIDs" => m.entries += 1,
        "xId" => put(&mut m.xid),
        "dId" if m.dids.len() < MOST_VALUES && !m.dids.iter().any(|d| d == text) => m.dids.push(text.to_owned()),
        "LIID" => put(&mut m.liid),
        "IPv4Address" | "IPv6Address" if under("deliveryAddress") => put(&mut m.address),
        "TCPPort" | "UDPPort" if under("deliveryAddress") => put(&mut m.port),
        "deliveryType" if parent != "mediationDetails" => put(&mut m.delivery),
        "EndTime" => put(&mut m.end_time),
        "errorCode" if parent == "errorInformation" => m.error_code = text.parse().ok(),
        "requestMessageType" if m.error => m.kind = text.to_owned(),
        _ => {}
    }
}

/// 8-4-4-4-12 hexadecimal digits; upper case is against the schema but met.
fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}
