// SPDX-License-Identifier: GPL-2.0

//! What distinguishes one interface from another: its hash chain and its build.
//! [`interface!`](crate::interface!) computes both at compile time.
//!
//! C type: `struct d2d_ops`.

use crate::{
    declaration::{
        Declaration,
        Member,
        Operation,
        Type, //
    },
    for_each::for_each, //
};

/// The constants of FNV-1a with 64 bits.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

#[inline]
const fn mix_byte(hash: u64, byte: u8) -> u64 {
    (hash ^ byte as u64).wrapping_mul(PRIME)
}

#[inline]
const fn mix_bytes(mut hash: u64, bytes: &[u8]) -> u64 {
    for_each!(&byte in bytes => {
        hash = mix_byte(hash, byte);
    });
    hash
}

#[inline]
const fn mix_word(hash: u64, word: u64) -> u64 {
    mix_bytes(hash, &word.to_le_bytes())
}

/// Mixes in the length first. Otherwise the texts `ab`, `c` would give the same hash as `a`, `bc`.
#[inline]
const fn mix_text(hash: u64, text: &str) -> u64 {
    let bytes = text.as_bytes();
    mix_bytes(mix_word(hash, bytes.len() as u64), bytes)
}

#[inline]
const fn mix_field(mut hash: u64, field: &Member) -> u64 {
    hash = mix_text(hash, field.name);
    hash = mix_word(hash, field.offset as u64);
    mix_type(hash, field.of)
}

/// Mixes in a type with its whole layout.
#[inline]
const fn mix_type(hash: u64, of: &Type) -> u64 {
    let mut hash = mix_text(hash, of.name);
    hash = mix_word(hash, of.size as u64);
    hash = mix_word(hash, of.align as u64);
    hash = mix_word(hash, of.count as u64);
    if let Some(element) = of.element {
        hash = mix_type(hash, element);
    }
    hash = mix_word(hash, of.fields.len() as u64);
    for_each!(field in of.fields => {
        hash = mix_field(hash, field);
    });
    hash
}

#[inline]
pub(crate) const fn of_type(of: &Type) -> u64 {
    mix_type(OFFSET, of)
}

/// Mixes in what a minor version has appended to a block of data. A block that is no structure
/// belongs to minor version 0.
#[inline]
const fn mix_block(mut hash: u64, of: &Type, minor: u16) -> u64 {
    if minor == 0 {
        hash = mix_text(hash, of.name);
        if of.fields.is_empty() {
            return mix_type(hash, of);
        }
    }
    let mut appended = 0;
    for_each!(field in of.fields => {
        if field.since == minor {
            hash = mix_field(hash, field);
            appended += 1;
        }
    });
    // Without this number, the last field of one block could be the first field of the next block.
    mix_word(hash, appended)
}

/// Returns the sum of the hashes of the kinds, control codes and events that a minor version has
/// appended. A sum does not depend on their order.
#[inline]
const fn sum_of_unordered(declaration: &Declaration, minor: u16) -> u64 {
    let mut sum = 0u64;
    for_each!(kind in declaration.kinds => {
        let one = mix_word(
            mix_text(mix_text(OFFSET, "kind"), kind.name),
            kind.number as u64,
        );
        if kind.since == minor {
            sum = sum.wrapping_add(mix_type(one, kind.payload));
        }
    });
    for_each!(code in declaration.codes => {
        let one = mix_word(
            mix_text(mix_text(OFFSET, "code"), code.name),
            code.number as u64,
        );
        if code.since == minor {
            sum = sum.wrapping_add(mix_type(mix_type(one, code.input), code.output));
        }
    });
    for_each!(event in declaration.events => {
        let one = mix_text(mix_text(OFFSET, "event"), event.name);
        if event.since == minor {
            sum = sum.wrapping_add(mix_word(one, event.kind as u64));
        }
    });
    sum
}

/// Makes a hash for each minor version of a pair. A hash covers the pair's name, and what this
/// version has appended apart from operations: blocks of data, kinds of items, control codes and
/// events. A hash also depends on the hash of the version before, so a change of an older version
/// changes the hashes of all newer versions.
pub const fn versions<const N: usize>(declaration: &Declaration) -> [u64; N] {
    assert!(N == declaration.minor as usize + 1);
    let mut hashes = [0; N];
    let mut hash = mix_text(OFFSET, declaration.name);
    let mut minor = 0;
    while minor < N {
        hash = mix_block(hash, declaration.owner_data, minor as u16);
        hash = mix_block(hash, declaration.peer_data, minor as u16);
        hash = mix_block(hash, declaration.shared_data, minor as u16);
        hash = mix_word(hash, sum_of_unordered(declaration, minor as u16));
        hashes[minor] = hash;
        minor += 1;
    }
    hashes
}

/// Makes the chain of an interface: a hash for each minor version, then one for each operation. The
/// hash of a version covers the interface's name, its major version, and the version's hash in
/// `versions`. If `versions` has fewer hashes than there are versions, its last one stands for the rest. The hash of an
/// operation depends on that of the operation before it, but not on a minor version.
pub const fn chain<const N: usize>(
    interface: &str,
    (major, minor): (u16, u16),
    versions: &[u64],
    operations: &[Operation],
) -> [u64; N] {
    assert!(N == minor as usize + 1 + operations.len());
    assert!(
        !versions.is_empty() && versions.len() <= minor as usize + 1,
        "`versions` has no hash, or more hashes than the interface has minor versions"
    );
    let mut hashes = [0; N];
    let mut hash = mix_word(mix_text(OFFSET, interface), major as u64);
    let mut n = 0;
    while n <= minor as usize {
        let latest = if n < versions.len() {
            n
        } else {
            versions.len() - 1
        };
        hashes[n] = mix_word(hash, versions[latest]);
        n += 1;
    }
    for_each!(operation in operations => {
        operation.check();
        hash = mix_text(hash, operation.name);
        hash = mix_word(hash, operation.arguments.len() as u64);
        for_each!(argument in operation.arguments => {
            hash = mix_text(hash, argument.name);
            hash = mix_type(hash, argument.of);
        });
        hash = mix_type(hash, operation.result);
        hashes[n] = hash;
        n += 1;
    });
    hashes
}

/// Makes the build of an interface whose source text is `source`: a number that changes with that
/// text, the sources of this library, the compiler and the kernel. It is never 0.
#[inline]
pub const fn build(source: &str) -> u64 {
    mix_text(mix_word(OFFSET, crate::abi::D2D_BUILD_ID), source) | 1
}

#[cfg(d2d_tests)]
mod tests;
