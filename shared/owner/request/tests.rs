// SPDX-License-Identifier: GPL-2.0

//! Requests: which driver has one, what each driver may do with it, and which of two attempts to end
//! it at the same time succeeds.

mod buffers;
mod cancelling;
mod completing;
mod fixture;
mod forwarding;
mod handles;
mod leaving;
mod sending;
mod waiting;
