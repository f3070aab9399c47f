// SPDX-License-Identifier: GPL-2.0

//! Must not compile: a driver that takes items in one thread and releases them in another.
// error: [E0277]: `NonNull<d2d_item>` cannot be sent between threads safely

#![forbid(unsafe_code)]

use d2d::{
    queue::Queue,
    run_in::{
        run_in,
        Place, //
    }, //
};
use kernel::prelude::*;

fn release_elsewhere(queue: Queue<'_>) -> Result {
    let batch = queue.take_batch(8);
    run_in(Place::Worker, move || drop(batch))
}
