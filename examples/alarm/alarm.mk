# SPDX-License-Identifier: GPL-2.0
# The pair of docs/porting.md and docs/porting-kmdf.md. Each driver is there twice: in C, the first phase of the port,
# and in Rust. Kbuild includes this file.

pair := examples/alarm
pair-interface := alarm_pair
pair-owner := alarm
pair-c-owner := c_alarm
pair-peer := sleeper
pair-c-peer := c_sleeper
include $(src)/shared/pair.mk
