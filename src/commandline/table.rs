//! Columns for a terminal.

/// Rows of cells, the first of them the head. The first column and those that are no numbers stand
/// to the left.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cells = |column: usize| rows.iter().filter_map(move |row| row.get(column));
    let width = |column: usize| cells(column).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let is_number =
        |cell: &String| cell == "-" || cell.starts_with(|c: char| c.is_ascii_digit() || c == '<');
    let to_right = |column: usize| column > 0 && cells(column).skip(1).all(is_number);
    let shape: Vec<(usize, bool)> =
        (0..columns).map(|column| (width(column), to_right(column))).collect();
    let line = |row: &Vec<String>| {
        let padded = row.iter().zip(&shape).map(|(cell, &(width, to_right))| match to_right {
            true => format!("{cell:>width$}"),
            false => format!("{cell:<width$}"),
        });
        let line = padded.collect::<Vec<_>>().join("  ");
        format!("{}\n", line.trim_end())
    };
    rows.iter().map(line).collect()
}

/// A row of these cells.
pub(super) fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).into()
}

/// A count with its thousands parted.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let place = |(index, digit): (usize, char)| {
        let parted = index > 0 && (digits.len() - index).is_multiple_of(3);
        parted.then_some(',').into_iter().chain([digit])
    };
    digits.chars().enumerate().flat_map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right_and_words_to_the_left() {
        let rows =
            [row(["shard", "keys", "state"]), row(["a", "1,000", "live"]), row(["b", "-", ""])];
        assert_eq!(table(&rows), "shard   keys  state\na      1,000  live\nb          -\n");
    }

    #[test]
    fn thousands_are_parted() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
    }
}
