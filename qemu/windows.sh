#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds the Windows version of the pair (windows/) with mingw-w64 into build/windows/, unless it is built already: two
# parts of make verify, which may run at the same time, play what is there.
. "$(dirname "$0")/lib/lab.sh"

D2D_ROOT=$("$LAB/root/root-more.sh")
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
