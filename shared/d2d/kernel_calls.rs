// SPDX-License-Identifier: GPL-2.0

//! The kernel's C functions that take no pointer, and for which the kernel crate has nothing that the library can use.
//! `d2d` and `d2d_owner` each compile this file as a private module.

use kernel::{
    bindings,
    ffi::{
        c_int,
        c_long,
        c_ulong, //
    }, //
};

macro_rules! kernel_calls {
    ($(fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {$(
        #[allow(dead_code, reason = "each crate uses some of them")]
        #[allow(non_snake_case, reason = "they have the names that they have in C")]
        #[inline(always)]
        pub(crate) fn $name($($argument: $type),*) $(-> $result)? {
            // SAFETY: The function takes no pointer. `capable` calls `BUG` for a wrong number; the others take any
            // number. As with the kernel crate's safe functions that sleep, a wrong execution context does not break
            // memory safety.
            unsafe { bindings::$name($($argument),*) }
        }
    )*};
}

kernel_calls! {
    fn WARN_ON(condition: bool) -> bool;
    fn capable(capability: c_int) -> bool;
    fn cond_synchronize_rcu(begun: c_ulong);
    fn get_state_synchronize_rcu() -> c_ulong;
    fn ktime_get_boot_fast_ns() -> u64;
    fn poll_state_synchronize_rcu(begun: c_ulong) -> bool;
    fn rcu_barrier();
    fn schedule();
    fn si_mem_available() -> c_long;
}
