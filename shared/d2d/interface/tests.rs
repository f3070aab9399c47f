// SPDX-License-Identifier: GPL-2.0

//! Operations tables made from traits, and the checks of the other side's table.

use super::*;
use crate::{
    interface,
    testing::module, //
};
use kernel::{
    bindings,
    sync::SetOnce, //
};

/// A link without a context. A side is connected once its storage has a `Switch`.
struct Switch;

impl Link for Switch {
    type Storage = SetOnce<Self>;

    fn of(storage: &SetOnce<Self>) -> Option<&Self> {
        storage.as_ref()
    }
}

interface! {
    /// An interface before operations were appended.
    trait ShortOps: "kunit" {
        interface: Short,
        caller: ShortCaller,
        table: ShortTable,
        link: Switch,
        version: (1, 0),
    }
    /// Returns `2 * value`.
    fn twice(&self, link: &Switch, value: u32) -> Result<u32>;
}

interface! {
    /// The same interface after operations were appended.
    trait LongOps: "kunit" {
        interface: Long,
        caller: LongCaller,
        table: LongTable,
        link: Switch,
        version: (1, 1),
    }
    /// Returns `2 * value`.
    fn twice(&self, link: &Switch, value: u32) -> Result<u32>;
    /// Returns `a - b`, or `EDOM` below 0.
    fn subtract(&self, link: &Switch, a: u64, b: u64) -> Result<u64>;
    /// No side implements it.
    fn missing(&self, link: &Switch) -> Result<u32>;
}

interface! {
    /// The operations of [`ShortOps`], for sides that are built from the same source.
    trait BuiltOps: "kunit" {
        interface: Built,
        caller: BuiltCaller,
        table: BuiltTable,
        link: Switch,
        version: (1, 0),
        build: "the same source",
    }
    /// Returns `2 * value`.
    fn twice(&self, link: &Switch, value: u32) -> Result<u32>;
}

/// Implements all three interfaces, and adds its number to each result.
struct Calculator(u32);

#[vtable]
impl ShortOps for Calculator {
    fn twice(&self, _link: &Switch, value: u32) -> Result<u32> {
        Ok(2 * value + self.0)
    }
}

#[vtable]
impl LongOps for Calculator {
    fn twice(&self, _link: &Switch, value: u32) -> Result<u32> {
        Ok(2 * value + self.0)
    }

    fn subtract(&self, _link: &Switch, a: u64, b: u64) -> Result<u64> {
        a.checked_sub(b).map(|d| d + u64::from(self.0)).ok_or(EDOM)
    }
}

#[vtable]
impl BuiltOps for Calculator {
    fn twice(&self, _link: &Switch, value: u32) -> Result<u32> {
        Ok(2 * value + self.0)
    }
}

type Side = Pin<KBox<Binding<SetOnce<Switch>, Calculator>>>;

fn side(added: u32) -> Result<Side> {
    let side = KBox::pin_init(
        Binding::new(Ok(SetOnce::new()), Ok(Calculator(added))),
        GFP_KERNEL,
    )?;
    side.storage().populate(Switch);
    Ok(side)
}

/// Copies `table` as that of the other side, for the interface `I`.
fn copy<I: Interface, T>(table: *const T, this: *mut c_void) -> Result<Endpoint<I>> {
    let raw = abi::d2d_endpoint {
        ops: table.cast(),
        self_: this,
        lent: crate::lent::NOTHING,
    };
    // SAFETY: The table belongs to this module, and the operations of each table with the right chain expect the
    // address of a `Side`, which a test drops after the result. If a test passes null, the copied table has no
    // operation. The side lends nothing.
    unsafe { Endpoint::copy(c"d2d_kunit", raw, module()) }
}

fn refusal<I: Interface, T>(table: *const T) -> Option<Error> {
    copy::<I, T>(table, core::ptr::null_mut()).err()
}

fn long() -> LongTable {
    *<Long as TableFor<Calculator>>::TABLE
}

/// Changes a [`long`] table, and returns the error with which the copy refuses it.
fn changed(change: impl FnOnce(&mut abi::d2d_ops)) -> Option<Error> {
    let mut table = long();
    change(&mut table.hdr);
    refusal::<Long, _>(&table)
}

#[kunit_tests(d2d_interface)]
mod cases {
    use super::*;

    #[test]
    fn the_header_of_a_table_describes_it() {
        let table = long();
        assert_eq!(table.hdr.size as usize, size_of::<LongTable>());
        assert_eq!(table.hdr.major, 1);
        assert_eq!(table.hdr.minor, 1);
        assert_eq!(table.hdr.build, 0);
        assert_eq!(table.hdr.chain, Long::CHAIN.as_ptr());
        assert_eq!(Long::CHAIN.len(), 5);
        assert_eq!(Short::CHAIN, [Long::CHAIN[0], Long::CHAIN[2]]);
    }

    #[test]
    fn an_operation_gets_its_own_side() -> Result {
        let (one, other) = (side(0)?, side(100)?);
        let one = copy::<Long, LongTable>(&long(), one.as_raw()).map(|copy| (copy, one))?;
        let other = copy::<Long, LongTable>(&long(), other.as_raw()).map(|copy| (copy, other))?;
        let (to_one, to_other) = (one.0.caller(), other.0.caller());
        assert_eq!(to_one.twice(21), Ok(42));
        assert_eq!(to_other.twice(21), Ok(142));
        assert_eq!(to_one.subtract(1 << 40, 1), Ok((1 << 40) - 1));
        assert_eq!(to_one.subtract(1, 2), Err(EDOM));
        Ok(())
    }

    #[test]
    fn an_operation_left_out_is_unsupported() -> Result {
        let side = side(0)?;
        assert!(long().missing.is_none());
        let endpoint = copy::<Long, _>(&long(), side.as_raw())?;
        assert_eq!(endpoint.caller().missing(), Err(EOPNOTSUPP));
        Ok(())
    }

    #[test]
    fn without_its_link_a_side_is_not_connected() -> Result {
        let side: Side = KBox::pin_init(
            Binding::new(Ok(SetOnce::new()), Ok(Calculator(0))),
            GFP_KERNEL,
        )?;
        let endpoint = copy::<Long, _>(&long(), side.as_raw())?;
        let caller = endpoint.caller();
        assert_eq!(caller.twice(1), Err(ENOTCONN));
        side.storage().populate(Switch);
        assert_eq!(caller.twice(1), Ok(2));
        Ok(())
    }

    #[test]
    fn a_shorter_table_lacks_its_last_operations() -> Result {
        let side = side(0)?;
        let table: *const ShortTable = <Short as TableFor<Calculator>>::TABLE;
        let endpoint = copy::<Long, _>(table, side.as_raw())?;
        let caller = endpoint.caller();
        assert_eq!(caller.twice(21), Ok(42));
        assert_eq!(caller.subtract(2, 1), Err(EOPNOTSUPP));
        assert_eq!(caller.missing(), Err(EOPNOTSUPP));
        Ok(())
    }

    #[test]
    fn the_known_operations_of_a_longer_table_are_used() -> Result {
        let side = side(0)?;
        let endpoint = copy::<Short, _>(&long(), side.as_raw())?;
        assert_eq!(endpoint.caller().twice(21), Ok(42));
        Ok(())
    }

    #[test]
    fn a_table_may_be_only_a_header() -> Result {
        let endpoint = {
            let mut table = long();
            table.hdr.size = size_of::<abi::d2d_ops>() as u32;
            copy::<Long, _>(&table, core::ptr::null_mut())?
        };
        assert_eq!(endpoint.caller().twice(21), Err(EOPNOTSUPP));
        Ok(())
    }

    #[test]
    fn changing_a_table_after_the_copy_has_no_effect() -> Result {
        let side = side(0)?;
        let mut table = long();
        let endpoint = copy::<Long, _>(&table, side.as_raw())?;
        table.twice = None;
        assert!(core::hint::black_box(&table).twice.is_none());
        assert_eq!(endpoint.caller().twice(21), Ok(42));
        Ok(())
    }

    #[test]
    fn bad_pointers_to_tables_are_refused() {
        let table = long();
        let bad = [
            core::ptr::null(),
            core::ptr::without_provenance(4096),
            core::ptr::from_ref(&table).wrapping_byte_add(1),
        ];
        for pointer in bad {
            assert_eq!(refusal::<Long, _>(pointer), Some(EFAULT));
        }
    }

    #[test]
    fn wrong_versions_and_sizes_are_refused() {
        assert_eq!(changed(|_| {}), None);
        assert_eq!(changed(|header| header.major = 0), Some(EPROTO));
        assert_eq!(changed(|header| header.major = 2), Some(EPROTO));
        assert_eq!(changed(|header| header.size = 0), Some(EMSGSIZE));
        assert_eq!(changed(|header| header.size -= 4), Some(EMSGSIZE));
        assert_eq!(changed(|header| header.size = 16), Some(EMSGSIZE));
        assert_eq!(changed(|header| header.size = u32::MAX), Some(EMSGSIZE));
    }

    #[test]
    fn another_build_is_refused() -> Result {
        assert_eq!(changed(|header| header.build = 1), Some(EXDEV));
        assert!(Built::BUILD != 0);
        let built: *const BuiltTable = <Built as TableFor<Calculator>>::TABLE;
        let short: *const ShortTable = <Short as TableFor<Calculator>>::TABLE;
        assert_eq!(refusal::<Built, _>(short), Some(EXDEV));
        assert_eq!(refusal::<Short, _>(built), Some(EXDEV));
        let side = side(0)?;
        let endpoint = copy::<Built, _>(built, side.as_raw())?;
        assert_eq!(endpoint.caller().twice(21), Ok(42));
        Ok(())
    }

    #[test]
    fn a_wrong_hash_in_the_chain_is_refused() {
        for wrong in 0..Long::CHAIN.len() {
            let mut chain = [0; 5];
            chain.copy_from_slice(Long::CHAIN);
            chain[wrong] ^= 1;
            let chain = core::hint::black_box(&chain);
            assert_eq!(changed(|header| header.chain = chain.as_ptr()), Some(EBADR));
        }
    }

    #[test]
    fn the_versions_that_both_sides_know_are_compared() {
        // Each case has the other side's minor version, its chain, and the entries of that chain that are compared.
        let [first, second, operations @ ..] = Long::CHAIN else {
            panic!("the chain is too short")
        };
        let mut newer = [0; 12];
        newer[0] = *first;
        newer[1] = *second;
        newer[9..].copy_from_slice(operations);
        let mut older = [0; 4];
        older[0] = *first;
        older[1..].copy_from_slice(operations);
        for (minor, chain, compared) in [
            (8, &mut newer[..], &[0, 1, 9, 10, 11][..]),
            (0, &mut older[..], &[0, 1, 2, 3]),
        ] {
            for wrong in 0..chain.len() {
                chain[wrong] ^= 1;
                let expected = compared.contains(&wrong).then_some(EBADR);
                let pointer = core::hint::black_box(&*chain).as_ptr();
                let refused = changed(|header| {
                    header.minor = minor;
                    header.chain = pointer;
                });
                assert_eq!(refused, expected);
                chain[wrong] ^= 1;
            }
        }
    }

    #[test]
    fn bad_pointers_to_chains_are_refused() {
        let bad = [
            core::ptr::null(),
            core::ptr::without_provenance(4096),
            Long::CHAIN.as_ptr().wrapping_byte_add(1),
        ];
        for pointer in bad {
            assert_eq!(changed(|header| header.chain = pointer), Some(EFAULT));
        }
    }

    #[test]
    fn operations_outside_the_module_are_refused() {
        let first = size_of::<abi::d2d_ops>() / size_of::<usize>();
        for index in 0..3 {
            let mut table = long();
            let entries = core::ptr::from_mut(&mut table).cast::<usize>();
            let outside = bindings::schedule as unsafe extern "C" fn() as usize;
            // SAFETY: The table has three operations, one of which gets an address that nobody calls.
            unsafe { entries.add(first + index).write(outside) };
            assert_eq!(refusal::<Long, _>(&table), Some(ENOEXEC));
        }
    }

    #[test]
    fn bad_pointers_to_modules_are_refused() {
        let raw = abi::d2d_endpoint {
            ops: core::ptr::from_ref(<Long as TableFor<Calculator>>::TABLE).cast(),
            self_: core::ptr::null_mut(),
            lent: crate::lent::NOTHING,
        };
        let bad = [
            core::ptr::null(),
            core::ptr::without_provenance(4096),
            module().cast_const().wrapping_byte_add(1),
        ];
        for module in bad {
            // SAFETY: `copy` refuses each `module`, so no code gets a result. `raw` names a constant table of this
            // module, and lends nothing.
            let copy = unsafe { Endpoint::<Long>::copy(c"d2d_kunit", raw, module) };
            assert_eq!(copy.err(), Some(EFAULT));
        }
    }
}
