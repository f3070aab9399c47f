// SPDX-License-Identifier: GPL-2.0

//! Uses each item of the kernel crate that some supported kernel lacks. `shared/library.mk` compiles this
//! file with all `--cfg probe_NAME`. If that fails, it compiles the file once for each probe.

#![no_std]
// For `static_branch_unlikely!`
#![feature(asm_goto)]

#[cfg(probe_static_branch)]
#[repr(C)]
pub struct Keys {
    key: kernel::bindings::static_key_false,
}

#[cfg(probe_static_branch)]
extern "C" {
    static KEYS: Keys;
}

#[cfg(probe_static_branch)]
pub fn is_on() -> bool {
    // SAFETY: The probes are never linked.
    unsafe { kernel::jump_label::static_branch_unlikely!(KEYS, Keys, key) }
}

#[cfg(probe_warn_on)]
pub fn warn(cond: bool) -> bool {
    kernel::warn_on!(cond)
}

#[cfg(probe_spinlock_irq)]
pub use kernel::sync::{
    lock::spinlock::SpinLockIrqBackend,
    new_spinlock_irq,
    SpinLockIrq, //
};

#[cfg(probe_errors)]
pub use kernel::error::code::{
    EALREADY,
    EBADE,
    EBADMSG,
    EBADR,
    ECANCELED,
    EDEADLK,
    EINPROGRESS,
    ENAMETOOLONG,
    ENODATA,
    ENOMSG,
    ENOTCONN,
    ENOTRECOVERABLE,
    ENOTUNIQ,
    EOPNOTSUPP,
    EOWNERDEAD,
    EPROTO,
    EPROTOTYPE,
    ESHUTDOWN,
    ESTALE,
    EUCLEAN, //
};

#[cfg(probe_this_module)]
pub const fn this_module<M: kernel::ModuleMetadata>() -> kernel::ThisModule {
    M::THIS_MODULE
}

#[cfg(probe_hrtimer_restart)]
pub const NO_RESTART: kernel::bindings::hrtimer_restart =
    kernel::bindings::hrtimer_restart::HRTIMER_NORESTART;

#[cfg(probe_as_millis_ceil)]
pub fn millis(delta: kernel::time::Delta) -> i64 {
    delta.as_millis_ceil()
}

/// # Safety
///
/// Those of `__init`.
#[cfg(probe_init_of_pin_init)]
pub unsafe fn initialize<T>(init: impl pin_init::PinInit<T>, slot: *mut T) {
    // SAFETY: The caller keeps the contract of `__init`, which is that of this function.
    let _ = unsafe { init.__init(slot) };
}

#[cfg(probe_poll_box)]
pub use kernel::sync::poll::PollCondVarBox;

#[cfg(probe_synchronize_rcu)]
pub use kernel::sync::rcu::synchronize_rcu;

#[cfg(probe_read_barrier)]
pub fn read_barrier() {
    kernel::sync::barrier::smp_mb(kernel::sync::barrier::Read);
}

#[cfg(probe_parameter_value)]
pub fn value(parameter: &kernel::module_param::ModuleParamAccess<u32>) -> u32 {
    parameter.value()
}

// Whether an implementation of a `vtable` trait may name its module.
#[cfg(probe_vtable_module)]
#[kernel::macros::vtable]
pub trait OfModule {
    /// Not used.
    fn call(&self) {}
}

#[cfg(probe_vtable_module)]
#[kernel::macros::vtable]
impl<M: kernel::ModuleMetadata> OfModule for core::marker::PhantomData<M> {
    type OwnerModule = M;
}
