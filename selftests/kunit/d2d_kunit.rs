// SPDX-License-Identifier: GPL-2.0

//! KUnit suites for the library: what `shared/` promises, piece by piece.
//!
//! They run when the module is loaded, and again whenever something is written to
//! `/sys/kernel/debug/kunit/SUITE/run`. The owner's half of the library has no public pieces but the
//! module that it makes, so its sources are modules of this crate as well.
//!
//! Without `CONFIG_KUNIT=y` nothing of this would be left but a module that can be loaded, and that
//! tests nothing; it is not built then.

#[allow(dead_code, unreachable_pub)]
#[path = "../../shared/owner/block.rs"]
mod block;
#[allow(dead_code, unreachable_pub)]
#[path = "../../shared/owner/bounce.rs"]
mod bounce;
#[allow(dead_code, unreachable_pub)]
#[path = "../../shared/owner/buffers.rs"]
mod buffers;
#[allow(dead_code, unreachable_pub)]
#[path = "../../shared/owner/completion.rs"]
mod completion;
#[allow(dead_code, unreachable_pub)]
#[path = "../../shared/owner/config.rs"]
mod config;
#[allow(dead_code, unreachable_pub)]
#[path = "../../shared/owner/dispatcher.rs"]
mod dispatcher;
#[allow(dead_code, unreachable_pub)]
#[path = "../../shared/owner/entry.rs"]
mod entry;
#[allow(dead_code, unreachable_pub)]
#[path = "../../shared/owner/events.rs"]
mod events;
#[allow(dead_code, unreachable_pub)]
#[path = "../../shared/owner/handle.rs"]
mod handle;
#[allow(dead_code, unreachable_pub)]
#[path = "../../shared/d2d/lock.rs"]
mod lock;
#[allow(dead_code, unreachable_pub)]
#[path = "../../shared/owner/offers.rs"]
mod offers;
#[allow(dead_code, unreachable_pub)]
#[path = "../../shared/owner/recall.rs"]
mod recall;
#[allow(dead_code, unreachable_pub)]
#[path = "../../shared/owner/registry.rs"]
mod registry;
#[allow(dead_code, unreachable_pub)]
#[path = "../../shared/owner/requests.rs"]
mod requests;
#[allow(dead_code, unreachable_pub)]
#[path = "../../shared/owner/table.rs"]
mod table;
#[allow(dead_code, unreachable_pub)]
#[path = "../../shared/owner/telling.rs"]
mod telling;
#[allow(dead_code, unreachable_pub)]
#[path = "../../shared/owner/visit.rs"]
mod visit;
#[allow(dead_code, unreachable_pub)]
#[path = "../../shared/owner/waiting.rs"]
mod waiting;
#[allow(dead_code, unreachable_pub)]
#[path = "../../shared/owner/watch.rs"]
mod watch;
#[allow(dead_code, unreachable_pub)]
#[path = "../../shared/owner/workers.rs"]
mod workers;

/// The tracepoints are those of the module that is the owner, and this one is not.
mod trace {
    use d2d::trace::Step;
    use kernel::{
        fmt,
        prelude::*, //
    };

    pub(crate) fn hit(_driver: &CStr, _step: Step, _detail: fmt::Arguments<'_>) {}

    /// The suites wait only where they may.
    pub(crate) fn may_sleep() -> bool {
        true
    }
}

mod test_block;
mod test_events;
mod test_fingerprint;
mod test_handle;
mod test_header;
mod test_interface;
mod test_offers;
mod test_queue;
mod test_registry;
mod test_requests;
mod test_run_in;
mod test_rundown;
mod test_table;

use crate::{
    block::Block,
    config::{
        Config,
        Learn, //
    }, //
};
use core::ops::Deref;
use d2d::context::Context;
use d2d_pair::DemoPair;
use kernel::{
    bindings,
    prelude::*,
    ModuleMetadata, //
};

module! {
    type: Suites,
    name: "d2d_kunit",
    authors: ["Beyond IRPs"],
    description: "Test: KUnit suites for the driver to driver library",
    license: "GPL",
    imports_ns: ["D2D"],
}

/// What `MODULE_INFO(test, "Y")` emits; `module!` has no key for it.
#[used(compiler)]
#[link_section = ".modinfo"]
static TEST: [u8; 7] = *b"test=Y\0";

struct Suites;

impl kernel::Module for Suites {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self)
    }
}

/// This module: the one in whose text the operations and dispatch routines of the suites are.
fn module() -> *mut bindings::module {
    <LocalModule as ModuleMetadata>::THIS_MODULE.as_ptr()
}

fn config(capacity: u32, item_size: u32) -> Config {
    Config {
        contexts: 1,
        capacity,
        item_size,
        learn: Learn::Return,
        timeout: 1,
    }
}

/// A context that nobody else knows of.
struct TestContext {
    context: Context<DemoPair>,
    _block: Block,
}

impl TestContext {
    /// Makes one with this number, and queues of this many items of this many bytes.
    fn new(id: u32, capacity: u32, item_size: u32) -> Result<Self> {
        let block = Block::new(c"d2d_kunit", module(), id, &config(capacity, item_size))?;
        Ok(Self {
            // SAFETY: The context is only lent, for as long as the block is there.
            context: unsafe { block.context() },
            _block: block,
        })
    }
}

impl Deref for TestContext {
    type Target = Context<DemoPair>;

    fn deref(&self) -> &Self::Target {
        &self.context
    }
}
