// SPDX-License-Identifier: GPL-2.0

//! Tests of requests.

mod buffers;
mod cancelling;
mod completing;
mod fixture;
mod forwarding;
mod handles;
mod leaving;
mod sending;
mod waiting;
