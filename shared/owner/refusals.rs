// SPDX-License-Identifier: GPL-2.0

//! The last refusal and the number of refusals, for the file `refusals` of the owner's state.

use crate::trace::Texts;
use d2d::abi;
use kernel::{
    prelude::*,
    sync::{
        new_spinlock_irq,
        SpinLockIrq, //
    }, //
};

/// The last refusal, and the number of refusals.
pub(crate) struct Refusals {
    /// How many refusals there were since the owner was loaded.
    pub(crate) count: u64,
    /// The driver whose line the last refusal has.
    pub(crate) driver: [u8; abi::D2D_NAME_SIZE as usize],
    /// The fields of that line.
    pub(crate) detail: [u8; abi::D2D_DETAIL_SIZE as usize],
}

impl Refusals {
    /// Makes it without a refusal.
    pub(crate) fn new() -> impl PinInit<SpinLockIrq<Self>> {
        let none = Self {
            count: 0,
            driver: [0; abi::D2D_NAME_SIZE as usize],
            detail: [0; abi::D2D_DETAIL_SIZE as usize],
        };
        new_spinlock_irq!(none, "d2d_refusals")
    }

    /// Notes a refusal. A text that is too long is cut off. Any context.
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
