// SPDX-License-Identifier: GPL-2.0

//! Whether the driver of this module leaves, or has left.

use kernel::sync::atomic::{
    ordering::{
        Acquire,
        Release, //
    },
    Atomic, //
};

/// Not 0 once it leaves: its events are closed with that, and its requests are freed when it is
/// unregistered.
static LEFT: Atomic<u32> = Atomic::new(0);

/// Notes that the driver leaves, so that what it still holds of events and requests is dropped without
/// freeing it twice.
#[doc(hidden)]
pub fn note() {
    LEFT.store(1, Release);
}

pub(crate) fn is_noted() -> bool {
    LEFT.load(Acquire) != 0
}
