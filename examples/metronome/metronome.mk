# SPDX-License-Identifier: GPL-2.0
# A pair with jobs on both sides. Kbuild includes this file.

pair := examples/metronome
pair-interface := metronome_pair
pair-owner := metronome
pair-peer := listener
include $(src)/shared/pair.mk
