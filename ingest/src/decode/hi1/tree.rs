//! A message of TS 103 120 as a tree of named nodes, whether it came as XML or as JSON.
//!
//! Names are local names; `xsi:type` is the node's kind without its prefix. Document type declarations and entities of one's own
//! are refused; depth and the number of nodes are bounded.
use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};
use serde_json::Value;

/// Levels of elements.
const MOST_DEPTH: usize = 48;
/// Elements of one message.
const MOST_NODES: usize = 20_000;

/// An element or a JSON member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) text: String,
    pub(super) children: Vec<Node>,
}

impl Node {
    /// The first child of that name.
    pub(super) fn child(&self, name: &str) -> Option<&Node> {
        self.children.iter().find(|c| c.name == name)
    }

    /// The node at the end of a path of first children.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, name| node.child(name))
    }

    /// The text of the node at the end of a path; none where it is empty.
    pub(super) fn text_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path).map(|n| n.text.as_str()).filter(|t| !t.is_empty())
    }

    /// Every node of that name below this one, in order, those inside another of the name left out.
    pub(super) fn all<'a>(&'a self, name: &str, out: &mut Vec<&'a Node>) {
        for child in &self.children {
            match child.name == name {
                true => out.push(child),
                false => child.all(name, out),
            }
        }
    }
}

fn local(name: &str) -> &str {
    name.rsplit(['}', ':']).next().unwrap_or(name)
}

/// Reads XML.
pub(super) fn xml(text: &str) -> Result<Node, &'static str> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().trim_text(true);
    reader.config_mut().expand_empty_elements = true;
    let (mut open, mut count): (Vec<Node>, usize) = (vec![Node::default()], 0);
    loop {
        match reader.read_event().map_err(|_| "xml")? {
            Event::DocType(_) => return Err("dtd"),
            Event::GeneralRef(entity) => {
                let letter = match &*entity {
                    "amp" => '&',
                    "lt" => '<',
                    "gt" => '>',
                    "quot" => '"',
                    "apos" => '\'',
                    _ => return Err("entity"),
                };
                if let Some(node) = open.last_mut() {
                    node.text.push(letter);
                }
            }
            Event::Start(start) => {
                count += 1;
                if open.len() > MOST_DEPTH || count > MOST_NODES {
                    return Err("depth or number of elements");
                }
                open.push(element(&start));
            }
            Event::Text(part) => say(&mut open, &part),
            Event::CData(part) => say(&mut open, &part),
            Event::End(_) => close(&mut open),
            Event::Eof => break,
            _ => {}
        }
    }
    match (open.len(), open.pop().and_then(|mut top| top.children.pop())) {
        (1, Some(root)) => Ok(root),
        _ => Err("cut"),
    }
}

fn say(open: &mut [Node], part: &str) {
    if let Some(node) = open.last_mut() {
        node.text.push_str(part.trim());
    }
}

fn close(open: &mut Vec<Node>) {
    let Some(node) = open.pop() else { return };
    if let Some(parent) = open.last_mut() {
        parent.children.push(node);
    }
}

fn element(start: &BytesStart<'_>) -> Node {
    let name = start.local_name().as_ref().to_owned();
    let of_type = |a: &quick_xml::events::attributes::Attribute<'_>| a.key.local_name().as_ref() == "type";
    let found = start.attributes().take(32).flatten().find(of_type);
    let kind = found.map(|a| a.value.into_owned()).unwrap_or_default();
    Node { name, kind: local(&kind).to_owned(), ..Node::default() }
}

/// Reads JSON: a member is an element, a list is the element repeated, `@xsi:type` is its kind.
pub(super) fn json(text: &str) -> Result<Node, &'static str> {
    let value: Value = serde_json::from_str(text).map_err(|_| "json")?;
    let mut count = 0;
    let mut top = Node::default();
    members(&mut top, &value, 0, &mut count)?;
    match top.child("HI1Message").cloned() {
        Some(root) => Ok(root),
        // The root's name may be left out.
        None if top.child("Header").is_some() => Ok(Node { name: "HI1Message".to_owned(), ..top }),
        None => Err("root element"),
    }
}

fn members(node: &mut Node, value: &Value, depth: usize, count: &mut usize) -> Result<(), &'static str> {
    *count += 1;
    if depth > MOST_DEPTH || *count > MOST_NODES {
        return Err("depth or number of elements");
    }
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                match (name.strip_prefix('@'), inner) {
                    (Some(attribute), Value::String(kind)) if local(attribute) == "type" => {
                        node.kind = local(kind).to_owned()
                    }
                    (Some(_), _) => {}
                    (None, Value::Array(list)) => {
                        for item in list {
                            node.children.push(member(name, item, depth, count)?);
                        }
                    }
                    (None, inner) => node.children.push(member(name, inner, depth, count)?),
                }
            }
        }
        Value::String(text) => node.text = text.trim().to_owned(),
        Value::Array(list) => {
            for item in list {
                members(node, item, depth + 1, count)?;
            }
        }
        Value::Null => {}
        other => node.text = other.to_string(),
    }
    Ok(())
}

fn member(name: &str, value: &Value, depth: usize, count: &mut usize) -> Result<Node, &'static str> {
    let mut node = Node { name: local(name).to_owned(), ..Node::default() };
    members(&mut node, value, depth + 1, count)?;
    Ok(node)
}
