// SPDX-License-Identifier: GPL-2.0

//! The tracepoints of what happens too often for a line in dmesg.
//!
//! All tracepoints are the owner's, one for each step; drivers hit those of a hot path through here.
//! Whether one of a group is on is a static key, which the owner exports: while it is off, asking is
//! one patched branch, and on a kernel without tracepoints nothing. Nor is it where the bench has
//! them left out, to measure that branch (`D2D_NO_POINTS` in Kbuild).
//!
//! C header: `shared/include/d2d_point.h`.

use crate::{
    abi,
    trace::Step, //
};
use core::cell::UnsafeCell;
use kernel::{
    bindings,
    ffi::c_int,
    prelude::*, //
};

macro_rules! groups {
    ($($(#[$doc:meta])* $vis:vis fn $group:ident();)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        $vis fn $group() -> bool {
            #[cfg(all(CONFIG_TRACEPOINTS, not(d2d_no_points)))]
            // SAFETY: It is a static key, defined in C.
            unsafe {
                kernel::jump_label::static_branch_unlikely!(
                    abi::d2d_points,
                    abi::d2d_point_keys,
                    $group
                )
            }
            #[cfg(not(all(CONFIG_TRACEPOINTS, not(d2d_no_points))))]
            false
        }
    )*};
}

groups! {
    /// Whether one of `enqueue`, `dequeue` and `doorbell` is on.
    pub fn queues();
    /// Whether one of `op_call` and `op_return` is on.
    pub fn ops();
    /// Whether one of the steps of a request is on.
    pub fn requests();
    /// Whether one of `event_set` and `event_wait` is on.
    pub fn events();
}

/// A module, of which only what never changes is read.
#[repr(transparent)]
struct Module(UnsafeCell<bindings::module>);

// SAFETY: As above.
unsafe impl Sync for Module {}

#[allow(
    improper_ctypes,
    reason = "some of its parts are empty, depending on the configuration"
)]
extern "C" {
    /// That of the module that this crate is linked into.
    static __this_module: Module;
}

/// Returns the name of the module that this crate is linked into.
fn module_name() -> &'static CStr {
    // SAFETY: The name is a string that never changes, and the module outlives its code.
    unsafe { CStr::from_char_ptr((&raw const (*__this_module.0.get()).name).cast()) }
}

/// Hits the tracepoint of a step of `n` items of a queue, or of its doorbell, in the name of this
/// module. Any context but NMI.
///
/// # Safety
///
/// The queue is initialized, and its lock is held.
#[cold]
#[inline(never)]
pub(crate) unsafe fn queue(queue: *const abi::d2d_queue, step: Step, n: u32) {
    // SAFETY: The queue is initialized. The caller holds the lock, which protects the fields; `id` never
    // changes.
    let (id, depth, doorbell) = unsafe {
        let depth = (*queue).put.wrapping_sub((*queue).taken) as u32;
        ((*queue).id, depth, (*queue).doorbell)
    };
    let hit = abi::d2d_queue_hit {
        // SAFETY: The name never changes, and the module outlives its code.
        driver: unsafe { (*__this_module.0.get()).name },
        doorbell,
        queue: id,
        depth,
        step: step as u32,
        n,
    };
    // SAFETY: The owner takes any values.
    unsafe { abi::d2d_point_queue(hit) };
}

/// An operation: what it belongs to and what it is called.
pub struct Names {
    side: &'static CStr,
    op: &'static CStr,
}

impl Names {
    /// Makes one of two strings that end with a NUL.
    pub const fn new(side: &'static str, op: &'static str) -> Self {
        match (
            CStr::from_bytes_with_nul(side.as_bytes()),
            CStr::from_bytes_with_nul(op.as_bytes()),
        ) {
            (Ok(side), Ok(op)) => Self { side, op },
            _ => panic!("a name without a NUL"),
        }
    }

    fn hit(&self, step: Step, status: c_int) {
        let (side, op) = (self.side.as_char_ptr(), self.op.as_char_ptr());
        // SAFETY: All are strings that live for the duration of the call.
        unsafe { abi::d2d_point_op(module_name().as_char_ptr(), step as u32, side, op, status) };
    }
}

/// Hits the tracepoint of a call of an operation, in the name of this module. Any context but NMI.
#[cold]
#[inline(never)]
pub fn call(names: &Names) {
    names.hit(Step::OpCall, 0);
}

/// Hits the tracepoint of its return. Any context but NMI.
#[cold]
#[inline(never)]
pub fn returned(names: &Names, status: c_int) {
    names.hit(Step::OpReturn, status);
}
