// SPDX-License-Identifier: GPL-2.0

//! The contexts as the server knows them: without the Rust types of the owner's pair.

use crate::probe;
use core::mem::offset_of;
use d2d::{
    abi,
    interface::NO_ENDPOINT,
    queue::Queue, //
};
use kernel::{
    bindings,
    prelude::*, //
};

#[derive(Clone, Copy)]
pub(crate) struct Version {
    pub(crate) major: u16,
    pub(crate) minor: u16,
    /// The last hash of the chain.
    pub(crate) fingerprint: u64,
}

/// An `index` is the number of a context, less than [`ContextTable::len`].
pub(crate) trait ContextTable: Send + Sync {
    fn len(&self) -> usize;

    /// The address that the peer gets. The context lives as long as `self`.
    fn as_raw(&self, index: usize) -> *mut abi::d2d_context;

    /// Zeroes the peer's block of data: an older peer does not write newer fields. Any context.
    fn clear_peer_data(&self, index: usize);

    /// Checks the endpoint that a driver has filled in, and opens the link. Any context.
    ///
    /// # Errors
    ///
    /// Those of [`Endpoint::copy`](d2d::interface::Endpoint::copy), `EBUSY` if the link is already
    /// open.
    ///
    /// # Safety
    ///
    /// The driver of `module` has filled in the endpoint by the contract of `struct d2d_context`.
    /// Its operations may be called until [`ContextTable::close`] has returned.
    unsafe fn open(&self, index: usize, module: *const bindings::module) -> Result;

    /// Refuses new calls into the peer, and waits for the calls that run. Calls `end_waits` again
    /// and again meanwhile, to end the waits of their threads. May sleep.
    ///
    /// # Safety
    ///
    /// The link is open. No other thread closes it, and the caller is not inside the peer.
    unsafe fn close(&self, index: usize, end_waits: &dyn Fn());

    /// Calls the owner's [`attached`](crate::Owner::attached). Any context.
    fn attached(&self, index: usize);

    /// Calls the owner's [`detached`](crate::Owner::detached). May sleep.
    fn detached(&self, index: usize);

    /// Keeps the context for ever, because a driver may go on using it. Any context.
    fn keep(&self, index: usize);

    /// The queue to the peer, then the queue from the peer, with their names.
    fn queues(&self, index: usize) -> [(&'static str, Queue<'_>); 2];

    /// Whether the owner may use items that it has redeemed by handle, and go on using them after
    /// the peer was detached. Only an owner in C may.
    fn owner_holds_items(&self) -> bool;

    fn version(&self) -> Version;

    /// If a peer is attached, runs `f` as a call into it. Any context but NMI.
    fn while_attached(&self, index: usize, f: &mut dyn FnMut());

    /// Returns how many calls into the peer there were, and how many run now; approximate while
    /// calls begin or end. Any context.
    fn peer_calls(&self, index: usize) -> (u64, u64);
}

/// Copies what the peer has filled in as its endpoint, which may be bad. `context` is an address
/// that [`ContextTable::as_raw`] has returned. Any context.
pub(crate) fn peer_of(context: *const abi::d2d_context) -> abi::d2d_endpoint {
    probe::read_at(context, offset_of!(abi::d2d_context, peer)).unwrap_or(NO_ENDPOINT)
}
