//! YAML as a tree that knows its lines.
//!
//! Every message about a rule file or a mapping of record files names the line it is about; a typed reader would lose it at the
//! first nested key. Size, depth, aliases and duplicate keys are bounded or refused by the reader, because such files may come
//! from anywhere.
use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

/// Most octets of a file.
const MOST_OCTETS: usize = 1 << 20;

/// A value and the line on which it begins.
#[derive(Clone, Debug)]
pub struct Node {
    /// Line, from 1.
    pub line: usize,
    /// What it is.
    pub value: Yaml,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Yaml {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order written.
    Map(Vec<(Name, Node)>),
}

/// A key and its line.
#[derive(Clone, Debug)]
pub struct Name {
    /// Line, from 1.
    pub line: usize,
    /// The key.
    pub text: String,
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Yaml>::deserialize(deserializer)?;
        Ok(Self { line: line(spanned.referenced.line()), value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<String>::deserialize(deserializer)?;
        Ok(Self { line: line(spanned.referenced.line()), text: spanned.value })
    }
}

fn line(of: u64) -> usize {
    usize::try_from(of).unwrap_or_default()
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Yaml;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Null)
    }
    fn visit_none<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Null)
    }
    fn visit_bool<E>(self, v: bool) -> Result<Yaml, E> {
        Ok(Yaml::Bool(v))
    }
    fn visit_i64<E>(self, v: i64) -> Result<Yaml, E> {
        Ok(Yaml::Int(v))
    }
    fn visit_u64<E: serde::de::Error>(self, v: u64) -> Result<Yaml, E> {
        i64::try_from(v).map(Yaml::Int).map_err(|_| E::custom(format!("needed a whole number below 2^63, had {v}")))
    }
    fn visit_f64<E>(self, v: f64) -> Result<Yaml, E> {
        Ok(Yaml::Float(v))
    }
    fn visit_str<E>(self, v: &str) -> Result<Yaml, E> {
        Ok(Yaml::Text(v.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Yaml, A::Error> {
        let mut out = Vec::new();
        while let Some(node) = seq.next_element()? {
            out.push(node);
        }
        Ok(Yaml::List(out))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Yaml, A::Error> {
        let mut out: Vec<(Name, Node)> = Vec::new();
        while let Some(name) = map.next_key::<Name>()? {
            if out.iter().any(|(n, _)| n.text == name.text) {
                return Err(A::Error::custom(format!("key `{}` stands twice", name.text)));
            }
            out.push((name, map.next_value()?));
        }
        Ok(Yaml::Map(out))
    }
}

/// The documents of a file, or the line and the reason why it cannot be read.
///
/// # Errors
/// If it is no YAML, or larger or deeper than allowed.
pub fn documents(text: &str) -> Result<Vec<Node>, (usize, String)> {
    if text.len() > MOST_OCTETS {
        return Err((0, format!("needed a file of at most {MOST_OCTETS} octets, had {}", text.len())));
    }
    let options = serde_saphyr::options! {
        with_snippet: false,
        // `no`, `on` and `n` are names of fields and values of records as often as they are answers.
        strict_booleans: true,
        budget: serde_saphyr::budget! { max_depth: 64, flow_nesting_limit: 64, max_documents: 64, },
    };
    let read: Result<Vec<Node>, _> = serde_saphyr::from_str_multiple_with_options(text, options);
    read.map_err(|error| {
        let at = error.location().map_or(0, |l| line(l.line()));
        let said = error.without_snippet().to_string();
        let first = said.lines().next().unwrap_or("no YAML");
        (at, first.split_once(" at line ").map_or(first, |(message, _)| message).to_owned())
    })
}

impl Node {
    /// Its text, where it is text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Yaml::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Text, or a scalar as it would be written.
    #[must_use]
    pub fn scalar(&self) -> Option<String> {
        match &self.value {
            Yaml::Text(text) => Some(text.clone()),
            Yaml::Int(n) => Some(n.to_string()),
            Yaml::Float(n) => Some(n.to_string()),
            Yaml::Bool(b) => Some(b.to_string()),
            Yaml::Null | Yaml::List(_) | Yaml::Map(_) => None,
        }
    }

    /// Its entries, where it is a map.
    #[must_use]
    pub fn map(&self) -> Option<&[(Name, Self)]> {
        match &self.value {
            Yaml::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value of a key, where it is a map that has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.map()?.iter().find(|(n, _)| n.text == name).map(|(_, node)| node)
    }

    /// What it is, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.value {
            Yaml::Null => "nothing",
            Yaml::Bool(_) => "true or false",
            Yaml::Int(_) => "a whole number",
            Yaml::Float(_) => "a number with a fraction",
            Yaml::Text(_) => "text",
            Yaml::List(_) => "a list",
            Yaml::Map(_) => "a map",
        }
    }

    /// As JSON; lines are lost.
    #[must_use]
    pub fn json(&self) -> Value {
        match &self.value {
            Yaml::Null => Value::Null,
            Yaml::Bool(b) => Value::from(*b),
            Yaml::Int(n) => Value::from(*n),
            Yaml::Float(n) => Value::from(*n),
            Yaml::Text(text) => Value::from(text.as_str()),
            Yaml::List(list) => Value::Array(list.iter().map(Self::json).collect()),
            Yaml::Map(entries) => {
                Value::Object(entries.iter().map(|(n, v)| (n.text.clone(), v.json())).collect::<Map<_, _>>())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_its_line() {
        let docs = documents("a: 1\nb:\n  - x\n  - {c: true}\n---\nd: ~\n").unwrap();
        let [first, second] = docs.as_slice() else { panic!("two documents: {docs:?}") };
        assert_eq!((first.line, second.line), (1, 6));
        let Yaml::List(list) = &first.get("b").unwrap().value else { panic!("a list") };
        assert_eq!(list.iter().map(|n| n.line).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(list[1].map().unwrap()[0].0.line, 4);
        assert_eq!(second.get("d").unwrap().kind(), "nothing");
    }

    #[test]
    fn broken_files_are_refused_with_a_line() {
        assert_eq!(documents("a: 1\nb: [1\n").unwrap_err().0, 2);
        let (line, twice) = documents("a: 1\na: 2\n").unwrap_err();
        assert!(line == 2 && twice.contains("a"), "{line}: {twice}");
        assert!(documents(&"[".repeat(5000)).is_err(), "depth is bounded");
        let bomb = format!(
            "a: &a [x,x,x,x,x,x,x,x,x]\n{}",
            (0..9)
                .map(|i| {
                    let from = if i == 0 { "a".to_owned() } else { format!("a{}", i - 1) };
                    format!("a{i}: &a{i} [{}]\n", vec![format!("*{from}"); 9].join(","))
                })
                .collect::<String>()
        );
        assert!(documents(&bomb).is_err(), "aliases are bounded");
    }
}
