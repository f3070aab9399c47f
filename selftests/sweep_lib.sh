# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# The functions that fault_sweep.sh and pair_sweep.sh share. They let failslab, a part of the kernel's fault injection,
# make allocations of modules fail

FAILSLAB=/sys/kernel/debug/failslab
# The addresses of the code of modules. failslab ignores an allocation unless such an address is on the stack. SYSCALL
# is the function of the kernel through which each system call goes.
if grep -q "User Mode Linux" /proc/cpuinfo; then
	# The code of modules is above the kernel's code, and below KASAN's memory and the C library.
	MODULES_START=$(awk '$3 == "_etext" { print "0x" $1 }' /proc/kallsyms)
	MODULES_END=0x100000000000
	SYSCALL=handle_syscall
else
	# Documentation/arch/x86/x86_64/mm.rst
	MODULES_START=0xffffffffa0000000
	MODULES_END=0xffffffffff000000
	# shellcheck disable=SC2034 # fault_sweep.sh uses it
	SYSCALL=do_syscall_64
fi

setting()
{
	while [ $# -gt 0 ]; do
		echo "$2" >"$FAILSLAB/$1"
		shift 2
	done
}

# function_range NAME - prints where this function of the kernel begins, and where the next one begins
function_range()
{
	awk -v name="$1" '
		$2 !~ /[tT]/ { next }
		begin && $1 != begin { print "0x" begin, "0x" $1; exit }
		$3 == name { begin = $1 }' /proc/kallsyms
}

ignore_calls_of()
{
	# shellcheck disable=SC2046 # two words
	set -- $(function_range "$1")
	setting reject-start "${1:-0}" reject-end "${2:-0}"
}

reset_failslab()
{
	setting probability 0 task-filter N ignore-gfp-wait Y stacktrace-depth 32 \
		require-start 0 require-end 0xffffffffffffffff reject-start 0 reject-end 0
}

# fail_modules_only - lets only allocations by modules fail, but not those of __alloc_object, in which kmemleak
# allocates its record of each allocation of a module
fail_modules_only()
{
	setting ignore-gfp-wait N require-start "$MODULES_START" require-end "$MODULES_END"
	ignore_calls_of __alloc_object
}

# set_up_failslab CASES - as begin; skips the program if the kernel lacks failslab
set_up_failslab()
{
	set_up
	if [ ! -e "$FAILSLAB/require-start" ] || [ ! -e /proc/self/fail-nth ]; then
		ktap_skip_all "needs a kernel with CONFIG_FAILSLAB and CONFIG_FAULT_INJECTION_STACKTRACE_FILTER"
		exit 4
	fi
	trap 'reset_failslab; rm -f "$NOTES"' EXIT
	reset_failslab
	setting verbose 0 cache-filter N
	fail_modules_only
	ktap_set_plan "$1"
}

# sweep_allocations NAME LEAST FAIL_NTH_ARGUMENT... - the case NAME: the program fail_nth makes each allocation of a
# call fail in turn. The case fails if the call makes fewer than LEAST allocations: then it has not done its work
sweep_allocations()
{
	case_name=$1 least=$2
	shift 2
	counted=$(./fail_nth "$@")
	swept=$?
	echo "# $counted"
	[ "$swept" = 0 ] && [ "${counted%% *}" -ge "$least" ]
	verdict "$case_name"
}
