// SPDX-License-Identifier: GPL-2.0

//! The sensor: the peer. A timer puts samples on the queue to the consumer, in softirq.
//!
//! The Windows original is `windows/example/sensor.c`.

#![forbid(unsafe_code)]

use d2d::{
    driver::{
        Driver,
        Handle, //
    },
    link::PeerLink, //
};
use kernel::{
    impl_has_hr_timer,
    prelude::*,
    sync::{
        new_spinlock_irq,
        Arc,
        ArcBorrow,
        SpinLockIrq, //
    },
    time::{
        hrtimer::{
            ArcHrTimerHandle,
            HrTimer,
            HrTimerCallback,
            HrTimerCallbackContext,
            HrTimerPointer,
            HrTimerRestart,
            RelativeSoftMode, //
        },
        Delta,
        Monotonic, //
    }, //
};
use sensor_pair::{
    Sample,
    SensorOps,
    SensorPair,
    BURST,
    KIND_SAMPLE, //
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

/// The timer's period while no samples are to be raised, in milliseconds.
const IDLE: u32 = 10;

#[derive(Default)]
struct State {
    period: u32,
    /// Samples of this burst that were not raised yet.
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
        if link.outgoing().put(KIND_SAMPLE, &sample).is_err() {
            self.lost += 1;
        }
        self.number += 1;
        self.left = left;
    }
}

/// The driver.
struct Sensor(Pin<KBox<SpinLockIrq<State>>>);

impl Drop for Sensor {
    fn drop(&mut self) {
        let state = self.0.lock();
        pr_info!("raised samples={} lost={}\n", state.number, state.lost);
    }
}

impl Driver for Sensor {
    type Pair = SensorPair;
    type Jobs = ArcHrTimerHandle<Clock>;

    fn new() -> Result<Self> {
        let state = new_spinlock_irq!(State::default(), "sensor::state");
        Ok(Self(KBox::pin_init(state, GFP_KERNEL)?))
    }

    /// Starts the timer. The library drops the returned handle, which stops the timer, before it
    /// detaches.
    fn start(driver: Handle<Self>) -> impl PinInit<Self::Jobs, Error> {
        let clock = Arc::pin_init(
            try_pin_init!(Clock {
                driver,
                timer <- HrTimer::new(),
            }),
            GFP_KERNEL,
        )?;
        Ok(clock.start(Delta::from_millis(IDLE.into())))
    }

    fn data(&self) {}
}

#[vtable]
impl SensorOps for Sensor {
    /// The new period takes effect when the timer expires next.
    fn set_rate(&self, _link: &PeerLink<SensorPair>, period: u32) -> Result<u32> {
        if !(1..=1000).contains(&period) {
            return Err(EINVAL);
        }
        let mut state = self.0.lock();
        if state.left > 0 {
            return Err(EBUSY);
        }
        let before = core::mem::replace(&mut state.period, period);
        state.left = BURST;
        drop(state);
        pr_info!("rate period={} before={}\n", period, before);
        Ok(before)
    }
}

/// The timer. It also runs between bursts, because operations have no access to the handle that
/// could stop and start it.
#[pin_data]
struct Clock {
    driver: Handle<Sensor>,
    #[pin]
    timer: HrTimer<Self>,
}

impl_has_hr_timer! {
    impl HasHrTimer<Self> for Clock {
        mode: RelativeSoftMode<Monotonic>,
        field: self.timer
    }
}

impl HrTimerCallback for Clock {
    type Pointer<'a> = Arc<Self>;

    fn run(
        this: ArcBorrow<'_, Self>,
        mut context: HrTimerCallbackContext<'_, Self>,
    ) -> HrTimerRestart {
        let mut state = this.driver.0.lock();
        if let Some(link) = this.driver.link() {
            state.tick(link);
        }
        let period = match state.left {
            0 => IDLE,
            _ => state.period,
        };
        drop(state);
        context.forward_now(Delta::from_millis(period.into()));
        HrTimerRestart::Restart
    }
}
