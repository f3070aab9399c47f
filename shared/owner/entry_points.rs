// SPDX-License-Identifier: GPL-2.0

//! The list of the exported functions, and the macro that declares the owner's module.
//!
//! The build stops if the list differs from that in `shared/include/d2d_table.h`, or if a function
//! differs from its prototype in the C header.

use crate::abi;

/// The argument types of the exported functions.
#[doc(hidden)]
pub mod types {
    pub use crate::abi::{
        d2d_driver,
        d2d_event_routine,
        d2d_handle,
        d2d_record,
        d2d_result,
        d2d_send, //
    };
    pub use core::ffi::c_void;
    pub use kernel::ffi::{
        c_char,
        c_int, //
    };
}

/// Makes [`module_owner!`](crate::module_owner) from lines `METHOD = PROTOTYPE`. An exported
/// function with this prototype calls this method of [`Exports`](crate::export::Exports).
///
/// `$d` is the dollar sign of `module_owner!`. The list is written out in `module_owner!`. If an
/// owner's module passed the list, it could choose the names that the `unsafe` code of
/// `module_owner!` uses.
macro_rules! entry_points {
    (
        $d:tt
        $($method:ident = $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?;)*
    ) => {
        const _: () = assert!([$(stringify!($name)),*].len() == abi::D2D_FUNCTION_COUNT as usize);

        const _: () = {
            use types::*;

            // Does not compile if the prototype differs from that of the C header.
            $(const _: unsafe extern "C" fn($($type),*) $(-> $result)? = abi::$name;)*
        };

        /// Declares the module of an owner.
        ///
        /// `type` implements [`Owner`](crate::Owner). The other lines are those of `module!`. The
        /// module exports the owner's table under the name that Kbuild gives the owner.
        ///
        /// ```ignore
        /// d2d_owner::module_owner! {
        ///     type: MyOwner,
        ///     name: "my_owner",
        ///     authors: ["..."],
        ///     license: "GPL",
        /// }
        /// ```
        #[macro_export]
        macro_rules! module_owner {
            (type: $d Owner:ty, $d($d rest:tt)*) => {
                static EXPORTS: $crate::export::Exports = $crate::export::Exports::new(
                    <OwnerModule as $crate::__private::ModuleMetadata>::NAME,
                );

                struct OwnerModule {
                    _parts: $crate::export::Parts<$d Owner>,
                }

                impl $crate::__private::Module for OwnerModule {
                    fn init(
                        _module: &'static $crate::__private::ThisModule,
                    ) -> $crate::__private::Result<Self> {
                        // SAFETY: `Self` is the module into which this crate is linked. The kernel
                        // crate calls `init` before any other code of the module can run, and drops
                        // the module's value, which has the parts, before the kernel frees the
                        // module's text and data. If the owner calls `init` again, `Exports::parts`
                        // makes nothing, because `EXPORTS` was started before.
                        let promise = unsafe { $crate::DropPromise::<Self>::new() };
                        let parts = $crate::export::Exports::parts(&EXPORTS, promise)?;
                        $crate::__private::Ok(Self { _parts: parts })
                    }
                }

                $crate::__private::module! {
                    type: OwnerModule,
                    $d($d rest)*
                }

                $crate::module_owner! { @functions }
            };
            // The caller has the static `EXPORTS`.
            (@functions) => {
                const _: () = {
                    use $crate::entry_points::types::*;

                    $(
                        /// # Safety
                        ///
                        /// The caller keeps the contract of the C header.
                        #[no_mangle]
                        unsafe extern "C" fn $name($($argument: $type),*) $(-> $result)? {
                            // SAFETY: The arguments are those of this function, whose caller keeps
                            // the contract in the C header.
                            $(let $argument = unsafe { $crate::export::Arg::new($argument) };)*
                            $crate::export::Exports::$method(&EXPORTS, $($argument),*)
                        }
                    )*
                };
            };
        }
    };
}

entry_points! {
    $
    register = d2d_register(driver: *const d2d_driver, handle: *mut d2d_handle) -> c_int;
    attach = d2d_attach(driver: d2d_handle) -> c_int;
    detach = d2d_detach(driver: d2d_handle) -> c_int;
    leave = d2d_leave(driver: d2d_handle) -> c_int;
    unregister = d2d_unregister(driver: d2d_handle) -> c_int;
    lookup = d2d_lookup(name: *const c_char, driver: *mut d2d_handle) -> c_int;
    request_alloc = d2d_request_alloc(
        driver: d2d_handle,
        input_size: u32,
        output_size: u32,
        request: *mut d2d_handle,
    ) -> c_int;
    request_send = d2d_request_send(request: d2d_handle, send: *const d2d_send) -> c_int;
    request_call = d2d_request_call(
        request: d2d_handle,
        send: *const d2d_send,
        ms: u32,
        result: *mut d2d_result,
        output: *mut c_void,
        output_len: u32,
    ) -> c_int;
    request_wait = d2d_request_wait(request: d2d_handle, ms: u32, result: *mut d2d_result) -> c_int;
    request_cancel = d2d_request_cancel(request: d2d_handle) -> c_int;
    request_free = d2d_request_free(request: d2d_handle) -> c_int;
    request_read = d2d_request_read(request: d2d_handle, buffer: *mut c_void, len: u32) -> c_int;
    request_write = d2d_request_write(request: d2d_handle, buffer: *const c_void, len: u32) -> c_int;
    request_set_cancel = d2d_request_set_cancel(request: d2d_handle) -> c_int;
    request_pend = d2d_request_pend(request: d2d_handle) -> c_int;
    request_forward = d2d_request_forward(request: d2d_handle, send: *const d2d_send) -> c_int;
    complete = d2d_complete(request: d2d_handle, status: c_int, information: u64) -> c_int;
    complete_with = d2d_complete_with(
        request: d2d_handle,
        status: c_int,
        information: u64,
        output_len: u32,
    ) -> c_int;
    trace = d2d_trace(record: *const d2d_record);
    create_event = d2d_event_create(
        driver: d2d_handle,
        name: *const c_char,
        kind: u32,
        initial: u32,
        event: *mut d2d_handle,
    ) -> c_int;
    open_event = d2d_event_open(
        driver: d2d_handle,
        name: *const c_char,
        kind: u32,
        event: *mut d2d_handle,
    ) -> c_int;
    close_event = d2d_event_close(event: d2d_handle) -> c_int;
    set_event = d2d_event_set(event: d2d_handle) -> c_int;
    reset_event = d2d_event_reset(event: d2d_handle) -> c_int;
    query_event = d2d_event_query(event: d2d_handle) -> c_int;
    ring_event = d2d_event_ring(event: d2d_handle);
    wait_for_events = d2d_event_wait(
        events: *const d2d_handle,
        count: u32,
        flags: u32,
        timeout: u32,
        index: *mut u32,
    ) -> c_int;
    set_handler = d2d_event_on_set(
        event: d2d_handle,
        routine: d2d_event_routine,
        argument: *mut c_void,
    ) -> c_int;
}
