// SPDX-License-Identifier: GPL-2.0

//! The metronome: the owner of the context. Its timer puts beats on the queue to the listener, in
//! hard interrupt.
//!
//! The listener starts the timer by an operation. Processes use the device `/dev/metronome`, also without
//! a listener. A write sets the timer's period in microseconds; 0 stops the timer. A read waits until the
//! timer has expired, and returns how often it has expired since the last read, or since the file was
//! opened, as 8 bytes.

#![forbid(unsafe_code)]

use d2d::{
    control,
    device::{
        self,
        Call,
        Device,
        Opening,
        Ready,
        Settings, //
    },
    job::{
        Timer,
        TimerContext, //
    },
    link::OwnerLink, //
};
use d2d_owner::{
    Config,
    Contexts,
    Owner,
    OwnerRef, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Full,
            Relaxed, //
        },
        Arc,
        SetOnce, //
    },
    time::Delta,
    uaccess::{
        UserSliceReader,
        UserSliceWriter, //
    },
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
    /// How often the timer has expired.
    expiries: Atomic<u64>,
    /// Set in [`Owner::ready`].
    device: SetOnce<Device>,
}

/// An open file of `/dev/metronome`: the number of expiries that the file has seen.
struct Follower(Atomic<u64>);

impl Follower {
    /// Returns how many expiries the file has seen, and how many there were.
    fn seen(&self, metronome: &OwnerRef<Metronome>) -> Option<(u64, u64)> {
        let contexts = metronome.contexts();
        let (this, _) = contexts.get(0)?;
        Some((self.0.load(Relaxed), this.expiries.load(Relaxed)))
    }

    /// Returns how many expiries the file has not seen, and marks them as seen; `None` if there are none, or if
    /// another thread has just marked them.
    fn see(&self, metronome: &OwnerRef<Metronome>) -> Option<u64> {
        let (seen, now) = self.seen(metronome)?;
        let unseen = now.checked_sub(seen).filter(|unseen| *unseen > 0)?;
        self.0.cmpxchg(seen, now, Full).ok().map(|_| unseen)
    }
}

impl device::File for Follower {
    type Driver = OwnerRef<Metronome>;

    fn open(metronome: &Self::Driver, _opening: &Opening<'_>) -> impl PinInit<Self, Error> {
        let contexts = metronome.contexts();
        let (this, _) = contexts.get(0).ok_or(ENODEV)?;
        Ok(Self(Atomic::new(this.expiries.load(Relaxed))))
    }

    fn read(&self, metronome: &Self::Driver, call: &Call<'_>, to: &mut UserSliceWriter) -> Result {
        to.write(&call.wait(|| self.see(metronome))?)
    }

    fn write(
        &self,
        metronome: &Self::Driver,
        _call: &Call<'_>,
        from: &mut UserSliceReader,
    ) -> Result {
        let period = control::read_number(from)?;
        let contexts = metronome.contexts();
        let (this, _) = contexts.get(0).ok_or(ENODEV)?;
        this.set(period)
    }

    fn poll(&self, metronome: &Self::Driver) -> Ready {
        Ready {
            read: self.seen(metronome).is_some_and(|(seen, now)| seen < now),
            write: true,
        }
    }
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
            expiries: Atomic::new(0),
            device: SetOnce::new(),
        })
    }

    /// Makes the timer and the device. The library stops and removes them when the module is unloaded.
    fn ready(contexts: &Contexts<'_, Self>) -> Result {
        let timer = contexts.timer(TimerContext::HardIrq, |contexts, _timer| {
            if let Some((this, link)) = contexts.get(0) {
                this.expiries.fetch_add(1, Relaxed);
                if let Some(device) = this.device.as_ref() {
                    device.wake();
                }
                this.beat(link);
            }
        })?;
        if let Some((this, _)) = contexts.get(0) {
            this.timer.populate(timer);
            let device = contexts.device::<Follower>(Settings::new(c"metronome"))?;
            this.device.populate(device);
        }
        Ok(())
    }

    fn data(_config: &Config) {}

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
