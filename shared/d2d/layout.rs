// SPDX-License-Identifier: GPL-2.0

//! The layout of the boundary, as `shared/include/d2d.h` states it for C.
//!
//! The C compiler checks the header, and rustc checks bindgen's types against the same sizes and
//! offsets here. [`LAYOUT`] is `D2D_LAYOUT`, a hash of them: each driver states at run time the
//! layout that it was built with.

use crate::abi::*;
use core::mem::offset_of;
use kernel::bindings::spinlock_t;

const _: () = {
    const LOCK: usize = size_of::<spinlock_t>().next_multiple_of(8);
    const CACHE_LINE: usize = D2D_CACHE_LINE as usize;
    const FIRST: usize = (size_of::<spinlock_t>() + 4).next_multiple_of(8);
    const RELEASED: usize = (FIRST + 52).next_multiple_of(CACHE_LINE);
    const QUEUE: usize = RELEASED + 2 * CACHE_LINE;

    assert!(size_of::<d2d_header>() == 16);
    assert!(size_of::<d2d_ops>() == 24);
    assert!(size_of::<d2d_lent>() == 24);
    assert!(size_of::<d2d_endpoint>() == 40);
    assert!(offset_of!(d2d_item, payload) == 40);
    assert!(offset_of!(d2d_queue, first) == FIRST);
    assert!(offset_of!(d2d_queue, released) == RELEASED);
    assert!(offset_of!(d2d_queue, pool) == RELEASED + CACHE_LINE);
    assert!(size_of::<d2d_queue>() == QUEUE);
    assert!(offset_of!(d2d_data, owner_size) == LOCK);
    assert!(offset_of!(d2d_data, blocks) == LOCK + 24);
    assert!(size_of::<d2d_data>() == LOCK + 24);
    assert!(offset_of!(d2d_context, owner) == 32);
    assert!(offset_of!(d2d_context, peer) == 72);
    assert!(offset_of!(d2d_context, to_peer) == 128);
    assert!(offset_of!(d2d_context, to_owner) == 128 + QUEUE);
    assert!(offset_of!(d2d_context, data) == 128 + 2 * QUEUE);
    assert!(size_of::<d2d_request>() == 72);
    assert!(offset_of!(d2d_result, ended) == 24);
    assert!(size_of::<d2d_result>() == 32);
    assert!(offset_of!(d2d_send, tag) == 48);
    assert!(size_of::<d2d_send>() == 72);
    assert!(offset_of!(d2d_driver, dispatch) == 64);
    assert!(size_of::<d2d_driver>() == 112);
};

/// FNV-1a over 32-bit words.
const fn mix(hash: u32, value: usize) -> u32 {
    (hash ^ value as u32).wrapping_mul(0x0100_0193)
}

macro_rules! layout {
    ($($type:ident { $($field:ident)* })*) => {{
        let mut hash = 0x811c_9dc5;
        $(
            hash = mix(hash, size_of::<$type>());
            $(hash = mix(hash, offset_of!($type, $field));)*
        )*
        hash
    }};
}

/// Hash of the sizes and offsets of all structures that cross the boundary, and of the number of
/// static keys.
pub(crate) const LAYOUT: u32 = mix(STRUCTURES, D2D_GROUP_COUNT as usize);

const STRUCTURES: u32 = layout! {
    d2d_header { magic size major minor layout }
    d2d_ops { size major minor build chain }
    d2d_lent { memory size hash }
    d2d_endpoint { ops self_ lent }
    d2d_item { next seq kind len handle claim payload }
    d2d_queue {
        lock high_water first last free put taken refused
        handed released pool capacity item_size doorbell stale id
    }
    d2d_data { lock owner_size peer_size shared_size blocks }
    d2d_context { hdr id module owner peer to_peer to_owner data }
    d2d_request {
        hdr handle major_function code user_buffer driver input_len output_len input output
    }
    d2d_result { information tag status output_len ended }
    d2d_send {
        hdr to major_function code input user_buffer tag input_len output_len flags
    }
    d2d_driver { hdr name owner self_ dispatch returned completed cancelled points flags }
};
