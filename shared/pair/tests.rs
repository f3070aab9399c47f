// SPDX-License-Identifier: GPL-2.0

//! The demonstration's interface, compared with its C header.

use super::*;
use d2d::{
    interface::Interface,
    testing::header_hashes, //
};

#[kunit_tests(d2d_pair)]
mod cases {
    use super::*;

    #[test]
    fn the_hashes_are_those_of_the_header() {
        let [owner, peer] = header_hashes();
        assert_eq!(OwnerInterface::CHAIN, &owner[..]);
        assert_eq!(PeerInterface::CHAIN, &peer[..]);
    }

    #[test]
    fn the_interface_has_no_build() {
        assert_eq!(OwnerInterface::BUILD, 0);
        assert_eq!(PeerInterface::BUILD, 0);
    }
}
