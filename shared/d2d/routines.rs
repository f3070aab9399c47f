// SPDX-License-Identifier: GPL-2.0

//! The routines of a driver, and the functions that the owner calls to reach them from C.

use crate::{
    abi,
    header,
    hot_step,
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

/// The routines of a driver. `struct d2d_driver` in `d2d.h` says in which execution context each is called.
pub trait Routines: Send + Sync + Sized + 'static {
    /// Whether [`dispatch`](Routines::dispatch) never sleeps.
    const DISPATCH_ATOMIC: bool;

    /// Returns the driver's name.
    fn name(&self) -> &'static CStr;

    /// Receives a request.
    fn dispatch<'a>(this: ArcBorrow<'a, Self>, request: Request<'a>) -> Disposition<'a>;

    /// Receives a request that the driver has forwarded, and the other driver's result.
    fn returned<'a>(&self, request: Request<'a>, outcome: Outcome) -> Disposition<'a>;

    /// Receives a request that the driver has sent, and its result.
    fn completed(&self, completed: Completed);

    /// Tells the driver that a request that it has left pending was cancelled.
    fn cancelled(&self, id: RequestId);
}

/// Makes the driver object of `driver`, whose code is in `module`. The owner refuses to register the object if the
/// name leaves no room for its NUL.
pub fn driver_object<T: Routines>(
    driver: &Arc<T>,
    module: *mut bindings::module,
) -> abi::d2d_driver {
    let this = Arc::as_ptr(driver).cast_mut().cast();
    abi::d2d_driver {
        dispatch: Some(dispatch::<T>),
        returned: Some(returned::<T>),
        completed: Some(completed::<T>),
        cancelled: Some(cancelled::<T>),
        flags: abi::D2D_DISPATCH_IN_PLACE
            | match T::DISPATCH_ATOMIC {
                true => abi::D2D_DISPATCH_ATOMIC,
                false => 0,
            },
        ..object_without_routines(driver.name(), module, this)
    }
}

/// Makes a driver object for routines that the caller adds. They get `this` as their first argument. The owner refuses
/// to register the object if the name leaves no room for its NUL.
pub fn object_without_routines(
    name: &CStr,
    module: *mut bindings::module,
    this: *mut c_void,
) -> abi::d2d_driver {
    let mut object = abi::d2d_driver {
        hdr: header::new::<abi::d2d_driver>(abi::D2D_DRIVER_MAGIC),
        name: [0; abi::D2D_NAME_SIZE as usize],
        owner: module,
        self_: this,
        dispatch: None,
        returned: None,
        completed: None,
        cancelled: None,
        hot_keys: hot_step::keys(),
        flags: 0,
        reserved: 0,
    };
    for (to, from) in object.name.iter_mut().zip(name.to_bytes()) {
        *to = *from;
    }
    object
}

/// # Safety
///
/// `this` is what `Arc::as_ptr` returns for an `Arc<T>`. For `'a`, an `Arc` of this value exists.
unsafe fn driver<'a, T: Routines>(this: *mut c_void) -> ArcBorrow<'a, T> {
    // SAFETY: By the caller, `this` is the pointer of an `Arc<T>`, and an `Arc` of this value exists for `'a`.
    unsafe { ArcBorrow::from_raw(this.cast::<T>().cast_const()) }
}

/// # Safety
///
/// `this` is the `self` of a registered driver object of a `T`. `request` is valid for reads, and is a request that
/// the driver has received.
unsafe extern "C" fn dispatch<T: Routines>(
    this: *mut c_void,
    request: *const abi::d2d_request,
) -> c_int {
    // SAFETY: `driver_object` made `this` from an `Arc<T>`. The code that has registered the object keeps this `Arc`
    // until the owner has removed the object. The owner waits for this call before it does so. By the caller, `request`
    // is valid for reads during the call, and is a request that the driver has received.
    unsafe {
        receive(driver::<T>(this).name(), request, |request| {
            T::dispatch(driver::<T>(this), request)
        })
    }
}

/// # Safety
///
/// As for `dispatch`; and `result` is valid for reads.
unsafe extern "C" fn returned<T: Routines>(
    this: *mut c_void,
    request: *const abi::d2d_request,
    result: *const abi::d2d_result,
) -> c_int {
    // SAFETY: As for `dispatch`; and `result` is valid for reads.
    unsafe {
        let (this, outcome) = (driver::<T>(this), Outcome::new(&*result));
        receive(this.name(), request, |request| {
            this.returned(request, outcome)
        })
    }
}

/// # Safety
///
/// `this` is as for `dispatch`. `result` is valid for reads. `request` is the handle of a request that has come back
/// to the driver, its sender.
unsafe extern "C" fn completed<T: Routines>(
    this: *mut c_void,
    request: abi::d2d_handle,
    result: *const abi::d2d_result,
) -> c_int {
    // SAFETY: `this` is as for `dispatch`, and `result` is valid for reads. The request has come back. No `Packet` has
    // the handle: if it is the request of a handshake, the owner's library has sent it, without a `Packet`. Otherwise
    // the driver gave its `Packet` up when it sent the request.
    let (this, completed) = unsafe { (driver::<T>(this), Completed::from_raw(request, *result)) };
    this.completed(completed);
    // If the driver has not kept the `Packet`, dropping that has freed the request. But if the driver is leaving,
    // `d2d_unregister` frees the request.
    abi::D2D_MORE_PROCESSING_REQUIRED as c_int
}

/// # Safety
///
/// `this` is as for `dispatch`.
unsafe extern "C" fn cancelled<T: Routines>(this: *mut c_void, request: abi::d2d_handle) {
    // SAFETY: `this` is as for `dispatch`.
    unsafe { driver::<T>(this) }.cancelled(RequestId::from_raw(request));
}
