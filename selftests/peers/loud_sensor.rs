// SPDX-License-Identifier: GPL-2.0

//! Test: a sensor whose samples all have the value [`u64::MAX`], so that their sum overflows.

#![forbid(unsafe_code)]

use d2d::{
    driver::{
        Driver,
        DriverRef, //
    },
    link::PeerLink, //
};
use kernel::prelude::*;
use sensor_pair::{
    Sample,
    SensorOps,
    SensorPair,
    BURST,
    SAMPLE, //
};

d2d::module_peer! {
    type: LoudSensor,
    owner: consumer,
    name: "loud_sensor",
    authors: ["Beyond IRPs"],
    description: "Test: a sensor with the largest values",
    license: "GPL",
    imports_ns: ["D2D"],
}

struct LoudSensor;

impl Driver for LoudSensor {
    type Pair = SensorPair;
    type Resources = ();

    fn new() -> Result<Self> {
        Ok(Self)
    }

    fn start(_driver: DriverRef<Self>) -> impl PinInit<Self::Resources, Error> {
        Ok(())
    }

    fn data(&self) {}
}

#[vtable]
impl SensorOps for LoudSensor {
    fn set_rate(&self, link: &PeerLink<SensorPair>, _period: u32) -> Result<u32> {
        for number in 0..u64::from(BURST) {
            let value = u64::MAX;
            SAMPLE.put(&link.outgoing(), &Sample { number, value })?;
        }
        Ok(0)
    }
}
