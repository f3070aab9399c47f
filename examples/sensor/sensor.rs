// SPDX-License-Identifier: GPL-2.0

//! The sensor: the peer. A timer puts samples on the queue to the consumer, in softirq.
//!
//! The Windows original is `windows/example/sensor.c`.

#![forbid(unsafe_code)]

use d2d::{
    driver::{
        Driver,
        DriverRef, //
    },
    job::{
        Timer,
        TimerContext, //
    },
    link::PeerLink, //
};
use kernel::{
    prelude::*,
    sync::{
        new_spinlock_irq,
        SetOnce,
        SpinLockIrq, //
    },
    time::Delta, //
};
use sensor_pair::{
    Sample,
    SensorOps,
    SensorPair,
    BURST,
    SAMPLE, //
};

d2d::module_peer! {
    type: Sensor,
    owner: consumer,
    name: "sensor",
    authors: ["Beyond IRPs"],
    description: "Example: raises samples for the consumer",
    license: "GPL",
    imports_ns: ["D2D"],
}

#[derive(Default)]
struct State {
    period: u32,
    /// Samples of this burst that the sensor has still to raise.
    left: u32,
    /// The next sample's number.
    number: u64,
    /// Samples that the queue had no room for.
    lost: u32,
}

impl State {
    /// Puts the next sample of the burst on the queue, if one is left. Called in softirq.
    fn tick(&mut self, link: &PeerLink<SensorPair>) {
        let Some(left) = self.left.checked_sub(1) else {
            return;
        };
        let sample = Sample {
            number: self.number,
            value: self.number * self.number,
        };
        if SAMPLE.put(&link.outgoing(), &sample).is_err() {
            self.lost += 1;
        }
        self.number += 1;
        self.left = left;
    }
}

/// The driver.
struct Sensor {
    /// Set in [`Driver::start`].
    clock: SetOnce<Timer>,
    state: Pin<KBox<SpinLockIrq<State>>>,
}

impl Sensor {
    /// Raises the next sample, and stops the timer after the last one. Called in softirq.
    fn tick(&self, link: &PeerLink<SensorPair>, clock: &Timer) {
        let mut state = self.state.lock();
        state.tick(link);
        if state.left == 0 {
            clock.cancel();
        }
    }
}

impl Drop for Sensor {
    fn drop(&mut self) {
        let state = self.state.lock();
        pr_info!("raised samples={} lost={}\n", state.number, state.lost);
    }
}

impl Driver for Sensor {
    type Pair = SensorPair;
    type Resources = ();

    fn new() -> Result<Self> {
        let state = new_spinlock_irq!(State::default(), "sensor::state");
        Ok(Self {
            clock: SetOnce::new(),
            state: KBox::pin_init(state, GFP_KERNEL)?,
        })
    }

    /// Makes the timer. The library stops it before it detaches the driver.
    fn start(driver: DriverRef<Self>) -> impl PinInit<(), Error> {
        let clock = driver.timer(TimerContext::SoftIrq, |driver, clock| {
            if let Some(link) = driver.link() {
                driver.tick(link, clock);
            }
        })?;
        driver.clock.populate(clock);
        Ok(())
    }

    fn data(&self) {}
}

#[vtable]
impl SensorOps for Sensor {
    fn set_rate(&self, _link: &PeerLink<SensorPair>, period: u32) -> Result<u32> {
        if !(1..=1000).contains(&period) {
            return Err(EINVAL);
        }
        let clock = self.clock.as_ref().ok_or(ENODEV)?;
        let mut state = self.state.lock();
        if state.left > 0 {
            return Err(EBUSY);
        }
        clock.start_every(Delta::from_millis(period.into()))?;
        let before = core::mem::replace(&mut state.period, period);
        state.left = BURST;
        drop(state);
        pr_info!("rate period={} before={}\n", period, before);
        Ok(before)
    }
}
