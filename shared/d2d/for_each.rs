// SPDX-License-Identifier: GPL-2.0

//! A loop over a slice in a `const fn`, which cannot have a `for` loop.

macro_rules! for_each {
    ($element:pat in $list:expr => $body:block) => {{
        let list = $list;
        let mut i = 0;
        while i < list.len() {
            let $element = &list[i];
            i += 1;
            $body
        }
    }};
}

pub(crate) use for_each;
