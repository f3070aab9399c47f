// SPDX-License-Identifier: GPL-2.0

//! Prints values from the JSON that an owner offers.
//!
//! Usage: `json PATH... <FILE`. A path consists of keys and indices, as in `queues.0.depth`. The program prints no
//! value and exits with 1 if the input is no JSON, a value is missing, a key occurs twice, a number is no integer, or a
//! string has another escape than `\"`, `\\` and `\/`.

use std::io::Read;
use std::process::ExitCode;

#[derive(Debug, PartialEq)]
struct Value {
    /// The string that a JSON string stands for, or the JSON text of another value.
    text: String,
    /// The members of an object by key, or the elements of an array by index.
    parts: Vec<(String, Value)>,
}

struct Parser<'a> {
    text: &'a str,
    position: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        &self.text[self.position..]
    }

    fn fail<T>(&self, wanted: &str) -> Result<T, String> {
        let found: String = self.rest().chars().take(20).collect();
        let position = self.position;
        Err(format!(
            "byte {position}: expected {wanted}, found '{found}'"
        ))
    }

    fn space(&mut self) {
        let is_space = |c| matches!(c, ' ' | '\t' | '\r' | '\n');
        self.position += self.rest().len() - self.rest().trim_start_matches(is_space).len();
    }

    /// If the rest begins with `what`, skips `what` and the space behind it, and returns true.
    fn takes(&mut self, what: &str) -> bool {
        let found = self.rest().starts_with(what);
        if found {
            self.position += what.len();
            self.space();
        }
        found
    }

    fn string(&mut self) -> Result<String, String> {
        let mut chars = self.rest().char_indices();
        if chars.next().is_none_or(|(_, c)| c != '"') {
            return self.fail("string");
        }
        let mut string = String::new();
        while let Some((n, c)) = chars.next() {
            match c {
                '"' => {
                    self.position += n + 1;
                    self.space();
                    return Ok(string);
                }
                '\\' => match chars.next() {
                    Some((_, c @ ('"' | '\\' | '/'))) => string.push(c),
                    _ => return self.fail("known escape"),
                },
                c if c < ' ' => return self.fail("string without control characters"),
                c => string.push(c),
            }
        }
        self.fail("end of a string")
    }

    fn number(&mut self) -> Result<String, String> {
        let rest = self.rest();
        let digits = rest.strip_prefix('-').unwrap_or(rest);
        let count = digits.bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 || count > 1 && digits.starts_with('0') {
            return self.fail("value");
        }
        let number = rest[..rest.len() - digits.len() + count].to_string();
        self.position += number.len();
        self.space();
        Ok(number)
    }

    fn parts(&mut self, end: &str, has_keys: bool) -> Result<Vec<(String, Value)>, String> {
        let mut parts: Vec<(String, Value)> = Vec::new();
        if self.takes(end) {
            return Ok(parts);
        }
        loop {
            let key = match has_keys {
                true => self.string()?,
                false => parts.len().to_string(),
            };
            if has_keys && !self.takes(":") {
                return self.fail("colon");
            }
            if parts.iter().any(|(other, _)| *other == key) {
                let position = self.position;
                return Err(format!("byte {position}: the key '{key}' occurs twice"));
            }
            parts.push((key, self.value()?));
            if self.takes(end) {
                return Ok(parts);
            }
            if !self.takes(",") {
                return self.fail("comma");
            }
        }
    }

    fn value(&mut self) -> Result<Value, String> {
        let start = self.position;
        let mut parts = Vec::new();
        let mut own = None;
        if self.takes("{") {
            parts = self.parts("}", true)?;
        } else if self.takes("[") {
            parts = self.parts("]", false)?;
        } else if self.rest().starts_with('"') {
            own = Some(self.string()?);
        } else if !["null", "true", "false"]
            .into_iter()
            .any(|word| self.takes(word))
        {
            own = Some(self.number()?);
        }
        let text = own.unwrap_or_else(|| self.text[start..self.position].trim().to_string());
        Ok(Value { text, parts })
    }
}

fn parse(text: &str) -> Result<Value, String> {
    let mut parser = Parser { text, position: 0 };
    parser.space();
    let value = parser.value()?;
    match parser.rest() {
        "" => Ok(value),
        _ => parser.fail("end"),
    }
}

fn find<'a>(value: &'a Value, path: &str) -> Result<&'a str, String> {
    let found = path.split('.').try_fold(value, |value, key| {
        let part = value.parts.iter().find(|(name, _)| name == key);
        part.map(|(_, value)| value)
    });
    Ok(&found.ok_or_else(|| format!("no {path}"))?.text)
}

fn main() -> ExitCode {
    let result = (|| {
        let mut text = String::new();
        let read = std::io::stdin().read_to_string(&mut text);
        read.map_err(|error| error.to_string())?;
        let value = parse(&text)?;
        let paths = std::env::args().skip(1);
        paths
            .map(|path| find(&value, &path).map(str::to_string))
            .collect::<Result<Vec<_>, _>>()
    })();
    match result {
        Ok(values) => {
            values.iter().for_each(|value| println!("{value}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_values() {
        let value =
            parse(" {\"a\": [1, {\"b\": \"x\\\"y\"}], \"c\": null, \"d\": [],\n\"e\": -10} ")
                .unwrap();
        assert_eq!(find(&value, "a.0"), Ok("1"));
        assert_eq!(find(&value, "a.1.b"), Ok("x\"y"));
        assert_eq!(find(&value, "c"), Ok("null"));
        assert_eq!(find(&value, "d"), Ok("[]"));
        assert_eq!(find(&value, "e"), Ok("-10"));
        assert!(find(&value, "a.2").is_err());
    }

    #[test]
    fn refuses_what_is_not_json() {
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\" 1}",
            "{\"a\": 1,}",
            "{a: 1}",
            "[1] 2",
            "01",
            "\"x",
            "\"\n\"",
            "nul",
            "[1 2]",
            "{\"a\": 1, \"a\": 2}",
            "- 1",
            "\"\\x\"",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
