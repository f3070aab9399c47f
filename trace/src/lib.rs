// SPDX-License-Identifier: GPL-2.0

//! Reads the traces of drivers that talk to each other, and draws them.
//!
//! A log goes through these modules in this order, step by step, so that its size does not matter:
//! [`log`] finds the steps in it, [`order`] sorts them, [`picture`] says what they mean to each other.
//! What is shown of it, [`text`], [`mermaid`], [`json`] or [`html`], is chosen by [`show`].

#![forbid(unsafe_code)]

#[path = "../../windows/compare/compare.rs"]
pub mod compare;
pub mod html;
pub mod json;
pub mod line;
pub mod log;
pub mod mermaid;
pub mod order;
pub mod picture;
pub mod show;
#[path = "../../selftests/programs/spec.rs"]
pub mod spec;
pub mod text;
