// SPDX-License-Identifier: GPL-2.0

//! Must not compile: a driver that calls unsafe functions of the library.
// error: [E0133]: call to unsafe function `DropPromise::<M>::new` is unsafe
// error: [E0133]: call to unsafe function `queue::handle::<impl d2d::queue::Queue<'a>>::revoke_handles` is unsafe
// error: [E0133]: call to unsafe function `Sender::from_raw` is unsafe
// error: [E0133]: call to unsafe function `OwnerLink::<P>::close` is unsafe

#![forbid(unsafe_code)]

use d2d::{
    driver::Driver,
    interface::TableFor,
    link::{
        OwnerLink,
        Pair, //
    },
    packet::Sender,
    queue::Queue,
    registration::{
        DropPromise,
        Peer,
        Started, //
    }, //
};
use kernel::{
    prelude::*,
    ModuleMetadata, //
};

/// `module_peer!` defines such a static.
static STARTED: Started = Started::new();

fn register_again<T: Driver, M: ModuleMetadata>() -> Result<Peer<T>>
where
    <T::Pair as Pair>::Peer: TableFor<T>,
{
    Peer::new(DropPromise::<M>::new(), &STARTED)
}

fn revoke(queue: Queue<'_>) -> u32 {
    queue.revoke_handles(true)
}

fn send_as_another() -> Sender {
    Sender::from_raw(1, c"module_a")
}

fn close<P: Pair>(link: &OwnerLink<P>) {
    link.close(|| ());
}
