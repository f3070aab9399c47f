// SPDX-License-Identifier: GPL-2.0

//! Tests of requests:
//! - which driver has a request
//! - what each driver may do with it
//! - which attempt succeeds if two threads try to end it at the same time

mod buffers;
mod cancelling;
mod completing;
mod fixture;
mod forwarding;
mod handles;
mod leaving;
mod sending;
mod waiting;
