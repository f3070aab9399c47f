// SPDX-License-Identifier: GPL-2.0

//! Sending requests: checks, and the receiver's execution context.

use super::fixture::*;
use crate::export::Arg;
use d2d::{
    abi,
    run_in::{
        run_in,
        Place, //
    }, //
};
use kernel::{
    prelude::*,
    sync::atomic::ordering::Relaxed,
    task::Task, //
};

#[kunit_tests(d2d_requests_sending)]
mod cases {
    use super::*;

    #[test]
    fn a_request_is_completed_at_once() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        let request = a.alloc()?;
        assert!(a.send_as(request, |send| {
            send.to = b.target;
            send.code = COMPLETE;
            send.tag = 77;
            send.output_len = 8;
        })?);
        let result = fixture.wait(request, 0)?;
        assert_eq!(result.status, 0);
        assert_eq!(result.information, 3);
        assert_eq!(result.tag, 77);
        assert_eq!(result.output_len as usize, OUTPUT.len());
        let mut output = [0; OUTPUT.len()];
        fixture.read(request, &mut output)?;
        assert_eq!(output, OUTPUT);
        assert_eq!(b.calls(), [1, 0, 0, 0]);
        assert_eq!(a.calls(), [0; 4]);
        Ok(())
    }

    #[test]
    fn a_request_is_completed_later() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        let (request, held) = a.pend(&b, PEND, 0)?;
        assert!(request != held);
        assert_eq!(a.send(request, &b, PEND, 0), Err(EBUSY));
        assert_eq!(fixture.read(request, &mut []), Err(EBUSY));
        fixture.complete(held, FAILED)?;
        assert_eq!(fixture.status(request)?, FAILED);
        assert_eq!(fixture.complete(held, 0), Err(ESTALE));
        assert_eq!(fixture.requests.cancel(request), Err(EALREADY));
        assert_eq!(fixture.status(request)?, FAILED);
        Ok(())
    }

    #[test]
    fn requests_are_sent_from_any_context() -> Result {
        let fixture = Fixture::new()?;
        let a = fixture.party(c"a")?;
        let b = fixture.party_as(c"b", |object| object.flags = abi::D2D_DISPATCH_ATOMIC)?;
        for place in Place::ALL {
            let request = a.alloc()?;
            let sent = run_in(place, || a.send(request, &b, COMPLETE, ATOMIC))?;
            assert_eq!(sent, Ok(true));
            assert_eq!(run_in(place, || fixture.status(request))?, Ok(0));
        }
        Ok(())
    }

    #[test]
    fn a_worker_dispatches_if_the_receiver_sleeps_and_the_sender_cannot() -> Result {
        let fixture = Fixture::new()?;
        let a = fixture.party(c"a")?;
        let sleeper = fixture.party(c"sleeper")?;
        let atomic = fixture.party_as(c"atomic", |object| {
            object.flags = abi::D2D_DISPATCH_ATOMIC;
        })?;
        let task = Task::current_raw() as usize;
        for (to, flags, inline) in [
            (&sleeper, 0, true),
            (&sleeper, ATOMIC, false),
            (&atomic, 0, true),
            (&atomic, ATOMIC, true),
        ] {
            let request = a.alloc()?;
            a.send(request, to, COMPLETE, flags)?;
            assert_eq!(fixture.status(request)?, 0);
            assert!(inline == (to.actor.task.load(Relaxed) == task));
        }
        Ok(())
    }

    #[test]
    fn the_structure_of_a_send_is_checked() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        let request = a.alloc()?;
        let refusal = |change: fn(&mut abi::d2d_send)| {
            let sent = a.send_as(request, |send| {
                send.to = b.target;
                send.code = COMPLETE;
                change(send);
            });
            sent.err()
        };
        assert_eq!(refusal(|send| send.hdr.magic ^= 1), Some(EBADMSG));
        assert_eq!(refusal(|send| send.hdr.major += 1), Some(EPROTO));
        assert_eq!(refusal(|send| send.hdr.size += 1), Some(EMSGSIZE));
        assert_eq!(refusal(|send| send.hdr.layout ^= 1), Some(EBADE));
        assert_eq!(refusal(|send| send.flags = 8), Some(EINVAL));
        assert_eq!(refusal(|send| send.major_function = 0), Some(EINVAL));
        let reserved = |send: &mut abi::d2d_send| send.code = abi::D2D_IOCTL_SHARE_CONTEXT;
        assert_eq!(refusal(reserved), Some(EINVAL));
        let longer = |send: &mut abi::d2d_send| {
            send.input = core::ptr::from_mut(send).cast();
            send.input_len = 9;
        };
        assert_eq!(refusal(longer), Some(EMSGSIZE));
        assert_eq!(refusal(|send| send.output_len = 9), Some(EMSGSIZE));
        assert_eq!(refusal(|send| send.input_len = 8), Some(EFAULT));
        // SAFETY: The pointer is null, so no structure is read.
        let nothing = unsafe { Arg::new(core::ptr::null()) };
        let sent = fixture.requests.send(request, nothing);
        assert_eq!(sent, Err(EFAULT));
        assert_eq!(b.calls(), [0; 4]);
        assert_eq!(refusal(|_| {}), None);
        Ok(())
    }

    #[test]
    fn a_driver_without_a_routine_cannot_ask_for_it() -> Result {
        let fixture = Fixture::new()?;
        let bare = |object: &mut abi::d2d_driver| {
            object.returned = None;
            object.completed = None;
            object.cancelled = None;
        };
        let (a, b) = (fixture.party_as(c"a", bare)?, fixture.party_as(c"b", bare)?);
        let request = a.alloc()?;
        assert_eq!(a.send(request, &b, PEND, ROUTINE), Err(EINVAL));
        a.send(request, &b, PEND, 0)?;
        assert_eq!(fixture.requests.set_cancel(b.holds()), Err(EINVAL));
        b.passes_on_to(&a, PEND);
        assert_eq!(b.actor.forward(b.holds(), ROUTINE), EINVAL.to_errno());
        assert_eq!(fixture.status(request)?, EINVAL.to_errno());
        Ok(())
    }

    #[test]
    fn a_request_neither_completed_nor_pended_fails() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        let request = a.alloc()?;
        assert!(a.send(request, &b, FORGET, 0)?);
        assert_eq!(fixture.status(request)?, FAILED);
        assert_eq!(fixture.complete(b.holds(), 0), Err(ESTALE));
        Ok(())
    }

    #[test]
    fn a_request_that_is_not_dispatched_yet_has_no_holder() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        let request = a.alloc()?;
        let record = fixture.record(request)?;
        let passed = a.pass(request, &b, COMPLETE, ATOMIC)?;
        // No driver has got this handle yet.
        let guessed = record.holder_handle(record.word().generation());
        b.passes_on_to(&a, COMPLETE);
        assert_eq!(b.actor.forward(guessed, 0), ESTALE.to_errno());
        assert_eq!(fixture.complete(guessed, 0), Err(ESTALE));
        assert_eq!(fixture.write(guessed, &[]), Err(ESTALE));
        assert_eq!(fixture.requests.set_cancel(guessed), Err(ESTALE));
        fixture.requests.call(passed);
        assert_eq!(fixture.status(request)?, 0);
        Ok(())
    }

    #[test]
    fn a_pended_handshake_is_pending_although_it_is_completed() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        let request = a.alloc()?;
        let send = abi::d2d_send {
            to: b.target,
            code: abi::D2D_IOCTL_SHARE_CONTEXT,
            ..a.actor.how()
        };
        assert_eq!(fixture.requests.send_handshake(request, &send), Ok(false));
        assert_eq!(fixture.wait(request, 0)?.status, 0);
        Ok(())
    }
}
