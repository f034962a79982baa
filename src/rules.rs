//! `lidr rules`: what the rules say, whether they load, whether their cases hold.
use std::{io::Write, process::ExitCode};

use anyhow::{Context, bail};
use lidr_rules::{Body, Rule, RuleSet};
use lidr_schema::TableId;

use crate::args::{RuleArgs, Rules};

pub(crate) fn run(verb: &Rules) -> anyhow::Result<ExitCode> {
    match verb {
        Rules::List(args) => list(args),
        Rules::Show { code, rules } => show(code, rules),
        Rules::Check(args) => check(args),
        Rules::Test(args) => test(args),
        Rules::Schema { table } => schema(table.as_deref()),
    }
}

/// Loads the rules, or says every problem with file and line and gives up: never a silently smaller rule set.
pub(crate) fn load(builtin: bool, dirs: &[std::path::PathBuf]) -> anyhow::Result<RuleSet> {
    match lidr_rules::load(builtin, dirs) {
        Ok(set) => {
            set.warnings.iter().for_each(|w| tracing::warn!("{w}"));
            Ok(set)
        }
        Err(problems) => {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            bail!("the rules do not load:\n{}", lines.join("\n"))
        }
    }
}

fn loaded(args: &RuleArgs) -> anyhow::Result<RuleSet> {
    load(!args.no_builtin, &args.rules)
}

fn list(args: &RuleArgs) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    for rule in loaded(args)?.rules {
        writeln!(out, "{:<8} {:<13} {}", rule.code, rule.level.name(), rule.title)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(code: &str, args: &RuleArgs) -> anyhow::Result<ExitCode> {
    let set = loaded(args)?;
    let near = || lidr_schema::dynamic::nearest(code, set.rules.iter().map(|r| r.code.as_str()));
    let Some(rule) = set.rules.iter().find(|r| r.code.eq_ignore_ascii_case(code)) else {
        bail!("no rule `{code}`{}", lidr_schema::dynamic::hint(&near()))
    };
    std::io::stdout().write_all(page(rule).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn page(rule: &Rule) -> String {
    let mut out = format!("{} v{} ({}): {}\n", rule.code, rule.version, rule.level.name(), rule.title);
    let mut put = |name: &str, text: &str| {
        if !text.trim().is_empty() {
            out.push_str(&format!("\n{name}\n  {}\n", text.trim().replace('\n', "\n  ")));
        }
    };
    put("what it finds", &rule.description);
    put("sentence", &rule.message);
    put("look at next", &rule.triage);
    put("harmless if", &rule.benign_if);
    put("cannot see", &rule.blind_spots);
    put("needs", &rule.needs.join(", "));
    put("uses, if there", &rule.uses.join(", "));
    let tunables: Vec<String> =
        rule.tunables.iter().map(|(name, t)| format!("{name} = {} {}: {}", t.default, t.unit, t.meaning)).collect();
    put("tunables (--set CODE.NAME=VALUE)", &tunables.join("\n"));
    put("references", &rule.references.join("\n"));
    put("tags", &rule.tags.join(", "));
    match &rule.body {
        Body::Sql(sql) => put("query", sql),
        Body::Detection { table, .. } => put("detection on", table.name()),
    }
    put("file", &format!("{} (sha256 {})", rule.file, rule.sha256));
    out
}

fn check(args: &RuleArgs) -> anyhow::Result<ExitCode> {
    let set = loaded(args)?;
    let problems = lidr_analytics::check_rules(&set.rules);
    let mut out = std::io::stdout();
    for (file, message) in &problems {
        writeln!(out, "{file}: {message}")?;
    }
    writeln!(out, "{} rules, {} problems", set.rules.len(), problems.len())?;
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn test(args: &RuleArgs) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    let (mut passed, mut failed) = (0, 0);
    for rule in loaded(args)?.rules {
        for case in lidr_analytics::run_cases(&rule) {
            match &case.problem {
                None => passed += 1,
                Some(problem) => {
                    failed += 1;
                    writeln!(out, "{} `{}`: {problem}", rule.file, case.name)?;
                }
            }
        }
    }
    writeln!(out, "{passed} cases passed, {failed} failed")?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn schema(name: Option<&str>) -> anyhow::Result<ExitCode> {
    let near = |n: &str| lidr_schema::dynamic::nearest(n, lidr_schema::table::ALL.iter().map(|t| t.name()));
    let only = name
        .map(|n| TableId::named(n).with_context(|| format!("no table `{n}`{}", lidr_schema::dynamic::hint(&near(n)))))
        .transpose()?;
    std::io::stdout().write_all(lidr_schema::docs::page(only).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
