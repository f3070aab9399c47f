// SPDX-License-Identifier: GPL-2.0

//! The hot steps, which are too frequent to be always traced.
//!
//! Each module has a static key for each group of hot steps. While a driver of the module is
//! registered, the owner switches on a group's key if a tracepoint of the group is on, or if the
//! owner prints the group's steps. A step whose key is off costs one static branch.
//! `D2D_NO_TRACEPOINTS` of Kbuild leaves the branch out; the bench uses this to measure the branch.
//!
//! C header: `shared/include/d2d_hot_step.h`.

use crate::{
    abi,
    fields,
    trace::{
        Step,
        StepRecord, //
    }, //
};
use core::cell::UnsafeCell;
use kernel::{
    bindings,
    ffi::c_int,
    prelude::*, //
};

macro_rules! groups {
    ($($(#[$doc:meta])* $vis:vis fn $function:ident($group:ident);)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        $vis fn $function() -> bool {
            #[cfg(all(
                CONFIG_JUMP_LABEL,
                not(d2d_lacks_static_branch),
                not(d2d_no_tracepoints)
            ))]
            // SAFETY: The field is an initialized static key, which C code defines.
            unsafe {
                kernel::jump_label::static_branch_unlikely!(
                    abi::d2d_own_hot_keys,
                    abi::d2d_hot_keys,
                    $group
                )
            }
            // Without jump labels, the kernel crate's macro calls a function. With jump labels, the
            // macro uses a source file that the kernel's build generates; a distribution may lack it.
            #[cfg(all(
                any(not(CONFIG_JUMP_LABEL), d2d_lacks_static_branch),
                not(d2d_no_tracepoints)
            ))]
            // SAFETY: The field is an initialized static key, which C code defines. This is a
            // relaxed load of its atomic count.
            unsafe {
                (&raw const abi::d2d_own_hot_keys.$group.key.enabled.counter).read_volatile() > 0
            }
            #[cfg(d2d_no_tracepoints)]
            false
        }
    )*};
}

groups! {
    /// Whether `enqueue`, `dequeue` and `doorbell` are traced.
    pub fn traces_queues(queues);
    /// Whether `op_call` and `op_return` are traced.
    pub fn traces_ops(ops);
    /// Whether the library traces the steps of a request whose sender does not ask for lines.
    pub fn traces_requests(requests);
    /// Whether `event_set` and `event_wait` are traced.
    pub fn traces_events(events);
}

pub(crate) fn keys() -> *mut abi::d2d_hot_keys {
    &raw mut abi::d2d_own_hot_keys
}

/// A `struct module`, of which this crate reads only the name.
#[repr(transparent)]
struct Module(UnsafeCell<bindings::module>);

// SAFETY: Only the name is read, which never changes.
unsafe impl Sync for Module {}

#[allow(
    improper_ctypes,
    reason = "some fields of `module` are empty in some configurations"
)]
extern "C" {
    /// The module that this crate is linked into.
    static __this_module: Module;
}

fn module_name() -> &'static CStr {
    // SAFETY: The name is a string that never changes, and the module outlives its code.
    unsafe { CStr::from_char_ptr((&raw const (*__this_module.0.get()).name).cast()) }
}

/// Traces `step`: `n` items are put or taken, or the doorbell is rung. Any context but NMI.
///
/// # Safety
///
/// The queue is initialized, and its lock is held.
#[cold]
#[inline(never)]
pub(crate) unsafe fn queue(queue: *const abi::d2d_queue, step: Step, n: u32) {
    // SAFETY: The caller promises that the queue is initialized, and holds the lock, which protects
    // the fields. `id` never changes.
    let (id, depth, doorbell) = unsafe {
        let depth = (*queue).put.wrapping_sub((*queue).taken) as u32;
        ((*queue).id, depth, (*queue).doorbell)
    };
    // `id` is twice the number of the context, plus 1 for the queue to the owner.
    let name = ["to_peer", "to_owner"][id as usize % 2];
    let record = StepRecord::new(module_name(), step).with(&fields![queue: name, ctx: id / 2]);
    match step {
        Step::D2D_STEP_DOORBELL => record.with(&fields![handle: doorbell]),
        _ => record.with(&fields![n: n, depth: depth]),
    }
    .hit();
}

/// Traces a call of an operation of `side`. Any context but NMI.
#[cold]
#[inline(never)]
pub fn call(side: &str, op: &str) {
    StepRecord::new(module_name(), Step::D2D_STEP_OP_CALL)
        .with(&fields![to: side, op: op])
        .hit();
}

/// Traces the return from an operation of `side`. Any context but NMI.
#[cold]
#[inline(never)]
pub fn returned(side: &str, op: &str, status: c_int) {
    StepRecord::new(module_name(), Step::D2D_STEP_OP_RETURN)
        .with(&fields![from: side, op: op, status: status])
        .hit();
}
