// SPDX-License-Identifier: GPL-2.0

//! The buffers of requests: their bounds, and the threads that copy them or use them in place.

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
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        let max = abi::D2D_BUFFER_SIZE;
        assert_eq!(bench.requests.alloc(a.driver, max + 1, 0), Err(EMSGSIZE));
        assert_eq!(bench.requests.alloc(a.driver, 0, max + 1), Err(EMSGSIZE));
        let largest = bench.requests.alloc(a.driver, max, max)?;
        bench.requests.free(largest)?;

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
        bench.read(held, &mut read[..6])?;
        assert_eq!(read, *b"eight \0\0");
        assert_eq!(bench.read(held, &mut read[..7]), Err(EMSGSIZE));
        assert_eq!(bench.write(held, b"123456"), Err(EMSGSIZE));
        bench.write(held, b"12345")?;
        bench.write(held, b"abc")?;
        // SAFETY: The pointer is null, so nothing is written.
        let nowhere = unsafe { Arg::new(core::ptr::null_mut()) };
        assert_eq!(bench.requests.read(held, nowhere, 1), Err(EFAULT));
        let nothing = bench.requests.write(held, core::ptr::null(), 1);
        assert_eq!(nothing, Err(EFAULT));
        // Without bytes, the pointer does not count.
        bench.requests.write(held, core::ptr::dangling(), 0)?;
        // A failed write leaves no output.
        bench.write(held, b"abc")?;
        bench.complete(held, 0)?;
        assert_eq!(bench.wait(request, 0)?.output_len, 3);
        let mut read = [0; 4];
        assert_eq!(bench.read(request, &mut read), Err(EMSGSIZE));
        bench.read(request, &mut read[..3])?;
        assert_eq!(read, *b"abc\0");
        Ok(())
    }

    #[test]
    fn a_request_that_many_copy_can_be_cancelled() -> Result {
        let bench = Bench::new()?;
        let (a, b) = (bench.party(c"a")?, bench.party(c"b")?);
        let (request, held) = a.pend(&b, PEND_AND_HEAR, 0)?;
        let record = bench.record(request)?;
        for _ in 0..62 {
            assert_eq!(bench.read(held, &mut []), Ok(()));
            assert!(record.go(&word::PINNED).is_ok());
        }
        assert_eq!(bench.read(held, &mut []), Err(EBUSY));
        bench.requests.cancel(request)?;
        assert_eq!(b.calls(), [1, 0, 0, 1]);
        for _ in 0..62 {
            assert!(!record.word().is(Phase::Idle));
            bench.requests.unpin(record);
        }
        assert_eq!(bench.status(request)?, CANCELED);
        Ok(())
    }

    #[test]
    fn an_in_place_call_gives_up_no_buffers_of_another_one() -> Result {
        let bench = Bench::new()?;
        let a = bench.party(c"a")?;
        let b = bench.party_in_place(c"b")?;
        let request = a.alloc()?;
        let record = bench.record(request)?;
        let passed = a.pass(request, &b, PEND, 0)?;
        run_in(Place::Worker, || bench.requests.give_up_buffers(record))?;
        assert!(record.word().has(word::bits::IN_PLACE));
        bench.requests.call(passed);
        assert!(!record.word().has(word::bits::IN_PLACE));
        bench.requests.give_up_buffers(record);
        bench.complete(b.holds(), 0)?;
        assert_eq!(bench.status(request)?, 0);
        Ok(())
    }
}
