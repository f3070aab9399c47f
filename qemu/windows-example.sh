#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs the Windows drivers of the examples of docs/porting.md under Wine, windows/example and windows/alarm. They must print
# what selftests/sensor.sh and selftests/alarm.sh expect of their Linux ports. Prints KTAP, and last a line of counts.
. "$(dirname "$0")/lib/lab.sh"
. "$(dirname "$0")/lib/ktap.sh"

cd "$PROJECT"
out=build/example
mkdir -p "$out"
log=$out/log

# play NAME STEP... - plays these steps; the drivers must print the lines of selftests/spec/NAME.expected
play() {
	local expected=selftests/spec/$1.expected
	shift
	"$LAB/windows.sh" >/dev/null &&
		D2D_ROOT=$("$LAB/root/root-more.sh") "$LAB/enter.sh" windows/play.sh build/windows "$out" "$@" &&
		diff "$expected" "$out/windows.log"
}

ktap_begin
expect "sensor and consumer say under Wine what their ports say" \
	play sensor +consumer +sensor consumer=2 consumer=1 -sensor -consumer
expect "alarm and sleeper say under Wine what their ports say" \
	play alarm +alarm +sleeper sleeper=1 sleeper=20 'sleeper!3600000' -sleeper -alarm
ktap_end
