// SPDX-License-Identifier: GPL-2.0

//! Matches the expected steps with the steps of a trace.

/// Finds a longest common subsequence. Returns for each expected element the index of the actual
/// element that matches it, if any; the indices are in order, and as many as possible match.
pub fn align<E, A>(
    expected: &[E],
    actual: &[A],
    matches: impl Fn(&A, &E) -> bool,
) -> Vec<Option<usize>> {
    let width = actual.len() + 1;
    // best[e * width + a]: how many of expected[e..] and actual[a..] match at most
    let mut best = vec![0u32; (expected.len() + 1) * width];
    for e in (0..expected.len()).rev() {
        for a in (0..actual.len()).rev() {
            best[e * width + a] = match matches(&actual[a], &expected[e]) {
                true => best[(e + 1) * width + a + 1] + 1,
                false => best[(e + 1) * width + a].max(best[e * width + a + 1]),
            };
        }
    }
    let mut matched = vec![None; expected.len()];
    let (mut e, mut a) = (0, 0);
    while e < expected.len() && a < actual.len() {
        if matches(&actual[a], &expected[e]) {
            matched[e] = Some(a);
            e += 1;
            a += 1;
        } else if best[(e + 1) * width + a] >= best[e * width + a + 1] {
            e += 1;
        } else {
            a += 1;
        }
    }
    matched
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chars(expected: &str, actual: &str) -> Vec<Option<usize>> {
        let (expected, actual): (Vec<_>, Vec<_>) =
            (expected.chars().collect(), actual.chars().collect());
        align(&expected, &actual, |a, e| a == e)
    }

    #[test]
    fn as_many_as_possible_are_matched_in_order() {
        assert_eq!(chars("abc", "abc"), [Some(0), Some(1), Some(2)]);
        assert_eq!(chars("abc", "xac"), [Some(1), None, Some(2)]);
        assert_eq!(chars("abcd", "bcda"), [None, Some(0), Some(1), Some(2)]);
        assert_eq!(chars("ab", ""), [None, None]);
        assert!(chars("", "ab").is_empty());
    }
}
