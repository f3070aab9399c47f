// SPDX-License-Identifier: GPL-2.0

// The code that the peers of the growing pair share. Each peer includes this file, declares its version of the pair,
// and says by `growing_peer!` what it tests.

use d2d::{
    driver::{
        Driver,
        Handle, //
    },
    link::PeerLink, //
};
use kernel::prelude::*;

/// Declares the module of a peer. `$cookie` is the field `cookie` of the peer's data, `$data` the other fields. When
/// the driver is attached, it evaluates the expression `$more`, in which `$driver` is its handle and `$link` its link.
/// If the result is an error, loading the module fails.
macro_rules! growing_peer {
    (
        name: $name:literal,
        cookie: $cookie:literal,
        data: { $($data:tt)* },
        |$driver:ident, $link:ident| $more:expr $(,)?
    ) => {
        d2d::module_peer! {
            type: Growing,
            owner: growing,
            name: $name,
            authors: ["Beyond IRPs"],
            description: "Test: a peer with one version of a pair that grows",
            license: "GPL",
            imports_ns: ["D2D"],
        }

        fn data() -> PeerData {
            PeerData {
                cookie: $cookie,
                $($data)*
            }
        }

        fn more($driver: &Handle<Growing>, $link: &PeerLink<GrowingPair>) -> Result {
            $more
        }
    };
}

struct Growing;

impl Driver for Growing {
    type Pair = GrowingPair;
    type Jobs = ();

    fn new() -> Result<Self> {
        Ok(Self)
    }

    fn start(driver: Handle<Self>) -> impl PinInit<(), Error> {
        let link = driver.link().ok_or(ENOTCONN)?;
        let peers = link.context().with_shared(|shared| shared.peers);
        expect(link.owner().check(data().cookie, peers), Ok(peers))?;
        let round = link.owner().count(Round {
            number: 7,
            cookie: 0,
            more: [1, 2, 3],
        })?;
        let counted = (round.number, round.cookie, round.more);
        expect(Ok(counted), Ok((8, data().cookie, [1, 2, 3])))?;
        more(&driver, link)
    }

    fn data(&self) -> PeerData {
        data()
    }
}

#[vtable]
impl PeerOps for Growing {
    fn count(&self, _link: &PeerLink<GrowingPair>, round: Round) -> Result<Round> {
        Ok(Round {
            number: round.number + 1,
            cookie: data().cookie,
            ..round
        })
    }
}

/// Fails with `ENOTRECOVERABLE` unless the result is the expected one.
fn expect<T: PartialEq>(got: Result<T>, expected: Result<T>) -> Result {
    if got == expected {
        Ok(())
    } else {
        Err(ENOTRECOVERABLE)
    }
}
