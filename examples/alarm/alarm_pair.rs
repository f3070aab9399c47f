// SPDX-License-Identifier: GPL-2.0

//! What the alarm and the sleeper have agreed on.
//!
//! `docs/porting.md` shows how this pair was ported from the WDM drivers of `windows/alarm/`, and
//! `docs/porting-kmdf.md` from the KMDF drivers of `windows/kmdf/`. The alarm is the owner of the
//! context and is loaded first; the sleeper is the peer.

#![forbid(unsafe_code)]

use d2d::{
    link::OwnerLink,
    pair, //
};

/// The longest time of a [`RING`], in milliseconds: an hour.
pub const LONGEST: u32 = 3_600_000;

/// The most requests and calls of processes that are pending at a time.
pub const MOST: usize = 32;

pair! {
    /// What the alarm and the sleeper have agreed on.
    pub AlarmPair: "alarm_pair" {
        owner_data: (),
        peer_data: (),
        version: (1, 0),
    }
    structs {}
    kinds {}
    codes {
        /// Stays pending for a number of milliseconds, 1 to [`LONGEST`]. The output says how many
        /// requests and calls the alarm has completed before. Fails with `EINVAL` for another number, and
        /// with `EBUSY` if [`MOST`] of them are pending.
        const RING: ControlCode<u32, u64> = 0x801;
    }
    events {
        /// The sleeper sets its event each time that its completion routine gets a request.
        rang: Synchronization;
    }
    owner {
        /// What the alarm offers. Its operation may be called in any execution context.
        trait AlarmOps: "alarm" {
            interface: AlarmInterface,
            caller: AlarmCaller,
            table: AlarmTable,
        }
        /// Returns the number of requests and calls that are pending.
        fn waiting(&self, link: &OwnerLink<AlarmPair>) -> Result<u32>;
    }
    peer {
        /// What the sleeper offers: nothing.
        trait SleeperOps: "sleeper" {
            interface: SleeperInterface,
            caller: SleeperCaller,
            table: SleeperTable,
        }
    }
}
