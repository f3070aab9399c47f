// SPDX-License-Identifier: GPL-2.0

//! Test: a module in three roles. It is a peer of module_a and of other_a, the owners *above* it, and the owner of the
//! peers *below* it. It passes on a call from below to both owners, and a `ping` from above to a peer.

#![forbid(unsafe_code)]

use d2d::{
    control::Commands,
    device::Settings,
    link::OwnerLink,
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
use d2d_pair_peer as first_pair;
use d2d_pair_peer2 as second_pair;
use d2d_peer as first;
use d2d_peer2 as second;
use kernel::{
    prelude::*,
    sync::{
        Arc,
        SetOnce, //
    },
    ModuleMetadata, //
};

// The macro also defines the static `OWNER`, by which the peers' roles reach the contexts.
d2d_roles::module_in_three_roles! {
    type: AsOwner,
    first: module_a,
    second: other_a,
    name: "junction",
    authors: ["Beyond IRPs"],
    description: "Test: a peer of module_a and of other_a that is an owner, too",
    license: "GPL",
    imports_ns: ["D2D"],
    params: {
        contexts: u32 {
            default: 1,
            description: "Number of contexts (1 to 64)",
        },
        waits: u32 {
            default: 0,
            description: "1: two threads of the owner's role wait until the library ends the waits: one for an event of the first peer's role, the other for an event of the second peer's role",
        },
        fails: u32 {
            default: 0,
            description: "Which step of loading fails once the threads of `waits` run. 0: none. 1: joining the roles. 2: the owner's function `ready`. 3: making the owner's control device",
        },
    },
}

// Values of `fails`
const JOIN: u32 = 1;
const READY: u32 = 2;
const CONTROL: u32 = 3;

const CONTROL_DEVICE: Settings = Settings::new(c"junction");

/// Calls `ping` of a peer below. If no peer is attached, returns what a peer would return.
fn below(value: u32) -> Result<u32> {
    OWNER
        .contexts(|contexts| {
            let mut links = contexts.iter().map(|(_, link)| link);
            let peer = links.find_map(|link| link.peer().ok())?;
            Some(peer.ops().ping(value))
        })
        .flatten()
        .unwrap_or(Ok(value.wrapping_add(1)))
}

macro_rules! role {
    ($(#[$about:meta])* $Role:ident, $library:ident, $pair:ident) => {
        $(#[$about])*
        struct $Role;

        impl $Role {
            /// Starts a thread of the owner's role that waits for an event of this role. Returns when the thread runs:
            /// before that, the library could stop the thread, and nothing would wait.
            fn start_waiting_thread(
                contexts: &Contexts<'_, AsOwner>,
                driver: &$library::driver::DriverRef<Self>,
            ) -> Result {
                let event =
                    |name| driver.create_event(name, $library::event::Kind::Notification, false);
                let begun = Arc::new(event(c"junction.begun")?, GFP_KERNEL)?;
                let begun_in_thread = begun.clone();
                let never = event(c"junction.never")?;
                contexts
                    .thread(c"junction_waits", move |_, _| {
                        let _ = begun_in_thread.set();
                        let _ = never.wait($library::event::Wait::FOREVER);
                    })?
                    .start()?;
                begun.wait($library::event::Wait::FOREVER)
            }
        }

        impl $library::driver::Driver for $Role {
            type Pair = $pair::DemoPair;
            type Resources = ();

            fn new() -> Result<Self> {
                Ok(Self)
            }

            fn start(_driver: $library::driver::DriverRef<Self>) -> impl PinInit<(), Error> {
                Ok(())
            }

            fn data(&self) -> $pair::PeerData {
                $pair::PeerData {
                    cookie: 0x4,
                    deferred: 0,
                    reserved: 0,
                }
            }
        }

        #[vtable]
        impl $pair::PeerOps for $Role {
            fn ping(
                &self,
                _link: &$library::link::PeerLink<$pair::DemoPair>,
                value: u32,
            ) -> Result<u32> {
                below(value)
            }

            fn bounce(
                &self,
                link: &$library::link::PeerLink<$pair::DemoPair>,
                hops: u32,
            ) -> Result<u32> {
                let Some(left) = hops.checked_sub(1) else {
                    return Ok(0);
                };
                Ok(link.owner().bounce(left)?.saturating_add(1))
            }

            fn drain(&self, link: &$library::link::PeerLink<$pair::DemoPair>) -> Result<u32> {
                $pair::take_all(c"junction", &link.incoming())
            }
        }
    };
}

role! {
    /// This module as a peer of module_a.
    First, first, first_pair
}

role! {
    /// This module as a peer of other_a.
    Second, second, second_pair
}

struct State {
    above: SetOnce<(
        first::driver::DriverRef<First>,
        second::driver::DriverRef<Second>,
    )>,
    requests: owner_pair::demo_requests::DemoRequests,
}

struct AsOwner(Arc<State>);

impl d2d_roles::ThreeRoles for AsOwner {
    type First = First;
    type Second = Second;

    fn join(
        contexts: &Contexts<'_, Self>,
        first: first::driver::DriverRef<First>,
        second: second::driver::DriverRef<Second>,
    ) -> Result {
        if module_parameters::waits.value() != 0 {
            First::start_waiting_thread(contexts, &first)?;
            Second::start_waiting_thread(contexts, &second)?;
        }
        contexts.state().above.populate((first, second));
        match module_parameters::fails.value() {
            JOIN => Err(ENODEV),
            _ => Ok(()),
        }
    }
}

impl Owner for AsOwner {
    type Pair = owner_pair::DemoPair;
    type State = State;

    const CONTROL: Option<Settings> = Some(CONTROL_DEVICE);
    const DISPATCH_ATOMIC: bool = true;

    fn config() -> Result<Config> {
        let contexts = module_parameters::contexts.value();
        let config = Config::new(ThreeRolesModule::NAME, contexts, 256, 64, 0, 5000)?;
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
            create_event_of(ThreeRolesModule::NAME, event, false)
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
        contexts.state().requests.dispatch(request)
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
        let (first, second) = self.0.above.as_ref().ok_or(ENODEV)?;
        let value = first.link().ok_or(ENOTCONN)?.owner().ping(value)?;
        second.link().ok_or(ENOTCONN)?.owner().ping(value)
    }

    /// Both owners must return the same number of calls.
    fn bounce(&self, _link: &OwnerLink<owner_pair::DemoPair>, hops: u32) -> Result<u32> {
        let (first, second) = self.0.above.as_ref().ok_or(ENODEV)?;
        let calls = first.link().ok_or(ENOTCONN)?.owner().bounce(hops)?;
        owner_pair::expect(second.link().ok_or(ENOTCONN)?.owner().bounce(hops)?, calls)?;
        Ok(calls)
    }

    fn drain(&self, link: &OwnerLink<owner_pair::DemoPair>) -> Result<u32> {
        owner_pair::take_all(c"junction", &link.incoming())
    }
}
