// SPDX-License-Identifier: GPL-2.0

//! Test: an owner that lends a ring to its peer, which lends counters. Writing a number to `/dev/lender` runs a test:
//!
//! - 1: the owner counts in the peer's memory,
//! - 2: the owner gets the peer's memory, waits for the event `lender.go`, and then counts,
//! - 3: the owner sets this event,
//! - 4: the owner sends the peer a request whose `user_buffer` points to the owner's ring.

#![forbid(unsafe_code)]

use d2d::{
    control,
    device::Settings,
    event::{
        Event,
        Kind,
        Wait, //
    },
    lent::{
        self,
        Lending, //
    },
    link::OwnerLink,
    request::{
        Disposition,
        Request,
        Typed, //
    }, //
};
use d2d_owner::{
    create_event,
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
use lending_pair::{
    Counter,
    LenderOps,
    LendingPair,
    Ring,
    CAPACITY,
    COUNT_ONE,
    WHICH_RING, //
};

d2d_owner::module_owner! {
    type: Lender,
    name: "lender",
    authors: ["Beyond IRPs"],
    description: "Test: an owner that lends and borrows memory",
    license: "GPL",
}

struct Events {
    /// Set when the owner has the peer's memory.
    inside: Event,
    /// The event for which the owner waits while it has the peer's memory.
    go: Event,
}

struct Lender {
    ring: Arc<Ring>,
    /// Set in [`Owner::ready`].
    events: SetOnce<Events>,
}

impl Lender {
    /// Gets the peer's memory, calls `wait`, and then counts in each counter.
    fn count(&self, link: &OwnerLink<LendingPair>, wait: impl FnOnce() -> Result) -> Result<u64> {
        let peer = link.peer()?;
        let counters = peer.lent_slice::<Counter>()?;
        wait()?;
        counters.iter().for_each(Counter::count);
        Ok(counters.len() as u64)
    }

    /// Counts in the peer's counter to which `user_buffer` points, and returns its index.
    fn count_one(contexts: &Contexts<'_, Self>, request: &Typed<'_, u64>) -> Result<u64> {
        let (_, link) = contexts.get(0).ok_or(ENODEV)?;
        let peer = link.peer()?;
        let counters = peer.lent_slice::<Counter>()?;
        let index = request.index_of_buffer(counters)?;
        counters[index].count();
        Ok(index as u64)
    }

    /// Asks the peer to which ring `user_buffer` points. Returns the answer, the ring's index.
    fn send_ring(
        &self,
        contexts: &Contexts<'_, Self>,
        link: &OwnerLink<LendingPair>,
    ) -> Result<u64> {
        let peer = contexts.peer(link).ok_or(ENODEV)?;
        let user_buffer = contexts.user_buffer(link, &*self.ring)?;
        let packet = contexts.sender().packet_for(WHICH_RING)?;
        let index =
            packet
                .with_user_buffer(user_buffer)
                .call(peer.target(), WHICH_RING, &(), None)?;
        Ok(index)
    }

    fn wait_inside(&self) -> Result {
        let events = self.events.as_ref().ok_or(ENODEV)?;
        events.inside.set()?;
        events.go.wait(Wait::FOREVER)
    }

    fn go(&self) -> Result<u64> {
        self.events.as_ref().ok_or(ENODEV)?.go.set()?;
        Ok(0)
    }
}

impl Owner for Lender {
    type Pair = LendingPair;
    type State = ();

    const CONTROL: Option<Settings> = Some(Settings::new(c"lender"));

    fn config() -> Result<Config> {
        Config::new(OwnerModule::NAME, 1, 1, 8, 0, 5000)
    }

    fn state(_config: &Config) -> impl PinInit<(), Error> {
        Ok::<_, Error>(())
    }

    fn new(_state: &Arc<()>, _id: u32) -> Result<Self> {
        Ok(Self {
            ring: Arc::pin_init(lent::zeroed(), GFP_KERNEL)?,
            events: SetOnce::new(),
        })
    }

    fn data(_config: &Config) {}

    fn lend(&self) -> Option<Lending> {
        Some(Lending::new(self.ring.clone(), |ring| ring))
    }

    fn ready(contexts: &Contexts<'_, Self>) -> Result {
        let (this, _) = contexts.get(0).ok_or(ENODEV)?;
        let inside = create_event(c"lender.inside", Kind::Notification, false)?;
        let go = create_event(c"lender.go", Kind::Synchronization, false)?;
        this.events.populate(Events { inside, go });
        Ok(())
    }

    fn control(contexts: &Contexts<'_, Self>, command: &mut UserSliceReader) -> Result {
        let (this, link) = contexts.get(0).ok_or(ENODEV)?;
        match control::read_number(command)? {
            1 => this.count(link, || Ok(()))?,
            2 => this.count(link, || this.wait_inside())?,
            3 => this.go()?,
            4 => this.send_ring(contexts, link)?,
            _ => return Err(EINVAL),
        };
        Ok(())
    }

    fn dispatch<'a>(contexts: &Contexts<'_, Self>, request: Request<'a>) -> Disposition<'a> {
        request
            .on(COUNT_ONE, |(), request| {
                match Self::count_one(contexts, &request) {
                    Ok(index) => request.complete(&index),
                    Err(error) => request.fail(error),
                }
            })
            .or_unknown()
    }

    fn attached(&self, _link: &OwnerLink<LendingPair>) {}

    fn detached(&self, _link: &OwnerLink<LendingPair>) {}
}

#[vtable]
impl LenderOps for Lender {
    fn drain(&self, _link: &OwnerLink<LendingPair>) -> Result<u64> {
        // The peer may go on putting values. Take no more than the ring can hold, so that this loop ends.
        let values = (0..CAPACITY).map_while(|_| self.ring.take());
        Ok(values.fold(0, u64::wrapping_add))
    }

    fn count(&self, link: &OwnerLink<LendingPair>) -> Result<u64> {
        self.count(link, || Ok(()))
    }

    fn want_ring(&self, link: &OwnerLink<LendingPair>) -> Result<u64> {
        let peer = link.peer()?;
        peer.lent::<Ring>()?;
        Ok(0)
    }
}
