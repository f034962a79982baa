//! Reading the keys of a map, each with its type, its default and its line in the message when it does not fit.
use crate::{
    problem::Report,
    units,
    yaml::{Name, Node, Yaml},
};

/// A map that is being read.
pub(crate) struct Keys<'a> {
    what: String,
    /// Line of the map.
    pub(crate) line: usize,
    entries: &'a [(Name, Node)],
}

impl<'a> Keys<'a> {
    /// The map, if it is one and every key of it is known.
    pub(crate) fn open(node: &'a Node, what: &str, known: &[&str], report: &mut Report) -> Option<Self> {
        let Some(entries) = node.map() else {
            report.error(node.line, format!("{what}: needed a map, had {}", node.kind()));
            return None;
        };
        for (name, _) in entries.iter().filter(|(n, _)| !known.contains(&n.text.as_str())) {
            report.unknown(name.line, &format!("{what}: unknown key"), &name.text, known.iter().copied());
        }
        Some(Self { what: what.to_owned(), line: node.line, entries })
    }

    /// The value of a key, unless it is absent or null.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Node> {
        self.entries.iter().find(|(n, v)| n.text == key && !matches!(v.value, Yaml::Null)).map(|(_, v)| v)
    }

    /// Line of a key, or of the map.
    pub(crate) fn at(&self, key: &str) -> usize {
        self.entries.iter().find(|(n, _)| n.text == key).map_or(self.line, |(n, _)| n.line)
    }

    fn wrong(&self, key: &str, node: &Node, needed: &str, report: &mut Report) {
        let had = node.scalar().map_or_else(|| node.kind().to_owned(), |t| format!("`{t}`"));
        report.error(node.line, format!("{}: `{key}` needed {needed}, had {had}", self.what));
    }

    fn read<T>(&self, key: &str, needed: &str, report: &mut Report, read: impl Fn(&Node) -> Option<T>) -> Option<T> {
        let node = self.get(key)?;
        let value = read(node);
        if value.is_none() {
            self.wrong(key, node, needed, report);
        }
        value
    }

    /// Text; empty where absent.
    pub(crate) fn text(&self, key: &str, report: &mut Report) -> String {
        self.read(key, "text", report, Node::scalar).unwrap_or_default().trim().to_owned()
    }

    /// Text that must be there.
    pub(crate) fn required(&self, key: &str, report: &mut Report) -> String {
        let text = self.text(key, report);
        if text.is_empty() {
            report.error(self.at(key), format!("{}: needed `{key}`", self.what));
        }
        text
    }

    /// One text or a list of them.
    pub(crate) fn texts(&self, key: &str, report: &mut Report) -> Vec<String> {
        let texts = |node: &Node| match &node.value {
            Yaml::List(list) => list.iter().map(Node::scalar).collect::<Option<Vec<_>>>(),
            _ => node.scalar().map(|t| vec![t]),
        };
        self.read(key, "a list of texts", report, texts).unwrap_or_default()
    }

    pub(crate) fn bool(&self, key: &str, report: &mut Report) -> bool {
        let read = |n: &Node| if let Yaml::Bool(b) = n.value { Some(b) } else { None };
        self.read(key, "true or false", report, read).unwrap_or_default()
    }

    pub(crate) fn number<T: TryFrom<i64>>(&self, key: &str, report: &mut Report) -> Option<T> {
        let read = |n: &Node| if let Yaml::Int(i) = n.value { T::try_from(i).ok() } else { None };
        self.read(key, "a whole number from 0", report, read)
    }

    pub(crate) fn duration(&self, key: &str, report: &mut Report) -> Option<i64> {
        self.read(key, "a duration such as 90s, 5m, 24h or 400d", report, |n| n.text().and_then(units::duration))
    }

    pub(crate) fn moment(&self, key: &str, report: &mut Report) -> Option<i64> {
        self.read(key, "a moment such as +90s or -30d", report, |n| n.text().and_then(units::moment))
    }

    /// One of some words.
    pub(crate) fn word(&self, key: &str, known: &[&str], report: &mut Report) -> Option<String> {
        let node = self.get(key)?;
        let text = node.scalar().unwrap_or_default();
        if known.contains(&text.as_str()) {
            return Some(text);
        }
        let near = lidr_schema::dynamic::nearest(&text, known.iter().copied());
        let hint = lidr_schema::dynamic::hint(&near);
        report
            .error(node.line, format!("{}: `{key}` needed one of {}, had `{text}`{hint}", self.what, known.join(", ")));
        None
    }

    /// Each element of a list.
    pub(crate) fn list(&self, key: &str, report: &mut Report) -> &'a [Node] {
        match self.get(key) {
            None => &[],
            Some(Node { value: Yaml::List(list), .. }) => list,
            Some(other) => {
                self.wrong(key, other, "a list", report);
                &[]
            }
        }
    }

    /// Each entry of a map.
    pub(crate) fn map(&self, key: &str, report: &mut Report) -> &'a [(Name, Node)] {
        match self.get(key) {
            None => &[],
            Some(node) => node.map().unwrap_or_else(|| {
                self.wrong(key, node, "a map", report);
                &[]
            }),
        }
    }
}
