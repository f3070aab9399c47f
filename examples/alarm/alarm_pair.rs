// SPDX-License-Identifier: GPL-2.0

//! What the alarm and the sleeper have agreed on.
//!
//! `docs/porting.md` shows how this pair was ported from the WDM drivers of `windows/alarm/`, and
//! `docs/porting-kmdf.md` from the KMDF drivers of `windows/kmdf/`. The alarm is the owner of the
//! context and is loaded first; the sleeper is the peer.

#![forbid(unsafe_code)]

use d2d::{
    control_code::ControlCode,
    interface,
    link::{
        OwnerLink,
        Pair,
        PeerLink, //
    }, //
};

/// Stays pending for a number of milliseconds, 1 to [`LONGEST`]. The output says how many requests
/// the alarm has completed before. Fails with `EINVAL` for another number, and with `EBUSY` if
/// [`MOST`] requests are pending.
pub const RING: ControlCode<u32, u64> = ControlCode::new(0x801);

/// The longest time of a [`RING`], in milliseconds: an hour.
pub const LONGEST: u32 = 3_600_000;

/// The most requests that are pending at a time.
pub const MOST: usize = 32;

/// What the alarm and the sleeper have agreed on.
pub struct AlarmPair;

impl Pair for AlarmPair {
    type Owner = AlarmInterface;
    type Peer = SleeperInterface;
    type OwnerData = ();
    type PeerData = ();
}

interface! {
    /// What the alarm offers. Its operation may be called in any execution context.
    pub trait AlarmOps: "alarm" {
        interface: AlarmInterface,
        caller: AlarmCaller,
        table: AlarmTable,
        link: OwnerLink<AlarmPair>,
        version: (1, 0),
    }
    /// Returns the number of requests that are pending.
    fn waiting(&self, link: &OwnerLink<AlarmPair>) -> Result<u32>;
}

interface! {
    /// What the sleeper offers: nothing.
    pub trait SleeperOps: "sleeper" {
        interface: SleeperInterface,
        caller: SleeperCaller,
        table: SleeperTable,
        link: PeerLink<AlarmPair>,
        version: (1, 0),
    }
}
