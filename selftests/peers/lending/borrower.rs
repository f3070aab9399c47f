// SPDX-License-Identifier: GPL-2.0

//! Test: a peer that lends its owner counters, and uses the owner's ring. Writing a number to `/dev/borrower` runs a
//! test:
//!
//! - 1: in each execution context, this driver fills the owner's ring, and the owner empties the ring,
//! - 2: in each execution context, the owner counts in this driver's counters,
//! - 3: this driver asks the owner for counters; it must fail, because the owner lends a ring,
//! - 4: the owner asks this driver for a ring; it must fail, because this driver lends counters,
//! - 5: for each counter, this driver sends the owner a request whose `user_buffer` points to the counter,
//! - 6: this driver sends such a request, for one counter, to `c_borrower`, a peer in another context; it must fail,
//!   because the counters are lent to the owner only.

#![forbid(unsafe_code)]

use d2d::{
    control,
    control_code::ControlCode,
    device::Settings,
    driver::{
        Driver,
        DriverRef, //
    },
    lent::Lending,
    link::PeerLink,
    packet::Target,
    run_in::{
        run_in,
        Place, //
    }, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    uaccess::UserSliceReader, //
};
use lending_pair::{
    BorrowerOps,
    Counter,
    LendingPair,
    Ring,
    CAPACITY,
    COUNT_ONE,
    WHICH_RING, //
};

d2d::module_peer! {
    type: Borrower,
    owner: lender,
    name: "borrower",
    authors: ["Beyond IRPs"],
    description: "Test: a peer that lends and borrows memory",
    license: "GPL",
    imports_ns: ["D2D"],
    params: {
        keeps: u32 {
            default: 1,
            description: "Whether the driver keeps a reference to the counters that it lends: 0 no, 1 yes",
        },
    },
}

/// So many that they need several pages.
const COUNTERS: usize = 3000;

struct Borrower {
    counters: Arc<KVVec<Counter>>,
}

impl Borrower {
    fn counters() -> Result<Arc<KVVec<Counter>>> {
        let mut counters = KVVec::with_capacity(COUNTERS, GFP_KERNEL)?;
        for n in 0..COUNTERS {
            let counter = Counter {
                count: Atomic::new(0),
                step: Atomic::new(n as u32 + 1),
            };
            counters.push(counter, GFP_KERNEL)?;
        }
        Ok(Arc::new(counters, GFP_KERNEL)?)
    }

    fn fill(link: &PeerLink<LendingPair>) -> Result {
        let ring = link.lent::<Ring>()?;
        let mut sum = 0;
        for value in 1..=CAPACITY as u64 {
            ring.put(value)?;
            sum += value;
        }
        expect(ring.put(0), Err(ENOSPC))?;
        expect(link.owner().drain(), Ok(sum))
    }

    fn count(&self, link: &PeerLink<LendingPair>) -> Result {
        let before = self.counters[COUNTERS - 1].count.load(Relaxed);
        expect(link.owner().count(), Ok(COUNTERS as u64))?;
        let is_counted = |(n, counter): (usize, &Counter)| {
            counter.count.load(Relaxed) == (before / COUNTERS as u32 + 1) * (n as u32 + 1)
        };
        expect(self.counters.iter().enumerate().all(is_counted), true)
    }

    fn send(
        driver: &DriverRef<Self>,
        to: &Target,
        code: ControlCode<(), u64>,
        counter: &Counter,
    ) -> Result<u64> {
        let user_buffer = driver.user_buffer(counter)?;
        let packet = driver.sender().packet_for(code)?;
        let output = packet
            .with_user_buffer(user_buffer)
            .call(to, code, &(), None)?;
        Ok(output)
    }

    fn count_each(driver: &DriverRef<Self>) -> Result {
        let owner = driver.sender().lookup(c"lender")?;
        for (n, counter) in driver.counters.iter().enumerate() {
            let expected = counter.count.load(Relaxed) + counter.step.load(Relaxed);
            expect(Self::send(driver, &owner, COUNT_ONE, counter)?, n as u64)?;
            expect(counter.count.load(Relaxed), expected)?;
        }
        Ok(())
    }
}

impl Drop for Borrower {
    /// The driver has detached, so the owner no longer counts. It must have counted equally often in all counters.
    fn drop(&mut self) {
        let counted = |counter: &Counter| {
            let step = counter.step.load(Relaxed);
            counter.count.load(Relaxed).checked_div(step)
        };
        let first = self.counters.first().and_then(counted);
        let mut all = self.counters.iter().map(counted);
        if all.any(|one| one != first) {
            pr_err!("the owner has not counted equally often in all counters\n");
        }
        pr_info!("counted={}\n", first.unwrap_or(0));
    }
}

impl Driver for Borrower {
    type Pair = LendingPair;
    type Resources = ();

    const CONTROL: Option<Settings> = Some(Settings::new(c"borrower"));

    fn new() -> Result<Self> {
        Ok(Self {
            counters: Self::counters()?,
        })
    }

    fn start(_driver: DriverRef<Self>) -> impl PinInit<(), Error> {
        Ok::<_, Error>(())
    }

    fn data(&self) {}

    fn lend(&self) -> Option<Lending> {
        let counters = match module_parameters::keeps.value() {
            0 => Self::counters().ok()?,
            _ => self.counters.clone(),
        };
        Some(Lending::slice(counters, |counters| counters))
    }

    fn control(driver: &DriverRef<Self>, command: &mut UserSliceReader) -> Result {
        let link = driver.link().ok_or(ENOTCONN)?;
        match control::read_number(command)? {
            1 => Place::ALL
                .into_iter()
                .try_for_each(|place| run_in(place, || Self::fill(link))?),
            2 => Place::ALL
                .into_iter()
                .try_for_each(|place| run_in(place, || driver.count(link))?),
            3 => link.lent::<Counter>().map(|_| ()),
            4 => link.owner().want_ring().map(|_| ()),
            5 => Self::count_each(driver),
            6 => {
                let peer = driver.sender().lookup(c"c_borrower")?;
                Self::send(driver, &peer, WHICH_RING, &driver.counters[0]).map(|_| ())
            }
            _ => Err(EINVAL),
        }
    }
}

#[vtable]
impl BorrowerOps for Borrower {}

fn expect<T: PartialEq>(got: T, expected: T) -> Result {
    match got == expected {
        true => Ok(()),
        false => Err(ENOTRECOVERABLE),
    }
}
