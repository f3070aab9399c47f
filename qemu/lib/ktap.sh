# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Reports checks in KTAP, with a line of counts at the end. Set `log` to the path of a file before the first expect.

. "${BASH_SOURCE[0]%/*}/background.sh"

passed=0 failed=0

ktap_begin() {
	echo "TAP version 13"
}

# report NAME PASSED OUTPUT - prints the result of a check, and if PASSED is empty, also the file OUTPUT
report() {
	if [ -n "$2" ]; then
		passed=$((passed + 1))
		echo "ok $((passed + failed)) $1"
	else
		failed=$((failed + 1))
		sed 's/^/# /' "$3"
		echo "not ok $((passed + failed)) $1"
	fi
}

# expect NAME CMD... - the check passes if CMD succeeds
expect() {
	local name=$1 ok=y
	shift
	"$@" >"${log:?}" 2>&1 </dev/null || ok=
	report "$name" "$ok" "$log"
}

# expect_silence NAME CMD... - the check passes if CMD, run in the background, succeeds and prints nothing to stdout
expect_silence() {
	local name=$1
	shift
	start_job "$name" into_file "$@"
}

into_file() {
	"$@" >"${TMPDIR:-/tmp}/ktap-$$-$SLOT"
}

job_ended() {
	local output="${TMPDIR:-/tmp}/ktap-$$-$3" ok=
	[ "$2" -eq 0 ] || echo "the check ended with status $2" >>"$output"
	[ -s "$output" ] || ok=y
	report "$1" "$ok" "$output"
	rm "$output"
}

# ktap_end - waits for the checks in the background, and prints the counts; fails if a check has failed
ktap_end() {
	wait_for_jobs
	echo "1..$((passed + failed))"
	echo "$passed passed, $failed failed, 0 skipped"
	[ "$failed" -eq 0 ]
}
