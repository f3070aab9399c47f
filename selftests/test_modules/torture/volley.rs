// SPDX-License-Identifier: GPL-2.0

//! Requests that one side sends, and the other one has: both act on the same ones at the same time.
//!
//! Each side has a [`Party`] for a context. It keeps some requests on their way to the other side's
//! party, which leaves them pending; whenever one comes back, it is sent again, from within the
//! completion routine. Meanwhile both sides go through them together, the one cancelling what the
//! other one completes. Most of the time it is the first of them that they fight for, so that they
//! meet.
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
use d2d::{
    packet::{
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
};
use kernel::{
    prelude::*,
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

/// Requests of a party. The last one is sent by who waits for it, for a short time.
const SLOTS: usize = 16;
const TIMED: usize = SLOTS - 1;
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

/// Longest time between choosing a request and acting on it, during which the other side may choose
/// it, too: about as long as it takes to act on it.
const MOMENT: u32 = 64;

fn wait_a_moment(turns: usize) {
    for _ in 0..turns {
        core::hint::spin_loop();
    }
}

fn mark(key: u64) -> u64 {
    match key & UNCOUNTED {
        0 => mix(key),
        _ => 0,
    }
}

fn cell(key: u64) -> usize {
    (key & 0xff) as usize % CELLS
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

/// What cannot be an atomic.
struct Inner {
    /// None if nothing is to be sent again.
    way: Option<Way>,
    cancels: [Option<Cancel>; SLOTS],
    desk: [Option<Held>; CELLS],
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
        let inner = new_spinlock_irq!(
            Inner {
                way: None,
                cancels: [None; SLOTS],
                desk: [const { None }; CELLS],
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
        for slot in 0..TIMED {
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
        let code = match slot % 8 {
            7 => HOLD_BELOW,
            _ => HOLD,
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
            Err(ESHUTDOWN | ESTALE) if cell(key) % 8 == 7 => self.count(Count::Failed, 1),
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
            Err(ESHUTDOWN | ESTALE) => self.count(Count::Shutdowns, 1),
            Err(ECANCELED) if !way.leaves => self.miscount(true),
            output => {
                self.count(Count::Sent, 1);
                self.count(Count::Unsettled, 1);
                self.came_back(key, output, way.leaves);
            }
        }
        self.slots[TIMED].store(number << NUMBER, Release);
    }

    /// Cancels a slot's request, unless somebody is at it. Any context.
    fn cancel(&self, slot: usize, pause: usize) {
        let state = self.slots[slot].load(Acquire);
        if state & (ON_ITS_WAY | SENT | CANCELLING) != ON_ITS_WAY | SENT {
            return;
        }
        let (way, cancel) = {
            let inner = self.inner.lock();
            (inner.way, inner.cancels[slot])
        };
        let claimed = self.slots[slot].cmpxchg(state, state | CANCELLING, Full);
        let (Some(cancel), Ok(_)) = (cancel, claimed) else {
            return;
        };
        wait_a_moment(pause);
        // What is taken back from who leaves cannot be told from what was cancelled.
        let certain = way.is_none_or(|way| !way.leaves);
        match cancel.cancel() {
            Ok(()) => self.count(Count::Disputed, certain.into()),
            // It was sent, and nobody else cancels it: it was, or is being, completed.
            Err(EALREADY) => self.count(Count::Races, certain.into()),
            // It was not sent again, and is gone.
            Err(ESTALE) => {}
            Err(_) => self.miscount(true),
        }
    }

    /// Completes what lies in a cell of the desk. Any context.
    fn complete(&self, cell: usize, pause: usize) {
        let Some(held) = self.inner.lock().desk[cell].take() else {
            return;
        };
        let mark = mark(held.key);
        wait_a_moment(pause);
        match held.request.complete(&mark) {
            Ok(()) => self.count(Count::Unmatched, mark),
            // It is stale if it was sent again, and taken back again, meanwhile.
            Err(ECANCELED | ESTALE) => self.count(Count::Races, 1),
            Err(_) => self.miscount(true),
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
                    .filter(|_| cell % 2 == 1)
                    .is_none_or(|held| held.request.tell_if_cancelled().is_ok());
                if told {
                    core::mem::swap(place, &mut lost);
                }
            }
        }
        self.give_up(lost);
        disposition
    }

    /// Completes a request that must be over.
    fn give_up(&self, held: Option<Held>) {
        if let Some(held) = held {
            let answer = held.request.fail(EIO);
            self.miscount(!matches!(answer, Err(ECANCELED | ESTALE)));
        }
    }

    fn pass_on<'a>(&self, key: u64, request: Typed<'a, u64>) -> Disposition<'a> {
        let below = self.inner.lock().below;
        let Some(below) = below else {
            return self.hold(key, request);
        };
        let returns = (key >> 8) & 1 == 0;
        match request
            .into_request()
            .forward(&below, HOLD.raw(), returns, Sleep::Cannot)
        {
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
            .find_map(|place| place.take_if(|held| held.request.id() == id));
        self.give_up(held);
    }

    /// Completes and cancels, in turn, as many times, in places of which bit n of `places` allows
    /// number n of [`Place::ALL`]; who is not `first` does it the other way round, so that both sides
    /// are at the same requests. May sleep.
    pub fn race(
        &self,
        sender: &Sender,
        way: Way,
        run: u32,
        steps: u32,
        places: u32,
        first: bool,
    ) -> Result {
        let mut packet = sender.packet_for(HOLD)?;
        let mut random = u64::from(run);
        let mut below = |limit: u32| {
            random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            (((mix(random) >> 32) * u64::from(limit)) >> 32) as usize
        };
        let mut left = steps;
        self.start(sender, way, run)?;
        while left > 0 {
            let place = Place::ALL[below(4)];
            if places & (1 << place as u32) == 0 {
                continue;
            }
            let steps = left.min(256);
            run_in(place, || {
                for _ in 0..steps {
                    let slot = match below(4) {
                        0 => below(SLOTS as u32),
                        _ => 0,
                    };
                    let cell = way.context as usize * SLOTS + slot;
                    let pause = below(MOMENT);
                    if first {
                        self.cancel(slot, pause);
                        self.complete(cell, pause);
                    } else {
                        self.complete(cell, pause);
                        self.cancel(slot, pause);
                    }
                    if slot != 0 {
                        // What was passed on by others
                        self.complete(below(CELLS as u32), 0);
                    }
                }
            })?;
            left -= steps;
            self.call(&mut packet, way, run, below(8) as u32 / 7);
        }
        // What the receiver has taken along when it left
        self.start(sender, way, run)
    }

    /// Sends nothing any more, and takes back what is on its way. Nobody makes a race. May sleep.
    pub fn stop(&self) {
        self.inner.lock().way = None;
        for (number, slot) in self.slots.iter().enumerate() {
            while slot.load(Acquire) & ON_ITS_WAY != 0 {
                self.cancel(number, 0);
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
        let wrong = self.books.get(Count::Unsettled)
            | self.books.get(Count::WrongValues)
            | self.books.get(Count::WrongErrors);
        warn_on!(lost || wrong != 0);
    }
}
