# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# The functions that fault_sweep.sh and pair_sweep.sh share. They let failslab, a part of the kernel's
# fault injection, make allocations of modules fail. They need a kernel with failslab and its stack
# filter. A program sources d2d_lib.sh first.

FAILSLAB=/sys/kernel/debug/failslab
# The range of addresses of the code of modules. failslab ignores an allocation unless such an address is on
# the stack. So failslab ignores what the kernel itself allocates to load a module. SYSCALL is the function of
# the kernel through which every system call goes.
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

# setting [NAME VALUE]... - changes settings of failslab
setting()
{
	while [ $# -gt 0 ]; do
		echo "$2" >"$FAILSLAB/$1"
		shift 2
	done
}

# function_range NAME - prints the address at which this function of the kernel begins, and the address at which the
# next function begins. Prints nothing if the function does not exist
function_range()
{
	awk -v name="$1" '
		$2 !~ /[tT]/ { next }
		begin && $1 != begin { print "0x" begin, "0x" $1; exit }
		$3 == name { begin = $1 }' /proc/kallsyms
}

# ignore_calls_of NAME - makes failslab ignore allocations with this function on the stack
ignore_calls_of()
{
	# shellcheck disable=SC2046 # two words
	set -- $(function_range "$1")
	setting reject-start "${1:-0}" reject-end "${2:-0}"
}

# reset_failslab - gives the settings of failslab the values that they have when the kernel starts
reset_failslab()
{
	setting probability 0 task-filter N ignore-gfp-wait Y stacktrace-depth 32 \
		require-start 0 require-end 0xffffffffffffffff reject-start 0 reject-end 0
}

# fail_modules_only - makes failslab ignore all allocations but those of modules. To record such an allocation,
# kmemleak allocates memory itself; failslab ignores that, too
fail_modules_only()
{
	setting ignore-gfp-wait N require-start "$MODULES_START" require-end "$MODULES_END"
	ignore_calls_of __alloc_object
}

# set_up_failslab CASES - as begin; then makes failslab ignore all allocations but those of modules. Skips the program
# if the kernel lacks failslab
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

# sweep_allocations NAME LEAST FAIL_NTH_ARGUMENT... - the case NAME: the program fail_nth makes a call again and again.
# It lets each allocation of the call fail in turn, and checks the results. The call must make at least LEAST
# allocations, because a call that makes fewer has not done what the case is about. LEAST is 0 for a call that need not
# allocate
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
