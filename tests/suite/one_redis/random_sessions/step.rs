//! One turn of one client, as bytes and as people read it.

use std::fmt;

use crate::harness::encode;

/// One turn of one client.
#[derive(Debug, Clone)]
pub struct Step {
    /// Whose.
    pub client: usize,
    /// What it does.
    pub act: Act,
    /// Whether it, or another, may wait at a shard afterwards.
    pub may_wait: bool,
}

/// What a client does.
#[derive(Debug, Clone)]
pub enum Act {
    /// It sends these lines in one go, its bytes in so many writes.
    Say { lines: Vec<Line>, writes: usize },
    /// It drops its connection and connects anew.
    Leave,
}

/// One command.
#[derive(Debug, Clone)]
pub struct Line {
    /// The command and its arguments.
    pub words: Vec<String>,
    /// Whether it is sent as one line of text.
    pub is_inline: bool,
}

impl Step {
    /// Whether it waits for a moment only.
    pub fn is_short_wait(&self) -> bool {
        match &self.act {
            Act::Say { lines, .. } => {
                lines.iter().any(|line| line.words.last().is_some_and(|last| last == SHORT))
            }
            Act::Leave => false,
        }
    }
}

impl Line {
    /// The command as bytes.
    pub fn bytes(&self) -> Vec<u8> {
        if self.is_inline {
            (self.words.join(" ") + "\r\n").into_bytes()
        } else {
            encode(&self.words)
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", ["A", "B", "C", "D"][self.client])?;
        match &self.act {
            Act::Leave => write!(f, " leaves and comes back"),
            Act::Say { lines, writes } => {
                for line in lines {
                    let how = if line.is_inline { "inline " } else { "" };
                    write!(f, "  {how}{}", line.words.join(" "))?;
                }
                write!(f, "  ({writes} writes)")
            }
        }
    }
}

/// Seconds that are over while one step is played.
pub const SHORT: &str = "0.01";
