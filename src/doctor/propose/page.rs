//! `PROPOSED.md`: every proposed line with what speaks for it, what was seen and not proposed, and what no capture can tell.
use std::fmt::Write;

use super::{Proposal, WARNING};

/// Sentences of evidence that stand beside a line.
const MOST: usize = 6;
/// What was seen and not proposed that is told one by one.
const MOST_OPEN: usize = 200;

pub(super) fn page(proposal: &Proposal, inputs: &[String]) -> String {
    let mut out = format!("# Proposed site folder\n\nFrom {}.\n\n**{WARNING}**\n", inputs.join(", "));
    for table in proposal.tables.iter().filter(|t| !t.entries.is_empty()) {
        // Writing to a String cannot fail.
        let _ =
            writeln!(out, "\n## {}.csv\n\n| line | {} | because |\n|---|---|---|", table.name, table.columns.join(","));
        for (i, entry) in table.entries.iter().enumerate() {
            let more = entry.why.len().saturating_sub(MOST);
            let mut why: Vec<String> = entry.why.iter().take(MOST).cloned().collect();
            if more > 0 {
                why.push(format!("and {more} more of the kind"));
            }
            let _ = writeln!(out, "| {} | `{}` | {} |", i + 2, cell(&entry.cells.join(",")), cell(&why.join("; ")));
        }
    }
    out.push_str("\n## Seen and not proposed\n\n");
    if proposal.open.is_empty() {
        out.push_str("Nothing.\n");
    }
    for open in proposal.open.iter().take(MOST_OPEN) {
        let _ = writeln!(out, "- {}", cell(open));
    }
    let more = proposal.open.len().saturating_sub(MOST_OPEN);
    if more > 0 {
        let _ = writeln!(out, "- and {more} more of the kind");
    }
    out.push_str(REST);
    out
}

/// A cell of a table that does not end it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r', '`'], " ")
}

const REST: &str = "
## What no capture can tell

- `warrants`: which interceptions are lawful. Without it whether a tap has an order is not judged, which is what lidr is for.
- `devices`: role, vendor, and whether only AAA may log in. Fill in what you know; empty is unknown.
- `policy`: what may cross from zone to zone.
- `accounts`, `tickets`, `partners`, `tunnels`, `mirror_sessions`, `history`: leave out what you do not have; rules that need one say so.
- Zones named `unassigned` have no rank, so that rules on borders do not judge them: name them.

`lidr doctor --site DIR` says which rules would judge with this folder, and what the others lack.
";
