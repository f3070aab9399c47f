// SPDX-License-Identifier: GPL-2.0

//! Test: the middle of a chain of three modules. It is a peer of module_a, and the owner of a second pair, which has
//! the same declaration. In this file, module_a is *above* the middle, and the peers of the second pair are *below*
//! it.
//!
//! The middle passes on calls and items in both directions. It forwards the request [`ADD`](upper::ADD) to module_a
//! as a request of its own, and serves the other requests itself. While no peer is attached below, it answers
//! module_a's calls itself.

#![forbid(unsafe_code)]

use d2d::{
    control::Commands,
    device::Settings,
    link::{
        OwnerLink,
        PeerCall, //
    },
    queue::Queue,
    request::{
        Disposition,
        Request,
        RequestId, //
    }, //
};
use d2d_owner::{
    create_event_of,
    Config,
    Contexts,
    Handle as OwnerHandle,
    Owner, //
};
use d2d_pair as lower;
use d2d_pair_peer as upper;
use d2d_peer::{
    driver::{
        Driver,
        Handle, //
    },
    event::{
        Kind,
        Wait, //
    },
    link::PeerLink,
    packet::{
        Packet,
        Sleep,
        Target, //
    }, //
};
use kernel::{
    prelude::*,
    sync::{
        new_spinlock_irq,
        Arc,
        SetOnce,
        SpinLockIrq, //
    },
    ModuleMetadata, //
};

d2d_roles::module_in_two_roles! {
    peer: Upper,
    of: module_a,
    owner: Lower,
    name: "middle",
    authors: ["Beyond IRPs"],
    description: "Test: a peer of module_a that is an owner, too",
    license: "GPL",
    imports_ns: ["D2D"],
    params: {
        contexts: u32 {
            default: 2,
            description: "Number of contexts (1 to 64)",
        },
        waits: u32 {
            default: 0,
            description: "A thread waits for an event that the peer's role has created: 1 one of the owner's role, 2 one of the peer's role, which uses the contexts",
        },
        fails: u32 {
            default: 0,
            description: "The step of loading that fails, after this thread runs: 1 joining the roles, 2 the owner's ready, 3 the owner's control device",
        },
    },
}

// Values of `waits`
const OWNER_WAITS: u32 = 1;

// Values of `fails`
const JOIN: u32 = 1;
const READY: u32 = 2;
const CONTROL: u32 = 3;

const CONTROL_DEVICE: Settings = Settings::new(c"middle");

/// The most items that one batch has.
const BATCH: u32 = 8;

/// The most requests to module_a at a time.
const PACKETS: usize = 32;

/// The middle as a peer of module_a.
struct Upper {
    requests: upper::demo_requests::DemoRequests,
}

/// The library drops this value before it detaches the driver. Dropping it takes the driver's events away from
/// `requests`, which must not keep them any longer.
struct Jobs(Handle<Upper>);

impl Drop for Jobs {
    fn drop(&mut self) {
        self.0.requests.set_events(None);
    }
}

impl Driver for Upper {
    type Pair = upper::DemoPair;
    type Jobs = Jobs;

    const DISPATCH_ATOMIC: bool = true;

    fn new() -> Result<Self> {
        Ok(Self {
            requests: upper::demo_requests::DemoRequests::new()?,
        })
    }

    fn start(driver: Handle<Self>) -> impl PinInit<Jobs, Error> {
        upper::demo_events::DemoEvents::new(|event| {
            driver.create_event_of(TwoRolesModule::NAME, event, false)
        })
        .map(|events| {
            driver.requests.set_events(Some(events));
            Jobs(driver)
        })
    }

    fn data(&self) -> upper::PeerData {
        upper::PeerData {
            cookie: 0x3,
            deferred: 0,
            reserved: 0,
        }
    }

    fn dispatch<'a>(
        &self,
        request: d2d_peer::request::Request<'a>,
    ) -> d2d_peer::request::Disposition<'a> {
        self.requests.dispatch(request)
    }

    fn cancelled(&self, id: d2d_peer::request::RequestId) {
        self.requests.cancelled(id);
    }
}

/// Finds an attached peer below. Calls `f` with the link to it and the [`PeerCall`] by which `f` can call it. Returns
/// `None` if no peer is attached.
fn below<R>(
    f: impl FnOnce(&OwnerLink<lower::DemoPair>, PeerCall<'_, lower::DemoPair>) -> R,
) -> Option<R> {
    OWNER.contexts(|contexts| {
        let mut links = contexts.iter().map(|(_, link)| link);
        let (link, peer) = links.find_map(|link| link.peer().ok().map(|peer| (link, peer)))?;
        Some(f(link, peer))
    })?
}

#[vtable]
impl upper::PeerOps for Upper {
    fn ping(&self, _link: &PeerLink<upper::DemoPair>, value: u32) -> Result<u32> {
        below(|_, peer| peer.ops().ping(value)).unwrap_or(Ok(value.wrapping_add(1)))
    }

    fn bounce(&self, link: &PeerLink<upper::DemoPair>, hops: u32) -> Result<u32> {
        below(|_, peer| peer.ops().bounce(hops)).unwrap_or_else(|| {
            let Some(left) = hops.checked_sub(1) else {
                return Ok(0);
            };
            Ok(link.owner().bounce(left)?.saturating_add(1))
        })
    }

    fn drain(&self, link: &PeerLink<upper::DemoPair>) -> Result<u32> {
        below(|below, peer| {
            let taken = move_down(&link.incoming(), &below.outgoing())?;
            peer.ops().drain()?;
            move_up(&below.incoming(), &link.outgoing())?;
            Ok(taken)
        })
        .unwrap_or_else(|| upper::take_all(c"middle", &link.incoming()))
    }
}

/// Takes all items of a queue from below. Puts the notes on a queue to module_a, and drops other items. If the queue
/// to module_a is full, fails, and the rest of the batch is lost. Returns the number of items that it took.
fn move_up(from: &Queue<'_>, to: &d2d_peer::queue::Queue<'_>) -> Result<u32> {
    let mut moved = 0;
    loop {
        let batch = from.take_batch(BATCH);
        if batch.is_empty() {
            return Ok(moved);
        }
        for note in batch.iter().filter_map(|item| lower::NOTE.read(&item)) {
            upper::NOTE.put(to, &note)?;
        }
        moved += batch.len() as u32;
    }
}

/// Like [`move_up`], from a queue of module_a to a queue below.
fn move_down(from: &d2d_peer::queue::Queue<'_>, to: &Queue<'_>) -> Result<u32> {
    let mut moved = 0;
    loop {
        let batch = from.take_batch(BATCH);
        if batch.is_empty() {
            return Ok(moved);
        }
        for note in batch.iter().filter_map(|item| upper::NOTE.read(&item)) {
            lower::NOTE.put(to, &note)?;
        }
        moved += batch.len() as u32;
    }
}

/// What the owner's role needs to reach module_a.
struct Above {
    peer: Handle<Upper>,
    module_a: Target,
    /// Allocated in advance, because requests from below may come in hard interrupt.
    packets: Pin<KBox<SpinLockIrq<KVec<Packet>>>>,
}

impl Above {
    fn new(peer: Handle<Upper>) -> Result<Self> {
        let sender = peer.sender();
        let mut packets = KVec::with_capacity(PACKETS, GFP_KERNEL)?;
        for _ in 0..PACKETS {
            packets.push(sender.packet_for(upper::ADD)?.traced(), GFP_KERNEL)?;
        }
        Ok(Self {
            module_a: sender.lookup(c"module_a")?,
            packets: KBox::pin_init(new_spinlock_irq!(packets, "middle::packets"), GFP_KERNEL)?,
            peer,
        })
    }

    /// Sends module_a the request `ADD`, which module_a completes at once, and returns the answer. Any context.
    ///
    /// If module_a left the request pending, this function would cancel and free it.
    fn add(&self, value: u64) -> Result<u64> {
        let packet = self.packets.lock().pop().ok_or(EBUSY)?;
        let (packet, answer) = match packet.send(&self.module_a, upper::ADD, &value, Sleep::Cannot)
        {
            Ok(sent) => {
                let completed = sent.returned().map_err(|_| EINPROGRESS)?;
                let answer = completed.output();
                (completed.into_packet().traced(), answer)
            }
            Err(refused) => (refused.packet, Err(refused.error)),
        };
        // This succeeds: the vector has room for all packets.
        let _ = self.packets.lock().push_within_capacity(packet);
        answer
    }
}

/// What all contexts of the owner's role share.
struct State {
    above: SetOnce<Above>,
    requests: lower::demo_requests::DemoRequests,
}

impl State {
    fn above(&self) -> Result<&Above> {
        self.above.as_ref().ok_or(ENODEV)
    }

    /// Returns the link to module_a.
    fn link(&self) -> Result<&PeerLink<upper::DemoPair>> {
        self.above()?.peer.link().ok_or(ENOTCONN)
    }
}

/// The middle as the owner of the peers below.
struct Lower(Arc<State>);

impl d2d_roles::TwoRoles for Lower {
    type Peer = Upper;

    fn join(contexts: &Contexts<'_, Self>, peer: Handle<Upper>) -> Result {
        wait(contexts, &peer)?;
        contexts.state().above.populate(Above::new(peer)?);
        match module_parameters::fails.value() {
            JOIN => Err(ENODEV),
            _ => Ok(()),
        }
    }
}

/// Starts the thread that `waits` selects, if any. Nobody sets its event. Returns when the thread runs: until then,
/// stopping it needs no end of the wait.
fn wait(contexts: &Contexts<'_, Lower>, peer: &Handle<Upper>) -> Result {
    let waits = module_parameters::waits.value();
    if waits == 0 {
        return Ok(());
    }
    let event = |name| peer.create_event(name, Kind::Notification, false);
    let name = c"middle_waits";
    let begun = Arc::new(event(c"middle.begun")?, GFP_KERNEL)?;
    let begins = begun.clone();
    let never = event(c"middle.never")?;
    let routine = move || {
        let _ = begins.set();
        let _ = never.wait(Wait::FOREVER);
    };
    match waits {
        OWNER_WAITS => contexts.thread(name, move |_, _| routine())?.start()?,
        _ => peer
            .thread(name, move |_, _| {
                OWNER.contexts(|_| routine());
            })?
            .start()?,
    }
    begun.wait(Wait::FOREVER)
}

impl Owner for Lower {
    type Pair = lower::DemoPair;
    type State = State;

    const CONTROL: Option<Settings> = Some(CONTROL_DEVICE);
    const DISPATCH_ATOMIC: bool = true;

    fn config() -> Result<Config> {
        let contexts = module_parameters::contexts.value();
        let config = Config::new(TwoRolesModule::NAME, contexts, 256, 64, 0, 5000)?;
        Ok(config.print_hot_steps())
    }

    fn state(_config: &Config) -> impl PinInit<State, Error> {
        lower::demo_requests::DemoRequests::new().map(|requests| State {
            above: SetOnce::new(),
            requests,
        })
    }

    fn new(state: &Arc<State>, _id: u32) -> Result<Self> {
        Ok(Self(state.clone()))
    }

    fn ready(contexts: &Contexts<'_, Self>) -> Result {
        let events = lower::demo_events::DemoEvents::new(|event| {
            create_event_of(TwoRolesModule::NAME, event, false)
        })?;
        contexts.state().requests.set_events(Some(events));
        match module_parameters::fails.value() {
            READY => Err(ENODEV),
            // Takes the name of the control device.
            CONTROL => contexts
                .device::<Commands<OwnerHandle<Self>>>(CONTROL_DEVICE)
                .map(|_| ()),
            _ => Ok(()),
        }
    }

    fn data(config: &Config) -> lower::OwnerData {
        lower::OwnerData {
            queue_capacity: config.capacity(),
            item_size: config.item_size(),
        }
    }

    fn dispatch<'a>(contexts: &Contexts<'_, Self>, request: Request<'a>) -> Disposition<'a> {
        let state = contexts.state();
        if request.code() != lower::ADD.raw() {
            return state.requests.dispatch(request);
        }
        request
            .on(lower::ADD, |value, request| {
                match state.above().and_then(|above| above.add(value)) {
                    Ok(sum) => request.complete(&sum),
                    Err(error) => request.fail(error),
                }
            })
            .or_unknown()
    }

    fn cancelled(contexts: &Contexts<'_, Self>, id: RequestId) {
        contexts.state().requests.cancelled(id);
    }

    fn attached(&self, _link: &OwnerLink<lower::DemoPair>) {}

    fn detached(&self, _link: &OwnerLink<lower::DemoPair>) {}
}

#[vtable]
impl lower::OwnerOps for Lower {
    fn ping(&self, _link: &OwnerLink<lower::DemoPair>, value: u32) -> Result<u32> {
        self.0.link()?.owner().ping(value)
    }

    fn bounce(&self, _link: &OwnerLink<lower::DemoPair>, hops: u32) -> Result<u32> {
        self.0.link()?.owner().bounce(hops)
    }

    fn drain(&self, link: &OwnerLink<lower::DemoPair>) -> Result<u32> {
        let above = self.0.link()?;
        let taken = move_up(&link.incoming(), &above.outgoing())?;
        above.owner().drain()?;
        move_down(&above.incoming(), &link.outgoing())?;
        Ok(taken)
    }
}
