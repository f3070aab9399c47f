# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=busybox
# Mode abi: runs selftests/abi.sh, with the modules of other trees that qemu/tests/abi.sh has put below /lib/d2d.

set_test_taint
set -o pipefail
cd /kselftest/d2d || return 1
./abi.sh | cat >"$KTAP"
