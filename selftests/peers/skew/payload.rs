// SPDX-License-Identifier: GPL-2.0

//! Test: a driver that declares two fields of the input of COMPLETE, which have the same type, in the wrong order. Its
//! library must refuse module_a.

#![forbid(unsafe_code)]

include!("skew.rs");

use d2d::{
    control_code::ControlCode,
    declaration::{
        Code,
        Declaration,
        Described,
        Member,
        Type, //
    },
    fingerprint::versions, //
};
use d2d_pair::{
    Complete,
    DemoPair,
    COMPLETE, //
};

const DECLARATION: Declaration = DemoPair::DECLARATION;
const CODES: [Code; DECLARATION.codes.len()] = with_swapped_input();

const SWAPPED: Type = {
    let fields = Complete::TYPE.fields;
    assert!(fields.len() == 2 && fields[0].of.size == fields[1].of.size);
    Type {
        fields: &[
            Member {
                offset: Complete::TYPE.fields[0].offset,
                ..Complete::TYPE.fields[1]
            },
            Member {
                offset: Complete::TYPE.fields[1].offset,
                ..Complete::TYPE.fields[0]
            },
        ],
        ..*Complete::TYPE
    }
};

const fn with_swapped_input<const N: usize>() -> [Code; N] {
    const FIRST: Code = Code {
        ..DECLARATION.codes[0]
    };
    let mut codes = [FIRST; N];
    let mut i = 0;
    while i < N {
        let code = &DECLARATION.codes[i];
        let is_complete = ControlCode::<(), ()>::new(code.number).raw() == COMPLETE.raw();
        codes[i] = Code {
            input: if is_complete { &SWAPPED } else { code.input },
            ..*code
        };
        i += 1;
    }
    codes
}

skew! {
    name: "skew_payload",
    version: (1, 0),
    versions: &versions::<{ DECLARATION.minor as usize + 1 }>(&Declaration {
        codes: &CODES,
        ..DECLARATION
    });
    fn ping(value: u32) -> u32;
    fn bounce(hops: u32) -> u32;
    fn drain() -> u32;
    |_owner| Ok(())
}
