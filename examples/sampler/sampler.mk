# SPDX-License-Identifier: GPL-2.0
# The pair of examples/sampler/README.md. Kbuild includes this file.

pair := examples/sampler
pair-interface := sampler_pair
pair-owner := sampler
pair-peer := recorder
pair-c-peer := tuner
include $(src)/shared/pair.mk
