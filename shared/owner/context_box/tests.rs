// SPDX-License-Identifier: GPL-2.0

//! The contents of a new context, and its queues.

use super::*;
use core::ops::Deref;
use d2d::{
    queue::MAX_BATCH,
    testing::{
        module,
        TestPair,
        SHARED_WORDS, //
    }, //
};

struct TestContext {
    context: Context<TestPair>,
    _memory: ContextBox,
}

impl TestContext {
    fn new(id: u32, capacity: u32, item_size: u32) -> Result<Self> {
        let memory = ContextBox::new(
            c"d2d_kunit",
            module(),
            id,
            &Config::with_items(capacity, item_size),
            Sizes::of::<TestPair>(),
        )?;
        Ok(Self {
            // SAFETY: The box has the sizes of the pair. `deref` lends `context` from `self`, so no
            // caller uses it after `_memory` is dropped.
            context: unsafe { memory.context() },
            _memory: memory,
        })
    }
}

impl Deref for TestContext {
    type Target = Context<TestPair>;

    fn deref(&self) -> &Self::Target {
        &self.context
    }
}

const BATCH: usize = MAX_BATCH as usize;

/// Returns whether the pool has `capacity` items, no item is taken, no two items overlap, and each has the
/// right handle.
fn pool_is_whole(queue: *const abi::d2d_queue, capacity: u32, item_size: u32) -> bool {
    let size = core::mem::offset_of!(abi::d2d_item, payload) + item_size as usize;
    // SAFETY: The queue is initialized, so its pool has `capacity` pointers to items. No other thread uses
    // the queue.
    let pool = unsafe { core::slice::from_raw_parts((*queue).pool, (*queue).capacity as usize) };
    // SAFETY: As above.
    let id = unsafe { (*queue).id } << abi::D2D_ITEM_INDEX_BITS;
    let id = u64::from(abi::D2D_HANDLE_ITEM | id);
    let apart = |(n, item): (usize, &*mut abi::d2d_item)| {
        pool.iter()
            .take(n)
            .all(|other| item.addr().abs_diff(other.addr()) >= size)
    };
    // SAFETY: As above.
    let in_place = |(n, item): (usize, &*mut abi::d2d_item)| unsafe {
        item.is_aligned() && (**item).handle == id | n as u64 && (**item).claim == 0
    };
    pool.len() == capacity as usize
        && pool.iter().enumerate().all(apart)
        && pool.iter().enumerate().all(in_place)
}

#[kunit_tests(d2d_context_box)]
mod cases {
    use super::*;

    #[test]
    fn a_context_has_a_valid_header_and_ids() -> Result {
        let context = TestContext::new(3, 4, 8)?;
        let raw = context.as_raw();
        // SAFETY: `context` is alive, and no other thread uses it.
        let (header, owner, id, ids) = unsafe {
            (
                (*raw).hdr,
                (*raw).module,
                (*raw).id,
                [(*raw).to_peer.id, (*raw).to_owner.id],
            )
        };
        header::check::<abi::d2d_context>(
            c"d2d_kunit",
            "context",
            &header,
            abi::D2D_CONTEXT_MAGIC,
        )?;
        assert_eq!(owner, module());
        assert_eq!(id, 3);
        assert_eq!(context.id(), 3);
        assert_eq!(ids, [6, 7]);
        Ok(())
    }

    #[test]
    fn the_blocks_of_data_are_zeroed_and_their_sizes_stated() -> Result {
        let context = TestContext::new(0, 1, 8)?;
        let raw = context.as_raw();
        // SAFETY: `context` is alive, and no other thread uses it.
        let stated = unsafe {
            let data = &raw const (*raw).data;
            [(*data).owner_size, (*data).peer_size, (*data).shared_size]
        };
        assert_eq!(stated, [8, 12, 8 * SHARED_WORDS as u64]);
        assert_eq!(context.with_owner_data(|data| *data), [0; 2]);
        assert_eq!(context.with_peer_data(|data| *data), [0; 3]);
        assert!(context.with_shared(|shared| shared.iter().all(|word| *word == 0)));
        context.with_shared(|shared| shared.fill(!0));
        assert_eq!(context.with_peer_data(|data| *data), [0; 3]);
        Ok(())
    }

    #[test]
    fn both_pools_have_all_items() -> Result {
        // One item; one chunk; several chunks, the last not full; the largest items.
        for (capacity, item_size) in [(1, 8), (64, 64), (700, 13), (7, 4096)] {
            let context = TestContext::new(0, capacity, item_size)?;
            for queue in [context.to_peer(), context.to_owner()] {
                assert_eq!(queue.item_size(), item_size as usize);
                assert_eq!(
                    queue.put_batch(0, &[[0u8; 8]; 8])?,
                    8.min(capacity as usize)
                );
            }
            let raw = context.as_raw();
            // SAFETY: `context` is alive, and `&raw const` makes no reference.
            let queues = unsafe { [&raw const (*raw).to_peer, &raw const (*raw).to_owner] };
            for queue in queues {
                assert!(pool_is_whole(queue, capacity, item_size));
            }
        }
        Ok(())
    }

    #[test]
    fn a_queue_holds_its_capacity_to_the_last_item() -> Result {
        for capacity in [65537, 1 << 20] {
            let context = TestContext::new(63, capacity, 8)?;
            let queue = context.to_owner();
            let numbers = 0..u64::from(capacity);
            for first in numbers.clone().step_by(BATCH) {
                let batch: [u64; BATCH] = core::array::from_fn(|n| first + n as u64);
                let room = BATCH.min((numbers.end - first) as usize);
                assert_eq!(queue.put_batch(0, &batch)?, room);
            }
            assert_eq!(queue.put::<u64>(0, &0), Err(ENOSPC));
            for first in numbers.clone().step_by(BATCH) {
                let batch = queue.take_batch(MAX_BATCH);
                let expected = first..numbers.end.min(first + BATCH as u64);
                let right = batch.iter().map(|item| item.read()).eq(expected.map(Some));
                drop(batch);
                assert!(right);
            }
            assert_eq!(queue.counters().depth, 0);
        }
        Ok(())
    }

    #[test]
    fn the_bytes_of_a_context_are_those_allocated() -> Result {
        let config = Config::with_items(256, 64);
        let items = 2 * 256 * (40 + 64 + 8);
        let sizes = Sizes::of::<TestPair>();
        assert_eq!(config.context_bytes(sizes), sizes.context_bytes() + items);
        drop(ContextBox::new(c"d2d_kunit", module(), 0, &config, sizes)?);
        Ok(())
    }
}
