// SPDX-License-Identifier: GPL-2.0

//! Test: a peer of two owners, module_a and other_a. It passes calls and items from each owner to the other one. Until
//! the library has joined the two roles, each role answers its owner's calls itself.

#![forbid(unsafe_code)]

use d2d_pair_peer as first_pair;
use d2d_pair_peer2 as second_pair;
use d2d_peer as first;
use d2d_peer2 as second;
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            ordering::{
                Full,
                Relaxed, //
            },
            Atomic, //
        },
        Arc,
        Completion,
        SetOnce, //
    }, //
};

// The macro also defines the static `JOINED`, which has the `Bridge` while the roles are joined.
d2d_roles::module_of_two_owners! {
    type: Bridge,
    first: module_a,
    second: other_a,
    name: "bridge",
    authors: ["Beyond IRPs"],
    description: "Test: a peer of two owners, module_a and other_a",
    license: "GPL",
    imports_ns: ["D2D"],
    params: {
        waits: u32 {
            default: 0,
            description: "What waits until the library ends the wait. 0: nothing. 1: a thread of each role, for an event of the other role. 2: a thread that uses both roles, for an event. 3: a thread that the second role starts before the roles are joined, for an event of the first role. 4: the function `deferred` of the second role, for an event of the first role. 5: a thread of the second role, until a request that the first role holds is cancelled. 6: as 5, but a thread that uses both roles. 7: a thread of the second role, for an event of this role; dropping the role's value `Resources` waits for the thread. Nobody sets the events",
        },
        fails: u32 {
            default: 0,
            description: "Which step of loading fails. 0: none. 1: starting the second role. 2: making the second role's control device. 3: joining the roles",
        },
    },
}

// Values of `waits`
const JOINED_THREADS: u32 = 1;
const INSIDE: u32 = 2;
const STARTED_THREAD: u32 = 3;
const DEFERRED: u32 = 4;
const HELD_REQUEST: u32 = 5;
const HELD_REQUEST_INSIDE: u32 = 6;
const DROPPED_RESOURCES: u32 = 7;

// Values of `fails`
const START: u32 = 1;
const CONTROL: u32 = 2;
const JOIN: u32 = 3;

const NEVER: &CStr = c"bridge.never";

/// The event [`NEVER`] of the first role. The second role waits for this event before the roles are joined.
static NEVER_OF_FIRST: SetOnce<first::event::Event> = SetOnce::new();

const BATCH: u32 = 8;

struct Resources(Option<Arc<Completion>>);

impl Drop for Resources {
    fn drop(&mut self) {
        if let Some(ended) = &self.0 {
            ended.wait_for_completion();
        }
    }
}

/// Defines the driver of one role. `$library` and `$pair` are the crates of this role. `$Other` is the driver of the
/// other role, and `$other` its field in [`Bridge`]. `$more` has the items of `Driver` that only
/// this role defines.
macro_rules! role {
    ($(#[$about:meta])* $Role:ident, $library:ident, $pair:ident, $Other:ident, $other:ident, { $($more:tt)* }) => {
        $(#[$about])*
        struct $Role {
            requests: $pair::demo_requests::DemoRequests,
            cancellation: Arc<Completion>,
        }

        impl $Role {
            /// Starts a thread that calls `wait`. Returns when the thread runs: before that, the library could stop the
            /// thread, and nothing would wait.
            fn wait_in_thread(
                driver: &$library::driver::DriverRef<Self>,
                wait: impl Fn() -> Result + Send + Sync + 'static,
            ) -> Result {
                let kind = $library::event::Kind::Notification;
                let begun = Arc::new(driver.create_event(c"bridge.begun", kind, false)?, GFP_KERNEL)?;
                let begun_in_thread = begun.clone();
                driver
                    .thread(c"bridge_waits", move |_, _| {
                        let _ = begun_in_thread.set();
                        let _ = wait();
                    })?
                    .start()?;
                begun.wait($library::event::Wait::FOREVER)
            }

            fn ping(driver: &$library::driver::DriverRef<Self>, value: u32) -> Result<u32> {
                driver.link().ok_or(ENOTCONN)?.owner().ping(value)
            }

            fn bounce(driver: &$library::driver::DriverRef<Self>, hops: u32) -> Result<u32> {
                driver.link().ok_or(ENOTCONN)?.owner().bounce(hops)
            }

            fn put(driver: &$library::driver::DriverRef<Self>, note: u64) -> Result {
                let link = driver.link().ok_or(ENOTCONN)?;
                $pair::NOTE.put(&link.outgoing(), &note)
            }

            /// Calls the owner's `drain`, takes the owner's items, and passes the notes to `put`.
            fn drain(
                driver: &$library::driver::DriverRef<Self>,
                put: impl FnMut(u64) -> Result,
            ) -> Result<u32> {
                let link = driver.link().ok_or(ENOTCONN)?;
                link.owner().drain()?;
                Self::take(link, put)
            }

            /// Passes all notes to `put`. If `put` fails, the rest of the batch is lost. Returns the number of items.
            fn take(
                link: &$library::link::PeerLink<$pair::DemoPair>,
                mut put: impl FnMut(u64) -> Result,
            ) -> Result<u32> {
                let (from, mut taken) = (link.incoming(), 0);
                loop {
                    let batch = from.take_batch(BATCH);
                    if batch.is_empty() {
                        return Ok(taken);
                    }
                    for note in batch.iter().filter_map(|item| $pair::NOTE.read(&item)) {
                        put(note)?;
                    }
                    taken += batch.len() as u32;
                }
            }
        }

        impl $library::driver::Driver for $Role {
            type Pair = $pair::DemoPair;
            type Resources = Resources;

            fn new() -> Result<Self> {
                Ok(Self {
                    requests: $pair::demo_requests::DemoRequests::new()?,
                    cancellation: Arc::pin_init(Completion::new(), GFP_KERNEL)?,
                })
            }

            fn dispatch<'a>(
                &self,
                request: $library::request::Request<'a>,
            ) -> $library::request::Disposition<'a> {
                match module_parameters::waits.value() {
                    HELD_REQUEST | HELD_REQUEST_INSIDE => self.requests.dispatch(request),
                    _ => request.fail(ENOTTY),
                }
            }

            fn cancelled(&self, id: $library::request::RequestId) {
                self.requests.cancelled(id);
                self.cancellation.complete_all();
            }

            fn start(driver: $library::driver::DriverRef<Self>) -> impl PinInit<Resources, Error> {
                Self::begin(&driver)
            }

            $($more)*

            fn data(&self) -> $pair::PeerData {
                $pair::PeerData {
                    cookie: 0x2,
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
                JOINED
                    .with(|bridge| $Other::ping(&bridge.$other, value))
                    .unwrap_or(Ok(value.wrapping_add(1)))
            }

            fn bounce(
                &self,
                link: &$library::link::PeerLink<$pair::DemoPair>,
                hops: u32,
            ) -> Result<u32> {
                JOINED
                    .with(|bridge| {
                        if let Some(thread) = &bridge.waiting_thread {
                            thread.start()?;
                        }
                        $Other::bounce(&bridge.$other, hops)
                    })
                    .unwrap_or_else(|| {
                        let Some(left) = hops.checked_sub(1) else {
                            return Ok(0);
                        };
                        Ok(link.owner().bounce(left)?.saturating_add(1))
                    })
            }

            fn drain(&self, link: &$library::link::PeerLink<$pair::DemoPair>) -> Result<u32> {
                JOINED
                    .with(|bridge| {
                    let taken = Self::take(link, |note| $Other::put(&bridge.$other, note))?;
                    $Other::drain(&bridge.$other, |note| $pair::NOTE.put(&link.outgoing(), &note))?;
                    Ok(taken)
                })
                .unwrap_or_else(|| Self::take(link, |_| Ok(())))
            }
        }
    };
}

role! {
    /// The bridge as a peer of module_a.
    First, first, first_pair, Second, second, {}
}

impl First {
    fn begin(driver: &first::driver::DriverRef<Self>) -> Result<Resources> {
        if module_parameters::waits.value() >= STARTED_THREAD {
            let kind = first::event::Kind::Notification;
            NEVER_OF_FIRST.populate(driver.create_event(NEVER, kind, false)?);
        }
        Ok(Resources(None))
    }
}

role! {
    /// The bridge as a peer of other_a.
    Second, second, second_pair, First, first, {
        const CONTROL: Option<second::device::Settings> = Some(CONTROL_DEVICE);

        fn share<'a>(
            &self,
            offer: second::driver::Offer<'a, Self>,
        ) -> second::request::Disposition<'a> {
            match module_parameters::waits.value() {
                DEFERRED => offer.pend(),
                _ => offer.accept(),
            }
        }

        fn deferred<'a>(
            &self,
            offer: second::driver::Offer<'a, Self>,
        ) -> second::request::Disposition<'a> {
            let _ = wait_for_first();
            offer.accept()
        }
    }
}

const CONTROL_DEVICE: second::device::Settings = second::device::Settings::new(c"bridge");

impl Second {
    fn begin(driver: &second::driver::DriverRef<Self>) -> Result<Resources> {
        let mut resources = Resources(None);
        match module_parameters::waits.value() {
            STARTED_THREAD => Self::wait_in_thread(driver, wait_for_first)?,
            DROPPED_RESOURCES => resources = Self::wait_for_own_event(driver)?,
            _ => {}
        }
        match module_parameters::fails.value() {
            START => Err(ENODEV),
            // Takes the name of the control device, so that the library cannot make that device.
            CONTROL => driver
                .device::<second::control::Commands<second::driver::DriverRef<Self>>>(
                    CONTROL_DEVICE,
                )
                .map(|_| resources),
            _ => Ok(resources),
        }
    }

    fn wait_for_own_event(driver: &second::driver::DriverRef<Self>) -> Result<Resources> {
        let never = driver.create_event(NEVER, second::event::Kind::Notification, false)?;
        let ended = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let ended_in_thread = ended.clone();
        Self::wait_in_thread(driver, move || {
            let waited = never.wait(second::event::Wait::FOREVER);
            ended_in_thread.complete_all();
            waited
        })?;
        Ok(Resources(Some(ended)))
    }
}

fn wait_for_first() -> Result {
    NEVER_OF_FIRST
        .as_ref()
        .ok_or(ENODEV)?
        .wait(first::event::Wait::FOREVER)
}

/// Sends a request from the first role to itself. The role keeps the request pending. Then this function sets the event
/// `bridge.held`, and waits until the request is cancelled.
///
/// The library calls `cancelled` only if the role has called `tell_if_cancelled` before the cancellation. So the test
/// unloads the module only after `bridge.held` has been set.
fn wait_until_cancelled(first: &first::driver::DriverRef<First>) -> Result {
    let held = first.create_event(c"bridge.held", first::event::Kind::Notification, false)?;
    let sender = first.sender();
    let packet = sender.packet_for(first_pair::PEND)?;
    let to = sender.lookup(c"bridge")?;
    let sent = packet.send(&to, first_pair::PEND, &1, first::packet::Sleep::May);
    let _sent = sent.map_err(|refused| refused.error)?;
    held.set()?;
    first.cancellation.wait_for_completion();
    Ok(())
}

struct Bridge {
    first: first::driver::DriverRef<First>,
    second: second::driver::DriverRef<Second>,
    /// The thread of [`make_waiting_thread`], which the operation `bounce` starts.
    waiting_thread: Option<first::job::Thread>,
    /// How many threads of [`make_waiting_thread`] use this value now.
    users: Atomic<u32>,
}

impl d2d_roles::TwoPeers for Bridge {
    type First = First;
    type Second = Second;

    fn join(
        first: first::driver::DriverRef<First>,
        second: second::driver::DriverRef<Second>,
    ) -> Result<Self> {
        let mut waiting_thread = None;
        match module_parameters::waits.value() {
            JOINED_THREADS => wait_in_threads(&first, &second)?,
            INSIDE => {
                let never = second.create_event(NEVER, second::event::Kind::Notification, false)?;
                let wait = move || never.wait(second::event::Wait::FOREVER);
                waiting_thread = Some(make_waiting_thread(&first, wait)?);
            }
            HELD_REQUEST => {
                let first = first.clone();
                Second::wait_in_thread(&second, move || wait_until_cancelled(&first))?;
            }
            HELD_REQUEST_INSIDE => {
                let sender = first.clone();
                let wait = move || wait_until_cancelled(&sender);
                waiting_thread = Some(make_waiting_thread(&first, wait)?);
            }
            _ => {}
        }
        if module_parameters::fails.value() == JOIN {
            return Err(ENODEV);
        }
        Ok(Self {
            first,
            second,
            waiting_thread,
            users: Atomic::new(0),
        })
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        if self.users.load(Relaxed) != 0 {
            pr_err!("the value of `join` is dropped while a thread uses it\n");
        }
    }
}

/// Makes a thread that uses the bridge. It waits until the drivers leave, and then calls the second owner.
fn make_waiting_thread(
    first: &first::driver::DriverRef<First>,
    wait: impl Fn() -> Result + Send + Sync + 'static,
) -> Result<first::job::Thread> {
    first.thread(c"bridge_user", move |_, _| {
        JOINED.with(|bridge| {
            bridge.users.fetch_add(1, Full);
            let _ = wait();
            for _ in 0..1000 {
                let _ = Second::ping(&bridge.second, 1);
            }
            bridge.users.fetch_sub(1, Full);
        });
    })
}

/// Each thread waits for an event that the other role has created.
fn wait_in_threads(
    first: &first::driver::DriverRef<First>,
    second: &second::driver::DriverRef<Second>,
) -> Result {
    let never = second.create_event(NEVER, second::event::Kind::Notification, false)?;
    First::wait_in_thread(first, move || never.wait(second::event::Wait::FOREVER))?;
    let never = first.create_event(NEVER, first::event::Kind::Notification, false)?;
    Second::wait_in_thread(second, move || never.wait(first::event::Wait::FOREVER))
}
