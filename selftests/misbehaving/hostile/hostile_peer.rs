// SPDX-License-Identifier: GPL-2.0

//! Test: a driver that misuses the library in each way that safe code can. No misuse may cause undefined behaviour,
//! which the sanitizer kernel would report.
//!
//! Writing a number to `/dev/hostile_peer` runs one group of misuses; see `control`. The write fails if the library
//! accepts what it must refuse.

#![forbid(unsafe_code)]

use core::mem::forget;
use d2d::{
    control,
    control_code::ControlCode,
    debugfs::Directory,
    device::Settings,
    driver::{
        Driver,
        DriverRef,
        Offer, //
    },
    event::{
        Event,
        Kind,
        Wait, //
    },
    job::{
        Thread,
        Timer,
        TimerContext,
        Work,
        WorkContext, //
    },
    leaving,
    link::{
        Pair,
        PeerLink, //
    },
    packet::{
        CallError,
        Completed,
        Ended,
        Outcome,
        Packet,
        Sender,
        Sleep,
        Target, //
    },
    queue::ItemHandle,
    refuse,
    request::{
        Disposition,
        Pended,
        Request,
        RequestId, //
    },
    run_in::{
        run_in,
        Place, //
    },
    rundown::Rundown,
    trace,
};
use d2d_pair::{
    DemoPair,
    Note,
    PeerData,
    PeerOps, //
    PEND,
};
use kernel::{
    module::this_module,
    prelude::*,
    sync::{
        new_spinlock_irq,
        SetOnce,
        SpinLockIrq, //
    },
    time::Delta,
    uaccess::UserSliceReader,
    Module, //
};

d2d::module_peer! {
    type: Hostile,
    owner: module_a,
    name: "hostile_peer",
    authors: ["Beyond IRPs"],
    description: "Test: a driver that misuses the library in safe code",
    license: "GPL",
    imports_ns: ["D2D"],
}

/// If the input n is not 0, the receiver sends itself this request with n - 1, and waits for it. The output is n.
const AGAIN: ControlCode<u32, u32> = ControlCode::new(0x901);
/// The receiver completes this request with the information and the status of the input, which may be invalid.
const INVALID: ControlCode<[u64; 2], ()> = ControlCode::new(0x902);
/// The receiver pends this request, and leaks the `Pended` of the previous one.
const FORGET: ControlCode<(), ()> = ControlCode::new(0x903);
/// The sender's completion routine sends this request again, as often as the request's tag says.
const ROUND: ControlCode<(), ()> = ControlCode::new(0x904);

const DEPTH: u32 = 3;

/// What the driver uses after it has unregistered.
struct Kept {
    sender: Sender,
    target: Target,
    packet: Packet,
    event: Event,
    pended: Option<Pended<()>>,
}

struct Hostile {
    kept: Pin<KBox<SpinLockIrq<Option<Kept>>>>,
    jobs: SetOnce<(Timer, Work, Thread)>,
}

/// The library drops this value after it has unregistered the driver.
impl Drop for Hostile {
    fn drop(&mut self) {
        try_closed_jobs(&self.jobs);
        let Some(kept) = self.kept.lock().take() else {
            return;
        };
        let _ = kept.event.set();
        let _ = kept.event.wait(Wait::NOT);
        let _ = kept.sender.packet(8, 8);
        let _ = kept.sender.lookup(c"hostile_peer");
        let sent = kept.packet.send(&kept.target, FORGET, &(), Sleep::Cannot);
        forget(sent.map(drop));
        drop(kept.pended);
    }
}

/// Its `drop` leaks objects. The library drops this value before it detaches the driver.
struct Resources(DriverRef<Hostile>);

impl Drop for Resources {
    fn drop(&mut self) {
        if let Some(link) = self.0.link() {
            forget(link.incoming().take_batch(u32::MAX));
            let _ = link.outgoing().put::<Note>(0, &0);
        }
        forget(
            self.0
                .create_event(c"hostile_peer.jobs", Kind::Notification, true),
        );
        forget(self.0.sender().packet(0, 0));
    }
}

/// The routine of a job owns this value. The library drops the routine after it has closed the driver's jobs, and
/// must then refuse to start or make jobs.
struct Captured(DriverRef<Hostile>);

impl Drop for Captured {
    fn drop(&mut self) {
        try_closed_jobs(&self.0.jobs);
        let made = self.0.timer(TimerContext::HardIrq, |_, _| {});
        let made_thread = self.0.thread(c"%s%n", |_, _| {});
        if made.err() != Some(ESHUTDOWN) || made_thread.err() != Some(ESHUTDOWN) {
            pr_err!("hostile_peer has made a job after its jobs were closed\n");
        }
    }
}

fn try_closed_jobs(jobs: &SetOnce<(Timer, Work, Thread)>) {
    let Some((timer, work, thread)) = jobs.as_ref() else {
        return;
    };
    for place in Place::ALL {
        let started = run_in(place, || {
            timer.cancel();
            work.cancel();
            thread.cancel();
            timer.start(Delta::ZERO).is_ok()
                || timer.start_every(Delta::from_nanos(i64::MAX)).is_ok()
                || work.start().is_ok()
                || work.start_after(Delta::ZERO).is_ok()
                || thread.start().is_ok()
                || !thread.is_stopping()
        });
        if started != Ok(false) {
            pr_err!("hostile_peer has started a job after its jobs were closed\n");
        }
    }
}

/// Too long for a line of the trace
const NEWLINES: &[u8; 384] = &[b'\n'; 384];

fn expect(is: bool) -> Result {
    is.then_some(()).ok_or(EBADMSG)
}

impl Hostile {
    fn target(sender: &Sender) -> Result<Target> {
        sender.lookup(c"hostile_peer")
    }

    /// Leaks a value of each type whose `drop` matters.
    fn leak_all(driver: &DriverRef<Self>, link: &PeerLink<DemoPair>) -> Result {
        let sender = driver.sender();
        let owner = sender.lookup(c"module_a")?;
        forget(link.incoming().take());
        let _ = link.incoming().take_handle();
        forget(sender.packet(16, 16)?);
        let held = sender.packet_for(PEND)?;
        forget(
            held.send(&owner, PEND, &0x4057, Sleep::May)
                .map_err(|refused| refused.error)?,
        );
        let own = sender.packet_for(FORGET)?;
        forget(
            own.send(&Self::target(&sender)?, FORGET, &(), Sleep::May)
                .map_err(|r| r.error)?,
        );
        forget(driver.create_event(c"hostile_peer.forgotten", Kind::Synchronization, true)?);
        Ok(())
    }

    /// Uses made-up handles, stale handles, bad names of events, and bad lists of events.
    fn make_up(driver: &DriverRef<Self>, link: &PeerLink<DemoPair>) -> Result {
        for number in [0, 1, !0, 1 << 32, (1 << 32) | 1, !0 << 32, 0x8000_0000] {
            expect(
                link.incoming()
                    .redeem(ItemHandle::from_raw(number))
                    .is_err(),
            )?;
            expect(
                link.outgoing()
                    .redeem(ItemHandle::from_raw(number))
                    .is_err(),
            )?;
        }
        let handle = link.incoming().take_handle();
        if let Some(number) = handle.map(ItemHandle::into_raw) {
            expect(
                link.outgoing()
                    .redeem(ItemHandle::from_raw(number))
                    .is_err(),
            )?;
            drop(link.incoming().redeem(ItemHandle::from_raw(number))?);
            expect(
                link.incoming()
                    .redeem(ItemHandle::from_raw(number))
                    .is_err(),
            )?;
        }
        let packet = driver.sender().packet_for(FORGET)?;
        let to = Self::target(&driver.sender())?;
        let cancel = packet
            .send_with_routine(&to, FORGET, &(), Sleep::Cannot, 0)
            .map_err(|refused| refused.error)?;
        cancel.cancel()?;
        expect(cancel.cancel().is_err())?;
        for name in [c"", c".", c"..", c"a/b", c"\x01", c"\xff"] {
            expect(
                driver
                    .create_event(name, Kind::Notification, false)
                    .is_err(),
            )?;
        }
        let event = driver.create_event(c"hostile_peer.one", Kind::Notification, false)?;
        expect(Event::wait_any(&[], Wait::NOT) == Err(EINVAL))?;
        expect(Event::wait_all(&[&event, &event], Wait::NOT) == Err(EINVAL))
    }

    fn reenter(driver: &DriverRef<Self>) -> Result {
        let sender = driver.sender();
        let to = Self::target(&sender)?;
        let mut packet = sender.packet_for(AGAIN)?;
        expect(packet.call(&to, AGAIN, &DEPTH, None)? == DEPTH)?;
        for place in Place::ALL {
            let packet = sender.packet_for(ROUND)?;
            run_in(place, || {
                packet
                    .send_with_routine(&to, ROUND, &(), Sleep::Cannot, 3)
                    .map_err(|refused| refused.error)
            })??;
        }
        let mut packet = sender.packet_for(INVALID)?;
        for (information, status) in [
            (0, 0),
            (!0, EINPROGRESS.to_errno()),
            (1, EIOCBQUEUED.to_errno()),
        ] {
            let input = [information, i64::from(status) as u64];
            let result = packet.call(&to, INVALID, &input, None);
            let expected = match status {
                0 => Ok(()),
                _ => Err(CallError::Ended(Ended::Completed, EIO)),
            };
            expect(result == expected)?;
        }
        Ok(())
    }

    /// Calls `leaving::note_begun`, by which the library notes that a driver leaves, and goes on using the driver.
    fn claim_to_leave(driver: &DriverRef<Self>) -> Result {
        let packet = driver.sender().packet(8, 8)?;
        let event = driver.create_event(c"hostile_peer.left", Kind::Notification, false)?;
        leaving::note_begun();
        drop(packet);
        drop(event);
        let event = driver.open_event(c"hostile_peer.left", Kind::Notification)?;
        expect(!event.set()?)
    }

    /// Uses the library in closures that the library runs under the lock of the context's data.
    fn nest(driver: &DriverRef<Self>, link: &PeerLink<DemoPair>) -> Result {
        let event = driver.create_event(c"hostile_peer.nest", Kind::Notification, false)?;
        for place in Place::ALL {
            run_in(place, || {
                link.context().with_owner_data(|_| {
                    link.set_doorbell(Some(&event));
                    let outer = link.incoming().take_batch(2);
                    let inner = link.incoming().take_batch(2);
                    drop(outer);
                    link.outgoing().put::<Note>(0, &1)?;
                    drop(inner);
                    event.set()?;
                    event.wait(Wait::NOT)?;
                    trace!(op_call, to: "owner", op: "nothing");
                    link.set_doorbell(None);
                    Ok::<_, Error>(())
                })
            })??;
        }
        run_in(Place::Worker, || run_in(Place::HardIrq, || put_note(link)))???;
        let text = core::str::from_utf8(NEWLINES)?;
        trace!(op_call, to: "owner", op: text, n: u64::MAX);
        trace!(
            op_call, n: 1, n: 2, n: 3, n: 4, n: 5, n: 6, n: 7, n: 8, n: 9, n: 10, n: 11, n: 12
        );
        refuse!(c"hostile_peer", text, EINVAL, name: "two words\0");
        Ok(())
    }

    /// These jobs start each other and themselves until the driver leaves.
    fn start_jobs(driver: &DriverRef<Self>) -> Result {
        let captured = Captured(driver.clone());
        let timer = driver.timer(TimerContext::HardIrq, move |driver, _timer| {
            let _ = &captured;
            if let Some((_, work, thread)) = driver.jobs.as_ref() {
                let _ = (work.start(), thread.start());
            }
        })?;
        let captured = Captured(driver.clone());
        let work = driver.work(WorkContext::Worker, move |driver, work| {
            let _ = &captured;
            let _ = work.start_after(Delta::from_nanos(i64::MIN));
            if let Some((timer, ..)) = driver.jobs.as_ref() {
                timer.cancel();
                let _ = timer.start(Delta::from_nanos(i64::MIN));
            }
        })?;
        let captured = Captured(driver.clone());
        let thread = driver.thread(c"hostile%s%n\n", move |driver, thread| {
            let _ = &captured;
            let _ = (thread.start(), thread.cancel(), thread.start());
            if let Some((timer, work, _)) = driver.jobs.as_ref() {
                let _ = (timer.start(Delta::ZERO), work.start());
            }
            if thread.is_stopping() && driver.thread(c"", |_, _| {}).is_ok() {
                pr_err!("hostile_peer has made a thread after its jobs were closed\n");
            }
        })?;
        expect(
            driver
                .jobs
                .populate((timer.clone(), work.clone(), thread.clone())),
        )?;
        for place in Place::ALL {
            run_in(place, || {
                let _kept = driver.kept.lock();
                timer.start(Delta::from_nanos(i64::MIN))?;
                expect(work.start_after(Delta::from_nanos(i64::MAX)) == Err(EINVAL))?;
                work.start_after(Work::LONGEST)?;
                thread.start()?;
                work.start()
            })??;
        }
        Ok(())
    }

    /// Does what only the library needs to do. The library must refuse to initialize a loaded module.
    fn imitate() -> Result {
        expect(<PeerModule as Module>::init(this_module::<PeerModule>()).err() == Some(EEXIST))?;
        let directory = Directory::of_module(c"module_a")?;
        drop(Directory::within(&directory, c"../state")?);
        drop(directory);
        let rundown = KBox::pin_init(Rundown::new(), GFP_KERNEL)?;
        expect(rundown.enter().is_none() && rundown.close().is_none())?;
        rundown.open(1)?;
        expect(rundown.open(2) == Err(EBUSY))?;
        for place in Place::ALL {
            run_in(place, || {
                let outer = rundown.enter();
                let inner = rundown.enter();
                drop(outer);
                drop(inner);
            })?;
        }
        expect(rundown.close() == Some(1))
    }
}

fn put_note(link: &PeerLink<DemoPair>) -> Result {
    link.outgoing().put::<Note>(0, &2)
}

impl Driver for Hostile {
    type Pair = DemoPair;
    type Resources = Resources;

    const CONTROL: Option<Settings> = Some(Settings::new(c"hostile_peer"));

    /// The library must refuse to run `init` inside `init`.
    fn new() -> Result<Self> {
        expect(<PeerModule as Module>::init(this_module::<PeerModule>()).err() == Some(EEXIST))?;
        let kept = KBox::pin_init(new_spinlock_irq!(None, "hostile_peer::kept"), GFP_KERNEL)?;
        Ok(Self {
            kept,
            jobs: SetOnce::new(),
        })
    }

    fn start(driver: DriverRef<Self>) -> impl PinInit<Resources, Error> {
        let keep = || -> Result<Resources> {
            let sender = driver.sender();
            let kept = Kept {
                sender,
                target: Self::target(&sender)?,
                packet: sender.packet_for(FORGET)?,
                event: driver.create_event(c"hostile_peer.kept", Kind::Notification, false)?,
                pended: None,
            };
            *driver.kept.lock() = Some(kept);
            Ok(Resources(driver))
        };
        keep()
    }

    fn control(driver: &DriverRef<Self>, reader: &mut UserSliceReader) -> Result {
        let link = driver.settled_link()?;
        match control::read_number(reader)? {
            1 => Self::make_up(driver, link),
            2 => Self::leak_all(driver, link),
            3 => Self::reenter(driver),
            4 => Self::nest(driver, link),
            5 => Self::imitate(),
            6 => Self::claim_to_leave(driver),
            7 => Self::start_jobs(driver),
            _ => Err(EINVAL),
        }
    }

    fn data(&self) -> <DemoPair as Pair>::PeerData {
        PeerData {
            cookie: !0,
            deferred: !0,
            reserved: !0,
        }
    }

    fn share<'a>(&self, offer: Offer<'a, Self>) -> Disposition<'a> {
        offer.pend()
    }

    fn dispatch<'a>(&self, request: Request<'a>) -> Disposition<'a> {
        let sender = request.sender();
        request
            .on(AGAIN, |depth, request| {
                let answer = match depth.checked_sub(1) {
                    None => Ok(0),
                    Some(less) => Self::target(&sender).and_then(|to| {
                        let mut packet = sender.packet_for(AGAIN)?;
                        Ok(packet.call(&to, AGAIN, &less, None)?.wrapping_add(1))
                    }),
                };
                match answer {
                    Ok(depth) => request.complete(&depth),
                    Err(error) => request.fail(error),
                }
            })
            .on(INVALID, |[information, status], request| {
                let status = status as i32;
                request.into_request().complete_as(Outcome {
                    result: kernel::error::to_result(status),
                    ended: Ended::Left,
                    information,
                })
            })
            .on(FORGET, |(), request| {
                let (disposition, pended) = request.pend();
                if let Some(kept) = &mut *self.kept.lock() {
                    forget(kept.pended.replace(pended));
                }
                disposition
            })
            .on(ROUND, |(), request| request.complete(&()))
            .or_unknown()
    }

    fn completed(&self, completed: Completed) {
        let tag = completed.tag();
        let target = self.kept.lock().as_ref().map(|kept| kept.target);
        let (Some(left), Some(to)) = (tag.checked_sub(1), target) else {
            return;
        };
        let packet = completed.into_packet();
        forget(packet.send_with_routine(&to, ROUND, &(), Sleep::Cannot, left));
    }

    fn cancelled(&self, _id: RequestId) {}
}

#[vtable]
impl PeerOps for Hostile {
    fn ping(&self, link: &PeerLink<DemoPair>, value: u32) -> Result<u32> {
        link.owner().ping(value)
    }

    /// A lie: this type does not implement `bounce`.
    const HAS_BOUNCE: bool = true;
}
