// SPDX-License-Identifier: GPL-2.0

//! The owner of the bench. Its peer is `bench_peer`.

#![forbid(unsafe_code)]

use bench::{
    BenchPair,
    OwnerOps,
    DOORBELL,
    PEND,
    PING, //
};
use d2d::{
    event::{
        Event,
        Kind, //
    },
    link::OwnerLink,
    request::{
        Disposition,
        Request, //
    }, //
};
use d2d_owner::{
    open_event,
    Config,
    Contexts,
    Owner, //
};
use kernel::{
    prelude::*,
    sync::{
        new_mutex,
        Arc,
        Mutex, //
    },
    ModuleMetadata, //
};

d2d_owner::module_owner! {
    type: BenchOwner,
    name: "bench_owner",
    authors: ["Beyond IRPs"],
    description: "Bench: an owner whose calls are measured",
    license: "GPL",
    params: {
        contexts: u32 {
            default: 64,
            description: "Number of contexts: one for the measuring driver, the rest for drivers that are only attached (1 to 64)",
        },
        capacity: u32 {
            default: 256,
            description: "Number of items that each of a context's two queues can hold",
        },
        item_size: u32 {
            default: 64,
            description: "Bytes of payload of an item (8 to 4096)",
        },
    },
}

struct BenchOwner {
    /// The doorbell of the queue to the owner.
    doorbell: Pin<KBox<Mutex<Option<Event>>>>,
}

impl Owner for BenchOwner {
    type Pair = BenchPair;
    type State = ();

    /// The default values are those of module_a, except for the number of contexts.
    fn config() -> Result<Config> {
        let (completion, timeout) = (0, 5000);
        Config::new(
            OwnerModule::NAME,
            module_parameters::contexts.value(),
            module_parameters::capacity.value(),
            module_parameters::item_size.value(),
            completion,
            timeout,
        )
    }

    fn state(_config: &Config) -> impl PinInit<(), Error> {
        Ok::<_, Error>(())
    }

    fn new(_state: &Arc<()>, _id: u32) -> Result<Self> {
        let doorbell = KBox::pin_init(new_mutex!(None), GFP_KERNEL)?;
        Ok(Self { doorbell })
    }

    fn data(_config: &Config) -> [u64; 1] {
        [0]
    }

    /// May sleep, so a worker calls it if the sender must not sleep.
    fn dispatch<'a>(_contexts: &Contexts<'_, Self>, request: Request<'a>) -> Disposition<'a> {
        request
            .on(PING, |value, request| {
                request.complete(&value.wrapping_add(1))
            })
            .on(PEND, |value, request| {
                let (disposition, request) = request.pend();
                // Fails only if the request was cancelled, and the bench cancels none.
                let _ = request.complete(&value.wrapping_add(1));
                disposition
            })
            .or_unknown()
    }

    fn attached(&self, _link: &OwnerLink<BenchPair>) {}

    fn detached(&self, _link: &OwnerLink<BenchPair>) {}
}

#[vtable]
impl OwnerOps for BenchOwner {
    fn ping(&self, _link: &OwnerLink<BenchPair>, value: u32) -> Result<u32> {
        Ok(value.wrapping_add(1))
    }

    fn call_peer(&self, link: &OwnerLink<BenchPair>, times: u64) -> Result<u32> {
        loop_ops_call_a_to_b(link, times)
    }

    fn set_doorbell(&self, link: &OwnerLink<BenchPair>, on: u32) -> Result<u32> {
        let event = match on {
            0 => None,
            _ => Some(open_event(DOORBELL, Kind::Synchronization)?),
        };
        link.set_doorbell(event.as_ref());
        let before = core::mem::replace(&mut *self.doorbell.lock(), event);
        drop(before);
        Ok(0)
    }
}

/// Enters rundown protection for each call, as does a driver that may sleep between calls.
#[inline(never)]
fn loop_ops_call_a_to_b(link: &OwnerLink<BenchPair>, n: u64) -> Result<u32> {
    let mut value = 0;
    for _ in 0..n {
        value = link.peer()?.ops().ping(value)?;
    }
    Ok(value)
}
