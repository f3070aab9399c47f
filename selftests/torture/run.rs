// SPDX-License-Identifier: GPL-2.0

//! A run: one side makes many random actions.

use crate::{
    event_traffic::{
        EventTraffic,
        TOKENS, //
    },
    item::{
        Checker,
        Producer,
        Taken,
        MAX, //
    },
    mix,
    tally::{
        Count,
        Direction,
        Flow,
        Tally, //
    },
    TorturePair,
};
use d2d::{
    context::Context,
    event::Event,
    link::{
        OwnerLink,
        PeerCall,
        PeerLink, //
    },
    queue::{
        ItemHandle,
        Queue, //
    },
    run_in::{
        run_in,
        Place, //
    }, //
};
use kernel::prelude::*;

/// The most nested calls. They share one stack, which may be that of a hard interrupt.
pub const MAX_HOPS: u32 = 8;

/// The side of a context on which a run makes its actions.
pub trait Side: Sync {
    /// The direction in which this side puts items.
    const OUT: Direction;
    /// The direction from which this side takes items.
    const IN: Direction;
    /// Whether the other side may be missing: not attached, or detaching.
    const OTHER_MAY_BE_MISSING: bool;

    /// While this value lives, the other side cannot detach.
    type Stay<'a>
    where
        Self: 'a;

    /// Returns the context.
    fn context(&self) -> &Context<TorturePair>;
    /// Sets or removes the doorbell of the incoming queue.
    fn set_doorbell(&self, event: Option<&Event>);
    /// Keeps the other side from detaching. Fails if it is missing.
    fn stay(&self) -> Result<Self::Stay<'_>>;
    /// Calls the other side's `call`.
    fn call_other(&self, value: u64, hops: u32) -> Result<u64>;
    /// Calls the other side's `put`.
    fn let_other_put(&self, run: u32, from: u64, count: u32) -> Result<u32>;
    /// Calls the other side's `take`.
    fn let_other_take(&self, max: u32) -> Result<Taken>;
    /// Calls the other side's `redeem`.
    fn let_other_redeem(&self, handle: u64) -> Result<Taken>;
}

impl Side for OwnerLink<TorturePair> {
    const OUT: Direction = Direction::ToPeer;
    const IN: Direction = Direction::ToOwner;
    const OTHER_MAY_BE_MISSING: bool = true;

    type Stay<'a> = PeerCall<'a, TorturePair>;

    fn context(&self) -> &Context<TorturePair> {
        self.context()
    }

    fn set_doorbell(&self, event: Option<&Event>) {
        self.set_doorbell(event);
    }

    fn stay(&self) -> Result<Self::Stay<'_>> {
        self.peer()
    }

    fn call_other(&self, value: u64, hops: u32) -> Result<u64> {
        self.peer()?.ops().call(value, hops)
    }

    fn let_other_put(&self, run: u32, from: u64, count: u32) -> Result<u32> {
        self.peer()?.ops().put(run, from, count)
    }

    fn let_other_take(&self, max: u32) -> Result<Taken> {
        self.peer()?.ops().take(max)
    }

    fn let_other_redeem(&self, handle: u64) -> Result<Taken> {
        self.peer()?.ops().redeem(handle)
    }
}

impl Side for PeerLink<TorturePair> {
    const OUT: Direction = Direction::ToOwner;
    const IN: Direction = Direction::ToPeer;
    const OTHER_MAY_BE_MISSING: bool = false;

    type Stay<'a> = ();

    fn context(&self) -> &Context<TorturePair> {
        self.context()
    }

    fn set_doorbell(&self, event: Option<&Event>) {
        self.set_doorbell(event);
    }

    /// The owner is never missing.
    fn stay(&self) -> Result {
        Ok(())
    }

    fn call_other(&self, value: u64, hops: u32) -> Result<u64> {
        self.owner().call(value, hops)
    }

    fn let_other_put(&self, run: u32, from: u64, count: u32) -> Result<u32> {
        self.owner().put(run, from, count)
    }

    fn let_other_take(&self, max: u32) -> Result<Taken> {
        self.owner().take(max)
    }

    fn let_other_redeem(&self, handle: u64) -> Result<Taken> {
        self.owner().redeem(handle)
    }
}

/// Returns the queue of this direction.
pub fn queue(context: &Context<TorturePair>, direction: Direction) -> Queue<'_> {
    match direction {
        Direction::ToPeer => context.to_peer(),
        Direction::ToOwner => context.to_owner(),
    }
}

/// `call` of side `S`.
pub fn call_for<S: Side>(side: &S, value: u64, hops: u32) -> Result<u64> {
    let value = match hops.min(MAX_HOPS).checked_sub(1) {
        None => value,
        Some(left) => side.call_other(mix(value), left)?,
    };
    Ok(mix(value))
}

/// `put` of side `S`.
pub fn put_for<S: Side>(side: &S, run: u32, from: u64, count: u32) -> Result<u32> {
    let context = side.context();
    let producer = Producer::new(run, context.id(), S::OUT);
    producer.put(&queue(context, S::OUT), from, count.min(MAX))
}

/// `take` of side `S`.
pub fn take_for<S: Side>(side: &S, max: u32) -> Result<Taken> {
    let context = side.context();
    let mut checker = Checker::new(context.id(), S::IN);
    checker.take(&queue(context, S::IN), max.min(MAX));
    Ok(*checker.taken())
}

/// `redeem` of side `S`, for an item that `S` has put and the other side has taken.
pub fn redeem_for<S: Side>(side: &S, handle: u64) -> Result<Taken> {
    let context = side.context();
    let mut checker = Checker::new(context.id(), S::OUT);
    let queue = queue(context, S::OUT);
    checker.redeem(&queue, ItemHandle::from_raw(handle))?;
    Ok(*checker.taken())
}

/// Puts `count` items of run 0 on an empty queue. No process makes a run 0.
pub fn refill(context: &Context<TorturePair>, direction: Direction, count: u32) -> Tally {
    let producer = Producer::new(0, context.id(), direction);
    let queue = queue(context, direction);
    let mut tally = Tally::default();
    for number in 0..count.into() {
        match producer.put(&queue, number, 1) {
            Ok(1) => {
                tally.add((direction, Flow::Put), 1);
                tally.add((direction, Flow::ChecksumsPut), producer.checksum(number));
            }
            Ok(_) => tally.add((direction, Flow::Refused), 1),
            Err(error) => tally.add_error(error, false),
        }
    }
    tally
}

/// Many random actions of one side.
pub struct Run {
    run: u32,
    context: u32,
    random: u64,
    /// The number of the next item in each direction.
    next: [u64; 2],
    /// The handle that was redeemed last for this run.
    stale: Option<u64>,
    checker: Checker,
    tally: Tally,
    event_traffic: EventTraffic,
    may_sleep: bool,
}

impl Run {
    /// Makes the run with number `run` on side `S`. Runs with the same owner need different numbers, because the
    /// checks tell their items apart by the numbers.
    pub fn new<S: Side>(
        side: &S,
        run: u32,
        seed: u32,
        event_traffic: EventTraffic,
    ) -> Result<KBox<Self>> {
        let context = side.context().id();
        let run = Self {
            run,
            context,
            random: (u64::from(seed) << 32) | u64::from(run),
            next: [0; 2],
            stale: None,
            checker: Checker::new(context, S::IN),
            tally: Tally::default(),
            event_traffic,
            may_sleep: false,
        };
        Ok(KBox::new(run, GFP_KERNEL)?)
    }

    /// Makes `actions` random actions. Bit n of `allowed` allows `Place::ALL[n]`. May sleep.
    pub fn go<S: Side>(&mut self, side: &S, actions: u32, allowed: u32) -> Result {
        let mut left = actions;
        while left > 0 {
            let place = Place::ALL[self.below(Place::ALL.len() as u32) as usize];
            if allowed & (1 << place as u32) == 0 {
                continue;
            }
            // Actions in an interrupt delay the CPU's other interrupts.
            let most = match place {
                Place::Caller | Place::Worker => 512,
                Place::SoftIrq | Place::HardIrq => 64,
            };
            let actions = left.min(most);
            self.may_sleep = matches!(place, Place::Caller | Place::Worker);
            run_in(place, || {
                for _ in 0..actions {
                    self.act(side);
                }
            })?;
            left -= actions;
        }
        Ok(())
    }

    /// Puts `count` items, or as many as fit.
    pub fn fill<S: Side>(&mut self, side: &S, count: u32) {
        for _ in 0..count {
            self.put(side, 1);
        }
    }

    /// Ends the run, and returns its counts.
    pub fn finish<S: Side>(self: KBox<Self>) -> Tally {
        let Self {
            checker, mut tally, ..
        } = KBox::into_inner(self);
        tally.add_taken(S::IN, checker.taken());
        tally.add(Count::Runs, 1);
        tally
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.random)
    }

    fn below(&mut self, limit: u32) -> u32 {
        (((self.random() >> 32) * u64::from(limit)) >> 32) as u32
    }

    fn item_count(&mut self) -> u32 {
        self.below(MAX) + 1
    }

    fn act<S: Side>(&mut self, side: &S) {
        match self.below(20) {
            0 => self.put(side, 1),
            1 => self.hand_on(side),
            2..5 => {
                let count = self.item_count();
                self.put(side, count);
            }
            5 => {
                self.checker.take(&queue(side.context(), S::IN), 1);
            }
            6..9 => {
                let max = self.item_count();
                self.checker.take(&queue(side.context(), S::IN), max);
            }
            9 => self.call(side, 0),
            10 => {
                let hops = self.below(MAX_HOPS) + 1;
                self.call(side, hops);
            }
            11 | 12 => self.put_by_other(side),
            13 => self.take_by_other(side),
            14 => self.update(side),
            15..17 => {
                let number = self.below(TOKENS as u32);
                self.event_traffic.set(number, &mut self.tally);
            }
            17..19 => {
                let choice = self.below(0x200);
                self.event_traffic
                    .take(choice, self.may_sleep, &mut self.tally);
            }
            _ => self.check_counters(side),
        }
    }

    fn put<S: Side>(&mut self, side: &S, count: u32) {
        let from = self.next[S::OUT as usize];
        let result = put_for(side, self.run, from, count);
        self.account_put(S::OUT, count, result, false);
    }

    fn put_by_other<S: Side>(&mut self, side: &S) {
        let count = self.item_count();
        let result = side.let_other_put(self.run, self.next[S::IN as usize], count);
        self.tally.add(Count::Calls, result.is_ok().into());
        self.account_put(S::IN, count, result, S::OTHER_MAY_BE_MISSING);
    }

    fn account_put(
        &mut self,
        direction: Direction,
        count: u32,
        result: Result<u32>,
        other_may_be_missing: bool,
    ) {
        let put = match result {
            Ok(put) if put <= count => put,
            Ok(_) => return self.tally.add(Count::WrongValues, 1),
            Err(error) => return self.tally.add_error(error, other_may_be_missing),
        };
        let producer = Producer::new(self.run, self.context, direction);
        let next = &mut self.next[direction as usize];
        for _ in 0..put {
            self.tally
                .add((direction, Flow::ChecksumsPut), producer.checksum(*next));
            *next = next.wrapping_add(1);
        }
        self.tally.add((direction, Flow::Put), put.into());
        self.tally
            .add((direction, Flow::Refused), (count - put).into());
    }

    fn take_by_other<S: Side>(&mut self, side: &S) {
        let max = self.item_count();
        match side.let_other_take(max) {
            Ok(taken) => {
                self.tally.add(Count::Calls, 1);
                self.tally.add_taken(S::OUT, &taken);
            }
            Err(error) => self.tally.add_error(error, S::OTHER_MAY_BE_MISSING),
        }
    }

    /// Takes the handle of an item. Then one of the two sides redeems it. If the peer detached before that, the library
    /// would revoke the handle, and neither side would count the item.
    fn hand_on<S: Side>(&mut self, side: &S) {
        let _stay = match side.stay() {
            Ok(stay) => stay,
            Err(error) => return self.tally.add_error(error, S::OTHER_MAY_BE_MISSING),
        };
        let queue = queue(side.context(), S::IN);
        let Some(handle) = queue.take_handle() else {
            return;
        };
        let handle = handle.into_raw();
        self.redeem_stale::<S>(&queue);
        if self.below(2) == 0 || !self.redeem_by_other(side, handle) {
            let redeemed = self.checker.redeem(&queue, ItemHandle::from_raw(handle));
            self.tally.add(Count::WrongErrors, redeemed.is_err().into());
        }
        self.stale = Some(handle);
    }

    /// The queue must refuse the handle that was redeemed last.
    fn redeem_stale<S: Side>(&mut self, queue: &Queue<'_>) {
        let Some(stale) = self.stale.take() else {
            return;
        };
        match queue.redeem(ItemHandle::from_raw(stale)) {
            Err(error) if error == ESTALE => self.tally.add((S::IN, Flow::Stale), 1),
            Err(_) => self.tally.add(Count::WrongErrors, 1),
            Ok(_) => self.tally.add(Count::WrongValues, 1),
        }
    }

    /// Returns whether the other side could be called.
    fn redeem_by_other<S: Side>(&mut self, side: &S, handle: u64) -> bool {
        match side.let_other_redeem(handle) {
            Ok(taken) => {
                self.tally.add(Count::Calls, 1);
                self.tally.add_taken(S::IN, &taken);
                true
            }
            Err(error) => {
                self.tally.add_error(error, S::OTHER_MAY_BE_MISSING);
                false
            }
        }
    }

    fn call<S: Side>(&mut self, side: &S, hops: u32) {
        let value = self.random();
        match side.call_other(value, hops) {
            Ok(result) => {
                // The last of the `hops` + 1 calls mixes the value once, all others twice.
                let expected = (0..2 * hops + 1).fold(value, |value, _| mix(value));
                self.tally.add(Count::Calls, (hops + 1).into());
                self.tally
                    .add(Count::WrongValues, (result != expected).into());
            }
            Err(error) => self.tally.add_error(error, S::OTHER_MAY_BE_MISSING),
        }
    }

    /// The last update must have written both numbers. The owner's `check` finds lost updates.
    fn update<S: Side>(&mut self, side: &S) {
        let whole = side.context().with_shared(|[count, copy]| {
            let whole = *copy == *count;
            *count = count.wrapping_add(1);
            *copy = *count;
            whole
        });
        self.tally.add(Count::Updates, 1);
        self.tally.add(Count::WrongValues, (!whole).into());
    }

    fn check_counters<S: Side>(&mut self, side: &S) {
        let counters = queue(side.context(), S::OUT).counters();
        let right = counters.put.wrapping_sub(counters.taken) == counters.depth.into()
            && counters.depth <= counters.high_water;
        self.tally.add(Count::WrongValues, (!right).into());
    }
}
