// SPDX-License-Identifier: GPL-2.0

//! Checks that each path and each place (place.rs) in the comments of the sources exists.

use crate::name::{check_path, directory, is_path, is_word, report, Project};
use crate::place::in_one_span;

/// Returns the comments of a source, with an empty line for each line of code.
fn comments(path: &str, source: &str) -> String {
    let is_litmus = path.ends_with(".litmus");
    let is_c = is_litmus || [".rs", ".c", ".h"].iter().any(|end| path.ends_with(end));
    let (begin, end) = if is_litmus {
        ("(*", "*)")
    } else {
        ("/*", "*/")
    };
    let mut inside = false;
    let mut all = String::new();
    for line in source.lines() {
        let text = line.trim_start();
        let comment = if !is_c {
            text.strip_prefix('#')
        } else if inside || text.starts_with(begin) {
            inside = !text.contains(end);
            Some(
                text.trim_end_matches(end)
                    .trim_start_matches(['/', '(', '*']),
            )
        } else {
            text.strip_prefix("//")
        };
        all += comment.unwrap_or_default().trim_start_matches(['/', '!']);
        all.push('\n');
    }
    all
}

/// Returns a line for each path or place that does not exist.
pub fn check(path: &str, source: &str, project: &Project) -> Vec<String> {
    let dir = directory(path);
    let text = comments(path, source);
    let mut all = vec![];
    for (index, line) in text.lines().enumerate() {
        let mut wrong = vec![];
        for span in line.split('`').skip(1).step_by(2) {
            if let Some((path, name)) = in_one_span(span) {
                project.check_place(path, name, dir, &mut wrong);
            } else if is_path(span) && (project.may_have(span) || !span.contains('/')) {
                check_path(project, span, dir, &mut wrong);
            }
        }
        for word in line.split('`').step_by(2).flat_map(str::split_whitespace) {
            let word = word.trim_matches(|c: char| !is_word(c) && !"/*{}".contains(c));
            if is_path(word) && project.may_have(word) {
                check_path(project, word, dir, &mut wrong);
            }
        }
        all.extend(wrong.into_iter().map(|why| (index + 1, why)));
    }
    project.check_two_spans(&text, dir, &mut all);
    report(path, &all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::tests::project;

    #[test]
    fn paths_and_places_in_comments_are_checked() {
        let wrong = |path: &str, source: &str| check(path, source, &project());
        let right = "//! `queue.rs:put`, `put` in\n//! `queue.rs`, shared/d2d/queue.rs, `include/x.h`, a/b.c\n\
            let x = \"`shared/nosuch.rs`\";\n/// `Queue::put` in `shared/d2d/queue.rs`\n";
        assert_eq!(wrong("shared/d2d/a.rs", right), Vec::<String>::new());
        assert_eq!(
            wrong("shared/owner/a.c", "/* See owner/gate.c. */\n"),
            Vec::<String>::new()
        );
        assert_eq!(
            wrong("module_a/module_a.rs", "x\n/// `take` in\n/// `queue.rs`\n"),
            ["module_a/module_a.rs:2: no take in queue.rs"]
        );
        assert_eq!(
            wrong("a.c", "/*\n * See shared/nosuch.h.\n */\nshared/nosuch.c\n"),
            ["a.c:2: no file shared/nosuch.h"]
        );
        assert_eq!(
            wrong(
                "a.litmus",
                "C a\n(*\n * shared/nosuch.h\n *)\nshared/nosuch.c\n"
            ),
            ["a.litmus:3: no file shared/nosuch.h"]
        );
        assert_eq!(
            wrong("a.sh", "# x (shared/nosuch.sh)\n"),
            ["a.sh:1: no file shared/nosuch.sh"]
        );
        assert_eq!(
            wrong("a.rs", "// `nosuch.rs`\n// `queue.rs:nosuch`\n"),
            ["a.rs:1: no file nosuch.rs", "a.rs:2: no nosuch in queue.rs"]
        );
    }
}
