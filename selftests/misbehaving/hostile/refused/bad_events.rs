// SPDX-License-Identifier: GPL-2.0

//! Must not compile: wrong declarations of events, and a driver that opens an event that its pair does not declare.
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

// Two events have the same name.
declare! {
    twice, "twice",
    shared_data: (),
    minor: 0,
    {},
    {},
    {},
    {
        /// An event.
        ready: Notification;
        /// Another one.
        ready: Synchronization;
    },
}

// The event has a kind that does not exist.
declare! {
    kind, "kind",
    shared_data: (),
    minor: 0,
    {},
    {},
    {},
    {
        /// An event.
        ready: Sometimes;
    },
}

// The name of the event is a string literal.
declare! {
    text, "text",
    shared_data: (),
    minor: 0,
    {},
    {},
    {},
    {
        /// An event.
        "ready": Notification;
    },
}

// The driver opens an event that the pair does not declare.
fn open(driver: &DriverRef<impl Driver>) -> Result<Event> {
    driver.open_event_of(c"module_a", d2d_pair::NOTICES)
}
