// SPDX-License-Identifier: GPL-2.0

//! The owner's state, for people and for programs.
//!
//! A file for each [`Section`], of one line for each row, and one of all sections in JSON. What is
//! shown is copied row by row, or 64 requests at a time, under the lock that it is under, and put
//! into words without: so each row is right for one moment, and the rows of one text for several
//! moments close to each other. Only the names of events are kept from changing while they are read,
//! by a mutex.

use crate::{
    entry::{
        Entry,
        Phase, //
    },
    handle,
    registry::{
        Driver,
        State, //
    },
    server::{
        Owner,
        Server, //
    },
    trace, //
};
use core::{
    ffi::c_void,
    fmt::Write, //
};
use d2d::{
    abi::{
        self,
        d2d_handle, //
    },
    context::Pair,
    control::Text,
    header,
    interface::Interface,
    probe, //
};
use kernel::{
    prelude::*,
    sync::{
        new_spinlock_irq,
        SpinLockIrq, //
    }, //
};

unsafe extern "C" {
    /// Defined in `gate.c`.
    fn d2d_readers_count(srcu: *mut c_void, entered: *mut u64, inside: *mut u64);
}

/// One kind of rows.
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
    pub(crate) const ALL: [(Self, &'static CStr); 6] = [
        (Self::Contexts, c"contexts"),
        (Self::Queues, c"queues"),
        (Self::Calls, c"calls"),
        (Self::Requests, c"requests"),
        (Self::Events, c"events"),
        (Self::Refusals, c"refusals"),
    ];
}

/// What a field of a row contains.
enum Value<'a> {
    Nothing,
    Number(u64),
    /// In hexadecimal digits; a string in JSON, whose numbers have fewer bits.
    Hash(u64),
    Text(&'a [u8]),
}

impl Value<'_> {
    fn write(&self, text: &mut Text, json: bool) -> core::fmt::Result {
        match self {
            Self::Nothing => text.write_str(if json { "null" } else { "-" }),
            Self::Number(n) => text.write_fmt(fmt!("{}", n)),
            Self::Hash(n) if json => text.write_fmt(fmt!("\"0x{:x}\"", n)),
            Self::Hash(n) => text.write_fmt(fmt!("0x{:x}", n)),
            Self::Text(bytes) => {
                let quote = if json { "\"" } else { "" };
                text.write_str(quote)?;
                for byte in bytes.iter().copied() {
                    match byte {
                        b'"' | b'\\' if json => {
                            text.write_fmt(fmt!("\\{}", char::from(byte)))?;
                        }
                        b' '..=b'~' => text.write_char(char::from(byte))?,
                        // What is no ASCII is nobody's name.
                        _ => text.write_char('?')?,
                    }
                }
                text.write_str(quote)
            }
        }
    }
}

/// The rows of a section.
struct Rows<'a> {
    text: &'a mut Text,
    json: bool,
    is_first: bool,
}

impl Rows<'_> {
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

/// What was refused last, and how much.
pub(crate) struct Refusals {
    count: u64,
    driver: [u8; abi::D2D_NAME_SIZE as usize],
    detail: [u8; abi::D2D_DETAIL_SIZE as usize],
}

impl Refusals {
    /// None yet.
    pub(crate) fn new() -> impl PinInit<SpinLockIrq<Self>> {
        let none = Self {
            count: 0,
            driver: [0; abi::D2D_NAME_SIZE as usize],
            detail: [0; abi::D2D_DETAIL_SIZE as usize],
        };
        new_spinlock_irq!(none, "d2d_refusals")
    }

    /// Notes one. What is too long is cut off.
    pub(crate) fn note(&mut self, driver: &CStr, detail: &CStr) {
        self.count += 1;
        for (to, from) in [
            (&mut self.driver[..], driver.to_bytes()),
            (&mut self.detail[..], detail.to_bytes()),
        ] {
            to.fill(0);
            let length = from.len().min(to.len());
            to[..length].copy_from_slice(&from[..length]);
        }
    }
}

/// Requests that are looked at under one lock.
const CHUNK: usize = 64;

/// A request that is on its way.
struct Pending {
    key: d2d_handle,
    sender: d2d_handle,
    holder: Option<d2d_handle>,
    code: u32,
    phase: &'static str,
    level: u32,
}

impl Pending {
    fn new(key: d2d_handle, entry: &Entry) -> Self {
        let top = entry.levels[..entry.depth].last().and_then(Option::as_ref);
        Self {
            key,
            sender: entry.sender,
            holder: top.map(|level| level.to),
            code: top.map_or(0, |level| level.code),
            phase: match entry.phase {
                Phase::Idle => "idle",
                Phase::Held if entry.queued => "queued",
                Phase::Held => "held",
                Phase::Busy => "busy",
            },
            level: entry.depth as u32,
        }
    }
}

/// A string up to its NUL, or its end.
fn string(bytes: &[u8]) -> Value<'_> {
    let length = bytes.iter().position(|byte| *byte == 0);
    Value::Text(&bytes[..length.unwrap_or(bytes.len())])
}

fn name(driver: Option<&Driver>) -> Value<'_> {
    driver.map_or(Value::Nothing, |driver| {
        Value::Text(driver.name().to_bytes())
    })
}

fn number(n: impl Into<u64>) -> Value<'static> {
    Value::Number(n.into())
}

/// A table of operations.
struct Table {
    header: abi::d2d_ops,
    /// The hash of its last operation, into which all before it went.
    fingerprint: u64,
}

fn table(ops: *const abi::d2d_ops) -> Option<Table> {
    // SAFETY: It is made of numbers and a pointer.
    let header = unsafe { probe::read(ops) }?;
    let size = (header.size as usize).checked_sub(size_of::<abi::d2d_ops>())?;
    let operations = size / size_of::<*const ()>();
    // SAFETY: A hash is a number.
    let fingerprint = unsafe { probe::read(header.chain.wrapping_add(operations)) }?;
    Some(Table {
        header,
        fingerprint,
    })
}

impl<O: Owner> Server<O> {
    /// Shows a section. May sleep.
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

    /// Shows all sections in JSON. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn show_all(&self, text: &mut Text) -> Result {
        text.write_fmt(fmt!(
            "{{\"owner\": \"{}\", \"load\": {}",
            self.name(),
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
        for (n, link) in self.links().enumerate() {
            let found = self.registry().by_context(n);
            let (peer, state) = found.as_ref().map(|(peer, state)| (peer, *state)).unzip();
            let state = match state {
                None | Some(State::Registered) => "free",
                Some(State::Attaching(_)) => "attaching",
                Some(State::Attached(_)) => "attached",
                Some(State::Detaching(_)) => "detaching",
                Some(State::Abandoned(..)) => "abandoned",
            };
            // As long as the peer is entered, its table is there. It counts as a call.
            let entered = match state {
                "attached" => link.peer().ok(),
                _ => None,
            };
            let theirs = entered.as_ref().and_then(|_| {
                // SAFETY: The context is there as long as the link.
                table(unsafe { (&raw const (*link.context().as_raw()).peer.ops).read_volatile() })
            });
            let of = |f: fn(&Table) -> Value<'static>| theirs.as_ref().map_or(Value::Nothing, f);
            rows.row(&[
                ("ctx", number(n as u64)),
                ("state", Value::Text(state.as_bytes())),
                ("peer", name(peer)),
                ("peer_major", of(|table| number(table.header.major))),
                ("peer_minor", of(|table| number(table.header.minor))),
                (
                    "peer_fingerprint",
                    of(|table| Value::Hash(table.fingerprint)),
                ),
                ("owner_major", number(<O::Pair as Pair>::Owner::MAJOR)),
                ("owner_minor", number(<O::Pair as Pair>::Owner::MINOR)),
                (
                    "owner_fingerprint",
                    Value::Hash(*<O::Pair as Pair>::Owner::CHAIN.last().unwrap_or(&0)),
                ),
                (
                    "layout",
                    Value::Hash(header::new::<abi::d2d_context>(0).layout.into()),
                ),
            ])?;
        }
        Ok(())
    }

    fn queue_rows(&self, rows: &mut Rows<'_>) -> Result {
        for (n, link) in self.links().enumerate() {
            for (name, queue) in [("to_peer", link.outgoing()), ("to_owner", link.incoming())] {
                let counters = queue.counters();
                rows.row(&[
                    ("ctx", number(n as u64)),
                    ("queue", Value::Text(name.as_bytes())),
                    ("depth", number(counters.depth)),
                    ("capacity", number(self.config().capacity())),
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

    /// The peer is entered for calls under rundown protection, which counts. The owner needs none, and
    /// to count would cost a good part of the call: its calls are only in the trace.
    fn call_rows(&self, rows: &mut Rows<'_>) -> Result {
        for (n, link) in self.links().enumerate() {
            let (mut entered, mut inside) = (0, 0);
            // SAFETY: It is that of the link, which lives.
            unsafe { d2d_readers_count(link.peer_srcu(), &mut entered, &mut inside) };
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
        let requests = self.requests();
        let mut pending = KVec::with_capacity(CHUNK, GFP_KERNEL)?;
        let chunks = requests.inner.lock().entries.used_chunks();
        for chunk in 0..chunks {
            let inner = requests.inner.lock();
            let _ = inner.entries.find_in::<()>(chunk, |key, entry| {
                if entry.phase != Phase::Idle {
                    // There is room for a chunk.
                    let _ = pending.push_within_capacity(Pending::new(key, entry));
                }
                None
            });
            drop(inner);
            for request in &pending {
                self.request_row(request, rows)?;
            }
            pending.clear();
        }
        Ok(())
    }

    fn request_row(&self, request: &Pending, rows: &mut Rows<'_>) -> Result {
        let driver = |handle| self.registry().peek(handle);
        let (sender, holder) = (driver(request.sender), request.holder.and_then(driver));
        rows.row(&[
            ("req", number(handle::index(request.key))),
            ("sender", name(sender.as_ref())),
            ("holder", name(holder.as_ref())),
            ("code", Value::Hash(request.code.into())),
            ("phase", Value::Text(request.phase.as_bytes())),
            ("level", number(request.level)),
        ])
    }

    fn event_rows(&self, rows: &mut Rows<'_>) -> Result {
        self.events().for_each(|event| {
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
            ])
        })
    }

    fn refusal_rows(&self, rows: &mut Rows<'_>) -> Result {
        let (count, driver, detail) = {
            let refusals = self.refusals().lock();
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
