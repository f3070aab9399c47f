// SPDX-License-Identifier: GPL-2.0

//! What a driver receives, and the C routines through which it does so.
//!
//! The owner and its peers register the same driver object: [`driver_object`] makes it of what
//! implements [`Handler`].

use crate::{
    abi,
    header,
    packet::{
        Completed,
        Outcome, //
    },
    request::{
        receive,
        Disposition,
        Request,
        RequestId, //
    }, //
};
use core::ffi::{
    c_int,
    c_void, //
};
use kernel::{
    bindings,
    prelude::*,
    sync::{
        Arc,
        ArcBorrow, //
    }, //
};

/// What a driver receives. Its contexts are those of `struct d2d_driver`.
pub trait Handler: Send + Sync + Sized + 'static {
    /// Whether [`dispatch`](Handler::dispatch) never sleeps.
    const DISPATCH_ATOMIC: bool;

    /// Returns the driver's name.
    fn name(&self) -> &'static CStr;

    /// Receives a request.
    fn dispatch<'a>(this: ArcBorrow<'a, Self>, request: Request<'a>) -> Disposition<'a>;

    /// Receives a request back that it has forwarded, with what the lower driver has made of it.
    fn returned<'a>(&self, request: Request<'a>, outcome: Outcome) -> Disposition<'a>;

    /// Receives the result of a request that it has sent, and the request.
    fn completed(&self, completed: Completed);

    /// A request was taken from it that it has left pending.
    fn cancelled(&self, id: RequestId);
}

/// Makes the driver object of `handler`, which lives in `module`. A name that is too long for its NUL is
/// refused when it is registered.
pub fn driver_object<H: Handler>(
    handler: &Arc<H>,
    module: *mut bindings::module,
) -> abi::d2d_driver {
    let mut object = abi::d2d_driver {
        hdr: header::new::<abi::d2d_driver>(abi::D2D_DRIVER_MAGIC),
        name: [0; abi::D2D_NAME_SIZE as usize],
        owner: module,
        self_: Arc::as_ptr(handler).cast_mut().cast(),
        dispatch: Some(dispatch::<H>),
        returned: Some(returned::<H>),
        completed: Some(completed::<H>),
        cancelled: Some(cancelled::<H>),
        flags: abi::D2D_DISPATCH_IN_PLACE
            | match H::DISPATCH_ATOMIC {
                true => abi::D2D_DISPATCH_ATOMIC,
                false => 0,
            },
        reserved: 0,
    };
    for (to, from) in object.name.iter_mut().zip(handler.name().to_bytes()) {
        *to = *from;
    }
    object
}

/// The driver that a C routine is called for.
///
/// # Safety
///
/// `this` is that of an `Arc`, which keeps its reference for `'a`.
unsafe fn handler<'a, H: Handler>(this: *mut c_void) -> ArcBorrow<'a, H> {
    // SAFETY: The caller says that it is that of an `Arc` with a reference.
    unsafe { ArcBorrow::from_raw(this.cast::<H>().cast_const()) }
}

/// The C dispatch routine.
///
/// # Safety
///
/// `this` is a registered `H`, `request` is valid for reads, and is the driver's to complete.
unsafe extern "C" fn dispatch<H: Handler>(
    this: *mut c_void,
    request: *const abi::d2d_request,
) -> c_int {
    // SAFETY: `this` was registered, and the registration keeps its reference until it is unregistered.
    // `request` is valid for reads during the call, and is the driver's.
    unsafe {
        receive(handler::<H>(this).name(), request, |request| {
            H::dispatch(handler::<H>(this), request)
        })
    }
}

/// The C routine for requests that come back.
///
/// # Safety
///
/// `this` is a registered `H`, `request` and `result` are valid for reads, and the request is the driver's
/// to complete.
unsafe extern "C" fn returned<H: Handler>(
    this: *mut c_void,
    request: *const abi::d2d_request,
    result: *const abi::d2d_result,
) -> c_int {
    // SAFETY: As for `dispatch`; `result` is valid for reads.
    let (this, outcome) = unsafe { (handler::<H>(this), Outcome::new(&*result)) };
    // SAFETY: As for `dispatch`.
    unsafe {
        receive(this.name(), request, |request| {
            this.returned(request, outcome)
        })
    }
}

/// The C completion routine.
///
/// # Safety
///
/// `this` is a registered `H`, `result` is valid for reads. The request is the driver's alone.
unsafe extern "C" fn completed<H: Handler>(
    this: *mut c_void,
    request: abi::d2d_handle,
    result: *const abi::d2d_result,
) -> c_int {
    // SAFETY: As for `dispatch`; `result` is valid for reads. The driver gave the request up when it sent
    // it.
    let (this, completed) = unsafe { (handler::<H>(this), Completed::from_raw(request, *result)) };
    this.completed(completed);
    // If the driver has not kept it, it was freed by being dropped.
    abi::D2D_MORE_PROCESSING_REQUIRED as c_int
}

/// The C cancel routine.
///
/// # Safety
///
/// `this` is a registered `H`.
unsafe extern "C" fn cancelled<H: Handler>(this: *mut c_void, request: abi::d2d_handle) {
    // SAFETY: As for `dispatch`.
    unsafe { handler::<H>(this) }.cancelled(RequestId::from_raw(request));
}
