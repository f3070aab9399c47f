#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Plays the demonstration, or other steps (play.c), under Wine. Wine's configuration is temporary. Runs in the extra
# root (qemu/root/root-extra.sh).
# Usage: play.sh BUILD OUT [MODULE.PARAMETER=NUMBER...] [STEP...]
# BUILD is the folder that build.sh has filled. Writes the trace to OUT/windows.log.
set -euo pipefail

build=$(realpath "$1")
out=$(realpath "$2")
shift 2
limit=120 # seconds; a run takes about 10

home=$(mktemp -d "$out/wine.XXXXXX")
export HOME=$home WINEPREFIX=$home/prefix XDG_RUNTIME_DIR=$home
export WINEDLLOVERRIDES='mscoree=;mshtml=;winemenubuilder.exe=d'
unset DISPLAY

# end_session - ends all processes of Wine, which would outlive this script
end_session() {
	timeout 20 wineserver -k || :
	timeout 20 wineserver -w || :
}
trap 'end_session; rm -rf "$home"' EXIT

# Services inherit standard error and WINEDEBUG from the process that starts the session, here wine. So
# the log has what DbgPrint prints, and none of Wine's other messages.
rc=0
WINEDEBUG=-all,warn+debugstr timeout --kill-after=5 "$limit" \
	wine "$build/play.exe" "Z:${build//\//\\}" "$@" >"$out/play.log" 2>"$out/wine.log" </dev/null || rc=$?
end_session

# A line of DbgPrint is "...:vDbgPrintExWithPrefix COMPONENT:LEVEL: TEXT".
sed -n 's/^.*vDbgPrintExWithPrefix [0-9a-f]*:[0-9a-f]*: //p' "$out/wine.log" >"$out/windows.log"

bad() {
	cat "$out/play.log"
	grep -m 5 -E '^wine: (Call|Unhandled|Unimplemented)' "$out/wine.log" || :
	echo "the last lines of the trace:"
	tail -n 5 "$out/windows.log"
	echo "reason: $*"
	exit 1
}

last=$(tail -n 1 "$out/play.log")
case $rc in
0) ;;
124 | 137) bad "no end after $limit s; it hangs in: ${last:-the start of Wine}" ;;
*) bad "${last:-$(tail -n 1 "$out/wine.log")} (status $rc)" ;;
esac
[ -s "$out/windows.log" ] || bad "no trace from Wine: DbgPrint has printed nothing"
left=$(pgrep -la '\.exe|wineserver' || :)
[ -z "$left" ] || bad "left over: $left"
