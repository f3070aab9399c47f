// SPDX-License-Identifier: GPL-2.0

//! Test: a driver with a wrong declaration of the pair of module_a. It declares the event `turn` as a notification
//! event; module_a declares a synchronization event. The rest is as in module_a's declaration. The driver's copy of the
//! library refuses the owner's operations table.

#![forbid(unsafe_code)]

include!("skew.rs");

use d2d::{
    declaration::{
        Declaration,
        DeclaredEvent, //
    },
    event::Kind,
    fingerprint::versions, //
};
use d2d_pair::{
    DemoPair,
    NOTICE,
    TURN, //
};

const DECLARATION: Declaration = DemoPair::DECLARATION;

/// The events of the demonstration pair, but `turn` has the kind of `notice`.
const EVENTS: [DeclaredEvent; 2] = {
    let [notice, turn] = DECLARATION.events else {
        panic!("the demonstration pair does not have exactly two events");
    };
    assert!(matches!(
        (NOTICE.kind(), TURN.kind()),
        (Kind::Notification, Kind::Synchronization)
    ));
    [
        DeclaredEvent { ..*notice },
        DeclaredEvent {
            kind: NOTICE.kind(),
            ..*turn
        },
    ]
};

skew! {
    name: "skew_event",
    version: (1, 0),
    versions: &versions::<{ DECLARATION.minor as usize + 1 }>(&Declaration {
        events: &EVENTS,
        ..DECLARATION
    });
    fn ping(value: u32) -> u32;
    fn bounce(hops: u32) -> u32;
    fn drain() -> u32;
    |_owner| Ok(())
}
