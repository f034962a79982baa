//! Open findings in a snapshot: by the code of their rule, for a rule's ordinal is another after a restart with other rules.
use lidr_rules::Rule;
use serde::{Deserialize, Serialize};

use super::{Fold, Open};
use crate::absorb::{Absorbing, Kept};

/// A finding that was open.
#[derive(Debug, Serialize, Deserialize)]
struct One {
    uid: String,
    code: String,
    version: u32,
    open: Open,
}

/// What was open, and what absorbing looks at.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Saved {
    open: Vec<One>,
    absorbing: Vec<Kept>,
    forgotten: u64,
    closed_early: u64,
}

impl Fold {
    /// Everything that is open.
    pub(crate) fn saved(&self, rules: &[Rule]) -> Saved {
        let one = |(uid, open): (&String, &Open)| {
            let rule = rules.get(open.rule)?;
            Some(One { uid: uid.clone(), code: rule.code.clone(), version: rule.version, open: open.clone() })
        };
        Saved {
            open: self.open.iter().filter_map(one).collect(),
            absorbing: self.absorbing.saved(),
            forgotten: self.forgotten,
            closed_early: self.closed_early,
        }
    }

    /// What was saved, and the codes of rules that are not there any more: what was open of them has no last line.
    pub(crate) fn resumed(saved: Saved, rules: &[Rule]) -> (Self, Vec<String>) {
        let mut fold = Self::default();
        let mut gone = Vec::new();
        for One { uid, code, version, mut open } in saved.open {
            let Some(rule) = rules.iter().position(|r| r.code == code && r.version == version) else {
                gone.push(code);
                continue;
            };
            open.rule = rule;
            fold.closing.insert((open.closes, uid.clone()));
            fold.open.insert(uid, open);
        }
        fold.absorbing = Absorbing::resumed(saved.absorbing);
        (fold.forgotten, fold.closed_early) = (saved.forgotten, saved.closed_early);
        gone.sort();
        gone.dedup();
        (fold, gone)
    }
}
