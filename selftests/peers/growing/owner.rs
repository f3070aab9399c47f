// SPDX-License-Identifier: GPL-2.0

//! Test: the owner of the growing pair. The owner has version 1.1 of the pair; its peers have version 1.0, 1.1
//! or 1.2.

#![forbid(unsafe_code)]

include!("growing_pair.rs");
include!("growing_1_1.rs");

use d2d::{
    event::Event,
    link::OwnerLink, //
};
use d2d_owner::{
    create_event_of,
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
    ModuleMetadata, //
};

d2d_owner::module_owner! {
    type: Growing,
    name: "growing",
    authors: ["Beyond IRPs"],
    description: "Test: the owner of a pair that has several versions",
    license: "GPL",
}

growing_pair_1_1! {}

struct Growing;

struct State {
    /// The event [`HERE`], which is set while the owner is loaded.
    here: SetOnce<Event>,
}

impl Owner for Growing {
    type Pair = GrowingPair;
    type State = State;

    fn config() -> Result<Config> {
        Config::new(OwnerModule::NAME, 1, 1, 8, 0, 5000)
    }

    fn state(_config: &Config) -> impl PinInit<State, Error> {
        Ok::<_, Error>(State {
            here: SetOnce::new(),
        })
    }

    fn ready(contexts: &Contexts<'_, Self>) -> Result {
        let here = create_event_of(OwnerModule::NAME, HERE, true)?;
        contexts.state().here.populate(here);
        Ok(())
    }

    fn new(_state: &Arc<State>, _id: u32) -> Result<Self> {
        Ok(Self)
    }

    fn data(_config: &Config) {}

    fn attached(&self, link: &OwnerLink<GrowingPair>) {
        link.context().with_shared(|shared| shared.peers += 1);
    }

    fn detached(&self, _link: &OwnerLink<GrowingPair>) {}
}

#[vtable]
impl GrowingOps for Growing {
    fn check(&self, link: &OwnerLink<GrowingPair>, cookie: u64, peers: u64) -> Result<u64> {
        let data = link.context().with_peer_data(|data| *data);
        let attached = link.context().with_shared(|shared| shared.peers);
        if data.cookie != cookie || ![0, cookie].contains(&data.again) || attached != peers {
            return Err(EBADMSG);
        }
        Ok(peers)
    }

    fn count(&self, link: &OwnerLink<GrowingPair>, round: Round) -> Result<Round> {
        link.peer()?.ops().count(round)
    }

    fn last(&self, link: &OwnerLink<GrowingPair>) -> Result<u64> {
        Ok(link.context().with_shared(|shared| shared.last))
    }
}
