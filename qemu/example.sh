#!/bin/bash
# Plays the example of docs/porting.md in its original form, windows/example, under Wine: it has to
# say what the port says in selftests/sensor.sh. KTAP on stdout, the counts last.
. "$(dirname "$0")/lib.sh"

cd "$PROJECT"
out=build/example
mkdir -p "$out"

play() {
	"$LAB/windows.sh" >/dev/null &&
		D2D_ROOT=$("$LAB/root/root-more.sh") "$LAB/enter.sh" windows/play.sh build/windows "$out" \
			+consumer +sensor consumer=2 consumer=1 -sensor -consumer &&
		diff selftests/spec/sensor.expected "$out/windows.log"
}

name="the example says under Wine what its port says"
echo "TAP version 13"
echo "1..1"
if play >"$out/log" 2>&1; then
	printf 'ok 1 %s\n1 passed, 0 failed, 0 skipped\n' "$name"
else
	sed 's/^/# /' "$out/log"
	printf 'not ok 1 %s\n0 passed, 1 failed, 0 skipped\n' "$name"
	exit 1
fi
