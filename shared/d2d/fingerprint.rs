// SPDX-License-Identifier: GPL-2.0

//! What distinguishes one interface from another: the hash chain of its operations, and its build.
//!
//! C type: `struct d2d_ops`. [`interface!`](crate::interface!) computes both at compile time.

use crate::declaration::{
    Declaration,
    Operation,
    Type, //
};

/// The constants of the hash function: FNV-1a with 64 bits.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

const fn mix_byte(hash: u64, byte: u8) -> u64 {
    (hash ^ byte as u64).wrapping_mul(PRIME)
}

const fn mix_word(mut hash: u64, word: u64) -> u64 {
    let bytes = word.to_le_bytes();
    let mut i = 0;
    while i < bytes.len() {
        hash = mix_byte(hash, bytes[i]);
        i += 1;
    }
    hash
}

/// Mixes in the length, too, so that two different sequences of texts never mix in the same bytes.
const fn mix_text(hash: u64, text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut hash = mix_word(hash, bytes.len() as u64);
    let mut i = 0;
    while i < bytes.len() {
        hash = mix_byte(hash, bytes[i]);
        i += 1;
    }
    hash
}

/// Mixes in a type with everything that its layout consists of.
const fn mix_type(hash: u64, of: &Type) -> u64 {
    let mut hash = mix_text(hash, of.name);
    hash = mix_word(hash, of.size as u64);
    hash = mix_word(hash, of.align as u64);
    hash = mix_word(hash, of.count as u64);
    if let Some(element) = of.element {
        hash = mix_type(hash, element);
    }
    hash = mix_word(hash, of.fields.len() as u64);
    let mut i = 0;
    while i < of.fields.len() {
        let field = &of.fields[i];
        hash = mix_text(hash, field.name);
        hash = mix_word(hash, field.offset as u64);
        hash = mix_type(hash, field.of);
        i += 1;
    }
    hash
}

/// Makes the hash of what the two sides of a pair share apart from their operations: the pair's
/// name, all blocks of data, and the kinds of items and the control codes with their types. The
/// order in which kinds and codes are declared does not matter.
pub const fn agreement(declaration: &Declaration) -> u64 {
    let mut hash = mix_text(OFFSET, declaration.name);
    hash = mix_type(hash, declaration.owner_data);
    hash = mix_type(hash, declaration.peer_data);
    hash = mix_type(hash, declaration.shared_data);
    let (mut sum, mut i) = (0u64, 0);
    while i < declaration.kinds.len() {
        let kind = &declaration.kinds[i];
        let one = mix_word(
            mix_text(mix_text(OFFSET, "kind"), kind.name),
            kind.number as u64,
        );
        sum = sum.wrapping_add(mix_type(one, kind.payload));
        i += 1;
    }
    i = 0;
    while i < declaration.codes.len() {
        let code = &declaration.codes[i];
        let one = mix_word(
            mix_text(mix_text(OFFSET, "code"), code.name),
            code.number as u64,
        );
        sum = sum.wrapping_add(mix_type(mix_type(one, code.input), code.output));
        i += 1;
    }
    mix_word(hash, sum)
}

/// Makes the chain of an interface: the hash of its name, its major version and the agreement of
/// its pair, then one for each operation, which also depends on the one before it. `N` is the number
/// of operations plus 1. The agreement is 0 for an interface outside of
/// [`pair!`](crate::pair!).
pub const fn chain<const N: usize>(
    interface: &str,
    major: u16,
    agreement: u64,
    operations: &[Operation],
) -> [u64; N] {
    assert!(N == operations.len() + 1);
    let mut hashes = [0; N];
    let mut hash = mix_word(mix_text(OFFSET, interface), major as u64);
    hash = mix_word(hash, agreement);
    hashes[0] = hash;
    let mut i = 0;
    while i < operations.len() {
        let operation = &operations[i];
        hash = mix_text(hash, operation.name);
        hash = mix_word(hash, operation.arguments.len() as u64);
        let mut j = 0;
        while j < operation.arguments.len() {
            hash = mix_type(hash, operation.arguments[j].of);
            j += 1;
        }
        hash = mix_type(hash, operation.result);
        i += 1;
        hashes[i] = hash;
    }
    hashes
}

/// Makes the build of an interface whose source text is `source`. It differs if that text, the
/// sources of this library, the compiler or the kernel differ. It is never 0.
pub const fn build(source: &str) -> u64 {
    mix_text(mix_word(OFFSET, crate::abi::D2D_BUILD_ID), source) | 1
}

#[cfg(d2d_tests)]
mod tests;
