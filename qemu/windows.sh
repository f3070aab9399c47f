#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds the Windows version of the pair (windows/) with mingw-w64 into build/windows/. If the build there is up to
# date, does not build again, because two parts of make verify may run the drivers at the same time. Neither part may
# replace drivers that the other part is running.
. "$(dirname "$0")/lib/lab.sh"

D2D_ROOT=$("$LAB/root/root-extra.sh")
export D2D_ROOT
built=$PROJECT/build/windows
mkdir -p "$built"
hold "$built/lock"
mapfile -t sources < <(find "$PROJECT/windows" -type f | sort)
inputs=$(key "$(basename "$D2D_ROOT")" "$(cat "${sources[@]}")")
if [ "$(cat "$built/inputs" 2>/dev/null)" != "$inputs" ]; then
	rm -f "$built/inputs"
	"$LAB/enter.sh" windows/build.sh
	echo "$inputs" >"$built/inputs"
fi
ls "$built"/*.sys
