#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Loads, uses and unloads a pair of modules from outside of this tree, again and again. Each time, failslab makes
# another allocation of the modules fail, as in fault_sweep.sh.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh
# shellcheck source=selftests/sweep_lib.sh
. ./sweep_lib.sh
# shellcheck source=selftests/pair_lib.sh
. ./pair_lib.sh

# sweep_use NUMBER WHAT FAIL_NTH_ARGUMENT... - each_use calls it
sweep_use()
{
	shift
	what=$1
	shift
	reset_trace
	sweep_allocations "$what" 0 "$@"
}

set_up_failslab $((2 * $(echo "$modules" | wc -l) + number_of_uses))
for module in $modules; do
	for verb in load unload; do
		unload_pair && load_before "$module" && reset_trace
		sweep_allocations "${verb}ing $module" 0 "$verb" "$(module_path "$module")"
	done
done
unload_pair && load_before ''
each_use sweep_use
unload_pair
ktap_finished
