// SPDX-License-Identifier: GPL-2.0

//! Test: a peer in which a timer and processes put and take items at the same time. The timer runs in hard interrupt.
//!
//! There are two *producers*: the timer, and all writing processes together. A producer puts items on both queues of
//! the context, and numbers those that the queue to the peer accepts. The peer takes these items under one lock. So
//! each producer's numbers must arrive in order and without a gap. When the module is unloaded, it prints its counters.
//! The test compares them with the owner's counters.
//!
//! Writing N to `/dev/ticker_peer` makes N exchanges ([`Ticker::exchange`]), and then more until the timer has also
//! ticked N times.

#![forbid(unsafe_code)]

use d2d::{
    control,
    device::Settings,
    driver::{
        Driver,
        DriverRef, //
    },
    link::PeerLink,
    queue::Queue,
    trace::check_parameter, //
};
use d2d_pair::{
    DemoPair,
    Note,
    PeerData,
    PeerOps,
    NOTE, //
};
use kernel::{
    impl_has_hr_timer,
    prelude::*,
    sync::{
        atomic::{
            ordering::{
                Acquire,
                Release, //
            },
            Atomic, //
        },
        new_spinlock_irq,
        Arc,
        ArcBorrow,
        SpinLockIrq, //
    },
    time::{
        delay::fsleep,
        hrtimer::{
            ArcHrTimerHandle,
            HrTimer,
            HrTimerCallback,
            HrTimerCallbackContext,
            HrTimerPointer,
            HrTimerRestart,
            RelativeMode, //
        },
        Delta,
        Monotonic, //
    },
    uaccess::UserSliceReader,
    ModuleMetadata, //
};
use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes, //
};

d2d::module_peer! {
    type: Ticker,
    owner: module_a,
    name: "ticker_peer",
    authors: ["Beyond IRPs"],
    description: "Test: a peer that puts and takes items in hard interrupt",
    license: "GPL",
    imports_ns: ["D2D"],
}

const KIND_NUMBERED: u32 = 0x7469;

// The producers
const TIMER: usize = 0;
const PROCESS: usize = 1;

#[derive(Clone, Copy, FromBytes, Immutable, IntoBytes)]
#[repr(C)]
struct Numbered {
    producer: u32,
    number: u32,
}

#[derive(Default)]
struct Put {
    accepted: u32,
    refused: u32,
}

impl Put {
    fn count(&mut self, result: Result) {
        match result {
            Ok(()) => self.accepted += 1,
            Err(_) => self.refused += 1,
        }
    }
}

#[derive(Default)]
struct Produced {
    to_peer: Put,
    to_owner: Put,
}

impl Produced {
    fn put(&mut self, link: &PeerLink<DemoPair>, producer: usize) {
        let item = Numbered {
            producer: producer as u32,
            number: self.to_peer.accepted,
        };
        let to_peer = link.context().to_peer();
        self.to_peer.count(to_peer.put(KIND_NUMBERED, &item));
        let note = Note::from(item.number);
        self.to_owner.count(NOTE.put(&link.outgoing(), &note));
    }
}

#[derive(Default)]
struct Taken {
    items: u32,
    expected: [u32; 2],
    /// How many items did not have the expected number.
    disorder: u32,
}

impl Taken {
    /// Returns `false` if the queue is empty.
    fn take(&mut self, queue: &Queue<'_>) -> bool {
        let Some(items) = queue.take() else {
            return false;
        };
        for item in &items {
            self.items += 1;
            if item.kind == KIND_NUMBERED {
                self.check(item.read());
            }
        }
        true
    }

    fn check(&mut self, numbered: Option<Numbered>) {
        let next = numbered.and_then(|numbered| {
            let expected = self.expected.get_mut(numbered.producer as usize)?;
            (*expected == numbered.number).then_some(expected)
        });
        match next {
            Some(expected) => *expected += 1,
            None => self.disorder += 1,
        }
    }
}

/// Each producer has its own lock, and all threads that take items share a third one. So only the queue's own lock
/// keeps several threads from changing the queue at the same time.
#[pin_data]
struct State {
    #[pin]
    timer: SpinLockIrq<Produced>,
    #[pin]
    process: SpinLockIrq<Produced>,
    #[pin]
    taken: SpinLockIrq<Taken>,
    ticks: Atomic<u32>,
}

struct Ticker(Pin<KBox<State>>);

impl Ticker {
    /// Puts two items on each queue, and takes one at most. So the queues are full most of the time.
    fn exchange(&self, link: &PeerLink<DemoPair>, producer: usize) {
        let lock = match producer {
            TIMER => &self.0.timer,
            _ => &self.0.process,
        };
        let mut produced = lock.lock();
        produced.put(link, producer);
        produced.put(link, producer);
        drop(produced);
        self.0.taken.lock().take(&link.incoming());
    }

    fn ticks(&self) -> u32 {
        self.0.ticks.load(Acquire)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        let (timer, process) = (self.0.timer.lock(), self.0.process.lock());
        let taken = self.0.taken.lock();
        pr_info!(
            "queue=to_peer put={} refused={} taken={}\n",
            timer.to_peer.accepted + process.to_peer.accepted,
            timer.to_peer.refused + process.to_peer.refused,
            taken.items
        );
        pr_info!(
            "queue=to_owner put={} refused={}\n",
            timer.to_owner.accepted + process.to_owner.accepted,
            timer.to_owner.refused + process.to_owner.refused
        );
        pr_info!(
            "ticks={} timer={} process={} disorder={}\n",
            self.ticks(),
            taken.expected[TIMER],
            taken.expected[PROCESS],
            taken.disorder
        );
    }
}

#[pin_data]
struct Clock {
    driver: DriverRef<Ticker>,
    #[pin]
    timer: HrTimer<Self>,
}

impl_has_hr_timer! {
    impl HasHrTimer<Self> for Clock {
        mode: RelativeMode<Monotonic>,
        field: self.timer
    }
}

impl HrTimerCallback for Clock {
    type Pointer<'a> = Arc<Self>;

    fn run(
        this: ArcBorrow<'_, Self>,
        mut context: HrTimerCallbackContext<'_, Self>,
    ) -> HrTimerRestart {
        if let Some(link) = this.driver.link() {
            this.driver.exchange(link, TIMER);
            this.driver.0.ticks.fetch_add(1, Release);
        }
        context.forward_now(PERIOD);
        HrTimerRestart::Restart
    }
}

const PERIOD: Delta = Delta::from_millis(1);

impl Driver for Ticker {
    type Pair = DemoPair;
    type Resources = ArcHrTimerHandle<Clock>;

    const CONTROL: Option<Settings> = Some(Settings::new(c"ticker_peer"));

    fn new() -> Result<Self> {
        Ok(Self(KBox::pin_init(
            try_pin_init!(State {
                timer <- new_spinlock_irq!(Produced::default(), "ticker_peer::timer"),
                process <- new_spinlock_irq!(Produced::default(), "ticker_peer::process"),
                taken <- new_spinlock_irq!(Taken::default(), "ticker_peer::taken"),
                ticks: Atomic::new(0),
            }),
            GFP_KERNEL,
        )?))
    }

    /// Before the library detaches the driver, it drops the timer's handle. This stops the timer.
    fn start(driver: DriverRef<Self>) -> impl PinInit<Self::Resources, Error> {
        let clock = Arc::pin_init(
            try_pin_init!(Clock {
                driver,
                timer <- HrTimer::new(),
            }),
            GFP_KERNEL,
        )?;
        Ok(clock.start(PERIOD))
    }

    /// Reads N, 1 to 1000.
    fn control(driver: &DriverRef<Self>, reader: &mut UserSliceReader) -> Result {
        let count = control::read_number(reader)?;
        check_parameter(PeerModule::NAME, "tick", count, 1..=1000)?;
        let link = driver.settled_link()?;
        let before = driver.ticks();
        for _ in 0..count {
            driver.exchange(link, PROCESS);
        }
        while driver.ticks().wrapping_sub(before) < count {
            fsleep(PERIOD);
            driver.exchange(link, PROCESS);
        }
        Ok(())
    }

    fn data(&self) -> PeerData {
        PeerData {
            cookie: 0x71c,
            deferred: 0,
            reserved: 0,
        }
    }
}

#[vtable]
impl PeerOps for Ticker {
    fn ping(&self, _link: &PeerLink<DemoPair>, value: u32) -> Result<u32> {
        Ok(value.wrapping_add(1))
    }

    /// Makes no call, but returns the number of calls that module_a expects.
    fn bounce(&self, _link: &PeerLink<DemoPair>, hops: u32) -> Result<u32> {
        Ok(hops)
    }

    fn drain(&self, link: &PeerLink<DemoPair>) -> Result<u32> {
        let mut taken = self.0.taken.lock();
        let before = taken.items;
        while taken.take(&link.incoming()) {}
        Ok(taken.items - before)
    }
}
