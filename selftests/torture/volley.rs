// SPDX-License-Identifier: GPL-2.0

//! Requests that one side sends, and the other one has: both act on the same ones at the same time.
//!
//! Each side has a [`Party`] for a context. It keeps some requests on their way to the other side's
//! party, which leaves them pending; whenever one comes back, it is sent again, from within the
//! completion routine. Meanwhile each side goes through them, the one to cancel what the other one
//! completes. First it chooses all that there are, then it acts on each: as many as can be have been
//! chosen by both then, and of these one of the two comes too late.
//!
//! A sending is named by a key, which is its input and its tag. Who completes it says so by a number
//! made of the key, so that in the end sums tell whether all that was completed was seen by who has
//! sent it, whether all that was cancelled came back as that, and whether each has come back once.

use crate::{
    mix,
    tally::{
        Books,
        Count,
        Index,
        Tally, //
    }, //
};
use core::ops::Range;
use d2d::{
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
    request::{
        ControlCode,
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
    trace::refuse,
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
    },
    warn_on, //
};

/// Stays pending until somebody completes it with the key's mark.
const HOLD: ControlCode<u64, u64> = ControlCode::new(0x801);
/// As [`HOLD`], but by another driver, if the receiver knows one.
const HOLD_BELOW: ControlCode<u64, u64> = ControlCode::new(0x802);

/// Requests of a party. One is sent by who waits for it, for a short time.
const SLOTS: usize = 64;
const TIMED: usize = 0;
/// Those of all contexts lie on a party's desk.
const CELLS: usize = 4 * SLOTS;

/// Set in the keys of who leaves without having counted: they have no mark.
const UNCOUNTED: u64 = 1 << 63;

/// A slot's state is the number of its sending, and how far it is.
const ON_ITS_WAY: u64 = 1;
/// Sending it has returned, so that it can be cancelled.
const SENT: u64 = 2;
/// Somebody cancels this one.
const CANCELLING: u64 = 4;
const NUMBER: u32 = 3;

/// Whether it may be passed on. If it is, it can be taken back when it was completed below already.
fn may_be_passed_on(slot: usize) -> bool {
    slot % 8 == 7
}

/// One in so many cells tells at once if what lies there is taken back.
const TELLS: usize = 8;

/// What a request is completed with: what its sender has to see then, unless it is 0.
fn mark(key: u64) -> u64 {
    match key & UNCOUNTED == 0 && !may_be_passed_on(cell(key)) {
        true => mix(key),
        false => 0,
    }
}

fn cell(key: u64) -> usize {
    key as usize % CELLS
}

/// The number of the context that a sending is of.
pub fn context(key: u64) -> u32 {
    (cell(key) / SLOTS) as u32
}

/// A request that a party has, and has to complete.
struct Held {
    key: u64,
    request: Pended<u64>,
}

/// How a party sends.
#[derive(Clone, Copy)]
pub struct Way {
    /// The receiver.
    pub to: Target,
    /// The number of the context of both.
    pub context: u32,
    /// Whether the receiver may leave, and take back what it has.
    pub leaves: bool,
    /// Whether the sender leaves with requests on their way, without counting them.
    pub uncounted: bool,
}

/// Where both sides wait until each has chosen.
pub struct Meeting {
    mine: Event,
    theirs: Event,
    /// Whether the other one has not come: nobody waits for him again.
    missed: Atomic<bool>,
}

impl Meeting {
    /// Long enough for who is on his way.
    const PATIENCE: Wait = Wait::at_most(100);

    /// Opens that of a context, for the owner or for the peer. May sleep.
    pub fn open(
        context: u32,
        is_owner: bool,
        create: impl Fn(&CStr, Kind, bool) -> Result<Event>,
    ) -> Result<Self> {
        let open = |side: bool| {
            let side = u32::from(side);
            let name = CString::try_from_fmt(fmt!("volley-c{context}-{side}"))?;
            create(&name, Kind::Synchronization, false)
        };
        Ok(Self {
            mine: open(is_owner)?,
            theirs: open(!is_owner)?,
            missed: Atomic::new(false),
        })
    }

    /// Waits for the other one, if he comes in time. May sleep.
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

/// Requests that a side has chosen.
struct Chosen {
    /// By slot
    to_cancel: [bool; SLOTS],
    to_complete: KVec<Held>,
}

/// What cannot be an atomic.
struct Inner {
    /// None if nothing is to be sent again.
    way: Option<Way>,
    cancels: [Option<Cancel>; SLOTS],
    desk: KVec<Option<Held>>,
    below: Option<Target>,
}

/// One side's requests, and those of the other that it has.
pub struct Party {
    slots: [Atomic<u64>; SLOTS],
    inner: Pin<KBox<SpinLockIrq<Inner>>>,
    books: Books,
}

impl Party {
    /// Makes one that has and sends nothing.
    pub fn new() -> Result<Self> {
        let mut desk = KVec::with_capacity(CELLS, GFP_KERNEL)?;
        for _ in 0..CELLS {
            desk.push(None, GFP_KERNEL)?;
        }
        let inner = new_spinlock_irq!(
            Inner {
                way: None,
                cancels: [None; SLOTS],
                desk,
                below: None,
            },
            "torture::Party"
        );
        Ok(Self {
            slots: core::array::from_fn(|_| Atomic::new(0)),
            inner: KBox::pin_init(inner, GFP_KERNEL)?,
            books: Books::default(),
        })
    }

    /// Returns what was counted since the last time.
    pub fn take_books(&self) -> Tally {
        self.books.take()
    }

    fn count(&self, count: Count, value: u64) {
        // A count has a number.
        let _ = self.books.add(count.index(), value);
    }

    fn miscount(&self, wrong: bool) {
        self.count(Count::WrongErrors, wrong.into());
    }

    /// Has the driver that `HOLD_BELOW` is passed on to.
    pub fn set_below(&self, below: Target) {
        self.inner.lock().below = Some(below);
    }

    /// Sends all requests that are not on their way. No two senders' numbers, of those that the
    /// other side may still have something of, are the same: `first` is larger than all before.
    /// May sleep.
    pub fn start(&self, sender: &Sender, way: Way, first: u32) -> Result {
        self.inner.lock().way = Some(way);
        // Not too many whose taking back, or refusal, is in the trace.
        let end = match way.leaves || way.uncounted {
            true => 9,
            false => SLOTS,
        };
        for slot in TIMED + 1..end {
            let packet = sender.packet_for(HOLD)?;
            if let Some(number) = self.claim(slot, first) {
                self.send(packet, slot, number, way);
            }
        }
        Ok(())
    }

    /// Claims a slot that nothing is on its way of for its next sending.
    fn claim(&self, slot: usize, first: u32) -> Option<u64> {
        let before = self.slots[slot].load(Relaxed);
        let next = (before >> NUMBER).max(u64::from(first) << 20) + 1;
        if before & ON_ITS_WAY != 0 {
            return None;
        }
        let claimed = self.slots[slot].cmpxchg(before, (next << NUMBER) | ON_ITS_WAY, Full);
        claimed.ok().map(|_| next)
    }

    /// Sends what was claimed. Any context.
    fn send(&self, packet: Packet, slot: usize, number: u64, way: Way) {
        let uncounted = if way.uncounted { UNCOUNTED } else { 0 };
        let key = uncounted | (number << 8) | (way.context as usize * SLOTS + slot) as u64;
        let code = match may_be_passed_on(slot) {
            true => HOLD_BELOW,
            false => HOLD,
        };
        match packet.send_with_routine(&way.to, code, &key, Sleep::Cannot, key) {
            Ok(cancel) => {
                self.count(Count::Sent, 1);
                self.count(Count::Unsettled, 1);
                self.inner.lock().cancels[slot] = Some(cancel);
                let state = (number << NUMBER) | ON_ITS_WAY;
                // It may be back already.
                let _ = self.slots[slot].cmpxchg(state, state | SENT, Full);
            }
            Err(refused) => {
                // Either has left, or is leaving.
                let expected = refused.error == ESHUTDOWN || refused.error == ESTALE;
                self.count(Count::Shutdowns, expected.into());
                self.miscount(!expected);
                self.slots[slot].store(number << NUMBER, Release);
            }
        }
    }

    /// The completion routine. Any context.
    pub fn completed(&self, completed: Completed) {
        let key = completed.tag();
        let slot = cell(key) % SLOTS;
        let number = (key & !UNCOUNTED) >> 8;
        let way = self.inner.lock().way;
        let next = match way {
            Some(_) => ((number + 1) << NUMBER) | ON_ITS_WAY,
            None => number << NUMBER,
        };
        let before = self.slots[slot].xchg(next, Full);
        if before >> NUMBER != number || before & ON_ITS_WAY == 0 {
            return self.count(Count::WrongValues, 1);
        }
        self.came_back(key, completed.output(), way.is_some_and(|way| way.leaves));
        if let Some(way) = way {
            self.send(completed.into_packet(), slot, number + 1, way);
        }
    }

    /// Counts what became of a sending.
    fn came_back(&self, key: u64, output: Result<u64>, leaves: bool) {
        self.count(Count::Unsettled, 1u64.wrapping_neg());
        match output {
            Ok(value) => {
                self.count(Count::Completed, 1);
                self.count(Count::WrongValues, (value != mark(key)).into());
                self.count(Count::Unmatched, value.wrapping_neg());
            }
            Err(ECANCELED) if leaves || key & UNCOUNTED != 0 => self.count(Count::TakenBack, 1),
            Err(ECANCELED) => {
                self.count(Count::Cancelled, 1);
                self.count(Count::Disputed, 1u64.wrapping_neg());
            }
            Err(ETIMEDOUT) if cell(key) % SLOTS == TIMED => self.count(Count::TimedOut, 1),
            // It could not be passed on.
            Err(ESHUTDOWN | ESTALE) if may_be_passed_on(cell(key)) => self.count(Count::Failed, 1),
            // The next peer in the context was quicker than the taking back.
            Err(EIO) if key & UNCOUNTED != 0 => self.count(Count::TakenBack, 1),
            Err(_) => self.miscount(true),
        }
    }

    /// Sends one and waits for it, for so many milliseconds at most. May sleep.
    fn call(&self, packet: &mut Packet, way: Way, first: u32, ms: u32) {
        let Some(number) = self.claim(TIMED, first) else {
            return;
        };
        let key = (number << 8) | (way.context as usize * SLOTS + TIMED) as u64;
        match packet.call(&way.to, HOLD, &key, Some(ms)) {
            Err(CallError::NotSent(ESHUTDOWN | ESTALE)) => self.count(Count::Shutdowns, 1),
            Err(CallError::NotSent(_) | CallError::NotWaited(_)) => self.miscount(true),
            Err(CallError::Ended(_, ECANCELED)) if !way.leaves => self.miscount(true),
            output => {
                self.count(Count::Sent, 1);
                self.count(Count::Unsettled, 1);
                self.came_back(key, output.map_err(Error::from), way.leaves);
            }
        }
        self.slots[TIMED].store(number << NUMBER, Release);
    }

    /// Chooses a slot's request to be cancelled, unless somebody is at it. Any context.
    fn choose(&self, slot: usize) -> bool {
        let state = self.slots[slot].load(Acquire);
        state & (ON_ITS_WAY | SENT | CANCELLING) == ON_ITS_WAY | SENT
            && self.slots[slot]
                .cmpxchg(state, state | CANCELLING, Full)
                .is_ok()
    }

    /// Cancels a request that was chosen. Any context.
    fn cancel(&self, slot: usize) {
        let (way, cancel) = {
            let inner = self.inner.lock();
            (inner.way, inner.cancels[slot])
        };
        let Some(cancel) = cancel else {
            return self.count(Count::WrongValues, 1);
        };
        // What is taken back from who leaves cannot be told from what was cancelled.
        let certain = way.is_none_or(|way| !way.leaves);
        match cancel.cancel() {
            Ok(()) => self.count(Count::Disputed, certain.into()),
            // Nobody else cancels it: it was, or is being, completed.
            Err(EALREADY) => self.count(Count::Races, certain.into()),
            // It was not sent again, and is gone.
            Err(ESTALE) => {}
            Err(_) => self.miscount(true),
        }
    }

    /// Chooses all that is on its way, and all that lies in these cells of the desk. Any context.
    fn choose_all(&self, cells: Range<usize>, chosen: &mut Chosen) -> Result {
        for (slot, to_cancel) in chosen.to_cancel.iter_mut().enumerate() {
            *to_cancel = slot != TIMED && self.choose(slot);
        }
        let mut inner = self.inner.lock();
        for held in inner.desk[cells].iter_mut().filter_map(Option::take) {
            chosen
                .to_complete
                .push_within_capacity(held)
                .map_err(|_| ENOMEM)?;
        }
        Ok(())
    }

    /// Cancels what was chosen for that. Any context.
    fn cancel_all(&self, chosen: &mut Chosen) {
        for (slot, to_cancel) in chosen.to_cancel.iter_mut().enumerate() {
            if core::mem::take(to_cancel) {
                self.cancel(slot);
            }
        }
    }

    /// Completes what was chosen for that, the other way round than it is cancelled. Any context.
    fn complete_all(&self, chosen: &mut Chosen) {
        while let Some(held) = chosen.to_complete.pop() {
            let mark = mark(held.key);
            match held.request.complete(&mark) {
                Ok(()) => self.count(Count::Unmatched, mark),
                // It is stale if that was too long ago.
                Err(ECANCELED | ESTALE) => self.count(Count::Races, 1),
                Err(_) => self.miscount(true),
            }
        }
    }

    /// Receives the other side's requests. Any context.
    pub fn dispatch<'a>(&self, request: Request<'a>) -> Disposition<'a> {
        dispatch(request, |_| Some(self))
    }

    fn hold<'a>(&self, key: u64, request: Typed<'a, u64>) -> Disposition<'a> {
        let cell = cell(key);
        let (disposition, request) = request.pend();
        let mut lost = Some(Held { key, request });
        {
            let mut inner = self.inner.lock();
            let place = &mut inner.desk[cell];
            // What lies there is over, or a later sending of the same: this one is over then.
            let is_later = |held: &Held| held.key & !UNCOUNTED > key & !UNCOUNTED;
            if !place.as_ref().is_some_and(is_later) {
                // Of the others it learns when it completes them.
                let told = lost
                    .as_ref()
                    .filter(|_| cell % TELLS == 1)
                    .is_none_or(|held| held.request.tell_if_cancelled().is_ok());
                if told {
                    core::mem::swap(place, &mut lost);
                }
            }
        }
        self.give_up(lost);
        disposition
    }

    /// Completes a request that must be over, unless its sender is leaving: that one gives its context
    /// back, so that the next one may have it, before its requests are taken back.
    fn give_up(&self, held: Option<Held>) {
        if let Some(held) = held {
            let leaves = held.key & UNCOUNTED != 0;
            let answer = held.request.fail(EIO);
            self.miscount(!leaves && !matches!(answer, Err(ECANCELED | ESTALE)));
        }
    }

    fn pass_on<'a>(&self, key: u64, request: Typed<'a, u64>) -> Disposition<'a> {
        let below = self.inner.lock().below;
        let Some(below) = below else {
            return self.hold(key, request);
        };
        let returns = (key >> 8) & 1 == 0;
        let request = request.into_request();
        match request.forward(&below, HOLD.raw(), returns, Sleep::Cannot) {
            Ok(disposition) => {
                self.count(Count::Forwarded, 1);
                disposition
            }
            Err((error, request)) => request.fail(error),
        }
    }

    /// A request was taken back. Any context.
    pub fn cancelled(&self, id: RequestId) {
        let held = self
            .inner
            .lock()
            .desk
            .iter_mut()
            .skip(1)
            .step_by(TELLS)
            .find_map(|place| place.take_if(|held| held.request.id() == id));
        self.give_up(held);
    }

    /// Cancels and completes, in turn, so many times, in places of which bit n of `places` allows
    /// number n of [`Place::ALL`]; who is not `first` does it the other way round, so that both sides
    /// are at the same requests. With a `meeting`, `places` are such that may sleep. May sleep.
    #[allow(clippy::too_many_arguments)]
    pub fn race(
        &self,
        sender: &Sender,
        way: Way,
        run: u32,
        steps: u32,
        places: u32,
        first: bool,
        meeting: Option<&Meeting>,
    ) -> Result {
        let mut packet = sender.packet_for(HOLD)?;
        let mut chosen = Chosen {
            to_cancel: [false; SLOTS],
            to_complete: KVec::with_capacity(SLOTS, GFP_KERNEL)?,
        };
        let mut random = u64::from(run);
        let mut below = |limit: usize| {
            random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            (mix(random) % limit as u64) as usize
        };
        let cells = |context: usize| context * SLOTS..(context + 1) * SLOTS;
        self.start(sender, way, run)?;
        let mut step = 0;
        while step < steps {
            let place = Place::ALL[below(4)];
            if places & (1 << place as u32) == 0 {
                continue;
            }
            let own = cells(way.context as usize);
            // What was passed on by others
            let other = cells(below(CELLS / SLOTS));
            run_in(place, || {
                self.choose_all(own, &mut chosen)?;
                meeting.map_or(Ok(()), Meeting::wait)?;
                if first {
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
            step += 1;
            if step % 16 == 0 {
                self.call(&mut packet, way, run, below(8) as u32 / 7);
            }
        }
        // What the receiver has taken along when it left
        self.start(sender, way, run)
    }

    /// Sends nothing any more, and takes back what is on its way. Nobody makes a race. May sleep.
    pub fn stop(&self) {
        self.inner.lock().way = None;
        for (number, slot) in self.slots.iter().enumerate() {
            while slot.load(Acquire) & ON_ITS_WAY != 0 {
                if self.choose(number) {
                    self.cancel(number);
                }
                // A worker may be about to send it.
                fsleep(Delta::from_micros(100));
            }
        }
    }

    /// Clears the desk, when no other party sends any more. Any context.
    pub fn clear(&self) {
        for cell in 0..CELLS {
            let held = self.inner.lock().desk[cell].take();
            self.give_up(held);
        }
    }
}

/// Receives requests for the party of their context. Any context.
pub fn dispatch<'a, 'b>(
    request: Request<'a>,
    party: impl Fn(u32) -> Option<&'b Party>,
) -> Disposition<'a> {
    request
        .on(HOLD, |key, request| match party(context(key)) {
            Some(party) => party.hold(key, request),
            None => request.fail(ENXIO),
        })
        .on(HOLD_BELOW, |key, request| match party(context(key)) {
            Some(party) => party.pass_on(key, request),
            None => request.fail(ENXIO),
        })
        .or_unknown()
}

impl Drop for Party {
    /// The driver is not registered any more: nothing is on its way, and what was not reported has
    /// to balance. The harness takes a warning for a failure.
    fn drop(&mut self) {
        let lost = |slot: &Atomic<u64>| slot.load(Acquire) & ON_ITS_WAY != 0;
        let lost = self.slots.iter().any(lost);
        let wrong = [Count::Unsettled, Count::WrongValues, Count::WrongErrors];
        let wrong = wrong.map(|count| self.books.get(count));
        if lost || wrong != [0; 3] {
            let [unsettled, values, errors] = wrong;
            refuse(
                c"torture",
                "requests-do-not-balance",
                EIO,
                fmt!("on-its-way={lost} unsettled={unsettled} values={values} errors={errors}"),
            );
        }
        warn_on!(lost || wrong != [0; 3]);
    }
}
