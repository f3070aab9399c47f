// SPDX-License-Identifier: GPL-2.0

//! How the steps of a request are told.

use d2d::{
    abi::D2D_SEND_TRACE,
    trace::{
        Field,
        Step,
        StepRecord, //
    }, //
};
use kernel::prelude::*;

/// The flags of a request, which say how its steps are told: not at all, by lines, or where they are
/// too many for that, by their tracepoints alone.
#[derive(Clone, Copy)]
pub(crate) struct Telling(pub(crate) u32);

impl Telling {
    /// By lines; what a sender says.
    pub(crate) const LINE: u32 = D2D_SEND_TRACE;
    /// By tracepoints alone; none of the flags that a sender may have.
    pub(crate) const POINT: u32 = 1 << 31;

    pub(crate) fn is_on(self) -> bool {
        self.0 & (Self::LINE | Self::POINT) != 0
    }

    /// Takes a step in the name of `driver`. Any context.
    pub(crate) fn tell(self, driver: &CStr, step: Step, fields: &[Field<'_>]) {
        self.take(StepRecord::new(driver, step).with(fields));
    }

    /// Takes a step. Any context.
    pub(crate) fn take(self, record: StepRecord<'_>) {
        if self.0 & Self::LINE != 0 {
            record.emit();
        } else {
            record.hit();
        }
    }
}
