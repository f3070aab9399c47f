// SPDX-License-Identifier: GPL-2.0

//! What tells one interface from another: its prefix hash chain, and its build.
//!
//! C type: `struct d2d_ops`. All of it is made at compile time, by
//! [`interface!`](crate::interface!).

/// A type in the signature of an operation.
pub struct Type {
    /// As it is written in the trait.
    pub name: &'static str,
    /// Bytes.
    pub size: usize,
    /// Bytes.
    pub align: usize,
}

impl Type {
    /// Describes a type that is written as `name`.
    pub const fn of<T>(name: &'static str) -> Self {
        Self {
            name,
            size: size_of::<T>(),
            align: align_of::<T>(),
        }
    }
}

/// An operation, with the types of its arguments and of its result, in this order.
pub struct Operation {
    /// As it is written in the trait.
    pub name: &'static str,
    /// Never empty: there is a result.
    pub types: &'static [Type],
}

/// FNV-1a, 64 bits.
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

/// Mixes the length as well, so that no two sequences of texts read alike.
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

/// Makes the chain of an interface: its own hash, and one more for each operation, each made from
/// the one before it. `N` is the number of operations and 1.
pub const fn chain<const N: usize>(
    interface: &str,
    major: u16,
    operations: &[Operation],
) -> [u64; N] {
    assert!(N == operations.len() + 1);
    let mut hashes = [0; N];
    let mut hash = mix_word(mix_text(OFFSET, interface), major as u64);
    hashes[0] = hash;
    let mut i = 0;
    while i < operations.len() {
        let operation = &operations[i];
        hash = mix_text(hash, operation.name);
        let mut j = 0;
        while j < operation.types.len() {
            let of_type = &operation.types[j];
            hash = mix_text(hash, of_type.name);
            hash = mix_word(hash, of_type.size as u64);
            hash = mix_word(hash, of_type.align as u64);
            j += 1;
        }
        i += 1;
        hashes[i] = hash;
    }
    hashes
}

/// Makes the build of an interface whose source text is `source`: another one for other sources of
/// it or of this library, and for another compiler or kernel. Never 0.
pub const fn build(source: &str) -> u64 {
    mix_text(mix_word(OFFSET, crate::abi::D2D_BUILD_ID), source) | 1
}

/// Stands for a hash in a type, so that the compiler's message shows a wrong one.
pub struct Hash<const HASH: u64>;

/// Returns the first entry of `chain` that is another one in `other`, or that `other` has not, or 0.
pub const fn first_difference(chain: &[u64], other: &[u64]) -> u64 {
    let mut i = 0;
    while i < chain.len() {
        if i >= other.len() || chain[i] != other[i] {
            return chain[i];
        }
        i += 1;
    }
    0
}

#[cfg(d2d_tests)]
mod tests;
