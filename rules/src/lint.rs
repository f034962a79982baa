//! What a rule must be beside being readable: its columns exist, its times are those that replay repeats, its cases show both
//! that it fires and that it can stay silent.
use lidr_schema::{Cidr, Ip, TableId};

use crate::{
    Body, Rule, case,
    fields::Keys,
    problem::Report,
    site::{SITE_TABLES, SiteTable, file_of, needed},
    sql::Sql,
};

/// Checks a rule of any kind.
pub(crate) fn rule(rule: &Rule, keys: &Keys<'_>, mapped: bool, report: &mut Report) {
    if let Some(id) = &rule.id
        && !is_uuid(id)
    {
        report.error(keys.at("id"), format!("`id`: needed a UUID, had `{id}`"));
    }
    if let Body::Detection { table, .. } = &rule.body {
        columns(rule, *table, keys, report);
    }
    if rule.plain_sigma {
        return;
    }
    if mapped {
        report.error(
            keys.at("logsource"),
            "a rule with a `code` speaks lidr's own columns: needed `logsource: {product: lidr, category: TABLE}`",
        );
    }
    if keys.get("level").is_none() {
        report.error(keys.line, "a rule: needed `level`");
    }
    if rule.entity.is_empty() {
        report.error(keys.at("entity"), "`entity`: needed at least one column that the finding is about");
    }
    windows(rule, keys, report);
    suspending(rule, keys, report);
    memories(rule, keys, report);
    tables(rule, keys, report);
    if let Body::Sql(text) = &rule.body {
        query(rule, &Sql::read(text), keys, report);
    }
    case::lint(rule, keys, report);
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

/// Names of columns between braces in a message.
pub(crate) fn placeholders(message: &str) -> impl Iterator<Item = &str> {
    message.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(inside, _)| {
        let bare = ["zone(", "name("].iter().find_map(|f| inside.strip_prefix(f)).and_then(|r| r.strip_suffix(')'));
        bare.unwrap_or(inside).trim()
    })
}

/// Every column of the result that a rule speaks of, and the key that does.
fn spoken(rule: &Rule) -> impl Iterator<Item = (&'static str, &str)> {
    let message = placeholders(&rule.message).map(|c| ("message", c));
    let absorbs = rule.absorbs.iter().flat_map(|a| &a.by).map(|c| ("absorbs", c.as_str()));
    let entity = rule.entity.iter().map(|e| ("entity", e.col.as_str()));
    message.chain(entity).chain(absorbs).chain(rule.severity_by.iter().map(|c| ("severity_by", c.as_str())))
}

fn columns(rule: &Rule, table: TableId, keys: &Keys<'_>, report: &mut Report) {
    for (key, column) in spoken(rule).filter(|(_, c)| table.def().column(c).is_none()) {
        let known = table.def().columns.iter().map(|c| c.name);
        report.unknown(keys.at(key), &format!("`{key}`: table `{}` has no column", table.name()), column, known);
    }
}

fn windows(rule: &Rule, keys: &Keys<'_>, report: &mut Report) {
    if rule.window.is_some() {
        return;
    }
    if !rule.remembers.is_empty() {
        report.error(keys.at("remembers"), "`remembers` needs a `window`: memory is written when a window has run");
    }
    if rule.pending.is_some() {
        report.error(keys.at("pending"), "`pending` needs a `window`: it is the run at the window's end");
    }
    if rule.absence {
        report.error(
            keys.at("absence"),
            "`absence` needs a `window`: a rule on single rows cannot argue from what was not seen",
        );
    }
    if rule.suspends {
        report.error(keys.at("suspends"), "`suspends` needs a `window`: it is the window of a result that is blind");
    }
}

/// What every rule must not be that says which windows are blind.
fn suspending(rule: &Rule, keys: &Keys<'_>, report: &mut Report) {
    if !rule.suspends {
        return;
    }
    if rule.entity.len() != 1 {
        let had = rule.entity.len();
        report
            .error(keys.at("entity"), format!("`suspends`: needed one `entity`, the sensor that was blind, had {had}"));
    }
    if rule.pending.is_some() {
        report.error(keys.at("pending"), "`suspends`: needed no `pending`: what is not sure yet makes no window blind");
    }
}

fn memories(rule: &Rule, keys: &Keys<'_>, report: &mut Report) {
    for (name, memory) in rule.remembers.iter().filter(|(_, m)| !m.rates.is_empty()) {
        let what = format!("memory `{name}`");
        if !memory.value.is_empty() || !memory.drop.is_empty() {
            report.error(keys.at("remembers"), format!("{what}: needed no `value` and no `drop` beside `rates`"));
        }
        let columns = memory.rates.iter().filter_map(|c| memory.from.def().column(c));
        for column in columns.filter(|c| !c.data_type.is_numeric()) {
            report.error(
                keys.at("remembers"),
                format!("{what}: `rates` needed columns of numbers, had `{}`", column.name),
            );
        }
    }
}

fn tables(rule: &Rule, keys: &Keys<'_>, report: &mut Report) {
    for (key, name) in rule.needs.iter().map(|n| ("needs", n)).chain(rule.uses.iter().map(|n| ("uses", n))) {
        let (name, columns) = needed(name);
        for column in columns {
            let known: Vec<String> = SiteTable::named(name).into_iter().flat_map(in_row).collect();
            if key == "uses" || !known.iter().any(|k| k == column) {
                let what = format!("`{key}`: site table `{name}` has no column");
                report.unknown(keys.at(key), &what, column, known.iter().map(String::as_str));
            }
        }
        if SiteTable::named(name).is_none() && TableId::named(name).is_none() {
            let known = SITE_TABLES.iter().map(|t| t.name).chain(lidr_schema::table::ALL.iter().map(|t| t.name()));
            report.unknown(keys.at(key), &format!("`{key}`: no site or event table"), name, known);
        }
    }
}

fn in_row(table: &SiteTable) -> Vec<String> {
    table.sql().into_iter().take(1).flat_map(|t| t.columns).map(|c| c.name).collect()
}

fn query(rule: &Rule, sql: &Sql, keys: &Keys<'_>, report: &mut Report) {
    let line = keys.at("sql");
    for word in ["now", "current_timestamp", "current_date", "current_time", "random", "uuid"] {
        if sql.calls(word) {
            report.error(line, format!("`sql`: `{word}` differs from run to run: needed $start, $end or a column"));
        }
    }
    for name in sql.parameters().filter(|p| !["start", "end"].contains(p) && !rule.tunables.contains_key(*p)) {
        report.unknown(
            line,
            "`sql`: no tunable",
            name,
            rule.tunables.keys().map(String::as_str).chain(["start", "end"]),
        );
    }
    for name in rule.tunables.keys().filter(|n| !sql.parameters().any(|p| p == n.as_str())) {
        report.warn(keys.at("tunables"), format!("tunable `{name}` is not used"));
    }
    for (key, column) in spoken(rule).filter(|(_, c)| !sql.has_word(c)) {
        report.unknown(keys.at(key), &format!("`{key}`: the query returns no column"), column, sql.words());
    }
    addresses(sql, line, report);
    sources(rule, sql, line, report);
    times(sql, keys, report);
    if !sql.has_word("rowid") && !sql.has_word("rowids") {
        report.error(line, "`sql`: needed `rowid`, or `array_agg(rowid) AS rowids`: the rows that prove the result");
    }
    if sql.distinct_beside_others() {
        report.warn(
            line,
            "`sql`: count(distinct …) beside another aggregate is slow: group by the distinct column first, then count",
        );
    }
}

/// A range that is none would end the rule when it runs, an address that is none would match nothing for ever.
fn addresses(sql: &Sql, line: usize, report: &mut Report) {
    for text in sql.literals("cidr").into_iter().filter(|t| t.parse::<Cidr>().is_err()) {
        report.error(line, format!("`sql`: `cidr` needed a range such as 10.0.0.0/8, had `{text}`"));
    }
    for text in sql.literals("ip").into_iter().filter(|t| t.parse::<Ip>().is_err()) {
        report.error(line, format!("`sql`: `ip` needed an address such as 10.0.0.1, had `{text}`"));
    }
}

/// Whether the results of a rule may have a column: of a query only its words are known.
pub(crate) fn returns(rule: &Rule, column: &str) -> bool {
    match &rule.body {
        Body::Sql(text) => Sql::read(text).has_word(column),
        Body::Detection { table, .. } => table.def().column(column).is_some(),
    }
}

fn sources(rule: &Rule, sql: &Sql, line: usize, report: &mut Report) {
    let listed = |name: &str| rule.needs.iter().chain(&rule.uses).any(|n| needed(n).0 == name);
    for name in sql.tables() {
        if TableId::named(&name).is_some() || rule.remembers.contains_key(&name) {
            continue;
        }
        match file_of(&name) {
            Some(file) if listed(file.name) => {}
            Some(file) => report
                .error(line, format!("`sql` reads site table `{name}`: needed `{}` in `needs` or `uses`", file.name)),
            None => {
                let site: Vec<String> = SITE_TABLES.iter().flat_map(SiteTable::sql).map(|t| t.name).collect();
                let known = site.iter().map(String::as_str).chain(lidr_schema::table::ALL.iter().map(|t| t.name()));
                report.unknown(line, "`sql`: no table", &name, known.chain(rule.remembers.keys().map(String::as_str)));
            }
        }
    }
    if (sql.calls("zone") || sql.calls("rank")) && !listed("zones") {
        report.error(line, "`sql` asks for zones: needed `zones` in `needs` or `uses`");
    }
}

fn times(sql: &Sql, keys: &Keys<'_>, report: &mut Report) {
    let line = keys.at("sql");
    let found = sql.at();
    if found.is_empty() {
        report.error(line, "`sql`: needed a column `at`, such as `max(due) AS at`");
    }
    if keys.get("at_reason").is_some() {
        return;
    }
    for text in found.iter().filter(|t| !is_due(t)) {
        report.error(
            line,
            format!("`sql`: `at` needed due or max(due), had `{text}`; say why with `at_reason` if it must be so"),
        );
    }
}

/// `due`, `x.due`, `max(due)`, or `at` of a query inside.
fn is_due(expression: &str) -> bool {
    let text: String = expression.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect();
    let inner = text.strip_prefix("max(").and_then(|t| t.strip_suffix(')')).unwrap_or(&text);
    let column = inner.rsplit_once('.').map_or(inner, |(_, c)| c);
    column == "due" || column == "at"
}
