// SPDX-License-Identifier: GPL-2.0

//! The time limit of handshakes that nobody waits for.
//!
//! A driver may pend the request of its handshake. If the owner learns of completion by its
//! completion routine, no thread waits for this driver. A timer ends such a handshake when its time
//! limit ends. The server has one timer for all handshakes. The timer is set while a handshake has
//! a time limit. Each time that the timer expires, its work item looks for overdue handshakes in
//! the [registry](crate::registry::Registry::overdue).

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

/// Sets the timer, which is not set yet. Does nothing if the timer is being [stopped](stop). Any context.
fn set(server: Arc<Server>, ms: Msecs) {
    // SAFETY: `system_dfl_wq` is created at boot and never freed.
    let queue = unsafe { Queue::from_raw(bindings::system_dfl_wq) };
    let _ = queue.enqueue_delayed(server, msecs_to_jiffies(ms));
}

/// Begins the time limit of a handshake. The limit ends after the timeout of the owner's
/// configuration. Any context.
pub(crate) fn limit(server: ArcBorrow<'_, Server>, driver: d2d_handle, handshake: Handshake) {
    let ms = server.config.timeout;
    let due = Instant::now() + Delta::from_millis(ms.into());
    if server.registry.limit(driver, handshake, due) {
        set(server.into(), ms);
    }
}

/// Stops the timer, and waits for its work if that is running. The caller has made sure that no
/// handshake has a time limit any more. May sleep.
pub(crate) fn stop(server: &Arc<Server>) {
    let this = Arc::as_ptr(server);
    // SAFETY: `this` points to an initialized server.
    let work = unsafe { Work::raw_get(<Server as HasWork<_>>::raw_get_work(this.cast_mut())) };
    // SAFETY: By `impl_has_delayed_work!`, the work item is in a `DelayedWork`.
    let timer = unsafe { container_of!(work, bindings::delayed_work, work) };
    // SAFETY: The timer is initialized, and the caller's reference keeps its server during the
    // call.
    if unsafe { bindings::cancel_delayed_work_sync(timer) } {
        // SAFETY: `enqueue_delayed` has set the timer with a reference from `Arc::into_raw`. The
        // work, which would have taken the reference back, will not run.
        drop(unsafe { Arc::from_raw(this) });
    }
}
