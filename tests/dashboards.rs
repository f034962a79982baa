//! What operators look at: every panel and alert speaks of metrics that there are, the boards are what the release of Grafana that shows
//! them understands, and every alert is raised by a case of its own.
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

/// Every query of a panel, with the panel's title.
pub(crate) fn queries() -> Vec<(String, String)> {
    let mut out = Vec::new();
    for (name, board) in boards() {
        for panel in board["panels"].as_array().unwrap() {
            let named = format!("{name}: {}", panel["title"]);
            let queries = panel["targets"].as_array().unwrap().iter().map(|t| t["expr"].as_str().unwrap().to_owned());
            out.extend(queries.map(|query| (named.clone(), query)));
        }
    }
    out
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
    for (panel, query) in queries() {
        let named = metrics(&query);
        assert!(!named.is_empty(), "{panel} asks for nothing of lidr");
        shown.extend(named);
    }
    shown.extend(metrics(&read("dashboards/alerts.yml".as_ref())));
    let strange: Vec<_> = shown.difference(&known).collect();
    assert!(strange.is_empty(), "not in dashboards/metrics.txt: {strange:?}");
}

/// Versions of the schema of dashboards, by release of Grafana; 42 is the last of this kind of JSON.
const SCHEMAS: [(&str, u64); 2] = [("12.2", 42), ("12.3", 42)];

/// Options of the kinds of panels that are used, as that release knows them: what it does not know it passes over silently.
const OPTIONS: [(&str, &[&str]); 3] = [
    ("timeseries", &["legend", "tooltip", "timezone", "annotations"]),
    (
        "stat",
        &[
            "colorMode",
            "graphMode",
            "justifyMode",
            "orientation",
            "percentChangeColorMode",
            "reduceOptions",
            "showPercentChange",
            "text",
            "textMode",
            "wideLayout",
        ],
    ),
    ("table", &["cellHeight", "enablePagination", "frameIndex", "frozenColumns", "showHeader", "sortBy"]),
];

/// The version of Grafana that docker-compose.yml runs, to the minor.
fn release() -> String {
    let compose = read("docker-compose.yml".as_ref());
    let version = compose.lines().find_map(|l| l.trim().strip_prefix("image: grafana/grafana:")).expect("Grafana");
    version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".")
}

/// Keys of an object.
fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().map(|o| o.keys().map(String::as_str).collect()).unwrap_or_default()
}

fn one_of(value: &Value, words: &[&str]) -> bool {
    value.as_str().is_some_and(|v| words.contains(&v))
}

#[test]
fn boards_can_be_laid_out() {
    let boards = boards();
    assert_eq!(boards.len(), 2);
    let mut uids = BTreeSet::new();
    for (name, board) in boards {
        let uid = board["uid"].as_str().unwrap().to_owned();
        let plain = uid.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        assert!((1..=40).contains(&uid.len()) && plain, "{name}: Grafana refuses the uid {uid}");
        assert!(uids.insert(uid), "{name}: its uid is taken");
        let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
        for panel in board["panels"].as_array().unwrap() {
            let title = &panel["title"];
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{name}: {title} has the id of another");
            assert!(panel["description"].as_str().is_some_and(|d| d.len() > 10), "{name}: {title} is not explained");
            let at = |side: &str| panel["gridPos"][side].as_u64().unwrap();
            assert!(at("w") > 0 && at("h") > 1 && at("x") + at("w") <= 24, "{name}: {title} goes over the edge");
            for cell in (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y))) {
                assert!(taken.insert(cell), "{name}: {title} lies on another panel");
            }
        }
    }
}

#[test]
fn boards_are_those_of_the_release_that_shows_them() {
    let release = release();
    let schema = SCHEMAS.iter().find(|(version, _)| *version == release);
    let (_, schema) =
        schema.unwrap_or_else(|| panic!("look up the dashboard schema of Grafana {release} and add it here"));
    for (name, board) in boards() {
        assert_eq!(board["schemaVersion"], *schema, "{name}");
        assert!(board.get("id").is_none_or(Value::is_null), "{name}: the database gives the id");
        assert!(board.get("__inputs").is_none(), "{name}: what is asked at an import nobody answers at a start");
        assert!(board["graphTooltip"].as_u64().is_some_and(|n| n < 3), "{name}");
        for list in [&board["tags"], &board["links"], &board["annotations"]["list"], &board["templating"]["list"]] {
            assert!(list.is_array(), "{name}");
        }
        for panel in board["panels"].as_array().unwrap() {
            panel_is_sound(&format!("{name}: {}", panel["title"]), panel);
        }
    }
}

fn panel_is_sound(name: &str, panel: &Value) {
    let known = OPTIONS.iter().find(|(kind, _)| panel["type"] == *kind);
    let (kind, options) = known.unwrap_or_else(|| panic!("{name}: is {} a panel of Grafana?", panel["type"]));
    let strange: Vec<_> = keys(&panel["options"]).into_iter().filter(|key| !options.contains(key)).collect();
    assert!(strange.is_empty(), "{name}: a {kind} has no options {strange:?}");
    let defaults = &panel["fieldConfig"]["defaults"];
    assert!(panel["fieldConfig"]["overrides"].is_array() && defaults["unit"].is_string(), "{name}");
    assert!(one_of(&defaults["color"]["mode"], &["palette-classic", "thresholds", "fixed"]), "{name}");
    for (n, step) in defaults["thresholds"]["steps"].as_array().into_iter().flatten().enumerate() {
        assert!(
            step["color"].is_string() && (n == 0) == step["value"].is_null(),
            "{name}: steps begin without a value"
        );
    }
    let o = &panel["options"];
    match *kind {
        "timeseries" => {
            assert!(one_of(&o["legend"]["displayMode"], &["list", "table", "hidden"]), "{name}");
            assert!(one_of(&o["legend"]["placement"], &["bottom", "right"]), "{name}");
            assert!(o["legend"]["calcs"].is_array() && o["legend"]["showLegend"].is_boolean(), "{name}");
            assert!(one_of(&o["tooltip"]["mode"], &["single", "multi", "none"]), "{name}");
            assert!(one_of(&o["tooltip"]["sort"], &["asc", "desc", "none"]), "{name}");
            let custom = &defaults["custom"];
            assert!(one_of(&custom["drawStyle"], &["line", "bars", "points"]), "{name}");
            assert!(one_of(&custom["stacking"]["mode"], &["none", "normal", "percent"]), "{name}");
        }
        "stat" => {
            assert!(o["reduceOptions"]["calcs"].is_array() && o["reduceOptions"]["values"].is_boolean(), "{name}");
            assert!(one_of(&o["colorMode"], &["background", "background_solid", "none", "value"]), "{name}");
            assert!(one_of(&o["graphMode"], &["none", "line", "area"]), "{name}");
            assert!(one_of(&o["textMode"], &["auto", "name", "none", "value", "value_and_name"]), "{name}");
        }
        _ => {
            assert!(o["showHeader"].is_boolean() && one_of(&o["cellHeight"], &["sm", "md", "lg", "auto"]), "{name}");
            let tidied = panel["transformations"].as_array().into_iter().flatten().all(|t| t["id"] == "organize");
            assert!(tidied, "{name}: is that a transformation of Grafana?");
        }
    }
    let mut refs = BTreeSet::new();
    for target in panel["targets"].as_array().unwrap() {
        assert!(refs.insert(target["refId"].as_str().unwrap()), "{name}: two queries have one name");
        assert_eq!(target["datasource"], panel["datasource"], "{name}");
        let (instant, range) = (target["instant"].as_bool().unwrap(), target["range"].as_bool().unwrap());
        assert!(instant != range, "{name}: a query is of a moment or of a range");
        let format = if *kind == "table" { "table" } else { "time_series" };
        assert!(target["format"] == format && (instant || *kind == "timeseries"), "{name}");
    }
}

/// Panels ask the data source that the reader of the board chose among those of Prometheus: the provisioned one unless there are others.
#[test]
fn boards_ask_the_data_source_that_is_provisioned() {
    let provisioned = read("dashboards/grafana/provisioning/datasources/lidr.yml".as_ref());
    assert!(provisioned.contains("type: prometheus") && provisioned.contains("isDefault: true"), "{provisioned}");
    assert!(provisioned.contains("uid: lidr-prometheus"), "its uid does not change from start to start");
    let compose = read("docker-compose.yml".as_ref());
    let board_folder = "path: /var/lib/grafana/dashboards";
    assert!(read("dashboards/grafana/provisioning/dashboards/lidr.yml".as_ref()).contains(board_folder));
    for mount in
        ["dashboards/grafana/provisioning:/etc/grafana/provisioning", "dashboards/grafana:/var/lib/grafana/dashboards"]
    {
        assert!(compose.contains(mount), "{mount}");
    }
    for (name, board) in boards() {
        let variables = board["templating"]["list"].as_array().unwrap();
        let source = variables.iter().find(|v| v["type"] == "datasource").expect("a variable that chooses the source");
        assert_eq!((&source["query"], &source["name"]), (&"prometheus".into(), &"source".into()), "{name}");
        for panel in board["panels"].as_array().unwrap() {
            assert_eq!(panel["datasource"], serde_json::json!({"type": "prometheus", "uid": "${source}"}), "{name}");
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
