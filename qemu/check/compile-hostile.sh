#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Compiles a hostile driver as Kbuild has compiled module_a. Each line `// error: TEXT` of the driver must match an
# error of rustc, and each error must match such a line. A driver with `// compiles` must compile. Runs inside the
# toolchain root.
# Usage: compile-hostile.sh OUT DRIVER
# OUT is a build directory, DRIVER a Rust file.
set -euo pipefail

out=$1
driver=$(realpath "$2")
command=$(sed -n 's/^savedcmd_[^ ]* := //p' "$out/module_a/.module_a.o.cmd")
command=${command%% --out-dir*}
command=${command/clippy-driver/rustc}
mapfile -t expected < <(sed -n 's|^// error: ||p' "$driver")
if [ ${#expected[@]} -eq 0 ] && ! grep -qx '// compiles' "$driver"; then
	echo "the driver has neither a line '// error: ...' nor '// compiles'"
	exit 1
fi
rc=0
output=$(cd "$out" && RUSTC_BOOTSTRAP=1 sh -c "$command"' --error-format=short -Awarnings --emit=metadata -o hostile.rmeta "$0"' \
	"$driver" 2>&1) || rc=$?
mapfile -t errors < <(sed -n 's/^[^ ]*: error\(\[E[0-9]*\]\)\?: /\1: /p' <<<"$output" | sed 's/^: //' | sort -u)
wrong=0
for text in "${expected[@]}"; do
	grep -qF -e "$text" <<<"$(printf '%s\n' "${errors[@]}")" || { echo "no error has $text" && wrong=1; }
done
is_expected() {
	# Without expected texts, grep would read an empty line, which matches each error.
	[ ${#expected[@]} -gt 0 ] && grep -qF -f <(printf '%s\n' "${expected[@]}") <<<"$1"
}
for error in "${errors[@]}"; do
	is_expected "$error" || { echo "unexpected error: $error" && wrong=1; }
done
if [ ${#errors[@]} -eq 0 ] && [ "$rc" -ne 0 ]; then
	echo "rustc failed with $rc: $output"
	wrong=1
fi
exit "$wrong"
