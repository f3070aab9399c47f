#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Plays the demonstration and runs kselftests on Debian's kernels:
# - all kselftests on three kernels for x86-64 (the newest, an older one, and one of unstable) and on the newest kernel
#   for arm64;
# - a few kselftests (some_tests) on the other kernels of trixie for x86-64 that can be used (of the kernels for clouds,
#   only the newest), and on two more kernels for arm64.
# Prints each row of the table of docs/kernels.md when the row is complete, the table at the end, and last a line of
# counts. A kernel that the cache lacks takes 4 to 9 minutes more. A kernel that cannot be prepared counts as a failure;
# the script still tests the others.
# Usage: kernels.sh [some]
#   some  runs some_tests on the older kernel, and nothing else
. "$(dirname "$0")/lib/lab.sh"
. "$(dirname "$0")/lib/parts.sh"
unset ARCH KERNEL KVER CASE

# Debian's archive drops old versions. If it has dropped one of these two, name a newer version here and in
# docs/kernels.md.
older=7.2.12+deb13
unstable=7.2.13+deb14

# some_tests - plays the demonstration, and runs the kselftests of the functions that shared/compat/ replaces on older
# kernels
some_tests() {
	# Build only the modules that these kselftests load: building all modules would take longer than the tests.
	D2D_ONLY="module_a module_b metronome c_metronome listener c_listener torture_owner torture_peer0 paused_peer pause_calls actor device_peer" "$LAB/run/boots.sh" <(
		echo 'stock test/lifecycle.sh,handshakes.sh,jobs.sh 600'
		echo 'stock test/events.sh:a?program?watches 180'
		echo 'stock run 90'
	)
}

# compilers KERNEL - prints the compilers that built the kernel in the directory KERNEL; the same ones build the modules
compilers() {
	sed -nE 's/^CONFIG_RUSTC_VERSION_TEXT="(rustc [^ ]+).*/\1/p; s/^CONFIG_CC_VERSION_TEXT=".* ([^ "]+)"$/gcc \1/p' \
		"$1/tree/.config" | sort -r | paste -sd , | sed 's/,/, /'
}

# row TEXT - adds a row to the table
row() {
	rows+=("# $1")
	echo "# $1"
}

# try KVER ARCH CMD... - runs CMD, which runs tests, on a kernel. If KVER is empty, this is the newest kernel. Then
# plays the demonstration, unless CMD is some_tests, which plays it itself. Adds a row with the counts to the table
try() {
	local before_passed=$passed before_failed=$failed before_skipped=$skipped kernel name tests=all
	local -x KVER=$1 ARCH=$2
	shift 2
	echo "== ${KVER:-the newest kernel} ($ARCH)"
	if ! kernel=$(kernel_dir stock); then
		failed=$((failed + 1))
		failures+=("${KVER:-the newest kernel} ($ARCH): not prepared")
		row "| ${KVER:-newest} | $ARCH | not prepared | none | 0 | 1 | 0 |"
		return
	fi
	name=$(. "$kernel/kernel.env" && echo "$KVER")
	part_now "$name" "$@" 2>&1
	if [ "$1" = some_tests ]; then
		tests=few
	else
		part_now "$name: make run" "$LAB/run/boots.sh" <(echo 'stock run 90') 2>&1
	fi
	row "| $name | $ARCH | $(compilers "$kernel") | $tests | $((passed - before_passed)) | $((failed - before_failed)) | $((skipped - before_skipped)) |"
}

# others - prints the kernels of trixie for x86-64 on which this script runs some_tests:
# - of the kernels for clouds (-cloud-), the newest;
# - of the others, all except the newest and $older.
# Leaves out the kernels for real-time (-rt-), which the lab refuses, and 6.12, which is built without CONFIG_RUST
others() {
	local names
	names=$("$LAB/enter.sh" apt-cache pkgnames linux-headers- |
		sed -nE 's/^linux-headers-(([7-9]|[1-9][0-9]+)\.[^-]*\+deb13[^-]*(-cloud)?-amd64)$/\1/p' | sort -rV)
	grep -v -e -cloud- <<<"$names" | grep -vxF -e "$older-amd64" | tail -n +2
	grep -e -cloud- <<<"$names" | head -n 1
}

rows=('# | kernel | architecture | compilers | kselftests | passed | failed | skipped |' '# |---|---|---|---|---|---|---|')
if [ "${1-}" = some ]; then
	try "$older-amd64" x86_64 some_tests
else
	try '' x86_64 "$LAB/test.sh"
	try "$older-amd64" x86_64 "$LAB/test.sh"
	try "$unstable-amd64" x86_64 "$LAB/test.sh"
	try '' arm64 "$LAB/test.sh"
	for version in $(others); do
		try "$version" x86_64 some_tests
	done
	try "$older-arm64" arm64 some_tests
	try "$unstable-arm64" arm64 some_tests
fi
printf '%s\n' "${rows[@]}"
total
