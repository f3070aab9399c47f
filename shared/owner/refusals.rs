// SPDX-License-Identifier: GPL-2.0

//! What was refused last, for the file `refusals` of the owner's state.

use crate::trace::Told;
use d2d::abi;
use kernel::{
    prelude::*,
    sync::{
        new_spinlock_irq,
        SpinLockIrq, //
    }, //
};

/// What was refused last, and how much.
pub(crate) struct Refusals {
    pub(crate) count: u64,
    pub(crate) driver: [u8; abi::D2D_NAME_SIZE as usize],
    pub(crate) detail: [u8; abi::D2D_DETAIL_SIZE as usize],
}

impl Refusals {
    /// None yet.
    pub(crate) fn new() -> impl PinInit<SpinLockIrq<Self>> {
        let none = Self {
            count: 0,
            driver: [0; abi::D2D_NAME_SIZE as usize],
            detail: [0; abi::D2D_DETAIL_SIZE as usize],
        };
        new_spinlock_irq!(none, "d2d_refusals")
    }

    /// Notes one. What is too long is cut off.
    pub(crate) fn note(&mut self, told: &Told) {
        self.count += 1;
        for (to, from) in [
            (&mut self.driver[..], told.driver.bytes()),
            (&mut self.detail[..], told.detail.bytes()),
        ] {
            to.fill(0);
            let length = from.len().min(to.len());
            to[..length].copy_from_slice(&from[..length]);
        }
    }
}
