#!/bin/bash
# Shows that a debugger can look into a machine: the sanitizer kernel plays the demonstration, and gdb,
# started as `make gdb` does, stops it in a Rust function of module_b. KTAP on stdout, the counts last.
# Usage: gdb.sh [FUNCTION]   for a breakpoint elsewhere; none in FUNCTION must be red
. "$(dirname "$0")/../lib.sh"

function=${1:-<module_b::DriverB as d2d_pair::PeerOps>::bounce}
nowhere=module_b::there_is_no_such_function
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

# expect NAME CMD... - a test, which passes if CMD succeeds
expect() {
	local name=$1 result='not ok'
	shift
	if "$@" >/dev/null; then
		result=ok passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
	echo "$result $((passed + failed)) $name"
}

# said REGEX - whether gdb has said this; its lines are joined by blanks
said() {
	tr '\n' ' ' <"$dir/gdb" | grep -qE -- "$1"
}

echo "TAP version 13"
echo "1..6"
# The time is for a busy host; whatever goes wrong, the machine's end is the end of its debugger.
GDB=1 KERNEL=sanitizer D2D_TIMEOUT=600 "$LAB/vm.sh" run >"$dir/vm" 2>&1 &
until run=$(sed -n 's/.*another terminal: .*gdb.sh //p' "$dir/vm") && [ -S "$PROJECT/${run:-none}/gdb" ]; do
	kill -0 $! 2>/dev/null || break
	sleep 0.1
done
"$LAB/gdb.sh" "$run" -batch -ex "break $nowhere" -ex "break $function" -ex continue -ex backtrace -ex 'print hops' \
	-ex 'info breakpoints' -ex 'with language c -- lx-lsmod' -ex delete -ex detach >"$dir/gdb" 2>&1 </dev/null || :
rc=0
wait $! || rc=$?

expect "a breakpoint in $function is hit" said 'Breakpoint [0-9]+, .*bounce'
expect "one in a function that does not exist is not" said "<PENDING> +$nowhere"
expect "the backtrace leads from module_b's function through the library to module_a" \
	said '#0 .*/module_b/module_b\.rs:.*#1 .*/shared/d2d/interface\.rs:.*#[0-9]+ .*/module_a/module_a\.rs:'
expect "an argument has its value" said '\$1 = 2 '
expect "the kernel's gdb scripts find both modules" said 'module_b .*module_a '
expect "the machine goes on, and its run passes" [ "$rc" -eq 0 ]
if [ "$failed" -gt 0 ]; then
	sed 's/^/# gdb: /' "$dir/gdb"
	grep -v ' d2d: ' "$dir/vm" | sed 's/^/# vm: /'
fi
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
