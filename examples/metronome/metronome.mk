# SPDX-License-Identifier: GPL-2.0
# A pair with jobs on both sides. Each driver is there twice: in Rust and in C. Kbuild includes this file.

pair := examples/metronome
pair-interface := metronome_pair
pair-owner := metronome
pair-c-owner := c_metronome
pair-peer := listener
pair-c-peer := c_listener
include $(src)/shared/pair.mk
