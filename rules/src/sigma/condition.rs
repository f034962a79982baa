//! The `condition`: names of selections joined by and, or, not, `1 of x*`, `all of them`.
use rsigma_parser::{ConditionExpr, Quantifier, SelectorPattern, detection_name_matches, parse_condition};

use super::{MOST_DEPTH, and, or};
use crate::{Expr, problem::Report, yaml::Node};

/// Reads one condition and checks every name in it.
pub(super) fn read(node: &Node, names: &[&str], report: &mut Report) -> Option<ConditionExpr> {
    let Some(text) = node.text() else {
        report.error(node.line, format!("`condition`: needed text, had {}", node.kind()));
        return None;
    };
    if nesting(text) > MOST_DEPTH {
        report.error(
            node.line,
            format!("`condition`: needed at most {MOST_DEPTH} parentheses or `not` inside one another"),
        );
        return None;
    }
    match parse_condition(text.trim()) {
        Ok(ast) => known(&ast, node.line, names, report).then_some(ast),
        Err(error) => {
            let said = error.to_string();
            let at = error.location().map(|l| format!(" at column {}", l.col)).unwrap_or_default();
            let why = said.lines().rev().find_map(|l| l.trim().strip_prefix("= ")).unwrap_or(&said);
            report.error(node.line, format!("`condition` cannot be read{at}: {why}"));
            None
        }
    }
}

/// The parser descends once per parenthesis and per `not`; this is looked at first so that its stack is never in danger.
fn nesting(text: &str) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    for c in text.chars() {
        now = match c {
            '(' => now + 1,
            ')' => now.saturating_sub(1),
            _ => now,
        };
        most = most.max(now);
    }
    let (mut nots, mut row) = (0, 0_usize);
    for word in text.split([' ', '\t', '\n', '(']).filter(|w| !w.is_empty()) {
        row = if word == "not" { row + 1 } else { 0 };
        nots = nots.max(row);
    }
    most + nots
}

fn known(ast: &ConditionExpr, line: usize, names: &[&str], report: &mut Report) -> bool {
    match ast {
        ConditionExpr::And(parts) | ConditionExpr::Or(parts) => {
            // Every name is looked at, so that every mistake is told.
            parts.iter().filter(|p| !known(p, line, names, report)).count() == 0
        }
        ConditionExpr::Not(part) => known(part, line, names, report),
        ConditionExpr::Identifier(name) => {
            if !names.contains(&name.as_str()) {
                report.unknown(line, "`condition` names a selection that is not there:", name, names.iter().copied());
                return false;
            }
            true
        }
        ConditionExpr::Selector { quantifier, pattern } => {
            if let Quantifier::Count(n) = quantifier
                && *n != 1
            {
                report.error(line, format!("`condition`: needed `1 of` or `all of`, had `{n} of`"));
                return false;
            }
            let found = names.iter().any(|n| chosen(pattern, n));
            if !found {
                report.error(line, format!("`condition`: no selection is called `{pattern}`"));
            }
            found
        }
    }
}

fn chosen(pattern: &SelectorPattern, name: &str) -> bool {
    match pattern {
        SelectorPattern::Them => !name.starts_with('_'),
        SelectorPattern::Pattern(pattern) => detection_name_matches(pattern, name),
    }
}

/// The condition with the selections put in; nothing where one of them is broken.
pub(super) fn expr(ast: &ConditionExpr, selections: &[(&str, Expr)]) -> Option<Expr> {
    let each = |parts: &[ConditionExpr]| parts.iter().map(|p| expr(p, selections)).collect::<Option<Vec<_>>>();
    Some(match ast {
        ConditionExpr::And(parts) => and(each(parts)?),
        ConditionExpr::Or(parts) => or(each(parts)?),
        ConditionExpr::Not(part) => Expr::Not(Box::new(expr(part, selections)?)),
        ConditionExpr::Identifier(name) => selections.iter().find(|(n, _)| n == name)?.1.clone(),
        ConditionExpr::Selector { quantifier, pattern } => {
            let found = selections.iter().filter(|(n, _)| chosen(pattern, n)).map(|(_, e)| e.clone()).collect();
            if *quantifier == Quantifier::All { and(found) } else { or(found) }
        }
    })
}
