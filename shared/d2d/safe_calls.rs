// SPDX-License-Identifier: GPL-2.0

//! The owner's functions that are safe to call with any arguments.
//!
//! Their arguments are handles. The owner refuses a handle that is stale or was made up, so such a
//! call has no effect. `d2d.h` and `d2d_event.h` document the functions.
//!
//! `d2d_complete()` and `d2d_request_pend()` are not among them: they end the use of a request's
//! buffers in place, so their callers have to state that nothing uses the buffers any more.

use crate::abi::{
    self,
    d2d_handle, //
};
use kernel::ffi::c_int;

macro_rules! safe_calls {
    ($(fn $name:ident($argument:ident: $type:ty) $(-> $result:ty)?;)*) => {$(
        #[inline(always)]
        pub(crate) fn $name($argument: $type) $(-> $result)? {
            // SAFETY: The argument is a handle, and the owner refuses a stale or made-up one.
            unsafe { abi::$name($argument) }
        }
    )*};
}

safe_calls! {
    fn d2d_attach(driver: d2d_handle) -> c_int;
    fn d2d_detach(driver: d2d_handle) -> c_int;
    fn d2d_leave(driver: d2d_handle) -> c_int;
    fn d2d_unregister(driver: d2d_handle) -> c_int;
    fn d2d_request_cancel(request: d2d_handle) -> c_int;
    fn d2d_request_free(request: d2d_handle) -> c_int;
    fn d2d_request_set_cancel(request: d2d_handle) -> c_int;
    fn d2d_event_close(event: d2d_handle) -> c_int;
    fn d2d_event_set(event: d2d_handle) -> c_int;
    fn d2d_event_reset(event: d2d_handle) -> c_int;
    fn d2d_event_query(event: d2d_handle) -> c_int;
    fn d2d_event_ring(event: d2d_handle);
}
