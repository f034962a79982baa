//! What a record says, by the names that its format gives: paths of JSON, columns of CSV, parts of syslog, groups of patterns.
//!
//! A path of JSON is a key, or keys joined by dots (`order.id`, `targets.0.value`); a key that has dots itself is found too. A
//! list of scalars is its values joined by `;`, as in the cells of site tables. An empty value is no value.
use std::borrow::Cow;

use csv::StringRecord;
use serde_json::Value;

use super::{
    mapping::{Format, Mapping},
    syslog::{self, Syslog},
};

/// The field that is the whole record.
pub(super) const LINE: &str = "line";
/// The field that names the pattern which matched.
pub(super) const PATTERN: &str = "pattern";

enum Base<'a> {
    Json(Value),
    Csv(&'a [String], StringRecord),
    Syslog(Syslog<'a>),
    Text,
}

/// The fields of one record.
pub(super) struct Fields<'a> {
    line: &'a str,
    base: Base<'a>,
    groups: Vec<(&'a str, String)>,
}

impl<'a> Fields<'a> {
    /// Takes a record apart; what is wrong with it where it is not of its format.
    pub(super) fn read(mapping: &'a Mapping, header: &'a [String], line: &'a str) -> Result<Self, &'static str> {
        let base = match mapping.format {
            Format::Ndjson => match serde_json::from_str(line) {
                Ok(value @ Value::Object(_)) => Base::Json(value),
                Ok(_) => return Err("not a JSON object"),
                Err(_) => return Err("not JSON"),
            },
            Format::Csv => Base::Csv(header, cells(mapping.delimiter, header.len(), line)?),
            Format::Syslog => Base::Syslog(syslog::parse(line).ok_or("no syslog header")?),
            Format::Text => Base::Text,
        };
        let mut fields = Self { line, base, groups: Vec::new() };
        fields.groups = fields.matched(mapping);
        Ok(fields)
    }

    /// Adds a field that the record itself does not have; what it has goes first.
    pub(super) fn also(&mut self, name: &'static str, text: String) {
        self.groups.push((name, text));
    }

    /// The groups of the first pattern that matches.
    fn matched(&self, mapping: &'a Mapping) -> Vec<(&'a str, String)> {
        for pattern in &mapping.patterns {
            let Some(text) = self.get(&pattern.field) else { continue };
            let Some(found) = pattern.regex.captures(&text) else { continue };
            let names = pattern.regex.capture_names().flatten();
            let groups = names.filter_map(|n| Some((n, found.name(n)?.as_str().to_owned())));
            return std::iter::once((PATTERN, pattern.name.clone())).chain(groups).collect();
        }
        Vec::new()
    }

    /// A field that holds something.
    pub(super) fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let found = match self.groups.iter().find(|(n, _)| *n == name) {
            Some((_, text)) => Some(Cow::Borrowed(text.as_str())),
            None if name == LINE => Some(Cow::Borrowed(self.line)),
            None => match &self.base {
                Base::Json(value) => text_of(at(value, name)?),
                Base::Csv(names, cells) => cells.get(names.iter().position(|n| n == name)?).map(Cow::Borrowed),
                Base::Syslog(syslog) => syslog.get(name),
                Base::Text => None,
            },
        };
        found.filter(|text| !text.trim().is_empty())
    }
}

/// The value at a path.
fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let step = |key: &str| match value {
        Value::Array(list) => key.parse::<usize>().ok().and_then(|i| list.get(i)),
        other => other.get(key),
    };
    if let Some(found) = step(path) {
        return Some(found);
    }
    path.match_indices('.').find_map(|(dot, _)| at(step(path.get(..dot)?)?, path.get(dot + 1..)?))
}

fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Null | Value::Object(_) => None,
        Value::String(text) => Some(text.into()),
        Value::Array(list) => {
            let parts: Vec<_> = list.iter().filter(|v| !v.is_array()).filter_map(text_of).collect();
            Some(parts.join(";").into())
        }
        scalar => Some(scalar.to_string().into()),
    }
}

/// The cells of one CSV record, as many as there are columns.
pub(super) fn cells(delimiter: u8, columns: usize, line: &str) -> Result<StringRecord, &'static str> {
    let mut reader = csv::ReaderBuilder::new();
    let reader = reader
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .buffer_capacity(line.len().max(64));
    let mut record = StringRecord::new();
    match reader.from_reader(line.as_bytes()).read_record(&mut record) {
        Ok(true) if columns == 0 || record.len() == columns => Ok(record),
        Ok(true) if record.len() < columns => Err("fewer cells than columns"),
        Ok(true) => Err("more cells than columns"),
        _ => Err("not CSV"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_json() {
        let value: Value =
            serde_json::from_str(r#"{"a":{"b":1,"c.d":"x"},"a.e":true,"l":[{"v":"y"},2],"m":["p","q",3],"n":null}"#)
                .unwrap();
        let get = |path| at(&value, path).and_then(text_of).map(Cow::into_owned);
        let ok = |path, text: &str| assert_eq!(get(path).as_deref(), Some(text), "{path}");
        ok("a.b", "1");
        ok("a.c.d", "x");
        ok("a.e", "true");
        ok("l.0.v", "y");
        ok("l.1", "2");
        ok("m", "p;q;3");
        for path in ["", ".", "a", "a.", "n", "l.7", "a.b.c", "zz"] {
            assert_eq!(get(path), None, "{path}");
        }
    }

    #[test]
    fn cells_of_csv() {
        let read = |line| cells(b';', 3, line).map(|r| r.iter().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(read("a;\"b;\"\"c\nd\"; ").unwrap(), ["a", "b;\"c\nd", ""]);
        assert_eq!(read("a;b"), Err("fewer cells than columns"));
        assert_eq!(read("a;b;c;d"), Err("more cells than columns"));
    }
}
