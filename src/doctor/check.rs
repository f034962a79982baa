//! One thing that was looked at: how it stands, and what to do next.
use serde_json::json;

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// As it should be.
    Ok,
    /// It works, and something is worth a look.
    Warn,
    /// What was asked for would not work.
    Fail,
    /// Not looked at.
    Unchecked,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Unchecked => "unchecked",
        }
    }
}

/// A check that was made, or was not.
#[derive(Clone, Debug)]
pub(super) struct Check {
    pub(super) state: State,
    pub(super) what: String,
    /// What to do next; for what was not checked, the option that would.
    pub(super) next: String,
}

/// As it should be.
pub(super) fn ok(what: impl Into<String>) -> Check {
    Check { state: State::Ok, what: what.into(), next: String::new() }
}

/// It works, and something is worth a look.
pub(super) fn warn(what: impl Into<String>, next: impl Into<String>) -> Check {
    Check { state: State::Warn, what: what.into(), next: next.into() }
}

/// What was asked for would not work.
pub(super) fn fail(what: impl Into<String>, next: impl Into<String>) -> Check {
    Check { state: State::Fail, what: what.into(), next: next.into() }
}

/// Not looked at.
pub(super) fn unchecked(what: impl Into<String>, next: impl Into<String>) -> Check {
    Check { state: State::Unchecked, what: what.into(), next: next.into() }
}

impl Check {
    /// As lines for people: the state in front, the next step below.
    pub(super) fn text(&self) -> String {
        let mark = if self.state == State::Unchecked { "-" } else { self.state.name() };
        let next = if self.next.is_empty() { String::new() } else { format!("        > {}\n", self.next) };
        format!("  {mark:<5} {}\n{next}", self.what.replace('\n', "\n        "))
    }

    /// As a line of JSON.
    pub(super) fn json(&self, group: &str) -> String {
        format!("{}\n", json!({ "group": group, "state": self.state.name(), "what": self.what, "next": self.next }))
    }
}

/// How many there are of each.
pub(super) fn total(checks: &[Check]) -> String {
    let count = |state| checks.iter().filter(|c| c.state == state).count();
    let [ok, warn, fail, unchecked] = [State::Ok, State::Warn, State::Fail, State::Unchecked].map(count);
    format!("{ok} ok, {warn} to look at, {fail} failed, {unchecked} not checked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_state_in_front_and_the_next_step_below() {
        assert_eq!(ok("x").text(), "  ok    x\n");
        assert_eq!(fail("x\ny", "do z").text(), "  fail  x\n        y\n        > do z\n");
        assert_eq!(unchecked("x", "--y").text(), "  -     x\n        > --y\n");
        let line: serde_json::Value = serde_json::from_str(&warn("x", "y").json("g")).unwrap();
        assert_eq!(line, serde_json::json!({ "group": "g", "state": "warn", "what": "x", "next": "y" }));
        assert_eq!(total(&[ok("a"), fail("b", ""), ok("c")]), "2 ok, 0 to look at, 1 failed, 0 not checked");
    }
}
