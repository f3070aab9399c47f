// SPDX-License-Identifier: GPL-2.0

//! The data areas of a context.

use crate::testing::TestContext;
use kernel::prelude::*;

#[kunit_tests(d2d_context)]
mod cases {
    use super::*;

    #[test]
    fn each_side_has_its_own_data() -> Result {
        let context = TestContext::new(0, 1, 8)?;
        context.with_owner_data(|data| data[0] = 11);
        context.with_peer_data(|data| data[0] = 22);
        assert_eq!(context.with_owner_data(|data| *data), [11, 0]);
        assert_eq!(context.with_peer_data(|data| *data), [22, 0]);
        Ok(())
    }
}
