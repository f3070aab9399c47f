#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Out of memory, for a pair of other people's modules: the kernel makes each allocation of loading,
# using and unloading them fail, one at a time. The system call must then either fail with ENOMEM
# and one line in the log, and leak nothing, or succeed without the memory.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh
# shellcheck source=selftests/sweep_lib.sh
. ./sweep_lib.sh
# shellcheck source=selftests/pair_lib.sh
. ./pair_lib.sh

count=$(echo "$modules" | wc -l)
set_up_failslab $((2 * count + $(echo "$uses" | grep -c .)))
for module in $modules; do
	for verb in load unload; do
		unload_pair && load_before "$module" && reset_trace
		sweep_allocations "${verb}ing $module" 0 "$verb" "$(module_path "$module")"
	done
done
unload_pair && load_before ''
while read -r file text; do
	[ -n "$file" ] || continue
	reset_trace
	sweep_allocations "writing '$text' to $file" 0 write "$file" "$text"
done <<-USES
	$uses
USES
unload_pair
ktap_finished
