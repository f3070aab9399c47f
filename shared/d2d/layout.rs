// SPDX-License-Identifier: GPL-2.0

//! The layout of the boundary, as `shared/include/d2d.h` states it for C.
//!
//! The C compiler checks the one, rustc the other: what they agree on here is that bindgen's types
//! are those that C drivers use.

use crate::abi::*;
use core::mem::offset_of;
use kernel::bindings::spinlock_t;

const _: () = {
    const LOCK: usize = size_of::<spinlock_t>().next_multiple_of(8);
    const QUEUE: usize = LOCK + 72;

    assert!(size_of::<d2d_header>() == 16);
    assert!(size_of::<d2d_ops>() == 8);
    assert!(size_of::<d2d_endpoint>() == 16);
    assert!(offset_of!(d2d_item, payload) == 32);
    assert!(offset_of!(d2d_queue, items) == LOCK);
    assert!(offset_of!(d2d_queue, free) == LOCK + 16);
    assert!(offset_of!(d2d_queue, put) == LOCK + 48);
    assert!(size_of::<d2d_queue>() == QUEUE);
    assert!(offset_of!(d2d_data, owner) == LOCK);
    assert!(size_of::<d2d_data>() == LOCK + 2 * D2D_DATA_SIZE as usize);
    assert!(offset_of!(d2d_context, owner) == 24);
    assert!(offset_of!(d2d_context, peer) == 40);
    assert!(offset_of!(d2d_context, to_peer) == 56);
    assert!(offset_of!(d2d_context, to_owner) == 56 + QUEUE);
    assert!(offset_of!(d2d_context, data) == 56 + 2 * QUEUE);
    assert!(size_of::<d2d_request>() == 40);
    assert!(offset_of!(d2d_driver, dispatch) == 64);
    assert!(size_of::<d2d_driver>() == 72);
};
