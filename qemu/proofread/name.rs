// SPDX-License-Identifier: GPL-2.0

//! Checks that the names in a Markdown document exist. Checks the targets of links. In code spans, checks paths, make
//! targets and variables, module parameters, symbols of the library, and places (place.rs).
//!
//! A path may contain a placeholder in capital letters, which stands for any name: `selftests/mutants/NAME.mutant`.

use crate::place::{definitions, in_one_span, in_two_spans, Within};
use std::collections::{BTreeMap, BTreeSet};

/// A name with one of these extensions is a file, even without a directory.
const SUFFIXES: &[&str] = &[
    "rs", "c", "h", "sh", "md", "mk", "py", "awk", "pml", "mutant", "spec", "table", "tsv", "svg",
    "config", "toml",
];

/// A path that begins with one of these folders is in the kernel's tree, in its file systems or in a build directory,
/// and is not checked.
const OUTSIDE: &[&str] = &[
    "build", "events", "rust", "scripts", "include", "state", "sections", "holders", "kernel",
    "drivers", "lib",
];

const PLACEHOLDERS: &[&str] = &["NAME", "FILE", "DIR", "PAIR", "STEP", "CASE"];

pub struct Project {
    /// The texts of the files, by path; `None` is a directory.
    files: BTreeMap<String, Option<String>>,
    /// The words of the sources, not of the documents
    words: BTreeSet<String>,
    targets: BTreeSet<String>,
}

pub fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_word(c)).filter(|word| !word.is_empty())
}

fn targets(makefile: &str) -> BTreeSet<String> {
    let rules = makefile.lines().filter_map(|line| line.split_once(':'));
    rules
        .filter(|(names, _)| !names.starts_with(['\t', '.', '#']) && !names.contains(['$', '=']))
        .flat_map(|(names, _)| names.split_whitespace())
        .map(str::to_owned)
        .collect()
}

impl Project {
    pub fn new(files: BTreeMap<String, String>) -> Self {
        let is_source = |path: &str| !path.ends_with(".md");
        let sources = files.iter().filter(|(path, _)| is_source(path));
        let words = sources.flat_map(|(_, text)| words(text)).map(str::to_owned);
        let words = words.collect();
        let targets = files.get("Makefile").map(|text| targets(text));
        let mut all = BTreeMap::new();
        for (path, text) in files {
            for (at, _) in path.match_indices('/') {
                all.insert(path[..at].to_owned(), None);
            }
            all.insert(path, Some(text));
        }
        Self {
            files: all,
            words,
            targets: targets.unwrap_or_default(),
        }
    }

    /// Whether the project has the folder with which `path` begins
    pub fn may_have(&self, path: &str) -> bool {
        let first = path.split_once('/').map(|(first, _)| first);
        first.is_some_and(|first| self.files.contains_key(first))
    }

    fn has_word(&self, word: &str) -> bool {
        self.words.contains(word)
    }

    /// Returns the files and directories that match a path. The path may be relative to `dir`, the directory of the
    /// text that names it, or to any directory above. A path without a slash matches files in all directories.
    fn find(&self, path: &str, dir: &str) -> Vec<&String> {
        let path = path.trim_end_matches('/');
        let above = dir.match_indices('/').map(|(at, _)| &dir[..=at]);
        let from_dir: Vec<_> = above.map(|dir| format!("{dir}{path}")).collect();
        let anywhere = format!("/{path}");
        let is_found = |file: &&String| {
            matches(path, file)
                || from_dir.iter().any(|path| matches(path, file))
                || !path.contains('/')
                    && file
                        .rfind('/')
                        .is_some_and(|at| matches(&anywhere, &file[at..]))
        };
        self.files.keys().filter(is_found).collect()
    }

    pub fn check_two_spans(&self, text: &str, dir: &str, all: &mut Vec<(usize, String)>) {
        for (line, path, name) in in_two_spans(text) {
            let mut wrong = vec![];
            self.check_place(path, name, dir, &mut wrong);
            all.extend(wrong.into_iter().map(|why| (line, why)));
        }
    }

    pub fn check_place(&self, path: &str, name: &str, dir: &str, wrong: &mut Vec<String>) {
        let found = self.find(path, dir);
        if found.is_empty() {
            wrong.push(format!("no file {path}"));
            return;
        }
        let defined: BTreeSet<_> = found
            .iter()
            .filter_map(|path| Some((path, self.files.get(*path)?.as_deref()?)))
            .flat_map(|(path, text)| definitions(path, text, name))
            .collect();
        // If the file defines the name outside of all types, the place means this item, and no function of a type.
        let is_one = defined.len() == 1 || name.contains("::") || defined.contains(&Within::File);
        if defined.is_empty() {
            wrong.push(format!("no {name} in {path}"));
        } else if !is_one {
            let types: Vec<_> = defined.iter().map(Within::to_string).collect();
            let types = types.join(", ");
            wrong.push(format!("more than one {name} in {path}: of {types}"));
        }
    }

    fn has_parameter(&self, module: &str, name: &str) -> bool {
        let path = format!("{module}/{module}.rs");
        let text = self.files.get(&path).and_then(Option::as_ref);
        text.is_some_and(|text| {
            text.lines()
                .any(|line| line.trim() == format!("{name}: u32 {{"))
        })
    }
}

/// Whether a name matches a pattern with asterisks and placeholders.
fn matches(pattern: &str, name: &str) -> bool {
    let placeholder = PLACEHOLDERS
        .iter()
        .find_map(|word| Some((pattern.find(word)?, word.len())));
    let star = pattern.find('*').map(|at| (at, 1));
    let Some((at, len)) = star.or(placeholder) else {
        return pattern == name;
    };
    let (before, after) = (&pattern[..at], &pattern[at + len..]);
    let Some(rest) = name.strip_prefix(before) else {
        return false;
    };
    (0..=rest.len())
        .filter(|end| rest.is_char_boundary(*end) && !rest[..*end].contains('/'))
        .any(|end| matches(after, &rest[end..]))
}

/// Returns `a/b` and `a/c` for `a/{b,c}`.
fn braces(path: &str) -> Vec<String> {
    let parts = path.split_once('{').and_then(|(before, rest)| {
        let (inside, after) = rest.split_once('}')?;
        Some((before, inside, after))
    });
    match parts {
        None => vec![path.to_owned()],
        Some((before, inside, after)) => inside
            .split(',')
            .flat_map(|one| braces(&format!("{before}{}{after}", one.trim())))
            .collect(),
    }
}

pub fn is_path(text: &str) -> bool {
    let first = text.split('/').next().unwrap_or_default();
    let is_file = text
        .rsplit_once('.')
        .is_some_and(|(stem, suffix)| !stem.is_empty() && SUFFIXES.contains(&suffix));
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| is_word(c) || "./{},*-".contains(c))
        && text.chars().any(|c| c.is_ascii_lowercase())
        && (is_file || text.contains('/'))
        && !(text.contains('/') && (OUTSIDE.contains(&first) || first.starts_with("d2d-")))
}

/// Returns the words of a command, without their quotes and without the comment at its end.
fn arguments(command: &str) -> Vec<String> {
    let command = command.split(" #").next().unwrap_or_default();
    let (mut all, mut one, mut quote) = (vec![], String::new(), None);
    for c in command.chars() {
        match quote {
            Some(q) if c == q => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c.is_whitespace() => all.push(std::mem::take(&mut one)),
            _ => one.push(c),
        }
    }
    all.push(one);
    all.retain(|word| !word.is_empty());
    all
}

fn check_make(project: &Project, command: &str, wrong: &mut Vec<String>) {
    let all = arguments(command);
    if all.iter().any(|word| word == "-C") {
        return;
    }
    for word in all.iter().skip(1) {
        if word.starts_with(['-', '&', '|', '>', ';']) {
            return;
        }
        match word.split_once('=') {
            Some((name, _)) if !project.has_word(name) => wrong.push(format!("no variable {name}")),
            Some(_) => {}
            None if PLACEHOLDERS.contains(&&word[..]) || project.targets.contains(word) => {}
            None => wrong.push(format!("no target {word}")),
        }
    }
}

pub fn check_path(project: &Project, path: &str, dir: &str, wrong: &mut Vec<String>) {
    for one in braces(path) {
        if project.find(&one, dir).is_empty() {
            wrong.push(format!("no file {one}"));
        }
    }
}

/// Checks a code span. `before` is the text before it. If this text ends with `module_a` or `module_b`, a span of one
/// word is a parameter of this module.
fn check_span(project: &Project, span: &str, before: &str, dir: &str, wrong: &mut Vec<String>) {
    if let Some((path, name)) = in_one_span(span) {
        return project.check_place(path, name, dir, wrong);
    }
    if span == "make" || span.starts_with("make ") {
        return check_make(project, span, wrong);
    }
    let (is_one_word, module) = (!span.contains(' '), before.trim_end().rsplit(' ').next());
    if is_one_word && is_path(span) {
        check_path(project, span, dir, wrong);
    } else {
        for word in span
            .split(' ')
            .filter(|word| is_path(word) && project.may_have(word))
        {
            check_path(project, word, dir, wrong);
        }
    }
    if let (true, Some(module @ ("module_a" | "module_b"))) =
        (is_one_word && span.chars().all(is_word), module)
    {
        if !project.has_parameter(module, span) {
            wrong.push(format!("no parameter {span} of {module}"));
        }
    }
    for word in span.split(' ') {
        let Some((name, _)) = word.split_once('=') else {
            continue;
        };
        if !name.is_empty() && name.chars().all(is_word) && !project.has_word(name) {
            wrong.push(format!("no variable or parameter {name}"));
        }
    }
    check_symbols(project, span, wrong);
}

/// Checks the symbols of the library, and the words of a Rust path. A name with a placeholder, such as `d2d_STEP`, is
/// not checked.
fn check_symbols(project: &Project, span: &str, wrong: &mut Vec<String>) {
    let is_path = span.contains("::") && !span.contains(' ');
    for word in words(span) {
        let is_symbol = word.starts_with("d2d_") || word.starts_with("D2D_");
        let has_placeholder =
            word.starts_with("d2d_") && word.chars().any(|c| c.is_ascii_uppercase());
        if (is_path || is_symbol)
            && !has_placeholder
            && !word.ends_with('_')
            && !project.has_word(word)
        {
            wrong.push(format!("no symbol {word}"));
        }
    }
}

fn links(line: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let targets = line
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    targets
        .filter(|target| !target.contains("://"))
        .map(|target| match target.split_once('#') {
            Some((path, heading)) => (path, Some(heading)),
            None => (target, None),
        })
}

fn anchor(heading: &str) -> String {
    let kept = heading
        .trim_matches(['#', ' '])
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| match c {
        ' ' => '-',
        c => c.to_ascii_lowercase(),
    })
    .collect()
}

fn has_heading(document: &str, name: &str) -> bool {
    let mut headings = document.lines().filter(|line| line.starts_with('#'));
    headings.any(|heading| anchor(heading) == name)
}

/// Returns the path to which a link in the directory `dir` leads.
fn resolve(dir: &str, link: &str) -> String {
    let mut parts: Vec<_> = dir.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            ".." => _ = parts.pop(),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Returns the lines of a document: a line of a code block with the block's language, and a line of prose with `None`.
fn lines(document: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut fence = None;
    document.lines().map(move |line| {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            fence = match fence {
                None => Some(language),
                Some(_) => None,
            };
            return ("", None);
        }
        match fence {
            None if line.starts_with("    ") => (line, Some("")),
            language => (line, language),
        }
    })
}

/// Returns the directory of a path, with its slash
pub fn directory(path: &str) -> &str {
    path.rfind('/').map_or("", |at| &path[..=at])
}

fn check_links(project: &Project, line: &str, document: &str, dir: &str, wrong: &mut Vec<String>) {
    for (link, heading) in links(line) {
        let target = match link {
            "" => Some(Some(document)),
            link => {
                let file = project.files.get(&resolve(dir, link));
                file.map(|text| text.as_deref())
            }
        };
        match (target, heading) {
            (None, _) => wrong.push(format!("no file {link}")),
            (Some(Some(text)), Some(name)) if !has_heading(text, name) => {
                wrong.push(format!("no heading {name} in {link}"));
            }
            _ => {}
        }
    }
}

pub fn check(path: &str, document: &str, project: &Project) -> Vec<String> {
    let dir = directory(path);
    let mut all = vec![];
    let mut prose = String::new();
    for (index, (line, code)) in lines(document).enumerate() {
        let mut wrong = vec![];
        if let Some(language) = code {
            let text = line.trim_start();
            let command = text.strip_prefix("$ ").unwrap_or(text);
            if ["", "sh"].contains(&language) && command.starts_with("make ") {
                check_make(project, command, &mut wrong);
            }
        } else {
            let mut pieces = line.split('`');
            let mut before = pieces.next().unwrap_or_default();
            while let Some(span) = pieces.next() {
                check_span(project, span, before, dir, &mut wrong);
                before = pieces.next().unwrap_or_default();
            }
            check_links(project, line, document, dir, &mut wrong);
            prose += line;
        }
        prose.push('\n');
        all.extend(wrong.into_iter().map(|why| (index + 1, why)));
    }
    project.check_two_spans(&prose, dir, &mut all);
    report(path, &all)
}

pub fn report(path: &str, complaints: &[(usize, String)]) -> Vec<String> {
    complaints
        .iter()
        .map(|(line, why)| format!("{path}:{line}: {why}"))
        .collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn project() -> Project {
        let files = [
            (
                "Makefile",
                "KDIR ?= x\nrun shell:\n\t@qemu/vm.sh $@\n.PHONY: run\n",
            ),
            ("README.md", "d2d_made_up\n"),
            (
                "module_a/module_a.rs",
                "    params: {\n        contexts: u32 {\n",
            ),
            (
                "shared/d2d/queue.rs",
                "impl Queue {\n    pub fn put(&self) { take(); }\n}\n\n\
                impl<'a, T: Fn() -> u32> Batch<'a, T> {\n    fn read() {}\n    fn len() {}\n}\n\n\
                impl<T> Drop for Item<T>\nwhere\n    T: Copy,\n{\n    fn read() {}\n}\n\ntrait Side {\n    fn side();\n}\n\n\
                #[cfg(a)]\nfn twice() {}\n#[cfg(b)]\nfn twice() {}\n",
            ),
            ("shared/include/d2d.h", "int d2d_take(int x);\n"),
            ("shared/owner/gate.c", "int d2d_enter(int x)\n{\n}\n"),
            ("selftests/mutants/lock-order.mutant", ""),
            ("docs/guide.md", "# A guide\n\n## What B's `x` is\n"),
        ];
        Project::new(
            files
                .map(|(path, text)| (path.to_owned(), text.to_owned()))
                .into(),
        )
    }

    pub fn wrong(document: &str) -> Vec<String> {
        check("docs/a.md", document, &project())
    }

    #[test]
    fn names_that_exist_pass() {
        let document = "`shared/d2d/`, `queue.rs`, `shared/{d2d,owner}`, `shared/*/queue.rs`, `guide.md`\n\
            `make run`, `make KDIR=/x run`, `selftests/mutants/NAME.mutant`, `shared/d2d/queue.rs:put`\n\
            `shared/owner/gate.c:d2d_enter`, `queue.rs:2`, `d2d_enter()`, `d2d_*`, `Queue::put`\n\
            module_a `contexts`, [guide](guide.md#what-bs-x-is), [top](../README.md), `KDIR=/x`\n\
            `/sys/nosuch`, `events/d2d/d2d_STEP`, `1/2`, `a/b c`? `struct nosuch`\n";
        assert_eq!(
            wrong(&document.replace("`a/b c`? ", "")),
            Vec::<String>::new()
        );
    }

    #[test]
    fn paths_that_do_not_exist_are_found() {
        assert_eq!(
            wrong("`shared/nosuch.rs`"),
            ["docs/a.md:1: no file shared/nosuch.rs"]
        );
        assert_eq!(wrong("\n`nosuch.c`"), ["docs/a.md:2: no file nosuch.c"]);
        assert_eq!(
            wrong("`shared/{d2d,nosuch}`"),
            ["docs/a.md:1: no file shared/nosuch"]
        );
        assert_eq!(
            wrong("`shared/nosuch.sh x`"),
            ["docs/a.md:1: no file shared/nosuch.sh"]
        );
        assert_eq!(
            wrong("`selftests/NAME.mutant`"),
            ["docs/a.md:1: no file selftests/NAME.mutant"]
        );
        assert_eq!(
            wrong("[x](../docs/nosuch.md)"),
            ["docs/a.md:1: no file ../docs/nosuch.md"]
        );
    }

    #[test]
    fn headings_that_do_not_exist_are_found() {
        assert_eq!(
            wrong("[x](guide.md#y)"),
            ["docs/a.md:1: no heading y in guide.md"]
        );
        assert_eq!(
            wrong("# X\n[x](#x), [y](#y)"),
            ["docs/a.md:2: no heading y in "]
        );
    }

    #[test]
    fn targets_and_variables_that_do_not_exist_are_found() {
        assert_eq!(wrong("`make nosuch`"), ["docs/a.md:1: no target nosuch"]);
        assert_eq!(
            wrong("`make run NOSUCH=1`"),
            ["docs/a.md:1: no variable NOSUCH"]
        );
        assert_eq!(
            wrong("    make nosuch   # run"),
            ["docs/a.md:1: no target nosuch"]
        );
        assert_eq!(
            wrong("```\nmake nosuch\n```"),
            ["docs/a.md:2: no target nosuch"]
        );
        assert_eq!(
            wrong("`NOSUCH=1`"),
            ["docs/a.md:1: no variable or parameter NOSUCH"]
        );
    }

    #[test]
    fn parameters_that_do_not_exist_are_found() {
        assert_eq!(
            wrong("| module_a `capacity` |"),
            ["docs/a.md:1: no parameter capacity of module_a"]
        );
        assert_eq!(
            wrong("`nosuch=1`"),
            ["docs/a.md:1: no variable or parameter nosuch"]
        );
    }

    #[test]
    fn symbols_that_do_not_exist_are_found() {
        assert_eq!(
            wrong("`d2d_nosuch()`"),
            ["docs/a.md:1: no symbol d2d_nosuch"]
        );
        assert_eq!(wrong("`Queue::nosuch`"), ["docs/a.md:1: no symbol nosuch"]);
        // A document is no source.
        assert_eq!(
            wrong("`d2d_made_up`"),
            ["docs/a.md:1: no symbol d2d_made_up"]
        );
    }

    #[test]
    fn functions_that_do_not_exist_are_found() {
        assert_eq!(
            wrong("`shared/d2d/queue.rs:nosuch`"),
            ["docs/a.md:1: no nosuch in shared/d2d/queue.rs"]
        );
        // The file calls the function, but does not define it.
        assert_eq!(
            wrong("`shared/d2d/queue.rs:take`"),
            ["docs/a.md:1: no take in shared/d2d/queue.rs"]
        );
        assert_eq!(wrong("`queue.rs:99`"), ["docs/a.md:1: no 99 in queue.rs"]);
        assert_eq!(
            wrong("`shared/nosuch.rs:put`"),
            ["docs/a.md:1: no file shared/nosuch.rs"]
        );
    }
}
