// SPDX-License-Identifier: GPL-2.0

//! Checks the quotes in a document. A quote is a fenced block after a line `<!-- from PATH -->`. The file at PATH must
//! have the same lines, but may indent them deeper. A line `...` stands for lines that are left out.

/// The lines of a quote that stand together in the file
struct Part<'a> {
    /// The document's line at which it begins
    line: usize,
    lines: Vec<&'a str>,
}

struct Quote<'a> {
    path: &'a str,
    parts: Vec<Part<'a>>,
}

fn path(line: &str) -> Option<&str> {
    line.strip_prefix("<!-- from ")?.strip_suffix(" -->")
}

/// Returns the parts of the block that begins at this index.
fn parts<'a>(lines: &[&'a str], begin: usize) -> Vec<Part<'a>> {
    let mut parts = vec![];
    let mut open = None;
    let block = lines[begin..]
        .iter()
        .take_while(|line| !line.starts_with("```"));
    for (index, line) in block.enumerate() {
        if line.trim() == "..." {
            parts.extend(open.take());
            continue;
        }
        open.get_or_insert_with(|| Part {
            line: begin + index + 1,
            lines: vec![],
        })
        .lines
        .push(line);
    }
    parts.extend(open);
    parts
}

/// Returns the quotes, and complaints about empty ones
fn find(document: &str) -> (Vec<Quote<'_>>, Vec<String>) {
    let lines: Vec<_> = document.lines().collect();
    let (mut quotes, mut wrong) = (vec![], vec![]);
    for (index, line) in lines.iter().enumerate() {
        let Some(path) = path(line) else {
            continue;
        };
        let fenced = lines
            .get(index + 1)
            .is_some_and(|line| line.starts_with("```"));
        let parts = match fenced {
            true => parts(&lines, index + 2),
            false => vec![],
        };
        if parts.is_empty() {
            wrong.push(format!("line {}: no lines of {path} follow", index + 1));
        }
        quotes.push(Quote { path, parts });
    }
    (quotes, wrong)
}

/// Returns how many lines are the same before the first difference. The source may indent all of them deeper by the
/// same amount.
fn common(lines: &[&str], source: &[&str]) -> usize {
    let mut indent = None;
    let pairs = lines.iter().zip(source);
    pairs
        .take_while(|(quoted, line)| {
            if quoted.is_empty() || line.is_empty() {
                return quoted == line;
            }
            line.strip_suffix(**quoted).is_some_and(|before| {
                before.trim().is_empty() && *indent.get_or_insert(before) == before
            })
        })
        .count()
}

/// Returns where a part ends in the source, or the document's line that does not match.
fn locate(part: &Part<'_>, source: &[&str]) -> Result<usize, usize> {
    let mut most = 0;
    for begin in 0..source.len() {
        let count = common(&part.lines, &source[begin..]);
        if count == part.lines.len() {
            return Ok(begin + count);
        }
        most = most.max(count);
    }
    Err(part.line + most)
}

fn check_quote(quote: &Quote<'_>, source: &str) -> Result<(), usize> {
    let source: Vec<_> = source.lines().collect();
    let mut rest = &source[..];
    for part in &quote.parts {
        rest = &rest[locate(part, rest)?..];
    }
    Ok(())
}

pub fn check(document: &str, read: impl Fn(&str) -> Result<String, String>) -> Vec<String> {
    let (quotes, mut wrong) = find(document);
    for quote in &quotes {
        match read(quote.path).map(|source| check_quote(quote, &source)) {
            Ok(Ok(())) => {}
            Ok(Err(line)) => wrong.push(format!(
                "line {line} does not occur in {}, or not at this place: {}",
                quote.path,
                document.lines().nth(line - 1).unwrap_or_default()
            )),
            Err(why) => wrong.push(why),
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "fn a() {\n    one();\n    two();\n\n    three();\n}\n";

    fn wrong(quote: &str) -> Vec<String> {
        let document = format!("text\n<!-- from a.rs -->\n```rust\n{quote}\n```\nmore\n");
        check(&document, |path| match path {
            "a.rs" => Ok(SOURCE.into()),
            _ => Err(format!("{path}: not there")),
        })
    }

    #[test]
    fn quote_is_found() {
        assert!(wrong("fn a() {\n    one();").is_empty());
        assert!(wrong("two();\n\nthree();").is_empty());
        assert!(wrong("    one();\n...\n}").is_empty());
    }

    #[test]
    fn quote_with_another_line_is_not_found() {
        let at = |line: usize, text| {
            vec![format!(
                "line {line} does not occur in a.rs, or not at this place: {text}"
            )]
        };
        assert_eq!(wrong("one();\ntwo()"), at(5, "two()"));
        assert_eq!(wrong("one();\n    two();"), at(5, "    two();"));
        assert_eq!(wrong("one();\nthree();"), at(5, "three();"));
        assert_eq!(wrong("three();\n...\none();"), at(6, "one();"));
    }

    #[test]
    fn a_source_that_does_not_exist_is_a_fault() {
        let document = "<!-- from b.rs -->\n```\nx\n```\n";
        assert_eq!(
            check(document, |path| Err(format!("{path}: not there"))),
            ["b.rs: not there"]
        );
    }

    #[test]
    fn a_quote_without_lines_is_a_fault() {
        assert_eq!(wrong("..."), ["line 2: no lines of a.rs follow"]);
        let document = "<!-- from a.rs -->\n\n```\none();\n```\n";
        assert_eq!(
            check(document, |_| Ok(SOURCE.into())),
            ["line 1: no lines of a.rs follow"]
        );
    }
}
