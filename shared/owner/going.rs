// SPDX-License-Identifier: GPL-2.0

//! The module notifiers, for drivers that a module has forgotten to unregister.
//!
//! When a module is unloaded, or its initialization has failed, the kernel calls the notifiers
//! before it frees the module's text.
//!
//! An owner has two notifiers. The first one expels the forgotten drivers: it ends their waits, but
//! waits for none of their routines. The second one waits for the routines, and removes the
//! drivers. By their priorities, the kernel calls the first notifiers of all owners before any
//! second one. This order matters if a routine waits for an event or a request of a forgotten
//! driver of another owner: the first notifier of that owner ends this wait.
//!
//! While a notifier runs, the kernel holds the read lock of the notifier chain. A thread that
//! registers a notifier waits for the write lock, and every later reader waits behind this thread.
//! Loading or unloading a module takes the read lock. So a routine must not wait for that: the
//! second notifier may be waiting for the routine.

use kernel::{
    bindings,
    container_of,
    error::to_result,
    ffi::{
        c_int,
        c_ulong,
        c_void, //
    },
    prelude::*,
    types::Opaque, //
};

pub(crate) trait Going: Send + Sync {
    /// The kernel calls notifiers of a higher priority first.
    const PRIORITY: c_int;

    /// Called for each module that is going, before the kernel frees the module's text. May sleep.
    fn going(&self, module: *const bindings::module);
}

/// The priority of the first notifiers. This and [`REMOVES`] are the highest priorities, because
/// notifiers that run later may free parts of the module.
pub(crate) const EXPELS: c_int = c_int::MAX;

/// The priority of the second notifiers.
pub(crate) const REMOVES: c_int = EXPELS - 1;

/// Dropping it waits for running calls of [`Going::going`]; may sleep.
#[pin_data(PinnedDrop)]
pub(crate) struct Notifier<T: Going> {
    block: Opaque<bindings::notifier_block>,
    callee: T,
    #[pin]
    _pin: core::marker::PhantomPinned,
}

// SAFETY: Only the notifier chain uses the block, under the chain's lock. `T` is `Send`.
unsafe impl<T: Going> Send for Notifier<T> {}
// SAFETY: As above, and `T` is `Sync`.
unsafe impl<T: Going> Sync for Notifier<T> {}

impl<T: Going> Notifier<T> {
    /// Registers a notifier that calls `callee`. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or `EEXIST` if the notifier is already registered.
    pub(crate) fn new(callee: T) -> Result<Pin<KBox<Self>>> {
        let this = KBox::pin_init(
            pin_init!(Self {
                block: Opaque::new(bindings::notifier_block {
                    notifier_call: Some(Self::call),
                    next: core::ptr::null_mut(),
                    priority: T::PRIORITY,
                }),
                callee,
                _pin: core::marker::PhantomPinned,
            }),
            GFP_KERNEL,
        )?;
        // SAFETY: The block is initialized and pinned, and `drop` takes it off the chain.
        to_result(unsafe { bindings::register_module_notifier(this.block.get()) })?;
        Ok(this)
    }

    /// # Safety
    ///
    /// `block` is that of a [`Notifier`] on the chain. `module` points to a module.
    unsafe extern "C" fn call(
        block: *mut bindings::notifier_block,
        state: c_ulong,
        module: *mut c_void,
    ) -> c_int {
        if state == bindings::module_state_MODULE_STATE_GOING as c_ulong {
            // SAFETY: The kernel passes the block of a `Notifier` on the chain. Before the
            // `Notifier` is freed, `drop` takes the block off the chain, and waits for this call.
            let this = unsafe { &*container_of!(Opaque::cast_from(block), Self, block) };
            this.callee.going(module.cast());
        }
        bindings::NOTIFY_DONE as c_int
    }
}

#[pinned_drop]
impl<T: Going> PinnedDrop for Notifier<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: The block is initialized. If it is not on the chain, because `new` has failed,
        // the kernel only returns an error.
        unsafe { bindings::unregister_module_notifier(self.block.get()) };
    }
}
