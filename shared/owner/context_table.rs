// SPDX-License-Identifier: GPL-2.0

//! The contexts as the server knows them: by number, without the types of the owner and its peers.

use core::ffi::c_void;
use d2d::{
    abi,
    queue::Queue, //
};
use kernel::{
    bindings,
    prelude::*, //
};

/// What is shown of an operations table.
#[derive(Clone, Copy)]
pub(crate) struct Version {
    pub(crate) major: u16,
    pub(crate) minor: u16,
    /// The hash of its last operation, into which all before it went.
    pub(crate) fingerprint: u64,
}

/// The contexts, as the server knows them: by number.
pub(crate) trait ContextTable: Send + Sync {
    /// Returns how many there are.
    fn len(&self) -> usize;

    /// Returns the address that crosses the boundary.
    fn as_raw(&self, index: usize) -> *mut abi::d2d_context;

    /// Checks the endpoint that a driver has filled in, and lets calls into the driver begin. Any context.
    ///
    /// # Errors
    ///
    /// Those of [`Endpoint::copy`](d2d::interface::Endpoint::copy), `EBUSY` if calls are let in already.
    ///
    /// # Safety
    ///
    /// The driver, which lives in `module`, has filled in the endpoint by the contract of `struct
    /// d2d_context`. Its operations may be called until [`ContextTable::close`] has returned.
    unsafe fn open(&self, index: usize, module: *const bindings::module) -> Result;

    /// Refuses new calls into the peer and waits for those that run. Calls `release` when that takes
    /// long. May sleep.
    ///
    /// # Safety
    ///
    /// Called by the one that has opened it, once, and not from inside the peer.
    unsafe fn close(&self, index: usize, release: &dyn Fn());

    /// Tells the owner that a peer was attached. Any context.
    fn attached(&self, index: usize);

    /// Tells the owner that the peer is gone. May sleep.
    fn detached(&self, index: usize);

    /// Says that a driver may use the context for ever.
    fn keep(&self, index: usize);

    /// Returns the queues to the peer and from it.
    fn queues(&self, index: usize) -> [(&'static str, Queue<'_>); 2];

    /// Returns the version of the owner's operations.
    fn version(&self) -> Version;

    /// Runs `f` while the peer is attached, which counts as a call of it. Any context but NMI.
    fn while_attached(&self, index: usize, f: &mut dyn FnMut());

    /// Returns where those who enter and leave the peer are counted: a `struct srcu_struct`.
    fn peer_srcu(&self, index: usize) -> *mut c_void;
}
