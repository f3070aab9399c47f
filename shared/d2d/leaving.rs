// SPDX-License-Identifier: GPL-2.0

//! Whether this module's driver is leaving (`d2d_leave` in `d2d.h`) or has left.

use crate::word::AtomicWord;
use kernel::sync::atomic::Atomic;

static HAS_BEGUN: Atomic<u64> = Atomic::new(0);

/// Notes that the driver leaves. From then on, dropping an event or a request does not call the owner: unregistering
/// closes all events of the driver and frees all its requests. Any context.
#[doc(hidden)]
pub fn note_begun() {
    u64::store_release(&HAS_BEGUN, 1);
}

pub(crate) fn has_begun() -> bool {
    u64::load_acquire(&HAS_BEGUN) != 0
}
