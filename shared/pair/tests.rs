// SPDX-License-Identifier: GPL-2.0

//! Tests of the demonstration's interface.

use super::*;
use d2d::interface::Interface;

#[kunit_tests(d2d_pair)]
mod cases {
    use super::*;

    #[test]
    fn the_interface_has_no_build() {
        assert_eq!(OwnerInterface::BUILD, 0);
        assert_eq!(PeerInterface::BUILD, 0);
    }
}
