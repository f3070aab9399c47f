// SPDX-License-Identifier: GPL-2.0

//! What the metronome and the listener have agreed on.
//!
//! The metronome is the owner of the context and is loaded first; the listener is the peer. Each has
//! a job: the metronome a timer, the listener a work item.

#![forbid(unsafe_code)]

use d2d::{
    link::{
        OwnerLink,
        PeerLink, //
    },
    pair, //
};

pair! {
    /// What the metronome and the listener have agreed on.
    pub MetronomePair: "metronome_pair" {
        owner_data: (),
        peer_data: (),
        version: (1, 0),
    }
    structs {
        /// Payload of an item.
        struct Beat: "beat" {
            /// Counts the beats, from 0.
            number: u64,
        }
    }
    kinds {
        /// A beat, which the metronome has counted.
        const BEAT: ItemKind<Beat> = 1;
    }
    codes {}
    events {
        /// The listener sets its event when it has heard as many beats as a process waits for.
        enough: Notification;
    }
    owner {
        /// What the metronome offers. Its operation may be called in any execution context.
        trait MetronomeOps: "metronome" {
            interface: MetronomeInterface,
            caller: MetronomeCaller,
            table: MetronomeTable,
        }
        /// Makes the metronome beat every `period` microseconds, or stop if `period` is 0. Fails with
        /// `EINVAL` if `period` is 1 to 19, or more than a second.
        fn set_period(&self, link: &OwnerLink<MetronomePair>, period: u32) -> Result<u32>;
    }
    peer {
        /// What the listener offers. Its operation is called in hard interrupt.
        trait ListenerOps: "listener" {
            interface: ListenerInterface,
            caller: ListenerCaller,
            table: ListenerTable,
        }
        /// Says that there are beats in the queue. Returns 0.
        fn beats(&self, link: &PeerLink<MetronomePair>) -> Result<u32>;
    }
}
