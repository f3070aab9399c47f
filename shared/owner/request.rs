// SPDX-License-Identifier: GPL-2.0

//! Requests, from any registered driver to any other.
//!
//! A driver allocates a request once and sends it as often as it needs. The sender and the holder
//! have different handles. Each new holder gets a new handle, so a handle that a holder has kept
//! for too long is stale.
//!
//! - [`record`]: the memory of a request; [`word`]: its state, and the table of transitions.
//! - [`send`]: allocating, sending and forwarding requests; [`dispatch`]: calling the receiver.
//! - [`complete`]: completing a request and bringing it home; [`cancel`]: cancelling it.
//! - [`wait`]: waiting for a request and freeing it; [`buffers`]: reading and writing its buffers.
//!
//! No lock protects a request: every change of its state is a transition of its word.

mod buffers;
mod cancel;
mod complete;
mod dispatch;
pub(crate) mod record;
mod send;
mod wait;
pub(crate) mod word;
mod workers;

use crate::registry::{
    Refusal,
    Registry, //
};
use d2d::{
    abi::{
        self,
        d2d_handle, //
    },
    fields,
    refuse,
    trace::{
        Field,
        Step,
        StepRecord, //
    }, //
};
use kernel::{
    bindings,
    ffi::c_int,
    prelude::*,
    sync::Arc, //
};
use record::{
    Record,
    Records, //
};
use workers::Workers;

pub(crate) use complete::CompleteOutcome;
pub(crate) use wait::Limit;

/// What dispatch routines return for a request that they complete later.
pub(crate) const PENDING: c_int = -(abi::D2D_STATUS_PENDING as c_int);

const STALE_REQUEST: Refusal = ("stale-request", ESTALE);
const STALE_HOLDER_HANDLE: Refusal = ("stale-request-handle", ESTALE);
const ON_ITS_WAY: Refusal = ("request-on-its-way", EBUSY);
const IN_USE: Refusal = ("request-in-use", EBUSY);
const BAD_STATUS: &str = "bad-status";

/// The request was cancelled before its holder called. That is no mistake of the holder, so no line
/// is printed.
const CANCELLED: Refusal = ("request-cancelled", ECANCELED);

pub(crate) struct Requests {
    /// Dropped first: dropping it waits for the workers, which use the other fields.
    workers: Workers,
    owner: &'static CStr,
    pub(crate) registry: Arc<Registry>,
    records: Records,
}

impl Requests {
    /// Iterates over the records. Some of them are free: see [`Records::iter`].
    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter()
    }

    #[cold]
    #[inline(never)]
    fn refuse(&self, refusal: Refusal, handle: d2d_handle) -> Error {
        let (reason, error) = refusal;
        if reason != CANCELLED.0 {
            refuse!(self.owner, reason, error, handle: handle);
        }
        error
    }

    /// Returns the status. If no completed request can have it, refuses it, and returns `-EIO`.
    #[inline(always)]
    fn check_status(&self, status: c_int) -> c_int {
        match status {
            0 => 0,
            _ => self.check_error(status),
        }
    }

    #[cold]
    #[inline(never)]
    fn check_error(&self, status: c_int) -> c_int {
        let errno = (-(bindings::MAX_ERRNO as c_int)..0).contains(&status);
        if errno && status != PENDING && status != EINPROGRESS.to_errno() {
            return status;
        }
        refuse!(self.owner, BAD_STATUS, EIO, status: status).to_errno()
    }

    /// Traces a step of a request in the name of `driver`. Any context.
    #[cold]
    #[inline(never)]
    fn trace(&self, record: &Record, driver: d2d_handle, step: Step, fields: &[Field<'_>]) {
        let driver = self.registry.peek(driver);
        let name = driver.as_ref().map_or(c"?", |driver| driver.name());
        let number = fields![req: record.number()];
        let step = StepRecord::new(name, step).with(&number).with(fields);
        record.tracing().emit_record(step);
    }
}

#[cfg(d2d_tests)]
mod tests;
