// SPDX-License-Identifier: GPL-2.0

//! The kernel crate of an older kernel, plus the items that the crate lacks and this project uses.
//! Drivers and the library name this crate `kernel`, so their sources are the same for all kernels.
//!
//! To find out which items are missing, `shared/library.mk` compiles `probes.rs`. It compiles this crate
//! only if an item is missing. Kernel 7.3 has all items.

#[cfg(not(probe_poll_box))]
mod poll_box;
#[cfg(not(probe_spinlock_irq))]
mod spinlock_irq;

pub use kernel::*;

/// Gives `bindings::hrtimer_restart` the constant of the newer enumeration.
#[cfg(not(probe_hrtimer_restart))]
pub trait HrtimerRestart {
    /// The timer is not started again.
    const HRTIMER_NORESTART: Self;
}

#[cfg(not(probe_hrtimer_restart))]
impl HrtimerRestart for kernel::bindings::hrtimer_restart {
    const HRTIMER_NORESTART: Self = kernel::bindings::hrtimer_restart_HRTIMER_NORESTART;
}

/// What `Delta` lacks.
#[cfg(not(probe_as_millis_ceil))]
pub trait MillisCeil {
    /// Returns the number of milliseconds, rounded up.
    fn as_millis_ceil(self) -> i64;
}

#[cfg(not(probe_as_millis_ceil))]
impl MillisCeil for kernel::time::Delta {
    #[inline]
    fn as_millis_ceil(self) -> i64 {
        let millis = self.as_millis();
        millis + i64::from(self.as_nanos() > millis * kernel::time::NSEC_PER_MSEC)
    }
}

#[cfg(not(probe_init_of_pin_init))]
mod initializer {
    /// As `pin_init::PinInit`, with `__init`, the newer name of `__pinned_init`.
    pub trait PinInit<T: ?Sized, E = core::convert::Infallible>: pin_init::PinInit<T, E> {
        /// As `pin_init::PinInit::__pinned_init`.
        ///
        /// # Safety
        ///
        /// As for `pin_init::PinInit::__pinned_init`.
        ///
        /// # Errors
        ///
        /// Those of the initializer.
        #[inline]
        unsafe fn __init(self, slot: *mut T) -> core::result::Result<(), E> {
            // SAFETY: The caller keeps the contract of `__pinned_init`.
            unsafe { self.__pinned_init(slot) }
        }
    }

    impl<T: ?Sized, E, I: pin_init::PinInit<T, E>> PinInit<T, E> for I {}
}

/// As `kernel::error`.
pub mod error {
    pub use kernel::error::*;

    /// As `kernel::error::code`, with all errors that the project uses.
    pub mod code {
        pub use kernel::error::code::*;

        #[cfg(not(probe_errors))]
        mod more {
            use core::{
                mem::transmute,
                num::NonZeroI32, //
            };
            use kernel::{
                bindings,
                error::Error, //
            };

            const fn error(errno: u32) -> Error {
                let Some(value) = NonZeroI32::new(-(errno as i32)) else {
                    panic!("not an error");
                };
                // SAFETY: An `Error` consists of one `NonZeroI32`, the negative number.
                unsafe { transmute::<NonZeroI32, Error>(value) }
            }

            macro_rules! errors {
                ($($name:ident)*) => {
                    $(
                        #[doc = concat!("The error `", stringify!($name), "`.")]
                        pub const $name: Error = error(bindings::$name);
                    )*
                };
            }

            errors! {
                EALREADY EBADE EBADMSG EBADR ECANCELED EDEADLK EINPROGRESS ENAMETOOLONG ENODATA
                ENOMSG ENOTCONN ENOTRECOVERABLE ENOTUNIQ EOPNOTSUPP EOWNERDEAD EPROTO EPROTOTYPE
                ESHUTDOWN ESTALE EUCLEAN
            }

            // An `Error` of the kernel crate is the negative number, too.
            const _: () = {
                // SAFETY: As in `error`.
                let value = unsafe { transmute::<Error, NonZeroI32>(kernel::error::code::EPERM) };
                assert!(value.get() == -(bindings::EPERM as i32));
            };
        }
        #[cfg(not(probe_errors))]
        pub use more::*;
    }
}

/// As `kernel::module`.
#[cfg(not(probe_this_module))]
pub mod module {
    /// Returns the `THIS_MODULE` of a module.
    pub fn this_module<M: crate::ModuleMetadata>() -> &'static crate::ThisModule {
        &M::THIS_MODULE
    }
}

/// As `kernel::module_param`.
pub mod module_param {
    pub use kernel::module_param::*;

    /// A parameter of a module. In the older kernel crate, its `value` returns a reference.
    #[cfg(not(probe_parameter_value))]
    #[repr(transparent)]
    pub struct ModuleParamAccess<T>(kernel::module_param::ModuleParamAccess<T>);

    #[cfg(not(probe_parameter_value))]
    impl<T> ModuleParamAccess<T> {
        #[doc(hidden)]
        pub const fn new(default: T) -> Self {
            Self(kernel::module_param::ModuleParamAccess::new(default))
        }

        /// Returns the parameter's value.
        #[inline]
        pub fn value(&self) -> T
        where
            T: Copy,
        {
            *self.0.value()
        }

        #[doc(hidden)]
        pub const fn as_void_ptr(&self) -> *mut kernel::ffi::c_void {
            self.0.as_void_ptr()
        }
    }
}

/// As `kernel::prelude`.
pub mod prelude {
    pub use crate::error::code::*;
    #[cfg(not(probe_init_of_pin_init))]
    pub use crate::initializer::PinInit;
    #[cfg(not(probe_hrtimer_restart))]
    pub use crate::HrtimerRestart as _;
    #[cfg(not(probe_as_millis_ceil))]
    pub use crate::MillisCeil as _;
    pub use kernel::prelude::*;
}

/// As `kernel::sync`.
pub mod sync {
    #[cfg(not(probe_spinlock_irq))]
    pub use crate::new_spinlock_irq;
    #[cfg(not(probe_spinlock_irq))]
    pub use lock::spinlock::{
        SpinLockIrq,
        SpinLockIrqGuard, //
    };

    pub use kernel::sync::*;

    /// As `kernel::sync::barrier`.
    pub mod barrier {
        pub use kernel::sync::barrier::*;

        /// The argument with which [`smp_mb`] orders all earlier loads before all later ones.
        #[cfg(not(probe_read_barrier))]
        pub struct Read;

        /// A read barrier between CPUs. Any context.
        #[cfg(not(probe_read_barrier))]
        #[inline(always)]
        pub fn smp_mb(_: Read) {
            kernel::sync::barrier::smp_rmb();
        }
    }

    /// As `kernel::sync::poll`.
    pub mod poll {
        #[cfg(not(probe_poll_box))]
        pub use crate::poll_box::*;
        pub use kernel::sync::poll::*;
    }

    /// As `kernel::sync::rcu`.
    pub mod rcu {
        pub use kernel::sync::rcu::*;

        /// Waits for one RCU grace period. May sleep.
        #[cfg(not(probe_synchronize_rcu))]
        #[inline]
        pub fn synchronize_rcu() {
            // SAFETY: It takes no pointer. As with the kernel crate's safe functions that sleep, a wrong
            // execution context does not break memory safety.
            unsafe { kernel::bindings::synchronize_rcu() }
        }
    }

    /// As `kernel::sync::lock`.
    pub mod lock {
        pub use kernel::sync::lock::*;

        /// As `kernel::sync::lock::spinlock`.
        pub mod spinlock {
            pub use kernel::sync::lock::spinlock::*;

            #[cfg(not(probe_spinlock_irq))]
            pub use crate::spinlock_irq::*;
        }
    }
}

/// As the kernel crate's `new_spinlock_irq`.
#[cfg(not(probe_spinlock_irq))]
#[macro_export]
macro_rules! new_spinlock_irq {
    ($inner:expr $(, $name:literal)? $(,)?) => {
        $crate::sync::SpinLockIrq::new(
            $inner, $crate::optional_name!($($name)?), $crate::static_lock_class!())
    };
}

/// As `kernel::ModuleMetadata`, with a constant for `THIS_MODULE`.
#[cfg(not(probe_this_module))]
pub trait ModuleMetadata {
    /// The name of the module.
    const NAME: &'static str::CStr;

    /// The `THIS_MODULE` of C. The older `module!` does not set this constant. The default is the module
    /// into which the code is linked.
    const THIS_MODULE: ThisModule = {
        unsafe extern "C" {
            static __this_module: [u8; 0];
        }
        // SAFETY: `__this_module` is the `struct module` of the module into which this is linked. The
        // kernel keeps it while the module's code can run.
        unsafe { ThisModule::from_ptr((&raw const __this_module).cast_mut().cast()) }
    };
}
