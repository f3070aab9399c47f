// SPDX-License-Identifier: GPL-2.0

//! Queues: order, bounds, counters, handles, and the use of one queue by C and Rust.

use super::*;
use crate::testing::TestContext;
use kernel::ffi::c_int;

const KIND: u32 = 7;

unsafe extern "C" {
    fn d2d_kunit_put(queue: *mut abi::d2d_queue, kind: u32, payload: u64) -> c_int;
    fn d2d_kunit_take(queue: *mut abi::d2d_queue) -> abi::d2d_handle;
    fn d2d_kunit_release(queue: *mut abi::d2d_queue, handle: abi::d2d_handle) -> c_int;
}

fn raw(context: &TestContext) -> *mut abi::d2d_queue {
    // SAFETY: `context` is alive, and `&raw mut` makes no reference.
    unsafe { &raw mut (*context.as_raw()).to_peer }
}

/// Returns whether a batch has exactly these numbers as payloads, in this order.
fn holds(batch: &Batch<'_>, numbers: &[u64]) -> bool {
    batch.len() == numbers.len()
        && batch
            .iter()
            .map(|item| item.read::<u64>())
            .eq(numbers.iter().map(|number| Some(*number)))
}

fn next_is(queue: &Queue<'_>, number: u64) -> bool {
    queue.take().is_some_and(|batch| holds(&batch, &[number]))
}

fn take_raw(queue: &Queue<'_>) -> Result<abi::d2d_handle> {
    queue.take_handle().map(ItemHandle::into_raw).ok_or(ENOENT)
}

fn revoke(queue: &Queue<'_>) -> u32 {
    // SAFETY: The tests' C code redeems no item.
    unsafe { queue.revoke_handles(true) }
}

fn refusal(queue: &Queue<'_>, handle: abi::d2d_handle) -> Option<Error> {
    queue.redeem(ItemHandle::from_raw(handle)).err()
}

#[kunit_tests(d2d_queue)]
mod cases {
    use super::*;

    #[test]
    fn first_in_first_out() -> Result {
        let context = TestContext::new(0, 4, 8)?;
        let queue = context.to_peer();
        for number in 10u64..14 {
            queue.put(KIND, &number)?;
        }
        for number in 10..14 {
            assert!(next_is(&queue, number));
        }
        assert!(queue.take().is_none());
        Ok(())
    }

    #[test]
    fn items_keep_their_kind_and_number() -> Result {
        let context = TestContext::new(0, 2, 8)?;
        let queue = context.to_peer();
        for seq in 0..5 {
            queue.put(KIND + 1, &seq)?;
            let batch = queue.take().ok_or(ENOENT)?;
            let item = batch.iter().next().ok_or(ENOENT)?;
            assert_eq!(item.seq, seq);
            assert_eq!(item.kind, KIND + 1);
            assert_eq!(item.payload, &seq.to_le_bytes()[..]);
        }
        Ok(())
    }

    #[test]
    fn batches_keep_the_order() -> Result {
        let context = TestContext::new(0, 8, 8)?;
        let queue = context.to_peer();
        assert_eq!(queue.put_batch::<u64>(KIND, &[1, 2, 3, 4, 5])?, 5);
        assert!(holds(&queue.take_batch(2), &[1, 2]));
        assert_eq!(queue.put_batch::<u64>(KIND, &[6])?, 1);
        assert!(holds(&queue.take_batch(100), &[3, 4, 5, 6]));
        assert!(queue.take_batch(1).is_empty());
        Ok(())
    }

    #[test]
    fn the_size_of_a_batch_is_bounded() {
        for (size, count) in [
            (0, 128),
            (8, 128),
            (32, 128),
            (33, 124),
            (1024, 4),
            (4096, 1),
        ] {
            assert_eq!(batch_of(size), count);
        }
        // No item's payload is that large, but a batch has at least one item.
        assert_eq!(batch_of(4097), 1);
    }

    #[test]
    fn the_number_of_items_in_a_batch_is_bounded() -> Result {
        const MORE: usize = MAX_BATCH as usize + 20;
        let context = TestContext::new(0, MORE as u32, 8)?;
        let queue = context.to_peer();
        assert_eq!(queue.put_batch(KIND, &[1u64; MORE])?, MORE);
        assert_eq!(queue.take_batch(u32::MAX).len(), MAX_BATCH as usize);
        assert_eq!(queue.take_batch(u32::MAX).len(), 20);
        Ok(())
    }

    #[test]
    fn a_batch_ends_at_the_first_payload_that_is_refused() -> Result {
        // The queue has room for two payloads, and again after each refusal.
        let payloads = [1u64, 2, 3, 4, 5, 6, 7];
        let mut passed = 0;
        let result = put_chunks(&payloads, 3, |chunk| {
            passed += chunk.len();
            chunk.len().min(2)
        });
        assert_eq!((result, passed), ((2, 4), 3));
        assert_eq!(put_chunks(&payloads, 3, <[u64]>::len), (7, 0));

        // The payloads that were not passed on count as refused, too.
        const MORE: usize = MAX_BATCH as usize + 20;
        let context = TestContext::new(0, 2, 8)?;
        let queue = context.to_peer();
        assert_eq!(queue.put_batch(KIND, &[1u64; MORE])?, 2);
        assert_eq!(queue.counters().refused, MORE as u64 - 2);
        Ok(())
    }

    #[test]
    fn empty_batches_change_nothing() -> Result {
        let context = TestContext::new(0, 2, 8)?;
        let queue = context.to_peer();
        queue.put::<u64>(KIND, &1)?;
        assert_eq!(queue.put_batch::<u64>(KIND, &[])?, 0);
        assert!(queue.take_batch(0).is_empty());
        assert_eq!(queue.counters().depth, 1);
        assert!(next_is(&queue, 1));
        Ok(())
    }

    #[test]
    fn a_full_queue_refuses_and_counts() -> Result {
        let context = TestContext::new(0, 2, 8)?;
        let queue = context.to_peer();
        assert_eq!(queue.put_batch::<u64>(KIND, &[1, 2, 3, 4])?, 2);
        assert_eq!(queue.counters().refused, 2);
        assert_eq!(queue.put::<u64>(KIND, &5), Err(ENOSPC));
        assert_eq!(queue.counters().refused, 3);
        assert_eq!(queue.counters().put, 2);
        assert!(holds(&queue.take_batch(9), &[1, 2]));
        queue.put::<u64>(KIND, &6)?;
        assert!(next_is(&queue, 6));
        Ok(())
    }

    #[test]
    fn dropping_taken_items_releases_them() -> Result {
        let context = TestContext::new(0, 1, 8)?;
        let queue = context.to_peer();
        queue.put::<u64>(KIND, &1)?;
        let batch = queue.take().ok_or(ENOENT)?;
        let while_held = queue.put::<u64>(KIND, &2);
        drop(batch);
        assert_eq!(while_held, Err(ENOSPC));
        queue.put::<u64>(KIND, &3)?;
        Ok(())
    }

    #[test]
    fn too_large_payloads_are_refused() -> Result {
        let context = TestContext::new(0, 2, 12)?;
        let queue = context.to_peer();
        assert_eq!(queue.put(KIND, &[0u8; 12]), Ok(()));
        assert_eq!(queue.put(KIND, &[0u8; 13]), Err(EMSGSIZE));
        assert_eq!(queue.put_batch(KIND, &[[0u8; 13]]), Err(EMSGSIZE));
        assert_eq!(queue.counters().put, 1);
        assert_eq!(queue.counters().refused, 0);
        Ok(())
    }

    #[test]
    fn released_items_are_used_again_in_any_order() -> Result {
        let context = TestContext::new(0, 4, 8)?;
        let queue = context.to_peer();
        for round in 0u64..10 {
            assert_eq!(queue.put_batch(KIND, &[round, round + 1, round + 2])?, 3);
            let first = queue.take().ok_or(ENOENT)?;
            let others = queue.take_batch(2);
            // Of the four items, one is free.
            assert_eq!(queue.put_batch(KIND, &[7u64, 8])?, 1);
            assert!(holds(&first, &[round]) && holds(&others, &[round + 1, round + 2]));
            drop(others);
            assert_eq!(queue.put_batch(KIND, &[8u64, 9, 10])?, 2);
            drop(first);
            assert_eq!(queue.put_batch(KIND, &[10u64, 11])?, 1);
            assert!(holds(&queue.take_batch(9), &[7, 8, 9, 10]));
        }
        Ok(())
    }

    #[test]
    fn typed_items_are_values() -> Result {
        let context = TestContext::new(0, 2, 16)?;
        let queue = context.to_peer();
        assert_eq!(queue.typed::<[u64; 3]>().err(), Some(EMSGSIZE));
        let typed = queue.typed::<[u64; 2]>()?;
        assert!(typed.take().is_none());
        typed.put(KIND, &[1, 2])?;
        typed.put(KIND + 1, &[3, 4])?;
        assert_eq!(typed.put(KIND, &[5, 6]), Err(ENOSPC));
        assert_eq!(queue.counters().refused, 1);
        let taken = typed.take().ok_or(ENOENT)?;
        let other = typed.take().ok_or(ENOENT)?;
        assert_eq!(taken.value(), Some(&[1, 2]));
        assert_eq!(other.value(), Some(&[3, 4]));
        assert_eq!(typed.put(KIND, &[5, 6]), Err(ENOSPC));
        drop(taken);
        queue.put::<u64>(KIND, &7)?;
        assert_eq!(typed.take().ok_or(ENOENT)?.value(), None);
        Ok(())
    }

    #[test]
    fn payloads_of_another_size_are_not_read() -> Result {
        let context = TestContext::new(0, 2, 16)?;
        let queue = context.to_peer();
        queue.put::<u32>(KIND, &5)?;
        let batch = queue.take().ok_or(ENOENT)?;
        let item = batch.iter().next().ok_or(ENOENT)?;
        assert!(item.read::<u64>().is_none());
        assert!(item.read::<u16>().is_none());
        assert_eq!(item.read::<u32>(), Some(5));
        Ok(())
    }

    #[test]
    fn counters_count_puts_and_takes() -> Result {
        let context = TestContext::new(0, 8, 8)?;
        let queue = context.to_peer();
        queue.put_batch::<u64>(KIND, &[1, 2, 3, 4, 5])?;
        drop(queue.take_batch(4));
        queue.put_batch::<u64>(KIND, &[6, 7])?;
        let counters = queue.counters();
        assert_eq!(counters.depth, 3);
        assert_eq!(counters.high_water, 5);
        assert_eq!(counters.put, 7);
        assert_eq!(counters.taken, 4);
        assert_eq!(counters.refused, 0);
        assert_eq!(counters.stale, 0);
        let other = context.to_owner().counters();
        assert_eq!(other.put + other.taken + u64::from(other.high_water), 0);
        Ok(())
    }

    #[test]
    fn a_handle_is_redeemed_once() -> Result {
        let context = TestContext::new(0, 2, 8)?;
        let queue = context.to_peer();
        queue.put::<u64>(KIND, &1)?;
        let handle = take_raw(&queue)?;
        assert_eq!(queue.counters().depth, 0);
        assert_eq!(queue.counters().taken, 1);
        {
            let batch = queue.redeem(ItemHandle::from_raw(handle))?;
            let doubled = refusal(&queue, handle);
            let right = holds(&batch, &[1]);
            drop(batch);
            assert!(right);
            assert_eq!(doubled, Some(ESTALE));
        }
        assert_eq!(refusal(&queue, handle), Some(ESTALE));
        assert_eq!(queue.counters().stale, 2);
        assert_eq!(queue.put_batch::<u64>(KIND, &[1, 2, 3])?, 2);
        Ok(())
    }

    #[test]
    fn an_empty_queue_has_no_handle() -> Result {
        let context = TestContext::new(0, 1, 8)?;
        assert!(context.to_peer().take_handle().is_none());
        assert_eq!(context.to_peer().counters().taken, 0);
        Ok(())
    }

    #[test]
    fn another_queue_s_handle_is_refused() -> Result {
        let context = TestContext::new(0, 1, 8)?;
        let other = TestContext::new(1, 1, 8)?;
        let queue = context.to_peer();
        queue.put::<u64>(KIND, &1)?;
        let handle = take_raw(&queue)?;
        for foreign in [context.to_owner(), other.to_peer(), other.to_owner()] {
            // The handle of this item has the same index and generation as `handle`.
            foreign.put::<u64>(KIND, &2)?;
            let theirs = take_raw(&foreign)?;
            assert!(theirs != handle);
            assert_eq!(refusal(&foreign, handle), Some(ESTALE));
            assert_eq!(foreign.counters().stale, 1);
            assert_eq!(refusal(&foreign, theirs), None);
        }
        assert_eq!(queue.counters().stale, 0);
        assert_eq!(refusal(&queue, handle), None);
        Ok(())
    }

    #[test]
    fn made_up_handles_are_stale() -> Result {
        let context = TestContext::new(3, 2, 8)?;
        let queue = context.to_peer();
        queue.put_batch::<u64>(KIND, &[1, 2])?;
        let handle = take_raw(&queue)?;
        let last = (1 << abi::D2D_ITEM_INDEX_BITS) - 1;
        let index = handle & last;
        let made_up = [
            0,
            !0,
            // the claim of an item that a driver in C uses
            handle & !u64::from(abi::D2D_HANDLE_ITEM),
            // the previous and the next generation
            handle - (1 << 32),
            handle + (1 << 32),
            // an item that was not taken by handle, the first index behind the pool, the highest index
            handle ^ 1,
            (handle - index) + 2,
            handle | last,
        ];
        for number in made_up {
            assert_eq!(refusal(&queue, number), Some(ESTALE));
        }
        assert_eq!(queue.counters().stale, made_up.len() as u64);
        assert_eq!(refusal(&queue, handle), None);
        Ok(())
    }

    #[test]
    fn revoked_handles_are_stale_and_their_items_free() -> Result {
        let context = TestContext::new(0, 4, 8)?;
        let queue = context.to_peer();
        assert_eq!(revoke(&queue), 0);
        queue.put_batch::<u64>(KIND, &[1, 2, 3, 4])?;
        let (first, second) = (take_raw(&queue)?, take_raw(&queue)?);
        assert_eq!(queue.put::<u64>(KIND, &5), Err(ENOSPC));
        assert_eq!(revoke(&queue), 2);
        assert_eq!(revoke(&queue), 0);
        assert_eq!(refusal(&queue, first), Some(ESTALE));
        assert_eq!(refusal(&queue, second), Some(ESTALE));
        assert_eq!(queue.put_batch::<u64>(KIND, &[6, 7, 8])?, 2);
        assert!(holds(&queue.take_batch(4), &[3, 4, 6, 7]));
        Ok(())
    }

    #[test]
    fn an_item_in_a_batch_is_not_revoked() -> Result {
        let context = TestContext::new(0, 2, 8)?;
        let queue = context.to_peer();
        queue.put_batch::<u64>(KIND, &[1, 2])?;
        let handle = take_raw(&queue)?;
        let batch = queue.redeem(ItemHandle::from_raw(handle))?;
        let revoked = revoke(&queue);
        let put = queue.put::<u64>(KIND, &3);
        drop(batch);
        assert_eq!(revoked, 0);
        assert_eq!(put, Err(ENOSPC));
        Ok(())
    }

    #[test]
    fn each_take_makes_a_new_handle() -> Result {
        let context = TestContext::new(0, 1, 8)?;
        let queue = context.to_peer();
        // The index of the only item, with generation 0, which no handle has.
        let mut before = u64::from(abi::D2D_HANDLE_ITEM);
        for number in 0u64..3 {
            queue.put(KIND, &number)?;
            let handle = take_raw(&queue)?;
            assert_eq!(handle as u32, before as u32);
            assert_eq!(handle >> 32, (before >> 32) + 1);
            assert_eq!(refusal(&queue, handle), None);
            assert_eq!(refusal(&queue, before), Some(ESTALE));
            before = handle;
        }
        Ok(())
    }

    #[test]
    fn no_generation_is_zero() -> Result {
        let context = TestContext::new(0, 1, 8)?;
        let queue = context.to_peer();
        // SAFETY: The pool has one item, and nobody else uses it.
        unsafe { (**(*raw(&context)).pool).handle |= !u64::from(u32::MAX) };
        queue.put::<u64>(KIND, &1)?;
        let handle = take_raw(&queue)?;
        assert_eq!(handle >> 32, 1);
        assert_eq!(refusal(&queue, handle), None);
        Ok(())
    }

    #[test]
    fn c_puts_what_rust_takes() -> Result {
        let context = TestContext::new(0, 2, 8)?;
        let queue = context.to_peer();
        // SAFETY: The queue is initialized.
        let put = |number| unsafe { d2d_kunit_put(raw(&context), KIND, number) };
        assert_eq!(put(1), 0);
        assert_eq!(put(2), 0);
        assert_eq!(put(3), ENOSPC.to_errno());
        assert!(holds(&queue.take_batch(2), &[1, 2]));
        assert_eq!(queue.counters().high_water, 2);
        assert_eq!(queue.counters().refused, 1);
        assert_eq!(queue.counters().put, 2);
        Ok(())
    }

    #[test]
    fn handles_pass_between_c_and_rust() -> Result {
        let context = TestContext::new(5, 2, 8)?;
        let queue = context.to_peer();
        // SAFETY: The queue is initialized.
        let take = || unsafe { d2d_kunit_take(raw(&context)) };
        // SAFETY: As above.
        let release = |handle| unsafe { d2d_kunit_release(raw(&context), handle) };

        queue.put_batch::<u64>(KIND, &[1, 2])?;
        let from_c = take();
        let from_rust = take_raw(&queue)?;
        assert_eq!(take(), 0);
        let right = holds(&queue.redeem(ItemHandle::from_raw(from_c))?, &[1]);
        assert!(right);
        assert_eq!(release(from_c), ESTALE.to_errno());
        assert_eq!(release(from_rust), 0);
        assert_eq!(refusal(&queue, from_rust), Some(ESTALE));
        assert_eq!(queue.counters().stale, 2);
        assert_eq!(queue.counters().taken, 2);
        assert_eq!(queue.put_batch::<u64>(KIND, &[3, 4, 5])?, 2);
        Ok(())
    }

    #[test]
    fn c_refuses_a_handle_without_a_generation() -> Result {
        let context = TestContext::new(0, 2, 8)?;
        let queue = context.to_peer();
        // This handle has the index and the generation 0. The first item has the index 0, too, and no handle names
        // the item, so its claim is 0.
        // SAFETY: The queue is initialized.
        let released = unsafe { d2d_kunit_release(raw(&context), abi::D2D_HANDLE_ITEM.into()) };
        assert_eq!(released, ESTALE.to_errno());
        assert_eq!(queue.counters().stale, 1);
        assert_eq!(queue.put_batch::<u64>(KIND, &[1, 2, 3])?, 2);
        assert!(holds(&queue.take_batch(3), &[1, 2]));
        Ok(())
    }

    #[test]
    fn items_of_a_long_queue_have_different_handles() -> Result {
        for capacity in [65537, 1 << 20] {
            let context = TestContext::new(63, capacity, 8)?;
            let queue = context.to_peer();
            // The free list begins with the last item, and ends with the first one.
            queue.put_batch::<u64>(KIND, &[1, 2])?;
            for first in (2..capacity).step_by(MAX_BATCH as usize) {
                let count = (capacity - first).min(MAX_BATCH);
                queue.put_batch(KIND, &[0u64; MAX_BATCH as usize][..count as usize])?;
            }
            let from_rust = take_raw(&queue)?;
            // SAFETY: The queue is initialized.
            let from_c = unsafe { d2d_kunit_take(raw(&context)) };
            while queue.counters().depth > 1 {
                drop(queue.take_batch(queue.counters().depth - 1));
            }
            let first = take_raw(&queue)?;
            // With an index of 16 bits, these handles would be those of other items.
            let id = abi::D2D_HANDLE_ITEM | 126 << abi::D2D_ITEM_INDEX_BITS;
            assert_eq!(from_rust as u32, id | (capacity - 1));
            assert_eq!(from_c as u32, id | (capacity - 2));
            assert_eq!(first as u32, id);
            let right = holds(&queue.redeem(ItemHandle::from_raw(from_c))?, &[2]);
            assert!(right);
            // SAFETY: As above.
            let released = unsafe { d2d_kunit_release(raw(&context), from_rust) };
            assert_eq!(released, 0);
            for stale in [from_rust, from_c] {
                assert_eq!(refusal(&queue, stale), Some(ESTALE));
            }
            assert_eq!(revoke(&queue), 1);
            assert_eq!(refusal(&queue, first), Some(ESTALE));
        }
        Ok(())
    }

    #[test]
    fn a_length_that_c_has_stored_is_limited() -> Result {
        let context = TestContext::new(0, 1, 16)?;
        let queue = context.to_peer();
        queue.put::<u64>(KIND, &1)?;
        // SAFETY: The pool has one item, and nobody else uses it.
        unsafe { (**(*raw(&context)).pool).len = u16::MAX };
        let batch = queue.take().ok_or(ENOENT)?;
        let length = batch.iter().next().map(|item| item.payload.len());
        drop(batch);
        assert_eq!(length, Some(16));
        Ok(())
    }
}
