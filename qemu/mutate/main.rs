// SPDX-License-Identifier: GPL-2.0

// Applies a mutant of selftests/mutants/ to the copy of the project in the current directory.
//
// Usage: d2d-mutate MUTANT
//        d2d-mutate --check MUTANT...
//
// With --check, the program writes no file. It prints a line for each mutant that does not apply, or whose line
// `modules:` lacks a module that the test needs.
//
// mutants.sh explains the lines at the top of a mutant. The changes follow, separated by empty lines:
//   file: PATH  the file that is changed
//   in: TEXT    optional: change only the function whose first line contains TEXT
//   -LINE       a line that is removed
//   +LINE       a line that is added
//    LINE       a line that stays (after a blank)
// The removed lines and the lines that stay form a block, which must occur exactly once in the file, or in the
// function. Changes apply one after the other. If one does not apply, the program writes no file.

use std::collections::BTreeMap;
use std::fs;
use std::process::ExitCode;

#[derive(Debug, Default, PartialEq)]
struct Change<'a> {
    file: &'a str,
    function: Option<&'a str>,
    old: Vec<&'a str>,
    new: Vec<&'a str>,
}

fn parse(mutant: &str) -> Result<Vec<Change<'_>>, String> {
    let mut changes = Vec::new();
    let mut lines = mutant.lines();
    while let Some(line) = lines.next() {
        let Some(file) = line.strip_prefix("file: ") else {
            continue;
        };
        let mut change = Change {
            file,
            ..Change::default()
        };
        for line in lines.by_ref().take_while(|line| !line.is_empty()) {
            if let Some(text) = line.strip_prefix("in: ") {
                change.function = Some(text);
                continue;
            }
            let text = line.get(1..).unwrap_or_default();
            match line.as_bytes()[0] {
                b'-' => change.old.push(text),
                b'+' => change.new.push(text),
                b' ' => {
                    change.old.push(text);
                    change.new.push(text);
                }
                _ => return Err(format!("not a line of a change: {line}")),
            }
        }
        if change.old.is_empty() {
            return Err(format!("a change of {file} names no old line"));
        }
        if change.old == change.new {
            return Err(format!("a change of {file} changes nothing"));
        }
        changes.push(change);
    }
    if changes.is_empty() {
        return Err("there is no change: no line begins with 'file: '".into());
    }
    Ok(changes)
}

fn only<T>(mut found: impl Iterator<Item = T>, what: &str) -> Result<T, String> {
    match (found.next(), found.count()) {
        (None, _) => Err(format!("not found: {what}")),
        (Some(one), 0) => Ok(one),
        (Some(_), more) => Err(format!("found {} times: {what}", more + 1)),
    }
}

/// Returns the indices of a function's first line and of the line after the function. The function ends with a brace
/// that is indented like its first line.
fn scope(lines: &[String], text: &str) -> Result<(usize, usize), String> {
    let begins = (0..lines.len()).filter(|&line| lines[line].contains(text));
    let begin = only(begins, text)?;
    let first = &lines[begin];
    let indent = &first[..first.len() - first.trim_start().len()];
    let is_end = |line: &String| line.strip_prefix(indent) == Some("}");
    let length = lines[begin..].iter().position(is_end);
    length
        .map(|length| (begin, begin + length + 1))
        .ok_or_else(|| format!("the function has no end: {text}"))
}

fn apply(lines: &mut Vec<String>, change: &Change<'_>) -> Result<(), String> {
    let (begin, end) = match change.function {
        None => (0, lines.len()),
        Some(text) => scope(lines, text)?,
    };
    let length = change.old.len();
    let places = (begin..(end + 1).saturating_sub(length))
        .filter(|&place| lines[place..place + length] == change.old);
    let place = only(places, change.old[0].trim())?;
    let new = change.new.iter().map(|line| line.to_string());
    lines.splice(place..place + length, new);
    Ok(())
}

/// Returns the modules that a test program loads before its first case, and thus for every case.
fn loaded_first(program: &str) -> Vec<&str> {
    let is_end = |character: char| !character.is_ascii_alphanumeric() && character != '_';
    program
        .lines()
        .take_while(|line| !line.starts_with("fresh") || line.ends_with("()"))
        .filter_map(|line| line.strip_prefix("load ")?.split(is_end).next())
        .collect()
}

/// Fails if the line `modules:` lacks a module that the test program on the line `boot:` needs: module_a, or a module
/// that the program loads before its first case.
fn check_modules(
    mutant: &str,
    read: impl Fn(&str) -> Result<String, String>,
) -> Result<(), String> {
    let mut lines = mutant.lines();
    let scenario = lines.find_map(|line| line.strip_prefix("boot: ")?.split(' ').nth(1));
    let Some(test) = scenario.and_then(|scenario| scenario.strip_prefix("test/")) else {
        return Ok(());
    };
    let program = test.split(':').next().unwrap_or(test);
    let modules: Vec<&str> = lines
        .filter_map(|line| line.strip_prefix("modules: "))
        .flat_map(|modules| modules.split(' '))
        .collect();
    let text = read(&format!("selftests/{program}"))?;
    let mut needed = loaded_first(&text);
    needed.push("module_a");
    match needed.iter().find(|name| !modules.contains(*name)) {
        Some(name) => Err(format!(
            "the line 'modules: ' lacks {name}, without which {program} runs no test"
        )),
        None => Ok(()),
    }
}

/// Returns the lines of each file that a mutant changes.
fn mutated(path: &str) -> Result<BTreeMap<String, Vec<String>>, String> {
    let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let mutant = read(path)?;
    check_modules(&mutant, read)?;
    let mut files = BTreeMap::new();
    for change in parse(&mutant)? {
        if !files.contains_key(change.file) {
            let text = read(change.file)?;
            let lines: Vec<String> = text.lines().map(String::from).collect();
            files.insert(change.file.to_string(), lines);
        }
        if let Some(lines) = files.get_mut(change.file) {
            apply(lines, &change).map_err(|why| format!("{}: {why}", change.file))?;
        }
    }
    Ok(files)
}

fn mutate(path: &str) -> Result<(), String> {
    for (file, lines) in mutated(path)? {
        fs::write(&file, lines.join("\n") + "\n").map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(())
}

fn check(paths: &[String]) -> Result<(), String> {
    let faults: Vec<String> = paths
        .iter()
        .filter_map(|path| Some(format!("{path}: {}", mutated(path).err()?)))
        .collect();
    match faults.is_empty() {
        true => Ok(()),
        false => Err(faults.join("\n")),
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.as_slice() {
        [option, mutants @ ..] if option == "--check" => check(mutants),
        [mutant] => mutate(mutant),
        _ => {
            eprintln!("usage: d2d-mutate MUTANT\n       d2d-mutate --check MUTANT...");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("{why}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
impl X {
    fn one(&self) {
        if self.ready {
            self.go();
        }
        self.end();
    }

    fn two(&self) {
        self.go();
        self.end();
    }
}
";

    /// Applies changes to `SOURCE`. Returns the number of its lines, and those that differ.
    fn applied(changes: &str) -> Result<String, String> {
        let mut lines: Vec<String> = SOURCE.lines().map(String::from).collect();
        for change in parse(changes)? {
            apply(&mut lines, &change)?;
        }
        let old: Vec<&str> = SOURCE.lines().collect();
        let changed = lines.iter().filter(|line| !old.contains(&line.as_str()));
        Ok(format!(
            "{}:{}",
            lines.len(),
            changed.map(|line| line.trim()).collect::<String>()
        ))
    }

    #[test]
    fn a_line_is_replaced_removed_and_inserted() {
        let replaced = "what\n\nboot: x\n\nfile: a\n-        if self.ready {\n+        if true {\n";
        assert_eq!(applied(replaced).unwrap(), "13:if true {");
        assert_eq!(
            applied("file: a\n-            self.go();\n").unwrap(),
            "12:"
        );
        let inserted = "file: a\n     fn two(&self) {\n+        more();\n";
        assert_eq!(applied(inserted).unwrap(), "14:more();");
    }

    #[test]
    fn lines_that_occur_twice_need_their_function() {
        let change = "-        self.end();\n+        other();\n";
        assert_eq!(
            applied(&format!("file: a\n{change}")),
            Err("found 2 times: self.end();".into())
        );
        let inside = applied(&format!("file: a\nin: fn one\n{change}"));
        assert_eq!(inside.unwrap(), "13:other();");
        assert_eq!(
            applied(&format!("file: a\nin: fn three\n{change}")),
            Err("not found: fn three".into())
        );
        assert_eq!(
            applied(&format!("file: a\nin: fn\n{change}")),
            Err("found 2 times: fn".into())
        );
        let outside = "file: a\nin: fn two\n-        if self.ready {\n";
        assert_eq!(applied(outside), Err("not found: if self.ready {".into()));
    }

    #[test]
    fn changes_apply_one_after_the_other() {
        let both = "file: a\nin: fn one\n-        self.end();\n\nfile: a\n-        self.end();\n+        x();\n";
        assert_eq!(applied(both).unwrap(), "12:x();");
    }

    #[test]
    fn a_mutant_without_a_valid_change_is_refused() {
        let refused = |mutant: &str| parse(mutant).unwrap_err();
        assert_eq!(
            refused("what it breaks\n"),
            "there is no change: no line begins with 'file: '"
        );
        assert_eq!(refused("file: a\n"), "a change of a names no old line");
        assert_eq!(refused("file: a\n+x\n"), "a change of a names no old line");
        assert_eq!(refused("file: a\n x\n"), "a change of a changes nothing");
        assert_eq!(refused("file: a\n@@ x\n"), "not a line of a change: @@ x");
    }

    #[test]
    fn a_mutant_whose_test_cannot_run_is_refused() {
        let program =
            "fresh_x()\n{\n}\nload pause_calls\nload a_1 && x\n\nfresh_owner\nload late\n";
        assert_eq!(loaded_first(program), ["pause_calls", "a_1"]);
        let checked = |boot: &str, modules: &str| {
            let mutant = format!("what\n\nboot: {boot} 75 test: \nmodules: {modules}\n");
            check_modules(&mutant, |path| match path {
                "selftests/x.sh" => Ok(program.into()),
                _ => Err("no such file".into()),
            })
        };
        assert_eq!(checked("uml test/x.sh", "a_1 module_a pause_calls"), Ok(()));
        let lacks = |name| {
            Err(format!(
                "the line 'modules: ' lacks {name}, without which x.sh runs no test"
            ))
        };
        assert_eq!(
            checked("uml test/x.sh:a?case", "a_1 pause_calls module_a2"),
            lacks("module_a")
        );
        assert_eq!(
            checked("uml test/x.sh:a?case", "a_1 module_a"),
            lacks("pause_calls")
        );
        assert_eq!(
            checked("uml test/y.sh", "module_a"),
            Err("no such file".into())
        );
        assert_eq!(checked("uml torture/8", "torture_owner"), Ok(()));
        let accepted = "what\n\naccepted: x y\n";
        assert_eq!(check_modules(accepted, |_| Err("not read".into())), Ok(()));
    }

    #[test]
    fn an_old_text_longer_than_the_file_is_not_found() {
        let mut lines = vec![String::from("x")];
        let changes = parse("file: a\n-x\n-y\n").unwrap();
        assert_eq!(apply(&mut lines, &changes[0]), Err("not found: x".into()));
    }
}
