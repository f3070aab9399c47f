// SPDX-License-Identifier: GPL-2.0

//! The listener: the peer. In hard interrupt, the metronome calls the listener's operation `beats`, which
//! starts a work item. The work item takes the beats in a kernel worker.
//!
//! A process that writes a number N to `/dev/listener` waits until N more beats were heard, at most 30
//! seconds. Only one process at a time can wait.

#![forbid(unsafe_code)]

use d2d::{
    control,
    device::Settings,
    driver::{
        Driver,
        DriverRef, //
    },
    event::{
        Event,
        Wait, //
    },
    job::{
        Work,
        WorkContext, //
    },
    link::PeerLink, //
};
use kernel::{
    prelude::*,
    sync::{
        new_mutex,
        Mutex,
        SetOnce, //
    },
    uaccess::UserSliceReader,
    ModuleMetadata, //
};
use metronome_pair::{
    ListenerOps,
    MetronomePair,
    BEAT,
    ENOUGH, //
};

d2d::module_peer! {
    type: Listener,
    owner: metronome,
    name: "listener",
    authors: ["Beyond IRPs"],
    description: "Example: a peer with a work item",
    license: "GPL",
    imports_ns: ["D2D"],
}

/// The period to which the listener sets the metronome at first, in microseconds.
const PERIOD: u32 = 1000;

/// Beats that one call takes from the queue.
const BATCH: u32 = 64;

/// Longest wait for beats, in milliseconds.
const PATIENCE: u32 = 30_000;

/// What the listener has heard.
#[derive(Default)]
struct Heard {
    beats: u64,
    /// The number of beats at which a process is to be woken, and the event for which it waits.
    wanted: Option<(u64, Event)>,
}

/// The driver.
struct Listener {
    /// Set in [`Driver::start`].
    work: SetOnce<Work>,
    heard: Pin<KBox<Mutex<Heard>>>,
}

impl Listener {
    /// Takes a batch of beats from the queue. Called in a kernel worker.
    fn listen(&self, link: &PeerLink<MetronomePair>, work: &Work) {
        let mut heard = self.heard.lock();
        let batch = link.incoming().take_batch(BATCH);
        if !batch.is_empty() {
            // There may be more. Do not loop here: a fast metronome would keep the loop running, and
            // so the listener loaded. Starting fails only while the listener is being unloaded.
            let _ = work.start();
        }
        let beats = batch
            .iter()
            .filter(|item| BEAT.expect(item, PeerModule::NAME).is_ok());
        heard.beats += beats.count() as u64;
        if let Some((beats, enough)) = &heard.wanted {
            if heard.beats >= *beats {
                // Setting fails only while the listener is being unloaded, which ends the wait.
                let _ = enough.set();
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        pr_info!("heard beats={}\n", self.heard.lock().beats);
    }
}

impl Driver for Listener {
    type Pair = MetronomePair;
    type Resources = ();

    const CONTROL: Option<Settings> = Some(Settings::new(c"listener"));

    fn new() -> Result<Self> {
        Ok(Self {
            work: SetOnce::new(),
            heard: KBox::pin_init(new_mutex!(Heard::default(), "listener::heard"), GFP_KERNEL)?,
        })
    }

    /// Makes the work item, and starts the metronome. The library stops the work item when the
    /// module is unloaded.
    fn start(driver: DriverRef<Self>) -> impl PinInit<(), Error> {
        let work = driver.work(WorkContext::Worker, |driver, work| {
            if let Some(link) = driver.link() {
                driver.listen(link, work);
            }
        })?;
        driver.work.populate(work);
        let link = driver.settled_link()?;
        link.owner().set_period(PERIOD)?;
        Ok(())
    }

    fn control(driver: &DriverRef<Self>, reader: &mut UserSliceReader) -> Result {
        let beats = control::read_number(reader)?;
        let enough = driver.create_event_of(PeerModule::NAME, ENOUGH, false)?;
        let waited_for = driver.open_event_of(PeerModule::NAME, ENOUGH)?;
        {
            let mut heard = driver.heard.lock();
            if heard.wanted.is_some() {
                return Err(EBUSY);
            }
            heard.wanted = Some((heard.beats + u64::from(beats), enough));
        }
        let waited = waited_for.wait(Wait::at_most(PATIENCE).interruptible());
        driver.heard.lock().wanted = None;
        waited
    }

    fn data(&self) {}
}

#[vtable]
impl ListenerOps for Listener {
    fn beats(&self, _link: &PeerLink<MetronomePair>) -> Result<u32> {
        // Before `start` has made the work item, beats stay in the queue. A later beat starts the work item.
        if let Some(work) = self.work.as_ref() {
            work.start()?;
        }
        Ok(0)
    }
}
