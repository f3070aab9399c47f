// SPDX-License-Identifier: GPL-2.0

//! The library's checked copy of a `struct d2d_driver`.

use crate::{
    export::Arg,
    probe::{
        self,
        Part, //
    }, //
};
use core::ffi::c_void;
use d2d::{
    abi,
    fields,
    header,
    trace::{
        refuse,
        Field, //
    }, //
};
use kernel::{
    bindings,
    ffi::c_int,
    prelude::*, //
};

type Dispatch = unsafe extern "C" fn(*mut c_void, *const abi::d2d_request) -> c_int;
type Returned =
    unsafe extern "C" fn(*mut c_void, *const abi::d2d_request, *const abi::d2d_result) -> c_int;
type Completed =
    unsafe extern "C" fn(*mut c_void, abi::d2d_handle, *const abi::d2d_result) -> c_int;
type Cancelled = unsafe extern "C" fn(*mut c_void, abi::d2d_handle);

/// A driver object, which never changes.
#[derive(Clone, Copy)]
pub(crate) struct Driver {
    name: [u8; abi::D2D_NAME_SIZE as usize],
    module: *const bindings::module,
    pub(crate) this: *mut c_void,
    pub(crate) dispatch: Dispatch,
    pub(crate) returned: Option<Returned>,
    pub(crate) completed: Option<Completed>,
    pub(crate) cancelled: Option<Cancelled>,
    hot_keys: *mut abi::d2d_hot_keys,
    flags: u32,
}

// SAFETY: The library passes `this` only to the driver's routines. By the contract of `struct
// d2d_driver`, any thread may call these. The library compares the address `module`, and reads the
// memory there only by copies that may fail. It switches the keys at `hot_keys` under a mutex.
unsafe impl Send for Driver {}
// SAFETY: As above, and a `Driver` does not change.
unsafe impl Sync for Driver {}

impl Driver {
    /// Any context.
    ///
    /// # Errors
    ///
    /// Those of `d2d_register` that concern the object, each with a line in the name of `owner`.
    pub(crate) fn copy(owner: &CStr, object: Arg<*const abi::d2d_driver>) -> Result<Self> {
        let object = object.get();
        let refused =
            |reason: &str, error: Error, fields: &[Field<'_>]| refuse(owner, reason, error, fields);
        let bad_pointer = || refused("bad-driver-pointer", EFAULT, &[]);
        let header = probe::read(object.cast::<abi::d2d_header>());
        let header = header
            .filter(|_| object.is_aligned())
            .ok_or_else(bad_pointer)?;
        header::check::<abi::d2d_driver>(owner, "driver", &header, abi::D2D_DRIVER_MAGIC)?;
        let object = probe::read(object).ok_or_else(bad_pointer)?;
        let name = object.name;
        let length = name.iter().position(|c| *c == 0).ok_or_else(|| {
            refused(
                "name-too-long",
                ENAMETOOLONG,
                &fields![max: abi::D2D_NAME_SIZE - 1],
            )
        })?;
        if length == 0 || !name[..length].iter().all(u8::is_ascii_graphic) {
            return Err(refused("bad-name", EINVAL, &fields![length: length]));
        }
        let (Some(dispatch), false) = (object.dispatch, object.owner.is_null()) else {
            return Err(refused("no-dispatch-or-owner", EFAULT, &[]));
        };
        let text =
            Part::text(object.owner).ok_or_else(|| refused("bad-module-pointer", EFAULT, &[]))?;
        if !text.contains(dispatch as usize) {
            return Err(refused("dispatch-outside-text", ENOEXEC, &[]));
        }
        let routines = [
            object.returned.map(|routine| routine as usize),
            object.completed.map(|routine| routine as usize),
            object.cancelled.map(|routine| routine as usize),
        ];
        if !text.contains_all(routines) {
            return Err(refused("routine-outside-text", ENOEXEC, &[]));
        }
        let hot_keys = object.hot_keys;
        if !hot_keys.is_null() {
            let data = Part::data(object.owner);
            let last = hot_keys.wrapping_add(1).wrapping_byte_sub(1);
            let is_inside = data.is_some_and(|data| {
                hot_keys.is_aligned()
                    && last >= hot_keys
                    && data.contains(hot_keys as usize)
                    && data.contains(last as usize)
            });
            if !is_inside {
                return Err(refused("hot-keys-outside-data", ENOEXEC, &[]));
            }
        }
        let known = abi::D2D_DISPATCH_ATOMIC | abi::D2D_DISPATCH_IN_PLACE;
        if object.flags & !known != 0 || object.reserved != 0 {
            return Err(refused("bad-flags", EINVAL, &fields![flags: object.flags]));
        }

        Ok(Self {
            name,
            module: object.owner,
            this: object.self_,
            dispatch,
            returned: object.returned,
            completed: object.completed,
            cancelled: object.cancelled,
            hot_keys,
            flags: object.flags,
        })
    }

    #[inline(never)]
    pub(crate) fn name(&self) -> &CStr {
        // `copy` has refused a name without a NUL.
        CStr::from_bytes_until_nul(&self.name).unwrap_or(c"?")
    }

    pub(crate) fn module(&self) -> *const bindings::module {
        self.module
    }

    /// Null, or keys in the module's data.
    pub(crate) fn hot_keys(&self) -> *mut abi::d2d_hot_keys {
        self.hot_keys
    }

    #[inline]
    pub(crate) fn is_atomic(&self) -> bool {
        self.flags & abi::D2D_DISPATCH_ATOMIC != 0
    }

    #[inline]
    pub(crate) fn uses_in_place(&self) -> bool {
        self.flags & abi::D2D_DISPATCH_IN_PLACE != 0
    }
}
