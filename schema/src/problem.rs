//! What is wrong with a rule file or a mapping file, and where.
use std::fmt;

/// Something wrong with a file; also used for what is merely doubtful.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file as given, or its name in the embedded pack.
    pub file: String,
    /// Line, from 1, where one can be told.
    pub line: Option<usize>,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

/// Collects problems of one file, so that an author sees all of them at once.
#[derive(Debug)]
pub struct Report {
    file: String,
    /// What must be mended.
    pub errors: Vec<Problem>,
    /// What is doubtful.
    pub warnings: Vec<Problem>,
}

impl Report {
    /// For a file of that name.
    #[must_use]
    pub fn new(file: &str) -> Self {
        Self { file: file.to_owned(), errors: Vec::new(), warnings: Vec::new() }
    }

    /// Something that must be mended; line 0 where none can be told.
    pub fn error(&mut self, line: usize, message: impl Into<String>) {
        self.errors.push(self.problem(line, message.into()));
    }

    /// Something doubtful.
    pub fn warn(&mut self, line: usize, message: impl Into<String>) {
        self.warnings.push(self.problem(line, message.into()));
    }

    /// A name that is not among those allowed, with the nearest of them.
    pub fn unknown<'a>(&mut self, line: usize, what: &str, name: &str, known: impl IntoIterator<Item = &'a str>) {
        let near = crate::dynamic::nearest(name, known);
        self.error(line, format!("{what} `{name}`{}", crate::dynamic::hint(&near)));
    }

    fn problem(&self, line: usize, message: String) -> Problem {
        Problem { file: self.file.clone(), line: (line > 0).then_some(line), message }
    }
}
