// SPDX-License-Identifier: GPL-2.0

//! Tables of values named by handles.

use super::*;
use crate::handle::index;
use d2d::abi;

fn table<T>(max: usize) -> Result<Table<T>> {
    Table::new(Kind::Event, max)
}

/// Adds a value, and allocates a chunk if the table needs one. Returns the value's handle.
fn add<T>(table: &mut Table<T>, value: T) -> Result<d2d_handle, Lacking> {
    let mut spare = None;
    if let Err(Lacking::Chunk) = table.vacant(&mut spare) {
        spare = Chunk::new(GFP_KERNEL).ok();
    }
    let vacant = table.vacant(&mut spare)?;
    let handle = vacant.handle();
    vacant.insert(value);
    Ok(handle)
}

fn added<T>(table: &mut Table<T>, value: T) -> Result<d2d_handle> {
    add(table, value).map_err(|_| ENOSPC)
}

/// Removes a value. Returns the value, and whether the table gave back an empty chunk.
fn remove<T>(table: &mut Table<T>, handle: d2d_handle) -> Option<(T, bool)> {
    let (value, chunk) = table.remove(handle)?;
    Some((value, chunk.is_some()))
}

/// Counts the values of this type that exist.
struct Counted<'a>(&'a core::cell::Cell<u32>);

impl<'a> Counted<'a> {
    fn new(count: &'a core::cell::Cell<u32>) -> Self {
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[kunit_tests(d2d_table)]
mod cases {
    use super::*;

    #[test]
    fn a_handle_names_its_value_until_it_is_removed() -> Result {
        let mut table = super::table(100)?;
        let one = added(&mut table, 1)?;
        let two = added(&mut table, 2)?;
        assert!(one != two && one != 0 && two != 0);
        assert_eq!(table.get(one), Some(&1));
        if let Some(value) = table.get_mut(two) {
            *value = 22;
        }
        assert_eq!(remove(&mut table, one), Some((1, false)));
        assert_eq!(table.get(one), None);
        assert_eq!(table.get_mut(one), None);
        assert_eq!(remove(&mut table, one), None);
        assert_eq!(table.get(two), Some(&22));
        Ok(())
    }

    #[test]
    fn an_old_handle_does_not_name_the_next_value() -> Result {
        let mut table = super::table(1)?;
        let old = added(&mut table, 1)?;
        remove(&mut table, old);
        let new = added(&mut table, 2)?;
        assert_eq!(old as u32, new as u32);
        assert_eq!(table.get(old), None);
        assert_eq!(remove(&mut table, old), None);
        assert_eq!(table.get(new), Some(&2));
        Ok(())
    }

    #[test]
    fn made_up_handles_name_nothing() -> Result {
        let mut table = super::table(100)?;
        let handle = added(&mut table, 1)?;
        let made_up = [
            0,
            !0,
            handle + 1,
            handle | 1 << 16,
            handle | 1 << 31,
            handle ^ 1 << abi::D2D_HANDLE_KIND_SHIFT,
            Kind::Driver.handle(0, 1),
            handle | 0xffff,
            handle + (1 << 32),
            handle & 0xffff,
        ];
        for made_up in made_up {
            assert_eq!(table.get(made_up), None);
            assert_eq!(table.get_mut(made_up), None);
            assert_eq!(remove(&mut table, made_up), None);
        }
        assert_eq!(table.get(handle), Some(&1));
        Ok(())
    }

    #[test]
    fn each_index_is_used() -> Result {
        let mut table = super::table(MAX)?;
        for value in 0..MAX {
            let handle = added(&mut table, value)?;
            assert_eq!(index(handle) as usize, value);
        }
        assert_eq!(add(&mut table, 0), Err(Lacking::Room));
        Ok(())
    }

    #[test]
    fn a_chunk_is_asked_for_when_it_is_needed() -> Result {
        let mut table = super::table(128)?;
        let mut none = None;
        assert!(matches!(table.vacant(&mut none), Err(Lacking::Chunk)));
        for value in 0..64 {
            added(&mut table, value)?;
            let mut spare = Some(Chunk::new(GFP_KERNEL)?);
            let lacking = table.vacant(&mut none).err();
            assert_eq!(lacking, (value == 63).then_some(Lacking::Chunk));
            // A spare chunk that the table does not need stays with the caller.
            if value < 63 {
                assert!(table.vacant(&mut spare).is_ok());
                assert!(spare.is_some());
            }
        }
        Ok(())
    }

    #[test]
    fn a_full_table_has_no_room() -> Result {
        for max in [0, 1, 63, 64, 65, 200] {
            let mut table = super::table(max)?;
            let mut last = 0;
            for value in 0..max {
                last = added(&mut table, value)?;
            }
            let mut spare = Some(Chunk::new(GFP_KERNEL)?);
            assert_eq!(table.vacant(&mut spare).err(), Some(Lacking::Room));
            assert!(spare.is_some());
            if max > 0 {
                remove(&mut table, last);
                assert!(add(&mut table, 0).is_ok());
            }
        }
        Ok(())
    }

    #[test]
    fn chunks_come_back_but_for_the_first() -> Result {
        let mut table = super::table(192)?;
        let mut handles = KVec::new();
        for value in 0..192 {
            handles.push(added(&mut table, value)?, GFP_KERNEL)?;
        }
        for (n, handle) in handles.iter().enumerate() {
            let last_of_later_one = n == 127 || n == 191;
            assert_eq!(remove(&mut table, *handle), Some((n, last_of_later_one)));
        }
        // The next value gets the lowest free index.
        assert_eq!(index(added(&mut table, 0)?), 0);
        Ok(())
    }

    #[test]
    fn free_places_are_found_wherever_they_are() -> Result {
        let mut table = super::table(256)?;
        let mut handles = KVec::new();
        for value in 0..256 {
            handles.push(added(&mut table, value)?, GFP_KERNEL)?;
        }
        for n in [200, 3, 255, 64] {
            remove(&mut table, handles[n]);
        }
        for n in [3, 64, 200, 255] {
            assert_eq!(index(added(&mut table, 0)?), n);
        }
        assert_eq!(add(&mut table, 0), Err(Lacking::Room));
        Ok(())
    }

    #[test]
    fn values_are_found_by_index_and_in_order() -> Result {
        let mut table = super::table(256)?;
        assert_eq!(table.used_chunks(), 0);
        let mut handles = KVec::new();
        for value in 0..130 {
            handles.push(added(&mut table, value)?, GFP_KERNEL)?;
        }
        for n in 0..130 {
            assert_eq!(table.by_index_mut(n), Some((handles[n], &mut { n })));
            if n % 3 != 0 {
                remove(&mut table, handles[n]);
                assert_eq!(table.by_index_mut(n), None);
            }
        }
        assert_eq!(table.by_index_mut(130), None);
        assert_eq!(table.by_index_mut(MAX), None);
        let mut expected = (0..130).filter(|n| n % 3 == 0);
        assert_eq!(table.chunks(), 4);
        assert_eq!(table.used_chunks(), 3);
        for chunk in 0..5 {
            let other = table.find_in(chunk, |handle, value| {
                let next = expected.next().map(|n| (handles[n], n));
                (next != Some((handle, *value))).then_some(*value)
            });
            assert_eq!(other, None);
        }
        assert_eq!(expected.next(), None);
        let found = table.find_in(1, |handle, value| (*value > 100).then_some(handle));
        assert_eq!(found, Some(handles[102]));
        Ok(())
    }

    #[test]
    fn values_are_dropped_with_the_table() -> Result {
        let count = core::cell::Cell::new(0);
        let mut table = super::table(128)?;
        let first = added(&mut table, Counted::new(&count))?;
        for _ in 1..100 {
            added(&mut table, Counted::new(&count))?;
        }
        assert_eq!(count.get(), 100);
        drop(table.remove(first));
        assert_eq!(count.get(), 99);
        drop(table);
        assert_eq!(count.get(), 0);
        Ok(())
    }
}
