// SPDX-License-Identifier: GPL-2.0

//! Prints the trace line of a step and hits its tracepoint, for all drivers.
//!
//! The line and the tracepoint have the same text, which [`emit`] formats on the stack. It neither
//! allocates nor takes a lock of the library.

use crate::{
    kernel_calls::ktime_get_boot_fast_ns,
    probe, //
};
use d2d::{
    abi,
    trace::Step, //
};
use kernel::{
    bindings,
    ffi::{
        c_char,
        c_uint,
        c_void, //
    },
    prelude::*,
    sync::{
        atomic::{
            ordering::Relaxed,
            Atomic, //
        },
        SetOnce, //
    }, //
};

/// A step or a field. C type: `struct d2d_trace_name`.
#[repr(C)]
struct TraceName {
    text: *const u8,
    length: u32,
    /// The form of a field's number.
    form: u32,
    /// Not 0 if [`print_hot_steps`] turns on the lines of this step's group.
    prints: u32,
}

const STEPS: usize = Step::D2D_STEP_COUNT as usize;
const FIELDS: usize = abi::d2d_key::D2D_FIELD_COUNT as usize;

unsafe extern "C" {
    /// Defined in `irq_context.c`.
    safe fn d2d_irq_context() -> c_uint;
    safe fn d2d_may_sleep() -> c_uint;
    /// Defined in `tracepoints.c`.
    safe fn d2d_lines_on();
    safe fn d2d_is_on(step: u32) -> bool;
    fn d2d_hit(
        record: *const abi::d2d_record,
        seq: u64,
        load: u64,
        place: *const c_char,
        detail: *const c_char,
    );
    /// Defined in `trace_names.c`.
    safe static d2d_step_names: [TraceName; STEPS];
    safe static d2d_field_names: [TraceName; FIELDS];
}

// SAFETY: A `TraceName` and its text never change.
unsafe impl Sync for TraceName {}

impl TraceName {
    /// A field that the owner's headers do not have, because those of the driver are newer.
    const UNKNOWN: Self = Self {
        text: core::ptr::null(),
        length: 0,
        form: abi::D2D_FORM_NUMBER,
        prints: 0,
    };

    fn text(&self) -> &'static [u8] {
        if self.text.is_null() {
            return b"?";
        }
        // SAFETY: Except for `UNKNOWN`, the text is a string constant of `trace_names.c` with this
        // length.
        unsafe { core::slice::from_raw_parts(self.text, self.length as usize) }
    }
}

/// The names of the execution contexts, by the numbers that [`d2d_irq_context`] returns.
const IN: [&CStr; 3] = [c"task", c"softirq", c"hardirq"];

/// How many lines were printed so far, for all drivers.
static SEQ: Atomic<u64> = Atomic::new(0);

/// Milliseconds from boot to the owner's first line. This number tells loads of the owner apart.
static LOAD: SetOnce<u64> = SetOnce::new();

/// Whether [`print_hot_steps`] was called.
static HOT_LINES: Atomic<bool> = Atomic::new(false);

/// Makes the owner print lines for the hot steps of queues and of calls. May sleep.
pub(crate) fn print_hot_steps() {
    HOT_LINES.store(true, Relaxed);
    d2d_lines_on();
}

/// Returns whether the caller may sleep, as far as the kernel knows. Any context.
#[inline(always)]
pub(crate) fn may_sleep() -> bool {
    d2d_may_sleep() != 0
}

/// Returns [`LOAD`]. Any context.
pub(crate) fn load() -> u64 {
    let now = || ktime_get_boot_fast_ns() / 1_000_000;
    LOAD.copy().unwrap_or_else(|| {
        // No other thread writes `LOAD`: the owner prints its first line while its module is being
        // loaded, before another driver can call this function.
        LOAD.populate(now());
        LOAD.copy().unwrap_or(0)
    })
}

fn place() -> &'static CStr {
    IN.get(d2d_irq_context() as usize).unwrap_or(&c"?")
}

/// A text of at most `N - 1` bytes. What does not fit is cut off.
///
/// # Invariants
///
/// `length` is less than `N`. The bytes from index `length` on are 0.
pub(crate) struct Text<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Text<N> {
    fn new() -> Self {
        Self {
            bytes: [0; N],
            length: 0,
        }
    }

    /// Without the NUL.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// ASCII, without the NUL.
    pub(crate) fn as_str(&self) -> &str {
        core::str::from_utf8(self.bytes()).unwrap_or("?")
    }

    /// The unused bytes, except for the one that the NUL needs.
    fn room(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.length..N - 1).unwrap_or_default()
    }

    fn push(&mut self, text: &[u8]) {
        let room = self.room();
        let length = text.len().min(room.len());
        if let (Some(to), Some(from)) = (room.get_mut(..length), text.get(..length)) {
            to.copy_from_slice(from);
            self.length += length;
        }
    }

    fn push_byte(&mut self, byte: u8) {
        if let Some(to) = self.room().first_mut() {
            *to = byte;
            self.length += 1;
        }
    }

    /// Appends a number in base 10 or 16, with at least `least` digits.
    ///
    /// Attaching and detaching print lines, and would take 11.6 % more instructions with `fmt!()`.
    fn push_number(&mut self, mut number: u64, base: u64, least: usize) {
        let mut digits = [b'0'; 20];
        let mut first = digits.len();
        while let Some(digit) = first.checked_sub(1).and_then(|at| digits.get_mut(at)) {
            *digit = b"0123456789abcdef"[(number % base) as usize % 16];
            first -= 1;
            number /= base;
            if number == 0 {
                break;
            }
        }
        let first = first.min(digits.len().saturating_sub(least));
        self.push(digits.get(first..).unwrap_or_default());
    }

    /// Appends a text from an address that may be bad. Each byte that is not a visible ASCII
    /// character becomes `?`. A text that cannot be read becomes a single `?`.
    fn copy(&mut self, from: *const u8, length: usize) {
        let room = self.room();
        let length = length.min(room.len());
        let Some(to) = room.get_mut(..length) else {
            return;
        };
        if probe::copy_bytes(to, from) {
            let hidden = to.iter_mut().filter(|byte| !byte.is_ascii_graphic());
            hidden.for_each(|byte| *byte = b'?');
            self.length += length;
        } else {
            to.fill(0);
            self.push(b"?");
        }
    }

    /// Appends a field's number in the form that `d2d_step.h` gives the field.
    fn push_field(&mut self, form: u32, value: u64) {
        let signed = value as i64;
        let (prefix, number, base, least) = match form {
            abi::D2D_FORM_SIGNED if signed < 0 => ("-", signed.unsigned_abs(), 10, 1),
            abi::D2D_FORM_HEX => ("0x", value, 16, 1),
            abi::D2D_FORM_HEX2 => ("0x", value, 16, 2),
            abi::D2D_FORM_HEX8 => ("0x", value, 16, 8),
            abi::D2D_FORM_CONTEXT => ("c", value, 10, 1),
            abi::D2D_FORM_REQUEST => ("r", value, 10, 1),
            _ => ("", value, 10, 1),
        };
        self.push(prefix.as_bytes());
        self.push_number(number, base, least);
    }
}

pub(crate) type Name = Text<64>;
/// The fields of a step, as `key=value`.
pub(crate) type Detail = Text<{ abi::D2D_DETAIL_SIZE as usize }>;
type Line = Text<{ 160 + abi::D2D_DETAIL_SIZE as usize }>;

pub(crate) struct Texts {
    pub(crate) driver: Name,
    pub(crate) detail: Detail,
}

impl Texts {
    pub(crate) fn new() -> Self {
        Self {
            driver: Name::new(),
            detail: Detail::new(),
        }
    }
}

/// Prints the step's line, and hits the step's tracepoint if it is on. A hot step has a line only if
/// [`print_hot_steps`] has turned on the lines of the step's group. Returns false if the step has no
/// line and its tracepoint is off. Otherwise writes the step's texts to `texts`, which are empty, and
/// replaces those of `record` by these copies. Any context.
///
/// # Errors
///
/// `EINVAL` if the owner does not know the step. `texts` have only the driver's name then.
pub(crate) fn emit(record: &mut abi::d2d_record, texts: &mut Texts) -> Result<bool> {
    let Texts { driver, detail } = texts;
    driver.copy(record.driver, record.driver_length as usize);
    let step = d2d_step_names.get(record.step as usize).ok_or(EINVAL)?;
    let has_line =
        record.flags & abi::D2D_RECORD_HOT == 0 || step.prints != 0 && HOT_LINES.load(Relaxed);
    let is_on = d2d_is_on(record.step);
    if !has_line && !is_on {
        return Ok(false);
    }
    for field in &mut record.fields {
        if field.key == abi::d2d_key::D2D_FIELD_END as u32 {
            break;
        }
        // An unknown field does not end the loop: the tracepoint looks at each field, and must find
        // copies only.
        let name = d2d_field_names.get(field.key as usize);
        let name = name.unwrap_or(&TraceName::UNKNOWN);
        if detail.length > 0 {
            detail.push_byte(b' ');
        }
        detail.push(name.text());
        detail.push_byte(b'=');
        if field.length == abi::D2D_IS_NUMBER {
            detail.push_field(name.form, field.value);
            continue;
        }
        let from = detail.length;
        let address = core::ptr::with_exposed_provenance(field.value as usize);
        detail.copy(address, field.length as usize);
        // The tracepoint reads the copy, not the driver's text.
        let text = detail.bytes().get(from..).unwrap_or_default();
        field.value = text.as_ptr().expose_provenance() as u64;
        field.length = text.len() as u32;
    }
    let (load, place) = (load(), place());
    let mut seq = 0;
    if has_line {
        seq = SEQ.fetch_add(1, Relaxed).wrapping_add(1);
        print(record.step, driver, step, (seq, load, place), detail);
    }
    if is_on {
        record.driver = driver.bytes.as_ptr().cast();
        // SAFETY: The step exists. The record's texts are in `driver` and `detail`, which live
        // during the call and end with a NUL.
        unsafe {
            d2d_hit(
                record,
                seq,
                load,
                place.as_char_ptr(),
                detail.bytes.as_ptr().cast(),
            )
        };
    }
    Ok(true)
}

/// `KERN_INFO`. `%pA` takes a `fmt::Arguments` with the whole line. `%s` would take longer: the
/// kernel formats each line twice, and copies a string for `%s` byte by byte.
const INFO: &CStr = c"\x016%pA";
/// `KERN_WARNING`.
const WARNING: &CStr = c"\x014%pA";

/// `number` is that of the step. `at` has the line's sequence number, the load, and the execution
/// context.
#[cfg_attr(not(CONFIG_PRINTK), allow(unused_variables))]
fn print(number: u32, driver: &Name, step: &TraceName, at: (u64, u64, &CStr), detail: &Detail) {
    let (seq, load, place) = at;
    let mut line = Line::new();
    line.push(driver.bytes());
    line.push(b": d2d: seq=");
    line.push_number(seq, 10, 1);
    line.push(b" load=");
    line.push_number(load, 10, 1);
    line.push(b" in=");
    line.push(place.to_bytes());
    line.push(b" step=");
    line.push(step.text());
    if detail.length > 0 {
        line.push_byte(b' ');
        line.push(detail.bytes());
    }
    line.push_byte(b'\n');
    let format = match number == Step::D2D_STEP_REFUSE as u32 {
        true => WARNING,
        false => INFO,
    };
    let text = line.as_str();
    #[cfg(CONFIG_PRINTK)]
    // SAFETY: The format has one conversion, `%pA`. Its argument lives during the call.
    unsafe {
        bindings::_printk(
            format.as_char_ptr(),
            core::ptr::from_ref(&fmt!("{}", text)).cast::<c_void>(),
        )
    };
}
