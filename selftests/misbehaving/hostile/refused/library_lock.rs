// SPDX-License-Identifier: GPL-2.0

//! Must not compile: a driver that uses `IrqLock`, the spinlock of the library's own data. While a driver has a
//! `LocalInterruptDisabled`, interrupts must stay disabled. But dropping the guard of an `IrqLock` would enable them.
// error: [E0603]: module `lock` is private
// error: [E0433]: failed to resolve: could not find `new_irq_lock` in `d2d`

#![forbid(unsafe_code)]

use d2d::lock::IrqLock;
use kernel::{
    interrupt::local_interrupt_disable,
    prelude::*, //
};

fn enable_interrupts() -> Result {
    let lock: Pin<KBox<IrqLock<u32>>> =
        KBox::pin_init(d2d::new_irq_lock!(0u32, "hostile"), GFP_KERNEL)?;
    let guard = lock.lock();
    let token = local_interrupt_disable();
    drop(guard);
    drop(token);
    Ok(())
}
