// SPDX-License-Identifier: GPL-2.0

//! The hash chain and the build of an interface.

use super::*;
use crate::testing::header_hashes;
use kernel::prelude::*;

const U32: Type = Type {
    name: "u32",
    size: 4,
    align: 4,
};
const U64: Type = Type {
    name: "u64",
    size: 8,
    align: 8,
};

const fn operation(name: &'static str, types: &'static [Type]) -> Operation {
    Operation { name, types }
}

/// The operations of the demonstration pair, the same on both sides.
const DEMO: [Operation; 3] = [
    operation("ping", &[U32, U32]),
    operation("bounce", &[U32, U32]),
    operation("drain", &[U32]),
];

/// The last hash of an interface with this one operation.
fn hash(interface: &str, major: u16, name: &'static str, types: &'static [Type]) -> u64 {
    chain::<2>(interface, major, &[operation(name, types)])[1]
}

/// The hash of the operation of which the tests change a part.
fn reference() -> u64 {
    hash("kunit", 1, "op", &[U32, U64])
}

#[kunit_tests(d2d_fingerprint)]
mod cases {
    use super::*;

    #[test]
    fn the_hashes_are_those_of_the_header() {
        let [owner, peer] = header_hashes();
        assert_eq!(chain::<4>("owner", 1, &DEMO), owner);
        assert_eq!(chain::<4>("peer", 1, &DEMO), peer);
    }

    #[test]
    fn an_appended_operation_changes_no_hash_before_it() {
        let whole = chain::<4>("owner", 1, &DEMO);
        assert_eq!(chain::<1>("owner", 1, &[])[..], whole[..1]);
        assert_eq!(chain::<2>("owner", 1, &DEMO[..1])[..], whole[..2]);
        assert_eq!(chain::<3>("owner", 1, &DEMO[..2])[..], whole[..3]);
    }

    #[test]
    fn an_earlier_operation_changes_every_hash_after_it() {
        let other = [
            operation("pong", &[U32, U32]),
            operation("bounce", &[U32, U32]),
            operation("drain", &[U32]),
        ];
        let (ours, theirs) = (
            chain::<4>("owner", 1, &DEMO),
            chain::<4>("owner", 1, &other),
        );
        assert_eq!(ours[0], theirs[0]);
        for n in 1..4 {
            assert!(ours[n] != theirs[n]);
        }
    }

    #[test]
    fn each_part_of_an_operation_changes_the_hash() {
        const WIDE: Type = Type { size: 8, ..U32 };
        const LOOSE: Type = Type { align: 2, ..U32 };
        const OTHER: Type = Type { name: "i32", ..U32 };
        let hashes = [
            reference(),
            hash("kunit", 2, "op", &[U32, U64]),
            hash("kunjt", 1, "op", &[U32, U64]),
            hash("kunit", 1, "po", &[U32, U64]),
            hash("kunit", 1, "op", &[U64, U32]),
            hash("kunit", 1, "op", &[U32]),
            hash("kunit", 1, "op", &[U32, U64, U64]),
            hash("kunit", 1, "op", &[WIDE, U64]),
            hash("kunit", 1, "op", &[LOOSE, U64]),
            hash("kunit", 1, "op", &[OTHER, U64]),
            // the same letters, divided differently between interface and operation
            hash("kunito", 1, "p", &[U32, U64]),
        ];
        for (n, one) in hashes.iter().enumerate() {
            assert!(*one != 0);
            assert!(!hashes[..n].contains(one));
        }
    }

    #[test]
    fn the_order_of_operations_matters() {
        let ab = chain::<3>(
            "kunit",
            1,
            &[operation("a", &[U32]), operation("b", &[U32])],
        );
        let ba = chain::<3>(
            "kunit",
            1,
            &[operation("b", &[U32]), operation("a", &[U32])],
        );
        assert_eq!(ab[0], ba[0]);
        assert!(ab[1] != ba[1]);
        assert!(ab[2] != ba[2]);
    }

    #[test]
    fn the_build_depends_on_the_source() {
        assert_eq!(build("source"), build("source"));
        assert!(build("source") != build("Source"));
        assert!(build("source") != build("source "));
        assert!(build("") != 0);
    }

    #[test]
    fn the_first_difference_is_found() {
        assert_eq!(first_difference(&[1, 2, 3], &[1, 2, 3]), 0);
        assert_eq!(first_difference(&[1, 2, 3], &[1, 9, 3]), 2);
        assert_eq!(first_difference(&[1, 2, 3], &[1, 2]), 3);
        assert_eq!(first_difference(&[1, 2], &[1, 2, 3]), 0);
    }
}
