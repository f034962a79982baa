//! Why the engine stops: always with the rule's file, so that its author knows where to look.

/// Why rules cannot be planned or run.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A rule does not plan.
    #[error("{file}: {message}")]
    Rule {
        /// The rule's file.
        file: String,
        /// What is wrong with it.
        message: String,
    },
    /// A rule's query failed while it ran.
    #[error("{file}: the query of {code} failed: {message}")]
    Run {
        /// The rule's file.
        file: String,
        /// Its code.
        code: String,
        /// What DataFusion said.
        message: String,
    },
    /// Rows that are not those of their table.
    #[error("rows of `{table}`: {message}")]
    Rows {
        /// The table.
        table: String,
        /// What does not fit.
        message: String,
    },
    /// The engine itself could not be set up.
    #[error("the rule engine: {0}")]
    Setup(String),
}

/// Why a site folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}{}: {message}", file, line.map(|l| format!(":{l}")).unwrap_or_default())]
pub struct SiteError {
    /// The file, or the folder.
    pub file: String,
    /// The line, where there is one.
    pub line: Option<usize>,
    /// What was needed and what was there.
    pub message: String,
}
