# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=busybox
# Mode lockdown: runs selftests/lockdown.sh. $case is the level: integrity or confidentiality.

set_test_taint
set -o pipefail
cd /kselftest/d2d || return 1
# shellcheck disable=SC2154 # set by init from the kernel's command line
./lockdown.sh "$case" | cat >"$KTAP"
