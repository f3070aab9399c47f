// SPDX-License-Identifier: GPL-2.0

// What the owners in Rust of the growing pair share. By `growing_owner!`, each declares what it has.

use d2d::{
    event::Event,
    interface::Plain,
    link::OwnerLink,
    queue::{
        Batch,
        ItemKind, //
    },
    request::{
        Disposition,
        Request, //
    }, //
};
use d2d_owner::{
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

// All owners have this name, so each peer can attach to the owner that is loaded.
d2d_owner::module_owner! {
    type: Growing,
    name: "growing",
    authors: ["Beyond IRPs"],
    description: "Test: an owner with one version of a pair that grows",
    license: "GPL",
}

struct Growing;

struct State<const EVENTS: usize> {
    /// Set while the owner is loaded.
    events: SetOnce<[Event; EVENTS]>,
}

/// Enough that no queue is ever full: each driver puts one item of each kind.
const CAPACITY: u32 = 16;

/// Declares what an owner has:
///
/// - `peer_data`: the fields of the peer's data that version 1.0 lacks. Each is 0 or the cookie,
/// - `kinds`: the kinds of items, with payloads of at most `$item_size` bytes,
/// - `codes`: the control codes, and for each a function that makes the output from the input,
/// - `events`: the events, and `count`, their number,
/// - `operations`: those that version 1.0 lacks.
macro_rules! growing_owner {
    (
        peer_data: [$($field:ident),*],
        kinds: [$($kind:ident),+], item_size: $item_size:literal,
        codes: { $($code:ident: $answer:expr,)+ }
        events: [$($event:ident),*], count: $events:literal,
        operations: { $($operations:tt)* }
    ) => {
        impl Owner for Growing {
            type Pair = GrowingPair;
            type State = State<$events>;

            fn config() -> Result<Config> {
                Config::new(OwnerModule::NAME, 1, CAPACITY, $item_size, 0, 5000)
            }

            fn state(_config: &Config) -> impl PinInit<Self::State, Error> {
                Ok::<_, Error>(State {
                    events: SetOnce::new(),
                })
            }

            fn ready(contexts: &Contexts<'_, Self>) -> Result {
                let events = [$(d2d_owner::create_event_of(OwnerModule::NAME, $event, true)?),*];
                contexts.state().events.populate(events);
                Ok(())
            }

            fn new(_state: &Arc<Self::State>, _id: u32) -> Result<Self> {
                Ok(Self)
            }

            fn data(_config: &Config) {}

            fn dispatch<'a>(_contexts: &Contexts<'_, Self>, request: Request<'a>) -> Disposition<'a> {
                request
                    $(.on($code, |input, request| request.complete(&$answer(input))))+
                    .or_unknown()
            }

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
                let right = data.cookie == cookie $(&& [0, cookie].contains(&data.$field))*;
                if !right || attached != peers {
                    return Err(EBADMSG);
                }
                Ok(peers)
            }

            /// Puts back the peer's items, and then calls the peer's `count`.
            fn count(&self, link: &OwnerLink<GrowingPair>, round: Round) -> Result<Round> {
                let items = link.incoming().take_batch(CAPACITY);
                $(answer($kind, &items, link)?;)+
                link.peer()?.ops().count(round)
            }

            $($operations)*
        }
    };
}

/// Puts back the payload of the last item of this kind or, without such an item, the default value.
fn answer<T: Plain + Default>(
    kind: ItemKind<T>,
    items: &Batch<'_>,
    link: &OwnerLink<GrowingPair>,
) -> Result {
    let payload = items.iter().filter_map(|item| kind.read(&item)).last();
    kind.put(&link.outgoing(), &payload.unwrap_or_default())
}
