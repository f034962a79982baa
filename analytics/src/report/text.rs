//! The taps as text for people, CSV for spreadsheets, JSON for programs.
use serde_json::{Map, Value};

use super::taps::{State, Tap, Taps};
use crate::{feed::FeedError, time::seconds_text};

impl Tap {
    /// Its cells by name, in the order of the columns.
    pub(super) fn cells(&self) -> [(&'static str, &str); 14] {
        [
            ("state", self.state.name()),
            ("at", &self.at),
            ("address", &self.address),
            ("task", &self.task),
            ("order", &self.order),
            ("liid", &self.liid),
            ("register", &self.register),
            ("admf", &self.admf),
            ("element", &self.element),
            ("wire", &self.wire),
            ("disagree", &self.disagree),
            ("reason", &self.reason),
            ("since", &self.since),
            ("evidence", &self.evidence),
        ]
    }
}

impl Taps {
    /// How many taps are in which state, in one line.
    #[must_use]
    pub fn counts(&self) -> String {
        let counts = State::ALL.iter().map(|s| (s.name(), self.count(*s))).filter(|(_, n)| *n > 0);
        let counts = counts.map(|(name, n)| format!("{n} {name}")).collect::<Vec<_>>().join(", ");
        if counts.is_empty() { "no tap and no order in force".to_owned() } else { counts }
    }

    /// For people at a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = format!("Taps at {} UTC: {}\n", seconds_text(self.moment), self.counts());
        for note in &self.notes {
            out.push_str(&format!("note: {note}\n"));
        }
        for tap in &self.taps {
            let at = if tap.at.is_empty() { String::new() } else { format!(" at {}", tap.at) };
            let what = match (tap.task.is_empty(), tap.liid.is_empty()) {
                (false, _) => format!("task {}{at}", tap.task),
                (true, false) => format!("interception {}{at}", tap.liid),
                (true, true) => format!("order {}{at}", tap.order),
            };
            out.push_str(&format!("\n{:<13}{what}\n", tap.state.name().to_uppercase()));
            let rows = [
                ("why", &tap.reason),
                ("order", &tap.order),
                ("register", &tap.register),
                ("admf", &tap.admf),
                ("element", &tap.element),
                ("wire", &tap.wire),
                ("disagree", &tap.disagree),
                ("evidence", &tap.evidence),
            ];
            for (name, value) in rows.into_iter().filter(|(_, value)| !value.is_empty()) {
                out.push_str(&format!("  {name:<11}{value}\n"));
            }
        }
        out
    }

    /// For spreadsheets: a header line, then a line a tap.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn csv(&self) -> Result<String, FeedError> {
        let wrong = |e: &dyn std::fmt::Display| FeedError::Source(format!("CSV: {e}"));
        let mut out = csv::Writer::from_writer(Vec::new());
        let none = Tap::blank();
        let notes = self.notes.join("; ");
        let names = none.cells().map(|(name, _)| name);
        out.write_record(names.into_iter().chain(["notes"])).map_err(|e| wrong(&e))?;
        for tap in &self.taps {
            let cells = tap.cells().map(|(_, cell)| plain(cell)).into_iter().chain([plain(&notes)]);
            out.write_record(cells).map_err(|e| wrong(&e))?;
        }
        String::from_utf8(out.into_inner().map_err(|e| wrong(&e))?).map_err(|e| wrong(&e))
    }

    /// For programs: a JSON object a line. What the report has to do without stands in every line, for a line is what is passed on.
    #[must_use]
    pub fn lines(&self) -> String {
        let notes = ("notes".to_owned(), Value::from(self.notes.clone()));
        let object = |tap: &Tap| {
            let cells = tap.cells().into_iter().map(|(name, cell)| (name.to_owned(), Value::from(cell)));
            let cells = cells.chain([notes.clone()]);
            format!("{}\n", Value::Object(cells.collect::<Map<_, _>>()))
        };
        self.taps.iter().map(object).collect()
    }
}

/// A cell that no spreadsheet takes for a formula.
fn plain(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t']) { format!("'{cell}") } else { cell.to_owned() }
}

impl Tap {
    fn blank() -> Self {
        let none = String::new;
        Self {
            state: State::Unknown,
            at: none(),
            address: none(),
            task: none(),
            order: none(),
            liid: none(),
            register: none(),
            admf: none(),
            element: none(),
            wire: none(),
            disagree: none(),
            reason: none(),
            since: none(),
            evidence: none(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::report) fn report() -> Taps {
        let bad = Tap {
            state: State::Unauthorised,
            at: "=cmd|<pe1>".into(),
            task: "00ff".into(),
            reason: "a \"reason\", with a comma & <b>".into(),
            register: "no order".into(),
            evidence: "frame 1 of x".into(),
            ..Tap::blank()
        };
        let good = Tap { state: State::Authorised, order: "aa".into(), ..Tap::blank() };
        Taps {
            moment: 1_000_000,
            data: (0, 2_000_000),
            taps: vec![bad, good],
            notes: vec!["no site table x".into()],
            key_id: "k".into(),
            site_hash: "s".into(),
        }
    }

    #[test]
    fn text_says_state_reason_and_proof_of_each_tap() {
        let text = report().text();
        assert!(
            text.starts_with("Taps at 1970-01-01 00:00:01 UTC: 1 unauthorised, 1 authorised\nnote: no site table x\n"),
            "{text}"
        );
        assert!(
            text.contains("UNAUTHORISED task 00ff at =cmd|<pe1>\n  why        a \"reason\"")
                && text.contains("  evidence   frame 1 of x\n"),
            "{text}"
        );
        assert!(text.contains("AUTHORISED   order aa\n"), "{text}");
        let none = Taps { taps: Vec::new(), ..report() };
        assert!(none.text().contains("no tap and no order in force"));
    }

    #[test]
    fn csv_reads_back_and_holds_no_formula() {
        let text = report().csv().unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        assert_eq!(names[..4], ["state", "at", "address", "task"]);
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!((rows.len(), &rows[0][1], &rows[0][11]), (2, "'=cmd|<pe1>", "a \"reason\", with a comma & <b>"));
        assert_eq!((names[14].as_str(), &rows[1][14]), ("notes", "no site table x"));
    }

    #[test]
    fn every_line_of_json_is_an_object_with_all_cells() {
        for line in report().lines().lines() {
            let value: Value = serde_json::from_str(line).unwrap();
            assert_eq!(value.as_object().unwrap().len(), 15, "{line}");
            assert_eq!(value["notes"][0], "no site table x");
        }
    }
}
