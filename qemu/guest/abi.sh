# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=busybox
# Mode abi: runs selftests/abi.sh, with modules of other trees (qemu/tests/abi.sh).

set_test_taint
set -o pipefail
cd /kselftest/d2d || return 1
./abi.sh | cat >"$KTAP"
