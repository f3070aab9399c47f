// SPDX-License-Identifier: GPL-2.0

//! Reads a log, and shows the steps in it.
//!
//! Each step goes through these modules in this order: [`log`] finds it in the log, with [`record`] for logs
//! that are not lines of text; [`order`] sorts it, and [`relate`] finds the call, the request or the queue that it belongs to. Only a window of steps is in
//! memory, so a log may have any size. [`show`] selects steps and writes them as [`text`], [`mermaid`],
//! [`json`], [`html`] or [`perfetto`].
//!
//! [`compare`] is another command: it compares a trace with that of the Windows version.

#![forbid(unsafe_code)]

#[path = "../../windows/compare/compare.rs"]
pub mod compare;
pub mod html;
pub mod json;
pub mod line;
pub mod live;
pub mod log;
pub mod mermaid;
pub mod order;
pub mod perfetto;
pub mod record;
pub mod relate;
pub mod show;
#[path = "../../selftests/programs/spec.rs"]
pub mod spec;
pub mod text;
