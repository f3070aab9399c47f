// SPDX-License-Identifier: GPL-2.0

//! Test: a peer with version 1.1 of the growing pair.

#![forbid(unsafe_code)]

include!("growing_pair.rs");
include!("peer.rs");
include!("growing_1_1.rs");

growing_pair_1_1! {}

growing_peer! {
    name: "growing_v1_1",
    cookie: 11,
    data: { again: 11 },
    items: [NUMBER: 5, NUMBERS: [6, 7]],
    |driver, link| {
        link.context().with_shared(|shared| shared.last = 11);
        expect(link.owner().last(), Ok(11))?;
        expect(driver.open_event_of(c"growing", HERE)?.is_set(), Ok(true))?;
        expect(call_owner(driver, DOUBLE, 21), Ok(42))?;
        Ok(1)
    },
}
