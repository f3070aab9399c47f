# shellcheck shell=bash
# For what reports its checks in KTAP. Sourced; log is a file for what a check says.

passed=0 failed=0
echo "TAP version 13"

# expect NAME CMD... - passes if CMD succeeds; what it says is shown if not
expect() {
	local name=$1
	shift
	if "$@" >"${log:?}" 2>&1 </dev/null; then
		passed=$((passed + 1))
		echo "ok $((passed + failed)) $name"
	else
		failed=$((failed + 1))
		sed 's/^/# /' "$log"
		echo "not ok $((passed + failed)) $name"
	fi
}

# counts - the last lines; fails if anything has failed
counts() {
	echo "1..$((passed + failed))"
	echo "$passed passed, $failed failed, 0 skipped"
	[ "$failed" -eq 0 ]
}
