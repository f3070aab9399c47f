// SPDX-License-Identifier: GPL-2.0

//! The metronome: the owner of the context. Its timer puts beats on the queue to the listener, in
//! hard interrupt.
//!
//! The listener starts the timer by an operation. Writing a period in microseconds to
//! `/sys/kernel/debug/d2d-metronome/period` changes it, also without a listener; 0 stops the timer.

#![forbid(unsafe_code)]

use d2d::{
    control,
    job::{
        Timer,
        TimerContext, //
    },
    link::OwnerLink, //
};
use d2d_owner::{
    Config,
    Contexts,
    Owner, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        SetOnce, //
    },
    time::Delta,
    uaccess::UserSliceReader,
    ModuleMetadata, //
};
use metronome_pair::{
    Beat,
    MetronomeOps,
    MetronomePair,
    BEAT, //
};

d2d_owner::module_owner! {
    type: Metronome,
    name: "metronome",
    authors: ["Beyond IRPs"],
    description: "Example: an owner with a timer",
    license: "GPL",
}

/// Beats that the queue can hold.
const CAPACITY: u32 = 1024;

/// The driver.
struct Metronome {
    /// Set in [`Owner::ready`].
    timer: SetOnce<Timer>,
    /// Beats while a listener was attached.
    beats: Atomic<u64>,
    /// Beats that the queue had no room for.
    lost: Atomic<u64>,
}

impl Metronome {
    /// Puts a beat on the queue and calls the listener. Does nothing without a listener. Called in
    /// hard interrupt.
    fn beat(&self, link: &OwnerLink<MetronomePair>) {
        let Ok(listener) = link.peer() else {
            return;
        };
        let number = self.beats.fetch_add(1, Relaxed);
        if BEAT.put(&link.outgoing(), &Beat { number }).is_err() {
            self.lost.fetch_add(1, Relaxed);
        }
        // The call fails only while the listener is being unloaded.
        let _ = listener.ops().beats();
    }

    fn set(&self, period: u32) -> Result {
        let timer = self.timer.as_ref().ok_or(ENODEV)?;
        match period {
            0 => timer.cancel(),
            20..=1_000_000 => timer.start_every(Delta::from_micros(period.into()))?,
            _ => return Err(EINVAL),
        }
        Ok(())
    }
}

impl Drop for Metronome {
    fn drop(&mut self) {
        let (beats, lost) = (self.beats.load(Relaxed), self.lost.load(Relaxed));
        pr_info!("beats={} lost={}\n", beats, lost);
    }
}

impl Owner for Metronome {
    type Pair = MetronomePair;
    type State = ();

    const CONTROL: Option<&'static CStr> = Some(c"period");

    fn config() -> Result<Config> {
        let item_size = size_of::<Beat>() as u32;
        Config::new(OwnerModule::NAME, 1, CAPACITY, item_size, 0, 5000)
    }

    fn state(_config: &Config) -> impl PinInit<(), Error> {
        Ok::<_, Error>(())
    }

    fn new(_state: &Arc<()>, _id: u32) -> Result<Self> {
        Ok(Self {
            timer: SetOnce::new(),
            beats: Atomic::new(0),
            lost: Atomic::new(0),
        })
    }

    /// Makes the timer. The library stops it when the module is unloaded.
    fn ready(contexts: &Contexts<'_, Self>) -> Result {
        let timer = contexts.timer(TimerContext::HardIrq, |contexts, _timer| {
            if let Some((this, link)) = contexts.get(0) {
                this.beat(link);
            }
        })?;
        if let Some((this, _)) = contexts.get(0) {
            this.timer.populate(timer);
        }
        Ok(())
    }

    fn data(_config: &Config) {}

    fn control(contexts: &Contexts<'_, Self>, reader: &mut UserSliceReader) -> Result {
        let period = control::read_number(reader)?;
        let (this, _) = contexts.get(0).ok_or(ENODEV)?;
        this.set(period)
    }

    fn attached(&self, _link: &OwnerLink<MetronomePair>) {}

    fn detached(&self, _link: &OwnerLink<MetronomePair>) {}
}

#[vtable]
impl MetronomeOps for Metronome {
    fn set_period(&self, _link: &OwnerLink<MetronomePair>, period: u32) -> Result<u32> {
        self.set(period)?;
        Ok(period)
    }
}
