// SPDX-License-Identifier: GPL-2.0

//! Test: a peer that stores handles of items as numbers, and pends each handshake.
//!
//! Writing N to `/dev/handle_peer` plays N rounds in each execution context. A round redeems the handles of the
//! previous round, usually in another execution context. When the peer detaches, the owner revokes the stored handles.

#![forbid(unsafe_code)]

use d2d::{
    control,
    device::Settings,
    driver::{
        Driver,
        DriverRef,
        Offer, //
    },
    link::PeerLink,
    queue::ItemHandle,
    request::{
        Disposition,
        Request,
        RequestId, //
    },
    run_in::{
        run_in,
        Place, //
    },
    trace::check_parameter, //
};
use d2d_pair::{
    demo_requests::DemoRequests,
    DemoPair,
    Note,
    PeerData,
    PeerOps,
    MAX_HOPS, //
    NOTE,
};
use kernel::{
    prelude::*,
    sync::{
        new_spinlock_irq,
        SpinLockIrq, //
    },
    uaccess::UserSliceReader,
    ModuleMetadata, //
};

d2d::module_peer! {
    type: HandlePeer,
    owner: module_a,
    name: "handle_peer",
    authors: ["Beyond IRPs"],
    description: "Test: a peer that takes handles of items",
    license: "GPL",
    imports_ns: ["D2D"],
}

struct HandlePeer {
    stored: Pin<KBox<SpinLockIrq<[Option<u64>; 8]>>>,
    requests: DemoRequests,
}

impl HandlePeer {
    /// Takes an item, and stores its handle. If there is no room, redeems the handle at once. Returns `false` if the
    /// queue is empty.
    fn store(&self, link: &PeerLink<DemoPair>) -> Result<bool> {
        let Some(handle) = link.incoming().take_handle() else {
            return Ok(false);
        };
        let number = handle.into_raw();
        let mut numbers = self.stored.lock();
        if let Some(place) = numbers.iter_mut().find(|place| place.is_none()) {
            *place = Some(number);
            return Ok(true);
        }
        drop(numbers);
        Self::redeem(link, number)?;
        Ok(true)
    }

    fn redeem_all(&self, link: &PeerLink<DemoPair>) -> Result<Note> {
        let mut sum = 0;
        let numbers = core::mem::take(&mut *self.stored.lock());
        for number in numbers.into_iter().flatten() {
            let note = Self::redeem(link, number)?;
            sum = Note::wrapping_add(sum, note);
        }
        Ok(sum)
    }

    /// Redeems a handle, and reads and releases the item. After that, the handle must be stale.
    fn redeem(link: &PeerLink<DemoPair>, number: u64) -> Result<Note> {
        let items = link.incoming().redeem(ItemHandle::from_raw(number))?;
        let note = items.iter().find_map(|item| item.read::<Note>());
        drop(items);
        match link.incoming().redeem(ItemHandle::from_raw(number)) {
            Err(ESTALE) => note.ok_or(EBADMSG),
            _ => Err(ENOTRECOVERABLE),
        }
    }

    /// Stores the handles of all items, and returns their number. Any context.
    fn store_all(&self, link: &PeerLink<DemoPair>) -> Result<u32> {
        let mut taken = 0;
        while self.store(link)? {
            taken += 1;
        }
        Ok(taken)
    }

    /// Plays a round. This peer's operation `drain` stores handles for the next round, too.
    fn exercise(&self, link: &PeerLink<DemoPair>) -> Result {
        let sum = self.redeem_all(link)?;
        NOTE.put(&link.outgoing(), &sum)?;
        link.owner().drain()?;
        self.store_all(link)?;
        Ok(())
    }
}

impl Driver for HandlePeer {
    type Pair = DemoPair;
    type Resources = ();

    const DISPATCH_ATOMIC: bool = true;
    const CONTROL: Option<Settings> = Some(Settings::new(c"handle_peer"));

    fn new() -> Result<Self> {
        let stored = KBox::pin_init(
            new_spinlock_irq!([None; 8], "handle_peer::stored"),
            GFP_KERNEL,
        )?;
        Ok(Self {
            stored,
            requests: DemoRequests::new()?,
        })
    }

    fn start(_driver: DriverRef<Self>) -> impl PinInit<(), Error> {
        Ok(())
    }

    fn control(driver: &DriverRef<Self>, reader: &mut UserSliceReader) -> Result {
        let rounds = control::read_number(reader)?;
        check_parameter(PeerModule::NAME, "exercise", rounds, 1..=1000)?;
        let link = driver.settled_link()?;
        for _ in 0..rounds {
            for place in Place::ALL {
                run_in(place, || driver.exercise(link))??;
            }
        }
        Ok(())
    }

    fn data(&self) -> PeerData {
        PeerData {
            cookie: 3,
            deferred: 1,
            reserved: 0,
        }
    }

    fn dispatch<'a>(&self, request: Request<'a>) -> Disposition<'a> {
        self.requests.dispatch(request)
    }

    fn cancelled(&self, id: RequestId) {
        self.requests.cancelled(id);
    }

    fn share<'a>(&self, offer: Offer<'a, Self>) -> Disposition<'a> {
        offer.pend()
    }
}

#[vtable]
impl PeerOps for HandlePeer {
    fn ping(&self, _link: &PeerLink<DemoPair>, value: u32) -> Result<u32> {
        Ok(value.wrapping_add(1))
    }

    fn bounce(&self, link: &PeerLink<DemoPair>, hops: u32) -> Result<u32> {
        if hops > MAX_HOPS {
            return Err(E2BIG);
        }
        let Some(left) = hops.checked_sub(1) else {
            return Ok(0);
        };
        let calls = link.owner().bounce(left)?;
        Ok(calls.saturating_add(1))
    }

    fn drain(&self, link: &PeerLink<DemoPair>) -> Result<u32> {
        self.store_all(link)
    }
}
