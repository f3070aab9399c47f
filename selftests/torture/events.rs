// SPDX-License-Identifier: GPL-2.0

//! Commands on named events, for `selftests/events.sh`: the words after `event`.
//!
//! A driver keeps events in numbered slots. PLACE is the execution context in which the driver
//! acts, an index of [`Place::ALL`]; KIND is 0 for a notification, 1 for a synchronization event.
//!
//! - `create SLOT NAME KIND SET`, `open SLOT NAME KIND`, `close SLOT`
//! - `set SLOT PLACE BEFORE`, `query SLOT PLACE STATE`: the last word is the expected state, 0 or
//!   1, or `-` for any
//! - `reset SLOT PLACE`
//! - `wait any|all PLACE MS INTERRUPTIBLE SLOT...`: MS `-` is no limit; prints the index of the
//!   event
//! - `doorbell SLOT`, `silent`: sets or removes the doorbell of the queue that the driver takes
//!   from
//! - `put COUNT PLACE`, `take MOST`: puts and takes items in one batch
//! - `flood COUNT`: creates COUNT more events. `ebb`: closes these

use crate::{
    command::Words,
    run::{
        self,
        Side, //
    }, //
};
use d2d::{
    event::{
        Event,
        Kind,
        Wait, //
    },
    queue::Queue,
    run_in::{
        run_in,
        Place, //
    },
    trace::{
        emit,
        Step, //
    }, //
};
use kernel::{
    prelude::*,
    str::CString,
    sync::{
        new_mutex,
        Arc,
        Mutex, //
    }, //
};

/// Number of slots: more than the 64 events that one wait accepts.
const SLOTS: usize = 66;

/// A driver that opens events.
pub trait Opener {
    /// Name of the driver.
    fn name(&self) -> &'static CStr;
    /// Creates an event.
    fn create(&self, name: &CStr, kind: Kind, set: bool) -> Result<Event>;
    /// Opens an event.
    fn open(&self, name: &CStr, kind: Kind) -> Result<Event>;
    /// The side of a context that the driver is on.
    type Side: Side;
    /// Returns that side.
    fn side(&self) -> Result<&Self::Side>;
}

/// The events that a driver holds.
#[pin_data]
pub struct Held {
    #[pin]
    slots: Mutex<[Option<Arc<Event>>; SLOTS]>,
    #[pin]
    flood: Mutex<KVec<Event>>,
}

impl Held {
    /// Makes empty slots. May sleep.
    pub fn new() -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            pin_init!(Self {
                slots <- new_mutex!([const { None }; SLOTS], "torture::Held::slots"),
                flood <- new_mutex!(KVec::new(), "torture::Held::flood"),
            }),
            GFP_KERNEL,
        )
    }

    fn get(&self, slot: u32) -> Result<Arc<Event>> {
        let slots = self.slots.lock();
        let slot = slots.get(slot as usize).ok_or(ENXIO)?;
        slot.clone().ok_or(ENODATA)
    }

    fn put(&self, slot: u32, event: Option<Event>) -> Result {
        let event = event.map(|event| Arc::new(event, GFP_KERNEL)).transpose()?;
        let mut slots = self.slots.lock();
        let before = core::mem::replace(slots.get_mut(slot as usize).ok_or(ENXIO)?, event);
        drop(slots);
        drop(before);
        Ok(())
    }

    /// Executes a command. May sleep.
    ///
    /// # Errors
    ///
    /// The errno of the event's function, or `EBADMSG` if its result is not the expected one.
    pub fn command(&self, words: &mut Words<'_>, by: &impl Opener) -> Result {
        match words.word() {
            "create" => {
                let (slot, name, kind) = (words.number()?, name(words)?, kind(words)?);
                self.put(slot, Some(by.create(&name, kind, words.number()? != 0)?))
            }
            "open" => {
                let (slot, name, kind) = (words.number()?, name(words)?, kind(words)?);
                self.put(slot, Some(by.open(&name, kind)?))
            }
            "close" => self.put(words.number()?, None),
            "set" => {
                let (event, place) = (self.get(words.number()?)?, place(words)?);
                expect(words, run_in(place, || event.set())??)
            }
            "query" => {
                let (event, place) = (self.get(words.number()?)?, place(words)?);
                expect(words, run_in(place, || event.is_set())??)
            }
            "reset" => {
                let (event, place) = (self.get(words.number()?)?, place(words)?);
                run_in(place, || event.reset())?
            }
            "wait" => {
                let index = self.wait(words)?;
                emit(by.name(), Step::EventWait, fmt!("index={}", index));
                Ok(())
            }
            "doorbell" => {
                let event = self.get(words.number()?)?;
                incoming(by.side()?).set_doorbell(Some(&event));
                Ok(())
            }
            "silent" => {
                incoming(by.side()?).set_doorbell(None);
                Ok(())
            }
            "put" => {
                let (side, count, place) = (by.side()?, words.number()?, place(words)?);
                match run_in(place, || run::put_for(side, 1, 0, count))?? {
                    put if put == count => Ok(()),
                    _ => Err(ENOSPC),
                }
            }
            "take" => run::take_for(by.side()?, words.number()?).map(|_| ()),
            "flood" => {
                for n in 0..words.number()? {
                    let name = CString::try_from_fmt(fmt!("flood{}", n))?;
                    let event = by.create(&name, Kind::Notification, false)?;
                    self.flood.lock().push(event, GFP_KERNEL)?;
                }
                Ok(())
            }
            "ebb" => {
                let events = core::mem::take(&mut *self.flood.lock());
                drop(events);
                Ok(())
            }
            _ => Err(EINVAL),
        }
    }

    fn wait(&self, words: &mut Words<'_>) -> Result<usize> {
        let all = words.word() == "all";
        let place = place(words)?;
        let timeout = match words.word() {
            "-" => None,
            ms => Some(ms.parse().map_err(|_| EINVAL)?),
        };
        let wait = Wait {
            timeout,
            interruptible: words.number()? != 0,
        };
        let mut held = KVec::new();
        while let Ok(slot) = words.number() {
            held.push(self.get(slot)?, GFP_KERNEL)?;
        }
        let mut events = KVec::new();
        for event in &held {
            events.push(&**event, GFP_KERNEL)?;
        }
        run_in(place, || match all {
            true => Event::wait_all(&events, wait).map(|()| 0),
            false => Event::wait_any(&events, wait),
        })?
    }
}

fn incoming<S: Side>(side: &S) -> Queue<'_> {
    run::queue(side.context(), S::IN)
}

fn name(words: &mut Words<'_>) -> Result<CString> {
    CString::try_from_fmt(fmt!("{}", words.word()))
}

fn kind(words: &mut Words<'_>) -> Result<Kind> {
    Kind::from_raw(words.number()?).ok_or(EINVAL)
}

fn place(words: &mut Words<'_>) -> Result<Place> {
    let number = words.number()? as usize;
    Place::ALL.get(number).copied().ok_or(EINVAL)
}

fn expect(words: &mut Words<'_>, got: bool) -> Result {
    match (words.word(), got) {
        ("-", _) | ("0", false) | ("1", true) => Ok(()),
        _ => Err(EBADMSG),
    }
}
