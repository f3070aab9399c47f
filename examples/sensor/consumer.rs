// SPDX-License-Identifier: GPL-2.0

//! The consumer: the owner of the context, so it is loaded first.
//!
//! Writing a period in milliseconds to `/dev/consumer` makes the sensor raise samples with this period. The
//! consumer takes the samples, and prints their number and sum.
//!
//! The Windows original is `windows/example/consumer.c`.

#![forbid(unsafe_code)]

use d2d::{
    control,
    device::Settings,
    event::{
        Event,
        Kind,
        Wait, //
    },
    link::OwnerLink, //
};
use d2d_owner::{
    create_event,
    Config,
    Contexts,
    Owner, //
};
use kernel::{
    prelude::*,
    sync::{
        new_mutex,
        Arc,
        Mutex, //
    },
    uaccess::UserSliceReader,
    ModuleMetadata, //
};
use sensor_pair::{
    ConsumerOps,
    Sample,
    SensorPair,
    BURST,
    SAMPLE, //
};

d2d_owner::module_owner! {
    type: Consumer,
    name: "consumer",
    authors: ["Beyond IRPs"],
    description: "Example: takes the samples that the sensor raises",
    license: "GPL",
}

/// Samples that the queue can hold.
const CAPACITY: u32 = 64;

/// Longest wait for a sample, in milliseconds.
const PATIENCE: u32 = 20_000;

/// The driver.
struct Consumer;

/// The driver's state.
#[pin_data]
struct State {
    /// Held while a process collects samples.
    #[pin]
    collecting: Mutex<()>,
}

impl Consumer {
    /// Collects the samples of one burst. The caller holds [`State::collecting`].
    fn collect(link: &OwnerLink<SensorPair>, period: u32) -> Result {
        let ready = create_event(c"sensor.ready", Kind::Synchronization, false)?;
        link.set_doorbell(Some(&ready));
        let collected = Self::collect_burst(link, &ready, period);
        link.set_doorbell(None);
        collected
    }

    /// Sets the sensor's period, and takes the samples of one burst.
    fn collect_burst(link: &OwnerLink<SensorPair>, ready: &Event, period: u32) -> Result {
        link.peer()?.ops().set_rate(period)?;

        let (mut taken, mut sum) = (0, 0_u64);
        while taken < BURST {
            let batch = link.incoming().take_batch(CAPACITY);
            if batch.is_empty() {
                ready.wait(Wait::at_most(PATIENCE).interruptible())?;
            }
            for item in &batch {
                // Refuses an item of another kind, which a newer sensor may put.
                let Ok(sample) = SAMPLE.expect(&item, OwnerModule::NAME) else {
                    continue;
                };
                taken += 1;
                // The value is another driver's, so the sum may exceed a `u64`.
                sum = sum.wrapping_add(sample.value);
            }
        }
        pr_info!("collected samples={} sum={}\n", taken, sum);
        Ok(())
    }
}

impl Owner for Consumer {
    type Pair = SensorPair;
    type State = State;

    const CONTROL: Option<Settings> = Some(Settings::new(c"consumer"));

    fn config() -> Result<Config> {
        let item_size = size_of::<Sample>() as u32;
        Config::new(OwnerModule::NAME, 1, CAPACITY, item_size, 0, 5000)
    }

    fn state(_config: &Config) -> impl PinInit<State, Error> {
        try_pin_init!(State {
            collecting <- new_mutex!((), "consumer::collecting"),
        })
    }

    fn new(_state: &Arc<State>, _id: u32) -> Result<Self> {
        Ok(Self)
    }

    fn data(_config: &Config) {}

    fn control(contexts: &Contexts<'_, Self>, reader: &mut UserSliceReader) -> Result {
        let period = control::read_number(reader)?;
        let (_, link) = contexts.get(0).ok_or(ENODEV)?;
        let _guard = contexts.state().collecting.lock();
        Self::collect(link, period)
    }

    fn attached(&self, _link: &OwnerLink<SensorPair>) {}

    fn detached(&self, _link: &OwnerLink<SensorPair>) {}
}

#[vtable]
impl ConsumerOps for Consumer {}
