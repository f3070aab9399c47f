#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Shows that two pairs of drivers, each on a CPU of its own, write no common cache line when they exchange requests.

exec "$(dirname "$0")/../run/boots.sh" - <<'TABLE'
stock cache-lines 120
TABLE
