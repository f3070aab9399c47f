// SPDX-License-Identifier: GPL-2.0

// What the peers in Rust of the growing pair share. By `growing_peer!`, each says what it puts and checks.

use d2d::{
    control_code::ControlCode,
    driver::{
        Driver,
        DriverRef, //
    },
    interface::Plain,
    link::PeerLink,
    queue::{
        ItemKind,
        Queue, //
    }, //
};
use kernel::{
    prelude::*,
    ModuleMetadata, //
};

/// `$cookie` and `$data` are the fields of the peer's data. The peer puts an item of each `$kind`. Once the peer is
/// attached, `$common_version` returns the newest minor version that both drivers have. If `$common_version` fails,
/// loading the module fails.
macro_rules! growing_peer {
    (
        name: $name:literal,
        cookie: $cookie:literal,
        data: { $($data:tt)* },
        items: [$($kind:ident: $payload:expr),+],
        |$driver:ident, $link:ident| $common_version:expr $(,)?
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

        fn common_version($driver: &DriverRef<Growing>, $link: &PeerLink<GrowingPair>) -> Result<u32> {
            $common_version
        }

        fn put_all(link: &PeerLink<GrowingPair>) -> Result {
            $(put($kind, &$payload, &link.outgoing())?;)+
            Ok(())
        }

        /// Checks the owner's answers. Refuses items of kinds that only newer versions have, and returns the number of
        /// the other items.
        fn take_all(link: &PeerLink<GrowingPair>) -> Result<u32> {
            let mut known = 0;
            for item in link.incoming().take_batch(8).iter() {
                $(
                    if let Some(payload) = $kind.read(&item) {
                        expect(Ok(payload), Ok($payload))?;
                        known += 1;
                        continue;
                    }
                )+
                expect(NUMBER.expect(&item, LocalModule::NAME), Err(ENOMSG))?;
            }
            Ok(known)
        }
    };
}

struct Growing;

impl Driver for Growing {
    type Pair = GrowingPair;
    type Resources = ();

    fn new() -> Result<Self> {
        Ok(Self)
    }

    fn start(driver: DriverRef<Self>) -> impl PinInit<(), Error> {
        let link = driver.link().ok_or(ENOTCONN)?;
        let peers = link.context().with_shared(|shared| shared.peers);
        expect(link.owner().check(data().cookie, peers), Ok(peers))?;
        put_all(link)?;
        let round = link.owner().count(Round {
            number: 7,
            cookie: 0,
            more: [1, 2, 3],
        })?;
        let counted = (round.number, round.cookie, round.more);
        expect(Ok(counted), Ok((8, data().cookie, [1, 2, 3])))?;
        expect(call_owner(&driver, ECHO, 4), Ok(4))?;
        let common = common_version(&driver, link)?;
        expect(take_all(link), Ok(common + 1))?;
        pr_info!("the newest version that both drivers have is 1.{common}\n");
        Ok(())
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

/// Puts an item. A queue with smaller items must refuse the payload.
fn put<T: Plain>(kind: ItemKind<T>, payload: &T, queue: &Queue<'_>) -> Result {
    let expected = if size_of::<T>() <= queue.item_size() {
        Ok(())
    } else {
        Err(EMSGSIZE)
    };
    expect(kind.put(queue, payload), expected)
}

fn call_owner(driver: &DriverRef<Growing>, code: ControlCode<u64, u64>, input: u64) -> Result<u64> {
    let owner = driver.sender().lookup(c"growing")?;
    let mut packet = driver.sender().packet_for(code)?;
    Ok(packet.call(&owner, code, &input, None)?)
}

fn expect<T: PartialEq>(got: Result<T>, expected: Result<T>) -> Result {
    if got == expected {
        Ok(())
    } else {
        Err(ENOTRECOVERABLE)
    }
}
