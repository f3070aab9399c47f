// SPDX-License-Identifier: GPL-2.0

//! The blocks of data of a context.

use crate::{
    context::Context,
    run_in::{
        run_in,
        Place, //
    },
    testing::{
        TestContext,
        TestPair,
        SHARED_WORDS, //
    }, //
};
use kernel::{
    bindings,
    prelude::*, //
};

#[kunit_tests(d2d_context)]
mod cases {
    use super::*;

    #[test]
    fn each_side_has_its_own_data_and_both_share_a_block() -> Result {
        let context = TestContext::new(0, 1, 8)?;
        context.with_owner_data(|data| *data = [11; 2]);
        context.with_peer_data(|data| *data = [22; 3]);
        context.with_shared(|shared| *shared = [33; SHARED_WORDS]);
        assert_eq!(context.with_owner_data(|data| *data), [11; 2]);
        assert_eq!(context.with_peer_data(|data| *data), [22; 3]);
        assert!(context.with_shared(|shared| shared.iter().all(|word| *word == 33)));
        Ok(())
    }

    #[test]
    fn the_lock_is_held_while_the_closure_runs() -> Result {
        let context = TestContext::new(0, 1, 8)?;
        let raw = context.as_raw();
        // SAFETY: The context is alive, and its lock is initialized. lockdep warns if this thread does not hold it.
        context.with_shared(|_| unsafe {
            bindings::spin_assert_is_held(&raw mut (*raw).data.lock);
        });
        Ok(())
    }

    #[test]
    fn each_block_is_updated_in_each_execution_context() -> Result {
        let context = TestContext::new(0, 1, 8)?;
        let context: &Context<TestPair> = &context;
        for place in Place::ALL {
            run_in(place, || {
                context.with_owner_data(|[count, ..]| *count += 1);
                context.with_peer_data(|[count, ..]| *count += 2);
                context.with_shared(|[count, ..]| *count += 3);
            })?;
        }
        let places = Place::ALL.len() as u32;
        assert_eq!(context.with_owner_data(|[count, ..]| *count), places);
        assert_eq!(context.with_peer_data(|[count, ..]| *count), 2 * places);
        assert_eq!(
            context.with_shared(|[count, ..]| *count),
            3 * u64::from(places)
        );
        Ok(())
    }
}
