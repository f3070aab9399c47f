// SPDX-License-Identifier: GPL-2.0

//! The sizes and places of the blocks of data.

use super::*;
use crate::testing::TestPair;

#[kunit_tests(d2d_data)]
mod cases {
    use super::*;

    #[test]
    fn the_blocks_of_a_pair_lie_one_behind_the_other() {
        let sizes = Sizes::of::<TestPair>();
        assert_eq!(sizes.0, [8, 12, 2048]);
        assert_eq!(
            [OWNER, PEER, SHARED].map(|block| sizes.offset(block)),
            [0, 8, 24]
        );
        let blocks = offset_of!(abi::d2d_context, data.blocks);
        assert_eq!(sizes.context_bytes(), blocks + 24 + 2048);
    }

    #[test]
    fn a_context_without_data_is_a_whole_structure() {
        assert_eq!(Sizes([0; 3]).context_bytes(), size_of::<abi::d2d_context>());
    }

    #[test]
    fn another_size_of_any_block_is_refused() {
        let sizes = Sizes::of::<TestPair>();
        let right = sizes.0.map(|size| size as u64);
        assert_eq!(sizes.check(c"d2d_kunit", right), Ok(()));
        for block in [OWNER, PEER, SHARED] {
            for wrong in [0, right[block] - 1, right[block] + 1, u64::MAX] {
                let mut stated = right;
                stated[block] = wrong;
                assert_eq!(sizes.check(c"d2d_kunit", stated), Err(EMSGSIZE));
            }
        }
    }
}
