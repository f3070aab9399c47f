// SPDX-License-Identifier: GPL-2.0

//! The sampler: the owner. Its timer takes samples in hard interrupt, and puts them on the queue to
//! the recorder. The recorder sets the rate by an operation.

#![forbid(unsafe_code)]

use d2d::{
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
    ModuleMetadata, //
};
use sampler_pair::{
    Sample,
    SamplerOps,
    SamplerPair,
    FASTEST,
    SAMPLE, //
};

d2d_owner::module_owner! {
    type: Sampler,
    name: "sampler",
    authors: ["Beyond IRPs"],
    description: "Example: takes samples in hard interrupt",
    license: "GPL",
    params: {
        capacity: u32 {
            default: 16_384,
            description: "Samples that the queue can hold (1-1048576)",
        },
    },
}

/// The driver.
struct Sampler {
    /// Set in [`Owner::ready`].
    timer: SetOnce<Timer>,
    /// How often the timer's routine has run. Only the routine writes it.
    runs: Atomic<u64>,
}

/// Measures. A real driver reads a register of its hardware here; this one makes a triangle wave
/// of 1000 samples.
fn measure(number: u64) -> u64 {
    let phase = number % 1000;
    phase.min(1000 - phase)
}

impl Sampler {
    /// Takes a sample. Putting it on an empty queue rings the recorder's doorbell. Called in hard
    /// interrupt.
    fn sample(&self, link: &OwnerLink<SamplerPair>, timer: &Timer) {
        let overruns = timer.overruns();
        let number = self.runs.fetch_add(1, Relaxed) + overruns;
        let value = measure(number);
        // Put under the lock of the shared data, so that no process sees more samples recorded than
        // produced.
        link.context().with_shared(|statistics| {
            if SAMPLE
                .put(&link.outgoing(), &Sample { number, value })
                .is_err()
            {
                statistics.lost = statistics.lost.wrapping_add(1);
            }
            statistics.overruns = overruns;
            statistics.produced = number + 1;
        });
    }
}

impl Owner for Sampler {
    type Pair = SamplerPair;
    type State = ();

    fn config() -> Result<Config> {
        let capacity = module_parameters::capacity.value();
        let item_size = size_of::<Sample>() as u32;
        Config::new(OwnerModule::NAME, 1, capacity, item_size, 0, 5000)
    }

    fn state(_config: &Config) -> impl PinInit<(), Error> {
        Ok::<_, Error>(())
    }

    fn new(_state: &Arc<()>, _id: u32) -> Result<Self> {
        Ok(Self {
            timer: SetOnce::new(),
            runs: Atomic::new(0),
        })
    }

    /// Makes the timer. The library stops it when the module is unloaded.
    fn ready(contexts: &Contexts<'_, Self>) -> Result {
        let timer = contexts.timer(TimerContext::HardIrq, |contexts, timer| {
            if let Some((this, link)) = contexts.get(0) {
                this.sample(link, timer);
            }
        })?;
        if let Some((this, _)) = contexts.get(0) {
            this.timer.populate(timer);
        }
        Ok(())
    }

    fn data(_config: &Config) {}

    /// Prints what both drivers have counted.
    fn leaving(contexts: &Contexts<'_, Self>) {
        if let Some((_, link)) = contexts.get(0) {
            let all = link.context().with_shared(|statistics| *statistics);
            let (produced, recorded) = (all.produced, all.recorded);
            let (lost, overruns) = (all.lost, all.overruns);
            pr_info!("produced={produced} recorded={recorded} lost={lost} overruns={overruns}\n");
        }
    }

    fn attached(&self, _link: &OwnerLink<SamplerPair>) {}

    /// Stops the timer: a sample that no driver takes is of no use.
    fn detached(&self, link: &OwnerLink<SamplerPair>) {
        let _ = self.set_rate(link, 0);
    }
}

#[vtable]
impl SamplerOps for Sampler {
    fn set_rate(&self, link: &OwnerLink<SamplerPair>, rate: u32) -> Result<u32> {
        let timer = self.timer.as_ref().ok_or(ENODEV)?;
        // The lock of the shared data serializes callers, so that `statistics.rate` is the timer's rate.
        link.context().with_shared(|statistics| {
            match rate {
                0 => timer.cancel(),
                1..=FASTEST => {
                    timer.start_every(Delta::from_nanos(1_000_000_000 / i64::from(rate)))?
                }
                _ => return Err(EINVAL),
            }
            let before = core::mem::replace(&mut statistics.rate, rate.into());
            Ok(before as u32)
        })
    }
}
