// SPDX-License-Identifier: GPL-2.0

//! Modules that go away.
//!
//! The kernel calls its module notifiers after a module's exit has run, or its initialization has
//! failed, and before it frees the module's text. If a driver of the module is still registered
//! then, the module has forgotten it.
//!
//! The kernel holds the lock of the notifier chain for reading meanwhile. Other modules can be loaded
//! and unloaded until a thread registers or unregisters a module notifier: that thread takes the lock
//! for writing, and from then on all others wait behind it until the driver is removed. So a routine of
//! the driver must not wait for the loading or unloading of a module.

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

/// Something that a [`Notifier`] tells of modules that go away.
pub(crate) trait Going: Send + Sync {
    /// A module goes away when this has returned. May sleep.
    fn going(&self, module: *const bindings::module);
}

/// A module notifier. Dropping it waits for the calls that run; may sleep.
#[pin_data(PinnedDrop)]
pub(crate) struct Notifier<T: Going> {
    block: Opaque<bindings::notifier_block>,
    told: T,
    #[pin]
    _pin: core::marker::PhantomPinned,
}

// SAFETY: The block is used by the notifier chain, under its lock.
unsafe impl<T: Going> Send for Notifier<T> {}
// SAFETY: As above; `told` can be shared.
unsafe impl<T: Going> Sync for Notifier<T> {}

impl<T: Going> Notifier<T> {
    /// Makes one that is told of each module from here on. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or `EEXIST`.
    pub(crate) fn new(told: T) -> Result<Pin<KBox<Self>>> {
        let this = KBox::pin_init(
            pin_init!(Self {
                block: Opaque::new(bindings::notifier_block {
                    notifier_call: Some(Self::call),
                    next: core::ptr::null_mut(),
                    // Called first, before other notifiers take parts of the module away.
                    priority: c_int::MAX,
                }),
                told,
                _pin: core::marker::PhantomPinned,
            }),
            GFP_KERNEL,
        )?;
        // SAFETY: The block is initialized and pinned, and taken off the chain before it is freed.
        to_result(unsafe { bindings::register_module_notifier(this.block.get()) })?;
        Ok(this)
    }

    /// The C routine.
    ///
    /// # Safety
    ///
    /// `block` is that of a notifier on the chain, `module` is a module.
    unsafe extern "C" fn call(
        block: *mut bindings::notifier_block,
        state: c_ulong,
        module: *mut c_void,
    ) -> c_int {
        if state == bindings::module_state_MODULE_STATE_GOING as c_ulong {
            // SAFETY: The block is a part of a notifier, which stays until it is off the chain.
            let this = unsafe { &*container_of!(Opaque::cast_from(block), Self, block) };
            this.told.going(module.cast());
        }
        bindings::NOTIFY_DONE as c_int
    }
}

#[pinned_drop]
impl<T: Going> PinnedDrop for Notifier<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: The block is initialized. If it is not on the chain, the kernel does not find it.
        unsafe { bindings::unregister_module_notifier(self.block.get()) };
    }
}
