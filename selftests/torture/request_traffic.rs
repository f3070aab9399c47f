// SPDX-License-Identifier: GPL-2.0

//! Request traffic: the sender cancels requests while the receiver completes them.
//!
//! Each side has a [`RequestTraffic`] for a context. Each side sends some requests to the other side, which pends them.
//! When a request ends, its sender's completion routine sends it again. Meanwhile each side makes *races*. In a race, a
//! side first chooses sent requests that it can cancel, and received requests that it can complete. Then it cancels the
//! sent requests, and completes the received ones. Most of these requests are chosen by both sides: the sender wants to
//! cancel the request, and the receiver to complete it. One side succeeds, and the other side is too late.
//!
//! Each time a request is sent, it gets a new key. The key is the input and the tag of the request. The receiver
//! computes the output from the key. At the end, sums show whether these rules were kept:
//!
//! - The sender sees each completion.
//! - Each cancelled request ends as cancelled.
//! - Each request ends once.

use crate::{
    mix,
    tally::{
        Count,
        Index,
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

/// The receiver pends this request, and later completes it with the [`output_for`] of its key.
const PEND: ControlCode<u64, u64> = ControlCode::new(0x801);
/// The receiver forwards this request to the driver that [`RequestTraffic::set_forward_to`] has set. That driver
/// pends the request, like [`PEND`]. If no driver is set, the receiver pends the request itself.
const FORWARD: ControlCode<u64, u64> = ControlCode::new(0x802);

/// The number of requests of one side. Each request has a slot. A thread sends the request in slot [`TIMED`], and waits
/// for it with a short limit. The owner, too, has slots and cells for drivers; those are not meant here.
const SLOTS: usize = 64;
const TIMED: usize = 0;
/// The number of cells for pended requests. The receiver needs a cell for each slot of up to four contexts, because
/// drivers of other contexts forward requests to the receiver.
const CELLS: usize = 4 * SLOTS;

/// A bit of a key. It is set if the sender does not count the request (the command `uncounted`). Such a sender will be
/// unloaded while the request is on its way. The output of the request is not checked.
const UNCOUNTED: u64 = 1 << 63;

/// The state of a slot consists of the number of its last request, shifted left by [`NUMBER_SHIFT`], and of three bits.
/// The first bit: the request is *on its way*. The bit is set from before the request is sent until it has ended.
const ON_ITS_WAY: u64 = 1;
/// The second bit: the call that sent the request has returned, so the request can be cancelled.
const SENT: u64 = 2;
/// The third bit: a thread has chosen the request to cancel it.
const CANCELLING: u64 = 4;
const NUMBER_SHIFT: u32 = 3;

/// Whether the receiver may forward the request to a next driver. When the next driver has completed the request, the
/// request may go back to the receiver first, and then to the sender. Until it reaches the sender, the sender can
/// cancel it, and then gets no output. So the output of such a request is not checked.
fn may_be_forwarded(slot: usize) -> bool {
    slot % 8 == 7
}

/// For one cell in `NOTIFY_EVERY`, the receiver calls `tell_if_cancelled`. If the request in the cell is cancelled, the
/// library then notifies the receiver at once.
const NOTIFY_EVERY: usize = 8;

/// Returns the output with which the receiver completes a request, and which the sender must get. If nobody checks
/// the output, returns 0.
fn output_for(key: u64) -> u64 {
    match key & UNCOUNTED == 0 && !may_be_forwarded(cell(key)) {
        true => mix(key),
        false => 0,
    }
}

fn cell(key: u64) -> usize {
    key as usize % CELLS
}

/// Returns the number of the context to which the request with this key belongs.
pub fn context_of(key: u64) -> u32 {
    (cell(key) / SLOTS) as u32
}

/// A pended request of the other side, which this side has to complete.
struct ReceivedRequest {
    key: u64,
    request: Pended<u64>,
}

/// How a side sends requests.
#[derive(Clone, Copy)]
pub struct Route {
    /// The receiver.
    pub to: Target,
    /// The number of the context that both sides share.
    pub context: u32,
    /// Whether the receiver may unregister. The library then cancels the requests that the receiver has.
    pub unregisters: bool,
    /// Whether the sender unregisters before its requests have ended. It does not count these requests.
    pub uncounted: bool,
}

/// A barrier before a race. A side waits there until the other side has chosen its requests, too.
pub struct Meeting {
    mine: Event,
    theirs: Event,
    /// Set once the other side has not come in time. From then on this side does not wait.
    missed: Atomic<bool>,
}

impl Meeting {
    /// How long a side waits. If the other side makes races, it comes within this time.
    const PATIENCE: Wait = Wait::at_most(100);

    /// Opens the barrier of a context, for the owner or for the peer. May sleep.
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

    /// Waits for the other side, for a limited time. May sleep.
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

/// The requests that a side has chosen.
struct Chosen {
    /// For each slot, whether to cancel its request
    to_cancel: [bool; SLOTS],
    to_complete: KVec<ReceivedRequest>,
}

/// What the lock protects.
struct Inner {
    /// If this is `None`, a request that ends is not sent again.
    route: Option<Route>,
    cancels: [Option<Cancel>; SLOTS],
    pended: KVec<Option<ReceivedRequest>>,
    forward_to: Option<Target>,
}

/// The requests of one side of a context: those that this side sends, and those that it has received and pended.
pub struct RequestTraffic {
    slots: [Atomic<u64>; SLOTS],
    inner: Pin<KBox<SpinLockIrq<Inner>>>,
    shared_counts: SharedCounts,
}

impl RequestTraffic {
    /// Makes a side, which sends nothing before [`start`](Self::start).
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

    /// Sets the driver to which `FORWARD` is forwarded.
    pub fn set_forward_to(&self, target: Target) {
        self.inner.lock().forward_to = Some(target);
    }

    /// Sends all requests that are not on their way. May sleep.
    ///
    /// All keys must be new, because the other side may still have requests of an earlier sender. A key contains the
    /// number of its request, and `now` makes these numbers grow. So `now` must be larger than in the calls of all
    /// earlier senders.
    pub fn start(&self, sender: &Sender, route: Route, now: u32) -> Result {
        self.inner.lock().route = Some(route);
        // If a side unregisters, the library prints a line for each request that it cancels or refuses. So send few.
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

    /// Claims a slot whose request is not on its way. Returns the number of its next request.
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
        // Count the request now, before it is sent. As soon as it has ended, `stop` may return, and another thread may
        // take the counts.
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
                    // Sender or receiver has unregistered, or is unregistering.
                    ESHUTDOWN | ESTALE => true,
                    // The library has cancelled the last send of this request, because a driver is unregistering. But
                    // the dispatch routine that got this send still uses the request's buffers.
                    EBUSY => route.unregisters || route.uncounted,
                    _ => false,
                };
                self.count(Count::Shutdowns, expected.into());
                self.count_if_wrong(!expected);
                self.slots[slot].store(number << NUMBER_SHIFT, Release);
            }
        }
    }

    /// The completion routine. Any execution context.
    pub fn completed(&self, completed: Completed) {
        let key = completed.tag();
        let slot = cell(key) % SLOTS;
        let number = (key & !UNCOUNTED) >> 8;
        let is_on_its_way = |state: u64| state >> NUMBER_SHIFT == number && state & ON_ITS_WAY != 0;
        if !is_on_its_way(self.slots[slot].load(Acquire)) {
            return self.count(Count::WrongValues, 1);
        }
        let route = self.inner.lock().route;
        // Count the request now, before its slot is free. As soon as the slot is free, `stop` may return, and another
        // thread may take the counts.
        self.ended(
            key,
            completed.output(),
            route.is_some_and(|route| route.unregisters),
        );
        let next = match route {
            Some(_) => ((number + 1) << NUMBER_SHIFT) | ON_ITS_WAY,
            None => number << NUMBER_SHIFT,
        };
        // If the request is no longer on its way, another call of this routine has ended the same request.
        if !is_on_its_way(self.slots[slot].xchg(next, Full)) {
            return self.count(Count::WrongValues, 1);
        }
        if let Some(route) = route {
            self.send(completed.into_packet(), slot, number + 1, route);
        }
    }

    /// Counts how a request ended.
    fn ended(&self, key: u64, output: Result<u64>, unregisters: bool) {
        self.count(Count::Unsettled, 1u64.wrapping_neg());
        match output {
            Ok(value) => {
                self.count(Count::Completed, 1);
                self.count(Count::WrongValues, (value != output_for(key)).into());
                self.count(Count::OutputMismatch, value.wrapping_neg());
            }
            Err(ECANCELED) if unregisters || key & UNCOUNTED != 0 => self.count(Count::Orphaned, 1),
            Err(ECANCELED) => {
                self.count(Count::Cancelled, 1);
                self.count(Count::CancelMismatch, 1u64.wrapping_neg());
            }
            Err(ETIMEDOUT) if cell(key) % SLOTS == TIMED => self.count(Count::TimedOut, 1),
            // The receiver could not forward the request.
            Err(ESHUTDOWN | ESTALE) if may_be_forwarded(cell(key)) => {
                self.count(Count::NotForwarded, 1)
            }
            // The sender is a peer that unregisters, and the receiver has failed the request with `EIO`; see
            // `complete_ended`.
            Err(EIO) if key & UNCOUNTED != 0 => self.count(Count::Orphaned, 1),
            Err(_) => self.count_if_wrong(true),
        }
    }

    /// Sends the request of slot [`TIMED`] and waits for it for `ms` milliseconds at most. May
    /// sleep.
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
            Err(CallError::NotWaited(EINPROGRESS)) => {
                self.count(Count::OutcomeUnknown, 1);
                renewed = sender.packet_for(PEND).map(|new| *packet = new);
            }
            Err(CallError::NotSent(_) | CallError::NotWaited(_)) => self.count_if_wrong(true),
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

    /// Chooses a slot's request to cancel it, unless another thread has chosen it. Any execution context.
    fn choose(&self, slot: usize) -> bool {
        let state = self.slots[slot].load(Acquire);
        state & (ON_ITS_WAY | SENT | CANCELLING) == ON_ITS_WAY | SENT
            && self.slots[slot]
                .cmpxchg(state, state | CANCELLING, Full)
                .is_ok()
    }

    /// Cancels a chosen request. Any execution context.
    fn cancel(&self, slot: usize) {
        let (route, cancel) = {
            let inner = self.inner.lock();
            (inner.route, inner.cancels[slot])
        };
        let Some(cancel) = cancel else {
            return self.count(Count::WrongValues, 1);
        };
        // If the receiver may unregister, the library may have cancelled the request. Then do not count the result.
        let certain = route.is_none_or(|route| !route.unregisters);
        match cancel.cancel() {
            Ok(()) => self.count(Count::CancelMismatch, certain.into()),
            // The receiver has completed the request first, because no other thread cancels this request.
            Err(EALREADY) => self.count(Count::TooLate, certain.into()),
            // The request was not sent again, and is freed.
            Err(ESTALE) => {}
            Err(_) => self.count_if_wrong(true),
        }
    }

    /// Chooses requests to cancel: all that are on their way and that `choose` lets this thread cancel, except that of
    /// slot TIMED. Chooses requests to complete: all pended ones in `cells`. Any execution context.
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

    /// Cancels the requests in `to_cancel`. Any execution context.
    fn cancel_all(&self, chosen: &mut Chosen) {
        for (slot, to_cancel) in chosen.to_cancel.iter_mut().enumerate() {
            if core::mem::take(to_cancel) {
                self.cancel(slot);
            }
        }
    }

    /// Completes the requests in `to_complete`, from the last cell to the first. `cancel_all` begins with the first
    /// slot, so the two sides meet in the middle. Any execution context.
    fn complete_all(&self, chosen: &mut Chosen) {
        while let Some(received) = chosen.to_complete.pop() {
            let output = output_for(received.key);
            match received.request.complete(&output) {
                Ok(()) => self.count(Count::OutputMismatch, output),
                // The sender has cancelled the request. If the errno is `ESTALE`, it has also sent the request again.
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
            // If the cell has a request already, keep the request with the larger key, which was sent later: the other
            // one has ended. The request that was received just now may be the older one.
            let is_later =
                |received: &ReceivedRequest| received.key & !UNCOUNTED > key & !UNCOUNTED;
            if !kept.as_ref().is_some_and(is_later) {
                // Without `tell_if_cancelled`, the receiver learns of a cancel when it completes the request.
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

    /// Completes a request that the receiver does not keep. Its sender has cancelled the request, or has sent a newer
    /// one with the same cell. So the request has ended, and completing it must fail.
    ///
    /// Completing it may succeed if its sender unregisters while the request is pending ([`UNCOUNTED`]). The next
    /// driver that attaches gets the same context, so its requests have the same cells. This new sender may send a
    /// request before the library has cancelled the old sender's request.
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

    /// The library calls this when a request was cancelled. Any execution context.
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
    /// Bit n of `allowed` allows the execution context with number n in [`Place::ALL`]. `now` seeds the random choices,
    /// and is the `now` of [`start`](Self::start). `cancels_first` is whether this side cancels before it completes.
    /// The other side uses the reverse order. So the two sides act on the same requests at the same time. With a
    /// `meeting`, both sides begin each race together. Then `allowed` must only allow execution contexts that may
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
            // The cells of a random context. They have the requests that other drivers have forwarded.
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
        // If the receiver has unregistered meanwhile, some requests have ended. Send these again.
        self.start(sender, route, now)
    }

    /// Stops sending, and cancels all requests that are on their way. No race may be under way. May
    /// sleep.
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

    /// Takes the pended requests out of their cells, and tries to complete them. All sides must have stopped sending.
    /// So all these requests have ended, and completing them must fail. Any execution context.
    pub fn clear(&self) {
        for cell in 0..CELLS {
            let received = self.inner.lock().pended[cell].take();
            self.complete_ended(received);
        }
    }
}

/// Passes a request on to the context that the request's key names. Any execution context.
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
    /// The driver is unregistered, so no request may be on its way. The counts since the last
    /// [`take_counts`](Self::take_counts) must be 0. Otherwise this function logs a refusal, and lets the kernel warn.
    /// Then the test fails.
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
        // The macro includes sources that the kernel's build has generated, and that a distribution may leave
        // out. Then only the line of `refuse!` reports the fault.
        #[cfg(not(d2d_lacks_warn_on))]
        kernel::warn_on!(is_any_left || wrong != [0; 3]);
    }
}
