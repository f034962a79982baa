//! Findings against the released OCSF schema that they name: class Detection Finding (2004) of OCSF 1.5.0.
//!
//! The table below is what that release requires of the class and of the objects that lidr fills, and the types and value sets
//! of their attributes, as far as they occur in a finding (schema.ocsf.io, version 1.5.0).
use serde_json::Value;

use crate::runs::replayed;

/// Attributes that must be there, with the JSON type they have.
const REQUIRED: [(&str, &str, &[&str]); 14] = [
    ("/activity_id", "integer", &[]),
    ("/category_uid", "integer", &["2"]),
    ("/class_uid", "integer", &["2004"]),
    ("/type_uid", "integer", &["200401", "200402", "200403"]),
    ("/severity_id", "integer", &["1", "2", "3", "4", "5"]),
    ("/time", "integer", &[]),
    ("/metadata/version", "string", &["\"1.5.0\""]),
    ("/metadata/product/vendor_name", "string", &[]),
    ("/finding_info/uid", "string", &[]),
    ("/finding_info/title", "string", &[]),
    ("/finding_info/analytic/type_id", "integer", &["1"]),
    ("/finding_info/analytic/version", "string", &[]),
    ("/confidence_id", "integer", &["1", "2", "3"]),
    ("/count", "integer", &[]),
];

/// Attributes of the class, of this release; anything else belongs under `unmapped`.
const KNOWN: [&str; 23] = [
    "activity_id",
    "activity_name",
    "category_name",
    "category_uid",
    "class_name",
    "class_uid",
    "comment",
    "confidence",
    "confidence_id",
    "count",
    "evidences",
    "finding_info",
    "message",
    "metadata",
    "resources",
    "severity",
    "severity_id",
    "status",
    "status_id",
    "time",
    "type_name",
    "type_uid",
    "unmapped",
];

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Number(n) if n.is_i64() || n.is_u64() => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        _ => "other",
    }
}

fn check(finding: &Value) {
    for (pointer, wanted, values) in REQUIRED {
        let value = finding.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is missing: {finding}"));
        assert_eq!(kind(value), wanted, "{pointer}: {finding}");
        assert!(values.is_empty() || values.contains(&value.to_string().as_str()), "{pointer} is {value}");
    }
    for name in finding.as_object().unwrap().keys() {
        assert!(KNOWN.contains(&name.as_str()), "`{name}` is no attribute of class 2004");
    }
    let class = finding["type_uid"].as_u64().unwrap();
    assert_eq!(class, 200_400 + finding["activity_id"].as_u64().unwrap(), "type_uid is class and activity");
    for evidence in finding["evidences"].as_array().unwrap() {
        let connection = &evidence["connection_info"];
        assert!(connection.is_null() || connection["direction_id"].is_u64(), "direction_id is required: {connection}");
        let data = &evidence["data"];
        let place =
            data["frame"].is_u64() && data["capture"].is_string() || data["line"].is_u64() && data["file"].is_string();
        assert!(place, "evidence without a place: {data}");
    }
    for attack in finding["finding_info"]["attacks"].as_array().into_iter().flatten() {
        assert!(attack["version"].is_string(), "an ATT&CK object has its version: {attack}");
    }
}

#[test]
fn findings_follow_the_schema() {
    for name in ["s3", "s4", "s12"] {
        let findings = &replayed(name).findings;
        assert!(!findings.is_empty(), "{name}: nothing found");
        findings.values().for_each(check);
    }
}
