// SPDX-License-Identifier: GPL-2.0

//! The bounds of buffers, copies, and in-place calls.

use super::fixture::*;
use crate::{
    export::Arg,
    request::word::{
        self,
        Phase, //
    }, //
};
use d2d::{
    abi,
    run_in::{
        run_in,
        Place, //
    }, //
};
use kernel::prelude::*;

#[kunit_tests(d2d_requests_buffers)]
mod cases {
    use super::*;

    #[test]
    fn copies_keep_to_the_bounds_of_the_buffers() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        let max = abi::D2D_BUFFER_SIZE;
        assert_eq!(fixture.requests.alloc(a.driver, max + 1, 0), Err(EMSGSIZE));
        assert_eq!(fixture.requests.alloc(a.driver, 0, max + 1), Err(EMSGSIZE));
        let largest = fixture.requests.alloc(a.driver, max, max)?;
        fixture.requests.free(largest)?;

        let request = a.alloc()?;
        let input = *b"eight by";
        a.send_as(request, |send| {
            send.to = b.target;
            send.code = PEND;
            send.input = input.as_ptr().cast();
            send.input_len = 6;
            send.output_len = 5;
        })?;
        let held = b.holds();
        let mut read = [0; 8];
        fixture.read(held, &mut read[..6])?;
        assert_eq!(read, *b"eight \0\0");
        assert_eq!(fixture.read(held, &mut read[..7]), Err(EMSGSIZE));
        assert_eq!(fixture.write(held, b"123456"), Err(EMSGSIZE));
        fixture.write(held, b"12345")?;
        fixture.write(held, b"abc")?;
        // SAFETY: The pointer is null, so nothing is written.
        let nowhere = unsafe { Arg::new(core::ptr::null_mut()) };
        assert_eq!(fixture.requests.read(held, nowhere, 1), Err(EFAULT));
        let nothing = fixture.requests.write(held, core::ptr::null(), 1);
        assert_eq!(nothing, Err(EFAULT));
        // Without bytes, the pointer does not matter.
        fixture.requests.write(held, core::ptr::dangling(), 0)?;
        // The failed write has left no output, so this writes the output again.
        fixture.write(held, b"abc")?;
        fixture.complete(held, 0)?;
        assert_eq!(fixture.wait(request, 0)?.output_len, 3);
        let mut read = [0; 4];
        assert_eq!(fixture.read(request, &mut read), Err(EMSGSIZE));
        fixture.read(request, &mut read[..3])?;
        assert_eq!(read, *b"abc\0");
        Ok(())
    }

    #[test]
    fn a_request_that_many_copy_can_be_cancelled() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        let (request, held) = a.pend(&b, PEND_AND_HEAR, 0)?;
        let record = fixture.record(request)?;
        for _ in 0..62 {
            assert_eq!(fixture.read(held, &mut []), Ok(()));
            assert!(record.go(&word::PINNED).is_ok());
        }
        assert_eq!(fixture.read(held, &mut []), Err(EBUSY));
        fixture.requests.cancel(request)?;
        assert_eq!(b.calls(), [1, 0, 0, 1]);
        for _ in 0..62 {
            assert!(!record.word().is(Phase::Idle));
            fixture.requests.unpin(record);
        }
        assert_eq!(fixture.status(request)?, CANCELED);
        Ok(())
    }

    #[test]
    fn an_in_place_call_gives_up_no_buffers_of_another_one() -> Result {
        let fixture = Fixture::new()?;
        let a = fixture.party(c"a")?;
        let b = fixture.party_in_place(c"b")?;
        let request = a.alloc()?;
        let record = fixture.record(request)?;
        let passed = a.pass(request, &b, PEND, 0)?;
        run_in(Place::Worker, || fixture.requests.give_up_buffers(record))?;
        assert!(record.word().has(word::bits::IN_PLACE));
        fixture.requests.call(passed);
        assert!(!record.word().has(word::bits::IN_PLACE));
        fixture.requests.give_up_buffers(record);
        fixture.complete(b.holds(), 0)?;
        assert_eq!(fixture.status(request)?, 0);
        Ok(())
    }
}
