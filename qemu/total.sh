# shellcheck shell=bash
# For what runs several targets of which each ends with its counts: sums them up.
# Sourced.

passed=0 failed=0 skipped=0

# counted WHAT CMD... - run a command and count what it has counted. Its own counts become a
# diagnostic line, so that there is one line of counts, the total.
counted() {
	local what=$1 log rc=0 counts p f s
	local shape='[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped'
	shift
	log=$(mktemp)
	# pipefail tells the command's failure, which counts even if the counts know of none.
	"$@" </dev/null | tee "$log" | sed -uE "s/^$shape\$/# $what: &/" || rc=1
	counts=$(grep -xE "$shape" "$log" | tail -n 1) || counts=
	rm "$log"
	read -r p _ f _ s _ <<<"${counts:-0 passed, 0 failed, 0 skipped}"
	if [ "$rc" -ne 0 ] && [ "$f" -eq 0 ]; then
		echo "$what failed without a failed test"
		f=1
	elif [ "$p" -eq 0 ] && [ "$f" -eq 0 ]; then
		echo "$what has tested nothing"
		f=1
	fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

# total - the last line; fails if anything has failed
total() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
}
