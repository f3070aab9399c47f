# shellcheck shell=bash
# For what runs several targets of which each ends with its counts: sums them up.
# Sourced.

passed=0 failed=0 skipped=0
failures=()

counts_shape='[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped'

# count WHAT LOG RC - adds the counts that are in the log of a command, which has ended with this status;
# they are in $counted
count() {
	local what=$1 log=$2 rc=$3 p f s
	counted=$(grep -xE "$counts_shape" "$log" | tail -n 1) || counted='0 passed, 0 failed, 0 skipped'
	read -r p _ f _ s _ <<<"$counted"
	if [ "$rc" -ne 0 ] && [ "$f" -eq 0 ]; then
		echo "$what failed without a failed test"
		f=1
	elif [ "$p" -eq 0 ] && [ "$f" -eq 0 ]; then
		echo "$what has tested nothing"
		f=1
	fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	[ "$f" -eq 0 ] || note_failures "$what" "$log"
}

# note_failures WHAT LOG - keeps the names of what has failed: as the log lists them in its end, or its results
note_failures() {
	local name names
	names=$(sed -n 's/^# failed: //p' "$2")
	names=${names:-$(sed -nE 's/^(not ok [0-9]+ |FAIL: )(selftests: d2d: )?//p' "$2")}
	while read -r name; do
		failures+=("$1${name:+: $name}")
	done <<<"$names"
}

# counted WHAT CMD... - run a command and count what it has counted. Its own counts become a
# diagnostic line, so that there is one line of counts, the total.
counted() {
	local what=$1 log rc=0
	shift
	log=$(mktemp)
	# pipefail tells the command's failure, which counts even if the counts know of none.
	"$@" </dev/null | tee "$log" | sed -uE "s/^$counts_shape\$/# $what: &/" || rc=1
	count "$what" "$log" "$rc"
	rm "$log"
}

# total - what has failed, and the last line; fails if anything has failed
total() {
	[ ${#failures[@]} -eq 0 ] || printf '# failed: %s\n' "${failures[@]}"
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
}
