// SPDX-License-Identifier: GPL-2.0

//! The module of an owner in C: the functions of `d2d_owner.h` and of the table. Kbuild compiles
//! this file for each such owner, and states the owner's name in `RUST_MODFILE`. The sources in C
//! have the module's `module_init()` and `MODULE_LICENSE()`.

use d2d_owner::{
    abi,
    c_owner::CModule,
    export::Exports, //
};
use kernel::{
    ffi::c_int,
    prelude::*,
    ModuleMetadata, //
};

static EXPORTS: Exports = Exports::new(OwnerModule::NAME);

static STARTED: CModule<OwnerModule> = CModule::new(&EXPORTS);

struct OwnerModule;

impl ModuleMetadata for OwnerModule {
    const NAME: &'static CStr =
        match CStr::from_bytes_with_nul(concat!(env!("RUST_MODFILE"), "\0").as_bytes()) {
            Ok(name) => name,
            Err(_) => panic!("the name of the owner has a NUL"),
        };

    const THIS_MODULE: ThisModule = {
        unsafe extern "C" {
            static __this_module: [u8; 0];
        }
        // SAFETY: `__this_module` is the `struct module` of the module into which this is linked.
        // The kernel keeps it while the module's code can run.
        unsafe { ThisModule::from_ptr((&raw const __this_module).cast_mut().cast()) }
    };
}

// Does not compile if a prototype differs from that of the C header.
const _: unsafe extern "C" fn(*const abi::d2d_owner, *mut abi::d2d_handle) -> c_int =
    abi::d2d_owner_start;
const _: unsafe extern "C" fn() = abi::d2d_owner_stop;
const _: unsafe extern "C" fn(*mut abi::d2d_context, *mut abi::d2d_peer) -> c_int =
    abi::d2d_peer_enter;
const _: unsafe extern "C" fn(*mut abi::d2d_context, *const abi::d2d_peer) = abi::d2d_peer_exit;
const _: unsafe extern "C" fn(*mut abi::d2d_context, *mut abi::d2d_handle) -> c_int =
    abi::d2d_peer_lookup;

/// # Safety
///
/// As `d2d_owner.h` says.
#[no_mangle]
unsafe extern "C" fn d2d_owner_start(
    owner: *const abi::d2d_owner,
    handle: *mut abi::d2d_handle,
) -> c_int {
    // SAFETY: The caller keeps the contract of the header.
    unsafe { STARTED.start(owner, handle) }
}

/// # Safety
///
/// As `d2d_owner.h` says.
#[no_mangle]
unsafe extern "C" fn d2d_owner_stop() {
    STARTED.stop();
}

/// # Safety
///
/// As `d2d_owner.h` says.
#[no_mangle]
unsafe extern "C" fn d2d_peer_enter(
    context: *mut abi::d2d_context,
    peer: *mut abi::d2d_peer,
) -> c_int {
    // SAFETY: The caller keeps the contract of the header.
    unsafe { d2d_owner::c_owner::enter(context, peer) }
}

/// # Safety
///
/// As `d2d_owner.h` says.
#[no_mangle]
unsafe extern "C" fn d2d_peer_exit(context: *mut abi::d2d_context, peer: *const abi::d2d_peer) {
    // SAFETY: The caller keeps the contract of the header.
    unsafe { d2d_owner::c_owner::exit(context, peer) }
}

/// # Safety
///
/// As `d2d_owner.h` says.
#[no_mangle]
unsafe extern "C" fn d2d_peer_lookup(
    context: *mut abi::d2d_context,
    peer: *mut abi::d2d_handle,
) -> c_int {
    // SAFETY: The caller keeps the contract of the header.
    unsafe { d2d_owner::c_owner::lookup(context, peer) }
}

d2d_owner::module_owner! { @functions }
