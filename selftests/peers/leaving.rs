// SPDX-License-Identifier: GPL-2.0

//! Test: an owner that has work under way when it leaves.
//!
//! While it is loaded it sends itself two requests and starts a work item:
//!
//! - the dispatch routine of the first request waits for the event `leaving.served`, in a worker of
//!   the library,
//! - the second request stays pending,
//! - the work item waits for the event `leaving.item`.
//!
//! No wait has a limit. With `hook=1` the owner ends all three in [`Owner::leaving`]; with `hook=0` it
//! leaves that to the library. With `hold=1` it does none of that: its loading waits for a signal, and
//! fails then.

#![forbid(unsafe_code)]

use d2d::{
    abi,
    event::{
        Event,
        Kind,
        Wait, //
    },
    link::OwnerLink,
    packet::{
        Sent,
        Sleep, //
    },
    request::{
        ControlCode,
        Disposition,
        Pended,
        Request, //
    },
    trace, //
};
use d2d_owner::{
    create_event,
    Config,
    Contexts,
    Owner, //
};
use d2d_pair::{
    DemoPair,
    OwnerOps,
    KIND_NOTE, //
};
use kernel::{
    prelude::*,
    sync::{
        new_mutex,
        Arc,
        Completion,
        Mutex, //
    },
    workqueue,
    ModuleMetadata, //
};

d2d_owner::module_owner! {
    type: LeavingOwner,
    name: "leaving_owner",
    authors: ["Beyond IRPs"],
    description: "Test: an owner that has work under way when it leaves",
    license: "GPL",
    params: {
        hook: u32 {
            default: 0,
            description: "Who ends what is under way: 0 the library, 1 the owner's hook",
        },
        fail: u32 {
            default: 0,
            description: "Loading fails when all is under way: 0 no, 1 yes",
        },
        hold: u32 {
            default: 0,
            description: "Loading waits for a signal, and fails then: 0 no, 1 yes",
        },
    },
}

/// Waits for `leaving.served`.
const SERVE: ControlCode<(), u64> = ControlCode::new(0x8e0);
/// Stays pending.
const KEEP: ControlCode<(), u64> = ControlCode::new(0x8e1);

/// What the hook completes [`KEEP`] with.
const KEPT: u64 = 7;

/// What the work item waits for, and how far it is.
#[pin_data]
struct Item {
    event: Event,
    #[pin]
    begun: Completion,
    #[pin]
    ended: Completion,
}

impl Item {
    /// Starts it.
    fn start() -> Result<Arc<Self>> {
        let item = Arc::pin_init(
            try_pin_init!(Self {
                event: create_event(c"leaving.item", Kind::Synchronization, false)?,
                begun <- Completion::new(),
                ended <- Completion::new(),
            }),
            GFP_KERNEL,
        )?;
        let this = item.clone();
        workqueue::system_long().try_spawn(GFP_KERNEL, move || {
            this.begun.complete_all();
            let waited = this.event.wait(Wait::FOREVER);
            trace!(EventWait, "by=item status={}", status(waited));
            // The kernel crate cannot wait for a work item. The few instructions after this are
            // over before the grace periods of the exit are.
            this.ended.complete_all();
        })?;
        Ok(item)
    }
}

/// What is under way.
struct UnderWay {
    served: Arc<Event>,
    item: Arc<Item>,
    serving: Option<Sent<u64>>,
    keeping: Option<Sent<u64>>,
    kept: Option<Pended<u64>>,
}

#[pin_data]
struct Inner {
    #[pin]
    way: Mutex<Option<UnderWay>>,
    /// [`SERVE`] is being dispatched.
    #[pin]
    serving: Completion,
    /// [`KEEP`] is pended.
    #[pin]
    kept: Completion,
}

/// The owner.
struct LeavingOwner(Pin<KBox<Inner>>);

impl LeavingOwner {
    /// Ends all that is under way, by what works as long as the owner has not left.
    fn end(&self, contexts: &Contexts<'_, Self>) -> Result {
        let mut guard = self.0.way.lock();
        let way = (*guard).as_mut().ok_or(ENODATA)?;
        let (serving, keeping) = (way.serving.take(), way.keeping.take());
        let (served, item, kept) = (way.served.clone(), way.item.clone(), way.kept.take());
        drop(guard);

        for (_, link) in contexts.iter() {
            link.outgoing().put(KIND_NOTE, &1)?;
        }
        contexts.sender().lookup(OwnerModule::NAME)?;
        served.set()?;
        item.event.set()?;
        item.ended.wait_for_completion();
        kept.ok_or(ENODATA)?.complete(&KEPT)?;
        let serving = serving.ok_or(ENODATA)?.wait(None)?.output::<u64>()?;
        let keeping = keeping.ok_or(ENODATA)?.wait(None)?.output::<u64>()?;
        trace!(
            Completion,
            "via=hook serving={} keeping={}",
            serving,
            keeping
        );
        Ok(())
    }
}

impl Owner for LeavingOwner {
    type Pair = DemoPair;

    fn config() -> Result<Config> {
        Config::new(OwnerModule::NAME, 1, 16, 64, 0, 5000)
    }

    fn new(_id: u32) -> Result<Self> {
        let inner = pin_init!(Inner {
            way <- new_mutex!(None, "leaving_owner::way"),
            serving <- Completion::new(),
            kept <- Completion::new(),
        });
        Ok(Self(KBox::pin_init(inner, GFP_KERNEL)?))
    }

    fn ready(contexts: &Contexts<'_, Self>) -> Result {
        if module_parameters::hold.value() != 0 {
            let held = create_event(c"leaving.held", Kind::Notification, false)?;
            return held.wait(Wait::FOREVER.interruptible());
        }
        let (this, _) = contexts.get(0).ok_or(ENODEV)?;
        let served = create_event(c"leaving.served", Kind::Notification, false)?;
        let served = Arc::new(served, GFP_KERNEL)?;
        let (sender, item) = (contexts.sender(), Item::start()?);
        // If anything fails from here on, `leaving` and the drop find the work item.
        *this.0.way.lock() = Some(UnderWay {
            served,
            item: item.clone(),
            serving: None,
            keeping: None,
            kept: None,
        });
        let to = sender.lookup(OwnerModule::NAME)?;
        let send = |code| {
            let packet = sender.packet_for(code)?;
            let sent = packet.send(&to, code, &(), Sleep::Cannot);
            sent.map_err(|refused| refused.error)
        };
        let (serving, keeping) = (send(SERVE)?, send(KEEP)?);
        if let Some(way) = &mut *this.0.way.lock() {
            (way.serving, way.keeping) = (Some(serving), Some(keeping));
        }
        // The hook completes it.
        this.0.kept.wait_for_completion();
        if module_parameters::fail.value() == 0 {
            return Ok(());
        }
        item.begun.wait_for_completion();
        this.0.serving.wait_for_completion();
        Err(EIO)
    }

    fn leaving(contexts: &Contexts<'_, Self>) {
        if module_parameters::hook.value() == 0 {
            return;
        }
        let Some((this, _)) = contexts.get(0) else {
            return;
        };
        if let Err(error) = this.end(contexts) {
            trace!(Completion, "via=hook errno={}", error.to_errno());
        }
    }

    fn data(config: &Config) -> abi::d2d_pair_owner_data {
        abi::d2d_pair_owner_data {
            queue_capacity: config.capacity(),
            item_size: config.item_size(),
        }
    }

    /// May sleep, so that a worker calls it for a sender that cannot.
    fn dispatch<'a>(contexts: &Contexts<'_, Self>, request: Request<'a>) -> Disposition<'a> {
        let Some((this, _)) = contexts.get(0) else {
            return request.fail(ENODEV);
        };
        request
            .on(SERVE, |(), request| {
                let served = this.0.way.lock().as_ref().map(|way| way.served.clone());
                this.0.serving.complete_all();
                let waited = served.map_or(Err(ENODATA), |event| event.wait(Wait::FOREVER));
                trace!(EventWait, "by=dispatch status={}", status(waited));
                match waited {
                    Ok(()) => request.complete(&0),
                    Err(error) => request.fail(error),
                }
            })
            .on(KEEP, |(), request| {
                let (disposition, request) = request.pend();
                let before = match &mut *this.0.way.lock() {
                    Some(way) => way.kept.replace(request),
                    None => Some(request),
                };
                drop(before);
                this.0.kept.complete_all();
                disposition
            })
            .or_unknown()
    }

    fn attached(&self, _link: &OwnerLink<DemoPair>) {}

    fn detached(&self, _link: &OwnerLink<DemoPair>) {}
}

impl Drop for LeavingOwner {
    /// Waits for the work item. Its own wait has ended by now; otherwise this would not return.
    fn drop(&mut self) {
        if let Some(way) = &*self.0.way.lock() {
            way.item.ended.wait_for_completion();
        }
    }
}

#[vtable]
impl OwnerOps for LeavingOwner {
    fn ping(&self, _link: &OwnerLink<DemoPair>, value: u32) -> Result<u32> {
        Ok(value.wrapping_add(1))
    }
}

fn status(result: Result) -> i32 {
    result.map_or_else(Error::to_errno, |()| 0)
}
