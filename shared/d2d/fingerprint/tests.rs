// SPDX-License-Identifier: GPL-2.0

//! The hash chain of an interface, the hashes of the versions of a pair, and the build.

use super::*;
use crate::{
    declaration::{
        Argument,
        Code,
        DeclaredEvent,
        DeclaredKind,
        Described,
        Member, //
    },
    event::Kind, //
};
use kernel::prelude::*;

const U32: Type = Type::plain::<u32>("u32");
const U64: Type = Type::plain::<u64>("u64");
const S32: Type = Type::plain::<i32>("s32");

const fn named(name: &'static str, of: &'static Type) -> Argument {
    Argument { name, of }
}

const fn argument(of: &'static Type) -> Argument {
    named("value", of)
}

const fn operation(
    name: &'static str,
    arguments: &'static [Argument],
    result: &'static Type,
) -> Operation {
    Operation {
        name,
        docs: &[],
        arguments,
        result,
    }
}

const THREE: [Operation; 3] = [
    operation("ping", &[argument(&U32)], &U32),
    operation("bounce", &[argument(&U32)], &U32),
    operation("drain", &[], &U32),
];

/// The last hash of an interface with this one operation.
const fn hash(
    interface: &str,
    major: u16,
    name: &'static str,
    arguments: &'static [Argument],
    result: &'static Type,
) -> u64 {
    chain::<2>(
        interface,
        (major, 0),
        &[0],
        &[operation(name, arguments, result)],
    )[1]
}

const fn field(name: &'static str, of: &'static Type, offset: usize) -> Member {
    Member {
        name,
        docs: &[],
        of,
        offset,
        since: 0,
    }
}

const fn structure(name: &'static str, fields: &'static [Member]) -> Type {
    Type {
        name,
        size: 8,
        align: 4,
        fields,
        element: None,
        count: 0,
    }
}

/// A structure of which the tests change a part.
const PAYLOAD: Type = structure("t_payload", &[field("a", &U32, 0), field("b", &U32, 4)]);
const SWAPPED: Type = structure("t_payload", &[field("b", &U32, 0), field("a", &U32, 4)]);
const RENAMED: Type = structure("t_payload", &[field("a", &U32, 0), field("c", &U32, 4)]);
const SIGNED: Type = structure("t_payload", &[field("a", &U32, 0), field("b", &S32, 4)]);
const MOVED: Type = structure("t_payload", &[field("a", &U32, 4), field("b", &U32, 0)]);
const NESTED: Type = structure("t_payload", &[field("a", &PAYLOAD, 0)]);
const NESTED_SWAPPED: Type = structure("t_payload", &[field("a", &SWAPPED, 0)]);
const OPAQUE: Type = Type {
    fields: &[],
    ..PAYLOAD
};
const PAYLOADS: [&Type; 8] = [
    &PAYLOAD,
    &SWAPPED,
    &RENAMED,
    &SIGNED,
    &MOVED,
    &NESTED,
    &NESTED_SWAPPED,
    &OPAQUE,
];

/// A declaration of which the tests change a part.
const DECLARATION: Declaration = Declaration {
    name: "t",
    docs: &[],
    major: 1,
    minor: 0,
    owner_data: &U32,
    peer_data: &U64,
    shared_data: &U32,
    structs: &[],
    lent: &[],
    kinds: &[],
    codes: &[],
    events: &[],
};

const fn declared_hash(declaration: &Declaration) -> u64 {
    versions::<1>(declaration)[0]
}

const fn kind(name: &'static str, number: u32, payload: &'static Type) -> DeclaredKind {
    DeclaredKind {
        name,
        docs: &[],
        number,
        payload,
        since: 0,
    }
}

const fn code(
    name: &'static str,
    number: u16,
    input: &'static Type,
    output: &'static Type,
) -> Code {
    Code {
        name,
        docs: &[],
        number,
        input,
        output,
        since: 0,
    }
}

const fn event(name: &'static str, kind: Kind) -> DeclaredEvent {
    DeclaredEvent {
        name,
        docs: &[],
        kind,
        since: 0,
    }
}

/// A block of data to which version 1 appends a field.
const GROWN_PAYLOAD: Type = Type {
    size: 12,
    fields: &[
        field("a", &U32, 0),
        field("b", &U32, 4),
        Member {
            since: 1,
            ..field("c", &U32, 8)
        },
    ],
    ..PAYLOAD
};
/// The next minor version of a declaration, which appends nothing.
const NEWER: Declaration = Declaration {
    minor: 1,
    owner_data: &PAYLOAD,
    peer_data: &PAYLOAD,
    shared_data: &PAYLOAD,
    ..DECLARATION
};

const fn of_kinds(kinds: &'static [DeclaredKind]) -> u64 {
    declared_hash(&Declaration {
        kinds,
        ..DECLARATION
    })
}

const fn of_codes(codes: &'static [Code]) -> u64 {
    declared_hash(&Declaration {
        codes,
        ..DECLARATION
    })
}

const fn of_events(events: &'static [DeclaredEvent]) -> u64 {
    declared_hash(&Declaration {
        events,
        ..DECLARATION
    })
}

fn assert_all_differ(hashes: &[u64]) {
    for (n, one) in hashes.iter().enumerate() {
        assert!(!hashes[..n].contains(one));
    }
}

#[kunit_tests(d2d_fingerprint)]
mod cases {
    use super::*;

    #[test]
    fn an_appended_operation_changes_no_hash_before_it() {
        let whole = chain::<4>("owner", (1, 0), &[0], &THREE);
        assert_eq!(chain::<1>("owner", (1, 0), &[0], &[])[..], whole[..1]);
        assert_eq!(
            chain::<2>("owner", (1, 0), &[0], &THREE[..1])[..],
            whole[..2]
        );
        assert_eq!(
            chain::<3>("owner", (1, 0), &[0], &THREE[..2])[..],
            whole[..3]
        );
    }

    #[test]
    fn an_earlier_operation_changes_every_hash_after_it() {
        const OTHER: [Operation; 3] = [
            operation("pong", &[argument(&U32)], &U32),
            operation("bounce", &[argument(&U32)], &U32),
            operation("drain", &[], &U32),
        ];
        let (ours, theirs) = (
            chain::<4>("owner", (1, 0), &[0], &THREE),
            chain::<4>("owner", (1, 0), &[0], &OTHER),
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
        const A: Argument = named("a", &U32);
        const B: Argument = named("b", &U32);
        const HASHES: &[u64] = &[
            hash("kunit", 1, "op", &[argument(&U32)], &U64),
            hash("kunit", 2, "op", &[argument(&U32)], &U64),
            hash("kunjt", 1, "op", &[argument(&U32)], &U64),
            hash("kunit", 1, "po", &[argument(&U32)], &U64),
            hash("kunit", 1, "op", &[argument(&U64)], &U32),
            hash("kunit", 1, "op", &[], &U32),
            hash("kunit", 1, "op", &[argument(&U32), argument(&U64)], &U64),
            hash("kunit", 1, "op", &[argument(&WIDE)], &U64),
            hash("kunit", 1, "op", &[argument(&LOOSE)], &U64),
            hash("kunit", 1, "op", &[argument(&S32)], &U64),
            hash("kunit", 1, "op", &[argument(<[u32; 2]>::TYPE)], &U64),
            hash("kunit", 1, "op", &[argument(<[i32; 2]>::TYPE)], &U64),
            hash("kunit", 1, "op", &[named("number", &U32)], &U64),
            hash("kunit", 1, "op", &[A, B], &U64),
            hash("kunit", 1, "op", &[B, A], &U64),
            // the same letters, divided differently between interface and operation
            hash("kunito", 1, "p", &[argument(&U32)], &U64),
        ];
        assert_all_differ(HASHES);
    }

    #[test]
    fn each_part_of_a_structure_changes_the_hash() {
        let hashes =
            PAYLOADS.map(|of| chain::<2>("t", (1, 0), &[0], &[operation("op", &[], of)])[1]);
        assert_all_differ(&hashes);
        let hashes = PAYLOADS.map(|owner_data| {
            declared_hash(&Declaration {
                owner_data,
                ..DECLARATION
            })
        });
        assert_all_differ(&hashes);
    }

    #[test]
    fn each_part_of_a_declaration_changes_the_hash() {
        const SWAPPED_DATA: Declaration = Declaration {
            owner_data: &U64,
            peer_data: &U32,
            ..DECLARATION
        };
        const OTHER_SHARED_DATA: Declaration = Declaration {
            shared_data: &S32,
            ..DECLARATION
        };
        const OTHER_NAME: Declaration = Declaration {
            name: "u",
            ..DECLARATION
        };
        const HASHES: &[u64] = &[
            declared_hash(&DECLARATION),
            declared_hash(&SWAPPED_DATA),
            declared_hash(&OTHER_SHARED_DATA),
            declared_hash(&OTHER_NAME),
            of_kinds(&[kind("A", 1, &PAYLOAD)]),
            of_kinds(&[kind("A", 1, &SWAPPED)]),
            of_kinds(&[kind("A", 2, &PAYLOAD)]),
            of_kinds(&[kind("B", 1, &PAYLOAD)]),
            of_codes(&[code("A", 0x801, &U32, &U64)]),
            of_codes(&[code("A", 0x801, &U64, &U32)]),
            of_codes(&[code("A", 0x801, &S32, &U64)]),
            of_codes(&[code("A", 0x802, &U32, &U64)]),
            of_codes(&[code("B", 0x801, &U32, &U64)]),
            of_events(&[event("a", Kind::Notification)]),
            of_events(&[event("a", Kind::Synchronization)]),
            of_events(&[event("b", Kind::Notification)]),
        ];
        assert_all_differ(HASHES);
    }

    #[test]
    fn the_order_of_kinds_codes_and_events_does_not_matter() {
        const KINDS: [u64; 2] = [
            of_kinds(&[kind("A", 1, &U32), kind("B", 2, &U64)]),
            of_kinds(&[kind("B", 2, &U64), kind("A", 1, &U32)]),
        ];
        const CODES: [u64; 2] = [
            of_codes(&[code("A", 0x801, &U32, &U64), code("B", 0x802, &U64, &U64)]),
            of_codes(&[code("B", 0x802, &U64, &U64), code("A", 0x801, &U32, &U64)]),
        ];
        const EVENTS: [u64; 2] = [
            of_events(&[
                event("a", Kind::Notification),
                event("b", Kind::Synchronization),
            ]),
            of_events(&[
                event("b", Kind::Synchronization),
                event("a", Kind::Notification),
            ]),
        ];
        assert_eq!(KINDS[0], KINDS[1]);
        assert_eq!(EVENTS[0], EVENTS[1]);
        assert_eq!(CODES[0], CODES[1]);
    }

    #[test]
    fn the_order_of_operations_matters() {
        const A: Operation = operation("a", &[argument(&U32)], &U32);
        const B: Operation = operation("b", &[argument(&U32)], &U32);
        let (ab, ba) = (
            chain::<3>("kunit", (1, 0), &[0], &[A, B]),
            chain::<3>("kunit", (1, 0), &[0], &[B, A]),
        );
        assert_eq!(ab[0], ba[0]);
        assert!(ab[1] != ba[1]);
        assert!(ab[2] != ba[2]);
    }

    #[test]
    fn the_hashes_of_the_versions_are_in_the_chain() {
        let chain = chain::<6>("owner", (1, 2), &[7, 8], &THREE);
        let without_ops = |hash| super::chain::<1>("owner", (1, 0), &[hash], &[])[0];
        assert_eq!(chain[..3], [without_ops(7), without_ops(8), without_ops(8)]);
        assert_eq!(
            chain[3..],
            super::chain::<4>("owner", (1, 0), &[0], &THREE)[1..]
        );
        assert_all_differ(&[without_ops(7), without_ops(8)]);
    }

    #[test]
    fn a_newer_version_changes_no_older_one() {
        const GROWN: &[Declaration] = &[
            Declaration {
                owner_data: &GROWN_PAYLOAD,
                ..NEWER
            },
            Declaration {
                peer_data: &GROWN_PAYLOAD,
                ..NEWER
            },
            Declaration {
                shared_data: &GROWN_PAYLOAD,
                ..NEWER
            },
            Declaration {
                kinds: &[DeclaredKind {
                    since: 1,
                    ..kind("A", 1, &U32)
                }],
                ..NEWER
            },
            Declaration {
                codes: &[Code {
                    since: 1,
                    ..code("A", 0x801, &U32, &U64)
                }],
                ..NEWER
            },
            Declaration {
                events: &[DeclaredEvent {
                    since: 1,
                    ..event("a", Kind::Notification)
                }],
                ..NEWER
            },
        ];
        const OLD: u64 = declared_hash(&Declaration { minor: 0, ..NEWER });
        let hashes = GROWN.iter().map(versions::<2>);
        let mut newest = KVec::new();
        for [old, new] in hashes {
            assert_eq!(old, OLD);
            let _ = newest.push(new, GFP_KERNEL);
        }
        let _ = newest.push(versions::<2>(&NEWER)[1], GFP_KERNEL);
        assert_eq!(newest.len(), 7);
        assert_all_differ(&newest);
    }

    #[test]
    fn the_build_depends_on_the_source() {
        assert_eq!(build("source"), build("source"));
        assert!(build("source") != build("Source"));
        assert!(build("source") != build("source "));
        assert!(build("") != 0);
    }
}
