// SPDX-License-Identifier: GPL-2.0

//! The command `event ...` of a control device. `selftests/event_act.sh` documents its words.

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
    job::{
        Thread,
        Timer,
        TimerContext,
        Work,
        WorkContext, //
    },
    run_in::{
        run_in,
        Place, //
    },
    step,
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

/// The owner accepts at most 64 events in a wait. With more slots than that, a test can ask for too many.
const SLOTS: usize = 66;

/// A driver that executes commands.
pub trait CommandedDriver {
    /// Name of the driver.
    fn name(&self) -> &'static CStr;
    /// Creates an event.
    fn create(&self, name: &CStr, kind: Kind, set: bool) -> Result<Event>;
    /// Opens an event.
    fn open(&self, name: &CStr, kind: Kind) -> Result<Event>;
    /// Makes a work item.
    fn work(
        &self,
        context: WorkContext,
        routine: impl Fn() + Send + Sync + 'static,
    ) -> Result<Work>;
    /// Makes a timer.
    fn timer(
        &self,
        context: TimerContext,
        routine: impl Fn() + Send + Sync + 'static,
    ) -> Result<Timer>;
    /// Makes a thread.
    fn thread(&self, routine: impl Fn() + Send + Sync + 'static) -> Result<Thread>;
    /// The driver's side of a context.
    type Side: Side;
    /// Returns this side.
    fn side(&self) -> Result<&Self::Side>;
}

/// The events that a driver has open.
#[pin_data]
pub struct OpenEvents {
    #[pin]
    slots: Mutex<[Option<Arc<Event>>; SLOTS]>,
    #[pin]
    many: Mutex<KVec<Event>>,
}

impl OpenEvents {
    /// May sleep.
    pub fn new() -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            pin_init!(Self {
                slots <- new_mutex!([const { None }; SLOTS], "torture::OpenEvents::slots"),
                many <- new_mutex!(KVec::new(), "torture::OpenEvents::many"),
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
    /// The errno of the called function, or `EBADMSG` if its result is not the expected one.
    pub fn command(&self, words: &mut Words<'_>, by: &impl CommandedDriver) -> Result {
        match words.word() {
            "create" => {
                let (slot, name, kind) = (words.number()?, name(words)?, kind(words)?);
                let set = match words.word() {
                    "" => false,
                    "set" => true,
                    _ => return Err(EINVAL),
                };
                self.put(slot, Some(by.create(&name, kind, set)?))
            }
            "open" => {
                let (slot, name, kind) = (words.number()?, name(words)?, kind(words)?);
                self.put(slot, Some(by.open(&name, kind)?))
            }
            "close" => self.put(words.number()?, None),
            "set" => {
                let (event, options) = (self.get(words.number()?)?, Options::read(words)?);
                options.expect(run_in(options.place, || event.set())??)
            }
            "query" => {
                let (event, options) = (self.get(words.number()?)?, Options::read(words)?);
                options.expect(run_in(options.place, || event.is_set())??)
            }
            "reset" => {
                let (event, options) = (self.get(words.number()?)?, Options::read(words)?);
                run_in(options.place, || event.reset())?
            }
            "wait" => {
                let index = self.wait(words)?;
                step!(by.name(), event_wait, index: index);
                Ok(())
            }
            "doorbell" => {
                let event = self.get(words.number()?)?;
                by.side()?.set_doorbell(Some(&event));
                Ok(())
            }
            "no-doorbell" => {
                by.side()?.set_doorbell(None);
                Ok(())
            }
            "on-set" => {
                let (event, job) = (self.get(words.number()?)?, words.word());
                let ran = self.get(words.number()?)?;
                let hold = match words.word() {
                    "" => None,
                    slot => Some(self.get(slot.parse().map_err(|_| EINVAL)?)?),
                };
                let routine = move || {
                    // Both calls fail when the driver leaves.
                    let _ = ran.set();
                    let _ = hold.as_ref().map(|hold| hold.wait(Wait::FOREVER));
                };
                match job {
                    "worker" => event.on_set(Some(&by.work(WorkContext::Worker, routine)?)),
                    "softirq" => event.on_set(Some(&by.work(WorkContext::SoftIrq, routine)?)),
                    "timer" => event.on_set(Some(&by.timer(TimerContext::HardIrq, routine)?)),
                    "thread" => event.on_set(Some(&by.thread(routine)?)),
                    _ => Err(EINVAL),
                }
            }
            "no-on-set" => self.get(words.number()?)?.on_set(None),
            "put" => {
                let (side, count) = (by.side()?, words.number()?);
                let place = Options::read(words)?.place;
                match run_in(place, || run::put_for(side, 1, 0, count))?? {
                    put if put == count => Ok(()),
                    _ => Err(ENOSPC),
                }
            }
            "take" => run::take_for(by.side()?, words.number()?).map(|_| ()),
            "create-many" => {
                for n in 0..words.number()? {
                    let name = CString::try_from_fmt(fmt!("many{}", n))?;
                    let event = by.create(&name, Kind::Notification, false)?;
                    self.many.lock().push(event, GFP_KERNEL)?;
                }
                Ok(())
            }
            "close-many" => {
                let events = core::mem::take(&mut *self.many.lock());
                drop(events);
                Ok(())
            }
            _ => Err(EINVAL),
        }
    }

    fn wait(&self, words: &mut Words<'_>) -> Result<usize> {
        let all = words.word() == "all";
        let options = Options::read(words)?;
        let mut opened = KVec::new();
        for slot in options.slots {
            opened.push(self.get(slot)?, GFP_KERNEL)?;
        }
        let mut events = KVec::new();
        for event in &opened {
            events.push(&**event, GFP_KERNEL)?;
        }
        run_in(options.place, || match all {
            true => Event::wait_all(&events, options.wait).map(|()| 0),
            false => Event::wait_any(&events, options.wait),
        })?
    }
}

fn name(words: &mut Words<'_>) -> Result<CString> {
    CString::try_from_fmt(fmt!("{}", words.word()))
}

fn kind(words: &mut Words<'_>) -> Result<Kind> {
    match words.word() {
        "notification" => Ok(Kind::Notification),
        "synchronization" => Ok(Kind::Synchronization),
        _ => Err(EINVAL),
    }
}

/// The last words of a command, in any order.
struct Options {
    /// `in=`: where the driver acts.
    place: Place,
    /// `is=` or `was=`: the state that the event must have.
    state: Option<bool>,
    /// `timeout=` and `interruptible`.
    wait: Wait,
    slots: KVec<u32>,
}

impl Options {
    fn read(words: &mut Words<'_>) -> Result<Self> {
        let mut options = Self {
            place: Place::Caller,
            state: None,
            wait: Wait::FOREVER,
            slots: KVec::new(),
        };
        loop {
            let word = words.word();
            match word.split_once('=').unwrap_or((word, "")) {
                ("", "") => return Ok(options),
                ("in", place) => options.place = Self::place(place)?,
                ("is" | "was", "set") => options.state = Some(true),
                ("is" | "was", "reset") => options.state = Some(false),
                ("timeout", ms) => options.wait.timeout = Some(ms.parse().map_err(|_| EINVAL)?),
                ("interruptible", "") => options.wait.interruptible = true,
                (slot, "") => options
                    .slots
                    .push(slot.parse().map_err(|_| EINVAL)?, GFP_KERNEL)?,
                _ => return Err(EINVAL),
            }
        }
    }

    fn place(name: &str) -> Result<Place> {
        match name {
            "task" => Ok(Place::Caller),
            "worker" => Ok(Place::Worker),
            "softirq" => Ok(Place::SoftIrq),
            "hardirq" => Ok(Place::HardIrq),
            _ => Err(EINVAL),
        }
    }

    fn expect(&self, set: bool) -> Result {
        match self.state {
            Some(state) if state != set => Err(EBADMSG),
            _ => Ok(()),
        }
    }
}
