// SPDX-License-Identifier: GPL-2.0

//! Whether this module's driver is leaving or has left: `d2d.h` says what `d2d_leave` does.

use crate::word::AtomicWord;
use kernel::sync::atomic::Atomic;

static HAS_BEGUN: Atomic<u64> = Atomic::new(0);

/// Notes that the driver leaves. From then on, dropping an event or a request does not call the owner: the owner
/// closes and frees them when the driver unregisters. Any context.
#[doc(hidden)]
pub fn note_begun() {
    u64::store_release(&HAS_BEGUN, 1);
}

pub(crate) fn has_begun() -> bool {
    u64::load_acquire(&HAS_BEGUN) != 0
}
