// SPDX-License-Identifier: GPL-2.0

//! The demonstration's interface against its C header.

use super::*;
use d2d::interface::Interface;
use kernel::prelude::*;

#[kunit_tests(d2d_pair)]
mod cases {
    use super::*;

    #[test]
    fn the_hashes_are_those_of_the_header() {
        // bindgen takes the hashes whose highest bit is set for negative numbers.
        let owner = [
            abi::D2D_PAIR_OWNER_INTERFACE as u64,
            abi::D2D_PAIR_OWNER_PING,
            abi::D2D_PAIR_OWNER_BOUNCE,
            abi::D2D_PAIR_OWNER_DRAIN,
        ];
        let peer = [
            abi::D2D_PAIR_PEER_INTERFACE as u64,
            abi::D2D_PAIR_PEER_PING as u64,
            abi::D2D_PAIR_PEER_BOUNCE as u64,
            abi::D2D_PAIR_PEER_DRAIN,
        ];
        assert_eq!(OwnerInterface::CHAIN, &owner[..]);
        assert_eq!(PeerInterface::CHAIN, &peer[..]);
    }

    #[test]
    fn its_sides_need_not_be_built_together() {
        assert_eq!(OwnerInterface::BUILD, 0);
        assert_eq!(PeerInterface::BUILD, 0);
    }
}
