//! A query seen as words: enough for the lints that need no planner. Whether it plans is the engine's to say.
use std::collections::BTreeSet;

/// A piece of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// A name or keyword.
    Word(String),
    /// A name in quotes, never a keyword.
    Quoted(String),
    /// `$name`.
    Parameter(String),
    /// Text in single quotes.
    Text(String),
    /// Anything else.
    Sign(char),
}

/// A query cut into words; comments are gone.
#[derive(Debug)]
pub(crate) struct Sql(Vec<Token>);

impl Sql {
    pub(crate) fn read(text: &str) -> Self {
        let mut out = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = if let Some(comment) = rest.strip_prefix("--") {
                comment.split_once('\n').map_or("", |(_, r)| r)
            } else if let Some(string) = rest.strip_prefix('\'') {
                let (text, after) = string.split_once('\'').unwrap_or((string, ""));
                out.push(Token::Text(text.to_owned()));
                after
            } else if let Some(quoted) = rest.strip_prefix('"') {
                let (name, after) = quoted.split_once('"').unwrap_or((quoted, ""));
                out.push(Token::Quoted(name.to_owned()));
                after
            } else if let Some(parameter) = rest.strip_prefix('$') {
                let (name, after) = word(parameter);
                out.push(Token::Parameter(name.to_owned()));
                after
            } else if c.is_alphanumeric() || c == '_' {
                let (name, after) = word(rest);
                out.push(Token::Word(name.to_owned()));
                after
            } else {
                out.extend((!c.is_whitespace()).then_some(Token::Sign(c)));
                rest.strip_prefix(c).unwrap_or_default()
            };
        }
        Self(out)
    }

    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|t| if let Token::Word(w) | Token::Quoted(w) = t { Some(w.as_str()) } else { None })
    }

    pub(crate) fn has_word(&self, word: &str) -> bool {
        self.words().any(|w| w == word)
    }

    pub(crate) fn parameters(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|t| if let Token::Parameter(p) = t { Some(p.as_str()) } else { None })
    }

    fn is(&self, at: usize, word: &str) -> bool {
        matches!(self.0.get(at), Some(Token::Word(w)) if w.eq_ignore_ascii_case(word))
    }

    fn sign(&self, at: usize, sign: char) -> bool {
        self.0.get(at) == Some(&Token::Sign(sign))
    }

    /// Whether a function is called, or a word that stands for a call without parentheses (`current_date`).
    pub(crate) fn calls(&self, name: &str) -> bool {
        (0..self.0.len()).any(|i| self.is(i, name) && (self.sign(i + 1, '(') || name.starts_with("current_")))
    }

    /// Texts that stand as arguments in the calls of a function, calls inside them left out.
    pub(crate) fn literals(&self, function: &str) -> Vec<&str> {
        let calls = (0..self.0.len()).filter(|i| self.is(*i, function) && self.sign(i + 1, '('));
        calls.flat_map(|call| self.arguments(call + 2)).collect()
    }

    /// Texts from a position to the bracket that closes it.
    fn arguments(&self, from: usize) -> Vec<&str> {
        let (mut depth, mut out) = (0_i32, Vec::new());
        for i in from..self.0.len() {
            depth += i32::from(self.sign(i, '(')) - i32::from(self.sign(i, ')'));
            match self.0.get(i) {
                _ if depth < 0 => break,
                Some(Token::Text(text)) if depth == 0 => out.push(text.as_str()),
                _ => {}
            }
        }
        out
    }

    /// Tables read, queries named by `WITH` left out.
    pub(crate) fn tables(&self) -> BTreeSet<String> {
        let named: BTreeSet<String> = (0..self.0.len())
            .filter(|i| self.is(i + 1, "as") && self.sign(i + 2, '('))
            .filter_map(|i| self.name(i))
            .collect();
        let starts = (0..self.0.len()).filter(|i| {
            let distinct = i.checked_sub(1).is_some_and(|p| self.is(p, "distinct"));
            (self.is(*i, "from") && !distinct) || self.is(*i, "join")
        });
        starts.filter_map(|i| self.name(i + 1)).filter(|n| !named.contains(n)).collect()
    }

    fn name(&self, at: usize) -> Option<String> {
        match self.0.get(at) {
            Some(Token::Quoted(w)) => Some(w.clone()),
            Some(Token::Word(w)) if !["select", "lateral", "unnest"].contains(&w.to_lowercase().as_str()) => {
                Some(w.clone())
            }
            _ => None,
        }
    }

    /// What stands before each `AS at`.
    pub(crate) fn at(&self) -> Vec<String> {
        (0..self.0.len()).filter(|i| self.is(*i, "as") && self.is(i + 1, "at")).map(|i| self.before(i)).collect()
    }

    /// The expression that ends before a position: back to a comma or `select` at its own depth.
    fn before(&self, end: usize) -> String {
        let mut depth = 0_i32;
        let mut parts: Vec<String> = Vec::new();
        for i in (0..end).rev() {
            depth += i32::from(self.sign(i, ')')) - i32::from(self.sign(i, '('));
            if depth < 0 || (depth == 0 && (self.sign(i, ',') || self.is(i, "select") || self.is(i, "distinct"))) {
                break;
            }
            parts.push(match self.0.get(i) {
                Some(Token::Word(w) | Token::Quoted(w)) => w.clone(),
                Some(Token::Parameter(p)) => format!("${p}"),
                Some(Token::Text(t)) => format!("'{t}'"),
                Some(Token::Sign(c)) => c.to_string(),
                None => String::new(),
            });
        }
        parts.reverse();
        parts.concat()
    }

    /// Whether some select list counts distinct values beside another aggregate.
    pub(crate) fn distinct_beside_others(&self) -> bool {
        let distinct = |i: usize| self.is(i, "count") && self.sign(i + 1, '(') && self.is(i + 2, "distinct");
        let other = |i: usize| {
            ["sum", "min", "count"].iter().any(|f| self.is(i, f))
                && self.sign(i + 1, '(')
                && !self.is(i + 2, "distinct")
        };
        let starts: Vec<usize> = (0..self.0.len()).filter(|i| self.is(*i, "select")).collect();
        starts.iter().any(|start| {
            let end = (*start..self.0.len()).find(|i| self.is(*i, "from")).unwrap_or(self.0.len());
            (*start..end).any(distinct) && (*start..end).any(other)
        })
    }
}

fn word(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &str = "WITH a AS (SELECT actor, max(t.due) AS at FROM tasking t JOIN elements_managers m ON true)
        -- FROM nowhere
        SELECT actor, \"from\", 'FROM nothing' x, $n, coalesce(first_seen, $start) AS at FROM a WHERE x IS DISTINCT FROM y";

    #[test]
    fn tables_leave_out_named_queries_comments_and_strings() {
        let tables: Vec<String> = Sql::read(QUERY).tables().into_iter().collect();
        assert_eq!(tables, ["elements_managers", "tasking"]);
    }

    #[test]
    fn what_stands_before_at_is_found() {
        assert_eq!(Sql::read(QUERY).at(), ["max(t.due)", "coalesce(first_seen,$start)"]);
        assert_eq!(Sql::read(QUERY).parameters().collect::<Vec<_>>(), ["n", "start"]);
    }

    #[test]
    fn texts_of_a_call_are_its_own() {
        let sql =
            Sql::read("SELECT cidr(ip('10.0.0.1'), '10.0.0.0/8'), 'x' FROM t WHERE cidr(a, b) OR cidr(a, '::/0')");
        assert_eq!(sql.literals("cidr"), ["10.0.0.0/8", "::/0"]);
        assert_eq!(sql.literals("ip"), ["10.0.0.1"]);
    }

    #[test]
    fn calls_are_told_from_columns() {
        let sql = Sql::read("SELECT now(), zone, current_date");
        assert!(sql.calls("now") && sql.calls("current_date") && !sql.calls("zone"));
    }

    #[test]
    fn distinct_beside_another_aggregate_is_seen() {
        assert!(Sql::read("SELECT count(DISTINCT a), sum(b) FROM t").distinct_beside_others());
        assert!(!Sql::read("SELECT count(DISTINCT a) FROM t").distinct_beside_others());
    }
}
