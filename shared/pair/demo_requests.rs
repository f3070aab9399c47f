// SPDX-License-Identifier: GPL-2.0

//! The requests that both drivers of the demonstration serve and send.

use crate::{
    demo_events::DemoEvents,
    Complete,
    ADD,
    COMPLETE,
    PEND,
    SIGNAL, //
};
use d2d::{
    packet::{
        Packet,
        Sender,
        Sleep,
        Target, //
    },
    request::{
        Disposition,
        Pended,
        Request,
        RequestId,
        Typed, //
    },
    run_in::{
        run_in,
        Place, //
    }, //
};
use kernel::{
    prelude::*,
    sync::{
        new_mutex,
        new_spinlock_irq,
        Mutex,
        SpinLockIrq, //
    }, //
};

/// The most requests that a driver keeps pending at a time.
const MOST_PENDED: usize = 32;

/// A pending [`PEND`], and its key.
struct KeyedRequest {
    key: u64,
    request: Pended<u64>,
}

/// Serves the requests of the demonstration.
pub struct DemoRequests(Pin<KBox<Inner>>);

#[pin_data]
struct Inner {
    #[pin]
    pended: SpinLockIrq<[Option<KeyedRequest>; MOST_PENDED]>,
    /// The driver's own events, as long as it has any.
    #[pin]
    events: SpinLockIrq<Option<DemoEvents>>,
    /// A thread holds this while it sends a [`SIGNAL`] and waits for the other driver's events, so that
    /// no other thread takes these events.
    #[pin]
    waiting: Mutex<()>,
}

impl DemoRequests {
    /// Without events. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new() -> Result<Self> {
        let inner = pin_init!(Inner {
            pended <- new_spinlock_irq!([const { None }; MOST_PENDED], "d2d_pair::pended"),
            events <- new_spinlock_irq!(None, "d2d_pair::events"),
            waiting <- new_mutex!((), "d2d_pair::waiting"),
        });
        Ok(Self(KBox::pin_init(inner, GFP_KERNEL)?))
    }

    /// Stores the events that [`SIGNAL`] sets, or removes them. May sleep.
    pub fn set_events(&self, events: Option<DemoEvents>) {
        let before = core::mem::replace(&mut *self.0.events.lock(), events);
        drop(before);
    }

    /// Serves a request. Any context.
    pub fn dispatch<'a>(&self, request: Request<'a>) -> Disposition<'a> {
        request
            .on(ADD, |value, request| {
                request.complete(&value.wrapping_add(1))
            })
            .on(PEND, |key, request| self.pend(key, request))
            .on(COMPLETE, |complete, request| {
                match self.complete(&complete) {
                    Ok(()) => request.complete(&()),
                    Err(error) => request.fail(error),
                }
            })
            .on(SIGNAL, |(), request| match self.signal(request.name()) {
                Ok(()) => request.complete(&()),
                Err(error) => request.fail(error),
            })
            .or_unknown()
    }

    fn signal(&self, by: &CStr) -> Result {
        let events = self.0.events.lock();
        events.as_ref().ok_or(ENOTTY)?.set(by)
    }

    /// Sends a [`SIGNAL`] to the driver `to` from execution context `place`. Then opens that driver's
    /// events by `open`, and waits for them. May sleep.
    ///
    /// # Errors
    ///
    /// Those of the request, of `open` and of [`DemoEvents::wait`].
    pub fn await_signal(
        &self,
        place: Place,
        sender: &Sender,
        to: &Target,
        open: impl FnOnce() -> Result<DemoEvents>,
    ) -> Result {
        let packet = sender.packet_for(SIGNAL)?.traced();
        let _guard = self.0.waiting.lock();
        run_in(place, || {
            let sent = packet
                .send(to, SIGNAL, &(), Sleep::Cannot)
                .map_err(|refused| refused.error)?;
            sent.completed_at_once()
                .map_err(|_| EINPROGRESS)?
                .outcome()
                .result
        })??;
        open()?.wait(sender.name())
    }

    fn pend<'a>(&self, key: u64, request: Typed<'a, u64>) -> Disposition<'a> {
        let mut pended = self.0.pended.lock();
        let Some(cell) = pended.iter_mut().find(|cell| cell.is_none()) else {
            drop(pended);
            return request.fail(EBUSY);
        };
        // Only a routine of a driver would take the lock again. `pend` and `tell_if_cancelled` call
        // no routine of a driver, so this thread may hold the lock here.
        let (disposition, request) = request.pend();
        // If the request is cancelled after `tell_if_cancelled`, `cancelled` waits for the lock,
        // and then finds the request. If the request was cancelled before, `tell_if_cancelled`
        // fails, and the library does not call `cancelled`. So this driver must not keep the
        // request.
        let lost = match request.tell_if_cancelled() {
            Ok(()) => cell
                .replace(KeyedRequest { key, request })
                .map(|keyed| keyed.request),
            Err(_) => Some(request),
        };
        drop(pended);
        drop(lost);
        disposition
    }

    fn take(&self, f: impl Fn(&KeyedRequest) -> bool) -> Option<KeyedRequest> {
        let mut pended = self.0.pended.lock();
        pended
            .iter_mut()
            .find_map(|cell| cell.take_if(|keyed| f(keyed)))
    }

    fn complete(&self, complete: &Complete) -> Result {
        let keyed = self.take(|keyed| keyed.key == complete.key).ok_or(ENOENT)?;
        keyed.request.complete(&complete.value)
    }

    /// Drops a cancelled request. Any context.
    pub fn cancelled(&self, id: RequestId) {
        drop(self.take(|keyed| keyed.request.id() == id));
    }
}

/// The requests that [`exchange`] sends. They are allocated ahead, because `exchange` does not sleep.
pub struct Packets {
    add: Packet,
    pend: [Packet; 2],
    complete: Packet,
}

impl Packets {
    /// May sleep.
    ///
    /// # Errors
    ///
    /// Those of [`Sender::packet`].
    pub fn new(sender: &Sender) -> Result<Self> {
        let pend = || Ok::<_, Error>(sender.packet_for(PEND)?.traced());
        Ok(Self {
            add: sender.packet_for(ADD)?.traced(),
            pend: [pend()?, pend()?],
            complete: sender.packet_for(COMPLETE)?.traced(),
        })
    }
}

/// Sends four requests to the driver `to`: `ADD`, `PEND`, `COMPLETE` for that `PEND`, and another `PEND`,
/// which this function cancels. Any context.
///
/// # Errors
///
/// Those of the requests. `EBADMSG` if the answer to `ADD` is wrong, `EINPROGRESS` if `ADD` or `COMPLETE`
/// was not completed at once, `EALREADY` if the last `PEND` could not be cancelled.
pub fn exchange(packets: Packets, to: &Target) -> Result {
    let Packets {
        add,
        pend: [first, second],
        complete,
    } = packets;
    let sent = add
        .send(to, ADD, &41, Sleep::Cannot)
        .map_err(|refused| refused.error)?;
    let answer: u64 = sent
        .completed_at_once()
        .map_err(|_| EINPROGRESS)?
        .output()?;
    if answer != 42 {
        return Err(EBADMSG);
    }

    let key = first.id();
    first
        .send_with_routine(to, PEND, &key, Sleep::Cannot, 1)
        .map_err(|refused| refused.error)?;
    let value = Complete { key, value: 7 };
    let sent = complete
        .send(to, COMPLETE, &value, Sleep::Cannot)
        .map_err(|refused| refused.error)?;
    sent.completed_at_once()
        .map_err(|_| EINPROGRESS)?
        .outcome()
        .result?;

    let key = second.id();
    second
        .send_with_routine(to, PEND, &key, Sleep::Cannot, 2)
        .map_err(|refused| refused.error)?
        .cancel()
}
