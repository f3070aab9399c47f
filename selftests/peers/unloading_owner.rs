// SPDX-License-Identifier: GPL-2.0

//! Test: an owner that is unloaded while it is busy. [`Owner::ready`] sends two requests from the owner to itself, and
//! starts a job:
//!
//! - for the first request, the dispatch routine waits in a worker of the library for the event `unloading.served`,
//! - the second request stays pending,
//! - the job waits for the event `unloading.job`.
//!
//! With `hook=1` the owner ends the waits and the request in [`Owner::leaving`]; with `hook=0` the library must end
//! them. With some values of `job`, the owner also starts *further* jobs, which do not wait. The library must stop
//! these jobs with either value of `hook`.

#![forbid(unsafe_code)]

use core::mem::forget;
use d2d::{
    control_code::ControlCode,
    event::{
        Event,
        Kind,
        Wait, //
    },
    job::{
        TimerContext,
        WorkContext, //
    },
    link::OwnerLink,
    packet::{
        Sent,
        Sleep, //
    },
    request::{
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
    OwnerData,
    OwnerOps,
    NOTE, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            ordering::Relaxed,
            Atomic, //
        },
        new_mutex,
        Arc,
        Completion,
        Mutex, //
    },
    time::Delta,
    ModuleMetadata, //
};

d2d_owner::module_owner! {
    type: UnloadingOwner,
    name: "unloading_owner",
    authors: ["Beyond IRPs"],
    description: "Test: an owner that has work in progress when it is unloaded",
    license: "GPL",
    params: {
        hook: u32 {
            default: 0,
            description: "What ends the two waits and the pending request when the module is unloaded. 0: the library. 1: the owner's hook `leaving`",
        },
        fail: u32 {
            default: 0,
            description: "1: loading fails once the two waits and the pending request are in progress",
        },
        job: u32 {
            default: 0,
            description: "The jobs. 0: a work item that waits. 1: a thread that waits. 2: as 0, and delayed work. 3: as 0, and bottom-half work. 4: as 0, and a timer in softirq. 5: as 0, and the further jobs of 2, 3 and 4, leaked",
        },
        wait: u32 {
            default: 0,
            description: "1: the owner's function `ready` waits until a signal interrupts the wait, and loading then fails",
        },
    },
}

// Values of `job`
const THREAD: u32 = 1;
const DELAYED: u32 = 2;
const BOTTOM_HALF: u32 = 3;
const SOFT_TIMER: u32 = 4;
const LEAKED: u32 = 5;

/// The dispatch routine waits for the event `unloading.served`, and then completes this request.
const SERVE: ControlCode<(), u64> = ControlCode::new(0x8e0);
/// The dispatch routine pends this request. Only the hook completes it.
const PEND: ControlCode<(), u64> = ControlCode::new(0x8e1);

/// The output of the request [`PEND`].
const PENDED: u64 = 7;

/// The job that waits for the event `unloading.job`.
#[pin_data]
struct Job {
    event: Event,
    #[pin]
    begun: Completion,
    #[pin]
    ended: Completion,
}

impl Job {
    fn start(contexts: &Contexts<'_, UnloadingOwner>) -> Result<Arc<Self>> {
        let job = Arc::pin_init(
            try_pin_init!(Self {
                event: create_event(c"unloading.job", Kind::Synchronization, false)?,
                begun <- Completion::new(),
                ended <- Completion::new(),
            }),
            GFP_KERNEL,
        )?;
        let this = job.clone();
        let routine = move || {
            this.begun.complete_all();
            let waited = this.event.wait(Wait::FOREVER);
            trace!(event_wait, by: "job", status: status(waited));
            this.ended.complete_all();
        };
        match module_parameters::job.value() {
            THREAD => contexts
                .thread(c"unloading_thread", move |_, _| routine())?
                .start()?,
            _ => contexts
                .work(WorkContext::Worker, move |_, _| routine())?
                .start()?,
        }
        Ok(job)
    }
}

/// Counts the runs of a further job. The library drops this value with the job's routine; `drop` traces the count.
struct Runs {
    job: &'static str,
    count: Atomic<u32>,
    begun: Arc<Completion>,
}

impl Runs {
    fn new(job: &'static str) -> Result<Self> {
        Ok(Self {
            job,
            count: Atomic::new(0),
            begun: Arc::pin_init(Completion::new(), GFP_KERNEL)?,
        })
    }

    fn count(&self) {
        self.count.fetch_add(1, Relaxed);
        self.begun.complete_all();
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        trace!(completion, via: self.job, n: self.count.load(Relaxed));
    }
}

/// Starts further jobs, and waits until the bottom-half work and the timer have run once. The delayed work is due so
/// late that it never runs.
fn start_further(contexts: &Contexts<'_, UnloadingOwner>) -> Result {
    let wanted = module_parameters::job.value();
    if [DELAYED, LEAKED].contains(&wanted) {
        let runs = Runs::new("delayed")?;
        let work = contexts.work(WorkContext::Worker, move |_, _| runs.count())?;
        work.start_after(Delta::from_secs(3600))?;
        leak_if(wanted, work);
    }
    if [BOTTOM_HALF, LEAKED].contains(&wanted) {
        let runs = Runs::new("bottom-half")?;
        let begun = runs.begun.clone();
        let work = contexts.work(WorkContext::SoftIrq, move |_, work| {
            runs.count();
            let _ = work.start();
        })?;
        work.start()?;
        begun.wait_for_completion();
        leak_if(wanted, work);
    }
    if [SOFT_TIMER, LEAKED].contains(&wanted) {
        let runs = Runs::new("timer")?;
        let begun = runs.begun.clone();
        let timer = contexts.timer(TimerContext::SoftIrq, move |_, _| runs.count())?;
        timer.start_every(Delta::from_millis(1))?;
        begun.wait_for_completion();
        leak_if(wanted, timer);
    }
    Ok(())
}

fn leak_if<J>(wanted: u32, job: J) {
    if wanted == LEAKED {
        forget(job);
    }
}

struct InProgress {
    serve_event: Arc<Event>,
    job: Arc<Job>,
    sent_serve: Option<Sent<u64>>,
    sent_pend: Option<Sent<u64>>,
    held_pend: Option<Pended<u64>>,
}

#[pin_data]
struct Inner {
    #[pin]
    in_progress: Mutex<Option<InProgress>>,
    #[pin]
    serve_received: Completion,
    #[pin]
    pend_is_pending: Completion,
}

struct UnloadingOwner(Pin<KBox<Inner>>);

impl UnloadingOwner {
    /// Ends the two waits and the pending request. The owner's queues, requests and events must work until the hook
    /// has returned.
    fn end(&self, contexts: &Contexts<'_, Self>) -> Result {
        let mut guard = self.0.in_progress.lock();
        let in_progress = (*guard).as_mut().ok_or(ENODATA)?;
        let (sent_serve, sent_pend) = (in_progress.sent_serve.take(), in_progress.sent_pend.take());
        let (serve_event, job, held_pend) = (
            in_progress.serve_event.clone(),
            in_progress.job.clone(),
            in_progress.held_pend.take(),
        );
        drop(guard);

        for (_, link) in contexts.iter() {
            NOTE.put(&link.outgoing(), &1)?;
        }
        contexts.sender().lookup(OwnerModule::NAME)?;
        serve_event.set()?;
        job.event.set()?;
        job.ended.wait_for_completion();
        held_pend.ok_or(ENODATA)?.complete(&PENDED)?;
        let serving = sent_serve.ok_or(ENODATA)?.wait(None)?.output::<u64>()?;
        let pending = sent_pend.ok_or(ENODATA)?.wait(None)?.output::<u64>()?;
        trace!(completion, via: "hook", serving: serving, pending: pending);
        Ok(())
    }
}

impl Owner for UnloadingOwner {
    type Pair = DemoPair;
    type State = ();

    fn config() -> Result<Config> {
        Config::new(OwnerModule::NAME, 1, 16, 64, 0, 5000)
    }

    fn state(_config: &Config) -> impl PinInit<(), Error> {
        Ok::<_, Error>(())
    }

    fn new(_state: &Arc<()>, _id: u32) -> Result<Self> {
        let inner = pin_init!(Inner {
            in_progress <- new_mutex!(None, "unloading_owner::in_progress"),
            serve_received <- Completion::new(),
            pend_is_pending <- Completion::new(),
        });
        Ok(Self(KBox::pin_init(inner, GFP_KERNEL)?))
    }

    fn ready(contexts: &Contexts<'_, Self>) -> Result {
        if module_parameters::wait.value() != 0 {
            let event = create_event(c"unloading.event", Kind::Notification, false)?;
            return event.wait(Wait::FOREVER.interruptible());
        }
        let (this, _) = contexts.get(0).ok_or(ENODEV)?;
        let serve_event = create_event(c"unloading.served", Kind::Notification, false)?;
        let serve_event = Arc::new(serve_event, GFP_KERNEL)?;
        let (sender, job) = (contexts.sender(), Job::start(contexts)?);
        // Store the job first: if a later step fails, `leaving` must find it.
        *this.0.in_progress.lock() = Some(InProgress {
            serve_event,
            job: job.clone(),
            sent_serve: None,
            sent_pend: None,
            held_pend: None,
        });
        start_further(contexts)?;
        let to = sender.lookup(OwnerModule::NAME)?;
        let send = |code| {
            let packet = sender.packet_for(code)?;
            let sent = packet.send(&to, code, &(), Sleep::Cannot);
            sent.map_err(|refused| refused.error)
        };
        let (sent_serve, sent_pend) = (send(SERVE)?, send(PEND)?);
        if let Some(in_progress) = &mut *this.0.in_progress.lock() {
            (in_progress.sent_serve, in_progress.sent_pend) = (Some(sent_serve), Some(sent_pend));
        }
        // `leaving` must be able to complete `PEND`.
        this.0.pend_is_pending.wait_for_completion();
        if module_parameters::fail.value() == 0 {
            return Ok(());
        }
        job.begun.wait_for_completion();
        this.0.serve_received.wait_for_completion();
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
            trace!(completion, via: "hook", errno: error.to_errno());
        }
    }

    fn data(config: &Config) -> OwnerData {
        OwnerData {
            queue_capacity: config.capacity(),
            item_size: config.item_size(),
        }
    }

    fn dispatch<'a>(contexts: &Contexts<'_, Self>, request: Request<'a>) -> Disposition<'a> {
        let Some((this, _)) = contexts.get(0) else {
            return request.fail(ENODEV);
        };
        request
            .on(SERVE, |(), request| {
                let serve_event = this
                    .0
                    .in_progress
                    .lock()
                    .as_ref()
                    .map(|in_progress| in_progress.serve_event.clone());
                this.0.serve_received.complete_all();
                let waited = serve_event.map_or(Err(ENODATA), |event| event.wait(Wait::FOREVER));
                trace!(event_wait, by: "dispatch", status: status(waited));
                match waited {
                    Ok(()) => request.complete(&0),
                    Err(error) => request.fail(error),
                }
            })
            .on(PEND, |(), request| {
                let (disposition, request) = request.pend();
                let before = match &mut *this.0.in_progress.lock() {
                    Some(in_progress) => in_progress.held_pend.replace(request),
                    None => Some(request),
                };
                drop(before);
                this.0.pend_is_pending.complete_all();
                disposition
            })
            .or_unknown()
    }

    fn attached(&self, _link: &OwnerLink<DemoPair>) {}

    fn detached(&self, _link: &OwnerLink<DemoPair>) {}
}

#[vtable]
impl OwnerOps for UnloadingOwner {
    fn ping(&self, _link: &OwnerLink<DemoPair>, value: u32) -> Result<u32> {
        Ok(value.wrapping_add(1))
    }
}

fn status(result: Result) -> i32 {
    result.map_or_else(Error::to_errno, |()| 0)
}
