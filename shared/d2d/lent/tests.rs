// SPDX-License-Identifier: GPL-2.0

//! Lent memory.

use super::*;
use kernel::sync::atomic::Relaxed;

const DRIVER: &CStr = c"d2d_kunit";

/// A structure as `pair!` makes it.
#[repr(C)]
struct Ring {
    put: Atomic<u64>,
    slots: [Atomic<u32>; 4],
}

impl Described for Ring {
    const TYPE: &'static crate::declaration::Type =
        &crate::declaration::Type::plain::<Self>("ring");
}

// SAFETY: Each field is of a type that implements the trait.
unsafe impl Memory for Ring {}

fn ring() -> Result<Arc<Ring>> {
    Arc::pin_init(zeroed(), GFP_KERNEL)
}

/// Checks what a lender states, and returns its values of type `T`. The caller keeps the memory until it has returned.
fn values<'a, T: Memory>(lent: &abi::d2d_lent) -> Result<&'a [T]> {
    // SAFETY: Only the tests below call this function, and each keeps the memory until it has returned.
    unsafe { Lent::check(DRIVER, lent)?.values(DRIVER) }
}

#[kunit_tests(d2d_lent)]
mod cases {
    use super::*;

    #[test]
    fn both_sides_use_the_same_memory() -> Result {
        let ring = ring()?;
        let lending = Lending::new(ring.clone(), |ring| ring);
        let lent = values::<Ring>(&lending.lent)?;
        assert_eq!(lent.len(), 1);
        lent[0].slots[3].store(7, Relaxed);
        assert_eq!(ring.slots[3].load(Relaxed), 7);
        assert_eq!(ring.put.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn a_part_and_a_row_can_be_lent() -> Result {
        let ring = ring()?;
        let part = Lending::new(ring.clone(), |ring| &ring.slots[1]);
        values::<Atomic<u32>>(&part.lent)?[0].store(1, Relaxed);
        let row = Lending::slice(ring.clone(), |ring| &ring.slots[1..]);
        let lent = values::<Atomic<u32>>(&row.lent)?;
        assert_eq!(lent.len(), 3);
        assert_eq!(lent[0].load(Relaxed), 1);
        Ok(())
    }

    #[test]
    fn a_lending_keeps_the_memory() -> Result {
        struct Noted(Arc<Atomic<u32>>, Ring);
        impl Drop for Noted {
            fn drop(&mut self) {
                self.0.store(1, Relaxed);
            }
        }
        let is_dropped = Arc::new(Atomic::new(0), GFP_KERNEL)?;
        let ring = Ring {
            put: Atomic::new(0),
            slots: [const { Atomic::new(0) }; 4],
        };
        let noted = Arc::new(Noted(is_dropped.clone(), ring), GFP_KERNEL)?;
        let lending = Lending::new(noted, |noted| &noted.1);
        assert_eq!(is_dropped.load(Relaxed), 0);
        drop(lending);
        assert_eq!(is_dropped.load(Relaxed), 1);
        Ok(())
    }

    #[test]
    fn what_is_not_lent_is_refused() -> Result {
        assert_eq!(values::<Ring>(&NOTHING).err(), Some(ENODATA));
        assert_eq!(values::<Ring>(&Lending::as_raw(None)).err(), Some(ENODATA));
        let lending = Lending::new(ring()?, |ring| ring);
        let other = values::<Atomic<u64>>(&lending.lent);
        assert_eq!(other.err(), Some(EPROTOTYPE));
        let short = abi::d2d_lent {
            size: size_of::<Ring>() as u64 - 1,
            ..lending.lent
        };
        assert_eq!(values::<Ring>(&short).err(), Some(EMSGSIZE));
        Ok(())
    }

    #[test]
    fn a_user_buffer_points_to_a_lent_value() -> Result {
        let ring = ring()?;
        let row = Lending::slice(ring.clone(), |ring| &ring.slots[1..3]);
        let user_buffer = |n: usize| {
            Lending::user_buffer(Some(&row), DRIVER, &ring.slots[n])
                .map(|user_buffer| user_buffer.as_ptr().cast_const())
        };
        for n in 1..3 {
            assert_eq!(user_buffer(n)?, core::ptr::from_ref(&ring.slots[n]).cast());
        }
        assert_eq!(user_buffer(0).err(), Some(EFAULT));
        assert_eq!(user_buffer(3).err(), Some(EFAULT));
        let other = Lending::user_buffer(Some(&row), DRIVER, &ring.put);
        assert_eq!(other.err(), Some(EPROTOTYPE));
        let nothing = Lending::user_buffer(None, DRIVER, &ring.put);
        assert_eq!(nothing.err(), Some(ENODATA));
        Ok(())
    }

    #[test]
    fn memory_that_cannot_be_lent_is_refused() -> Result {
        let lending = Lending::slice(ring()?, |ring| &ring.slots);
        let bad = [
            (lending.lent.memory, 0),
            (lending.lent.memory, u64::MAX),
            (core::ptr::without_provenance_mut(4096), 8),
        ];
        for (memory, size) in bad {
            let lent = abi::d2d_lent {
                memory,
                size,
                ..lending.lent
            };
            assert_eq!(values::<Atomic<u32>>(&lent).err(), Some(EFAULT));
        }
        let misaligned = abi::d2d_lent {
            memory: lending.lent.memory.wrapping_byte_add(1),
            size: 8,
            ..lending.lent
        };
        assert_eq!(values::<Atomic<u32>>(&misaligned).err(), Some(EFAULT));
        Ok(())
    }

    #[test]
    fn an_empty_row_is_refused() -> Result {
        let lending = Lending::slice(ring()?, |ring| &ring.slots[..0]);
        assert_eq!(values::<Atomic<u32>>(&lending.lent).err(), Some(EFAULT));
        Ok(())
    }
}
