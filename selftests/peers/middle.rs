// SPDX-License-Identifier: GPL-2.0

//! Test: the middle of a chain. This module is a peer of module_a, which is *above* it, and the owner of the peers
//! *below* it. Both pairs have the same declaration.
//!
//! The module passes on calls and items in both directions. When a peer sends it the request
//! [`ADD`](owner_pair::ADD), it sends module_a a request of its own. It serves all other requests itself. While no peer
//! is attached below, it also answers module_a's calls itself.

#![forbid(unsafe_code)]

use d2d::{
    control::Commands,
    device::Settings,
    link::{
        OwnerLink,
        PeerCall, //
    },
    packet::Sender,
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
    Owner,
    OwnerRef, //
};
use d2d_pair as owner_pair;
use d2d_pair_peer as peer_pair;
use d2d_peer::{
    driver::{
        Driver,
        DriverRef, //
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
        Completion,
        SetOnce,
        SpinLockIrq, //
    },
    ModuleMetadata, //
};

// The macro also defines the static `OWNER`, by which the peer's role reaches the contexts.
d2d_roles::module_in_two_roles! {
    peer: AsPeer,
    of: module_a,
    owner: AsOwner,
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
            description: "Which thread waits until the library ends the wait. 0: none. 1: a thread of the owner's role, for an event of the peer's role that nobody sets. 2: as 1, but a thread of the peer's role that uses the contexts of the owner's role. 3: a thread of the owner's role, until a request that the peer's role holds is cancelled. 4: as 3, but a thread of the peer's role that uses the contexts of the owner's role. 5: as 3, but a thread of the peer's role inside the owner's function `dispatch`",
        },
        fails: u32 {
            default: 0,
            description: "Which step of loading fails once the thread of `waits` runs. 0: none. 1: joining the roles. 2: the owner's function `ready`. 3: making the owner's control device",
        },
    },
}

// Values of `waits`
const OWNER_WAITS: u32 = 1;
const PEER_WAITS: u32 = 2;
const OWNER_WAITS_FOR_REQUEST: u32 = 3;
const DISPATCH_WAITS_FOR_REQUEST: u32 = 5;

// Values of `fails`
const JOIN: u32 = 1;
const READY: u32 = 2;
const CONTROL: u32 = 3;

const CONTROL_DEVICE: Settings = Settings::new(c"middle");

const BATCH: u32 = 8;

const PACKETS: usize = 32;

struct AsPeer {
    requests: peer_pair::demo_requests::DemoRequests,
    cancellation: Arc<Completion>,
}

/// [`AsPeer::requests`] has references to the driver's events. The library drops this value before it detaches the
/// driver, and `drop` drops the references.
struct Resources(DriverRef<AsPeer>);

impl Drop for Resources {
    fn drop(&mut self) {
        self.0.requests.set_events(None);
    }
}

impl Driver for AsPeer {
    type Pair = peer_pair::DemoPair;
    type Resources = Resources;

    const DISPATCH_ATOMIC: bool = true;

    fn new() -> Result<Self> {
        Ok(Self {
            requests: peer_pair::demo_requests::DemoRequests::new()?,
            cancellation: Arc::pin_init(Completion::new(), GFP_KERNEL)?,
        })
    }

    fn start(driver: DriverRef<Self>) -> impl PinInit<Resources, Error> {
        peer_pair::demo_events::DemoEvents::new(|event| {
            driver.create_event_of(TwoRolesModule::NAME, event, false)
        })
        .map(|events| {
            driver.requests.set_events(Some(events));
            Resources(driver)
        })
    }

    fn data(&self) -> peer_pair::PeerData {
        peer_pair::PeerData {
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
        self.cancellation.complete_all();
    }
}

/// Calls `f` for a peer below. Returns `None` if no peer is attached.
fn below<R>(
    f: impl FnOnce(&OwnerLink<owner_pair::DemoPair>, PeerCall<'_, owner_pair::DemoPair>) -> R,
) -> Option<R> {
    OWNER.contexts(|contexts| {
        let mut links = contexts.iter().map(|(_, link)| link);
        let (link, peer) = links.find_map(|link| link.peer().ok().map(|peer| (link, peer)))?;
        Some(f(link, peer))
    })?
}

#[vtable]
impl peer_pair::PeerOps for AsPeer {
    fn ping(&self, _link: &PeerLink<peer_pair::DemoPair>, value: u32) -> Result<u32> {
        below(|_, peer| peer.ops().ping(value)).unwrap_or(Ok(value.wrapping_add(1)))
    }

    fn bounce(&self, link: &PeerLink<peer_pair::DemoPair>, hops: u32) -> Result<u32> {
        below(|_, peer| peer.ops().bounce(hops)).unwrap_or_else(|| {
            let Some(left) = hops.checked_sub(1) else {
                return Ok(0);
            };
            Ok(link.owner().bounce(left)?.saturating_add(1))
        })
    }

    fn drain(&self, link: &PeerLink<peer_pair::DemoPair>) -> Result<u32> {
        below(|lower, peer| {
            let taken = move_down(&link.incoming(), &lower.outgoing())?;
            peer.ops().drain()?;
            move_up(&lower.incoming(), &link.outgoing())?;
            Ok(taken)
        })
        .unwrap_or_else(|| peer_pair::take_all(c"middle", &link.incoming()))
    }
}

/// Fails if the queue `to` is full; then the rest of the batch is lost. Returns the number of taken items.
fn move_up(from: &Queue<'_>, to: &d2d_peer::queue::Queue<'_>) -> Result<u32> {
    let mut moved = 0;
    loop {
        let batch = from.take_batch(BATCH);
        if batch.is_empty() {
            return Ok(moved);
        }
        for note in batch.iter().filter_map(|item| owner_pair::NOTE.read(&item)) {
            peer_pair::NOTE.put(to, &note)?;
        }
        moved += batch.len() as u32;
    }
}

fn move_down(from: &d2d_peer::queue::Queue<'_>, to: &Queue<'_>) -> Result<u32> {
    let mut moved = 0;
    loop {
        let batch = from.take_batch(BATCH);
        if batch.is_empty() {
            return Ok(moved);
        }
        for note in batch.iter().filter_map(|item| peer_pair::NOTE.read(&item)) {
            owner_pair::NOTE.put(to, &note)?;
        }
        moved += batch.len() as u32;
    }
}

struct Above {
    peer: DriverRef<AsPeer>,
    module_a: Target,
    /// Allocated in advance, because requests from below may come in hard interrupt.
    packets: Pin<KBox<SpinLockIrq<KVec<Packet>>>>,
}

impl Above {
    fn new(peer: DriverRef<AsPeer>) -> Result<Self> {
        let sender = peer.sender();
        let mut packets = KVec::with_capacity(PACKETS, GFP_KERNEL)?;
        for _ in 0..PACKETS {
            packets.push(sender.packet_for(peer_pair::ADD)?.traced(), GFP_KERNEL)?;
        }
        Ok(Self {
            module_a: sender.lookup(c"module_a")?,
            packets: KBox::pin_init(new_spinlock_irq!(packets, "middle::packets"), GFP_KERNEL)?,
            peer,
        })
    }

    /// Sends module_a a request. If module_a does not complete it at once, cancels and frees the request. Any context.
    fn add(&self, value: u64) -> Result<u64> {
        let packet = self.packets.lock().pop().ok_or(EBUSY)?;
        let (packet, answer) =
            match packet.send(&self.module_a, peer_pair::ADD, &value, Sleep::Cannot) {
                Ok(sent) => {
                    let completed = sent.completed_at_once().map_err(|_| EINPROGRESS)?;
                    let answer = completed.output();
                    (completed.into_packet().traced(), answer)
                }
                Err(refused) => (refused.packet, Err(refused.error)),
            };
        // The vector has room for all packets.
        let _ = self.packets.lock().push_within_capacity(packet);
        answer
    }
}

struct State {
    above: SetOnce<Above>,
    requests: owner_pair::demo_requests::DemoRequests,
}

impl State {
    fn above(&self) -> Result<&Above> {
        self.above.as_ref().ok_or(ENODEV)
    }

    fn link(&self) -> Result<&PeerLink<peer_pair::DemoPair>> {
        self.above()?.peer.link().ok_or(ENOTCONN)
    }
}

struct AsOwner(Arc<State>);

impl d2d_roles::TwoRoles for AsOwner {
    type Peer = AsPeer;

    fn join(contexts: &Contexts<'_, Self>, peer: DriverRef<AsPeer>) -> Result {
        contexts.state().above.populate(Above::new(peer.clone())?);
        start_waiting_thread(contexts, &peer)?;
        match module_parameters::fails.value() {
            JOIN => Err(ENODEV),
            _ => Ok(()),
        }
    }
}

/// Sends a request from the peer's role to itself. The role keeps the request pending. Then this function sets the
/// event `middle.held`, and waits until the request is cancelled.
///
/// The library calls `cancelled` only if the role has called `tell_if_cancelled` before the cancellation. So the test
/// unloads the module only after `middle.held` has been set.
fn wait_until_cancelled(peer: &DriverRef<AsPeer>) -> Result {
    let held = peer.create_event(c"middle.held", Kind::Notification, false)?;
    let sender = peer.sender();
    let packet = sender.packet_for(peer_pair::PEND)?;
    let to = sender.lookup(TwoRolesModule::NAME)?;
    let sent = packet.send(&to, peer_pair::PEND, &1, d2d_peer::packet::Sleep::May);
    let _sent = sent.map_err(|refused| refused.error)?;
    held.set()?;
    peer.cancellation.wait_for_completion();
    Ok(())
}

/// Sends a request from the owner's role to itself.
fn send_to_owner(owner: &Sender) -> Result {
    let packet = owner.packet_for(owner_pair::ADD)?;
    let to = owner.lookup(TwoRolesModule::NAME)?;
    let sent = packet.send(&to, owner_pair::ADD, &1, d2d::packet::Sleep::May);
    sent.map(drop).map_err(|refused| refused.error)
}

/// Starts the thread of `waits`. Returns when the thread runs: before that, the library could stop the thread, and
/// nothing would wait.
fn start_waiting_thread(contexts: &Contexts<'_, AsOwner>, peer: &DriverRef<AsPeer>) -> Result {
    let waits = module_parameters::waits.value();
    if waits == 0 {
        return Ok(());
    }
    let event = |name| peer.create_event(name, Kind::Notification, false);
    let name = c"middle_waits";
    let begun = Arc::new(event(c"middle.begun")?, GFP_KERNEL)?;
    let begun_in_thread = begun.clone();
    let never = event(c"middle.never")?;
    let (sender, owner) = (peer.clone(), contexts.sender());
    let routine = move || {
        let _ = begun_in_thread.set();
        let _ = match waits {
            OWNER_WAITS | PEER_WAITS => never.wait(Wait::FOREVER),
            DISPATCH_WAITS_FOR_REQUEST => send_to_owner(&owner),
            _ => wait_until_cancelled(&sender),
        };
    };
    match waits {
        OWNER_WAITS | OWNER_WAITS_FOR_REQUEST => {
            contexts.thread(name, move |_, _| routine())?.start()?
        }
        DISPATCH_WAITS_FOR_REQUEST => peer.thread(name, move |_, _| routine())?.start()?,
        _ => peer
            .thread(name, move |_, _| {
                OWNER.contexts(|_| routine());
            })?
            .start()?,
    }
    begun.wait(Wait::FOREVER)
}

impl Owner for AsOwner {
    type Pair = owner_pair::DemoPair;
    type State = State;

    const CONTROL: Option<Settings> = Some(CONTROL_DEVICE);
    const DISPATCH_ATOMIC: bool = true;

    fn config() -> Result<Config> {
        let contexts = module_parameters::contexts.value();
        let config = Config::new(TwoRolesModule::NAME, contexts, 256, 64, 0, 5000)?;
        Ok(config.print_hot_steps())
    }

    fn state(_config: &Config) -> impl PinInit<State, Error> {
        owner_pair::demo_requests::DemoRequests::new().map(|requests| State {
            above: SetOnce::new(),
            requests,
        })
    }

    fn new(state: &Arc<State>, _id: u32) -> Result<Self> {
        Ok(Self(state.clone()))
    }

    fn ready(contexts: &Contexts<'_, Self>) -> Result {
        let events = owner_pair::demo_events::DemoEvents::new(|event| {
            create_event_of(TwoRolesModule::NAME, event, false)
        })?;
        contexts.state().requests.set_events(Some(events));
        match module_parameters::fails.value() {
            READY => Err(ENODEV),
            // Takes the name of the control device, so that the library cannot make that device.
            CONTROL => contexts
                .device::<Commands<OwnerRef<Self>>>(CONTROL_DEVICE)
                .map(|_| ()),
            _ => Ok(()),
        }
    }

    fn data(config: &Config) -> owner_pair::OwnerData {
        owner_pair::OwnerData {
            queue_capacity: config.capacity(),
            item_size: config.item_size(),
        }
    }

    fn dispatch<'a>(contexts: &Contexts<'_, Self>, request: Request<'a>) -> Disposition<'a> {
        let state = contexts.state();
        if module_parameters::waits.value() == DISPATCH_WAITS_FOR_REQUEST {
            let waited = state
                .above()
                .and_then(|above| wait_until_cancelled(&above.peer));
            return request.fail(waited.err().unwrap_or(ECANCELED));
        }
        if request.code() != owner_pair::ADD.raw() {
            return state.requests.dispatch(request);
        }
        request
            .on(owner_pair::ADD, |value, request| {
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

    fn attached(&self, _link: &OwnerLink<owner_pair::DemoPair>) {}

    fn detached(&self, _link: &OwnerLink<owner_pair::DemoPair>) {}
}

#[vtable]
impl owner_pair::OwnerOps for AsOwner {
    fn ping(&self, _link: &OwnerLink<owner_pair::DemoPair>, value: u32) -> Result<u32> {
        self.0.link()?.owner().ping(value)
    }

    fn bounce(&self, _link: &OwnerLink<owner_pair::DemoPair>, hops: u32) -> Result<u32> {
        self.0.link()?.owner().bounce(hops)
    }

    fn drain(&self, link: &OwnerLink<owner_pair::DemoPair>) -> Result<u32> {
        let above = self.0.link()?;
        let taken = move_up(&link.incoming(), &above.outgoing())?;
        above.owner().drain()?;
        move_down(&above.incoming(), &link.outgoing())?;
        Ok(taken)
    }
}
