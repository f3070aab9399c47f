// SPDX-License-Identifier: GPL-2.0

//! The harness, and loops in Rust which it measures as those in C.
//!
//! C header: `harness.h`.

use bench::BenchPair;
use d2d::context::Context;
use kernel::{
    error::to_result,
    ffi::{
        c_char,
        c_int,
        c_void, //
    },
    prelude::*, //
};

type RawLoop = unsafe extern "C" fn(*mut c_void, u64) -> c_int;

/// C type: `struct d2d_bench_contender`.
#[repr(C)]
struct RawContender {
    name: *const c_char,
    base: *const c_char,
    calls: *const c_char,
    run: RawLoop,
    other: Option<RawLoop>,
    arg: *mut c_void,
}

unsafe extern "C" {
    fn d2d_bench_run(contender: *const RawContender) -> c_int;
    safe fn d2d_bench_calibrate() -> c_int;
    safe fn d2d_bench_mechanisms() -> c_int;
    // An address, as the kernel's locks are no types for a function in C where they are empty.
    fn d2d_bench_queue(context: *mut c_void) -> c_int;
}

/// Measures an empty loop, of which it is known how many instructions it has. May sleep.
pub(crate) fn calibrate() -> Result {
    to_result(d2d_bench_calibrate())
}

/// Measures what the kernel has. May sleep.
pub(crate) fn mechanisms() -> Result {
    to_result(d2d_bench_mechanisms())
}

/// Measures the queue to the owner as a driver in C uses it. May sleep.
pub(crate) fn queue_in_c(context: &Context<BenchPair>) -> Result {
    // SAFETY: The context is an initialized one, and lives longer than the call.
    to_result(unsafe { d2d_bench_queue(context.as_raw().cast()) })
}

/// One way of doing something; the fields are those of `struct d2d_bench_contender`.
pub(crate) struct Contender {
    pub(crate) name: &'static CStr,
    pub(crate) base: &'static CStr,
    pub(crate) calls: &'static CStr,
}

/// What does so many operations.
pub(crate) trait Loop: Fn(u64) -> Result + Sync {}

impl<F: Fn(u64) -> Result + Sync> Loop for F {}

impl Contender {
    /// Measures `run`, which does as many operations as it is told, and prints the figures. May
    /// sleep.
    pub(crate) fn run<F: Loop>(self, run: F) -> Result {
        // SAFETY: There is no other thread.
        unsafe { self.measure(&(run, ()), None) }
    }

    /// Measures `run` while another thread does `other`, which ends when `run` does. May sleep.
    pub(crate) fn run_pair<F: Loop, G: Loop>(self, run: F, other: G) -> Result {
        // SAFETY: That is what it is made for.
        unsafe { self.measure(&(run, other), Some(second::<F, G>)) }
    }

    /// # Safety
    ///
    /// `other` may be called with the address of `loops`.
    unsafe fn measure<F: Loop, G: Sync>(self, loops: &(F, G), other: Option<RawLoop>) -> Result {
        let raw = RawContender {
            name: self.name.as_char_ptr(),
            base: self.base.as_char_ptr(),
            calls: self.calls.as_char_ptr(),
            run: first::<F, G>,
            other,
            arg: core::ptr::from_ref(loops).cast_mut().cast(),
        };
        // SAFETY: The strings are static; the functions are made for the closures, by the
        // requirements, which can be shared with the harness's threads and outlive them.
        to_result(unsafe { d2d_bench_run(&raw) })
    }
}

/// # Safety
///
/// `arg` points to loops that outlive the call.
unsafe extern "C" fn first<F: Loop, G>(arg: *mut c_void, n: u64) -> c_int {
    // SAFETY: By the requirements.
    let (run, _) = unsafe { &*arg.cast::<(F, G)>() };
    to_errno(run(n))
}

/// # Safety
///
/// As above.
unsafe extern "C" fn second<F, G: Loop>(arg: *mut c_void, n: u64) -> c_int {
    // SAFETY: By the requirements.
    let (_, run) = unsafe { &*arg.cast::<(F, G)>() };
    to_errno(run(n))
}

fn to_errno(result: Result) -> c_int {
    result.map_or_else(Error::to_errno, |()| 0)
}
