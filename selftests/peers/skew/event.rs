// SPDX-License-Identifier: GPL-2.0

//! Test: a driver that declares the event `turn` of module_a's pair with the wrong kind. Its library must refuse
//! module_a.

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

/// The demonstration's events, but `turn` has the kind of `notice`.
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
