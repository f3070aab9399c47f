// SPDX-License-Identifier: GPL-2.0

//! Must not compile: arguments of 1 and 2 bytes. The caller's compiler may widen a byte 0xff with copies of its sign
//! bit. Then the driver gets a `u8` above 255: undefined behaviour.
// error: [E0080]: evaluation of constant value failed: the evaluated program panicked at 'an argument must have 4 bytes or more'

#![forbid(unsafe_code)]

use d2d::{
    interface,
    link::{
        OwnerLink,
        Pair,
        PeerLink, //
    }, //
};

type Level = u8;
type Pitch = [u8; 2];

interface! {
    pub trait Setter: "setter" {
        interface: SetterInterface,
        caller: SetterCaller,
        table: SetterTable,
        link: PeerLink<Mixer>,
        version: (1, 0),
    }
    fn set(&self, link: &PeerLink<Mixer>, level: Level) -> Result<u32>;
}

interface! {
    pub trait Tuner: "tuner" {
        interface: TunerInterface,
        caller: TunerCaller,
        table: TunerTable,
        link: OwnerLink<Mixer>,
        version: (1, 0),
    }
    /// Sets the pitch. A result may have 1 or 2 bytes.
    fn tune(&self, link: &OwnerLink<Mixer>, pitch: Pitch) -> Result<u8>;
}

pub struct Mixer;

impl Pair for Mixer {
    type Owner = TunerInterface;
    type Peer = SetterInterface;
    type OwnerData = ();
    type PeerData = ();
    type Shared = ();
}
