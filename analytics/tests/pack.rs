//! The embedded rules on the engine: every query plans, every case holds.
use lidr_analytics::{check_rules, run_cases};
use lidr_rules::Rule;

#[test]
fn every_rule_of_the_pack_plans_and_its_cases_hold() {
    let rules = lidr_rules::load(true, &[]).unwrap_or_else(|problems| panic!("{problems:?}")).rules;
    assert_eq!(check_rules(&rules), []);
    let failed = |rule: &Rule| -> Vec<String> {
        run_cases(rule).into_iter().filter_map(|r| Some(format!("{}, {}: {}", rule.code, r.name, r.problem?))).collect()
    };
    let failed: Vec<String> = rules.iter().flat_map(failed).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
