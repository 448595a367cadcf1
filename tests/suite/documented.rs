//! Every error text of circlet's own is in docs/errors.md, and what is there is in the code.

use std::fs;
use std::path::Path;

/// String literals of the library, the lines of a literal joined as the compiler does.
fn literals() -> Vec<String> {
    let mut sources = Vec::new();
    collect(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut sources);
    sources.iter().flat_map(|source| strings(source)).collect()
}

fn collect(folder: &Path, sources: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder of the sources") {
        let path = entry.expect("an entry of a folder").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && name != "tests" {
            collect(&path, sources);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            let text = fs::read_to_string(&path).expect("a source is text");
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            sources.push(code.to_owned());
        }
    }
}

fn strings(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(start) = rest.find(['"', '/', '\'']) {
        let (at, after) = (&rest[start..], &rest[start + 1..]);
        if at.starts_with("//") {
            rest = &at[at.find('\n').unwrap_or(at.len())..];
        } else if at.starts_with("'\"'") || at.starts_with("'\\'") {
            rest = &at[3..];
        } else if at.starts_with('"') {
            let (text, length) = string(after);
            found.push(text);
            rest = &after[length..];
        } else {
            rest = after;
        }
    }
    found
}

/// The text of a literal that begins here, and how long it is with its closing quote.
fn string(source: &str) -> (String, usize) {
    let mut text = String::new();
    let mut letters = source.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (text, at + 1),
            '\\' => match letters.next() {
                Some((at, '\n')) => {
                    let rest = &source[at..];
                    let blanks = rest.len() - rest.trim_start().len();
                    for _ in 1..blanks {
                        letters.next();
                    }
                }
                Some((_, 'r' | 'n')) | None => {}
                Some((_, other)) => text.push(other),
            },
            other => text.push(other),
        }
    }
    (text, source.len())
}

/// What stands before the first blank of a format.
fn beginning(literal: &str) -> &str {
    let text = literal.trim_start_matches('-');
    text.split('{').next().unwrap_or_default().trim_end()
}

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors.md");
    fs::read_to_string(path).expect("docs/errors.md")
}

#[test]
fn every_error_of_our_own_has_its_cause_and_remedy() {
    let (page, mut missing) = (page(), Vec::new());
    for literal in literals() {
        let text = beginning(&literal);
        let is_error = CODES.iter().any(|code| text.starts_with(code));
        // A code alone is looked for in what others said.
        let has_words = text.split(' ').count() > 2;
        if is_error && has_words && !REDIS.iter().any(|known| text.starts_with(known)) {
            let start: String = text.chars().take(TELLING).collect();
            if !page.contains(start.trim_end_matches([' ', '\''])) {
                missing.push(text.to_owned());
            }
        }
    }
    assert!(missing.is_empty(), "not in docs/errors.md, nor Redis's own: {missing:#?}");
}

#[test]
fn what_is_documented_is_said() {
    let (page, all) = (page(), literals().join("\n"));
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let text = row.split('`').nth(1).unwrap_or_default();
        for piece in text.split('…').map(|piece| piece.trim_matches([' ', '(', ')', ',', ':', ';']))
        {
            let piece = CODES.iter().fold(piece, |piece, code| piece.trim_start_matches(code));
            let is_telling = piece.split(' ').count() > 3 && !piece.contains("(shard");
            assert!(!is_telling || all.contains(piece.trim()), "nobody says: {piece}\nin {row}");
        }
    }
}

/// So many letters of a text tell which one it is; the page may leave out the rest.
const TELLING: usize = 28;

const CODES: [&str; 9] = [
    "ERR ",
    "CROSSSLOT ",
    "TRYAGAIN ",
    "RATELIMIT ",
    "OOM ",
    "NOPERM ",
    "NOAUTH ",
    "DENIED ",
    "EXECABORT ",
];

/// How errors begin that Redis has as well.
const REDIS: &[&str] = &[
    "ERR A client can only redirect",
    "ERR ACL GENPASS argument must be",
    "ERR AUTH <password> called without any password",
    "ERR Bad number of keys",
    "ERR CLIENT CACHING can be called only",
    "ERR CLIENT PAUSE mode must be",
    "ERR CLIENT UNBLOCK reason should be",
    "ERR Can't execute",
    "ERR Client sent AUTH, but no password is set",
    "ERR Command '",
    "ERR Command not allowed inside a transaction",
    "ERR DB index is out of range",
    "ERR DISCARD without MULTI",
    "ERR EXEC without MULTI",
    "ERR Invalid ",
    "ERR MULTI calls can not be nested",
    "ERR No such ",
    "ERR Number of keys can't be",
    "ERR OPTIN and OPTOUT",
    "ERR PREFIX option requires",
    "ERR Prefix '",
    "ERR Protocol version is not",
    "ERR Syntax error in HELLO",
    "ERR The client ID you want",
    "ERR The command has no key",
    "ERR This instance has cluster support disabled",
    "ERR Unbalanced",
    "ERR Unknown ",
    "ERR Unrecognized option",
    "ERR User '",
    "ERR WATCH inside MULTI",
    "ERR You can't specify",
    "ERR You should send CLUSTER FAILOVER",
    "ERR at least 1 input key",
    "ERR client-id should be",
    "ERR count should be",
    "ERR invalid cursor",
    "ERR invalid password",
    "ERR max number of clients reached",
    "ERR maxage ",
    "ERR no such key",
    "ERR numkeys should be",
    "ERR syntax error",
    "ERR timeout is ",
    "ERR unknown command",
    "ERR unknown subcommand",
    "ERR value is ",
    "ERR wrong number of arguments",
    "EXECABORT Transaction discarded because of",
    "NOAUTH Authentication required.",
    "NOAUTH HELLO must be called",
    "NOPERM this user has no permissions to",
];
