// SPDX-License-Identifier: GPL-2.0

// Version 1.0 of the growing pair.

growing_pair! {
    minor: 0,
    check: (cookie, peers),
    peer_data: {}
    shared_data: {}
    kinds: {}
    codes: {}
    events: {}
    operations: {}
}
