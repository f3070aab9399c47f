// SPDX-License-Identifier: GPL-2.0

//! The commands that show a trace: select steps of a log and write them in a form.

use crate::live::Live;
use crate::order::{self, Gap, Order, Passed};
use crate::relate::{Relations, Row};
use crate::text::{Colour, Text};
use crate::{html, json, log, mermaid, perfetto};
use lexopt::prelude::*;
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// The commands and their options, for a user.
pub const HELP: &str = "\
  text       the steps in order, a line each
  mermaid    a Mermaid sequence diagram
  json       for programs (docs/trace.md)
  html       a page with a picture, which needs no network
  perfetto   trace events in JSON, for https://ui.perfetto.dev and chrome://tracing
    FILE               a log of dmesg, a console, the journal, netconsole, ftrace, trace-cmd report, perf or Wine
                       (default: standard input)
    --load N           the steps of the Nth load in the log
    --seq FIRST..LAST  the steps with these numbers
    --from STEP        begin with the first such step
    --to STEP          end with the next such step
    --limit N          at most N steps (default: json and perfetto 50000, html 4000, mermaid 500)
    --window N         at most N steps wait to be sorted (default: 4096)
    --live             text only: FILE is a pipe whose writer still runs, such as that of 'dmesg -w', or trace_pipe;
                       prints each step when it comes, and ends when the writer does
    --color WHEN       auto, always or never";

/// How many gaps a remark lists.
const NAMED: usize = 8;

/// How many drivers get a lane.
const LANES: usize = 16;

/// The form of the output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Mermaid,
    Json,
    Html,
    Perfetto,
}

impl Form {
    fn named(name: &str) -> Option<Self> {
        match name {
            "text" => Some(Self::Text),
            "mermaid" => Some(Self::Mermaid),
            "json" => Some(Self::Json),
            "html" => Some(Self::Html),
            "perfetto" => Some(Self::Perfetto),
            _ => None,
        }
    }

    /// How many steps are shown at most, so that memory stays bounded and a browser can show the page.
    fn limit(self) -> u64 {
        match self {
            Self::Text => u64::MAX,
            Self::Mermaid => 500,
            Self::Json | Self::Perfetto => 50_000,
            Self::Html => 4_000,
        }
    }
}

/// Selects the steps that are shown.
#[derive(Default)]
struct Selection {
    load: Option<usize>,
    seq: Option<RangeInclusive<u64>>,
    from: Option<String>,
    to: Option<String>,
    limit: u64,
    begun: bool,
    ended: bool,
    taken: u64,
    left_out: u64,
}

impl Selection {
    /// Says whether this row is shown. The caller passes the rows in their order.
    fn selects(&mut self, row: &Row) -> bool {
        let step = &row.step;
        let here = self.load.is_none_or(|load| load == step.index + 1)
            && self.seq.as_ref().is_none_or(|seq| seq.contains(&step.seq));
        if !here || self.ended {
            return false;
        }
        self.begun |= self.from.as_ref().is_none_or(|from| *from == step.step());
        if !self.begun {
            return false;
        }
        self.ended = self.to.as_deref() == Some(step.step());
        if self.taken == self.limit {
            self.left_out += 1;
            return false;
        }
        self.taken += 1;
        true
    }
}

/// The selected steps of a log, and its faults.
#[derive(Default)]
pub struct Trace {
    /// The selected steps, in order. Empty for `text`, which writes each step at once.
    pub rows: Vec<Row>,
    /// The drivers of the log that have a lane, with the owners first.
    pub drivers: Vec<String>,
    /// How many steps are shown.
    pub shown: u64,
    /// How many selected steps are not shown, because of the limit.
    pub left_out: u64,
    /// How many steps wait to be sorted at most.
    pub window: usize,
    /// Whether the source was running, so that steps waited only for a moment.
    pub live: bool,
    pub log: log::Counts,
    pub order: order::Counts,
}

impl Trace {
    /// The rows of each load.
    pub fn loads(&self) -> impl Iterator<Item = &[Row]> {
        self.rows.chunk_by(|a, b| a.step.index == b.step.index)
    }

    /// The drivers of these rows, in the order of their lanes.
    pub fn drivers_of(&self, rows: &[Row]) -> Vec<&str> {
        let there: HashSet<_> = rows.iter().flat_map(drivers_of).collect();
        let drivers = self.drivers.iter();
        drivers
            .filter(|driver| there.contains(driver.as_str()))
            .map(String::as_str)
            .collect()
    }

    /// The gap just before a row.
    pub fn gap_before(&self, row: &Row) -> Option<Gap> {
        let place = (row.step.index, row.step.seq);
        let gaps = &self.order.gaps;
        let at = gaps.binary_search_by_key(&place, |gap| (gap.load_index, gap.last + 1));
        at.ok().map(|at| gaps[at])
    }
}

/// The drivers of a row: the one that printed it, and those of its arrow.
fn drivers_of(row: &Row) -> impl Iterator<Item = &str> {
    let arrow = row.arrow.iter();
    let arrow = arrow.flat_map(|arrow| [arrow.from.as_str(), &arrow.to]);
    std::iter::once(row.step.driver()).chain(arrow)
}

/// Why a log is not shown.
pub enum Failure {
    /// The command line is wrong.
    Usage(String),
    /// There is nothing to show, or the log or the output has an error.
    Unusable(String),
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Self {
        Self::Usage(error.to_string())
    }
}

/// The command line of these commands.
struct Options {
    form: Form,
    file: Option<PathBuf>,
    selection: Selection,
    window: usize,
    live: bool,
    colour: Colour,
}

impl Options {
    fn parse(form: Form, args: Vec<OsString>) -> Result<Self, Failure> {
        let mut options = Self {
            form,
            file: None,
            selection: Selection {
                limit: form.limit(),
                ..Selection::default()
            },
            window: order::WINDOW,
            live: false,
            colour: Colour::default_of(&io::stdout()),
        };
        let selection = &mut options.selection;
        let mut parser = lexopt::Parser::from_args(args);
        while let Some(arg) = parser.next()? {
            match arg {
                Long("load") => selection.load = Some(parser.value()?.parse()?),
                Long("seq") => selection.seq = Some(parser.value()?.parse_with(range)?),
                Long("from") => selection.from = Some(parser.value()?.string()?),
                Long("to") => selection.to = Some(parser.value()?.string()?),
                Long("limit") => selection.limit = parser.value()?.parse()?,
                Long("window") => options.window = parser.value()?.parse()?,
                Long("live") if form == Form::Text => options.live = true,
                Long("color") => match parser.value()?.string()?.as_str() {
                    "auto" => {}
                    "always" => options.colour = Colour(true),
                    "never" => options.colour = Colour(false),
                    other => {
                        return Err(Failure::Usage(format!(
                            "--color is auto, always or never, not '{other}'"
                        )))
                    }
                },
                Value(path) if options.file.is_none() => options.file = Some(path.into()),
                _ => return Err(arg.unexpected().into()),
            }
        }
        Ok(options)
    }
}

/// `5..22`, `5..`, `..22`, or `5`
fn range(text: &str) -> Result<RangeInclusive<u64>, std::num::ParseIntError> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let number = |text: &str, none| match text {
        "" => Ok(none),
        text => text.parse(),
    };
    Ok(number(first, 0)?..=number(last, u64::MAX)?)
}

impl Colour {
    /// Colours for a terminal, unless the user asked for none (`NO_COLOR`).
    fn default_of(to: &impl IsTerminal) -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self(to.is_terminal() && !set("NO_COLOR") && !dumb)
    }
}

/// Says whether this is one of the commands that show a trace.
pub fn is_command(name: &str) -> bool {
    Form::named(name).is_some()
}

/// Shows a log.
pub fn run(command: &str, args: Vec<OsString>) -> Result<(), Failure> {
    let form =
        Form::named(command).ok_or_else(|| Failure::Usage(format!("no command {command}")))?;
    let mut options = Options::parse(form, args)?;
    let path = options.file.take().filter(|path| path.as_os_str() != "-");
    let name = path
        .as_ref()
        .map_or("the input".into(), |path| path.display().to_string());
    let input: Box<dyn Read + Send> = match path {
        Some(path) => {
            let file = File::open(path);
            Box::new(file.map_err(|error| Failure::Unusable(format!("{name}: {error}")))?)
        }
        None if io::stdin().is_terminal() => {
            return Err(Failure::Usage(
                "no FILE, and the input is a terminal".into(),
            ))
        }
        None => Box::new(io::stdin()),
    };
    let to = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    match show(options, input, to) {
        Ok(trace) => report(&trace, &name),
        // The reader of the output has closed the pipe.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::Unusable(format!("{name}: {error}"))),
    }
}

/// Reads a log, and writes the selected steps.
fn show(
    options: Options,
    input: impl Read + Send + 'static,
    mut to: impl Write,
) -> io::Result<Trace> {
    let Options {
        form,
        mut selection,
        window,
        live,
        colour,
        ..
    } = options;
    let mut trace = Trace {
        window,
        live,
        ..Trace::default()
    };
    let mut relations = Relations::default();
    let mut order = Order::new(window);
    let mut text = Text::new(&mut to, colour);
    let mut lost = None;
    let mut pass = |passed: Passed| -> io::Result<()> {
        let late = matches!(passed, Passed::Late(_));
        if let Passed::Lost { first, last } = passed {
            lost = Some((first, last));
        }
        let Some(row) = relations.take(passed) else {
            return Ok(());
        };
        for driver in drivers_of(&row) {
            if trace.drivers.len() < LANES && !trace.drivers.iter().any(|known| known == driver) {
                trace.drivers.push(driver.into());
            }
        }
        let lost = lost.take();
        if !selection.selects(&row) {
            return Ok(());
        }
        if form == Form::Text {
            text.row(&row, &trace.drivers, lost, late)?;
            if live {
                text.flush()?;
            }
        } else {
            trace.rows.push(row);
        }
        Ok(())
    };
    trace.log = if live {
        let lost = || eprintln!("d2d-trace: the source has dropped lines before they were read");
        log::follow(Live::new(input, lost), |line| match line {
            Some(line) => order.take(&line, &mut pass),
            // A step waits for those before it only while the source writes.
            None => order.drain(&mut pass),
        })?
    } else {
        log::read(input, |line| order.take(&line, &mut pass))?
    };
    trace.order = order.finish(&mut pass)?;
    trace.shown = selection.taken;
    trace.left_out = selection.left_out;
    trace.rows.sort_by(|a, b| a.step.cmp(&b.step));
    // The lanes of the owners are the first, even if the log begins with another driver.
    trace
        .drivers
        .sort_by_key(|driver| !relations.is_owner(driver));
    if trace.shown > 0 {
        match form {
            Form::Text => {}
            Form::Mermaid => mermaid::write(&trace, &mut to)?,
            Form::Json => json::write(&trace, &mut to)?,
            Form::Html => html::write(&trace, &mut to)?,
            Form::Perfetto => perfetto::write(&trace, &mut to)?,
        }
    }
    to.flush()?;
    Ok(trace)
}

/// Reports the faults of the log on the standard error. Fails if there is nothing to show.
fn report(trace: &Trace, name: &str) -> Result<(), Failure> {
    let Trace { log, .. } = trace;
    let unusable = |text: String| Err(Failure::Unusable(format!("{name}: {text}")));
    if log.bytes > 0 {
        for line in remarks(trace) {
            eprintln!("d2d-trace: {line}");
        }
    }
    if let Some(error) = &log.failed {
        return unusable(error.clone());
    }
    if log.bytes == 0 {
        return unusable("empty".into());
    }
    if log.steps == 0 {
        return match log.binary {
            Some(kind) => unusable(format!("not a log, but {kind}")),
            None => unusable(format!(
                "no step in {} lines; a step looks like 'module_a: d2d: seq=1 ...'",
                log.lines
            )),
        };
    }
    if trace.shown == 0 {
        return unusable(format!("none of the {} steps is selected", log.steps));
    }
    Ok(())
}

/// The faults of the log, and what is left out, in sentences.
pub fn remarks(trace: &Trace) -> Vec<String> {
    let Trace { log, order, .. } = trace;
    let mut remarks = Vec::new();
    let mut say = |count: u64, one: &str, many: &str, more: String| match count {
        0 => {}
        1 => remarks.push(format!("1 {one}{more}")),
        count => remarks.push(format!("{count} {many}{more}")),
    };
    let named = |names: &[String], count: u64| {
        let more = if count > names.len() as u64 {
            ", ..."
        } else {
            ""
        };
        format!(": {}{more}", names.join(", "))
    };
    let gaps: Vec<_> = order
        .gaps
        .iter()
        .take(NAMED)
        .map(|gap| {
            let last = (gap.first < gap.last).then(|| format!(" to {}", gap.last));
            let load = (order.loads > 1).then(|| format!(" of load {}", gap.load_index + 1));
            format!(
                "{}{}{}",
                gap.first,
                last.unwrap_or_default(),
                load.unwrap_or_default()
            )
        })
        .collect();
    let more = if order.gaps.len() > NAMED {
        ", ..."
    } else {
        ""
    };
    let gaps = format!(": seq {}{more}", gaps.join(", "));
    say(order.missing, "step is missing", "steps are missing", gaps);
    let late = if trace.live {
        " too late to be sorted".into()
    } else {
        format!(" too late to be sorted: over {} steps late", trace.window)
    };
    say(order.late, "step came", "steps came", late);
    say(
        order.duplicates,
        "step occurs again, and is shown once",
        "steps occur again, and are shown once",
        String::new(),
    );
    let names = named(&log.unknown_names, log.unknown_names.len() as u64);
    say(
        log.unknown,
        "step is not in the vocabulary",
        "steps are not in the vocabulary",
        names,
    );
    let lines = named(&log.damaged_lines, log.damaged) + "; left out";
    say(
        log.damaged,
        "line has an incomplete step",
        "lines have an incomplete step",
        lines,
    );
    say(
        log.joined,
        "broken line was put together",
        "broken lines were put together",
        String::new(),
    );
    let why =
        ": their lines have no time, whole seconds or a counter's value; no durations are shown";
    say(
        log.untimed,
        "step has no time",
        "steps have no time",
        why.into(),
    );
    let long = format!(
        " longer than {} bytes: the rest was not read",
        log::MAX_LINE
    );
    say(log.cut, "line is", "lines are", long);
    let shown = ": --limit shows more".into();
    say(
        trace.left_out,
        "more step is left out",
        "more steps are left out",
        shown,
    );
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A source with these bytes, that fails after them
    struct Fails(&'static [u8]);

    impl Read for Fails {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            match self.0.read(to)? {
                0 => Err(io::Error::other("it fell")),
                got => Ok(got),
            }
        }
    }

    #[test]
    fn what_a_source_has_said_before_it_fails_is_shown() {
        const LOG: &[u8] = b"a: d2d: seq=1 load=1 in=task step=load\n\
            a: d2d: seq=3 load=1 in=task step=unload\n\
            a: d2d: seq=4 load=1 in=ta";
        for args in [&["--live"][..], &[]] {
            let args = args.iter().map(OsString::from).collect();
            let Ok(options) = Options::parse(Form::Text, args) else {
                panic!("a command line");
            };
            let mut out = Vec::new();
            let trace = show(options, Fails(LOG), &mut out).expect("it is shown");
            let out = String::from_utf8(out).expect("text");
            assert!(out.contains("unload"), "{out}");
            assert_eq!((trace.shown, trace.log.damaged), (2, 1));
            let Err(Failure::Unusable(said)) = report(&trace, "kmsg") else {
                panic!("no failure");
            };
            assert_eq!(said, "kmsg: it fell");
        }
    }

    #[test]
    fn a_range_may_lack_either_end() {
        assert_eq!(range("5..22"), Ok(5..=22));
        assert_eq!(range("5.."), Ok(5..=u64::MAX));
        assert_eq!(range("..22"), Ok(0..=22));
        assert_eq!(range("5"), Ok(5..=5));
        assert!(range("x").is_err() && range("1..x").is_err());
    }
}
