// SPDX-License-Identifier: GPL-2.0

//! Must not compile: wrong declarations of events, and the use of an event that the pair does not declare.
// error: [E0428]: the name `READY` is defined multiple times
// error: [E0425]: cannot find value `NOTICES` in crate `d2d_pair`
// error: [E0599]: no variant or associated item named `Sometimes` found for enum `Kind`
// error: no rules expected `"ready"`

#![forbid(unsafe_code)]

include!("../declare.rs");

use d2d::{
    driver::{
        Driver,
        DriverRef, //
    },
    event::Event, //
};
use kernel::prelude::*;

declare! {
    twice, "twice",
    shared_data: (),
    minor: 0,
    {},
    {},
    {},
    {
        ready: Notification;
        ready: Synchronization;
    },
}

declare! {
    kind, "kind",
    shared_data: (),
    minor: 0,
    {},
    {},
    {},
    {
        ready: Sometimes;
    },
}

declare! {
    text, "text",
    shared_data: (),
    minor: 0,
    {},
    {},
    {},
    {
        "ready": Notification;
    },
}

fn open(driver: &DriverRef<impl Driver>) -> Result<Event> {
    driver.open_event_of(c"module_a", d2d_pair::NOTICES)
}
