//! What is wrong with a configuration, where, and what would be right.

use std::fmt;

/// One thing that is wrong with a configuration, told so that it can be put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// The file as the user named it, or `command line`.
    pub file: String,
    /// Line, from 1. `None` where the whole file is at fault.
    pub line: Option<u32>,
    /// Column in characters, from 1.
    pub column: Option<u32>,
    /// The pool it happened in.
    pub pool: Option<String>,
    /// The key it happened at.
    pub key: Option<String>,
    /// What is wrong, quoting what was written.
    pub wrong: String,
    /// What would be right.
    pub right: String,
}

/// All faults of one configuration, in the order of the file; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<ConfigFault>);

/// A value that does not do, before it is known which file and key it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) wrong: String,
    pub(crate) right: String,
}

impl Wrong {
    pub(crate) fn new(wrong: impl Into<String>, right: impl Into<String>) -> Self {
        Self { wrong: wrong.into(), right: right.into() }
    }
}

impl ConfigFault {
    /// A fault of the file as a whole.
    pub(crate) fn of_file(file: &str, wrong: Wrong) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            column: None,
            pool: None,
            key: None,
            wrong: wrong.wrong,
            right: wrong.right,
        }
    }
}

/// `nutcracker.yml:4:12: pool alpha, key timeout: "1s" is not …; write …`
impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
            if let Some(column) = self.column {
                write!(f, ":{column}")?;
            }
        }
        write!(f, ": ")?;
        match (&self.pool, &self.key) {
            (Some(pool), Some(key)) => write!(f, "pool {pool}, key {key}: ")?,
            (Some(pool), None) => write!(f, "pool {pool}: ")?,
            (None, Some(key)) => write!(f, "key {key}: ")?,
            (None, None) => {}
        }
        write!(f, "{}", self.wrong)?;
        if self.right.is_empty() { Ok(()) } else { write!(f, "; {}", self.right) }
    }
}

impl std::error::Error for ConfigFault {}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

impl From<ConfigFault> for Faults {
    fn from(fault: ConfigFault) -> Self {
        Self(vec![fault])
    }
}
