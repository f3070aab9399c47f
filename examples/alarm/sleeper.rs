// SPDX-License-Identifier: GPL-2.0

//! The sleeper: the peer. If a process writes a number of milliseconds to `/dev/sleeper`, the sleeper sends
//! the alarm a request, and waits for it for at most `limit` milliseconds. With the parameter `every`, it
//! also sends a request again and again, without waiting: its routine `completed` sets the event
//! `sleeper.rang`, and sends the request anew.
//!
//! The originals are `windows/alarm/sleeper.c` (WDM) and `windows/kmdf/sleeper.c` (KMDF).

#![forbid(unsafe_code)]

use alarm_pair::{
    AlarmPair,
    SleeperOps,
    LONGEST,
    RANG,
    RING, //
};
use d2d::{
    control,
    device::Settings,
    driver::{
        Driver,
        DriverRef, //
    },
    event::Event,
    packet::{
        Completed,
        Packet,
        Sleep,
        Target, //
    },
    trace::check_parameter, //
};
use kernel::{
    prelude::*,
    sync::SetOnce,
    uaccess::UserSliceReader,
    ModuleMetadata, //
};

d2d::module_peer! {
    type: Sleeper,
    owner: alarm,
    name: "sleeper",
    authors: ["Beyond IRPs"],
    description: "Example: waits for requests with a limit",
    license: "GPL",
    imports_ns: ["D2D"],
    params: {
        limit: u32 {
            default: 10_000,
            description: "Longest wait for a request in milliseconds (1-60000)",
        },
        every: u32 {
            default: 0,
            description: "Milliseconds of the request that is sent again and again (0: none)",
        },
    },
}

/// The driver.
struct Sleeper {
    limit: u32,
    every: u32,
    /// Set in [`Driver::start`], before a request is sent.
    bell: SetOnce<Bell>,
}

/// What [`Driver::completed`] needs.
struct Bell {
    alarm: Target,
    rang: Event,
}

impl Sleeper {
    /// Sends a request, and does not wait for it. Any context.
    fn send(&self, packet: Packet, bell: &Bell) {
        // Fails while the sleeper is being unloaded. Dropping the error frees the request.
        let _ = packet.send_with_routine(&bell.alarm, RING, &self.every, Sleep::Cannot, 0);
    }
}

impl Driver for Sleeper {
    type Pair = AlarmPair;
    type Resources = ();

    const CONTROL: Option<Settings> = Some(Settings::new(c"sleeper"));

    fn new() -> Result<Self> {
        let limit = module_parameters::limit.value();
        let limit = check_parameter(PeerModule::NAME, "limit", limit, 1..=60_000)?;
        let every = module_parameters::every.value();
        Ok(Self {
            limit,
            every: check_parameter(PeerModule::NAME, "every", every, 0..=LONGEST)?,
            bell: SetOnce::new(),
        })
    }

    fn start(driver: DriverRef<Self>) -> impl PinInit<(), Error> {
        if driver.every > 0 {
            driver.bell.populate(Bell {
                alarm: driver.sender().lookup(c"alarm")?,
                rang: driver.create_event_of(PeerModule::NAME, RANG, false)?,
            });
            let packet = driver.sender().packet_for(RING)?;
            let bell = driver.bell.as_ref().ok_or(ENODATA)?;
            driver.send(packet, bell);
        }
        Ok(())
    }

    /// Called in the softirq of the alarm's timer, or by the thread that unloads the sleeper.
    fn completed(&self, completed: Completed) {
        let Some(bell) = self.bell.as_ref() else {
            return;
        };
        // Succeeds also while the sleeper is being unloaded: the owner closes the sleeper's events later.
        if let Err(error) = bell.rang.set() {
            pr_err!("cannot set the event: {:?}\n", error);
        }
        // Unloading cancels the request. Then dropping `completed` frees it.
        if completed.output::<u64>().is_ok() {
            self.send(completed.into_packet(), bell);
        }
    }

    fn control(driver: &DriverRef<Self>, reader: &mut UserSliceReader) -> Result {
        let after = control::read_number(reader)?;
        let alarm = driver.sender().lookup(c"alarm")?;
        let mut packet = driver.sender().packet_for(RING)?;
        let rang = packet.call(&alarm, RING, &after, Some(driver.limit));

        let link = driver.link().ok_or(ENOTCONN)?;
        let waiting = link.owner().waiting()?;
        pr_info!("slept={} waiting={}\n", u32::from(rang.is_ok()), waiting);
        rang?;
        Ok(())
    }

    fn data(&self) {}
}

#[vtable]
impl SleeperOps for Sleeper {}
