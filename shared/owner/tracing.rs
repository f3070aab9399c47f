// SPDX-License-Identifier: GPL-2.0

//! Whether and how the steps of a request are traced.

use d2d::{
    abi::D2D_SEND_TRACE,
    trace::{
        Field,
        Step,
        StepRecord, //
    }, //
};
use kernel::prelude::*;

/// The flags of a request that say how its steps are traced. Without a flag, they are not traced.
#[derive(Clone, Copy)]
pub(crate) struct Tracing(pub(crate) u32);

impl Tracing {
    /// By lines and tracepoints. A sender sets this flag.
    pub(crate) const LINE: u32 = D2D_SEND_TRACE;
    /// By tracepoints alone. No sender can set this flag.
    pub(crate) const TRACEPOINT: u32 = 1 << 31;

    pub(crate) fn is_on(self) -> bool {
        self.0 & (Self::LINE | Self::TRACEPOINT) != 0
    }

    /// Traces a step in the name of `driver`. Any context.
    pub(crate) fn emit(self, driver: &CStr, step: Step, fields: &[Field<'_>]) {
        self.emit_record(StepRecord::new(driver, step).with(fields));
    }

    /// Any context.
    pub(crate) fn emit_record(self, record: StepRecord<'_>) {
        if self.0 & Self::LINE != 0 {
            record.emit();
        } else {
            record.hit();
        }
    }
}
