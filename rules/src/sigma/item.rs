//! A selection: maps (all of their tests), lists of maps (any), lists of words (keywords in any text column).
use lidr_schema::TableId;
use rsigma_parser::{FieldSpec, Modifier, SigmaString, SpecialChar, StringPart, parse_field_spec};

use super::{and, column, column::Kind, or};
use crate::{
    Expr, Literal, Op, Test,
    mapping::Fields,
    problem::Report,
    yaml::{Node, Yaml},
};

/// Modifiers that are read, for "did you mean".
const MODIFIERS: &[&str] = &[
    "contains",
    "startswith",
    "endswith",
    "all",
    "re",
    "i",
    "m",
    "s",
    "cidr",
    "exists",
    "cased",
    "lt",
    "lte",
    "gt",
    "gte",
    "neq",
];

/// A selection as an expression.
pub(super) fn selection(node: &Node, table: TableId, fields: &Fields, report: &mut Report) -> Option<Expr> {
    match &node.value {
        Yaml::Map(entries) => {
            let parts: Vec<Option<Expr>> =
                entries.iter().map(|(n, v)| item(&n.text, n.line, v, table, fields, report)).collect();
            if parts.is_empty() {
                report.error(node.line, "a selection is empty");
                return None;
            }
            parts.into_iter().collect::<Option<Vec<_>>>().map(and)
        }
        Yaml::List(list) if !list.is_empty() && list.iter().all(|n| n.map().is_some()) => {
            let parts: Vec<Option<Expr>> = list.iter().map(|n| selection(n, table, fields, report)).collect();
            parts.into_iter().collect::<Option<Vec<_>>>().map(or)
        }
        Yaml::List(_) | Yaml::Text(_) | Yaml::Int(_) => keywords(&[], node, table, report),
        _ => {
            report.error(
                node.line,
                format!("a selection: needed a map, a list of maps or a list of words, had {}", node.kind()),
            );
            None
        }
    }
}

fn item(key: &str, line: usize, node: &Node, table: TableId, fields: &Fields, report: &mut Report) -> Option<Expr> {
    let spec = spec(key, line, report)?;
    let Some(field) = &spec.name else { return keywords(&spec.modifiers, node, table, report) };
    let name = fields.column(field);
    let Some(column) = table.def().column(name) else {
        let known = table.def().columns.iter().map(|c| c.name).chain(fields.names());
        report.unknown(line, &format!("table `{}` has no field", table.name()), field, known);
        return None;
    };
    match tests(name, Kind::of(column), &spec, node) {
        Ok(expr) => Some(expr),
        Err((at, message)) => {
            report.error(if at > 0 { at } else { line }, format!("`{key}`: {message}"));
            None
        }
    }
}

fn spec(key: &str, line: usize, report: &mut Report) -> Option<FieldSpec> {
    let unread = key.split('|').skip(1).find(|m| !MODIFIERS.contains(m) && m.parse::<Modifier>().map_or(true, refused));
    if let Some(modifier) = unread {
        report.unknown(line, &format!("`{key}`: unknown modifier"), modifier, MODIFIERS.iter().copied());
        return None;
    }
    match parse_field_spec(key) {
        Ok(spec) => Some(spec),
        Err(error) => {
            report.error(line, format!("`{key}`: {error}"));
            None
        }
    }
}

fn refused(modifier: Modifier) -> bool {
    use Modifier as M;
    !matches!(
        modifier,
        M::Contains
            | M::StartsWith
            | M::EndsWith
            | M::All
            | M::Re
            | M::Cidr
            | M::Exists
            | M::Cased
            | M::Lt
            | M::Lte
            | M::Gt
            | M::Gte
            | M::Neq
            | M::IgnoreCase
            | M::Multiline
            | M::DotAll
    )
}

/// What is wrong, with its line where it differs from the key's.
type Bad = (usize, String);

fn tests(name: &str, kind: Kind, spec: &FieldSpec, node: &Node) -> Result<Expr, Bad> {
    let values: Vec<&Node> = match &node.value {
        Yaml::List(list) => list.iter().collect(),
        _ => vec![node],
    };
    if values.is_empty() {
        return Err((node.line, "needed at least one value".to_owned()));
    }
    let test = |op, values| Expr::Test(Test { column: name.to_owned(), op, all: false, values });
    if spec.has_modifier(Modifier::Exists) {
        return match node.value {
            Yaml::Bool(there) => Ok(test(if there { Op::Exists } else { Op::Missing }, Vec::new())),
            _ => Err((node.line, format!("`exists` needs true or false, had {}", node.kind()))),
        };
    }
    let all = spec.has_modifier(Modifier::All);
    let mut grouped: Vec<(Op, Vec<Literal>)> = Vec::new();
    for value in values {
        let (op, literal) = read(kind, spec, value).map_err(|message| (value.line, message))?;
        match grouped.iter_mut().find(|(o, _)| *o == op) {
            Some((_, literals)) => literals.extend(literal),
            None => grouped.push((op, literal.into_iter().collect())),
        }
    }
    let parts =
        grouped.into_iter().map(|(op, values)| Expr::Test(Test { column: name.to_owned(), op, all, values })).collect();
    let joined = if all { and(parts) } else { or(parts) };
    Ok(if spec.has_modifier(Modifier::Neq) { Expr::Not(Box::new(joined)) } else { joined })
}

fn read(kind: Kind, spec: &FieldSpec, node: &Node) -> Result<(Op, Option<Literal>), String> {
    if matches!(node.value, Yaml::Null) {
        return Ok((Op::Missing, None));
    }
    let Some(text) = node.scalar() else { return Err(format!("needed a value, had {}", node.kind())) };
    let (op, literal) = match (kind, order(spec)) {
        (Kind::Int, Some(op)) => (op, Literal::Int(int(&text)?)),
        (_, Some(_)) => return Err("lt, lte, gt and gte need a column of whole numbers".to_owned()),
        (Kind::Int, None) => (Op::Equal, Literal::Int(int(&text)?)),
        (Kind::Bool, None) => {
            (Op::Equal, Literal::Bool(text.parse().map_err(|_| format!("needed true or false, had `{text}`"))?))
        }
        (Kind::Address, None) => (Op::Cidr, Literal::Cidr(range(&text, spec)?)),
        (Kind::Text, None) => word(&text, &spec.modifiers)?,
        (Kind::Pseudonym, None) => return Err("holds keyed hashes: needed `exists` or null".to_owned()),
        (Kind::Time, None) => return Err("holds a time: needed `exists` or null".to_owned()),
    };
    Ok((op, Some(literal)))
}

fn order(spec: &FieldSpec) -> Option<Op> {
    let of = |m: &Modifier| match m {
        Modifier::Lt => Some(Op::Lt),
        Modifier::Lte => Some(Op::Lte),
        Modifier::Gt => Some(Op::Gt),
        Modifier::Gte => Some(Op::Gte),
        _ => None,
    };
    spec.modifiers.iter().find_map(of)
}

fn int(text: &str) -> Result<i64, String> {
    text.trim().parse().map_err(|_| format!("needed a whole number, had `{text}`"))
}

/// An address, a range, or IPv4 written as text with its last octets left open (`10.`, `192.168.*`).
fn range(text: &str, spec: &FieldSpec) -> Result<lidr_schema::Cidr, String> {
    if let Ok(range) = text.parse() {
        return Ok(range);
    }
    let open = text.strip_suffix('*').or_else(|| spec.has_modifier(Modifier::StartsWith).then_some(text));
    let octets: Vec<&str> = open.and_then(|o| o.strip_suffix('.')).map(|o| o.split('.').collect()).unwrap_or_default();
    let full = octets.iter().copied().chain(std::iter::repeat("0")).take(4).collect::<Vec<_>>().join(".");
    match (1..=3).contains(&octets.len()) {
        true => format!("{full}/{}", octets.len() * 8).parse().map_err(|_| not_an_address(text)),
        false => Err(not_an_address(text)),
    }
}

fn not_an_address(text: &str) -> String {
    format!("needed an address or a range such as 10.0.0.0/8, had `{text}`")
}

/// A test of text: the operator and the pattern.
fn word(text: &str, modifiers: &[Modifier]) -> Result<(Op, Literal), String> {
    let has = |m| modifiers.contains(&m);
    if has(Modifier::Cidr) {
        return Err("`cidr` needs a column that holds an address".to_owned());
    }
    if has(Modifier::Re) {
        let flags: String = [(Modifier::IgnoreCase, 'i'), (Modifier::Multiline, 'm'), (Modifier::DotAll, 's')]
            .iter()
            .filter(|(m, _)| has(*m))
            .map(|(_, c)| *c)
            .collect();
        let pattern = if flags.is_empty() { text.to_owned() } else { format!("(?{flags}){text}") };
        return regex::RegexBuilder::new(&pattern)
            .size_limit(1 << 20)
            .build()
            .map(|_| (Op::Regex, Literal::Text(pattern)))
            .map_err(|e| format!("no regular expression: {}", e.to_string().lines().last().unwrap_or_default()));
    }
    let mut parts = SigmaString::new(text).parts;
    let open = || StringPart::Special(SpecialChar::WildcardMulti);
    if has(Modifier::Contains) || has(Modifier::EndsWith) {
        parts.insert(0, open());
    }
    if has(Modifier::Contains) || has(Modifier::StartsWith) {
        parts.push(open());
    }
    Ok(pattern(&parts, has(Modifier::Cased)))
}

fn pattern(parts: &[StringPart], cased: bool) -> (Op, Literal) {
    let wild = parts.iter().any(|p| matches!(p, StringPart::Special(_)));
    let text = |plain: &dyn Fn(&str) -> String, many: &str, one: &str| -> String {
        let part = |p: &StringPart| match p {
            StringPart::Plain(text) => plain(text),
            StringPart::Special(SpecialChar::WildcardMulti) => many.to_owned(),
            StringPart::Special(SpecialChar::WildcardSingle) => one.to_owned(),
        };
        parts.iter().map(part).collect()
    };
    if cased {
        return (Op::Regex, Literal::Text(format!(r"(?s)\A{}\z", text(&regex::escape, ".*", "."))));
    }
    match wild {
        true => (Op::Like, Literal::Text(text(&escaped, "%", "_").to_lowercase())),
        false => (Op::Equal, Literal::Text(text(&str::to_owned, "", "").to_lowercase())),
    }
}

/// LIKE's own signs in plain text, escaped.
fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| matches!(c, '%' | '_' | '\\').then_some('\\').into_iter().chain([c])).collect()
}

/// Words in any text column of the table; each word may stand in another column, also with `all`.
fn keywords(modifiers: &[Modifier], node: &Node, table: TableId, report: &mut Report) -> Option<Expr> {
    let values: Vec<&Node> = match &node.value {
        Yaml::List(list) => list.iter().collect(),
        _ => vec![node],
    };
    let modifiers: Vec<Modifier> = modifiers.iter().copied().chain([Modifier::Contains]).collect();
    let mut words = Vec::new();
    for value in values {
        let read = value
            .scalar()
            .ok_or_else(|| format!("needed a word, had {}", value.kind()))
            .and_then(|t| word(&t, &modifiers));
        match read {
            Ok((op, literal)) => {
                let test =
                    |c: &str| Expr::Test(Test { column: c.to_owned(), op, all: false, values: vec![literal.clone()] });
                words.push(or(column::text_columns(table).map(test).collect()));
            }
            Err(message) => {
                report.error(value.line, format!("a keyword: {message}"));
                return None;
            }
        }
    }
    if words.is_empty() {
        report.error(node.line, "a selection is empty");
        return None;
    }
    Some(if modifiers.contains(&Modifier::All) { and(words) } else { or(words) })
}
