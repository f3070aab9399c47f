// SPDX-License-Identifier: GPL-2.0

//! Rundown protection, with and without a thread inside.

use super::*;
use kernel::{
    bindings,
    new_work,
    sync::{
        Arc,
        Completion,
        SetOnce, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    workqueue::{
        self,
        impl_has_work,
        Work,
        WorkItem, //
    }, //
};

fn queue() -> &'static workqueue::Queue {
    // SAFETY: `system_percpu_wq` is initialized at boot and never freed.
    unsafe { workqueue::Queue::from_raw(bindings::system_percpu_wq) }
}

fn rundown() -> Result<Pin<KBox<Rundown<u32>>>> {
    KBox::pin_init(Rundown::new(), GFP_KERNEL)
}

fn is_open_with(rundown: &Rundown<u32>, value: u32) -> bool {
    rundown.enter().is_some_and(|entered| *entered == value)
}

/// A rundown that one work item, the closer, closes. First, the closer queues another work item, the onlooker, on the
/// same workqueue and CPU. Usually the workqueue starts the onlooker when the closer sleeps or has ended: then `close`
/// waits or has returned. On a loaded machine, it may start the onlooker earlier. So `begin` also checks that `close`
/// has begun.
#[pin_data]
struct Closing {
    #[pin]
    rundown: Rundown<u32>,
    #[pin]
    closer: Work<Self, 1>,
    #[pin]
    onlooker: Work<Self, 2>,
    returned: SetOnce<Option<u32>>,
    #[pin]
    seen: Completion,
    #[pin]
    closed: Completion,
}

impl_has_work! {
    impl HasWork<Self, 1> for Closing { self.closer }
    impl HasWork<Self, 2> for Closing { self.onlooker }
}

impl Closing {
    fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                rundown <- Rundown::new(),
                closer <- new_work!("d2d_kunit::closer"),
                onlooker <- new_work!("d2d_kunit::onlooker"),
                returned: SetOnce::new(),
                seen <- Completion::new(),
                closed <- Completion::new(),
            }),
            GFP_KERNEL,
        )
    }

    /// Queues the closer, and returns when `close` waits or has returned.
    fn begin(this: &Arc<Self>) {
        // Cannot fail: each test queues the closer once.
        let _ = queue().enqueue::<Arc<Self>, 1>(this.clone());
        this.seen.wait_for_completion();
        while this.rundown.enter().is_some() {
            fsleep(Delta::from_millis(1));
        }
    }
}

impl WorkItem<1> for Closing {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        // Cannot fail: the closer runs once.
        let _ = queue().enqueue::<Arc<Self>, 2>(this.clone());
        this.returned.populate(this.rundown.close());
        this.closed.complete_all();
    }
}

impl WorkItem<2> for Closing {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.seen.complete_all();
    }
}

#[kunit_tests(d2d_rundown)]
mod cases {
    use super::*;

    #[test]
    fn a_closed_rundown_cannot_be_entered() -> Result {
        let rundown = rundown()?;
        assert!(rundown.enter().is_none());
        assert_eq!(rundown.close(), None);
        Ok(())
    }

    #[test]
    fn an_open_rundown_can_be_entered() -> Result {
        let rundown = rundown()?;
        rundown.open(5)?;
        assert!(is_open_with(&rundown, 5));
        assert!(is_open_with(&rundown, 5));
        Ok(())
    }

    #[test]
    fn an_open_rundown_is_not_opened_again() -> Result {
        let rundown = rundown()?;
        rundown.open(5)?;
        assert_eq!(rundown.open(6), Err(EBUSY));
        assert!(is_open_with(&rundown, 5));
        Ok(())
    }

    #[test]
    fn closing_returns_the_value_once() -> Result {
        let rundown = rundown()?;
        rundown.open(5)?;
        assert_eq!(rundown.close(), Some(5));
        assert_eq!(rundown.close(), None);
        assert!(rundown.enter().is_none());
        Ok(())
    }

    #[test]
    fn a_closed_rundown_can_be_opened_again() -> Result {
        let rundown = rundown()?;
        for value in 0..3 {
            rundown.open(value)?;
            assert!(is_open_with(&rundown, value));
            assert_eq!(rundown.close(), Some(value));
        }
        Ok(())
    }

    #[test]
    fn a_thread_inside_can_enter_again() -> Result {
        let rundown = rundown()?;
        rundown.open(5)?;
        let outer = rundown.enter().ok_or(ENOENT)?;
        let inner = rundown.enter().ok_or(ENOENT)?;
        let sum = *outer + *inner;
        drop(outer);
        let left = *inner;
        drop(inner);
        assert_eq!((sum, left), (10, 5));
        assert_eq!(rundown.close(), Some(5));
        Ok(())
    }

    #[test]
    fn closing_waits_for_a_thread_inside() -> Result {
        let closing = Closing::new()?;
        closing.rundown.open(5)?;
        let entered = closing.rundown.enter().ok_or(ENOENT)?;
        Closing::begin(&closing);
        let returned = closing.returned.copy();
        let value = *entered;
        let entered_again = closing.rundown.enter().is_some();
        let opened_again = closing.rundown.open(6);
        drop(entered);
        closing.closed.wait_for_completion();
        assert_eq!(returned, None);
        assert_eq!(value, 5);
        assert!(!entered_again);
        assert_eq!(opened_again, Err(EBUSY));
        assert_eq!(closing.returned.copy(), Some(Some(5)));
        assert_eq!(closing.rundown.open(7), Ok(()));
        assert!(is_open_with(&closing.rundown, 7));
        Ok(())
    }

    #[test]
    fn closing_waits_for_each_entry_of_a_thread() -> Result {
        let closing = Closing::new()?;
        closing.rundown.open(5)?;
        let outer = closing.rundown.enter().ok_or(ENOENT)?;
        let inner = closing.rundown.enter().ok_or(ENOENT)?;
        drop(outer);
        Closing::begin(&closing);
        let returned = closing.returned.copy();
        drop(inner);
        closing.closed.wait_for_completion();
        assert_eq!(returned, None);
        assert_eq!(closing.returned.copy(), Some(Some(5)));
        Ok(())
    }

    #[test]
    fn only_one_of_two_closing_threads_gets_the_value() -> Result {
        let closing = Closing::new()?;
        closing.rundown.open(5)?;
        let entered = closing.rundown.enter().ok_or(ENOENT)?;
        Closing::begin(&closing);
        drop(entered);
        let second = closing.rundown.close();
        closing.closed.wait_for_completion();
        assert_eq!(second, None);
        assert_eq!(closing.returned.copy(), Some(Some(5)));
        Ok(())
    }
}
