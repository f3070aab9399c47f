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
    fn a_block_is_as_large_as_the_pair_declares_or_larger() {
        let sizes = Sizes::of::<TestPair>();
        let right = sizes.0.map(|size| size as u64);
        let most = u64::from(abi::D2D_DATA_SIZE);
        assert!(sizes.at_least(c"d2d_kunit", right) == Ok(sizes));
        for block in [OWNER, PEER, SHARED] {
            let check = |size| {
                let mut stated = right;
                stated[block] = size;
                sizes.at_least(c"d2d_kunit", stated)
            };
            for wrong in [0, right[block] - 1, most + 1, u64::MAX] {
                assert!(check(wrong) == Err(EMSGSIZE));
            }
            for larger in [right[block] + 1, most] {
                let mut expected = sizes;
                expected.0[block] = larger as usize;
                assert!(check(larger) == Ok(expected));
            }
        }
    }
}
