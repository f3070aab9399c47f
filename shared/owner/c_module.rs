// SPDX-License-Identifier: GPL-2.0

//! The module of an owner in C: the functions of `d2d_owner.h` and of the table. Kbuild compiles
//! this file for each such owner, and states the owner's name in `RUST_MODFILE`.

use d2d_owner::{
    abi,
    c_owner::{
        self,
        CModule, //
    },
    export::Exports, //
};
use kernel::{
    ffi::c_int,
    prelude::*,
    ModuleMetadata, //
};

static EXPORTS: Exports = Exports::new(OwnerModule::NAME);

static MODULE: CModule<OwnerModule> = CModule::new(&EXPORTS);

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
        // SAFETY: `__this_module` is the `struct module` of this module. The kernel keeps it while
        // the module's code can run.
        unsafe { ThisModule::from_ptr((&raw const __this_module).cast_mut().cast()) }
    };
}

// Does not compile if the prototype differs from that of the C header.
const _: unsafe extern "C" fn() = abi::d2d_owner_stop;

/// # Safety
///
/// As `d2d_owner.h` says.
#[no_mangle]
unsafe extern "C" fn d2d_owner_stop() {
    MODULE.stop();
}

macro_rules! functions {
    ($(fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)? => $call:expr;)*) => {$(
        const _: unsafe extern "C" fn($($type),*) $(-> $result)? = abi::$name;

        /// # Safety
        ///
        /// As `d2d_owner.h` says.
        #[no_mangle]
        unsafe extern "C" fn $name($($argument: $type),*) $(-> $result)? {
            // SAFETY: The caller keeps the contract of the header.
            unsafe { $call }
        }
    )*};
}

functions! {
    fn d2d_owner_start(owner: *const abi::d2d_owner, handle: *mut abi::d2d_handle) -> c_int
        => MODULE.start(owner, handle);
    fn d2d_peer_enter(context: *mut abi::d2d_context, peer: *mut abi::d2d_peer) -> c_int
        => c_owner::store(c_owner::enter(context), peer);
    fn d2d_peer_exit(context: *mut abi::d2d_context, peer: *const abi::d2d_peer)
        => c_owner::exit(context, peer);
    fn d2d_peer_lookup(context: *mut abi::d2d_context, peer: *mut abi::d2d_handle) -> c_int
        => c_owner::store(c_owner::lookup(context), peer);
}

d2d_owner::module_owner! { @functions }
