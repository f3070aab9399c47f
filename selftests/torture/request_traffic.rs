// SPDX-License-Identifier: GPL-2.0

//! Request traffic: the sender cancels requests while the receiver completes them.
//!
//! Each side sends requests to the other side, which pends them. When a request ends, its sender's completion routine
//! sends it again. Meanwhile each side makes *races*: it chooses sent and received requests, and then cancels the
//! sent ones and completes the received ones. Usually sender and receiver choose the same request, and one of the two
//! is too late.
//!
//! Each send has a new key, which is its input and its tag. The receiver computes the output from the key. At the
//! end, sums show whether each request ended once, and whether both sides agree on how it ended.

use crate::{
    mix,
    tally::{
        Count,
        HasIndex,
        SharedCounts,
        Tally, //
    }, //
};
use core::ops::Range;
use d2d::{
    control_code::ControlCode,
    event::{
        Event,
        Kind,
        Wait, //
    },
    packet::{
        CallError,
        Cancel,
        Completed,
        Packet,
        Sender,
        Sleep,
        Target, //
    },
    refuse,
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
    str::CString,
    sync::{
        atomic::{
            ordering::{
                Acquire,
                Full,
                Relaxed,
                Release, //
            },
            Atomic, //
        },
        new_spinlock_irq,
        SpinLockIrq, //
    },
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// The code of requests that the receiver pends, and later completes.
const PEND: ControlCode<u64, u64> = ControlCode::new(0x801);
/// As [`PEND`], but if [`RequestTraffic::set_forward_to`] has set a driver, the receiver forwards the request to it.
const FORWARD: ControlCode<u64, u64> = ControlCode::new(0x802);

/// A side sends one request from each slot, again and again.
const SLOTS: usize = 64;
/// A thread sends the request in this slot, and waits for it with a short limit.
const TIMED: usize = 0;
/// A receiver keeps each pended request in a cell. Drivers of up to four contexts may forward requests to it.
const CELLS: usize = 4 * SLOTS;

/// A bit of a key: the sender will be unloaded while the request is on its way, so it does not report the counts.
const UNCOUNTED: u64 = 1 << 63;

/// The state of a slot has the number of the slot's last request, and three bits. The first bit: a thread is about to
/// send the request, or has sent it and the request has not ended.
const ON_ITS_WAY: u64 = 1;
/// The call that sent the request has returned a [`Cancel`] for it.
const SENT: u64 = 2;
/// A thread has chosen the request to cancel it.
const CANCELLING: u64 = 4;
const NUMBER_SHIFT: u32 = 3;

/// Whether the receiver may forward the request. The sender may still cancel such a request after the next driver has
/// completed it, so nobody checks the output.
fn may_be_forwarded(slot: usize) -> bool {
    slot % 8 == 7
}

/// For one cell in `NOTIFY_EVERY`, the library calls the receiver's `cancelled` if the cell's request is cancelled.
const NOTIFY_EVERY: usize = 8;

/// Returns the output of a request, or 0 if nobody checks it.
fn output_for(key: u64) -> u64 {
    match key & UNCOUNTED == 0 && !may_be_forwarded(cell(key)) {
        true => mix(key),
        false => 0,
    }
}

fn cell(key: u64) -> usize {
    key as usize % CELLS
}

/// Returns the number of a key's context.
pub fn context_of(key: u64) -> u32 {
    (cell(key) / SLOTS) as u32
}

/// A request of the other side, which this side has pended.
struct ReceivedRequest {
    key: u64,
    request: Pended<u64>,
}

/// How a side sends requests.
#[derive(Clone, Copy)]
pub struct Route {
    /// The receiver.
    pub to: Target,
    /// The number of the context.
    pub context: u32,
    /// Whether the receiver may unregister.
    pub unregisters: bool,
    /// Whether the sender unregisters before its requests have ended, and does not report their counts.
    pub uncounted: bool,
}

/// A barrier before a race: a side waits until the other side has chosen its requests, too.
pub struct Meeting {
    mine: Event,
    theirs: Event,
    /// The other side has not come in time. From then on this side does not wait.
    missed: Atomic<bool>,
}

impl Meeting {
    /// If the other side makes races, it comes within this time.
    const PATIENCE: Wait = Wait::at_most(100);

    /// Opens the barrier of a context. May sleep.
    pub fn open(
        context: u32,
        is_owner: bool,
        create: impl Fn(&CStr, Kind, bool) -> Result<Event>,
    ) -> Result<Self> {
        let open = |side: bool| {
            let side = u32::from(side);
            let name = CString::try_from_fmt(fmt!("race-c{context}-{side}"))?;
            create(&name, Kind::Synchronization, false)
        };
        Ok(Self {
            mine: open(is_owner)?,
            theirs: open(!is_owner)?,
            missed: Atomic::new(false),
        })
    }

    fn wait(&self) -> Result {
        if self.missed.load(Relaxed) {
            return Ok(());
        }
        self.mine.set()?;
        match self.theirs.wait(Self::PATIENCE) {
            Err(ETIMEDOUT) => {
                self.missed.store(true, Relaxed);
                self.mine.reset()
            }
            met => met,
        }
    }
}

struct Chosen {
    to_cancel: [bool; SLOTS],
    to_complete: KVec<ReceivedRequest>,
}

struct Inner {
    /// `None`: a request that ends is not sent again.
    route: Option<Route>,
    cancels: [Option<Cancel>; SLOTS],
    pended: KVec<Option<ReceivedRequest>>,
    forward_to: Option<Target>,
}

/// The requests that one side of a context sends, and those that it has pended.
pub struct RequestTraffic {
    slots: [Atomic<u64>; SLOTS],
    inner: Pin<KBox<SpinLockIrq<Inner>>>,
    shared_counts: SharedCounts,
}

impl RequestTraffic {
    /// Sends nothing before [`start`](Self::start).
    pub fn new() -> Result<Self> {
        let mut pended = KVec::with_capacity(CELLS, GFP_KERNEL)?;
        for _ in 0..CELLS {
            pended.push(None, GFP_KERNEL)?;
        }
        let inner = new_spinlock_irq!(
            Inner {
                route: None,
                cancels: [None; SLOTS],
                pended,
                forward_to: None,
            },
            "torture::RequestTraffic"
        );
        Ok(Self {
            slots: core::array::from_fn(|_| Atomic::new(0)),
            inner: KBox::pin_init(inner, GFP_KERNEL)?,
            shared_counts: SharedCounts::default(),
        })
    }

    /// Returns the counts since the last call of this function.
    pub fn take_counts(&self) -> Tally {
        self.shared_counts.take()
    }

    fn count(&self, count: Count, value: u64) {
        // Cannot fail: `index` returns a valid number.
        let _ = self.shared_counts.add(count.index(), value);
    }

    fn count_if_wrong(&self, wrong: bool) {
        self.count(Count::WrongErrors, wrong.into());
    }

    /// Sets the driver to which this side forwards requests with the code [`FORWARD`].
    pub fn set_forward_to(&self, target: Target) {
        self.inner.lock().forward_to = Some(target);
    }

    /// Sends the requests that are not on their way. May sleep.
    ///
    /// `now` is a part of the keys. It must be larger than in the calls of all earlier senders: the other side may
    /// still have their requests, and the request with the larger key must be the later one.
    pub fn start(&self, sender: &Sender, route: Route, now: u32) -> Result {
        self.inner.lock().route = Some(route);
        // If a side unregisters, the library prints a line for each request. So send few.
        let end = match route.unregisters || route.uncounted {
            true => 9,
            false => SLOTS,
        };
        for slot in TIMED + 1..end {
            let packet = sender.packet_for(PEND)?;
            if let Some(number) = self.claim(slot, now) {
                self.send(packet, slot, number, route);
            }
        }
        Ok(())
    }

    /// Claims a slot, unless its last request is on its way. Returns the number of its next request.
    fn claim(&self, slot: usize, now: u32) -> Option<u64> {
        let before = self.slots[slot].load(Relaxed);
        let next = (before >> NUMBER_SHIFT).max(u64::from(now) << 20) + 1;
        if before & ON_ITS_WAY != 0 {
            return None;
        }
        let claimed = self.slots[slot].cmpxchg(before, (next << NUMBER_SHIFT) | ON_ITS_WAY, Full);
        claimed.ok().map(|_| next)
    }

    /// Sends the request of a claimed slot. Any execution context.
    fn send(&self, packet: Packet, slot: usize, number: u64, route: Route) {
        let uncounted = if route.uncounted { UNCOUNTED } else { 0 };
        let key = uncounted | (number << 8) | (route.context as usize * SLOTS + slot) as u64;
        let code = match may_be_forwarded(slot) {
            true => FORWARD,
            false => PEND,
        };
        // Count before sending: as soon as the request has ended, `stop` may return, and another thread may take the
        // counts.
        self.count(Count::Sent, 1);
        self.count(Count::Unsettled, 1);
        match packet.send_with_routine(&route.to, code, &key, Sleep::Cannot, key) {
            Ok(cancel) => {
                self.inner.lock().cancels[slot] = Some(cancel);
                let state = (number << NUMBER_SHIFT) | ON_ITS_WAY;
                // The request may have ended already.
                let _ = self.slots[slot].cmpxchg(state, state | SENT, Full);
            }
            Err(refused) => {
                self.count(Count::Sent, 1u64.wrapping_neg());
                self.count(Count::Unsettled, 1u64.wrapping_neg());
                let expected = match refused.error {
                    // A side has unregistered, or is unregistering.
                    ESHUTDOWN | ESTALE => true,
                    // A driver is unregistering, so the library has cancelled the request. But the dispatch routine
                    // that received it still uses its buffers.
                    EBUSY => route.unregisters || route.uncounted,
                    _ => false,
                };
                self.count(Count::Shutdowns, expected.into());
                self.count_if_wrong(!expected);
                self.slots[slot].store(number << NUMBER_SHIFT, Release);
            }
        }
    }

    /// The routine `completed`. Any execution context.
    pub fn completed(&self, completed: Completed) {
        let key = completed.tag();
        let slot = cell(key) % SLOTS;
        let number = (key & !UNCOUNTED) >> 8;
        let is_on_its_way = |state: u64| state >> NUMBER_SHIFT == number && state & ON_ITS_WAY != 0;
        if !is_on_its_way(self.slots[slot].load(Acquire)) {
            return self.count(Count::WrongValues, 1);
        }
        let route = self.inner.lock().route;
        // Count first, as in `send`.
        self.ended(
            key,
            completed.output(),
            route.is_some_and(|route| route.unregisters),
        );
        let next = match route {
            Some(_) => ((number + 1) << NUMBER_SHIFT) | ON_ITS_WAY,
            None => number << NUMBER_SHIFT,
        };
        // Not on its way: another call of this routine has ended the same request.
        if !is_on_its_way(self.slots[slot].xchg(next, Full)) {
            return self.count(Count::WrongValues, 1);
        }
        if let Some(route) = route {
            self.send(completed.into_packet(), slot, number + 1, route);
        }
    }

    fn ended(&self, key: u64, output: Result<u64>, unregisters: bool) {
        self.count(Count::Unsettled, 1u64.wrapping_neg());
        match output {
            Ok(value) => {
                self.count(Count::Completed, 1);
                self.count(Count::WrongValues, (value != output_for(key)).into());
                self.count(Count::OutputMismatch, value.wrapping_neg());
            }
            Err(ECANCELED) if unregisters || key & UNCOUNTED != 0 => {
                self.count(Count::CauseUnknown, 1)
            }
            Err(ECANCELED) => {
                self.count(Count::Cancelled, 1);
                self.count(Count::CancelMismatch, 1u64.wrapping_neg());
            }
            Err(ETIMEDOUT) if cell(key) % SLOTS == TIMED => self.count(Count::TimedOut, 1),
            Err(ESHUTDOWN | ESTALE) if may_be_forwarded(cell(key)) => {
                self.count(Count::NotForwarded, 1)
            }
            // The sender unregisters, and the receiver has failed the request; see `complete_ended`.
            Err(EIO) if key & UNCOUNTED != 0 => self.count(Count::CauseUnknown, 1),
            Err(_) => self.count_if_wrong(true),
        }
    }

    /// Sends the request of slot [`TIMED`], and waits `ms` milliseconds at most. May sleep.
    fn call(
        &self,
        sender: &Sender,
        packet: &mut Packet,
        route: Route,
        now: u32,
        ms: u32,
    ) -> Result {
        let Some(number) = self.claim(TIMED, now) else {
            return Ok(());
        };
        let mut renewed = Ok(());
        let key = (number << 8) | (route.context as usize * SLOTS + TIMED) as u64;
        match packet.call(&route.to, PEND, &key, Some(ms)) {
            Err(CallError::NotSent(ESHUTDOWN | ESTALE)) => self.count(Count::Shutdowns, 1),
            // The packet's request is still on its way, so the next call needs another packet.
            Err(CallError::StillPending(EINPROGRESS)) => {
                self.count(Count::OutcomeUnknown, 1);
                renewed = sender.packet_for(PEND).map(|new| *packet = new);
            }
            Err(CallError::NotSent(_) | CallError::StillPending(_)) => self.count_if_wrong(true),
            Err(CallError::Ended(_, ECANCELED)) if !route.unregisters => self.count_if_wrong(true),
            output => {
                self.count(Count::Sent, 1);
                self.count(Count::Unsettled, 1);
                self.ended(key, output.map_err(Error::from), route.unregisters);
            }
        }
        self.slots[TIMED].store(number << NUMBER_SHIFT, Release);
        renewed
    }

    /// Chooses a slot's request to cancel it. Returns false if it is not sent, or if another thread has chosen it.
    fn choose(&self, slot: usize) -> bool {
        let state = self.slots[slot].load(Acquire);
        state & (ON_ITS_WAY | SENT | CANCELLING) == ON_ITS_WAY | SENT
            && self.slots[slot]
                .cmpxchg(state, state | CANCELLING, Full)
                .is_ok()
    }

    fn cancel(&self, slot: usize) {
        let (route, cancel) = {
            let inner = self.inner.lock();
            (inner.route, inner.cancels[slot])
        };
        let Some(cancel) = cancel else {
            return self.count(Count::WrongValues, 1);
        };
        // If the receiver may unregister, perhaps the library has cancelled the request. Then do not count the result.
        let certain = route.is_none_or(|route| !route.unregisters);
        match cancel.cancel() {
            Ok(()) => self.count(Count::CancelMismatch, certain.into()),
            // No other thread cancels this request, so the receiver has completed it.
            Err(EALREADY) => self.count(Count::TooLate, certain.into()),
            // The request has ended and was freed, because it was not sent again.
            Err(ESTALE) => {}
            Err(_) => self.count_if_wrong(true),
        }
    }

    /// Chooses sent requests to cancel, and all pended ones in `cells` to complete. Any execution context.
    fn choose_all(&self, cells: Range<usize>, chosen: &mut Chosen) -> Result {
        for (slot, to_cancel) in chosen.to_cancel.iter_mut().enumerate() {
            *to_cancel = slot != TIMED && self.choose(slot);
        }
        let mut inner = self.inner.lock();
        for received in inner.pended[cells].iter_mut().filter_map(Option::take) {
            chosen
                .to_complete
                .push_within_capacity(received)
                .map_err(|_| ENOMEM)?;
        }
        Ok(())
    }

    fn cancel_all(&self, chosen: &mut Chosen) {
        for (slot, to_cancel) in chosen.to_cancel.iter_mut().enumerate() {
            if core::mem::take(to_cancel) {
                self.cancel(slot);
            }
        }
    }

    /// Goes from the last cell to the first. `cancel_all` begins with the first slot, so the two sides meet in the
    /// middle.
    fn complete_all(&self, chosen: &mut Chosen) {
        while let Some(received) = chosen.to_complete.pop() {
            let output = output_for(received.key);
            match received.request.complete(&output) {
                Ok(()) => self.count(Count::OutputMismatch, output),
                // The sender has cancelled the request. `ESTALE`: it has also sent the request again.
                Err(ECANCELED | ESTALE) => self.count(Count::TooLate, 1),
                Err(_) => self.count_if_wrong(true),
            }
        }
    }

    /// Receives the other side's requests. Any execution context.
    pub fn dispatch<'a>(&self, request: Request<'a>) -> Disposition<'a> {
        dispatch(request, |_| Some(self))
    }

    fn pend<'a>(&self, key: u64, request: Typed<'a, u64>) -> Disposition<'a> {
        let cell = cell(key);
        let (disposition, request) = request.pend();
        let mut not_kept = Some(ReceivedRequest { key, request });
        {
            let mut inner = self.inner.lock();
            let kept = &mut inner.pended[cell];
            // If the cell has a request already, keep the one with the larger key. It was sent later, so the other
            // one has ended.
            let is_later =
                |received: &ReceivedRequest| received.key & !UNCOUNTED > key & !UNCOUNTED;
            if !kept.as_ref().is_some_and(is_later) {
                let may_keep = not_kept
                    .as_ref()
                    .filter(|_| cell % NOTIFY_EVERY == 1)
                    .is_none_or(|received| received.request.tell_if_cancelled().is_ok());
                if may_keep {
                    core::mem::swap(kept, &mut not_kept);
                }
            }
        }
        self.complete_ended(not_kept);
        disposition
    }

    /// Tries to complete a request that has ended: its sender has cancelled it, or has sent a newer one of the same
    /// cell. So this must fail.
    ///
    /// It may succeed if the sender unregisters ([`UNCOUNTED`]): the next driver that attaches has the same context
    /// and cells, and may send a request before the library has cancelled the old one.
    fn complete_ended(&self, received: Option<ReceivedRequest>) {
        if let Some(received) = received {
            let uncounted = received.key & UNCOUNTED != 0;
            let answer = received.request.fail(EIO);
            self.count_if_wrong(!uncounted && !matches!(answer, Err(ECANCELED | ESTALE)));
        }
    }

    fn forward<'a>(&self, key: u64, request: Typed<'a, u64>) -> Disposition<'a> {
        let target = self.inner.lock().forward_to;
        let Some(target) = target else {
            return self.pend(key, request);
        };
        let returns = (key >> 8) & 1 == 0;
        let request = request.into_request();
        match request.forward(&target, PEND.raw(), returns, Sleep::Cannot) {
            Ok(disposition) => {
                self.count(Count::Forwarded, 1);
                disposition
            }
            Err((error, request)) => request.fail(error),
        }
    }

    /// The routine `cancelled`. Any execution context.
    pub fn cancelled(&self, id: RequestId) {
        let received = self
            .inner
            .lock()
            .pended
            .iter_mut()
            .skip(1)
            .step_by(NOTIFY_EVERY)
            .find_map(|kept| kept.take_if(|received| received.request.id() == id));
        self.complete_ended(received);
    }

    /// Makes `races` races in random execution contexts. May sleep.
    ///
    /// Bit n of `allowed` allows `Place::ALL[n]`. `now` seeds the random choices; see also [`start`](Self::start). One
    /// side sets `cancels_first` and the other does not, so both act on the same requests at the same time. With a
    /// `meeting`, both sides begin each race together, and `allowed` must only allow execution contexts that may
    /// sleep.
    #[allow(clippy::too_many_arguments)]
    pub fn race(
        &self,
        sender: &Sender,
        route: Route,
        now: u32,
        races: u32,
        allowed: u32,
        cancels_first: bool,
        meeting: Option<&Meeting>,
    ) -> Result {
        let mut packet = sender.packet_for(PEND)?;
        let mut chosen = Chosen {
            to_cancel: [false; SLOTS],
            to_complete: KVec::with_capacity(SLOTS, GFP_KERNEL)?,
        };
        let mut random = u64::from(now);
        let mut random_below = |limit: usize| {
            random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            (mix(random) % limit as u64) as usize
        };
        let cells = |context: usize| context * SLOTS..(context + 1) * SLOTS;
        self.start(sender, route, now)?;
        let mut raced = 0;
        while raced < races {
            let place = Place::ALL[random_below(4)];
            if allowed & (1 << place as u32) == 0 {
                continue;
            }
            let own = cells(route.context as usize);
            // Requests of a random context, which other drivers may have forwarded.
            let other = cells(random_below(CELLS / SLOTS));
            run_in(place, || {
                self.choose_all(own, &mut chosen)?;
                meeting.map_or(Ok(()), Meeting::wait)?;
                if cancels_first {
                    self.cancel_all(&mut chosen);
                    self.complete_all(&mut chosen);
                    return Ok(());
                }
                self.complete_all(&mut chosen);
                self.cancel_all(&mut chosen);
                self.choose_all(other, &mut chosen)?;
                self.complete_all(&mut chosen);
                self.cancel_all(&mut chosen);
                Ok::<_, Error>(())
            })??;
            raced += 1;
            if raced % 16 == 0 {
                self.call(sender, &mut packet, route, now, random_below(8) as u32 / 7)?;
            }
        }
        // If the receiver has unregistered, some requests have ended. Send these again.
        self.start(sender, route, now)
    }

    /// Stops sending, and cancels all requests that are on their way. No race may be under way. May sleep.
    pub fn stop(&self) {
        self.inner.lock().route = None;
        for (number, slot) in self.slots.iter().enumerate() {
            while slot.load(Acquire) & ON_ITS_WAY != 0 {
                if self.choose(number) {
                    self.cancel(number);
                }
                // A worker may be about to send the request.
                fsleep(Delta::from_micros(100));
            }
        }
    }

    /// Tries to complete the pended requests. All sides must have stopped sending, so these requests have ended.
    pub fn clear(&self) {
        for cell in 0..CELLS {
            let received = self.inner.lock().pended[cell].take();
            self.complete_ended(received);
        }
    }
}

/// Passes a request on to the context of its key. Any execution context.
pub fn dispatch<'a, 'b>(
    request: Request<'a>,
    requests: impl Fn(u32) -> Option<&'b RequestTraffic>,
) -> Disposition<'a> {
    request
        .on(PEND, |key, request| match requests(context_of(key)) {
            Some(requests) => requests.pend(key, request),
            None => request.fail(ENXIO),
        })
        .on(FORWARD, |key, request| match requests(context_of(key)) {
            Some(requests) => requests.forward(key, request),
            None => request.fail(ENXIO),
        })
        .or_unknown()
}

impl Drop for RequestTraffic {
    /// No request may be on its way or unsettled any more, and no fault may have been counted since the last
    /// [`take_counts`](Self::take_counts). Otherwise the kernel's warning fails the test.
    fn drop(&mut self) {
        let is_on_its_way = |slot: &Atomic<u64>| slot.load(Acquire) & ON_ITS_WAY != 0;
        let is_any_left = self.slots.iter().any(is_on_its_way);
        let wrong = [Count::Unsettled, Count::WrongValues, Count::WrongErrors];
        let wrong = wrong.map(|count| self.shared_counts.get(count));
        if is_any_left || wrong != [0; 3] {
            let [unsettled, values, errors] = wrong;
            refuse!(
                c"torture", "requests-do-not-balance", EIO, on_its_way: is_any_left, unsettled: unsettled,
                values: values, errors: errors
            );
        }
        // The macro needs generated sources, which a distribution may leave out. Then only `refuse!` reports the
        // fault.
        #[cfg(not(d2d_lacks_warn_on))]
        kernel::warn_on!(is_any_left || wrong != [0; 3]);
    }
}
