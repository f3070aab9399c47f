// SPDX-License-Identifier: GPL-2.0

//! Which names of a pair can be names in C, too.

use crate::{
    baseline::is_at,
    for_each::for_each, //
};

/// The keywords of C11, C23 and GNU C, and macros of headers that each driver in C includes.
const RESERVED: &[&str] = &[
    "NULL",
    "_Alignas",
    "_Alignof",
    "_Atomic",
    "_Bool",
    "_Complex",
    "_Generic",
    "_Imaginary",
    "_Noreturn",
    "_Static_assert",
    "_Thread_local",
    "alignas",
    "alignof",
    "asm",
    "auto",
    "bool",
    "break",
    "case",
    "char",
    "const",
    "constexpr",
    "continue",
    "current",
    "default",
    "do",
    "double",
    "else",
    "enum",
    "extern",
    "false",
    "float",
    "for",
    "goto",
    "if",
    "inline",
    "int",
    "linux",
    "long",
    "nullptr",
    "register",
    "restrict",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "static_assert",
    "struct",
    "switch",
    "thread_local",
    "true",
    "typedef",
    "typeof",
    "typeof_unqual",
    "union",
    "unix",
    "unsigned",
    "void",
    "volatile",
    "while",
];

#[inline]
pub(crate) const fn begins_with(text: &str, beginning: &str) -> bool {
    is_at(text.as_bytes(), 0, beginning.as_bytes())
}

#[inline]
pub(crate) const fn is_same(one: &str, other: &str) -> bool {
    one.len() == other.len() && begins_with(one, other)
}

#[inline]
const fn is_reserved(name: &str) -> bool {
    for_each!(word in RESERVED => {
        if is_same(name, word) {
            return true;
        }
    });
    false
}

/// Returns whether a name is an identifier of C, and none of [`RESERVED`].
#[inline]
pub(crate) const fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        match bytes[i] {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {}
            b'0'..=b'9' if i > 0 => {}
            _ => return false,
        }
        i += 1;
    }
    i > 0 && !is_reserved(name)
}
