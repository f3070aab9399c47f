// SPDX-License-Identifier: GPL-2.0

//! Contexts as the owner allocates them, and the parameters that say what they are like.

use crate::{
    block::Block,
    config,
    config::{
        Config,
        Learn, //
    },
    module,
    TestContext, //
};
use d2d::{
    abi,
    header,
    queue::MAX_BATCH, //
};
use kernel::prelude::*;

/// Items that are put together.
const BATCH: usize = MAX_BATCH as usize;

/// What parameters are refused with, if they are: contexts, capacity, item size, completion, timeout.
fn refusal(parameters: [u32; 5]) -> Option<Error> {
    let [contexts, capacity, item_size, completion, timeout] = parameters;
    Config::new(
        c"d2d_kunit",
        contexts,
        capacity,
        item_size,
        completion,
        timeout,
    )
    .err()
}

/// Whether the pool of a queue has `capacity` items, all of them free, each in its place, none
/// overlapping another.
fn pool_is_whole(queue: *const abi::d2d_queue, capacity: u32, item_size: u32) -> bool {
    let size = core::mem::offset_of!(abi::d2d_item, payload) + item_size as usize;
    // SAFETY: The queue is initialized, and nobody else uses it.
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
        item.is_aligned() && (**item).handle == id | n as u64 && (**item).handed == 0
    };
    pool.len() == capacity as usize
        && pool.iter().enumerate().all(apart)
        && pool.iter().enumerate().all(in_place)
}

#[kunit_tests(d2d_block)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_one_of_this_abi() -> Result {
        let context = TestContext::new(3, 4, 8)?;
        let raw = context.as_raw();
        // SAFETY: The context is there, and nobody else uses it.
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
    fn both_pools_are_whole() -> Result {
        // One item; one chunk; more chunks than one, the last one not full; items as large as can be.
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
            // SAFETY: The context is there; no references are made.
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
    fn data_of_both_sides_are_kept_apart() -> Result {
        let context = TestContext::new(0, 1, 8)?;
        context.with_owner_data(|data| data.queue_capacity = 11);
        context.with_peer_data(|data| data.cookie = 22);
        assert_eq!(context.with_owner_data(|data| data.queue_capacity), 11);
        assert_eq!(context.with_owner_data(|data| data.item_size), 0);
        assert_eq!(context.with_peer_data(|data| data.cookie), 22);
        Ok(())
    }

    #[test]
    fn the_bytes_of_a_context_are_those_allocated() -> Result {
        let config = config(256, 64);
        let items = 2 * 256 * (40 + 64 + 8);
        assert_eq!(
            config.context_bytes(),
            size_of::<abi::d2d_context>() + items
        );
        drop(Block::new(c"d2d_kunit", module(), 0, &config)?);
        Ok(())
    }

    #[test]
    fn memory_that_is_not_there_is_not_asked_for() -> Result {
        let largest = Config::new(c"d2d_kunit", 64, 1 << 20, 4096, 0, 1)?;
        assert_eq!(largest.check_memory(), Err(ENOMEM));
        assert_eq!(config(1, 8).check_memory(), Ok(()));
        Ok(())
    }

    #[test]
    fn parameters_have_a_range() {
        assert_eq!(refusal([1, 1, 8, 0, 1]), None);
        assert_eq!(refusal([64, 1 << 20, 4096, 2, 600_000]), None);
        let out_of_range = [
            [0, 1, 8, 0, 1],
            [65, 1, 8, 0, 1],
            [1, 0, 8, 0, 1],
            [1, (1 << 20) + 1, 8, 0, 1],
            [1, 1, 7, 0, 1],
            [1, 1, 4097, 0, 1],
            [1, 1, 8, 3, 1],
            [1, 1, 8, 0, 0],
            [1, 1, 8, 0, 600_001],
        ];
        for parameters in out_of_range {
            assert_eq!(refusal(parameters), Some(ERANGE));
        }
    }

    #[test]
    fn completion_is_a_way_to_learn() -> Result {
        for (completion, learn) in [Learn::Return, Learn::Routine, Learn::Wait]
            .into_iter()
            .enumerate()
        {
            let config = Config::new(c"d2d_kunit", 1, 1, 8, completion as u32, 1)?;
            assert!(config.learn == learn);
        }
        Ok(())
    }
}
