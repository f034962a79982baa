//! ATT&CK tags of a rule as OCSF `attacks[]`.
use serde_json::{Value, json};

/// One entry for each tag.
pub(crate) fn attacks(tags: &[String]) -> Vec<Value> {
    tags.iter().filter(|t| t.starts_with("attack.")).map(|t| json!({ "technique": { "uid": t } })).collect()
}
