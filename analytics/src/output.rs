//! Findings as people and programs read them.
use std::io::{self, Write};

use crate::Finding;

/// One NDJSON line.
///
/// # Errors
/// If it cannot be written.
pub fn write_json(out: &mut dyn Write, finding: &Finding) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &finding.to_json())?;
    out.write_all(b"\n")
}

/// A paragraph for people; colour where the caller knows that it is a terminal.
///
/// # Errors
/// If it cannot be written.
pub fn write_text(out: &mut dyn Write, finding: &Finding, _colour: bool) -> io::Result<()> {
    writeln!(out, "{} {} {}", finding.severity.name(), finding.code, finding.message)
}
