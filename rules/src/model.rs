//! A rule as the engine sees it: checked, with every default filled in.
use std::collections::BTreeMap;

use lidr_schema::{TableId, finding::Severity};
use serde_json::{Map, Value};

/// A rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Catalogue code (`LI-09`), or the Sigma `id` of a plain Sigma rule: the finding's `analytic.uid`.
    pub code: String,
    /// Version of the rule; part of the finding's id.
    pub version: u32,
    /// One line.
    pub title: String,
    /// Sigma's UUID.
    pub id: Option<String>,
    /// Sigma's status: `stable`, `test`, `experimental`, …
    pub status: String,
    /// What it finds and why that is unusual.
    pub description: String,
    /// Sources.
    pub references: Vec<String>,
    /// `attack.*` and `lidr.*`.
    pub tags: Vec<String>,
    /// Severity where `severity_by` says nothing.
    pub level: Severity,
    /// How it finds.
    pub body: Body,
    /// The window; none: each row by itself, on arrival.
    pub window: Option<Window>,
    /// Level of the early run at the window's end, if there is one.
    pub pending: Option<Severity>,
    /// Argues from what was not seen.
    pub absence: bool,
    /// Each result says that a sensor was blind in its window: rules that argue from absence are not judged on rows of it.
    pub suspends: bool,
    /// What a finding is about, in the order of its id.
    pub entity: Vec<Entity>,
    /// The sentence, with `{column}`, `{zone(column)}`, `{name(column)}`.
    pub message: String,
    /// Column of the result that holds a level's name.
    pub severity_by: Option<String>,
    /// Tables without which the rule is not evaluated; `table.column|column`: one of the columns must hold a value, too.
    pub needs: Vec<String>,
    /// Site tables read as empty when absent.
    pub uses: Vec<String>,
    /// Memory, by table name.
    pub remembers: BTreeMap<String, Remember>,
    /// Length of the bucket in a finding's id, µs.
    pub bucket: i64,
    /// Findings of other rules that this one explains.
    pub absorbs: Vec<Absorb>,
    /// Which rows must meet on one machine: `src`, `dst`, `ne`, `task`, `all`.
    pub by: String,
    /// Values a site may change, by name.
    pub tunables: BTreeMap<String, Tunable>,
    /// What it cannot see.
    pub blind_spots: String,
    /// What to look at.
    pub triage: String,
    /// What would make it harmless.
    pub benign_if: String,
    /// Sigma's `falsepositives`.
    pub falsepositives: Vec<String>,
    /// Its cases.
    pub tests: Vec<Case>,
    /// SHA-256 of the file, hex.
    pub sha256: String,
    /// Path of the file as given, or its name in the embedded pack.
    pub file: String,
    /// A Sigma file without custom keys.
    pub plain_sigma: bool,
}

/// How a rule finds.
#[derive(Clone, Debug)]
pub enum Body {
    /// A query over the tables of one window, the site's tables and the rule's memory.
    Sql(String),
    /// Sigma's `detection` over the rows of one table.
    Detection {
        /// The table.
        table: TableId,
        /// The condition.
        condition: Expr,
    },
}

/// A Sigma condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// All of them.
    And(Vec<Expr>),
    /// Any of them.
    Or(Vec<Expr>),
    /// Not this one; a field that is missing was no match, so its negation is one.
    Not(Box<Expr>),
    /// A test of one column.
    Test(Test),
}

/// A test of one column: true where any of the values matches (all of them with `all`).
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// The column.
    pub column: String,
    /// How it is compared.
    pub op: Op,
    /// All values must match instead of any.
    pub all: bool,
    /// The values; empty for `Exists` and `Missing`.
    pub values: Vec<Literal>,
}

/// How a column is compared; text without regard to case unless `cased` (Sigma's rule).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Equal; for text with Sigma's wildcards `*` and `?` already turned into `Like`.
    Equal,
    /// SQL LIKE pattern with `\` as its escape.
    Like,
    /// Regular expression of Rust's `regex`, as written (case counts unless it says `(?i)`).
    Regex,
    /// In an address range.
    Cidr,
    /// Less than.
    Lt,
    /// At most.
    Lte,
    /// Greater than.
    Gt,
    /// At least.
    Gte,
    /// Not null.
    Exists,
    /// Null.
    Missing,
}

/// A value in a test.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// Text; lower case for `Equal` and `Like` unless cased.
    Text(String),
    /// A whole number.
    Int(i64),
    /// True or false.
    Bool(bool),
    /// An address range, or an address as the range of one.
    Cidr(lidr_schema::Cidr),
}

/// Tumbling windows that start at multiples of `size` since the epoch, µs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Length.
    pub size: i64,
    /// Context before.
    pub before: i64,
    /// Context after.
    pub after: i64,
    /// Windows without rows are judged, where the rule judges its memory, only if they start at a multiple of this; none: all.
    pub sweep: Option<i64>,
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// Column of the result.
    pub col: String,
    /// `host`, `account`, `task`, `destination`, `device`, `credential`.
    pub kind: String,
}

/// A memory: rows of an event table that pass `add`, kept by key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remember {
    /// The event table.
    pub from: TableId,
    /// Key columns.
    pub key: Vec<String>,
    /// Value columns, replaced by a later add.
    pub value: Vec<String>,
    /// Columns of numbers, kept as what the rows of one window added up to, on the average of the last windows that had any.
    pub rates: Vec<String>,
    /// SQL condition of rows that are kept; empty: all.
    pub add: String,
    /// SQL condition of rows that drop their key; empty: none.
    pub drop: String,
    /// How long after its last add an entry stays, µs.
    pub ttl: i64,
    /// Most entries.
    pub max: usize,
    /// Filled from the site table `history`.
    pub seed_history: bool,
}

/// Findings of another rule that this one explains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absorb {
    /// The other rule.
    pub code: String,
    /// Columns (of both results) that must agree.
    pub by: Vec<String>,
    /// Line in the file.
    pub line: usize,
}

/// A value that a site may change.
#[derive(Clone, Debug, PartialEq)]
pub struct Tunable {
    /// What it is unless told otherwise.
    pub default: Value,
    /// Its unit.
    pub unit: String,
    /// What it means.
    pub meaning: String,
}

/// A case in a rule file.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What happens in it.
    pub name: String,
    /// Event rows in short form by table; every time is µs relative to the window's start already, and `at` has become `ts` and `due`.
    pub given: BTreeMap<String, Vec<Map<String, Value>>>,
    /// Site tables in short form.
    pub site: BTreeMap<String, Vec<Map<String, Value>>>,
    /// End of the input, µs after the window's start.
    pub until: Option<i64>,
    /// Values of tunables that hold in this case only, so that a few rows show what takes many.
    pub set: BTreeMap<String, Value>,
    /// Findings that must come out, each with the entity values and the level; none: silence.
    pub expect: Vec<Expect>,
    /// The case shows that the rule cannot judge here.
    pub not_evaluated: bool,
}

/// A finding that a case expects, in its last state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// Entity values as text, in order.
    pub entity: Vec<String>,
    /// Level.
    pub level: Option<Severity>,
    /// Number of distinct `at`.
    pub count: Option<u64>,
}
