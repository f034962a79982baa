//! Reads a mapping file and checks it.
//!
//! Everything that can be wrong with it is said when it is loaded, all at once, with its line: keys that do not exist, columns
//! that the table has not, constants that do not fit, identifiers without a kind, fields that no pattern names. What remains for
//! the run is what a record itself gets wrong. CONTRIBUTING says how a mapping is written.
use std::collections::BTreeMap;

use lidr_schema::{
    Kind, TableDef, TableId,
    problem::{Problem, Report},
    yaml::{self, Node, Yaml},
};
use regex::Regex;

use super::{
    cell::{self, Cell},
    fields,
    glob::Glob,
    mapping::{Column, Format, KindOf, Mapping, Pattern, Rows, Source, When},
    syslog,
    time::{self, Time},
};

/// Tables that records may become rows of, and the columns that each of their rows must say.
const TABLES: [(TableId, &[&str]); 3] =
    [(TableId::Tasking, &["op"]), (TableId::Auth, &["service"]), (TableId::Mgmt, &["protocol", "op"])];
/// Columns that lidr fills itself.
const OWN: [&str; 13] = [
    "ts",
    "due",
    "sensor",
    "capture",
    "frame",
    "n",
    "file",
    "decoder",
    "trust",
    "targets",
    "target_list",
    "dids",
    "target_kind",
];

/// Reads a mapping file, or says everything that is wrong with it.
pub(super) fn compile(file: &str, name: &str, text: &str) -> Result<Mapping, Vec<Problem>> {
    let mut report = Report::new(file);
    let doc = match yaml::documents(text) {
        Ok(docs) if docs.len() == 1 => docs.into_iter().next(),
        Ok(docs) => {
            report.error(0, format!("needed one YAML document, had {}", docs.len()));
            None
        }
        Err((line, message)) => {
            report.error(line, message);
            None
        }
    };
    let mapping =
        doc.and_then(|doc| Reading { report: &mut report, fields: Vec::new() }.mapping(&doc, file, name, text));
    match mapping {
        Some(mapping) if report.errors.is_empty() => Ok(mapping),
        _ => Err(report.errors),
    }
}

struct Reading<'r> {
    report: &'r mut Report,
    fields: Vec<(usize, String)>,
}

impl Reading<'_> {
    fn mapping(&mut self, doc: &Node, file: &str, name: &str, text: &str) -> Option<Mapping> {
        const KEYS: [&str; 11] = [
            "title",
            "description",
            "format",
            "files",
            "listeners",
            "delimiter",
            "columns",
            "time",
            "patterns",
            "skip",
            "rows",
        ];
        self.keys(doc, &KEYS)?;
        let title = self.needed(doc, "title")?.scalar().unwrap_or_default();
        let format = self.needed(doc, "format").and_then(|n| self.format(n))?;
        let globs = if doc.get("listeners").is_none() { self.needed(doc, "files") } else { doc.get("files") };
        let globs = self.globs(globs);
        let listeners = self.globs(doc.get("listeners"));
        if let Some(node) = doc.get("listeners").filter(|_| format != Format::Syslog) {
            self.report.error(node.line, "`listeners` hear syslog: needed `format: syslog`");
        }
        let header = doc.get("columns").map(|n| self.words(n).into_iter().map(|(_, word)| word).collect());
        let (time, time_fields) = self.record_time(doc, format)?;
        let patterns = self.list(doc, "patterns").iter().filter_map(|n| self.pattern(n)).collect();
        let skip = self.list(doc, "skip").iter().filter_map(|n| self.skip(n)).collect();
        let rows: Vec<Rows> = self.list(doc, "rows").iter().filter_map(|n| self.rows(n, &time)).collect();
        if rows.is_empty() && self.report.errors.is_empty() {
            self.report.error(doc.line, "needed `rows`: a list of {table, columns}");
        }
        let mapping = Mapping {
            file: file.to_owned(),
            name: name.to_owned(),
            title,
            text: text.to_owned(),
            format,
            globs,
            listeners,
            delimiter: self.delimiter(doc)?,
            header,
            time,
            time_fields,
            patterns,
            skip,
            rows,
            fields: std::mem::take(&mut self.fields),
        };
        self.known_fields(&mapping);
        Some(mapping)
    }

    fn globs(&mut self, node: Option<&Node>) -> Vec<(String, Glob)> {
        let words = node.map(|n| self.words(n)).unwrap_or_default();
        words.into_iter().filter_map(|(_, g)| Some((g.clone(), Glob::new(&g)?))).collect()
    }

    fn format(&mut self, node: &Node) -> Option<Format> {
        match node.scalar().unwrap_or_default().as_str() {
            "ndjson" => Some(Format::Ndjson),
            "csv" => Some(Format::Csv),
            "syslog" => Some(Format::Syslog),
            "text" => Some(Format::Text),
            other => {
                self.report.unknown(
                    node.line,
                    "needed ndjson, csv, syslog or text, had",
                    other,
                    ["ndjson", "csv", "syslog", "text"],
                );
                None
            }
        }
    }

    fn delimiter(&mut self, doc: &Node) -> Option<u8> {
        let Some(node) = doc.get("delimiter") else { return Some(b',') };
        match node.scalar().unwrap_or_default().as_bytes() {
            b"\\t" => Some(b'\t'),
            [one] if one.is_ascii() => Some(*one),
            _ => {
                self.report.error(node.line, "`delimiter`: needed one character, for instance ';'");
                None
            }
        }
    }

    fn record_time(&mut self, doc: &Node, format: Format) -> Option<(Time, Vec<String>)> {
        let (name, field) = if format == Format::Syslog { ("syslog", "timestamp") } else { ("rfc3339", "") };
        let node = doc.get("time");
        if let Some(node) = node {
            self.keys(node, &["field", "format", "zone", "year"])?;
        }
        let fields = match node.and_then(|n| n.get("field")) {
            Some(n) => self.words(n),
            None => vec![(doc.line, field.to_owned())],
        };
        if fields.iter().any(|(_, f)| f.is_empty()) {
            self.report.error(
                node.map_or(doc.line, |n| n.line),
                "needed `time: {field: …}`: which field says when a record happened",
            );
        }
        self.fields.extend(fields.iter().cloned());
        let fields = fields.into_iter().map(|(_, f)| f).collect();
        Some((self.time(node, time::Format::named(name)?, jiff::tz::TimeZone::UTC)?, fields))
    }

    /// `format`, `zone` and `year` of a map, with defaults.
    fn time(&mut self, node: Option<&Node>, format: time::Format, zone: jiff::tz::TimeZone) -> Option<Time> {
        let mut time = Time { format, zone, year: None };
        let word = |name: &str| node.and_then(|n| n.get(name)).map(|n| (n.line, n.scalar().unwrap_or_default()));
        if let Some((line, name)) = word("format") {
            let Some(format) = time::Format::named(&name) else {
                let needed =
                    "needed rfc3339, epoch, epoch_ms, epoch_us, syslog or a pattern such as `%d.%m.%Y %H:%M:%S`";
                self.report.error(line, format!("{needed}, had `{name}`"));
                return None;
            };
            time.format = format;
        }
        if let Some((line, name)) = word("zone") {
            let Some(zone) = time::zone(&name) else {
                self.report.error(
                    line,
                    format!(
                        "no time zone `{name}` here: needed UTC, an offset such as +01:00, or a name of the tz database"
                    ),
                );
                return None;
            };
            time.zone = zone;
        }
        if let Some((line, year)) = word("year") {
            time.year = year.parse().ok().filter(|y| (1990..2100).contains(y));
            if time.year.is_none() {
                self.report.error(line, format!("`year`: needed a year, had `{year}`"));
            }
        }
        Some(time)
    }

    fn pattern(&mut self, node: &Node) -> Option<Pattern> {
        self.keys(node, &["name", "field", "regex"])?;
        let regex = self.needed(node, "regex")?;
        let (line, text) = (regex.line, regex.scalar().unwrap_or_default());
        let regex = match Regex::new(&text) {
            Ok(regex) => regex,
            Err(error) => {
                let said = error.to_string();
                let last = said.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                self.report.error(line, format!("`regex`: {last}"));
                return None;
            }
        };
        let text = |name: &str| node.get(name).and_then(Node::scalar);
        let field = text("field").unwrap_or_else(|| fields::LINE.to_owned());
        self.fields.push((line, field.clone()));
        Some(Pattern { name: text("name").unwrap_or_default(), field, regex })
    }

    fn skip(&mut self, node: &Node) -> Option<(When, String)> {
        self.keys(node, &["when", "reason"])?;
        let reason = self.needed(node, "reason")?.scalar().unwrap_or_default();
        let when = self.needed(node, "when")?;
        Some((self.when(when)?, reason))
    }

    fn when(&mut self, node: &Node) -> Option<When> {
        let Some(entries) = node.map() else {
            self.report.error(
                node.line,
                format!("`when`: needed {{field: value}} or {{field: [value, …]}}, had {}", node.kind()),
            );
            return None;
        };
        let mut all = Vec::new();
        for (name, values) in entries {
            self.fields.push((name.line, name.text.clone()));
            let values = self.words(values).into_iter().filter_map(|(_, v)| Glob::new(&v)).collect();
            all.push((name.text.clone(), values));
        }
        Some(When(all))
    }

    fn rows(&mut self, node: &Node, time: &Time) -> Option<Rows> {
        self.keys(node, &["table", "when", "columns"])?;
        let named = self.needed(node, "table")?;
        let name = named.scalar().unwrap_or_default();
        let Some((table, needed)) = TABLES.into_iter().find(|(t, _)| t.name() == name) else {
            self.report.unknown(
                named.line,
                "needed table tasking, auth or mgmt, had",
                &name,
                TABLES.map(|(t, _)| t.name()),
            );
            return None;
        };
        let when = match node.get("when") {
            Some(when) => self.when(when)?,
            None => When::default(),
        };
        let columns = self.needed(node, "columns")?;
        let Some(entries) = columns.map() else {
            self.report.error(columns.line, format!("`columns`: needed {{column: field}}, had {}", columns.kind()));
            return None;
        };
        let columns: Vec<Column> =
            entries.iter().filter_map(|(name, node)| self.column(table.def(), name, node, time)).collect();
        for name in needed.iter().filter(|n| !entries.iter().any(|(e, _)| e.text == **n)) {
            self.report.error(node.line, format!("rows of `{}` need column `{name}`", table.name()));
        }
        Some(Rows { table, when, columns })
    }

    fn column(&mut self, def: &'static TableDef, name: &yaml::Name, node: &Node, time: &Time) -> Option<Column> {
        let Some(column) = def.column(&name.text) else {
            self.report.unknown(
                name.line,
                &format!("table `{}` has no column", def.name),
                &name.text,
                def.columns.iter().map(|c| c.name),
            );
            return None;
        };
        if OWN.contains(&column.name) {
            self.report.error(name.line, format!("column `{}` is filled by lidr itself", column.name));
            return None;
        }
        let cell = Cell::of(column)?;
        let nodes = match &node.value {
            Yaml::List(list) => list.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let mut sources = Vec::new();
        for node in nodes {
            let source = self.source(node, cell, time)?;
            self.check(def, column.name, cell, &source);
            sources.push(source);
        }
        Some(Column { name: column.name, cell, sources })
    }

    fn source(&mut self, node: &Node, cell: Cell, time: &Time) -> Option<Source> {
        let mut source = Source { line: node.line, ..Source::default() };
        if node.map().is_none() {
            source.field = node.scalar().unwrap_or_default();
            self.fields.push((node.line, source.field.clone()));
            return Some(source);
        }
        self.keys(node, &["is", "field", "map", "else", "kind", "split", "format", "zone"])?;
        let text = |name: &str| node.get(name).and_then(Node::scalar);
        (source.is, source.other, source.split) = (text("is"), text("else"), text("split"));
        match (&source.is, text("field")) {
            (None, Some(field)) => {
                self.fields.push((node.line, field.clone()));
                source.field = field;
            }
            (Some(_), None) => {}
            _ => self.report.error(node.line, "needed either `field` or `is`"),
        }
        if source.split.as_deref() == Some("") {
            self.report.error(node.line, "`split`: needed what stands between the values, for instance ','");
        }
        if let Some(map) = node.get("map") {
            let entries = map.map().unwrap_or_default();
            source.map =
                Some(entries.iter().map(|(n, v)| (n.text.to_lowercase(), v.scalar().unwrap_or_default())).collect());
        }
        if let Some(kind) = node.get("kind") {
            source.kind = self.kind(kind, time);
        }
        if cell == Cell::Time && (node.get("format").is_some() || node.get("zone").is_some()) {
            source.time = Some(self.time(Some(node), time.format.clone(), time.zone.clone())?);
        }
        Some(source)
    }

    fn kind(&mut self, node: &Node, time: &Time) -> Option<KindOf> {
        if node.map().is_some() {
            let told = self.source(node, Cell::Name, time)?;
            let names = told.map.iter().flat_map(BTreeMap::values).chain(&told.other).chain(&told.is);
            for name in names.filter(|n| Kind::named(n).is_none()) {
                self.report.error(told.line, no_kind(name));
            }
            return Some(KindOf::Told(Box::new(told)));
        }
        let name = node.scalar().unwrap_or_default();
        let kind = Kind::named(&name);
        if kind.is_none() {
            self.report.error(node.line, no_kind(&name));
        }
        kind.map(KindOf::Is)
    }

    /// What can be said of a source before there is a record.
    fn check(&mut self, def: &TableDef, column: &str, cell: Cell, source: &Source) {
        if cell == Cell::Pseudonym {
            if source.kind.is_none() && cell::own_kind(column).is_none() {
                let example =
                    format!("`{column}` is an identifier: needed its `kind`, for instance {{field: …, kind: imsi}}");
                self.report.error(source.line, example);
            }
            if source.is.is_some() {
                self.report.error(source.line, format!("`{column}` is an identifier: it cannot be a constant"));
            }
            return;
        }
        let constants = source.map.iter().flat_map(BTreeMap::values).chain(&source.other).chain(&source.is);
        for value in constants.filter(|v| !v.is_empty()) {
            if let Err(needed) = cell::check(def.name, column, cell, value) {
                self.report.error(source.line, format!("`{column}`: needed {needed}, had `{value}`"));
            }
        }
    }

    /// Fields that no record of this format can have.
    fn known_fields(&mut self, mapping: &Mapping) {
        let groups: Vec<&str> = mapping.patterns.iter().flat_map(|p| p.regex.capture_names().flatten()).collect();
        let own: &[&str] = match mapping.format {
            Format::Ndjson => return,
            Format::Csv if mapping.header.is_none() => return,
            Format::Csv | Format::Text => &[],
            Format::Syslog => &syslog::FIELDS,
        };
        let header = mapping.header.iter().flatten().map(String::as_str);
        let known: Vec<&str> =
            own.iter().copied().chain(header).chain(groups).chain([fields::LINE, fields::PATTERN]).collect();
        for (line, name) in &mapping.fields {
            let structured = mapping.format == Format::Syslog && name.starts_with("sd.");
            if !known.contains(&name.as_str()) && !structured {
                self.report.unknown(*line, "records of this format have no field", name, known.iter().copied());
            }
        }
    }

    fn keys(&mut self, node: &Node, known: &[&str]) -> Option<()> {
        let Some(entries) = node.map() else {
            self.report.error(node.line, format!("needed a map with {}, had {}", known.join(", "), node.kind()));
            return None;
        };
        for (name, _) in entries.iter().filter(|(n, _)| !known.contains(&n.text.as_str())) {
            self.report.unknown(name.line, "no key", &name.text, known.iter().copied());
        }
        Some(())
    }

    fn needed<'n>(&mut self, node: &'n Node, name: &str) -> Option<&'n Node> {
        let found = node.get(name);
        if found.is_none() {
            self.report.error(node.line, format!("needed `{name}`"));
        }
        found
    }

    fn list(&mut self, doc: &Node, name: &str) -> Vec<Node> {
        match doc.get(name).map(|n| (n, &n.value)) {
            Some((_, Yaml::List(list))) => list.clone(),
            Some((node, _)) => {
                self.report.error(node.line, format!("`{name}`: needed a list, had {}", node.kind()));
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// A scalar, or a list of scalars.
    fn words(&mut self, node: &Node) -> Vec<(usize, String)> {
        let nodes = match &node.value {
            Yaml::List(list) => list.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let mut out = Vec::new();
        for node in nodes {
            match node.scalar() {
                Some(word) => out.push((node.line, word)),
                None => {
                    self.report.error(node.line, format!("needed a value or a list of values, had {}", node.kind()))
                }
            }
        }
        out
    }
}

fn no_kind(name: &str) -> String {
    format!(
        "no kind of identifier `{name}`: needed e164, imsi, imei, nai, sip, tel, ip, prefix, xid, liid, cccid, order, circuit or other"
    )
}
