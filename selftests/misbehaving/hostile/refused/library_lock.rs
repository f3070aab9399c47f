// SPDX-License-Identifier: GPL-2.0

//! Must not compile: a driver that uses the library's `IrqLock`. Dropping its guard enables interrupts, in spite of the
//! driver's `LocalInterruptDisabled`.
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
