// Checks what a document says against the sources that it speaks of.
//
// Usage: d2d-quotes quotes DOCUMENT | d2d-quotes apis DOCUMENT DIR...
//
// quotes: every quote in the document is to be found in the file that it names (quote.rs).
// apis: every kernel function that a source in DIR calls is in a table of the document (api.rs).
// Paths are relative to the current directory. What is wrong is a line each, and an exit code of 1.

mod api;
mod quote;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The C sources and headers under a directory
fn c_sources(dir: &Path, found: &mut Vec<PathBuf>) -> Result<(), String> {
    let why = |error| format!("{}: {error}", dir.display());
    for entry in fs::read_dir(dir).map_err(why)? {
        let path = entry.map_err(why)?.path();
        if path.is_dir() {
            c_sources(&path, found)?;
        } else if path.extension().is_some_and(|end| end == "c" || end == "h") {
            found.push(path);
        }
    }
    Ok(())
}

fn check(arguments: &[&str]) -> Result<Vec<String>, String> {
    match arguments {
        ["quotes", document] => {
            let text = read(Path::new(document))?;
            Ok(quote::check(&text, |path| read(Path::new(path))))
        }
        ["apis", document, dirs @ ..] if !dirs.is_empty() => {
            let mut paths = Vec::new();
            for dir in dirs {
                c_sources(Path::new(dir), &mut paths)?;
            }
            let sources = paths
                .iter()
                .map(|path| read(path))
                .collect::<Result<String, _>>()?;
            Ok(api::missing(&sources, &read(Path::new(document))?))
        }
        _ => Err("usage: d2d-quotes quotes DOCUMENT | d2d-quotes apis DOCUMENT DIR...".into()),
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let wrong = check(&arguments).unwrap_or_else(|why| vec![why]);
    for line in &wrong {
        println!("{line}");
    }
    ExitCode::from(u8::from(!wrong.is_empty()))
}
