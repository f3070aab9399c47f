// SPDX-License-Identifier: GPL-2.0

//! The files in debugfs that show the owner's state.
//!
//! Each [`Section`] has a file with one line for each row; one more file has all sections in JSON.
//! Two rows may show different moments. If a spinlock protects what a row shows, the code copies
//! this under the lock, and formats the copy afterwards.

use crate::{
    context_table::{
        peer_of,
        Version, //
    },
    probe,
    registry::{
        Entry,
        State, //
    },
    request::{
        record::Record,
        word::{
            bits,
            Phase, //
        }, //
    },
    server::Server,
    trace, //
};
use core::fmt::Write;
use d2d::{
    abi,
    debugfs::Text,
    header, //
};
use kernel::prelude::*;

#[derive(Clone, Copy)]
pub(crate) enum Section {
    Contexts,
    Queues,
    Calls,
    Requests,
    Events,
    Refusals,
}

impl Section {
    /// All sections, with the names of their files.
    pub(crate) const ALL: [(Self, &'static CStr); 6] = [
        (Self::Contexts, c"contexts"),
        (Self::Queues, c"queues"),
        (Self::Calls, c"calls"),
        (Self::Requests, c"requests"),
        (Self::Events, c"events"),
        (Self::Refusals, c"refusals"),
    ];
}

enum Value<'a> {
    Nothing,
    Number(u64),
    /// In JSON a string, because many programs that read JSON cannot hold a number of 64 bits.
    Hex(u64),
    Text(&'a [u8]),
}

impl Value<'_> {
    fn write(&self, text: &mut Text, json: bool) -> core::fmt::Result {
        match self {
            Self::Nothing => text.write_str(if json { "null" } else { "-" }),
            Self::Number(n) => text.write_fmt(fmt!("{}", n)),
            Self::Hex(n) if json => text.write_fmt(fmt!("\"0x{:x}\"", n)),
            Self::Hex(n) => text.write_fmt(fmt!("0x{:x}", n)),
            Self::Text(bytes) => {
                let quote = if json { "\"" } else { "" };
                text.write_str(quote)?;
                for byte in bytes.iter().copied() {
                    match byte {
                        b'"' | b'\\' if json => {
                            text.write_fmt(fmt!("\\{}", char::from(byte)))?;
                        }
                        b' '..=b'~' => text.write_char(char::from(byte))?,
                        // No name and no line of the trace has such a character.
                        _ => text.write_char('?')?,
                    }
                }
                text.write_str(quote)
            }
        }
    }
}

struct Rows<'a> {
    text: &'a mut Text,
    json: bool,
    is_first: bool,
}

impl Rows<'_> {
    /// May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    fn row(&mut self, fields: &[(&str, Value<'_>)]) -> Result {
        self.write(fields).map_err(|_| ENOMEM)
    }

    fn write(&mut self, fields: &[(&str, Value<'_>)]) -> core::fmt::Result {
        let (json, text) = (self.json, &mut *self.text);
        if json {
            text.write_str(if self.is_first { "\n {" } else { ",\n {" })?;
        }
        for (n, (key, value)) in fields.iter().enumerate() {
            let comma = match (n, json) {
                (0, _) => "",
                (_, true) => ", ",
                (_, false) => " ",
            };
            if json {
                text.write_fmt(fmt!("{}\"{}\": ", comma, key))?;
            } else {
                text.write_fmt(fmt!("{}{}=", comma, key))?;
            }
            value.write(text, json)?;
        }
        self.is_first = false;
        text.write_str(if json { "}" } else { "\n" })
    }
}

/// Returns a text up to its NUL, if it has one.
fn string(bytes: &[u8]) -> Value<'_> {
    let length = bytes.iter().position(|byte| *byte == 0);
    Value::Text(&bytes[..length.unwrap_or(bytes.len())])
}

fn name(driver: Option<&Entry>) -> Value<'_> {
    driver.map_or(Value::Nothing, |driver| {
        Value::Text(driver.name().to_bytes())
    })
}

fn number(n: impl Into<u64>) -> Value<'static> {
    Value::Number(n.into())
}

/// Reads the version of a table of operations. The address may be bad.
fn version(ops: *const abi::d2d_ops) -> Option<Version> {
    let header = probe::read(ops)?;
    let size = (header.size as usize).checked_sub(size_of::<abi::d2d_ops>())?;
    let last = usize::from(header.minor) + size / size_of::<*const ()>();
    let fingerprint = probe::read(header.chain.wrapping_add(last))?;
    Some(Version {
        major: header.major,
        minor: header.minor,
        fingerprint,
    })
}

impl Server {
    /// May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn show(&self, section: Section, text: &mut Text) -> Result {
        self.rows(
            section,
            &mut Rows {
                text,
                json: false,
                is_first: true,
            },
        )
    }

    /// In JSON. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn show_all(&self, text: &mut Text) -> Result {
        text.write_fmt(fmt!(
            "{{\"owner\": \"{}\", \"load\": {}",
            self.name,
            trace::load()
        ))
        .map_err(|_| ENOMEM)?;
        for (section, name) in Section::ALL {
            text.write_fmt(fmt!(",\n\"{}\": [", name))
                .map_err(|_| ENOMEM)?;
            self.rows(
                section,
                &mut Rows {
                    text,
                    json: true,
                    is_first: true,
                },
            )?;
            text.write_str("]").map_err(|_| ENOMEM)?;
        }
        text.write_str("}\n").map_err(|_| ENOMEM)
    }

    fn rows(&self, section: Section, rows: &mut Rows<'_>) -> Result {
        match section {
            Section::Contexts => self.context_rows(rows),
            Section::Queues => self.queue_rows(rows),
            Section::Calls => self.call_rows(rows),
            Section::Requests => self.request_rows(rows),
            Section::Events => self.event_rows(rows),
            Section::Refusals => self.refusal_rows(rows),
        }
    }

    fn context_rows(&self, rows: &mut Rows<'_>) -> Result {
        let ours = self.contexts.version();
        for n in 0..self.contexts.len() {
            let found = self.registry.by_context(n);
            let state = match found.as_ref().map(|peer| peer.state) {
                None | Some(State::Detached) => "free",
                Some(State::Attaching(_)) => "attaching",
                Some(State::Attached(_)) => "attached",
                Some(State::Detaching(_)) => "detaching",
                Some(State::Abandoned(_)) => "abandoned",
            };
            let mut theirs = None;
            if state == "attached" {
                let context = self.contexts.as_raw(n);
                self.contexts.while_attached(n, &mut || {
                    // Nobody writes the endpoint of an attached peer.
                    theirs = version(peer_of(context).ops);
                });
            }
            let of = |f: fn(&Version) -> Value<'static>| theirs.as_ref().map_or(Value::Nothing, f);
            rows.row(&[
                ("ctx", number(n as u64)),
                ("state", Value::Text(state.as_bytes())),
                ("peer", name(found.as_ref())),
                ("peer_major", of(|theirs| number(theirs.major))),
                ("peer_minor", of(|theirs| number(theirs.minor))),
                (
                    "peer_fingerprint",
                    of(|theirs| Value::Hex(theirs.fingerprint)),
                ),
                ("owner_major", number(ours.major)),
                ("owner_minor", number(ours.minor)),
                ("owner_fingerprint", Value::Hex(ours.fingerprint)),
                (
                    "layout",
                    Value::Hex(header::new::<abi::d2d_context>(0).layout.into()),
                ),
            ])?;
        }
        Ok(())
    }

    fn queue_rows(&self, rows: &mut Rows<'_>) -> Result {
        for n in 0..self.contexts.len() {
            for (name, queue) in &self.contexts.queues(n) {
                let counters = queue.counters();
                rows.row(&[
                    ("ctx", number(n as u64)),
                    ("queue", Value::Text(name.as_bytes())),
                    ("depth", number(counters.depth)),
                    ("capacity", number(self.config.capacity())),
                    ("high_water", number(counters.high_water)),
                    ("put", number(counters.put)),
                    ("taken", number(counters.taken)),
                    ("refused", number(counters.refused)),
                    ("stale", number(counters.stale)),
                ])?;
            }
        }
        Ok(())
    }

    /// Shows the calls into the peer, which rundown protection counts. Counting calls into the
    /// owner would make them much slower.
    fn call_rows(&self, rows: &mut Rows<'_>) -> Result {
        for n in 0..self.contexts.len() {
            let (entered, inside) = self.contexts.peer_calls(n);
            let (entered, inside) = (number(entered), number(inside));
            for (to, entered, inside) in [
                ("peer", entered, inside),
                ("owner", Value::Nothing, Value::Nothing),
            ] {
                rows.row(&[
                    ("ctx", number(n as u64)),
                    ("to", Value::Text(to.as_bytes())),
                    ("entered", entered),
                    ("in_flight", inside),
                ])?;
            }
        }
        Ok(())
    }

    fn request_rows(&self, rows: &mut Rows<'_>) -> Result {
        let mut requests = self.requests.records();
        requests.try_for_each(|record| self.request_row(record, rows))
    }

    /// Shows a request, which other threads may change meanwhile.
    fn request_row(&self, record: &Record, rows: &mut Rows<'_>) -> Result {
        let word = record.word();
        let phase: &[u8] = match word.phase() {
            // Freed, but an in-place call, a copy or a waiting thread still uses it.
            Phase::Idle if word.has(bits::ORPHAN) => return Ok(()),
            Phase::Free | Phase::Fill => return Ok(()),
            Phase::Idle => b"idle",
            Phase::Held if word.has(bits::QUEUED) => b"queued",
            Phase::Held => b"held",
            Phase::Forward | Phase::Busy | Phase::Done | Phase::Cancelled => b"busy",
        };
        let driver = |handle| self.registry.peek(handle);
        let (sender, holder) = (driver(record.sender()), driver(record.holder(word)));
        rows.row(&[
            ("req", number(record.number())),
            ("sender", name(sender.as_ref())),
            ("holder", name(holder.as_ref())),
            ("code", Value::Hex(record.code(word).into())),
            ("phase", Value::Text(phase)),
            ("level", number(word.level() as u32)),
        ])
    }

    fn event_rows(&self, rows: &mut Rows<'_>) -> Result {
        self.events.for_each(|event| {
            let status = event.status();
            rows.row(&[
                ("name", Value::Text(event.name().as_c_str().to_bytes())),
                ("kind", Value::Text(event.kind().name().as_bytes())),
                (
                    "state",
                    Value::Text(if status.set { b"set" } else { b"reset" }),
                ),
                ("sets", number(status.sets)),
                ("waiters", number(status.waiting)),
                ("handlers", number(status.handlers)),
                ("failed", number(status.failed)),
            ])
        })
    }

    fn refusal_rows(&self, rows: &mut Rows<'_>) -> Result {
        let (count, driver, detail) = {
            let refusals = self.refusals.lock();
            (refusals.count, refusals.driver, refusals.detail)
        };
        let last = |bytes| match count {
            0 => Value::Nothing,
            _ => string(bytes),
        };
        rows.row(&[
            ("count", number(count)),
            ("driver", last(&driver)),
            ("last", last(&detail)),
        ])
    }
}
