//! Sigma's `detection` to an [`Expr`] over the columns of one table.
//!
//! The grammar of conditions, field modifiers and wildcards is rsigma's; the walk over the selections is ours, because a
//! misspelt field or selection must be an error with its line here, and is silence there. What comes out is bounded in depth
//! and size. Modifiers that describe how a Windows process writes its arguments (base64, windash, …) are refused.
mod column;
mod condition;
mod item;

use lidr_schema::TableId;

use crate::{
    Expr,
    mapping::Fields,
    problem::Report,
    yaml::{Node, Yaml},
};

/// Deepest nesting of a condition once it is compiled.
const MOST_DEPTH: usize = 64;
/// Most values in all tests of a rule.
const MOST_VALUES: usize = 200_000;

/// The compiled condition, or nothing where the report says what is wrong.
pub(crate) fn compile(detection: &Node, table: TableId, fields: &Fields, report: &mut Report) -> Option<Expr> {
    let Some(entries) = detection.map() else {
        report.error(
            detection.line,
            format!("`detection`: needed a map of selections and a `condition`, had {}", detection.kind()),
        );
        return None;
    };
    let mut selections = Vec::new();
    let mut condition_node = None;
    let mut sound = true;
    for (name, node) in entries {
        match name.text.as_str() {
            "condition" => condition_node = Some(node),
            "timeframe" => {
                sound = false;
                report.error(
                    name.line,
                    "`timeframe`: a condition judges one row; needed a `sql` body with a `window` for counts over time",
                );
            }
            _ => match item::selection(node, table, fields, report) {
                Some(expr) => selections.push((name.text.as_str(), expr)),
                None => sound = false,
            },
        }
    }
    let Some(condition_node) = condition_node else {
        report.error(detection.line, "`detection`: needed a `condition`");
        return None;
    };
    // Names are checked even where a selection is broken, so that one run shows every mistake.
    let names: Vec<&str> = entries.iter().map(|(n, _)| n.text.as_str()).filter(|n| *n != "condition").collect();
    let parts: Vec<&Node> = match &condition_node.value {
        Yaml::List(list) => list.iter().collect(),
        _ => vec![condition_node],
    };
    let mut any = Vec::new();
    for part in parts {
        any.push(condition::read(part, &names, report)?);
    }
    if !sound {
        return None;
    }
    let read: Option<Vec<Expr>> = any.iter().map(|ast| condition::expr(ast, &selections)).collect();
    bounded(or(read?), condition_node.line, report)
}

/// A selection of the mapping file, over the table's own column names.
pub(crate) fn selection(node: &Node, table: TableId, report: &mut Report) -> Option<Expr> {
    item::selection(node, table, &Fields::default(), report)
}

fn bounded(expr: Expr, line: usize, report: &mut Report) -> Option<Expr> {
    let (depth, values) = measure(&expr);
    if depth > MOST_DEPTH || values > MOST_VALUES {
        report.error(
            line,
            format!("the condition is too large: needed at most {MOST_DEPTH} levels and {MOST_VALUES} values, had {depth} and {values}"),
        );
        return None;
    }
    Some(expr)
}

fn measure(expr: &Expr) -> (usize, usize) {
    match expr {
        Expr::And(parts) | Expr::Or(parts) => {
            let (depth, values) =
                parts.iter().map(measure).fold((0, 0), |(d, v), (depth, values)| (d.max(depth), v + values));
            (depth + 1, values)
        }
        Expr::Not(part) => {
            let (depth, values) = measure(part);
            (depth + 1, values)
        }
        Expr::Test(test) => (1, test.values.len().max(1)),
    }
}

/// All of them; one alone stands for itself.
pub(crate) fn and(parts: Vec<Expr>) -> Expr {
    one_or(parts, Expr::And)
}

/// Any of them; one alone stands for itself.
pub(crate) fn or(parts: Vec<Expr>) -> Expr {
    one_or(parts, Expr::Or)
}

fn one_or(mut parts: Vec<Expr>, join: fn(Vec<Expr>) -> Expr) -> Expr {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            join(parts)
        }
    }
}

#[cfg(test)]
mod tests;
