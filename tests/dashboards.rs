//! What operators look at: every panel and alert speaks of metrics that there are, and every alert is raised by a case of its own.
use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use crate::tree::{files, read, root};

/// Metrics of lidr that a text speaks of.
fn metrics(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !word(c)).filter(|w| w.starts_with("lidr_")).map(str::to_owned).collect()
}

fn known() -> BTreeSet<String> {
    metrics(&read("dashboards/metrics.txt".as_ref()))
}

fn boards() -> Vec<(String, Value)> {
    let paths = files("dashboards/grafana", ".json");
    paths.iter().map(|p| (p.display().to_string(), serde_json::from_str(&read(p)).unwrap())).collect()
}

/// Names of the alerts, from the lines that declare them.
fn alerts() -> Vec<String> {
    let text = read("dashboards/alerts.yml".as_ref());
    text.lines().filter_map(|l| l.trim().strip_prefix("- alert: ")).map(str::to_owned).collect()
}

#[test]
fn panels_and_alerts_name_metrics_that_are_served() {
    let known = known();
    assert!(known.len() > 15, "{known:?}");
    let mut shown = BTreeSet::new();
    for (name, board) in boards() {
        for panel in board["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().unwrap() {
                let named = metrics(target["expr"].as_str().unwrap());
                assert!(!named.is_empty(), "{name}: `{}` asks for nothing of lidr", panel["title"]);
                shown.extend(named);
            }
        }
    }
    shown.extend(metrics(&read("dashboards/alerts.yml".as_ref())));
    let strange: Vec<_> = shown.difference(&known).collect();
    assert!(strange.is_empty(), "not in dashboards/metrics.txt: {strange:?}");
}

#[test]
fn boards_can_be_laid_out() {
    let boards = boards();
    assert_eq!(boards.len(), 2);
    let mut uids = BTreeSet::new();
    for (name, board) in boards {
        assert!(uids.insert(board["uid"].as_str().unwrap().to_owned()), "{name}: its uid is taken");
        let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
        for panel in board["panels"].as_array().unwrap() {
            let title = &panel["title"];
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{name}: {title} has the id of another");
            assert!(panel["description"].as_str().is_some_and(|d| d.len() > 10), "{name}: {title} is not explained");
            let at = |side: &str| panel["gridPos"][side].as_u64().unwrap();
            assert!(at("x") + at("w") <= 24, "{name}: {title} goes over the edge");
            for cell in (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y))) {
                assert!(taken.insert(cell), "{name}: {title} lies on another panel");
            }
        }
    }
}

#[test]
fn every_alert_is_raised_by_a_case() {
    let cases = read("dashboards/alerts.test.yml".as_ref());
    let alerts = alerts();
    assert!(alerts.len() >= 8, "{alerts:?}");
    for alert in alerts {
        let raised = format!("alertname: {alert}\n        exp_alerts:\n          - exp_labels");
        assert!(cases.contains(&raised), "{alert} has no case that raises it");
    }
}

#[test]
fn prometheus_takes_the_alerts_and_their_cases() {
    for args in [["check", "rules", "dashboards/alerts.yml"], ["test", "rules", "dashboards/alerts.test.yml"]] {
        let Ok(out) = Command::new("promtool").args(args).current_dir(root()).output() else {
            assert!(std::env::var_os("LIDR_REQUIRE_PROMTOOL").is_none(), "promtool is required and is not here");
            println!(
                "\nskipped: prometheus_takes_the_alerts_and_their_cases: promtool is not here (Debian: prometheus)"
            );
            return;
        };
        let said = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "promtool {args:?}: {said}");
    }
}
