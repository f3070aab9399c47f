#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds the Windows version of the pair in build/windows/. Keeps an up-to-date build, because another part of make
# verify may be running its drivers.
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
