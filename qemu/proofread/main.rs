// SPDX-License-Identifier: GPL-2.0

// Compares the documents and the comments of the sources with the project.
//
// Usage: d2d-proofread {quotes,names} DOCUMENT
//        d2d-proofread comments
//        d2d-proofread figures DOCUMENT HEADING RECORDED
//        d2d-proofread apis DOCUMENT... DIR
//        d2d-proofread {items,headers} DOCUMENT DIR...
//
//   quotes    Each quote of the document is in the file that the quote names (quote.rs).
//   names     The names in the document's code spans exist in the project (name.rs).
//   comments  The paths and places in the sources' comments exist (comment.rs).
//   figures   The figures in the tables of the section HEADING are in the bench's file RECORDED (figure.rs).
//   apis      Each Windows kernel function that a source in DIR calls is in a table of a document (api.rs).
//   headers   Each name in the columns "in C" of the document's tables is in a C header in DIR (column.rs).
//   items     Each safe public item of a Rust source in DIR is in a table of the document. Each item of the tables is
//             in DIR (item.rs).
// The current directory is the project. The program prints a line for each fault, and exits with 1 if there is one.

mod api;
mod column;
mod comment;
mod figure;
mod item;
mod name;
mod place;
mod quote;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn sources(dir: &Path, ends: &[&str], found: &mut Vec<PathBuf>) -> Result<(), String> {
    let why = |error| format!("{}: {error}", dir.display());
    for entry in fs::read_dir(dir).map_err(why)? {
        let path = entry.map_err(why)?.path();
        if path.is_dir() {
            sources(&path, ends, found)?;
        } else if ends
            .iter()
            .any(|end| path.extension() == Some(end.as_ref()))
        {
            found.push(path);
        }
    }
    Ok(())
}

/// Reads the files of the project by path. The text of a binary file is empty.
fn files(dir: &Path, found: &mut BTreeMap<String, String>) -> Result<(), String> {
    let why = |error| format!("{}: {error}", dir.display());
    for entry in fs::read_dir(dir).map_err(why)? {
        let path = entry.map_err(why)?.path();
        let name = path
            .strip_prefix(".")
            .unwrap_or(&path)
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            if !["build", ".git"].contains(&&name[..]) {
                files(&path, found)?;
            }
        } else {
            found.insert(name, fs::read_to_string(&path).unwrap_or_default());
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
        ["names", document] => {
            let mut found = BTreeMap::new();
            files(Path::new("."), &mut found)?;
            let text = read(Path::new(document))?;
            Ok(name::check(
                document.trim_start_matches("./"),
                &text,
                &name::Project::new(found),
            ))
        }
        ["figures", document, heading, recorded] => {
            let recorded = read(Path::new(recorded))?;
            Ok(figure::check(
                &read(Path::new(document))?,
                heading,
                &recorded,
            ))
        }
        ["comments"] => {
            let mut found = BTreeMap::new();
            files(Path::new("."), &mut found)?;
            let sources = found.clone().into_iter();
            let sources = sources.filter(|(path, _)| !path.ends_with(".md"));
            let project = name::Project::new(found);
            Ok(sources
                .flat_map(|(path, text)| comment::check(&path, &text, &project))
                .collect())
        }
        ["apis", documents @ .., dir] if !documents.is_empty() => {
            let mut paths = Vec::new();
            sources(Path::new(dir), &["c", "h"], &mut paths)?;
            let sources = paths
                .iter()
                .map(|path| read(path))
                .collect::<Result<String, _>>()?;
            let documents = documents
                .iter()
                .map(|document| read(Path::new(document)))
                .collect::<Result<String, _>>()?;
            Ok(api::missing(&sources, &documents))
        }
        ["headers", document, dirs @ ..] if !dirs.is_empty() => {
            let mut paths = Vec::new();
            for dir in dirs {
                sources(Path::new(dir), &["h"], &mut paths)?;
            }
            let text = read(Path::new(document))?;
            column::check(&text, paths.iter().map(|path| read(path)))
        }
        ["items", document, dirs @ ..] if !dirs.is_empty() => {
            let mut paths = Vec::new();
            for dir in dirs {
                sources(Path::new(dir), &["rs"], &mut paths)?;
            }
            let mut items = BTreeSet::new();
            for path in paths {
                let name = path.file_stem().unwrap_or_default().to_string_lossy();
                items.extend(item::public(&name, &read(&path)?));
            }
            Ok(item::check(&read(Path::new(document))?, &items))
        }
        _ => Err(
            "usage: d2d-proofread {quotes,names} DOCUMENT | apis DOCUMENT... DIR | {items,headers} DOCUMENT DIR... | \
                comments | figures DOCUMENT HEADING RECORDED"
                .into(),
        ),
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
