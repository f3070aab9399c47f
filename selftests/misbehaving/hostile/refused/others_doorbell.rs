// SPDX-License-Identifier: GPL-2.0

//! Must not compile: a driver that takes the doorbell away from the other side: the owner would wait for
//! this peer, and for all later ones, without being woken.
// error: [E0624]: method `set_doorbell` is private

#![forbid(unsafe_code)]

use d2d::link::PeerLink;
use d2d_pair::DemoPair;

fn silence(link: &PeerLink<DemoPair>) {
    link.outgoing().set_doorbell(None);
    link.context().to_owner().set_doorbell(None);
}
