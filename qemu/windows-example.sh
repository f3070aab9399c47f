#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs the Windows drivers of windows/example, the example of docs/porting.md, under Wine. They must print what
# selftests/sensor.sh expects of their Linux port. Prints KTAP, and last a line of counts.
. "$(dirname "$0")/lib/lab.sh"
. "$(dirname "$0")/lib/ktap.sh"

cd "$PROJECT"
out=build/example
mkdir -p "$out"
log=$out/log

play() {
	"$LAB/windows.sh" >/dev/null &&
		D2D_ROOT=$("$LAB/root/root-more.sh") "$LAB/enter.sh" windows/play.sh build/windows "$out" \
			+consumer +sensor consumer=2 consumer=1 -sensor -consumer &&
		diff selftests/spec/sensor.expected "$out/windows.log"
}

ktap_begin
expect "the example says under Wine what its port says" play
ktap_end
