// SPDX-License-Identifier: GPL-2.0

//! The trace line, made in one place for all drivers, and its sequence number.

use d2d::trace::Step;
use kernel::{
    bindings,
    ffi::c_uint,
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

unsafe extern "C" {
    /// Defined in `irq_context.c`.
    safe fn d2d_irq_context() -> c_uint;
    /// As above.
    safe fn d2d_may_sleep() -> c_uint;
}

/// Names of what [`d2d_irq_context`] returns.
const IN: [&str; 3] = ["task", "softirq", "hardirq"];

/// Lines printed so far, by all drivers.
static SEQ: Atomic<u64> = Atomic::new(0);

/// When the owner printed its first line: milliseconds since boot, to tell its loads apart.
static LOAD: SetOnce<u64> = SetOnce::new();

/// Returns whether the caller may sleep, as far as the kernel keeps count of it. Any context.
pub(crate) fn may_sleep() -> bool {
    d2d_may_sleep() != 0
}

/// Prints the line of a step in the name of `driver`. Any context.
pub(crate) fn line(driver: &CStr, step: Step, detail: &CStr) {
    // SAFETY: Safe to call in any context.
    let now = || unsafe { bindings::ktime_get_boot_fast_ns() } / 1_000_000;
    let load = LOAD.copy().unwrap_or_else(|| {
        // The owner's first line comes before any other driver can be loaded, so nobody else is
        // writing it.
        LOAD.populate(now());
        LOAD.copy().unwrap_or(0)
    });
    let seq = SEQ.fetch_add(1, Relaxed).wrapping_add(1);
    let place = IN.get(d2d_irq_context() as usize).unwrap_or(&"?");
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
                place,
                step.name(),
                space,
                detail
            ),
        )
    };
}
