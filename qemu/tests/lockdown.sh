#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs selftests/lockdown.sh for each level of lockdown. Lockdown lasts until the next boot, so each level has a machine
# of its own. run/boots.sh explains the columns and the environment.

exec "$(dirname "$0")/../run/boots.sh" - <<'TABLE'
stock lockdown/integrity        180
stock lockdown/confidentiality  180
TABLE
