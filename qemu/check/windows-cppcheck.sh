#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs cppcheck on the sources of windows/ that the lab builds. Runs inside the extra root.
set -euo pipefail

cd "$(dirname "$0")/../../windows"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
. ../qemu/lib/ktap.sh
ktap_begin
# cppcheck skips mingw-w64's headers, which it does not find.
expect "cppcheck finds no fault in windows/" cppcheck --quiet --error-exitcode=1 --check-level=exhaustive --enable=warning,performance,portability --std=c11 \
	--platform=win64 -D__MINGW32__ -DNTAPI= -I . -I shared/include -I shared/owner \
	module_a module_b shared example alarm play.c
ktap_end
