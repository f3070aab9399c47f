// SPDX-License-Identifier: GPL-2.0

//! The driver of a torture peer. Its control device takes these commands:
//!
//! - `run RUN SEED ACTIONS ALLOWED`: makes the run with number RUN; see [`Run`]
//! - `drain`: takes all items, as the only consumer
//! - `follow`: the peer's side of the owner's `lead`
//! - `race NOW RACES ALLOWED TOGETHER`: see [`RequestTraffic::race`]. TOGETHER is 1 if both sides begin each race
//!   together
//! - `settle`: stops sending requests
//! - `uncounted NOW`: sends requests that may be on their way when the peer is unloaded, and does not report counts
//! - `forward-to NAME`: forwards requests to the driver NAME from now on
//! - `event ...`: see [`event_commands`](crate::event_commands)
//!
//! Bit n of ALLOWED allows the execution context `Place::ALL[n]`. NOW is a number that grows with time.

use crate::{
    command::Words,
    event_commands::{
        CommandedDriver,
        OpenEvents, //
    },
    event_traffic::EventTraffic,
    item::{
        Checker,
        Taken, //
    },
    request_traffic::{
        self,
        Meeting,
        RequestTraffic, //
    },
    run::{
        self,
        Run, //
    },
    tally::{
        Direction,
        Tally, //
    },
    PeerOps,
    TorturePair,
    COOKIE,
    UNLOADED, //
};
use core::marker::PhantomData;
use d2d::{
    device::Settings,
    driver::{
        Driver,
        DriverRef,
        Offer, //
    },
    event::{
        Event,
        Kind, //
    },
    job::{
        Thread,
        Timer,
        TimerContext,
        Work,
        WorkContext, //
    },
    link::PeerLink,
    packet::Completed,
    request::{
        Disposition,
        Request,
        RequestId, //
    }, //
};
use kernel::{
    prelude::*,
    str::CString,
    sync::atomic::{
        ordering::{
            Acquire,
            Release, //
        },
        Atomic, //
    },
    time::{
        delay::{
            fsleep,
            udelay, //
        },
        Delta, //
    },
    uaccess::UserSliceReader,
    ModuleMetadata, //
};

const OWNER: &CStr = c"torture_owner";

const ALIVE: u64 = 0x600d_600d_600d_600d;

/// The peer in module `M`. With `PENDS`, it pends its handshake, and its dispatch routine may sleep.
pub struct TorturePeer<M, const PENDS: bool> {
    /// [`ALIVE`] until the peer is dropped.
    alive: Atomic<u64>,
    events: Pin<KBox<OpenEvents>>,
    requests: RequestTraffic,
    _module: PhantomData<fn(M)>,
}

impl<M: ModuleMetadata + 'static, const PENDS: bool> TorturePeer<M, PENDS> {
    /// Calls `operation`. Fails with [`UNLOADED`] if the peer is dropped before `operation` has ended.
    fn alive<R>(&self, operation: impl FnOnce() -> Result<R>) -> Result<R> {
        let check = || match self.alive.load(Acquire) {
            ALIVE => Ok(()),
            _ => Err(UNLOADED),
        };
        check()?;
        let result = operation();
        check()?;
        result
    }
}

impl<M, const PENDS: bool> Drop for TorturePeer<M, PENDS> {
    /// The peer has detached. If one of its operations runs nevertheless, the sleep gives it time to fail with
    /// [`UNLOADED`].
    fn drop(&mut self) {
        self.alive.store(0, Release);
        fsleep(Delta::from_micros(200));
    }
}

impl<M: ModuleMetadata + 'static, const PENDS: bool> Driver for TorturePeer<M, PENDS> {
    type Pair = TorturePair;
    type Resources = ();

    const CONTROL: Option<Settings> = Some(Settings::new(M::NAME));

    fn new() -> Result<Self> {
        Ok(Self {
            alive: Atomic::new(ALIVE),
            events: OpenEvents::new()?,
            requests: RequestTraffic::new()?,
            _module: PhantomData,
        })
    }

    fn start(_driver: DriverRef<Self>) -> impl PinInit<(), Error> {
        Ok(())
    }

    fn control(driver: &DriverRef<Self>, reader: &mut UserSliceReader) -> Result {
        let mut buffer = [0; 512];
        let mut words = Words::read(reader, &mut buffer)?;
        let link = driver.settled_link()?;
        let event_traffic = || {
            EventTraffic::open(link.context(), |name, kind, set| {
                driver.create_event(name, kind, set)
            })
        };
        let tally = match words.word() {
            "run" => {
                let mut run = Run::new(link, words.number()?, words.number()?, event_traffic()?)?;
                run.go(link, words.number()?, words.number()?)?;
                run.finish::<PeerLink<TorturePair>>()
            }
            "drain" => drain(link)?,
            "follow" => event_traffic()?.follow()?,
            "event" => return driver.events.command(&mut words, driver),
            "race" => {
                let (route, now) = (route(driver, link, false)?, words.number()?);
                let (races, allowed) = (words.number()?, words.number()?);
                let sender = driver.sender();
                let open = || {
                    Meeting::open(link.context().id(), false, |name, kind, set| {
                        driver.create_event(name, kind, set)
                    })
                };
                let meeting = (words.number()? != 0).then(open).transpose()?;
                let meeting = meeting.as_ref();
                driver
                    .requests
                    .race(&sender, route, now, races, allowed, false, meeting)?;
                driver.requests.take_counts()
            }
            "settle" => {
                driver.requests.stop();
                driver.requests.take_counts()
            }
            "uncounted" => {
                let route = route(driver, link, true)?;
                return driver
                    .requests
                    .start(&driver.sender(), route, words.number()?);
            }
            "forward-to" => {
                let name = CString::try_from_fmt(fmt!("{}", words.word()))?;
                driver
                    .requests
                    .set_forward_to(driver.sender().lookup(&name)?);
                return Ok(());
            }
            _ => return Err(EINVAL),
        };
        for (count, value) in tally.iter() {
            link.owner().report(count as u32, value)?;
        }
        Ok(())
    }

    fn data(&self) -> [u64; 1] {
        [COOKIE]
    }

    const DISPATCH_ATOMIC: bool = !PENDS;

    fn dispatch<'a>(&self, request: Request<'a>) -> Disposition<'a> {
        self.requests.dispatch(request)
    }

    fn completed(&self, completed: Completed) {
        self.requests.completed(completed);
    }

    fn cancelled(&self, id: RequestId) {
        self.requests.cancelled(id);
    }

    fn share<'a>(&self, offer: Offer<'a, Self>) -> Disposition<'a> {
        match PENDS {
            true => offer.pend(),
            false => offer.accept(),
        }
    }
}

impl<M: ModuleMetadata + 'static, const PENDS: bool> CommandedDriver
    for DriverRef<TorturePeer<M, PENDS>>
{
    fn name(&self) -> &'static CStr {
        M::NAME
    }

    fn create(&self, name: &CStr, kind: Kind, set: bool) -> Result<Event> {
        self.create_event(name, kind, set)
    }

    fn open(&self, name: &CStr, kind: Kind) -> Result<Event> {
        self.open_event(name, kind)
    }

    fn work(
        &self,
        context: WorkContext,
        routine: impl Fn() + Send + Sync + 'static,
    ) -> Result<Work> {
        self.work(context, move |_, _| routine())
    }

    fn timer(
        &self,
        context: TimerContext,
        routine: impl Fn() + Send + Sync + 'static,
    ) -> Result<Timer> {
        self.timer(context, move |_, _| routine())
    }

    fn thread(&self, routine: impl Fn() + Send + Sync + 'static) -> Result<Thread> {
        self.thread(c"event_handler", move |_, _| routine())
    }

    type Side = PeerLink<TorturePair>;

    fn side(&self) -> Result<&Self::Side> {
        self.link().ok_or(ENOTCONN)
    }
}

/// Returns the route to the owner, which does not unregister before the peer.
fn route<M: ModuleMetadata + 'static, const PENDS: bool>(
    driver: &DriverRef<TorturePeer<M, PENDS>>,
    link: &PeerLink<TorturePair>,
    uncounted: bool,
) -> Result<request_traffic::Route> {
    Ok(request_traffic::Route {
        to: driver.sender().lookup(OWNER)?,
        context: link.context().id(),
        unregisters: false,
        uncounted,
    })
}

fn drain(link: &PeerLink<TorturePair>) -> Result<Tally> {
    let next = link.owner().next()?;
    let mut checker = Checker::sole(link.context().id(), Direction::ToPeer, next);
    checker.take_all(&link.incoming());
    let mut tally = Tally::default();
    tally.add_taken(Direction::ToPeer, checker.taken());
    Ok(tally)
}

#[vtable]
impl<M: ModuleMetadata + 'static, const PENDS: bool> PeerOps for TorturePeer<M, PENDS> {
    #[cfg(not(d2d_lacks_vtable_module))]
    type OwnerModule = M;

    /// Takes longer for some values, so that some calls run when the peer is unloaded.
    fn call(&self, link: &PeerLink<TorturePair>, value: u64, hops: u32) -> Result<u64> {
        self.alive(|| {
            if value % 64 == 0 {
                udelay(Delta::from_micros(100));
            }
            run::call_for(link, value, hops)
        })
    }

    fn put(&self, link: &PeerLink<TorturePair>, run: u32, from: u64, count: u32) -> Result<u32> {
        self.alive(|| run::put_for(link, run, from, count))
    }

    fn take(&self, link: &PeerLink<TorturePair>, max: u32) -> Result<Taken> {
        self.alive(|| run::take_for(link, max))
    }

    fn redeem(&self, link: &PeerLink<TorturePair>, handle: u64) -> Result<Taken> {
        self.alive(|| run::redeem_for(link, handle))
    }
}
