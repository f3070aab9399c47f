// SPDX-License-Identifier: GPL-2.0

//! Reads the traces of drivers that talk to each other, and draws them.

#![forbid(unsafe_code)]

pub mod compare;
pub mod line;
#[path = "../../selftests/spec.rs"]
pub mod spec;
