//! The nearest known word to one that is not known.

/// The word of `known` that `typed` was probably meant to be.
pub(crate) fn nearest<'a>(
    typed: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let typed = typed.to_ascii_lowercase().replace('-', "_");
    let farthest = (typed.chars().count() / 3).max(1);
    let distances = known.into_iter().map(|word| (distance(&typed, word), word));
    distances.filter(|(distance, _)| *distance <= farthest).min().map(|(_, word)| word)
}

/// How many characters must be inserted, removed, replaced or swapped with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    // A long word is no typing slip of a known one, and the table would be as large as the file.
    if from.len() > to.len() * 2 {
        return usize::MAX;
    }
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_their_word() {
        let known = ["timeout", "servers", "server_connections", "hash", "hash_tag"];
        let cases = [
            ("timout", Some("timeout")),
            ("Timeout", Some("timeout")),
            ("sevrers", Some("servers")),
            ("server-connections", Some("server_connections")),
            ("hsah", Some("hash")),
            ("sentinels", None),
            ("x", None),
        ];
        for (typed, word) in cases {
            assert_eq!(nearest(typed, known), word, "{typed}");
        }
    }
}
