// SPDX-License-Identifier: GPL-2.0

//! The table of drivers: refusals, handles and states.

use super::*;
use crate::handle::{
    driver_of,
    generation,
    index,
    target_of, //
};
use core::cell::Cell;
use d2d::{
    header,
    testing::module, //
};
use kernel::str::CString;

type Dispatch = unsafe extern "C" fn(*mut c_void, *const abi::d2d_request) -> c_int;

/// A dispatch routine that returns the request's code.
///
/// # Safety
///
/// `request` is valid for reads.
unsafe extern "C" fn dispatch(_this: *mut c_void, request: *const abi::d2d_request) -> c_int {
    // SAFETY: The caller says that `request` is valid for reads.
    unsafe { (*request).code as c_int }
}

fn registry() -> Result<Pin<KBox<Registry>>> {
    KBox::pin_init(Registry::new(c"d2d_kunit"), GFP_KERNEL)
}

fn object(name: &CStr) -> abi::d2d_driver {
    let mut object = abi::d2d_driver {
        hdr: header::new::<abi::d2d_driver>(abi::D2D_DRIVER_MAGIC),
        name: [0; abi::D2D_NAME_SIZE as usize],
        owner: module(),
        self_: core::ptr::null_mut(),
        dispatch: Some(dispatch),
        returned: None,
        completed: None,
        cancelled: None,
        hot_keys: core::ptr::null_mut(),
        flags: 0,
        reserved: 0,
    };
    for (to, from) in object.name.iter_mut().zip(name.to_bytes()) {
        *to = *from;
    }
    object
}

fn add(registry: &Registry, object: &abi::d2d_driver) -> Result<abi::d2d_handle> {
    // SAFETY: The object is valid. The tests call its routine only with a valid request.
    registry.add(unsafe { Arg::new(core::ptr::from_ref(object)) })
}

/// Returns the error for a driver object that `change` has changed.
fn refusal(change: impl FnOnce(&mut abi::d2d_driver)) -> Result<Option<Error>> {
    let mut object = object(c"driver");
    change(&mut object);
    Ok(add(&*registry()?, &object).err())
}

fn state(registry: &Registry, driver: abi::d2d_handle) -> Result<State> {
    registry.get(driver).map(|entry| entry.state)
}

fn set_state(registry: &Registry, driver: abi::d2d_handle, state: State) -> Result<State> {
    registry
        .update(driver, |_| Some(state))
        .map(|before| before.state)
}

/// Any number.
const REQUEST: abi::d2d_handle = 1;

/// Returns the number of the context.
fn reserve(registry: &Registry, driver: abi::d2d_handle, contexts: usize) -> Result<usize> {
    registry
        .reserve(driver, REQUEST, contexts)
        .map(|(_, handshake)| handshake.context)
}

fn handshake(context: usize) -> Handshake {
    Handshake {
        context,
        request: REQUEST,
    }
}

/// Fails with `EBUSY` if the driver is not detached, or a thread is inside its routines.
fn remove(registry: &Registry, handle: abi::d2d_handle) -> Result<Driver> {
    registry.unregister(handle)?;
    registry.remove(handle).ok_or(EBUSY)
}

#[kunit_tests(d2d_registry)]
mod cases {
    use super::*;

    #[test]
    fn a_registered_driver_is_found_and_called() -> Result {
        let registry = registry()?;
        assert!(registry.is_empty());
        let handle = add(&registry, &object(c"driver"))?;
        assert!(!registry.is_empty());
        let driver = registry.get(handle)?;
        assert_eq!(driver.name(), c"driver");
        assert_eq!(driver.module(), module().cast_const());
        let request = abi::d2d_request {
            hdr: header::new::<abi::d2d_request>(abi::D2D_REQUEST_MAGIC),
            handle: 0,
            major_function: 0,
            code: 99,
            user_buffer: core::ptr::null_mut(),
            driver: handle,
            input_len: 0,
            output_len: 0,
            input: core::ptr::null(),
            output: core::ptr::null_mut(),
        };
        let inside = registry.enter(handle).ok_or(ESTALE)?;
        assert_eq!(inside.dispatch(&request), 99);
        drop(inside);
        assert_eq!(remove(&registry, handle)?.name(), c"driver");
        assert!(registry.is_empty());
        Ok(())
    }

    #[test]
    fn invalid_driver_objects_are_refused() -> Result {
        assert_eq!(refusal(|_| {})?, None);
        assert_eq!(refusal(|object| object.hdr.magic ^= 1)?, Some(EBADMSG));
        assert_eq!(refusal(|object| object.hdr.major += 1)?, Some(EPROTO));
        assert_eq!(refusal(|object| object.hdr.size += 1)?, Some(EMSGSIZE));
        assert_eq!(refusal(|object| object.hdr.layout ^= 1)?, Some(EBADE));
        assert_eq!(
            refusal(|object| object.name.fill(b'x'))?,
            Some(ENAMETOOLONG)
        );
        assert_eq!(refusal(|object| object.name[0] = 0)?, Some(EINVAL));
        assert_eq!(refusal(|object| object.name[2] = b' ')?, Some(EINVAL));
        assert_eq!(refusal(|object| object.name[2] = 0x80)?, Some(EINVAL));
        assert_eq!(refusal(|object| object.dispatch = None)?, Some(EFAULT));
        assert_eq!(
            refusal(|object| object.owner = core::ptr::null_mut())?,
            Some(EFAULT)
        );
        assert_eq!(
            refusal(|object| object.owner = object.owner.wrapping_byte_add(1))?,
            Some(EFAULT)
        );
        assert_eq!(
            refusal(|object| object.owner = core::ptr::without_provenance_mut(4096))?,
            Some(EFAULT)
        );
        Ok(())
    }

    #[test]
    fn a_dispatch_routine_outside_the_module_is_refused() -> Result {
        let outside = bindings::schedule as unsafe extern "C" fn();
        // SAFETY: Both types are function pointers. The test never calls the result.
        let outside = unsafe { core::mem::transmute::<unsafe extern "C" fn(), Dispatch>(outside) };
        assert_eq!(
            refusal(|object| object.dispatch = Some(outside))?,
            Some(ENOEXEC)
        );
        Ok(())
    }

    #[test]
    fn bad_pointers_to_objects_are_refused() -> Result {
        let registry = registry()?;
        let object = object(c"driver");
        let bad = [
            core::ptr::null(),
            core::ptr::without_provenance(4096),
            core::ptr::from_ref(&object).wrapping_byte_add(1),
        ];
        for pointer in bad {
            // SAFETY: No driver object is at a null, unmapped or misaligned address.
            let result = registry.add(unsafe { Arg::new(pointer) });
            assert_eq!(result, Err(EFAULT));
        }
        assert!(registry.is_empty());
        Ok(())
    }

    #[test]
    fn the_longest_name_fits() -> Result {
        let registry = registry()?;
        let longest = c"abcdefghijklmnopqrstuvwxyz01234";
        assert_eq!(longest.count_bytes() + 1, abi::D2D_NAME_SIZE as usize);
        let handle = add(&registry, &object(longest))?;
        assert_eq!(registry.get(handle)?.name(), longest);
        Ok(())
    }

    #[test]
    fn a_name_is_taken_until_it_is_free() -> Result {
        let registry = registry()?;
        let first = add(&registry, &object(c"driver"))?;
        assert_eq!(add(&registry, &object(c"driver")), Err(ENOTUNIQ));
        let second = add(&registry, &object(c"driver2"))?;
        assert!(first != second);
        remove(&registry, first)?;
        add(&registry, &object(c"driver"))?;
        Ok(())
    }

    #[test]
    fn old_handles_are_stale() -> Result {
        let registry = registry()?;
        let old = add(&registry, &object(c"driver"))?;
        remove(&registry, old)?;
        for handle in [old, 0, !0, old + (1 << 32), old + 1, old | 0xffff] {
            assert_eq!(registry.get(handle).err(), Some(ESTALE));
            assert_eq!(remove(&registry, handle).err(), Some(ESTALE));
            assert_eq!(reserve(&registry, handle, 1), Err(ESTALE));
            assert_eq!(state(&registry, handle).err(), Some(ESTALE));
        }
        let new = add(&registry, &object(c"driver"))?;
        assert_eq!(index(new), index(old));
        assert_eq!(generation(new), generation(old) + 1);
        assert_eq!(registry.get(old).err(), Some(ESTALE));
        assert!(registry.get(new).is_ok());
        Ok(())
    }

    #[test]
    fn a_driver_has_one_handle_and_its_senders_have_another() -> Result {
        let registry = registry()?;
        let driver = add(&registry, &object(c"driver"))?;
        let sender = registry.lookup(c"driver")?;
        assert!(Kind::Driver.parts(driver).is_some());
        assert!(Kind::Target.parts(sender).is_some());
        assert_eq!(driver_of(sender), driver);
        assert_eq!(target_of(driver), sender);
        assert!(registry.enter_target(1, driver).is_err());
        assert_eq!(registry.get(sender).err(), Some(ESTALE));
        Ok(())
    }

    #[test]
    fn a_full_table_refuses() -> Result {
        let registry = registry()?;
        let mut last = 0;
        for n in 0..SLOTS {
            let name = CString::try_from_fmt(fmt!("driver{}", n))?;
            last = add(&registry, &object(&name))?;
        }
        assert_eq!(add(&registry, &object(c"one-more")), Err(ENFILE));
        remove(&registry, last)?;
        add(&registry, &object(c"one-more"))?;
        Ok(())
    }

    #[test]
    fn each_driver_gets_a_context_of_its_own() -> Result {
        let registry = registry()?;
        let a = add(&registry, &object(c"a"))?;
        let b = add(&registry, &object(c"b"))?;
        let c = add(&registry, &object(c"c"))?;
        assert_eq!(reserve(&registry, a, 2), Ok(0));
        assert_eq!(reserve(&registry, b, 2), Ok(1));
        assert_eq!(reserve(&registry, c, 2), Err(EBUSY));
        assert!(state(&registry, c)? == State::Detached);
        registry.end_attach(a);
        set_state(&registry, a, State::Detached)?;
        assert_eq!(reserve(&registry, c, 2), Ok(0));
        assert_eq!(reserve(&registry, a, 2), Err(EBUSY));
        Ok(())
    }

    #[test]
    fn a_driver_holds_its_context_in_each_state_but_detached() -> Result {
        let registry = registry()?;
        let a = add(&registry, &object(c"a"))?;
        let b = add(&registry, &object(c"b"))?;
        assert_eq!(reserve(&registry, a, 1), Ok(0));
        registry.end_attach(a);
        for next in [
            State::Abandoned(handshake(0)),
            State::Attached(0),
            State::Detaching(0),
            State::Attaching(handshake(0)),
        ] {
            assert_eq!(reserve(&registry, a, 1), Err(EALREADY));
            assert_eq!(reserve(&registry, b, 1), Err(EBUSY));
            assert_eq!(remove(&registry, a).err(), Some(EBUSY));
            set_state(&registry, a, next)?;
            assert!(state(&registry, a)? == next);
        }
        assert!(set_state(&registry, a, State::Detached)? == State::Attaching(handshake(0)));
        remove(&registry, a)?;
        assert_eq!(reserve(&registry, b, 1), Ok(0));
        Ok(())
    }

    #[test]
    fn a_driver_stays_while_a_thread_attaches_it() -> Result {
        let registry = registry()?;
        let driver = add(&registry, &object(c"driver"))?;
        assert_eq!(reserve(&registry, driver, 1), Ok(0));
        set_state(&registry, driver, State::Detached)?;
        assert_eq!(remove(&registry, driver).err(), Some(EBUSY));
        assert_eq!(reserve(&registry, driver, 1), Err(EALREADY));
        registry.end_attach(driver);
        assert_eq!(reserve(&registry, driver, 1), Ok(0));
        Ok(())
    }

    #[test]
    fn attaching_is_in_progress_until_the_handshake_has_succeeded_or_failed() -> Result {
        let registry = registry()?;
        let driver = add(&registry, &object(c"driver"))?;
        assert_eq!(reserve(&registry, driver, 1), Ok(0));
        let made = handshake(0);
        for (state, result) in [
            (State::Attaching(made), Err(EINPROGRESS)),
            (State::Abandoned(made), Err(EINPROGRESS)),
            (State::Attached(0), Ok(())),
            (State::Detached, Ok(())),
        ] {
            set_state(&registry, driver, state)?;
            assert_eq!(registry.get(driver)?.attach_result(made), result);
        }
        set_state(&registry, driver, State::Abandoned(made))?;
        registry.note_refusal(driver, ESTALE);
        assert_eq!(registry.get(driver)?.attach_result(made), Err(ESTALE));
        registry.end_attach(driver);
        set_state(&registry, driver, State::Detached)?;
        Ok(())
    }

    #[test]
    fn a_handshake_ends_although_its_time_limit_ends_meanwhile() -> Result {
        let registry = registry()?;
        let driver = add(&registry, &object(c"driver"))?;
        for is_overdue in [false, true] {
            assert_eq!(reserve(&registry, driver, 1), Ok(0));
            let made = Handshake {
                context: 0,
                request: 17,
            };
            set_state(&registry, driver, State::Attaching(made))?;
            let (found, handshake) = registry.by_request(17).ok_or(ENOENT)?;
            assert_eq!(found, driver);
            if is_overdue {
                let late = State::Abandoned(made);
                assert!(registry.transition(driver, State::Attaching(made), late));
            }
            registry.end_attach(driver);
            let clears = Cell::new(0);
            let clear = || clears.set(clears.get() + 1);
            registry.end_handshake(driver, handshake, clear);
            assert!(state(&registry, driver)? == State::Detached);
            registry.end_handshake(driver, handshake, clear);
            assert_eq!(clears.get(), 1);
        }
        Ok(())
    }

    #[test]
    fn a_driver_that_left_before_it_was_published_is_leaving() -> Result {
        let registry = registry()?;
        let driver = add(&registry, &object(c"driver"))?;
        // A thread that has guessed the handle may have called `d2d_leave` before this `publish`.
        registry.leave(driver)?;
        assert_eq!(registry.publish(driver, false), Ok(driver));
        let refusal = registry.check_sender(driver, 0, STALE_DRIVER);
        assert_eq!(refusal, Err(SENDER_LEAVES));
        Ok(())
    }

    #[test]
    fn a_driver_that_another_thread_unregisters_is_not_published() -> Result {
        let registry = registry()?;
        for (is_going, reason) in [(false, "driver-is-leaving"), (true, "module-is-going")] {
            let driver = add(&registry, &object(c"driver"))?;
            // A thread that has guessed the handle may have called `d2d_unregister` before this `publish`.
            registry.unregister(driver)?;
            let published = registry.publish(driver, is_going);
            assert_eq!(published, Err((reason, ESHUTDOWN)));
            // That thread calls `remove` until it succeeds.
            assert!(registry.remove(driver).is_some());
        }
        Ok(())
    }

    #[test]
    fn a_transition_succeeds_once() -> Result {
        let registry = registry()?;
        let driver = add(&registry, &object(c"driver"))?;
        let (from, to) = (State::Attaching(handshake(0)), State::Attached(0));
        assert_eq!(reserve(&registry, driver, 1), Ok(0));
        assert!(!registry.transition(driver, to, State::Detached));
        assert!(!registry.transition(driver, State::Attaching(handshake(1)), to));
        assert!(registry.transition(driver, from, to));
        assert!(!registry.transition(driver, from, to));
        assert!(state(&registry, driver)? == to);
        Ok(())
    }
}
