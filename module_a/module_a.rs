// SPDX-License-Identifier: GPL-2.0

//! Driver A: the owner of the contexts.
//!
//! When a peer has attached, A plays the demonstration with it: calls and items in both directions.
//!
//! If a process writes a number N to `/dev/module_a`, A plays N rounds. In a round, it exchanges calls,
//! items, requests and events with each peer, in each of these execution contexts: the system call of
//! that process, a kernel worker, softirq and hard interrupt.

#![forbid(unsafe_code)]

use d2d::{
    control,
    device::Settings,
    link::OwnerLink,
    request::{
        Disposition,
        Request,
        RequestId, //
    },
    run_in::{
        run_in,
        Place, //
    },
    trace,
    trace::check_parameter, //
};
use d2d_owner::{
    create_event_of,
    open_event_of,
    Config,
    Contexts,
    Owner,
    Peer, //
};
use d2d_pair::{
    demo_events::DemoEvents,
    demo_requests::{
        self,
        DemoRequests,
        Packets, //
    },
    expect,
    take_all,
    update,
    DemoPair,
    Note,
    OwnerData,
    OwnerOps,
    MAX_HOPS,
    NOTE, //
};
use kernel::{
    prelude::*,
    sync::Arc,
    uaccess::UserSliceReader,
    ModuleMetadata, //
};

d2d_owner::module_owner! {
    type: DriverA,
    name: "module_a",
    authors: ["Beyond IRPs"],
    description: "Driver to driver communication: the owner of the shared contexts",
    license: "GPL",
    params: {
        contexts: u32 {
            default: 1,
            description: "Number of contexts, each for one peer (1 to 64)",
        },
        capacity: u32 {
            default: 256,
            description: "Number of items that each queue can hold (1 to 1048576)",
        },
        item_size: u32 {
            default: 64,
            description: "Bytes of payload of an item (8 to 4096)",
        },
        completion: u32 {
            default: 0,
            description: "How A learns that a handshake is completed: 0 by return, 1 by routine, 2 by waiting",
        },
        timeout: u32 {
            default: 5000,
            description: "How long A waits for a pended handshake, in milliseconds (1 to 600000)",
        },
        hot_lines: u32 {
            default: 1,
            description: "Print a line for each call of an operation and each step of a queue: 1 yes, 0 no",
        },
    },
}

/// A has no state for each context: one [`DemoRequests`] serves the requests of all drivers.
struct DriverA;

impl DriverA {
    /// Sends the demonstration's requests to a peer from execution context `place`, and waits for the
    /// peer's events.
    fn send(contexts: &Contexts<'_, Self>, peer: &Peer, place: Place) -> Result {
        let (sender, to) = (contexts.sender(), peer.target());
        let packets = Packets::new(&sender)?;
        run_in(place, || demo_requests::exchange(packets, to))??;
        contexts.state().await_signal(place, &sender, to, || {
            DemoEvents::new(|event| open_event_of(peer.name(), event))
        })
    }
}

impl Owner for DriverA {
    type Pair = DemoPair;
    type State = DemoRequests;

    const CONTROL: Option<Settings> = Some(Settings::new(c"module_a"));
    const DISPATCH_ATOMIC: bool = true;

    fn config() -> Result<Config> {
        let config = Config::new(
            OwnerModule::NAME,
            module_parameters::contexts.value(),
            module_parameters::capacity.value(),
            module_parameters::item_size.value(),
            module_parameters::completion.value(),
            module_parameters::timeout.value(),
        )?;
        let hot_lines = module_parameters::hot_lines.value();
        Ok(
            match check_parameter(OwnerModule::NAME, "hot_lines", hot_lines, 0..=1)? {
                0 => config,
                _ => config.print_hot_steps(),
            },
        )
    }

    fn state(_config: &Config) -> impl PinInit<DemoRequests, Error> {
        DemoRequests::new()
    }

    fn new(_state: &Arc<DemoRequests>, _id: u32) -> Result<Self> {
        Ok(Self)
    }

    fn ready(contexts: &Contexts<'_, Self>) -> Result {
        let events = DemoEvents::new(|event| create_event_of(OwnerModule::NAME, event, false))?;
        contexts.state().set_events(Some(events));
        Ok(())
    }

    fn data(config: &Config) -> OwnerData {
        OwnerData {
            queue_capacity: config.capacity(),
            item_size: config.item_size(),
        }
    }

    /// Plays as many rounds as the process has written, 1 to 1000. Skips contexts without a peer.
    fn control(contexts: &Contexts<'_, Self>, reader: &mut UserSliceReader) -> Result {
        let rounds = control::read_number(reader)?;
        check_parameter(OwnerModule::NAME, "exercise", rounds, 1..=1000)?;
        for _ in 0..rounds {
            for (_, link) in contexts.iter() {
                for place in Place::ALL {
                    run_in(place, || match exercise(link) {
                        // There is no peer, or it is detaching.
                        Err(ESHUTDOWN) => Ok(()),
                        result => result,
                    })??;
                    let Some(peer) = contexts.peer(link) else {
                        continue;
                    };
                    match Self::send(contexts, &peer, place) {
                        // This peer is detaching, or has detached.
                        Err(_) if contexts.peer(link).as_ref() != Some(&peer) => {}
                        // The peer does not serve these requests, or not in this execution context,
                        // or has not created its events yet.
                        Err(ENOTTY | EINPROGRESS | ENOENT) => {}
                        result => result?,
                    }
                }
            }
        }
        Ok(())
    }

    fn dispatch<'a>(contexts: &Contexts<'_, Self>, request: Request<'a>) -> Disposition<'a> {
        contexts.state().dispatch(request)
    }

    fn cancelled(contexts: &Contexts<'_, Self>, id: RequestId) {
        contexts.state().cancelled(id);
    }

    fn attached(&self, link: &OwnerLink<DemoPair>) {
        if let Err(error) = demonstrate(link) {
            trace!(op_return, errno: error.to_errno(), demonstration: "incomplete");
        }
    }

    /// Puts items that wait for the next peer of this context.
    fn detached(&self, link: &OwnerLink<DemoPair>) {
        let notes: [Note; 2] = [1001, 1002];
        // The queue may be full.
        let _ = NOTE.put_batch(&link.outgoing(), &notes);
    }
}

#[vtable]
impl OwnerOps for DriverA {
    fn ping(&self, _link: &OwnerLink<DemoPair>, value: u32) -> Result<u32> {
        Ok(value.wrapping_add(1))
    }

    fn bounce(&self, link: &OwnerLink<DemoPair>, hops: u32) -> Result<u32> {
        if hops > MAX_HOPS {
            return Err(E2BIG);
        }
        let Some(left) = hops.checked_sub(1) else {
            return Ok(0);
        };
        let calls = link.peer()?.ops().bounce(left)?;
        Ok(calls.saturating_add(1))
    }

    fn drain(&self, link: &OwnerLink<DemoPair>) -> Result<u32> {
        let taken = take_all(OwnerModule::NAME, &link.incoming())?;
        for _ in 0..taken {
            NOTE.put(&link.outgoing(), &Note::from(taken))?;
        }
        Ok(taken)
    }
}

/// Exchanges items and calls with the peer. Checks the results last, so that a wrong result does not
/// prevent a call.
fn demonstrate(link: &OwnerLink<DemoPair>) -> Result {
    NOTE.put(&link.outgoing(), &1)?;
    let notes: [Note; 3] = [2, 3, 4];
    NOTE.put_batch(&link.outgoing(), &notes)?;

    let peer = link.peer()?;
    let value = peer.ops().ping(41)?;
    peer.ops().drain()?;
    let calls = peer.ops().bounce(2)?;

    take_all(OwnerModule::NAME, &link.incoming())?;
    expect(value, 42)?;
    expect(calls, 2)
}

/// Updates the shared data, and exchanges items and calls with the peer. Any context. Fails with
/// `ESHUTDOWN` if there is no peer, or if the peer begins to detach.
fn exercise(link: &OwnerLink<DemoPair>) -> Result {
    let peer = link.peer()?;
    update(OwnerModule::NAME, link.context(), |shared| {
        &mut shared.by_owner
    })?;
    NOTE.put(&link.outgoing(), &8)?;
    peer.ops().drain()?;
    take_all(OwnerModule::NAME, &link.incoming())?;
    expect(peer.ops().bounce(2)?, 2)
}
