// SPDX-License-Identifier: GPL-2.0

//! Test: a peer with version 1.2 of the growing pair. This version appends no field to the shared data (v1_2_data.rs
//! does). With an owner of version 1.1, the peer must find that the owner lacks what version 1.2 has appended.

#![forbid(unsafe_code)]

include!("growing_1_2.rs");
include!("peer.rs");

growing_pair_1_2! {
    shared_data: {}
}

growing_peer! {
    name: "growing_v1_2",
    cookie: 12,
    data: { again: 12 },
    items: [NUMBER: 5, NUMBERS: [6, 7], TRIPLE: [8, 9, 10]],
    |driver, link| {
        link.context().with_shared(|shared| shared.last = 12);
        expect(link.owner().last(), Ok(12))?;
        expect(driver.open_event_of(c"growing", HERE)?.is_set(), Ok(true))?;
        expect(call_owner(driver, DOUBLE, 21), Ok(42))?;
        let common = match link.owner().clear() {
            Err(EOPNOTSUPP) => 1,
            cleared => expect(cleared, Ok(12)).map(|()| 2)?,
        };
        let newer = common == 2;
        let there = driver.open_event_of(c"growing", THERE);
        let is_set = there.and_then(|event| event.is_set());
        expect(is_set, newer.then_some(true).ok_or(ENOENT))?;
        expect(call_owner(driver, HALF, 42), newer.then_some(21).ok_or(ENOTTY))?;
        Ok(common)
    },
}
