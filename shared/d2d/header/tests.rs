// SPDX-License-Identifier: GPL-2.0

//! The header with which each structure of the boundary begins, and the layout hash in it.

use crate::{
    abi,
    header, //
};
use kernel::prelude::*;

unsafe extern "C" {
    /// `D2D_LAYOUT`, evaluated by the C compiler.
    safe fn d2d_kunit_layout() -> u32;
}

/// Returns the error with which the check refuses a changed header.
fn refusal(change: impl FnOnce(&mut abi::d2d_header)) -> Option<Error> {
    let mut header = header::new::<abi::d2d_driver>(abi::D2D_DRIVER_MAGIC);
    change(&mut header);
    header::check::<abi::d2d_driver>(c"d2d_kunit", "driver", &header, abi::D2D_DRIVER_MAGIC).err()
}

#[kunit_tests(d2d_header)]
mod cases {
    use super::*;

    #[test]
    fn c_and_rust_agree_on_the_layout() {
        let header = header::new::<abi::d2d_context>(abi::D2D_CONTEXT_MAGIC);
        assert_eq!(header.layout, d2d_kunit_layout());
        assert!(header.layout != 0);
    }

    #[test]
    fn a_new_header_describes_its_object() {
        let header = header::new::<abi::d2d_request>(abi::D2D_REQUEST_MAGIC);
        assert_eq!(header.magic, abi::D2D_REQUEST_MAGIC);
        assert_eq!(header.size as usize, size_of::<abi::d2d_request>());
        assert_eq!(u32::from(header.major), abi::D2D_ABI_MAJOR);
        assert_eq!(u32::from(header.minor), abi::D2D_ABI_MINOR);
    }

    #[test]
    fn each_wrong_field_has_its_own_error() {
        assert_eq!(refusal(|_| {}), None);
        assert_eq!(refusal(|header| header.magic ^= 1), Some(EBADMSG));
        assert_eq!(refusal(|header| header.major += 1), Some(EPROTO));
        assert_eq!(refusal(|header| header.size += 8), Some(EMSGSIZE));
        assert_eq!(refusal(|header| header.size -= 8), Some(EMSGSIZE));
        assert_eq!(refusal(|header| header.layout ^= 1), Some(EBADE));
    }

    #[test]
    fn another_minor_version_is_accepted() {
        assert_eq!(refusal(|header| header.minor += 1), None);
    }

    #[test]
    fn a_header_of_another_kind_is_refused() {
        let header = header::new::<abi::d2d_request>(abi::D2D_REQUEST_MAGIC);
        let as_driver = header::check::<abi::d2d_driver>(
            c"d2d_kunit",
            "driver",
            &header,
            abi::D2D_DRIVER_MAGIC,
        );
        assert_eq!(as_driver, Err(EBADMSG));
    }
}
