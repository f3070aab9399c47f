// SPDX-License-Identifier: GPL-2.0

//! Whether the driver of this module is still registered.

use kernel::sync::atomic::{
    ordering::{
        Acquire,
        Release, //
    },
    Atomic, //
};

/// Not 0 once it is not; its events and requests are gone with that.
static LEFT: Atomic<u32> = Atomic::new(0);

/// Notes that the driver is not registered any more, so that what it still holds of events and requests
/// is dropped without freeing it twice.
#[doc(hidden)]
pub fn note() {
    LEFT.store(1, Release);
}

pub(crate) fn is_noted() -> bool {
    LEFT.load(Acquire) != 0
}
