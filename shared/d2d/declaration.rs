// SPDX-License-Identifier: GPL-2.0

//! What [`pair!`](crate::pair!) declares, as data. The hashes ([`fingerprint`](crate::fingerprint))
//! and the C header ([`c_header`](crate::c_header)) are made from it at compile time.
//!
//! Only the compiler runs these functions. `#[inline]` keeps their code out of the modules.

use crate::{
    abi,
    c_name::is_name,
    event::Kind,
    for_each::for_each, //
};

/// A type that may cross the boundary.
pub struct Type {
    /// Name in C, without `struct`.
    pub name: &'static str,
    /// Bytes.
    pub size: usize,
    /// Bytes.
    pub align: usize,
    /// The fields of a structure, in the order of their offsets.
    pub fields: &'static [Member],
    /// The type of the elements of an array.
    pub element: Option<&'static Type>,
    /// How many elements the array has.
    pub count: usize,
}

/// A field of a structure.
pub struct Member {
    /// Name in Rust and in C.
    pub name: &'static str,
    /// Documentation, line by line.
    pub docs: &'static [&'static str],
    /// Its type.
    pub of: &'static Type,
    /// Bytes from the beginning of the structure.
    pub offset: usize,
    /// The minor version that appended it.
    pub since: u16,
}

impl Type {
    /// Describes a type without fields and elements.
    pub const fn plain<T>(name: &'static str) -> Self {
        Self {
            name,
            size: size_of::<T>(),
            align: align_of::<T>(),
            fields: &[],
            element: None,
            count: 0,
        }
    }
}

/// A type with a description of its layout, from which the hashes are made.
/// [`pair!`](crate::pair!) describes the structures that it declares.
pub trait Described {
    /// The description.
    const TYPE: &'static Type;
}

macro_rules! described {
    ($($type:ty: $name:literal),* $(,)?) => {
        $(
            impl Described for $type {
                const TYPE: &'static Type = &Type::plain::<$type>($name);
            }
        )*
    };
}

described! {
    (): "void",
    u8: "u8",
    i8: "s8",
    u16: "u16",
    i16: "s16",
    u32: "u32",
    i32: "s32",
    u64: "u64",
    i64: "s64",
    usize: "size_t",
    isize: "ssize_t",
}

impl<T: Described, const N: usize> Described for [T; N] {
    const TYPE: &'static Type = &Type {
        element: Some(T::TYPE),
        count: N,
        ..Type::plain::<Self>("")
    };
}

/// An argument of an operation.
pub struct Argument {
    /// Name in Rust and in C.
    pub name: &'static str,
    /// Its type.
    pub of: &'static Type,
}

/// An operation of an interface.
pub struct Operation {
    /// Name in Rust and in C.
    pub name: &'static str,
    /// Documentation, line by line.
    pub docs: &'static [&'static str],
    /// Its arguments, without `self` and the link.
    pub arguments: &'static [Argument],
    /// The type of its result.
    pub result: &'static Type,
}

/// A kind of items.
pub struct DeclaredKind {
    /// Name of the constant in Rust.
    pub name: &'static str,
    /// Documentation, line by line.
    pub docs: &'static [&'static str],
    /// The number in `struct d2d_item`.
    pub number: u32,
    /// The type of the payload.
    pub payload: &'static Type,
    /// The minor version that appended it.
    pub since: u16,
}

/// A control code.
pub struct Code {
    /// Name of the constant in Rust.
    pub name: &'static str,
    /// Documentation, line by line.
    pub docs: &'static [&'static str],
    /// The function number.
    pub number: u16,
    /// The type of the request's input.
    pub input: &'static Type,
    /// The type of the request's output.
    pub output: &'static Type,
    /// The minor version that appended it.
    pub since: u16,
}

/// An event that each driver of the pair can have.
pub struct DeclaredEvent {
    /// Name in Rust and in C. The event of a driver is called `DRIVER.NAME`.
    pub name: &'static str,
    /// Documentation, line by line.
    pub docs: &'static [&'static str],
    /// Its kind.
    pub kind: Kind,
    /// The minor version that appended it.
    pub since: u16,
}

/// What the two sides of a pair share apart from their operations.
pub struct Declaration {
    /// Name of the pair. The names in C begin with it and `_`.
    pub name: &'static str,
    /// Documentation, line by line.
    pub docs: &'static [&'static str],
    /// Major version.
    pub major: u16,
    /// Minor version.
    pub minor: u16,
    /// The data of the owner.
    pub owner_data: &'static Type,
    /// The data of the peer.
    pub peer_data: &'static Type,
    /// The data that both share.
    pub shared_data: &'static Type,
    /// All structures, each after those that it contains.
    pub structs: &'static [Struct],
    /// The structures of lent memory, each after those that it contains.
    pub lent: &'static [Struct],
    /// All kinds of items.
    pub kinds: &'static [DeclaredKind],
    /// All control codes.
    pub codes: &'static [Code],
    /// All events.
    pub events: &'static [DeclaredEvent],
}

/// A structure of a pair.
pub struct Struct {
    /// Documentation, line by line.
    pub docs: &'static [&'static str],
    /// The structure.
    pub of: &'static Type,
}

/// The operations of one side of a pair.
pub struct Operations {
    /// Name of the interface.
    pub name: &'static str,
    /// Documentation, line by line.
    pub docs: &'static [&'static str],
    /// Its hash chain.
    pub chain: &'static [u64],
    /// Its operations.
    pub list: &'static [Operation],
}

#[inline]
const fn check_names(structs: &[Struct]) {
    for_each!(structure in structs => {
        assert!(
            is_name(structure.of.name),
            "the name of a structure must be an identifier of C, and no keyword"
        );
        for_each!(field in structure.of.fields => {
            assert!(
                is_name(field.name),
                "the name of a field must be an identifier of C, and no keyword"
            );
        });
    });
}

#[inline]
const fn check_fields(of: &Type, latest: u16) {
    if let Some(element) = of.element {
        check_unchanged(element);
    }
    let mut before = 0;
    for_each!(field in of.fields => {
        assert!(
            field.since >= before,
            "a field that was appended later is declared before an older one"
        );
        assert!(
            field.since <= latest,
            "a field was appended in a later minor version than that of the pair"
        );
        check_unchanged(field.of);
        before = field.since;
    });
}

#[inline]
const fn check_unchanged(of: &Type) {
    if let Some(element) = of.element {
        check_unchanged(element);
    }
    for_each!(field in of.fields => {
        assert!(
            field.since == 0,
            "a field was appended to a structure that is not a block of data"
        );
        check_unchanged(field.of);
    });
}

impl Operation {
    #[inline]
    pub(crate) const fn check(&self) {
        assert!(
            is_name(self.name),
            "the name of an operation must be an identifier of C, and no keyword"
        );
        for_each!(argument in self.arguments => {
            assert!(
                is_name(argument.name),
                "the name of an argument must be an identifier of C, and no keyword"
            );
            check_unchanged(argument.of);
        });
        check_unchanged(self.result);
    }
}

impl Declaration {
    /// Returns the declaration.
    ///
    /// # Panics
    ///
    /// At compile time, if the declaration is not valid.
    #[inline]
    pub const fn checked(self) -> Self {
        assert!(
            is_name(self.name),
            "the name of a pair must be an identifier of C, and no keyword"
        );
        check_names(self.structs);
        check_names(self.lent);
        check_fields(self.owner_data, self.minor);
        check_fields(self.peer_data, self.minor);
        check_fields(self.shared_data, self.minor);
        for_each!(kind in self.kinds => {
            assert!(
                is_name(kind.name),
                "the name of a kind must be an identifier of C, and no keyword"
            );
            assert!(
                kind.since <= self.minor,
                "a kind was appended in a later minor version than that of the pair"
            );
            check_unchanged(kind.payload);
            let mut same = 0;
            for_each!(other in self.kinds => {
                same += (other.number == kind.number) as u32;
            });
            assert!(same == 1, "two kinds of items have the same number");
        });
        for_each!(code in self.codes => {
            assert!(
                is_name(code.name),
                "the name of a control code must be an identifier of C, and no keyword"
            );
            assert!(
                code.since <= self.minor,
                "a control code was appended in a later minor version than that of the pair"
            );
            check_unchanged(code.input);
            check_unchanged(code.output);
            let mut same = 0;
            for_each!(other in self.codes => {
                same += (other.number == code.number) as u32;
            });
            assert!(same == 1, "two control codes have the same function number");
        });
        for_each!(event in self.events => {
            assert!(
                event.since <= self.minor,
                "an event was appended in a later minor version than that of the pair"
            );
            assert!(
                is_name(event.name),
                "the name of an event must be an identifier of C, and no keyword"
            );
            // The whole name is `DRIVER.NAME`. `DRIVER` has less than D2D_NAME_SIZE bytes.
            assert!(
                event.name.len() < (abi::D2D_EVENT_NAME_SIZE - abi::D2D_NAME_SIZE) as usize,
                "the name of an event must have at most 31 bytes"
            );
        });
        self
    }
}
