# shellcheck shell=bash disable=SC2154 # failed and counted are total.sh's
# Runs the parts of a test run, two at a time as the host has two CPUs or more, and shows each result as it
# comes. A part is a command that reports in KTAP and prints its counts last. Its whole output is in
# build/SCRIPT/; of a part that fails, what led to the failures is shown when it ends. Sourced after total.sh.

part_names=()
declare -A part_command=() part_pid=() part_start=()
part_logs=$PROJECT/build/$(basename "$0" .sh)

# part NAME CMD... - declares a part. Parts start in this order.
part() {
	local name=$1
	shift
	part_names+=("$name")
	part_command[$name]=$(printf '%q ' "$@")
}

# part_start NAME - starts it in the background
part_start() {
	local log=$part_logs/$1.log
	part_start[$1]=$SECONDS
	# Shown: results, and the progress of a long step, as the set-up of a kernel.
	(
		set -o pipefail
		eval "${part_command[$1]}" </dev/null 2>&1 | tee "$log" |
			sed -unE "/^vm: /d; s/^((not )?ok [0-9]+ )(selftests: d2d: )?(.*)/$1: \\1\\4/p; s/^[a-z-]+: .*([,:] about | [0-9]+ s\$|failed).*/&/p"
	) &
	part_pid[$1]=$!
}

# part_failures LOG - the diagnostic lines of the tests that have failed, and what the run says in the end
part_failures() {
	awk '/^# failed: / { next }
		/^ok / { said = ""; next }
		/^not ok / { printf "%s%s\n", said, $0; said = ""; next }
		{ said = said $0 "\n" }
		END { printf "%s", said }' "$1" | sed 's/^[0-9]* passed, /# &/'
}

# part_ended NAME RC LEFT... - counts a part that has ended
part_ended() {
	local name=$1 rc=$2 failed_before=$failed log=$part_logs/$1.log
	shift 2
	unset "part_pid[$name]"
	count "$name" "$log" "$rc"
	if [ "$failed" -gt "$failed_before" ]; then
		echo "== $name has failed:"
		part_failures "$log"
	fi
	echo "== $name: $counted, $((SECONDS - part_start[$name])) s; running: ${!part_pid[*]}; left: $*"
}

# run_parts - runs them all; what has failed is listed in the end, before the counts
run_parts() {
	local left=("${part_names[@]}") name pid rc
	rm -rf "$part_logs"
	mkdir -p "$part_logs"
	trap_interrupts
	echo "== parts: ${left[*]}"
	while [ ${#left[@]} -gt 0 ] || [ ${#part_pid[@]} -gt 0 ]; do
		while [ ${#left[@]} -gt 0 ] && [ ${#part_pid[@]} -lt 2 ]; do
			part_start "${left[0]}"
			left=("${left[@]:1}")
		done
		rc=0
		wait -n -p pid || rc=$?
		for name in "${!part_pid[@]}"; do
			[ "${part_pid[$name]}" != "$pid" ] || part_ended "$name" "$rc" "${left[@]}"
		done
	done
	total
}
