// SPDX-License-Identifier: GPL-2.0

//! Both sides of a context set the same events and wait for them.

use crate::tally::{
    Count,
    Tally, //
};
use d2d::{
    context::Context,
    event::{
        Event,
        Kind,
        Wait, //
    }, //
};
use kernel::{
    prelude::*,
    str::CString, //
};

/// The number of synchronization events that runs use. While such an event is set, it is a *token*. A wait that resets
/// the event takes the token.
pub const TOKENS: usize = 4;

/// No traffic delays a wake-up for a minute. So if this wait times out, the wake-up was lost.
const LONG: Wait = Wait::at_most(60_000);

/// The events of a context.
pub struct EventTraffic {
    tokens: [Event; TOKENS],
    ping: Event,
    pong: Event,
    stop: Event,
}

impl EventTraffic {
    /// Opens or creates the events of a context. May sleep.
    pub fn open<P: d2d::link::Pair>(
        context: &Context<P>,
        create: impl Fn(&CStr, Kind, bool) -> Result<Event>,
    ) -> Result<Self> {
        let open = |name| {
            let name = CString::try_from_fmt(fmt!("torture-c{}-{}", context.id(), name))?;
            create(&name, Kind::Synchronization, false)
        };
        Ok(Self {
            tokens: [open("0")?, open("1")?, open("2")?, open("3")?],
            ping: open("ping")?,
            pong: open("pong")?,
            stop: open("stop")?,
        })
    }

    /// Sets an event. Counts a token if the event was not set before. Any execution context.
    pub(crate) fn set(&self, number: u32, tally: &mut Tally) {
        tally.add(Count::Sets, 1);
        match self.tokens[number as usize % TOKENS].set() {
            Ok(before) => tally.add(Count::Tokens, (!before).into()),
            Err(error) => tally.add_error(error, false),
        }
    }

    /// Waits for tokens. `choice` selects the events, and whether to wait for any or all. Sleeps only if `may_sleep`.
    pub(crate) fn take(&self, choice: u32, may_sleep: bool, tally: &mut Tally) {
        let [a, b, c, d] = &self.tokens;
        let lists: [&[&Event]; 4] = [&[a], &[d, b], &[c, a, b], &[b, d, c, a]];
        let events = lists[choice as usize % lists.len()];
        let wait = match may_sleep && choice & 0xfc == 0 {
            true => Wait::at_most(1),
            false => Wait::NOT,
        };
        let taken = match choice & 0x100 {
            0 => Event::wait_any(events, wait).map(|_| 1),
            _ => Event::wait_all(events, wait).map(|()| events.len() as u64),
        };
        tally.add(Count::Waits, 1);
        match taken {
            Ok(count) => tally.add(Count::TokensTaken, count),
            Err(ETIMEDOUT) => {}
            Err(error) => tally.add_error(error, false),
        }
    }

    /// Takes all tokens, and returns their number.
    pub fn take_all(&self) -> u64 {
        let taken = |event: &&Event| event.wait(Wait::NOT).is_ok();
        self.tokens.iter().filter(taken).count() as u64
    }

    /// Wakes the thread in [`follow`](Self::follow), and is woken by it, `times` times. May sleep.
    pub fn lead(&self, times: u32) -> Result<Tally> {
        let mut tally = Tally::default();
        for _ in 0..times {
            self.ping.set()?;
            self.pong.wait(LONG)?;
        }
        tally.add(Count::Wakes, times.into());
        Ok(tally)
    }

    /// Ends [`follow`](Self::follow).
    pub fn stop(&self) -> Result {
        self.stop.set().map(|_| ())
    }

    /// The other side of [`lead`](Self::lead), until [`stop`](Self::stop). May sleep.
    pub(crate) fn follow(&self) -> Result<Tally> {
        let mut tally = Tally::default();
        while Event::wait_any(&[&self.ping, &self.stop], LONG)? == 0 {
            self.pong.set()?;
            tally.add(Count::Wakes, 1);
        }
        Ok(tally)
    }
}
