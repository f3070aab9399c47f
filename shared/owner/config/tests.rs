// SPDX-License-Identifier: GPL-2.0

//! The parameters of an owner, and the check of the contexts' memory.

use super::*;
use d2d::testing::TestPair;

impl Config {
    /// Makes the configuration of one context.
    pub(crate) fn with_items(capacity: u32, item_size: u32) -> Self {
        Self {
            contexts: 1,
            capacity,
            item_size,
            learn: Learn::Return,
            timeout: 1,
            hot_lines: false,
        }
    }
}

/// Takes contexts, capacity, item size, completion and timeout.
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

#[kunit_tests(d2d_config)]
mod cases {
    use super::*;

    #[test]
    fn too_large_contexts_are_refused_before_they_are_allocated() -> Result {
        let largest = Config::new(c"d2d_kunit", 64, 1 << 20, 4096, 0, 1)?;
        assert_eq!(largest.check_memory(Sizes::of::<TestPair>()), Err(ENOMEM));
        assert_eq!(
            Config::with_items(1, 8).check_memory(Sizes::of::<TestPair>()),
            Ok(())
        );
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
    fn completion_selects_how_the_owner_learns() -> Result {
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
