// SPDX-License-Identifier: GPL-2.0

//! What the sensor and the consumer have agreed on.
//!
//! `docs/porting.md` shows how this pair was ported from `windows/example/`. The consumer is the
//! owner of the context and is loaded first; the sensor is the peer.

#![forbid(unsafe_code)]

use d2d::{
    link::PeerLink,
    pair, //
};

/// How many samples the sensor raises after a rate is set.
pub const BURST: u32 = 16;

pair! {
    /// What the consumer and the sensor have agreed on.
    pub SensorPair: "sensor_pair" {
        owner_data: (),
        peer_data: (),
        version: (1, 0),
    }
    structs {
        /// Payload of an item.
        struct Sample: "sample" {
            /// Counts the samples, from 0.
            number: u64,
            /// The measured value.
            value: u64,
        }
    }
    kinds {
        /// A sample.
        const SAMPLE: ItemKind<Sample> = 1;
    }
    codes {}
    owner {
        /// What the consumer offers: nothing.
        trait ConsumerOps: "consumer" {
            interface: ConsumerInterface,
            caller: ConsumerCaller,
            table: ConsumerTable,
        }
    }
    peer {
        /// What the sensor offers. Operations are called in any execution context.
        trait SensorOps: "sensor" {
            interface: SensorInterface,
            caller: SensorCaller,
            table: SensorTable,
        }
        /// Makes the sensor raise [`BURST`] samples, one every `period` milliseconds. Returns the
        /// previous period. Fails with `EINVAL` if `period` is not 1 to 1000, and with `EBUSY` while
        /// samples of an earlier call are left.
        fn set_rate(&self, link: &PeerLink<SensorPair>, period: u32) -> Result<u32>;
    }
}
