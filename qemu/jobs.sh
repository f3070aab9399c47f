# shellcheck shell=bash
# Runs checks two at a time, as the host has two CPUs or more, and reports each as it ends, in
# KTAP. Sourced after lib.sh.

declare -A job_name=() job_file=() job_slot=()
job_slots=(0 1)
passed=0 failed=0
trap_interrupts

# job NAME CMD... - run a command, which says what is wrong, or nothing. SLOT is 0 or 1: no other
# job has the same one at the same time.
job() {
	local name=$1 file
	shift
	[ ${#job_slots[@]} -gt 0 ] || job_report
	SLOT=${job_slots[-1]}
	unset 'job_slots[-1]'
	file=$(mktemp)
	"$@" >"$file" &
	job_name[$!]=$name job_file[$!]=$file job_slot[$!]=$SLOT
}

# Waits for one of the jobs that are under way, and reports it
job_report() {
	local pid number result=ok
	wait -n -p pid
	number=$((passed + failed + 1))
	if [ -s "${job_file[$pid]}" ]; then
		result='not ok'
		failed=$((failed + 1))
		sed 's/^/# /' "${job_file[$pid]}"
	else
		passed=$((passed + 1))
	fi
	echo "$result $number ${job_name[$pid]}"
	rm "${job_file[$pid]}"
	job_slots+=("${job_slot[$pid]}")
	unset "job_name[$pid]" "job_file[$pid]" "job_slot[$pid]"
}

# jobs_end - waits for the rest; the counts, last
jobs_end() {
	while [ ${#job_name[@]} -gt 0 ]; do
		job_report
	done
	echo "$passed passed, $failed failed, 0 skipped"
	[ "$failed" -eq 0 ]
}
