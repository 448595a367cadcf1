//! The examples as the files tell them; `examples/README.md` says how they are written.

use std::collections::HashMap;

/// Steps in a row, on stores that are empty before.
pub struct Scenario {
    /// The file's name and the scenario's, as messages tell them.
    pub name: String,
    /// Told for this version of RESP only.
    pub only_resp: Option<u8>,
    /// Its keys must live on one shard, whatever the pool allows.
    pub together: bool,
    pub steps: Vec<Step>,
}

/// One line.
pub struct Step {
    pub line: usize,
    /// The line as it was written.
    pub text: String,
    /// Which connection takes it.
    pub connection: usize,
    pub action: Action,
    pub mode: Mode,
    /// Redis's reply must be an error; else it must not be one.
    pub fails: bool,
    /// Both replies are kept under this name.
    pub keep: Option<String>,
}

/// What a step does.
#[derive(PartialEq)]
pub enum Action {
    /// Sends a command and reads its reply.
    Command(Words),
    /// Sends a command that blocks, and waits until it does.
    Block(Words),
    /// Sends a command that gets no reply.
    Unanswered(Words),
    /// Reads one more reply.
    Reply,
    /// Finds the connection closed.
    Closed,
    /// Waits until no server saves in the background.
    Saved,
}

/// A command's words, not yet filled in.
pub type Words = Vec<String>;

/// How the two replies are compared.
#[derive(Clone, PartialEq)]
pub enum Mode {
    /// Byte for byte.
    Exact,
    /// Their elements byte for byte, in whatever order.
    Sorted,
    /// Types and lengths of arrays; what strings and numbers say may differ.
    Shape,
    /// The type alone.
    Type,
    /// One Redis is not asked: circlet's reply differs, for a reason.
    Exception { pattern: String, reason: String },
}

impl Scenario {
    /// From what stands between the brackets.
    fn named(file: &str, head: &str) -> Scenario {
        let (title, options) = head.split_once(" | ").unwrap_or((head, ""));
        let only_resp = options.split("RESP").nth(1).and_then(|resp| resp.parse().ok());
        let together = options.contains("together");
        Scenario { name: format!("{file}: {title}"), only_resp, together, steps: Vec::new() }
    }
}

impl Step {
    /// The words of this step's command.
    pub fn words(&self) -> Option<&Words> {
        match &self.action {
            Action::Command(words) | Action::Block(words) | Action::Unanswered(words) => {
                Some(words)
            }
            _ => None,
        }
    }

    /// The command of this step, by the name that COMMAND gives it; `containers` are those with
    /// subcommands.
    pub fn command(&self, containers: &[String]) -> Option<String> {
        let words = self.words()?;
        let first = words[0].to_lowercase();
        Some(match words.get(1) {
            Some(second) if containers.contains(&first) => {
                format!("{first}|{}", second.to_lowercase())
            }
            _ => first,
        })
    }
}

/// All scenarios of a file.
pub fn parse(file: &str, text: &str) -> Vec<Scenario> {
    let mut scenarios: Vec<Scenario> = Vec::new();
    let mut reason = String::new();
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(head) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            scenarios.push(Scenario::named(file, head));
            reason.clear();
            continue;
        }
        if let Some(because) = line.strip_prefix("because ") {
            reason = because.to_owned();
            continue;
        }
        let scenario = scenarios.last_mut().expect("a file starts with a scenario's [name]");
        scenario.steps.push(step(index + 1, line, &reason));
    }
    scenarios
}

fn step(line: usize, text: &str, reason: &str) -> Step {
    let mut step = Step {
        line,
        text: text.to_owned(),
        connection: 1,
        action: Action::Reply,
        mode: Mode::Exact,
        fails: false,
        keep: None,
    };
    let (told, pattern) = match text.split_once(" => ") {
        Some((told, pattern)) => (told, Some(pattern.to_owned())),
        None => (text, None),
    };
    let mut words = words(told);
    let mut make: fn(Words) -> Action = Action::Command;
    while let Some(mark) = words.first() {
        match mark.as_str() {
            "!" => step.fails = true,
            "sorted" => step.mode = Mode::Sorted,
            "shape" => step.mode = Mode::Shape,
            "type" => step.mode = Mode::Type,
            "blocks" => make = Action::Block,
            "unanswered" => make = Action::Unanswered,
            "reply" => make = |_| Action::Reply,
            "saved" => make = |_| Action::Saved,
            "closed" => make = |_| Action::Closed,
            mark => match (mark.strip_prefix('@'), mark.strip_prefix("as:")) {
                (Some(number), _) => step.connection = number.parse().expect("@ and a number"),
                (_, Some(name)) => step.keep = Some(name.to_owned()),
                _ => break,
            },
        }
        words.remove(0);
    }
    if let Some(pattern) = pattern {
        assert!(!reason.is_empty(), "line {line}: an exception needs a `because` before it");
        step.mode = Mode::Exception { pattern, reason: reason.to_owned() };
    }
    step.action = make(words);
    step
}

/// The words of a line: separated by spaces; `"…"` holds spaces together and knows `\n`, `\r`,
/// `\"`, `\\` and `\x00`.
fn words(line: &str) -> Words {
    let mut words = Words::new();
    let mut rest = line.chars().peekable();
    while rest.peek().is_some() {
        let quoted = rest.next_if_eq(&'"').is_some();
        let mut word = String::new();
        while let Some(character) = rest.next() {
            match character {
                '"' if quoted => break,
                ' ' if !quoted => break,
                '\\' if quoted => word.push(escaped(&mut rest)),
                other => word.push(other),
            }
        }
        words.push(word);
        while rest.next_if_eq(&' ').is_some() {}
    }
    words
}

fn escaped(rest: &mut impl Iterator<Item = char>) -> char {
    match rest.next() {
        Some('n') => '\n',
        Some('r') => '\r',
        Some('x') => {
            let digits: String = rest.take(2).collect();
            char::from(u8::from_str_radix(&digits, 16).expect("two hexadecimal digits"))
        }
        other => other.expect("something to escape"),
    }
}

/// Where keys live.
#[derive(Clone, Copy, PartialEq)]
pub enum Keys {
    /// `%k` with the first of the hash tags, `%%k` with the second, and so on.
    Together,
    /// Each with the hash tag that its own name leads to.
    Scattered,
}

/// A command's words with what they stand for: `%k` is the key `k` with one of the hash tags
/// `tags`, `<name>` a value that was kept.
pub fn fill(
    words: &[String],
    keys: Keys,
    tags: &[String],
    kept: &HashMap<String, Vec<u8>>,
) -> Vec<Vec<u8>> {
    let fill = |word: &String| {
        let key = word.trim_start_matches('%');
        if let Some(shard) = (word.len() - key.len()).checked_sub(1) {
            let named: usize = key.bytes().map(usize::from).sum();
            let shard = if keys == Keys::Together { shard } else { shard + named };
            return format!("{{{}}}{key}", tags[shard % tags.len()]).into_bytes();
        }
        match word.strip_prefix('<').and_then(|word| word.strip_suffix('>')) {
            Some(name) => {
                kept.get(name).unwrap_or_else(|| panic!("nothing kept as {name}")).clone()
            }
            // One byte a character: what `\x` writes is a byte.
            None => word.chars().map(|character| character as u32 as u8).collect(),
        }
    };
    words.iter().map(fill).collect()
}
