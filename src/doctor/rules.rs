//! The rules: whether they load and plan, and which would not judge with this site, and why.
use std::collections::BTreeMap;

use lidr_analytics::{Engine, EngineOptions, Site};

use super::{
    Asked,
    check::{Check, fail, ok, unchecked, warn},
};

pub(super) fn checks(asked: &Asked<'_>) -> Vec<Check> {
    let args = asked.args;
    let set = match lidr_rules::load(!args.rules.no_builtin, &args.rules.rules) {
        Ok(set) => set,
        Err(problems) => {
            let next = "`lidr rules schema` lists tables and columns, `lidr rules show LI-09` is a rule that works";
            return problems.iter().map(|p| fail(p.to_string(), next)).collect();
        }
    };
    let mut out: Vec<Check> = set.warnings.iter().map(|w| warn(w.to_string(), "")).collect();
    // The embedded pack was planned when lidr was built; a folder's rules may stand in each other's way.
    if !args.rules.rules.is_empty() {
        let problems = lidr_analytics::check_rules(&set.rules);
        if !problems.is_empty() {
            out.extend(problems.iter().map(|(file, why)| fail(format!("{file}: {why}"), "")));
            return out;
        }
    }
    let site = match asked.any_key().and_then(|key| Ok(Site::load(args.site.as_deref(), &key)?)) {
        Ok(site) => site,
        Err(_) => {
            out.push(unchecked(
                format!("{} rules load; what they lack is told once the site folder does", set.rules.len()),
                "",
            ));
            return out;
        }
    };
    let stats = match Engine::new(&set.rules, site, EngineOptions::default()) {
        Ok(engine) => engine.stats(),
        Err(why) => {
            out.push(fail(why.to_string(), ""));
            return out;
        }
    };
    out.push(ok(format!("{} rules load, {} would judge", stats.loaded, stats.evaluated)));
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for not in &stats.not_evaluated {
        by_reason.entry(&not.reason).or_default().push(&not.code);
    }
    for (reason, codes) in by_reason {
        let what = format!("not evaluated: {} ({reason})", codes.join(", "));
        let first = codes.first().unwrap_or(&"CODE");
        out.push(match &args.site {
            Some(dir) => {
                warn(what, format!("add it to {}; `lidr rules show {first}` says what a rule reads", dir.display()))
            }
            None => unchecked(what, ""),
        });
    }
    out
}
