// SPDX-License-Identifier: GPL-2.0

//! The trace: one dmesg line for each step, in a fixed vocabulary.
//!
//! `d2d_trace` makes the line and the tracepoint from a [`StepRecord`]. `shared/include/d2d_step.h` lists the steps
//! and their fields.

use crate::{
    abi,
    safe_calls, //
};
use core::{
    marker::PhantomData,
    ops::RangeInclusive, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        ordering::Relaxed,
        Atomic, //
    },
    task::Task, //
};

pub use abi::{
    d2d_key as Key,
    d2d_step as Step, //
};

/// The value of a field: a number or a text.
pub struct Value<'a> {
    value: u64,
    length: u32,
    _text: PhantomData<&'a [u8]>,
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        #[allow(clippy::cast_lossless, reason = "the same for all of them")]
        impl From<$number> for Value<'_> {
            fn from(number: $number) -> Self {
                Self {
                    value: number as u64,
                    length: abi::D2D_IS_NUMBER,
                    _text: PhantomData,
                }
            }
        }
    )*};
}

numbers!(bool, i32, u8, u32, u64, usize);

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::text(text.as_bytes())
    }
}

impl<'a> From<&'a CStr> for Value<'a> {
    fn from(text: &'a CStr) -> Self {
        Self::text(text.to_bytes())
    }
}

impl<'a> Value<'a> {
    fn text(text: &'a [u8]) -> Self {
        Self {
            value: text.as_ptr().expose_provenance() as u64,
            // Without the limit, the length of a text of 4 GB would be `D2D_IS_NUMBER`.
            length: text.len().min(abi::D2D_DETAIL_SIZE as usize) as u32,
            _text: PhantomData,
        }
    }
}

/// A field of a step.
#[derive(Clone, Copy)]
pub struct Field<'a>(abi::d2d_field, PhantomData<&'a [u8]>);

impl<'a> Field<'a> {
    /// Makes the field `key` with a number or a text.
    pub fn new(key: Key, value: impl Into<Value<'a>>) -> Self {
        let Value { value, length, .. } = value.into();
        let field = abi::d2d_field {
            value,
            key: key as u32,
            length,
        };
        Self(field, PhantomData)
    }
}

/// Makes an array of [`Field`]s: `fields![to: name, ctx: 0]`. `shared/include/d2d_step.h` lists their names.
#[macro_export]
macro_rules! fields {
    ($($key:ident: $value:expr),* $(,)?) => {
        [$($crate::trace::Field::new(
            $crate::__private::paste!($crate::trace::Key::[<D2D_FIELD_ $key:upper>]),
            $value,
        )),*]
    };
}

/// A step with its fields.
#[derive(Clone, Copy)]
pub struct StepRecord<'a>(abi::d2d_record, PhantomData<&'a [u8]>);

impl<'a> StepRecord<'a> {
    /// Makes the record of a step in the name of `driver`.
    pub fn new(driver: &'a CStr, step: Step) -> Self {
        let name = driver.to_bytes();
        let record = abi::d2d_record {
            driver: driver.as_char_ptr(),
            driver_length: name.len() as u32,
            step: step as u32,
            flags: 0,
            reserved: 0,
            fields: [abi::d2d_field {
                value: 0,
                key: Key::D2D_FIELD_END as u32,
                length: 0,
            }; abi::D2D_RECORD_FIELDS as usize],
        };
        Self(record, PhantomData)
    }

    /// Adds fields, up to `D2D_RECORD_FIELDS` in all.
    #[must_use]
    pub fn with(mut self, fields: &[Field<'a>]) -> Self {
        self.add(fields);
        self
    }

    fn add(&mut self, fields: &[Field<'a>]) {
        let end = Key::D2D_FIELD_END as u32;
        let free = self.0.fields.iter_mut().filter(|field| field.key == end);
        free.zip(fields).for_each(|(to, from)| *to = from.0);
    }

    /// Prints the step's line and hits its tracepoint. Any context.
    pub fn emit(&self) {
        safe_calls::d2d_trace(&self.0);
    }

    /// As [`emit`](Self::emit) for a hot step: prints its line only if the owner prints the hot steps of its group.
    /// Any context.
    pub fn hit(mut self) {
        self.0.flags |= abi::D2D_RECORD_HOT;
        self.emit();
    }
}

/// Takes a step. The arguments are the driver's name, the name of a [`Step`], and [fields](fields!). Any context.
///
/// ```ignore
/// step!(driver.name(), enqueue, queue: "to_owner", n: 4);
/// ```
#[macro_export]
macro_rules! step {
    ($driver:expr, $step:ident $(, $($field:tt)+)?) => {
        $crate::trace::emit(
            $driver,
            $crate::__private::paste!($crate::trace::Step::[<D2D_STEP_ $step:upper>]),
            &$crate::fields![$($($field)+)?],
        )
    };
}

/// As [`step!`], in the name of the calling module.
#[macro_export]
#[expect(clippy::crate_in_macro_def)]
macro_rules! trace {
    ($($step:tt)+) => {
        $crate::step!(
            <crate::LocalModule as $crate::__private::ModuleMetadata>::NAME,
            $($step)+
        )
    };
}

/// As [`trace::refuse()`](crate::trace::refuse()), with [fields](fields!).
#[macro_export]
macro_rules! refuse {
    ($driver:expr, $reason:expr, $error:expr $(, $($field:tt)+)?) => {
        $crate::trace::refuse($driver, $reason, $error, &$crate::fields![$($($field)+)?])
    };
}

/// Takes a step in the name of `driver`. Any context.
#[inline(never)]
pub fn emit(driver: &CStr, step: Step, fields: &[Field<'_>]) {
    let mut record = StepRecord::new(driver, step);
    record.add(fields);
    record.emit();
}

/// Takes the step `unload` when it is dropped.
#[doc(hidden)]
pub struct LastLine(pub &'static CStr);

impl Drop for LastLine {
    fn drop(&mut self) {
        step!(self.0, unload);
    }
}

/// Prints the line of a refusal in the name of `driver` and returns the error. Any context.
#[cold]
#[inline(never)]
pub fn refuse(driver: &CStr, reason: &str, error: Error, fields: &[Field<'_>]) -> Error {
    StepRecord::new(driver, Step::D2D_STEP_REFUSE)
        .with(&fields![reason: reason, errno: error.to_errno()])
        .with(fields)
        .emit();
    error
}

#[allow(improper_ctypes, reason = "it is one word")]
unsafe extern "C" {
    /// The address of a task whose last call of an owner returned `ENOMEM`, or 0. The owner has printed a line for this
    /// error. The address is only compared. Defined in `module.c`.
    safe static d2d_reported_task: Atomic<usize>;
}

/// Notes whether the calling task's call of the owner has returned `ENOMEM`: then the owner has printed a line, and
/// [`report_memory`] prints no second one. Returns `result`. Any context.
#[inline(never)]
pub(crate) fn note_if_out_of_memory(result: Result) -> Result {
    let task = Task::current_raw() as usize;
    match result {
        Err(ENOMEM) => d2d_reported_task.store(task, Relaxed),
        _ => {
            // Each call of the owner gets here, so write only if there is a note of this task. If the
            // exchange fails, another task has replaced the note.
            if d2d_reported_task.load(Relaxed) == task {
                let _ = d2d_reported_task.cmpxchg(task, 0, Relaxed);
            }
        }
    }
    result
}

/// If the error is `ENOMEM`, prints the line of a failed allocation, unless the owner has just printed one for the
/// same failure. Returns the error. Any context.
#[cold]
#[inline(never)]
pub fn report_memory(driver: &CStr, error: Error) -> Error {
    let task = Task::current_raw() as usize;
    if error == ENOMEM && d2d_reported_task.cmpxchg(task, 0, Relaxed).is_err() {
        refuse!(driver, "out-of-memory", error);
    }
    error
}

/// Checks a module parameter, or another number that user space has set. Returns it. Any context.
///
/// # Errors
///
/// `ERANGE`, with a line, if the value is not in `range`.
#[inline(never)]
pub fn check_parameter(
    driver: &CStr,
    name: &str,
    value: u32,
    range: RangeInclusive<u32>,
) -> Result<u32> {
    if range.contains(&value) {
        return Ok(value);
    }
    let (min, max) = (*range.start(), *range.end());
    Err(refuse!(
        driver, "parameter-out-of-range", ERANGE, param: name, value: value, min: min, max: max
    ))
}
