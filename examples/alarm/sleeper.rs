// SPDX-License-Identifier: GPL-2.0

//! The sleeper: the peer. Writing a number of milliseconds to `/sys/kernel/debug/d2d-sleeper/sleep`
//! sends the alarm a request, and waits for it for at most `limit` milliseconds.
//!
//! The originals are `windows/alarm/sleeper.c` (WDM) and `windows/kmdf/sleeper.c` (KMDF).

#![forbid(unsafe_code)]

use alarm_pair::{
    AlarmPair,
    SleeperOps,
    RING, //
};
use d2d::{
    control,
    driver::{
        Driver,
        Handle, //
    },
    trace::check_parameter, //
};
use kernel::{
    prelude::*,
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
    },
}

/// The driver.
struct Sleeper {
    limit: u32,
}

impl Driver for Sleeper {
    type Pair = AlarmPair;
    type Jobs = ();

    const CONTROL: Option<&'static CStr> = Some(c"sleep");

    fn new() -> Result<Self> {
        let limit = module_parameters::limit.value();
        let limit = check_parameter(PeerModule::NAME, "limit", limit, 1..=60_000)?;
        Ok(Self { limit })
    }

    fn start(_driver: Handle<Self>) -> impl PinInit<(), Error> {
        Ok(())
    }

    fn control(driver: &Handle<Self>, reader: &mut UserSliceReader) -> Result {
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
