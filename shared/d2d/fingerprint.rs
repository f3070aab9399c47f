// SPDX-License-Identifier: GPL-2.0

//! What distinguishes one interface from another: the hash chain of its operations, and its build.
//!
//! C type: `struct d2d_ops`. [`interface!`](crate::interface!) computes both at compile time.

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

/// An operation and its types.
pub struct Operation {
    /// As it is written in the trait.
    pub name: &'static str,
    /// The types of its arguments, and then that of its result.
    pub types: &'static [Type],
}

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

/// Makes the chain of an interface: the hash of its name and major version, then one for each
/// operation, which also depends on the one before it. `N` is the number of operations plus 1.
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

/// Makes the build of an interface whose source text is `source`. It differs if that text, the
/// sources of this library, the compiler or the kernel differ. It is never 0.
pub const fn build(source: &str) -> u64 {
    mix_text(mix_word(OFFSET, crate::abi::D2D_BUILD_ID), source) | 1
}

/// A hash as a type: the compiler's message about a wrong hash shows both.
pub struct Hash<const HASH: u64>;

/// Returns the first entry of `chain` that differs from the entry of `other` at this index, or has
/// none there. Returns 0 if there is no such entry.
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
