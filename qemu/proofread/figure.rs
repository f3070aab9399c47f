// SPDX-License-Identifier: GPL-2.0

//! Checks that each number in the tables of a section is a figure that the bench has recorded, perhaps rounded. Whole
//! numbers below 10 are not checked: they may count something else.

/// Returns the numbers in a text, and how many decimals each has.
fn numbers(text: &str) -> impl Iterator<Item = (f64, u32)> + '_ {
    let is_part = |c: char| c.is_ascii_digit() || c == '.' || c == ',';
    text.split(move |c| !is_part(c)).filter_map(|word| {
        let word = word.trim_matches(['.', ',']).replace(',', "");
        let decimals = word.split_once('.').map_or(0, |(_, after)| after.len());
        Some((word.parse().ok()?, u32::try_from(decimals).ok()?))
    })
}

/// Returns the lines of a section with their numbers.
fn section<'a>(document: &'a str, heading: &str) -> Vec<(usize, &'a str)> {
    let mut inside = false;
    let mut found = vec![];
    for (index, line) in document.lines().enumerate() {
        if line.starts_with('#') {
            inside = line.trim_start_matches('#').trim() == heading;
        } else if inside {
            found.push((index + 1, line));
        }
    }
    found
}

/// Returns a complaint about each number that was not recorded, and one if the tables of the section have no number.
pub fn check(document: &str, heading: &str, recorded: &str) -> Vec<String> {
    let recorded: Vec<_> = numbers(recorded).map(|(number, _)| number).collect();
    let mut count = 0;
    let mut wrong = vec![];
    for (index, line) in section(document, heading) {
        if !line.starts_with('|') {
            continue;
        }
        for (number, decimals) in numbers(line) {
            if number < 10.0 && decimals == 0 {
                continue;
            }
            count += 1;
            let unit = 0.1_f64.powi(decimals.try_into().unwrap_or(0));
            // The recorded number may be rounded, too. So allow a little more than half a unit of the last decimal.
            if !recorded
                .iter()
                .any(|other| (other - number).abs() < 0.51 * unit)
            {
                wrong.push(format!("line {index}: {number} was not measured"));
            }
        }
    }
    if count == 0 {
        wrong.push(format!("no figure in a table of '{heading}'"));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDED: &str = "a\t19.001\t19.025\nb\t1708.6\t1.395\n| c | 898560 |\n";

    fn wrong(row: &str) -> Vec<String> {
        let document = format!("# Other\n\n| 77 |\n\n## Fast\n\n77\n{row}\n\n## Next\n\n| 77 |\n");
        check(&document, "Fast", RECORDED)
    }

    #[test]
    fn a_recorded_figure_is_found() {
        assert!(wrong("| 3 times | 19 | 1,709, or 19.0 |").is_empty());
        assert!(wrong("| 1.39 | 898,560 bytes |").is_empty());
    }

    #[test]
    fn another_figure_is_not_found() {
        assert_eq!(wrong("| 19 | 20 |"), ["line 8: 20 was not measured"]);
        assert_eq!(wrong("| 1.38 |"), ["line 8: 1.38 was not measured"]);
        assert_eq!(wrong("| 19.1 |"), ["line 8: 19.1 was not measured"]);
    }

    #[test]
    fn a_section_without_figures_is_wrong() {
        assert_eq!(wrong("| 3 |"), ["no figure in a table of 'Fast'"]);
        assert_eq!(
            check("# Fast\n", "Slow", RECORDED),
            ["no figure in a table of 'Slow'"]
        );
    }
}
