#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs selftests/lockdown.sh for each level of lockdown. A level lasts until the next boot.

exec "$(dirname "$0")/../run/boots.sh" - <<'TABLE'
stock lockdown/integrity        180
stock lockdown/confidentiality  180
TABLE
