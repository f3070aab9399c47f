// SPDX-License-Identifier: GPL-2.0

//! Tables in Markdown, and the numbers in them.

pub const NONE: &str = "–";

/// Formats a number with at least three digits.
pub fn number(value: f64) -> String {
    let decimals = match value {
        value if value < 10.0 => 2,
        value if value < 1000.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

pub fn number_or_none(value: Option<f64>) -> String {
    value.map_or(NONE.into(), number)
}

pub fn cells<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

/// Formats a table. The first row is the head. The first `texts` columns are text, the others numbers.
pub fn table(rows: &[Vec<String>], texts: usize) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0).max(3)
    };
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        for (column, cell) in row.iter().enumerate() {
            let width = width(column);
            text += &if column < texts {
                format!("| {cell:<width$} ")
            } else {
                format!("| {cell:>width$} ")
            };
        }
        text += "|\n";
        if index == 0 {
            for column in 0..row.len() {
                let line = "-".repeat(width(column) + 1);
                text += &format!("|{line}{}", if column < texts { "-" } else { ":" });
            }
            text += "|\n";
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_at_least_three_digits() {
        assert_eq!(
            [2.0, 19.04, 352.39, 11538.02].map(number),
            ["2.00", "19.0", "352.4", "11538"]
        );
    }

    #[test]
    fn texts_are_on_the_left_and_numbers_on_the_right() {
        let rows = [cells(["name", "ns"]), cells(["a", "12"])];
        assert_eq!(
            table(&rows, 1),
            "| name |  ns |\n|------|----:|\n| a    |  12 |\n"
        );
    }
}
