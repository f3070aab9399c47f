// SPDX-License-Identifier: GPL-2.0

//! Test: a peer that uses the lookaside list of `docs/porting-tables.md` in hard interrupt.
//!
//! Writing a number to `/dev/d2d_history` takes a *record* from the list, and keeps it with this number. Reading
//! returns the oldest number, and gives its record back to the list. If no record is kept, reading returns the end of
//! the file.

#![forbid(unsafe_code)]

use d2d::{
    control,
    device::{
        self,
        Call,
        Opening,
        Settings, //
    },
    driver::{
        Driver,
        DriverRef, //
    },
    link::PeerLink,
    run_in::{
        run_in,
        Place, //
    }, //
};
use d2d_pair::{
    DemoPair,
    PeerData,
    PeerOps, //
};
use kernel::{
    prelude::*,
    str::CString,
    sync::{
        new_spinlock_irq,
        SpinLockIrq, //
    },
    uaccess::{
        UserSliceReader,
        UserSliceWriter, //
    }, //
};

d2d::module_peer! {
    type: HistoryPeer,
    owner: module_a,
    name: "history_peer",
    authors: ["Beyond IRPs"],
    description: "Test: a peer with a list of preallocated values",
    license: "GPL",
    imports_ns: ["D2D"],
}

const MOST: usize = 8;

/// Too large for the stack of an interrupt.
#[derive(Zeroable)]
struct Record {
    number: u32,
    samples: [u32; 1000],
}

/// The records. Each is in one of the lists, and each list has room for all of them.
struct History {
    free: KVec<KBox<Record>>,
    /// The oldest first.
    kept: KVec<KBox<Record>>,
}

impl History {
    /// May sleep.
    fn new() -> Result<Self> {
        let mut free = KVec::with_capacity(MOST, GFP_KERNEL)?;
        for _ in 0..MOST {
            free.push(KBox::init(Record::init_zeroed(), GFP_KERNEL)?, GFP_KERNEL)?;
        }
        let kept = KVec::with_capacity(MOST, GFP_KERNEL)?;
        Ok(Self { free, kept })
    }

    /// Keeps a record. Fails with `ENOSPC` if none is free. Any context.
    fn add(&mut self, number: u32) -> Result {
        let mut record = self.free.pop().ok_or(ENOSPC)?;
        record.number = number;
        record.samples.fill(number);
        self.kept.push_within_capacity(record)?;
        Ok(())
    }

    /// Gives the oldest record back, and returns its number. Any context.
    fn take(&mut self) -> Result<u32> {
        let record = self.kept.remove(0).map_err(|_| ENODATA)?;
        let number = record.number;
        let is_whole = record.samples.iter().all(|sample| *sample == number);
        self.free.push_within_capacity(record)?;
        is_whole.then_some(number).ok_or(EIO)
    }
}

struct HistoryPeer {
    history: Pin<KBox<SpinLockIrq<History>>>,
}

struct Opened;

impl device::File for Opened {
    type Driver = DriverRef<HistoryPeer>;

    fn open(_driver: &Self::Driver, _opening: &Opening<'_>) -> impl PinInit<Self, Error> {
        Ok(Self)
    }

    fn read(&self, driver: &Self::Driver, _call: &Call<'_>, to: &mut UserSliceWriter) -> Result {
        match run_in(Place::HardIrq, || driver.history.lock().take())? {
            Ok(number) => to.write_slice(CString::try_from_fmt(fmt!("{}\n", number))?.to_bytes()),
            Err(ENODATA) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn write(&self, driver: &Self::Driver, _call: &Call<'_>, from: &mut UserSliceReader) -> Result {
        let number = control::read_number(from)?;
        run_in(Place::HardIrq, || driver.history.lock().add(number))?
    }
}

impl Driver for HistoryPeer {
    type Pair = DemoPair;
    type Resources = ();

    fn new() -> Result<Self> {
        let history = new_spinlock_irq!(History::new()?, "history_peer::history");
        Ok(Self {
            history: KBox::pin_init(history, GFP_KERNEL)?,
        })
    }

    fn start(driver: DriverRef<Self>) -> impl PinInit<(), Error> {
        driver.device::<Opened>(Settings::new(c"d2d_history"))?;
        Ok(())
    }

    fn data(&self) -> PeerData {
        PeerData {
            cookie: 0x415,
            deferred: 0,
            reserved: 0,
        }
    }
}

#[vtable]
impl PeerOps for HistoryPeer {
    fn ping(&self, _link: &PeerLink<DemoPair>, value: u32) -> Result<u32> {
        Ok(value.wrapping_add(1))
    }
}
