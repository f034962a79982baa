//! The sentence of a finding: `{column}`, `{zone(column)}`, `{name(column)}`.
use lidr_schema::{Ip, hex};

use crate::{
    Site,
    judge::{Columns, is_pseudonym},
};

/// Fills the template from one result.
pub(crate) fn fill(template: &str, site: &Site, columns: &Columns<'_>, row: usize) -> String {
    let mut out = String::with_capacity(template.len() + 64);
    let mut rest = template.trim();
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((inside, tail)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        out.push_str(&value(inside.trim(), site, columns, row));
        rest = tail;
    }
    out.push_str(rest);
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn value(inside: &str, site: &Site, columns: &Columns<'_>, row: usize) -> String {
    let call = |name: &str| inside.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
    if let Some(column) = call("zone") {
        let zone = columns.address(column, row).and_then(|ip| site.zones().of(ip)).map(|z| z.name.clone());
        return zone.unwrap_or_else(|| "unknown zone".to_owned());
    }
    if let Some(column) = call("name") {
        let name = columns.address(column, row).and_then(|ip| site.name_of(ip)).map(str::to_owned);
        return name.unwrap_or_else(|| value(column, site, columns, row));
    }
    match columns.address(inside, row) {
        // Enough of a pseudonym to tell two apart; the whole of it is in the resources.
        Some(ip) if is_pseudonym(inside) => hex::encode(ip.octets().get(..6).unwrap_or_default()),
        // A record does not always say from where.
        Some(ip) if ip == Ip::default() => "an unknown address".to_owned(),
        _ => columns.text(inside, row).unwrap_or_else(|| "unknown".to_owned()),
    }
}

/// The columns that a template names.
pub(crate) fn columns(template: &str) -> Vec<String> {
    let inside = template.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(inside, _)| inside.trim());
    let bare = |text: &str| {
        let call = text.strip_suffix(')').and_then(|t| t.split_once('(')).map(|(_, column)| column);
        call.unwrap_or(text).trim().to_owned()
    };
    inside.map(bare).collect()
}
