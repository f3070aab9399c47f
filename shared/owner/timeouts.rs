// SPDX-License-Identifier: GPL-2.0

//! The time limit of handshakes that nobody waits for.
//!
//! If the owner learns of completion by its completion routine, the sender of a handshake does not
//! wait for a driver that leaves it pending. A timer takes such a handshake back when its time is
//! over. The server has one timer for all of them: while a handshake is limited the timer is set,
//! and each time that it goes off it looks through the table of [`Offers`](crate::offers::Offers).

use crate::{
    offers::{
        Offer,
        Overdue, //
    },
    server::{
        Owner,
        Server, //
    }, //
};
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
    impl{O: Owner} HasDelayedWork<Self> for Server<O> { self.timer }
}

impl<O: Owner> WorkItem for Server<O> {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        loop {
            match this.offers().overdue(Instant::now()) {
                Overdue::Claimed(claim) => this.time_out(claim),
                Overdue::In(left) => {
                    // It is less than the timeout, which is a number of milliseconds.
                    let ms = Msecs::try_from(left.as_millis_ceil()).unwrap_or(Msecs::MAX);
                    return set(this, ms);
                }
                Overdue::Nothing => return,
            }
        }
    }
}

/// Sets the timer, unless it is being [stopped](stop). It is not set yet. Any context.
fn set<O: Owner>(server: Arc<Server<O>>, ms: Msecs) {
    // SAFETY: The work queue is a C global that always exists.
    let queue = unsafe { Queue::from_raw(bindings::system_dfl_wq) };
    let _ = queue.enqueue_delayed(server, msecs_to_jiffies(ms));
}

/// Gives the driver of a handshake as much time from now on as the owner's configuration says. Any
/// context.
pub(crate) fn limit<O: Owner>(server: ArcBorrow<'_, Server<O>>, request: &Offer) {
    let ms = server.config().timeout;
    let due = Instant::now() + Delta::from_millis(ms.into());
    if server.offers().limit(request, due) {
        set(server.into(), ms);
    }
}

/// Stops the timer, and waits for its work if that is running. The caller has made sure that no
/// handshake is limited any more. May sleep.
pub(crate) fn stop<O: Owner>(server: &Arc<Server<O>>) {
    let this = Arc::as_ptr(server);
    // SAFETY: `this` is a server, which is initialized.
    let work = unsafe { Work::raw_get(<Server<O> as HasWork<_>>::raw_get_work(this.cast_mut())) };
    // SAFETY: The work item is that of a `DelayedWork`, by `impl_has_delayed_work!`.
    let timer = unsafe { container_of!(work, bindings::delayed_work, work) };
    // SAFETY: The timer is initialized, and its server lives during the call.
    if unsafe { bindings::cancel_delayed_work_sync(timer) } {
        // SAFETY: The timer was set, with a reference that `enqueue_delayed` took by
        // `Arc::into_raw`. Its work, which would have taken the reference, will not run.
        drop(unsafe { Arc::from_raw(this) });
    }
}
