# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Runs the parts of a test run, and sums up their counts. A part is a command that reports in KTAP and ends with the
# line "N passed, N failed, N skipped".
#
# part_now runs a part at once and shows its output. After the last part_now, call total. part only declares a part.
# run_parts runs the declared parts, two at a time, and shows the results, and the output of failed tests.

. "${BASH_SOURCE[0]%/*}/background.sh"

passed=0 failed=0 skipped=0
failures=()
counts_shape='[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped'

part_names=()
declare -A part_command=()

# add_counts PART LOG STATUS - adds the counts of LOG to the sums, and sets $counts to the line of counts. A part that
# fails without a failed test, or tests nothing, counts as one failed test.
add_counts() {
	local part=$1 log=$2 status=$3 p f s
	counts=$(grep -xE "$counts_shape" "$log" | tail -n 1) || counts='0 passed, 0 failed, 0 skipped'
	read -r p _ f _ s _ <<<"$counts"
	if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then
		echo "$part failed, but reports no failed test"
		f=1
	elif [ "$p" -eq 0 ] && [ "$f" -eq 0 ]; then
		echo "$part has tested nothing"
		f=1
	fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	[ "$f" -eq 0 ] || note_failures "$part" "$log"
}

# note_failures PART LOG - adds the failed tests of LOG to $failures. If the part calls total itself, uses total's list
note_failures() {
	local name names
	names=$(sed -n 's/^# failed: //p' "$2")
	names=${names:-$(failed_names "$2")}
	while read -r name; do
		failures+=("$1${name:+: $name}")
	done <<<"$names"
}

# failed_names LOG - prints each failed test and its reason: the last diagnostic line with "FAIL: " or "not ok ". If
# there is none, the reason is the first diagnostic line
failed_names() {
	awk '/^ok / { why = ""; next }
		/^not ok / || /^FAIL: / {
			sub(/^(not ok [0-9]+|FAIL:) (selftests: d2d: )?/, "")
			print $0 (why == "" ? "" : ": " substr(why, 1, 200))
			why = ""
			next
		}
		/^# / && (why == "" || /^[# ]*(FAIL: |not ok )/) { why = $0; sub(/^[# ]+/, "", why) }' "$1"
}

# part_now NAME CMD... - runs a part. Prints the part's counts in a diagnostic line, because only the function total may
# print a line of counts
part_now() {
	local name=$1 log status=0 start=$SECONDS before
	shift
	log=$(mktemp)
	cpu_time
	before=$cpu_time
	"$@" </dev/null | tee "$log" | sed -uE "s/^$counts_shape\$/# $name: &/" || status=1
	cpu_time
	echo "# $name: $((SECONDS - start)) s, CPU $(((cpu_time - before) / 100)) s"
	add_counts "$name" "$log" "$status"
	rm "$log"
}

total() {
	[ ${#failures[@]} -eq 0 ] || printf '# failed: %s\n' "${failures[@]}"
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
}

part() {
	local name=$1
	shift
	part_names+=("$name")
	part_command[$name]=$(printf '%q ' "$@")
}

# run_parts - runs the declared parts. Keeps the output of the part NAME in build/SCRIPT/NAME.log
run_parts() {
	local left=("${part_names[@]}")
	part_logs=$PROJECT/build/$(basename "$0" .sh)
	rm -rf "$part_logs"
	mkdir -p "$part_logs"
	echo "== parts: ${left[*]}"
	while [ ${#left[@]} -gt 0 ]; do
		start_job "${left[0]}" run_part "${left[0]}"
		left=("${left[@]:1}")
	done
	wait_for_jobs
	total
}

run_part() {
	local status=0
	set -o pipefail
	eval "${part_command[$1]}" </dev/null 2>&1 | tee "$part_logs/$1.log" | part_progress "$1" || status=1
	cpu_time
	echo "$((cpu_time / 100))" >"$part_logs/$1.cpu"
	return "$status"
}

# part_progress NAME - passes only results of tests, and messages of step (lab.sh), because a part may build a kernel
part_progress() {
	local result="s/^((not )?ok [0-9]+ )(selftests: d2d: )?(.*)/$1: \\1\\4/p"
	local step_message='s/^[a-z-]+: .*([,:] about | [0-9]+ s$|failed).*/&/p'
	sed -unE "/^vm: /d; $result; $step_message"
}

# job_ended NAME STATUS SLOT SECONDS - adds the counts of the part NAME; `left` is a variable of run_parts
job_ended() {
	local name=$1 status=$2 seconds=$4 failed_before=$failed log=$part_logs/$1.log
	add_counts "$name" "$log" "$status"
	if [ "$failed" -gt "$failed_before" ]; then
		echo "== $name has failed:"
		failed_results "$log"
	fi
	echo "== $name: $counts, $seconds s, CPU $(<"$part_logs/$name.cpu") s; running: ${job_name[*]}; left: ${left[*]}"
}

# failed_results LOG - prints the lines of each failed test, and what follows the last result
failed_results() {
	awk '/^# failed: / { next }
		/^ok / { lines = ""; next }
		/^not ok / { printf "%s%s\n", lines, $0; lines = ""; next }
		{ lines = lines $0 "\n" }
		END { printf "%s", lines }' "$1" | sed 's/^[0-9]* passed, /# &/'
}
