// SPDX-License-Identifier: GPL-2.0

//! The time limit of handshakes that nobody waits for.
//!
//! If the owner learns of completion by its completion routine, the sender of a handshake does not
//! wait for a driver that leaves it pending. A timer ends such a handshake when its time is over. The
//! server has one timer for all of them: while a handshake is limited the timer is set, and each time
//! that it goes off it looks through the [registry](crate::registry::Registry::overdue).

use crate::{
    registry::Handshake,
    server::Server, //
};
use d2d::abi::d2d_handle;
use kernel::{
    bindings,
    container_of,
    sync::{
        Arc,
        ArcBorrow, //
    },
    time::{
        msecs_to_jiffies,
        Delta,
        Instant,
        Msecs, //
    },
    workqueue::{
        impl_has_delayed_work,
        HasWork,
        Queue,
        Work,
        WorkItem, //
    }, //
};

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Server { self.timer }
}

impl WorkItem for Server {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        if let Some(ms) = this.end_overdue() {
            set(this, ms);
        }
    }
}

/// Sets the timer, unless it is being [stopped](stop). It is not set yet. Any context.
fn set(server: Arc<Server>, ms: Msecs) {
    // SAFETY: The work queue is a C global that always exists.
    let queue = unsafe { Queue::from_raw(bindings::system_dfl_wq) };
    let _ = queue.enqueue_delayed(server, msecs_to_jiffies(ms));
}

/// Gives the driver of a handshake as much time from now on as the owner's configuration says. Any
/// context.
pub(crate) fn limit(server: ArcBorrow<'_, Server>, driver: d2d_handle, handshake: Handshake) {
    let ms = server.config().timeout;
    let due = Instant::now() + Delta::from_millis(ms.into());
    if server.registry().limit(driver, handshake, due) {
        set(server.into(), ms);
    }
}

/// Stops the timer, and waits for its work if that is running. The caller has made sure that no
/// handshake is limited any more. May sleep.
pub(crate) fn stop(server: &Arc<Server>) {
    let this = Arc::as_ptr(server);
    // SAFETY: `this` is a server, which is initialized.
    let work = unsafe { Work::raw_get(<Server as HasWork<_>>::raw_get_work(this.cast_mut())) };
    // SAFETY: The work item is that of a `DelayedWork`, by `impl_has_delayed_work!`.
    let timer = unsafe { container_of!(work, bindings::delayed_work, work) };
    // SAFETY: The timer is initialized, and its server lives during the call.
    if unsafe { bindings::cancel_delayed_work_sync(timer) } {
        // SAFETY: The timer was set, with a reference that `enqueue_delayed` took by
        // `Arc::into_raw`. Its work, which would have taken the reference, will not run.
        drop(unsafe { Arc::from_raw(this) });
    }
}
