// SPDX-License-Identifier: GPL-2.0

//! To which request, and to which send of it, a handle belongs. The table of records.

use super::fixture::*;
use crate::request::{
    cancel::{
        CancelOutcome,
        Canceller, //
    },
    word::{
        self,
        Reason, //
    }, //
};
use kernel::prelude::*;

#[kunit_tests(d2d_requests_handles)]
mod cases {
    use super::*;

    #[test]
    fn handles_that_name_nothing_are_stale() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        let (request, held) = a.pend(&b, PEND, 0)?;
        let freed = a.alloc()?;
        fixture.requests.free(freed)?;
        let requests = &fixture.requests;
        for handle in [
            0,
            !0,
            freed,
            request + 1,
            request + (1 << 32),
            held + 1,
            held + (1 << 32),
            held | 0xffff,
        ] {
            assert_eq!(fixture.complete(handle, 0), Err(ESTALE));
            assert_eq!(requests.set_cancel(handle), Err(ESTALE));
            assert_eq!(b.actor.forward(handle, 0), ESTALE.to_errno());
            assert_eq!(a.send(handle, &b, PEND, 0), Err(ESTALE));
            assert_eq!(fixture.wait(handle, 0).err(), Some(ESTALE));
            assert_eq!(requests.cancel(handle), Err(ESTALE));
            assert_eq!(requests.free(handle), Err(ESTALE));
            assert_eq!(fixture.read(handle, &mut []), Err(ESTALE));
            assert_eq!(fixture.write(handle, &[]), Err(ESTALE));
            assert_eq!(requests.alloc(handle, 0, 0), Err(ESTALE));
        }
        // The owner accepts each handle only for its own purpose.
        assert_eq!(requests.cancel(held), Err(ESTALE));
        assert_eq!(requests.free(held), Err(ESTALE));
        assert_eq!(fixture.wait(held, 0).err(), Some(ESTALE));
        assert_eq!(a.send(held, &b, PEND, 0), Err(ESTALE));
        assert_eq!(fixture.complete(request, 0), Err(ESTALE));
        assert_eq!(fixture.write(request, &[]), Err(ESTALE));
        assert_eq!(requests.set_cancel(request), Err(ESTALE));
        assert_eq!(requests.alloc(b.target, 0, 0), Err(ESTALE));
        for to in [0, b.driver, b.target + (1 << 32), request, held] {
            let fresh = a.alloc()?;
            let sent = a.send_as(fresh, |send| send.to = to);
            assert_eq!(sent, Err(ESTALE));
            requests.free(fresh)?;
        }
        // No call has changed the request.
        fixture.complete(held, 0)?;
        assert_eq!(fixture.status(request)?, 0);
        Ok(())
    }

    #[test]
    fn a_holders_handle_is_of_one_send() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        let (request, first) = a.pend(&b, PEND, 0)?;
        fixture.complete(first, 0)?;
        a.send(request, &b, PEND, 0)?;
        let second = b.holds();
        assert!(first != second);
        assert_eq!(fixture.complete(first, FAILED), Err(ESTALE));
        assert_eq!(fixture.write(first, &[]), Err(ESTALE));
        fixture.complete(second, 0)?;
        assert_eq!(fixture.status(request)?, 0);
        Ok(())
    }

    #[test]
    fn a_handle_is_stale_while_another_request_is_made_in_its_record() -> Result {
        let fixture = Fixture::new()?;
        let (a, b) = (fixture.party(c"a")?, fixture.party(c"b")?);
        let old = a.alloc()?;
        let record = fixture.record(old)?;
        fixture.requests.free(old)?;
        let filling = record.go(&word::ALLOC).map_err(|_| EBUSY)?;
        assert_eq!(a.send(old, &b, PEND, 0), Err(ESTALE));
        assert_eq!(fixture.requests.cancel(old), Err(ESTALE));
        assert_eq!(fixture.requests.free(old), Err(ESTALE));
        record.publish(word::FREED.apply(filling).ok_or(EBUSY)?);
        Ok(())
    }

    #[test]
    fn a_handle_cancels_no_other_request_of_its_record() -> Result {
        let fixture = Fixture::new()?;
        let (a, b, c) = (
            fixture.party(c"a")?,
            fixture.party(c"b")?,
            fixture.party(c"c")?,
        );
        let (old, held) = a.pend(&b, PEND, 0)?;
        let record = fixture.record(old)?;
        // Suppose that a thread that cancels `old` finds the record here, and goes on at `cancel_for` below.
        fixture.complete(held, 0)?;
        fixture.requests.free(old)?;
        let (new, held) = c.pend(&b, PEND, 0)?;
        assert_eq!(record.handle(), new);
        let outcome = fixture
            .requests
            .cancel_for(record, Canceller::Sender(old, Reason::Sender));
        assert!(outcome == CancelOutcome::Nothing);
        assert!(!fixture.requests.keep_overdue(old));
        fixture.complete(held, 0)?;
        assert_eq!(fixture.status(new)?, 0);
        Ok(())
    }

    #[test]
    fn a_full_table_refuses_another_request() -> Result {
        let fixture = Fixture::new()?;
        let a = fixture.party(c"a")?;
        let mut last = 0;
        let refusal = loop {
            match a.alloc() {
                Ok(request) => last = request,
                Err(error) => break error,
            }
        };
        assert_eq!(refusal, EAGAIN);
        assert_eq!(fixture.len(), 4096);
        fixture.requests.free(last)?;
        a.alloc()?;
        assert_eq!(a.alloc(), Err(EAGAIN));
        drop(a);
        assert_eq!(fixture.len(), 0);
        Ok(())
    }
}
