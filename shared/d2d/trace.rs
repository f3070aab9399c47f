// SPDX-License-Identifier: GPL-2.0

//! The trace: one dmesg line for each step, in a fixed vocabulary.
//!
//! ```text
//! module_a: d2d: seq=12 load=8231 in=task step=call-driver to=module_b code=0x00222003 ctx=c0
//! ```
//!
//! The line is made by the owner's `d2d_trace`, which counts `seq` for all drivers, and hits the
//! step's tracepoint. What happens too often for a line hits it through [`point`](crate::point).

use crate::abi;
use core::ops::RangeInclusive;
use kernel::{
    fmt,
    prelude::*,
    str::Formatter,
    sync::atomic::{
        ordering::Relaxed,
        Atomic, //
    },
    task::Task, //
};

macro_rules! steps {
    ($($(#[$doc:meta])* $step:ident = $raw:ident, $name:literal;)*) => {
        /// A step of the vocabulary, shared with the Windows version of the pair.
        #[derive(Clone, Copy, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Step {
            $($(#[$doc])* $step = abi::$raw,)*
        }

        impl Step {
            /// Returns the step with this number, if there is one.
            pub fn from_raw(raw: u32) -> Option<Self> {
                match raw {
                    $(abi::$raw => Some(Self::$step),)*
                    _ => None,
                }
            }

            /// Returns the name as it stands in the trace.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$step => $name,)*
                }
            }
        }

        const _: () = assert!([$($name),*].len() == abi::D2D_STEP_COUNT as usize);
    };
}

steps! {
    /// A driver's initialization begins.
    Load = D2D_STEP_LOAD, "load";
    /// A context is allocated.
    Alloc = D2D_STEP_ALLOC, "alloc";
    /// A lock of a context is initialized.
    InitLock = D2D_STEP_INIT_LOCK, "init-lock";
    /// A queue of a context is initialized.
    InitQueue = D2D_STEP_INIT_QUEUE, "init-queue";
    /// The owner's entry points are ready to be called.
    Export = D2D_STEP_EXPORT, "export";
    /// A driver object is registered.
    Register = D2D_STEP_REGISTER, "register";
    /// The owner looks a driver up.
    Lookup = D2D_STEP_LOOKUP, "lookup";
    /// A request is built.
    BuildRequest = D2D_STEP_BUILD_REQUEST, "build-request";
    /// A request is sent to a driver.
    CallDriver = D2D_STEP_CALL_DRIVER, "call-driver";
    /// A dispatch routine receives a request.
    Dispatch = D2D_STEP_DISPATCH, "dispatch";
    /// The peer saves the context's address.
    Adopt = D2D_STEP_ADOPT, "adopt";
    /// The peer fills in its functions and data.
    Fill = D2D_STEP_FILL, "fill";
    /// A driver completes a request.
    Complete = D2D_STEP_COMPLETE, "complete";
    /// The sender learns of the completion.
    Completion = D2D_STEP_COMPLETION, "completion";
    /// Both sides may use the context from here on.
    Attached = D2D_STEP_ATTACHED, "attached";
    /// Items are put on a queue.
    Enqueue = D2D_STEP_ENQUEUE, "enqueue";
    /// Items are taken from a queue.
    Dequeue = D2D_STEP_DEQUEUE, "dequeue";
    /// Items left on a queue are released with it.
    Drain = D2D_STEP_DRAIN, "drain";
    /// A doorbell is rung.
    Doorbell = D2D_STEP_DOORBELL, "doorbell";
    /// An operation of the other side is called.
    OpCall = D2D_STEP_OP_CALL, "op-call";
    /// The operation has returned.
    OpReturn = D2D_STEP_OP_RETURN, "op-return";
    /// A named event is created.
    EventCreate = D2D_STEP_EVENT_CREATE, "event-create";
    /// A named event is opened.
    EventOpen = D2D_STEP_EVENT_OPEN, "event-open";
    /// A named event is set.
    EventSet = D2D_STEP_EVENT_SET, "event-set";
    /// A named event is waited for.
    EventWait = D2D_STEP_EVENT_WAIT, "event-wait";
    /// A driver leaves a request pending.
    Pend = D2D_STEP_PEND, "pend";
    /// A pending request is taken back.
    Cancel = D2D_STEP_CANCEL, "cancel";
    /// Detaching begins: new calls are refused.
    Detach = D2D_STEP_DETACH, "detach";
    /// The last call into the detaching driver has returned.
    Rundown = D2D_STEP_RUNDOWN, "rundown";
    /// A driver object is removed.
    Unregister = D2D_STEP_UNREGISTER, "unregister";
    /// A context is freed.
    Free = D2D_STEP_FREE, "free";
    /// A driver's exit is done.
    Unload = D2D_STEP_UNLOAD, "unload";
    /// Something is refused, with the reason.
    Refuse = D2D_STEP_REFUSE, "refuse";
}

/// Prints a trace line in the name of the calling module.
///
/// Takes the name of a [`Step`] and, optionally, a format string with arguments for the fields that
/// follow. Any context.
///
/// ```ignore
/// trace!(Enqueue, "queue=to_owner n={}", 4);
/// ```
#[macro_export]
#[expect(clippy::crate_in_macro_def)]
macro_rules! trace {
    ($step:ident) => { $crate::trace!($step, "") };
    ($step:ident, $($arg:tt)+) => {
        match $crate::__private::fmt!($($arg)+) {
            args => $crate::trace::emit(
                <crate::LocalModule as $crate::__private::ModuleMetadata>::NAME,
                $crate::trace::Step::$step,
                args,
            ),
        }
    };
}

/// Prints a trace line in the name of `driver`. Any context.
///
/// `detail` is cut off after `D2D_DETAIL_SIZE - 1` bytes.
pub fn emit(driver: &CStr, step: Step, detail: fmt::Arguments<'_>) {
    with_text(detail, |text| {
        // SAFETY: Both are strings that live for the duration of the call.
        unsafe { abi::d2d_trace(driver.as_char_ptr(), step as u32, text.as_char_ptr()) };
    });
}

/// Hands `f` the detail as a string. Any context.
#[doc(hidden)]
pub fn with_text(detail: fmt::Arguments<'_>, f: impl FnOnce(&CStr)) {
    let mut buffer = [0u8; abi::D2D_DETAIL_SIZE as usize];
    let text = buffer.len() - 1;
    // A detail that does not fit is cut off; the rest of the line is still worth having.
    let _ = fmt::Write::write_fmt(&mut Formatter::new(&mut buffer[..text]), detail);
    // The buffer's last byte is never written.
    f(CStr::from_bytes_until_nul(&buffer).unwrap_or(c""));
}

/// Prints the line of a refusal in the name of `driver` and returns the error. Any context.
pub fn refuse(driver: &CStr, reason: &str, error: Error, detail: fmt::Arguments<'_>) -> Error {
    emit(
        driver,
        Step::Refuse,
        fmt!("reason={} errno={} {}", reason, error.to_errno(), detail),
    );
    error
}

/// The task whose last call of the owner has failed for lack of memory, of which the owner has printed
/// the line; only compared.
static OWNER_HAS_SAID: Atomic<usize> = Atomic::new(0);

/// Notes whether a call of the owner has failed for lack of memory.
pub(crate) fn said_by_owner(result: Result) -> Result {
    let task = Task::current_raw() as usize;
    match result {
        Err(ENOMEM) => OWNER_HAS_SAID.store(task, Relaxed),
        _ => {
            // Whatever else was there is another task's.
            let _ = OWNER_HAS_SAID.cmpxchg(task, 0, Relaxed);
        }
    }
    result
}

/// Prints the line of an allocation that failed, if that is what the error says and the owner has not
/// just printed it, and returns the error.
pub fn report_memory(driver: &CStr, error: Error) -> Error {
    let task = Task::current_raw() as usize;
    if error == ENOMEM && OWNER_HAS_SAID.cmpxchg(task, 0, Relaxed).is_err() {
        refuse(driver, "out-of-memory", error, fmt!(""));
    }
    error
}

/// Refuses a module parameter that is out of range with `ERANGE`.
pub fn check_parameter(
    driver: &CStr,
    name: &str,
    value: u32,
    range: RangeInclusive<u32>,
) -> Result<u32> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(refuse(
        driver,
        "parameter-out-of-range",
        ERANGE,
        fmt!(
            "param={} value={} min={} max={}",
            name,
            value,
            range.start(),
            range.end()
        ),
    ))
}
