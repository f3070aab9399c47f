// SPDX-License-Identifier: GPL-2.0

//! Must not compile: a peer that removes the owner's doorbell. After that, no item of this peer, or of a later peer in
//! the context, wakes the owner.
// error: [E0624]: method `set_doorbell` is private

#![forbid(unsafe_code)]

use d2d::link::PeerLink;
use d2d_pair::DemoPair;

fn silence(link: &PeerLink<DemoPair>) {
    link.outgoing().set_doorbell(None);
    link.context().to_owner().set_doorbell(None);
}
