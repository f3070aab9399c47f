// SPDX-License-Identifier: GPL-2.0

//! Measures loops in Rust. A function that measures may sleep.
//!
//! C header: `measure.h`.

use bench::BenchPair;
use d2d::context::Context;
use kernel::{
    error::to_result,
    ffi::{
        c_char,
        c_int,
        c_uint,
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
    callee: *const c_char,
    run: RawLoop,
    other: Option<RawLoop>,
    arg: *mut c_void,
    axis: *const c_char,
    value: u64,
    flags: c_uint,
}

// `D2D_BENCH_HARDIRQ`, `D2D_BENCH_SPINS` and `D2D_BENCH_PRODUCERS`.
const HARDIRQ: c_uint = 1;
const SPINS: c_uint = 2;
const PRODUCERS: c_uint = 4;

unsafe extern "C" {
    fn d2d_bench_run(contender: *const RawContender) -> c_int;
    safe fn d2d_bench_calibrate() -> c_int;
    safe fn d2d_bench_mechanisms() -> c_int;
    // A `c_void`, because the context's own type makes rustc warn on a kernel whose locks are empty structs.
    fn d2d_bench_queue(context: *mut c_void) -> c_int;
    fn d2d_bench_crowd(context: *const c_void, size: u32) -> c_int;
    fn d2d_bench_attach_detach(context: *const c_void) -> c_int;
}

pub(crate) fn calibrate() -> Result {
    to_result(d2d_bench_calibrate())
}

pub(crate) fn mechanisms() -> Result {
    to_result(d2d_bench_mechanisms())
}

pub(crate) fn queue_in_c(context: &Context<BenchPair>) -> Result {
    // SAFETY: The context is initialized, and lives longer than the call.
    to_result(unsafe { d2d_bench_queue(context.as_raw().cast()) })
}

/// Attaches or detaches drivers until `size` drivers have a context, not counting `bench_peer`.
pub(crate) fn crowd(context: &Context<BenchPair>, size: u32) -> Result {
    // SAFETY: The context is initialized and has both endpoints. The only caller, `contexts()` in `bench_peer.rs`,
    // detaches the drivers while the context lives.
    to_result(unsafe { d2d_bench_crowd(context.as_raw().cast_const().cast(), size) })
}

pub(crate) fn attach_detach(context: &Context<BenchPair>) -> Result {
    // SAFETY: The context is initialized, has both endpoints, and lives longer than the call.
    to_result(unsafe { d2d_bench_attach_detach(context.as_raw().cast_const().cast()) })
}

/// See `struct d2d_bench_contender` (`measure.h`).
#[derive(Clone, Copy)]
pub(crate) struct Contender {
    name: &'static CStr,
    base: &'static CStr,
    callee: &'static CStr,
    at: Option<(&'static CStr, u64)>,
    flags: c_uint,
}

/// A loop that does the given number of operations.
pub(crate) trait Loop<T = ()>: Fn(u64) -> Result<T> + Sync {}

impl<T, F: Fn(u64) -> Result<T> + Sync> Loop<T> for F {}

impl Contender {
    pub(crate) const fn new(
        name: &'static CStr,
        base: &'static CStr,
        callee: &'static CStr,
    ) -> Self {
        Self {
            name,
            base,
            callee,
            at: None,
            flags: 0,
        }
    }

    /// Makes the contender the point `value` on the curve `axis`.
    pub(crate) const fn at(self, axis: &'static CStr, value: u64) -> Self {
        Self {
            at: Some((axis, value)),
            ..self
        }
    }

    pub(crate) fn run<F: Loop>(self, run: F) -> Result {
        // SAFETY: `other` is `None`.
        unsafe { self.measure(&(run, ()), None) }
    }

    pub(crate) fn run_in_hardirq<F: Loop>(mut self, run: F) -> Result {
        self.flags = HARDIRQ;
        self.run(run)
    }

    /// Measures `run` while another thread runs `other`. When `run` ends, `other` must end, too.
    pub(crate) fn run_pair<F: Loop, G: Loop>(self, run: F, other: G) -> Result {
        // SAFETY: `call_other::<F, G>` takes the address of an `(F, G)`.
        unsafe { self.measure(&(run, other), Some(call_other::<F, G>)) }
    }

    /// As [`Self::run_pair`], but both loops spin while they wait. Does nothing on a machine with one CPU.
    pub(crate) fn run_spinning<F: Loop, G: Loop>(mut self, run: F, other: G) -> Result {
        self.flags = SPINS;
        self.run_pair(run, other)
    }

    /// Measures `run`, which takes items. Until `run` returns, `producers` threads call `put` again and again. `put`
    /// puts up to the given number of items, and returns how many fitted. Does nothing on a machine with one CPU.
    pub(crate) fn run_producers<F: Loop, G: Loop<usize>>(
        self,
        producers: u64,
        run: F,
        put: G,
    ) -> Result {
        let mut this = self.at(c"producers", producers);
        this.flags = PRODUCERS;
        // SAFETY: `call_put::<F, G>` takes the address of an `(F, G)`.
        unsafe { this.measure(&(run, put), Some(call_put::<F, G>)) }
    }

    /// # Safety
    ///
    /// `other` may be called with the address of `loops`.
    unsafe fn measure<F: Loop, G: Sync>(self, loops: &(F, G), other: Option<RawLoop>) -> Result {
        let (axis, value) = self.at.unzip();
        let raw = RawContender {
            name: self.name.as_char_ptr(),
            base: self.base.as_char_ptr(),
            callee: self.callee.as_char_ptr(),
            run: call_run::<F, G>,
            other,
            arg: core::ptr::from_ref(loops).cast_mut().cast(),
            axis: axis.map_or(core::ptr::null(), |axis| axis.as_char_ptr()),
            value: value.unwrap_or(0),
            flags: self.flags,
        };
        // SAFETY: The strings are static. `call_run::<F, G>` takes an `(F, G)`, and `other` takes `loops`. Both
        // closures are `Sync`, and outlive the threads of `measure.c`: these end before this call returns.
        to_result(unsafe { d2d_bench_run(&raw) })
    }
}

/// Calls the measured loop.
///
/// # Safety
///
/// `arg` is the address of an `(F, G)` that outlives the call.
unsafe extern "C" fn call_run<F: Loop, G>(arg: *mut c_void, n: u64) -> c_int {
    // SAFETY: `measure()` passes its `loops`, an `(F, G)` that outlives the call.
    let (run, _) = unsafe { &*arg.cast::<(F, G)>() };
    to_errno(run(n))
}

/// Calls the loop of the other thread.
///
/// # Safety
///
/// `arg` is the address of an `(F, G)` that outlives the call.
unsafe extern "C" fn call_other<F, G: Loop>(arg: *mut c_void, n: u64) -> c_int {
    // SAFETY: `measure()` passes its `loops`, an `(F, G)` that outlives the call.
    let (_, run) = unsafe { &*arg.cast::<(F, G)>() };
    to_errno(run(n))
}

/// Calls a producer's loop. Returns how many items fitted.
///
/// # Safety
///
/// `arg` is the address of an `(F, G)` that outlives the call.
unsafe extern "C" fn call_put<F, G: Loop<usize>>(arg: *mut c_void, n: u64) -> c_int {
    // SAFETY: `measure()` passes its `loops`, an `(F, G)` that outlives the call.
    let (_, put) = unsafe { &*arg.cast::<(F, G)>() };
    // At most PUT_AT_ONCE (`measure.c`), so the count fits into a `c_int`.
    put(n).map_or_else(Error::to_errno, |count| count as c_int)
}

fn to_errno(result: Result) -> c_int {
    result.map_or_else(Error::to_errno, |()| 0)
}
