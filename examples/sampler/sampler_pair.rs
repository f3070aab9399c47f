// SPDX-License-Identifier: GPL-2.0

//! What the sampler and the recorder have agreed on.
//!
//! The sampler is the owner of the context and is loaded first; the recorder is the peer. Any other
//! driver, such as the tuner, can configure the recorder by a request.

#![forbid(unsafe_code)]

use d2d::{
    link::OwnerLink,
    pair, //
};

/// The most samples a second.
pub const FASTEST: u32 = 50_000;

/// Samples that the recorder keeps for its readers.
pub const KEPT: u32 = 8192;

pair! {
    /// What the sampler and the recorder have agreed on.
    pub SamplerPair: "sampler_pair" {
        owner_data: (),
        peer_data: (),
        shared_data: Statistics,
        version: (1, 0),
    }
    structs {
        /// A sample: the payload of an item, and what a process reads from `/dev/recorder`.
        struct Sample: "sample" {
            /// Counts the expiries of the timer, from 0. A number that is missing was an overrun,
            /// or the queue had no room for its sample.
            number: u64,
            /// What was measured.
            value: u64,
        }
        /// What both drivers count, from the loading of the sampler on. When the timer is stopped and
        /// the queue is empty, `produced` is the sum of `recorded`, `lost` and `overruns`.
        struct Statistics: "statistics" {
            /// Expiries of the timer. Written by the sampler, like `lost`, `overruns` and `rate`.
            produced: u64,
            /// Samples that the queue had no room for.
            lost: u64,
            /// Expiries that the timer skipped, because the CPU was late.
            overruns: u64,
            /// Samples that have arrived. Written by the recorder, like `lowest`, `highest` and `sum`.
            recorded: u64,
            /// Samples a second; 0 if the timer is stopped.
            rate: u64,
            /// The lowest value.
            lowest: u64,
            /// The highest value.
            highest: u64,
            /// The sum of all values, which wraps around.
            sum: u64,
        }
        /// What can be configured.
        struct Settings: "settings" {
            /// Samples a second: at most [`FASTEST`]. 0 stops the timer.
            rate: u32,
            /// A process waits until it has this many samples to read: 1 to [`KEPT`].
            watermark: u32,
        }
    }
    kinds {
        /// A sample.
        const SAMPLE: ItemKind<Sample> = 1;
    }
    codes {
        /// Configures the recorder. The output says how it was configured before. Fails with `EINVAL`
        /// for a setting that is out of range, with `EBUSY` if another one is under way, and with
        /// `EAGAIN` while the recorder is being loaded.
        const CONFIGURE: ControlCode<Settings, Settings> = 0x801;
    }
    owner {
        /// What the sampler offers. Its operation may be called in any execution context.
        trait SamplerOps: "sampler" {
            interface: SamplerInterface,
            caller: SamplerCaller,
            table: SamplerTable,
        }
        /// Makes the sampler take `rate` samples a second, or none if `rate` is 0. Returns the rate
        /// before. Fails with `EINVAL` if `rate` is more than [`FASTEST`].
        fn set_rate(&self, link: &OwnerLink<SamplerPair>, rate: u32) -> Result<u32>;
    }
    peer {
        /// What the recorder offers: nothing.
        trait RecorderOps: "recorder" {
            interface: RecorderInterface,
            caller: RecorderCaller,
            table: RecorderTable,
        }
    }
}
