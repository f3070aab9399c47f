// SPDX-License-Identifier: GPL-2.0

//! The owner's functions that are safe to call with any arguments. `d2d.h` and `d2d_event.h` document them.
//!
//! `d2d_complete()`, `d2d_complete_with()`, `d2d_request_pend()` and `d2d_request_forward()` are not here: they end
//! the use of a request's buffers in place, so their callers have to state that nothing uses the buffers any more.

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
    (@call $name:ident ($($argument:ident),*)) => { abi::$name($($argument),*) };
    (@call $name:ident ($($argument:ident),*) ($($raw:expr),*)) => { abi::$name($($raw),*) };
    ($(
        fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $(=> ($($raw:expr),* $(,)?))?;
    )*) => {$(
        #[inline(always)]
        pub(crate) fn $name($($argument: $type),*) $(-> $result)? {
            // SAFETY: This function is private to the library, which passes only handles that it has got from the
            // owner, and the doorbells of queues. The owner refuses a stale handle. A doorbell may be any number: the
            // owner looks it up. The references live during the call, and each is valid for what the C header says of
            // this argument. The address and the length of a buffer come from the same slice. The owner copies what is
            // at an address in a structure, if that can be read. The receiver of a request compares its `user_buffer`
            // with the memory that is lent to the receiver. The receiver of a handshake trusts the context's address,
            // but the owner lets no driver send the code of a handshake.
            unsafe { safe_calls!(@call $name ($($argument),*) $(($($raw),*))?) }
        }
    )*};
}

safe_calls! {
    fn d2d_trace(record: &d2d_record);
    fn d2d_lookup(name: &CStr, driver: &mut d2d_handle) -> c_int => (name.as_char_ptr(), driver);
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
    fn d2d_request_call(
        request: d2d_handle,
        send: &d2d_send,
        ms: u32,
        result: &mut d2d_result,
        output: &mut [u8],
    ) -> c_int => (
        request,
        send,
        ms,
        result,
        output.as_mut_ptr().cast(),
        output.len() as u32,
    );
    fn d2d_request_wait(request: d2d_handle, ms: u32, result: &mut d2d_result) -> c_int;
    fn d2d_request_cancel(request: d2d_handle) -> c_int;
    fn d2d_request_free(request: d2d_handle) -> c_int;
    fn d2d_request_set_cancel(request: d2d_handle) -> c_int;
    fn d2d_request_read(request: d2d_handle, buffer: &mut [u8]) -> c_int
        => (request, buffer.as_mut_ptr().cast(), buffer.len() as u32);
    fn d2d_request_write(request: d2d_handle, buffer: &[u8]) -> c_int
        => (request, buffer.as_ptr().cast(), buffer.len() as u32);
    fn d2d_event_create(
        driver: d2d_handle,
        name: &CStr,
        kind: u32,
        initial: u32,
        event: &mut d2d_handle,
    ) -> c_int => (driver, name.as_char_ptr(), kind, initial, event);
    fn d2d_event_open(
        driver: d2d_handle,
        name: &CStr,
        kind: u32,
        event: &mut d2d_handle,
    ) -> c_int => (driver, name.as_char_ptr(), kind, event);
    fn d2d_event_close(event: d2d_handle) -> c_int;
    fn d2d_event_set(event: d2d_handle) -> c_int;
    fn d2d_event_reset(event: d2d_handle) -> c_int;
    fn d2d_event_query(event: d2d_handle) -> c_int;
    fn d2d_event_wait(
        events: &[d2d_handle],
        flags: u32,
        timeout: u32,
        index: Option<&mut u32>,
    ) -> c_int => (
        events.as_ptr(),
        events.len() as u32,
        flags,
        timeout,
        index.map_or(core::ptr::null_mut(), core::ptr::from_mut),
    );
    fn d2d_event_ring(event: d2d_handle);
}
