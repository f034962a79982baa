//! The embedded rules on the engine: every query plans, every case holds. Planning takes most of the time, so that rules are spread
//! over the cores.
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use lidr_analytics::{check_rules, run_cases};
use lidr_rules::Rule;

#[test]
fn every_rule_of_the_pack_plans_and_its_cases_hold() {
    let rules = lidr_rules::load(true, &[]).unwrap_or_else(|problems| panic!("{problems:?}")).rules;
    assert_eq!(check_rules(&rules), []);
    let failed = |rule: &Rule| -> Vec<String> {
        run_cases(rule).into_iter().filter_map(|r| Some(format!("{}, {}: {}", rule.code, r.name, r.problem?))).collect()
    };
    let next = AtomicUsize::new(0);
    let some = || -> Vec<String> {
        std::iter::from_fn(|| rules.get(next.fetch_add(1, Ordering::Relaxed))).flat_map(failed).collect()
    };
    let failed: Vec<String> = thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(some)).collect();
        threads.into_iter().flat_map(|t| t.join().expect("no case panics")).collect()
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
