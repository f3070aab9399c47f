// SPDX-License-Identifier: GPL-2.0

//! The layout of handles.

use super::*;
use kernel::prelude::*;

const KINDS: [Kind; 5] = [
    Kind::Driver,
    Kind::Target,
    Kind::Event,
    Kind::Sent,
    Kind::Held,
];

/// Index and generation: the lowest values, others, and the highest ones.
const PARTS: [(usize, u32); 4] = [
    (0, 1),
    (63, 1),
    (5, u32::MAX),
    ((1 << abi::D2D_HANDLE_KIND_SHIFT) - 1, u32::MAX),
];

#[kunit_tests(d2d_handle)]
mod cases {
    use super::*;

    #[test]
    fn a_handle_has_a_kind_an_index_and_a_generation() {
        for kind in KINDS {
            for parts in PARTS {
                let handle = kind.handle(parts.0, parts.1);
                assert_eq!(kind.parts(handle), Some(parts));
                assert_eq!((index(handle) as usize, generation(handle)), parts);
            }
        }
    }

    #[test]
    fn a_handle_has_one_kind() {
        for kind in KINDS {
            for (index, generation) in PARTS {
                let handle = kind.handle(index, generation);
                let matching = KINDS
                    .into_iter()
                    .filter(|kind| kind.parts(handle).is_some());
                assert_eq!(matching.count(), 1);
            }
        }
    }

    #[test]
    fn neither_0_nor_an_item_is_of_any_kind() {
        let item = u64::from(abi::D2D_HANDLE_ITEM);
        for handle in [0, 1 << 32, item, item | 1 << 32, item | 127 << 24, !0] {
            assert!(KINDS.iter().all(|kind| kind.parts(handle).is_none()));
        }
    }
}
