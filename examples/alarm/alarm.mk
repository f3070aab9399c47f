# SPDX-License-Identifier: GPL-2.0
# The pair of docs/porting-kmdf.md. Kbuild includes this file.

pair := examples/alarm
pair-interface := alarm_pair
pair-owner := alarm
pair-peer := sleeper
include $(src)/shared/pair.mk
