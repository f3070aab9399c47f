# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Runs background jobs, two at a time, or more if a script adds numbers to free_slots. ktap.sh and parts.sh source this
# file, and define job_ended.

declare -A job_name=() job_slot=() job_start=()
free_slots=(0 1)

# start_job NAME CMD... - waits until a slot is free, and runs CMD in the background. $SLOT is the number of the slot
start_job() {
	local name=$1
	shift
	# Background jobs ignore Ctrl-C, so end them here.
	trap 'trap "" INT TERM HUP; end_children $$; exit 130' INT TERM HUP
	[ ${#free_slots[@]} -gt 0 ] || wait_for_job
	SLOT=${free_slots[-1]}
	unset 'free_slots[-1]'
	"$@" &
	job_name[$!]=$name job_slot[$!]=$SLOT job_start[$!]=$SECONDS
}

# wait_for_job - waits until a job has ended, and calls job_ended NAME STATUS SLOT SECONDS for it
wait_for_job() {
	local pid rc=0 name slot seconds
	wait -n -p pid || rc=$?
	name=${job_name[$pid]} slot=${job_slot[$pid]} seconds=$((SECONDS - job_start[$pid]))
	unset "job_name[$pid]" "job_slot[$pid]" "job_start[$pid]"
	free_slots+=("$slot")
	job_ended "$name" "$rc" "$slot" "$seconds"
}

wait_for_jobs() {
	while [ ${#job_name[@]} -gt 0 ]; do
		wait_for_job
	done
}

end_children() {
	local pid
	for pid in $(ps -o pid= --ppid "$1"); do
		end_tree "$pid"
	done
}

# end_tree PID - ends a process and its descendants. Lists the children first: an ended process has none
end_tree() {
	local pid children
	children=$(ps -o pid= --ppid "$1") || :
	kill -TERM "$1" 2>/dev/null || :
	for pid in $children; do
		end_tree "$pid"
	done
}

# cpu_time - sets $cpu_time to the CPU time, in 1/100 s, of this shell's ended children and of their ended children
cpu_time() {
	local stat
	read -r stat <"/proc/$BASHPID/stat"
	# proc_pid_stat(5): field 3 follows "(NAME) ". Fields 16 and 17 are the times of the children.
	read -ra stat <<<"${stat##*) }"
	# shellcheck disable=SC2034 # a result
	cpu_time=$((stat[13] + stat[14]))
}
