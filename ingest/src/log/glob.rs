//! Names and values with `*` and `?`, without regard to case.
use regex::Regex;

/// A glob. Most are plain words: an expression is made only for what needs one, since making it costs more than all comparing.
#[derive(Debug)]
pub(super) enum Glob {
    /// In lower case.
    Word(String),
    /// With `*` or `?`.
    Pattern(Regex),
}

impl Glob {
    /// None where it is too long for an expression.
    pub(super) fn new(glob: &str) -> Option<Self> {
        if !glob.contains(['*', '?']) {
            return Some(Self::Word(glob.to_lowercase()));
        }
        let inner = regex::escape(glob).replace("\\*", ".*").replace("\\?", ".");
        Regex::new(&format!("(?is)^{inner}$")).ok().map(Self::Pattern)
    }

    /// Whether the whole text is meant.
    pub(super) fn is_match(&self, text: &str) -> bool {
        match self {
            Self::Word(word) => text.to_lowercase() == *word,
            Self::Pattern(pattern) => pattern.is_match(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_patterns_mean_the_whole_text_in_any_case() {
        for (glob, yes, no) in [
            ("login", "LogIn", "login-failed"),
            ("audit*.log", "AUDIT-2026.LOG", "audit.log.1"),
            ("x?", "X\n", "x"),
            ("a.b", "A.B", "axb"),
            ("ÄMT", "ämt", "amt"),
        ] {
            let glob = Glob::new(glob).unwrap();
            assert!(glob.is_match(yes) && !glob.is_match(no), "{glob:?}");
        }
    }
}
