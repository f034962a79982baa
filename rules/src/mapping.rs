//! Sigma's log sources and field names to our tables and columns, from the committed file `mapping.yml`.
//!
//! A rule of a public collection says `category: dns` and `query`; here stands that this is table `dns` and column `qname`. The
//! list is data, so that a log source more is a line more; the first entry whose every key agrees with the rule's is taken.
use std::{collections::BTreeMap, sync::LazyLock};

use lidr_schema::TableId;

use crate::{
    problem::Report,
    yaml::{self, Node},
};

const FILE: &str = include_str!("../mapping.yml");

/// Field names of a log source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// The column that a field is; a name that is not mapped stands for itself.
    pub(crate) fn column<'a>(&'a self, field: &'a str) -> &'a str {
        self.0.get(field).map_or(field, String::as_str)
    }

    /// Whether names stand for themselves.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every mapped name.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// A log source that is known.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    keys: BTreeMap<String, String>,
    /// The table.
    pub(crate) table: TableId,
    /// Its field names.
    pub(crate) fields: Fields,
    /// What a row must be beside the rule's own condition: a selection, if the table holds other things too.
    pub(crate) only: Option<Node>,
}

static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let read = yaml::documents(FILE).ok().and_then(|docs| docs.into_iter().next());
    read.as_ref().and_then(sources).unwrap_or_default()
});

fn sources(doc: &Node) -> Option<Vec<Source>> {
    let common = names(doc.get("fields")?)?;
    let yaml::Yaml::List(list) = &doc.get("sources")?.value else { return None };
    let source = |node: &Node| {
        let mut fields = common.clone();
        fields.extend(node.get("fields").map_or_else(|| Some(BTreeMap::new()), names)?);
        let table = TableId::named(node.get("table")?.text()?)?;
        Some(Source {
            keys: names(node.get("logsource")?)?,
            table,
            fields: Fields(fields),
            only: node.get("only").cloned(),
        })
    };
    list.iter().map(source).collect()
}

fn names(node: &Node) -> Option<BTreeMap<String, String>> {
    node.map()?.iter().map(|(n, v)| Some((n.text.clone(), v.text()?.to_owned()))).collect()
}

/// The table of a `logsource`: our own (`product: lidr`, `category: TABLE`), or one of the mapping.
pub(crate) fn source(node: &Node, report: &mut Report) -> Option<Source> {
    let Some(keys) = names(node) else {
        report.error(node.line, "`logsource`: needed a map of product, category and service");
        return None;
    };
    let known = ["product", "category", "service", "definition"];
    if let Some(name) = keys.keys().find(|k| !known.contains(&k.as_str())) {
        report.unknown(node.line, "`logsource` has no key", name, known);
        return None;
    }
    if keys.get("product").is_some_and(|p| p == "lidr") {
        let name = keys.get("category").map(String::as_str).unwrap_or_default();
        let Some(table) = TableId::named(name) else {
            let tables = lidr_schema::table::ALL.iter().map(|t| t.name());
            report.unknown(node.line, "`logsource`: no table", name, tables);
            return None;
        };
        return Some(Source { keys, table, fields: Fields::default(), only: None });
    }
    let agrees = |s: &&Source| s.keys.iter().all(|(k, v)| keys.get(k).is_some_and(|had| had.eq_ignore_ascii_case(v)));
    let found = SOURCES.iter().find(agrees);
    if found.is_none() {
        let had: Vec<String> =
            keys.iter().filter(|(k, _)| *k != "definition").map(|(k, v)| format!("{k}: {v}")).collect();
        report.error(
            node.line,
            format!("`logsource`: no table for {{{}}}; needed one that mapping.yml lists", had.join(", ")),
        );
    }
    found.cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_mapping_is_read_and_names_real_columns() {
        let doc = yaml::documents(FILE).unwrap().remove(0);
        let sources = sources(&doc).expect("mapping.yml has the shape that the reader needs");
        assert!(sources.len() >= 10, "{} sources", sources.len());
        let common = names(doc.get("fields").unwrap()).unwrap();
        for source in &sources {
            let own = source.fields.0.iter().filter(|(k, v)| common.get(*k) != Some(v));
            for (field, column) in own.chain(&common) {
                assert!(
                    source.table.def().column(column).is_some(),
                    "{field}: {} has no {column}",
                    source.table.name()
                );
            }
        }
    }

    #[test]
    fn a_log_source_finds_its_table() {
        let table = |text: &str| {
            let doc = yaml::documents(text).unwrap().remove(0);
            let mut report = Report::new("x.yml");
            source(&doc, &mut report)
                .map(|s| s.table.name())
                .ok_or(report.errors.iter().map(ToString::to_string).collect::<String>())
        };
        assert_eq!(table("category: dns"), Ok("dns"));
        assert_eq!(table("{product: zeek, service: http}"), Ok("http"));
        assert_eq!(table("{product: lidr, category: mgmt}"), Ok("mgmt"));
        assert_eq!(
            table("{product: lidr, category: mgnt}").unwrap_err(),
            "x.yml:1: `logsource`: no table `mgnt`, did you mean `mgmt`?"
        );
        assert!(
            table("{product: windows, service: security}")
                .unwrap_err()
                .contains("no table for {product: windows, service: security}")
        );
    }
}
