#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Shows that `make gdb` works with the kernel debug: gdb stops the machine in a Rust function of module_b.
# Usage: gdb.sh [FUNCTION]
# To see that the test can fail, name a FUNCTION that does not exist.
. "$(dirname "$0")/../lib/lab.sh"

function=${1:-<module_b::DriverB as d2d_pair::PeerOps>::bounce}
nowhere=module_b::there_is_no_such_function
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
log=$dir/log
. "$(dirname "$0")/../lib/ktap.sh"

# gdb_prints REGEX - succeeds if gdb's output, joined to one line, matches
gdb_prints() {
	tr '\n' ' ' <"$dir/gdb" | grep -qE -- "$1"
}

ktap_begin
# The host may be busy, so allow 10 minutes. If the machine ends early, gdb ends, too.
GDB=1 KERNEL=debug D2D_TIMEOUT=600 "$LAB/vm.sh" run >"$dir/vm" 2>&1 &
until run=$(sed -n 's/.*another terminal: .*gdb.sh //p' "$dir/vm") && [ -S "$PROJECT/${run:-none}/gdb" ]; do
	kill -0 $! 2>/dev/null || break
	sleep 0.1
done
"$LAB/gdb.sh" "$run" -batch -ex "break $nowhere" -ex "break $function" -ex continue -ex backtrace -ex 'print hops' \
	-ex 'info breakpoints' -ex 'with language c -- lx-lsmod' -ex delete -ex detach >"$dir/gdb" 2>&1 </dev/null || :
rc=0
wait $! || rc=$?

expect "a breakpoint in $function is hit" gdb_prints 'Breakpoint [0-9]+, .*bounce'
expect "a breakpoint in a function that does not exist stays pending" gdb_prints "<PENDING> +$nowhere"
expect "the backtrace leads from module_b's function through the library to module_a" \
	gdb_prints '#0 .*/module_b/module_b\.rs:.*#1 .*/shared/d2d/interface\.rs:.*#[0-9]+ .*/module_a/module_a\.rs:'
expect "gdb prints the value of an argument" gdb_prints '\$1 = 2 '
expect "the kernel's gdb scripts find both modules" gdb_prints 'module_b .*module_a '
expect "the machine goes on, and its run passes" [ "$rc" -eq 0 ]
if [ "$failed" -gt 0 ]; then
	sed 's/^/# gdb: /' "$dir/gdb"
	grep -v ' d2d: ' "$dir/vm" | sed 's/^/# vm: /'
fi
ktap_end
