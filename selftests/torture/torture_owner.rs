// SPDX-License-Identifier: GPL-2.0

//! The owner of the torture. Its control device takes these commands:
//!
//! - `run CONTEXT RUN SEED ACTIONS ALLOWED`: makes the run with number RUN; see [`Run`]
//! - `fill CONTEXT RUN COUNT`: puts COUNT items of the run RUN
//! - `lead CONTEXT TIMES`: see [`EventTraffic::lead`]
//! - `stop CONTEXT`: ends the peer's command `follow`
//! - `race CONTEXT NOW RACES ALLOWED UNREGISTERS TOGETHER`: see [`RequestTraffic::race`]. UNREGISTERS is 1 if the
//!   peer may be unloaded during the races
//! - `settle`: stops sending requests in all contexts
//! - `check`: takes the remaining items, and compares the counts. Allowed once, after all other commands
//! - `event CONTEXT ...`: see [`torture::event_commands`]
//!
//! [`torture::peer`] explains ALLOWED, NOW and TOGETHER.

#![forbid(unsafe_code)]

use d2d::{
    device::Settings,
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
    link::OwnerLink,
    packet::Completed,
    queue::Counters,
    request::{
        Disposition,
        Request,
        RequestId, //
    }, //
};
use d2d_owner::{
    create_event,
    open_event,
    Config,
    Contexts,
    Owner, //
};
use kernel::{
    prelude::*,
    sync::{
        Arc,
        SetOnce, //
    },
    uaccess::UserSliceReader,
    ModuleMetadata, //
};
use torture::{
    command::Words,
    event_commands::{
        CommandedDriver,
        OpenEvents, //
    },
    event_traffic::EventTraffic,
    mix,
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
        Count,
        Direction,
        Flow,
        HasIndex,
        SharedCounts,
        NAMES, //
    },
    Checker,
    OwnerOps,
    Taken,
    TorturePair,
    COOKIE, //
};

d2d_owner::module_owner! {
    type: TortureOwner,
    name: "torture_owner",
    authors: ["Beyond IRPs"],
    description: "Test: an owner that makes traffic in its contexts",
    license: "GPL",
    params: {
        contexts: u32 {
            default: 4,
            description: "Number of contexts",
        },
        capacity: u32 {
            default: 64,
            description: "Number of items that each of a context's two queues can hold",
        },
        completion: u32 {
            default: 0,
            description: "How the owner learns that a peer has completed the handshake. 0: by the return of the peer's dispatch routine; if the handshake is pending then, the owner waits. 1: by the owner's completion routine. 2: the owner always waits",
        },
    },
}

const ITEM_SIZE: u32 = 64;

/// The time limit of a handshake, in milliseconds. No traffic delays a handshake that long.
const TIMEOUT: u32 = 60_000;

/// What the owner has for each context.
struct TortureOwner {
    shared_counts: SharedCounts,
    events: Pin<KBox<OpenEvents>>,
    requests: RequestTraffic,
    event_traffic: SetOnce<EventTraffic>,
}

impl Owner for TortureOwner {
    type Pair = TorturePair;
    type State = ();

    const CONTROL: Option<Settings> = Some(Settings::new(c"torture_owner"));

    fn config() -> Result<Config> {
        Config::new(
            OwnerModule::NAME,
            module_parameters::contexts.value(),
            module_parameters::capacity.value(),
            ITEM_SIZE,
            module_parameters::completion.value(),
            TIMEOUT,
        )
    }

    fn state(_config: &Config) -> impl PinInit<(), Error> {
        Ok::<_, Error>(())
    }

    fn new(_state: &Arc<()>, _id: u32) -> Result<Self> {
        Ok(Self {
            shared_counts: SharedCounts::default(),
            events: OpenEvents::new()?,
            requests: RequestTraffic::new()?,
            event_traffic: SetOnce::new(),
        })
    }

    fn data(_config: &Config) {}

    fn control(contexts: &Contexts<'_, Self>, reader: &mut UserSliceReader) -> Result {
        let mut buffer = [0; 512];
        let mut words = Words::read(reader, &mut buffer)?;
        let verb = words.word();
        if verb == "check" {
            return check(contexts);
        }
        if verb == "settle" {
            settle(contexts);
            return Ok(());
        }
        let (owner, link) = contexts.get(words.number()?).ok_or(ENXIO)?;
        let run = match verb {
            "run" => {
                let mut run =
                    Run::new(link, words.number()?, words.number()?, event_traffic(link)?)?;
                run.go(link, words.number()?, words.number()?)?;
                run
            }
            "fill" => {
                let mut run = Run::new(link, words.number()?, 0, event_traffic(link)?)?;
                run.fill(link, words.number()?);
                run
            }
            "lead" => {
                let tally = event_traffic(link)?.lead(words.number()?)?;
                owner.shared_counts.add_all(&tally);
                return Ok(());
            }
            "stop" => return event_traffic(link)?.stop(),
            "race" => {
                let now = words.number()?;
                let (races, allowed) = (words.number()?, words.number()?);
                let unregisters = words.number()? != 0;
                let open = || Meeting::open(link.context().id(), true, create_event);
                let meeting = (words.number()? != 0).then(open).transpose()?;
                let Some(route) = owner.route(contexts, link, unregisters) else {
                    return Ok(());
                };
                let (sender, meeting) = (contexts.sender(), meeting.as_ref());
                return owner
                    .requests
                    .race(&sender, route, now, races, allowed, true, meeting);
            }
            "event" => return owner.events.command(&mut words, &OwnerSide(contexts, link)),
            _ => return Err(EINVAL),
        };
        owner
            .shared_counts
            .add_all(&run.finish::<OwnerLink<TorturePair>>());
        Ok(())
    }

    const DISPATCH_ATOMIC: bool = true;

    fn dispatch<'a>(contexts: &Contexts<'_, Self>, request: Request<'a>) -> Disposition<'a> {
        request_traffic::dispatch(request, |context| {
            contexts.get(context).map(|(owner, _)| &owner.requests)
        })
    }

    fn completed(contexts: &Contexts<'_, Self>, completed: Completed) {
        if let Some((owner, _)) = contexts.get(request_traffic::context_of(completed.tag())) {
            owner.requests.completed(completed);
        }
    }

    fn cancelled(contexts: &Contexts<'_, Self>, id: RequestId) {
        for (owner, _) in contexts.iter() {
            owner.requests.cancelled(id);
        }
    }

    fn attached(&self, link: &OwnerLink<TorturePair>) {
        self.count(Count::Attached, 1);
        // Keep the context's events open, so that `check` finds all tokens.
        if self.event_traffic.as_ref().is_none() {
            match event_traffic(link) {
                Ok(event_traffic) => drop(self.event_traffic.populate(event_traffic)),
                Err(_) => self.count(Count::WrongErrors, 1),
            }
        }
        let cookie = link.context().with_peer_data(|[cookie]| *cookie);
        self.count(Count::WrongValues, (cookie != COOKIE).into());
    }

    fn detached(&self, link: &OwnerLink<TorturePair>) {
        self.count(Count::LateCalls, link.peer().is_ok().into());
    }
}

#[vtable]
impl OwnerOps for TortureOwner {
    fn call(&self, link: &OwnerLink<TorturePair>, value: u64, hops: u32) -> Result<u64> {
        run::call_for(link, value, hops)
    }

    fn put(&self, link: &OwnerLink<TorturePair>, run: u32, from: u64, count: u32) -> Result<u32> {
        run::put_for(link, run, from, count)
    }

    fn take(&self, link: &OwnerLink<TorturePair>, max: u32) -> Result<Taken> {
        run::take_for(link, max)
    }

    fn redeem(&self, link: &OwnerLink<TorturePair>, handle: u64) -> Result<Taken> {
        run::redeem_for(link, handle)
    }

    fn report(&self, _link: &OwnerLink<TorturePair>, count: u32, value: u64) -> Result<u32> {
        self.shared_counts.add(count as usize, value).map(|()| 0)
    }

    fn next(&self, _link: &OwnerLink<TorturePair>) -> Result<u64> {
        Ok(self.shared_counts.get((Direction::ToPeer, Flow::Taken)))
    }
}

impl TortureOwner {
    fn route(
        &self,
        contexts: &Contexts<'_, Self>,
        link: &OwnerLink<TorturePair>,
        unregisters: bool,
    ) -> Option<request_traffic::Route> {
        let peer = contexts.peer(link);
        self.count(Count::Shutdowns, peer.is_none().into());
        peer.map(|peer| request_traffic::Route {
            to: *peer.target(),
            context: link.context().id(),
            unregisters,
            uncounted: false,
        })
    }

    fn count(&self, count: Count, value: u64) {
        // Cannot fail: `index` returns a valid number.
        let _ = self.shared_counts.add(count.index(), value);
    }

    fn expect(&self, link: &OwnerLink<TorturePair>, what: &str, got: u64, expected: u64) {
        if got != expected {
            self.count(Count::SumMismatches, 1);
            let context = link.context().id();
            pr_err!("torture: ctx=c{context} {what}: {got} expected={expected}\n");
        }
    }

    /// Empties the queue, fills it once to check that its pool has lost no item, and compares its counters with the
    /// counts.
    fn balance(&self, link: &OwnerLink<TorturePair>, direction: Direction) {
        let queue = run::queue(link.context(), direction);
        let next = self.shared_counts.get((direction, Flow::Taken));
        let mut checker = Checker::sole(link.context().id(), direction, next);
        checker.take_all(&queue);
        let room = module_parameters::capacity.value();
        let mut tally = run::refill(link.context(), direction, room);
        self.expect(link, "room", queue.counters().depth.into(), room.into());
        checker.take_all(&queue);
        tally.add_taken(direction, checker.taken());
        self.shared_counts.add_all(&tally);

        let Counters {
            depth,
            put,
            taken,
            refused,
            stale,
            ..
        } = queue.counters();
        let counted = |flow| self.shared_counts.get((direction, flow));
        self.expect(link, "depth", depth.into(), 0);
        self.expect(link, "put", put, counted(Flow::Put));
        self.expect(link, "taken", taken, counted(Flow::Taken));
        self.expect(link, "all taken", taken, put);
        self.expect(link, "refused", refused, counted(Flow::Refused));
        self.expect(link, "stale", stale, counted(Flow::Stale));
        let checksums_put = counted(Flow::ChecksumsPut);
        self.expect(
            link,
            "checksums",
            counted(Flow::ChecksumsTaken),
            checksums_put,
        );
        // The queue numbers its items from 0 on.
        let sequence = (0..put).fold(0u64, |sum, number| sum.wrapping_add(mix(number)));
        self.expect(link, "sequence", counted(Flow::Sequence), sequence);
    }
}

fn event_traffic(link: &OwnerLink<TorturePair>) -> Result<EventTraffic> {
    EventTraffic::open(link.context(), create_event)
}

struct OwnerSide<'a>(&'a Contexts<'a, TortureOwner>, &'a OwnerLink<TorturePair>);

impl CommandedDriver for OwnerSide<'_> {
    fn name(&self) -> &'static CStr {
        OwnerModule::NAME
    }

    fn create(&self, name: &CStr, kind: Kind, set: bool) -> Result<Event> {
        create_event(name, kind, set)
    }

    fn open(&self, name: &CStr, kind: Kind) -> Result<Event> {
        open_event(name, kind)
    }

    fn work(
        &self,
        context: WorkContext,
        routine: impl Fn() + Send + Sync + 'static,
    ) -> Result<Work> {
        self.0.work(context, move |_, _| routine())
    }

    fn timer(
        &self,
        context: TimerContext,
        routine: impl Fn() + Send + Sync + 'static,
    ) -> Result<Timer> {
        self.0.timer(context, move |_, _| routine())
    }

    fn thread(&self, routine: impl Fn() + Send + Sync + 'static) -> Result<Thread> {
        self.0.thread(c"event_handler", move |_, _| routine())
    }

    type Side = OwnerLink<TorturePair>;

    fn side(&self) -> Result<&Self::Side> {
        Ok(self.1)
    }
}

fn settle(contexts: &Contexts<'_, TortureOwner>) {
    for (owner, _) in contexts.iter() {
        owner.requests.stop();
    }
}

fn check(contexts: &Contexts<'_, TortureOwner>) -> Result {
    let mut put = 0u64;
    let mut refused = 0u64;
    let mut sums = [0u64; NAMES.len()];
    settle(contexts);
    for (owner, link) in contexts.iter() {
        owner.requests.clear();
        owner.shared_counts.add_all(&owner.requests.take_counts());
        for direction in Direction::ALL {
            owner.balance(link, direction);
            put = put.wrapping_add(owner.shared_counts.get((direction, Flow::Put)));
            refused = refused.wrapping_add(owner.shared_counts.get((direction, Flow::Refused)));
        }
        let [updates, _] = link.context().with_shared(|shared| *shared);
        let expected = owner.shared_counts.get(Count::Updates);
        owner.expect(link, "updates", updates, expected);
        if let Some(event_traffic) = owner.event_traffic.as_ref() {
            owner.count(Count::TokensTaken, event_traffic.take_all());
        }
        let taken = owner.shared_counts.get(Count::TokensTaken);
        owner.expect(
            link,
            "tokens",
            taken,
            owner.shared_counts.get(Count::Tokens),
        );
        for (sum, count) in sums.iter_mut().zip(owner.shared_counts.counts()) {
            *sum = sum.wrapping_add(count);
        }
    }
    pr_info!("torture: {}\n", Totals { put, refused, sums });
    if sums[Count::OutcomeUnknown as usize] != 0 {
        // The receiver may have counted an output that the sender has not got.
        sums[Count::OutputMismatch as usize] = 0;
    }
    let wrong = &sums[Count::Torn as usize..];
    if wrong.iter().any(|count| *count != 0) {
        return Err(EUCLEAN);
    }
    Ok(())
}

struct Totals {
    put: u64,
    refused: u64,
    sums: [u64; NAMES.len()],
}

impl kernel::fmt::Display for Totals {
    fn fmt(&self, f: &mut kernel::fmt::Formatter<'_>) -> kernel::fmt::Result {
        write!(f, "put={} refused={}", self.put, self.refused)?;
        for (name, sum) in NAMES.iter().zip(self.sums) {
            write!(f, " {name}={sum}")?;
        }
        Ok(())
    }
}
