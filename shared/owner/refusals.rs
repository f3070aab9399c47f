// SPDX-License-Identifier: GPL-2.0

//! What the file `refusals` of the owner's state shows.

use crate::trace::Texts;
use d2d::abi;
use kernel::{
    prelude::*,
    sync::{
        new_spinlock_irq,
        SpinLockIrq, //
    }, //
};

pub(crate) struct Refusals {
    /// Refusals since the owner was loaded.
    pub(crate) count: u64,
    /// The name of the driver in the line of the last refusal.
    pub(crate) driver: [u8; abi::D2D_NAME_SIZE as usize],
    /// The fields of that line.
    pub(crate) detail: [u8; abi::D2D_DETAIL_SIZE as usize],
}

impl Refusals {
    pub(crate) fn new() -> impl PinInit<SpinLockIrq<Self>> {
        let none = Self {
            count: 0,
            driver: [0; abi::D2D_NAME_SIZE as usize],
            detail: [0; abi::D2D_DETAIL_SIZE as usize],
        };
        new_spinlock_irq!(none, "d2d_refusals")
    }

    /// Notes a refusal. Cuts off a text that is too long. Any context.
    pub(crate) fn note(&mut self, texts: &Texts) {
        self.count += 1;
        for (to, from) in [
            (&mut self.driver[..], texts.driver.bytes()),
            (&mut self.detail[..], texts.detail.bytes()),
        ] {
            to.fill(0);
            let length = from.len().min(to.len());
            to[..length].copy_from_slice(&from[..length]);
        }
    }
}
