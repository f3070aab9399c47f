// SPDX-License-Identifier: GPL-2.0

//! The trace line, made in one place for all drivers, its sequence number, and the tracepoints.

use d2d::trace::{
    with_text,
    Step, //
};
use kernel::{
    bindings,
    ffi::{
        c_char,
        c_uint, //
    },
    fmt,
    prelude::*,
    print::{
        call_printk,
        format_strings, //
    },
    sync::{
        atomic::{
            ordering::Relaxed,
            Atomic, //
        },
        SetOnce, //
    }, //
};

/// A string without a NUL. C type: `struct d2d_piece`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Piece {
    text: *const u8,
    len: u32,
}

impl Piece {
    fn new(text: &[u8]) -> Self {
        Self {
            text: text.as_ptr(),
            len: text.len() as u32,
        }
    }
}

/// What a tracepoint is hit with. C type: `struct d2d_hit`.
#[repr(C)]
struct Hit {
    driver: *const c_char,
    place: *const c_char,
    detail: *const c_char,
    step: Piece,
    queue: Piece,
    op: Piece,
    name: Piece,
    seq: u64,
    load: u64,
    handle: u64,
    ctx: i32,
    req: i32,
    status: i32,
    code: u32,
    n: u32,
    depth: u32,
}

// As in C.
const _: () = assert!(size_of::<Hit>() == 136);

unsafe extern "C" {
    /// Defined in `irq_context.c`.
    safe fn d2d_irq_context() -> c_uint;
    /// As above.
    safe fn d2d_may_sleep() -> c_uint;
    /// Defined in `points.c`.
    safe fn d2d_is_on(step: u32) -> bool;
    /// As above.
    fn d2d_hit(step: u32, hit: *const Hit);
}

/// Names of what [`d2d_irq_context`] returns.
const IN: [&CStr; 3] = [c"task", c"softirq", c"hardirq"];

/// Lines printed so far, by all drivers.
static SEQ: Atomic<u64> = Atomic::new(0);

/// When the owner printed its first line: milliseconds since boot, to tell its loads apart.
static LOAD: SetOnce<u64> = SetOnce::new();

/// Returns whether the caller may sleep, as far as the kernel keeps count of it. Any context.
#[inline(always)]
pub(crate) fn may_sleep() -> bool {
    d2d_may_sleep() != 0
}

/// Returns which load of the owner this is.
pub(crate) fn load() -> u64 {
    // SAFETY: Safe to call in any context.
    let now = || unsafe { bindings::ktime_get_boot_fast_ns() } / 1_000_000;
    LOAD.copy().unwrap_or_else(|| {
        // The owner's first line comes before any other driver can be loaded, so nobody else is
        // writing it.
        LOAD.populate(now());
        LOAD.copy().unwrap_or(0)
    })
}

/// Returns the name of the kind of context that the caller runs in.
fn place() -> &'static CStr {
    IN.get(d2d_irq_context() as usize).unwrap_or(&c"?")
}

/// Reads a number as the trace has it: decimal, or hexadecimal after `0x`.
fn number(text: &str) -> Option<i64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok().map(|n| n as i64),
        None => text.parse().ok(),
    }
}

/// Hits the tracepoint of a step in the name of `driver`, without a line. Any context.
#[cold]
#[inline(never)]
pub(crate) fn hit(driver: &CStr, step: Step, detail: fmt::Arguments<'_>) {
    with_text(detail, |detail| point(driver, step, detail, 0));
}

/// Hits the tracepoint of a step in the name of `driver`, if it is on; `seq` is that of the line, or 0
/// without one. Any context.
fn point(driver: &CStr, step: Step, detail: &CStr, seq: u64) {
    if !d2d_is_on(step as u32) {
        return;
    }
    let mut hit = Hit {
        driver: driver.as_char_ptr(),
        place: place().as_char_ptr(),
        detail: detail.as_char_ptr(),
        step: Piece::new(step.name().as_bytes()),
        queue: Piece::new(b""),
        op: Piece::new(b""),
        name: Piece::new(b""),
        seq,
        load: load(),
        handle: 0,
        ctx: -1,
        req: -1,
        status: 0,
        code: 0,
        n: 0,
        depth: 0,
    };
    // The fields for filters are what the text says.
    let fields = detail.to_str().unwrap_or("").split(' ');
    for (key, value) in fields.filter_map(|field| field.split_once('=')) {
        let number = number(value).unwrap_or(0);
        match key {
            "queue" => hit.queue = Piece::new(value.as_bytes()),
            "op" => hit.op = Piece::new(value.as_bytes()),
            "name" => hit.name = Piece::new(value.as_bytes()),
            "ctx" => hit.ctx = value.get(1..).and_then(|id| id.parse().ok()).unwrap_or(-1),
            "req" => hit.req = value.get(1..).and_then(|id| id.parse().ok()).unwrap_or(-1),
            "handle" => hit.handle = number as u64,
            "code" => hit.code = number as u32,
            "status" | "errno" => hit.status = number as i32,
            "n" => hit.n = number as u32,
            "depth" => hit.depth = number as u32,
            _ => {}
        }
    }
    // SAFETY: All that it points to lives during the call.
    unsafe { d2d_hit(step as u32, &hit) };
}

/// Prints the line of a step in the name of `driver`, and hits its tracepoint. Any context.
pub(crate) fn line(driver: &CStr, step: Step, detail: &CStr) {
    let load = load();
    let seq = SEQ.fetch_add(1, Relaxed).wrapping_add(1);
    let level = match step {
        Step::Refuse => &format_strings::WARNING,
        _ => &format_strings::INFO,
    };
    let space = if detail.is_empty() { "" } else { " " };
    // SAFETY: The format string is the kernel's own, and the name is NUL-terminated.
    unsafe {
        call_printk(
            level,
            driver.to_bytes_with_nul(),
            fmt!(
                "d2d: seq={} load={} in={} step={}{}{}\n",
                seq,
                load,
                place(),
                step.name(),
                space,
                detail
            ),
        )
    };
    point(driver, step, detail, seq);
}
