#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Shows that two pairs of drivers that exchange requests on two CPUs write no common cache line.

exec "$(dirname "$0")/../run/boots.sh" - <<'TABLE'
stock cache-lines 120
TABLE
