// SPDX-License-Identifier: GPL-2.0

//! The owner's functions that are safe to call with any arguments.
//!
//! Their arguments are handles, other numbers and references. The owner refuses a handle that is stale
//! or was made up, so such a call has no effect. `d2d.h` and `d2d_event.h` document the functions.
//!
//! Not among them are `d2d_complete()`, `d2d_complete_with()`, `d2d_request_pend()` and
//! `d2d_request_forward()`: they end the use of a request's buffers in place, so their callers have to
//! state that nothing uses the buffers any more.

use crate::abi::{
    self,
    d2d_handle,
    d2d_record,
    d2d_result,
    d2d_send, //
};
use kernel::{
    ffi::c_int,
    prelude::*, //
};

macro_rules! safe_calls {
    // What the C function gets: the argument itself, or what is made of it.
    (@raw $argument:ident) => { $argument };
    (@raw $argument:ident $raw:expr) => { $raw };
    ($(
        fn $name:ident($($argument:ident: $type:ty $(=> $raw:expr)?),* $(,)?) $(-> $result:ty)?;
    )*) => {$(
        #[inline(always)]
        pub(crate) fn $name($($argument: $type),*) $(-> $result)? {
            // SAFETY: The owner refuses a stale or made-up handle. The references live during the
            // call, and each is valid for what the C header says of this argument. Nobody trusts an
            // address in a structure: the owner copies what is there, if it can be read, and a receiver
            // compares a `user_buffer` with the memory that is lent to this receiver. A receiver of a
            // handshake does not compare the address of the context, but the owner lets no driver send
            // the code of a handshake.
            unsafe { abi::$name($(safe_calls!(@raw $argument $($raw)?)),*) }
        }
    )*};
}

safe_calls! {
    fn d2d_trace(record: &d2d_record);
    fn d2d_lookup(name: &CStr => name.as_char_ptr(), driver: &mut d2d_handle) -> c_int;
    fn d2d_attach(driver: d2d_handle) -> c_int;
    fn d2d_detach(driver: d2d_handle) -> c_int;
    fn d2d_leave(driver: d2d_handle) -> c_int;
    fn d2d_unregister(driver: d2d_handle) -> c_int;
    fn d2d_request_alloc(
        driver: d2d_handle,
        input_size: u32,
        output_size: u32,
        request: &mut d2d_handle,
    ) -> c_int;
    fn d2d_request_send(request: d2d_handle, send: &d2d_send) -> c_int;
    fn d2d_request_wait(request: d2d_handle, ms: u32, result: &mut d2d_result) -> c_int;
    fn d2d_request_cancel(request: d2d_handle) -> c_int;
    fn d2d_request_free(request: d2d_handle) -> c_int;
    fn d2d_request_set_cancel(request: d2d_handle) -> c_int;
    fn d2d_event_create(
        driver: d2d_handle,
        name: &CStr => name.as_char_ptr(),
        kind: u32,
        initial: u32,
        event: &mut d2d_handle,
    ) -> c_int;
    fn d2d_event_open(
        driver: d2d_handle,
        name: &CStr => name.as_char_ptr(),
        kind: u32,
        event: &mut d2d_handle,
    ) -> c_int;
    fn d2d_event_close(event: d2d_handle) -> c_int;
    fn d2d_event_set(event: d2d_handle) -> c_int;
    fn d2d_event_reset(event: d2d_handle) -> c_int;
    fn d2d_event_query(event: d2d_handle) -> c_int;
    fn d2d_event_ring(event: d2d_handle);
}
