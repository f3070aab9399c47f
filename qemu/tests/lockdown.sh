#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs selftests/lockdown.sh once for each level of lockdown, in a machine of its own, because the program locks the
# kernel down until the next boot. Prints KTAP, and last a line of counts. run/boots.sh explains the columns and the
# environment.

exec "$(dirname "$0")/../run/boots.sh" - <<'TABLE'
stock lockdown/integrity        180
stock lockdown/confidentiality  180
TABLE
