# SPDX-License-Identifier: GPL-2.0
# The pair of docs/porting.md. Kbuild includes this file.

pair := examples/sensor
pair-interface := sensor_pair
pair-owner := consumer
pair-peer := sensor
include $(src)/shared/pair.mk
