#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Plays the demonstration and runs the kselftests on each kernel of docs/kernels.md: the newest one for x86-64, the
# older ones, one of unstable, and the newest one for arm64. Prints the table of docs/kernels.md at the end, and last a
# line of counts. A kernel that the cache lacks takes 4 to 9 minutes more.
# Usage: kernels.sh [some]
#   some  tests only the older kernels, and runs only the kselftests of what shared/compat/ replaces on these kernels
. "$(dirname "$0")/lib/lab.sh"
. "$(dirname "$0")/lib/parts.sh"
unset ARCH KERNEL KVER CASE

# Debian's archive drops old versions. If it has dropped one of these, name a newer one here and in docs/kernels.md.
older=(7.2.12+deb13-amd64)
unstable=(7.2.13+deb14-amd64)

# some_tests - runs a few kselftests and plays the demonstration on the kernel KVER
some_tests() {
	# The modules that these kselftests load. To build the others would take longer than the tests.
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

# try KVER ARCH CMD... - runs CMD, which runs tests, on a kernel. Then plays the demonstration, unless CMD is
# some_tests, which plays it itself. Adds a row with the counts to $rows
try() {
	local before_passed=$passed before_failed=$failed before_skipped=$skipped kernel name
	local -x KVER=$1 ARCH=$2
	shift 2
	kernel=$(kernel_dir stock)
	name=$(. "$kernel/kernel.env" && echo "$KVER")
	echo "== $name"
	part_now "$name" "$@" 2>&1
	[ "$1" = some_tests ] || part_now "$name: make run" "$LAB/run/boots.sh" <(echo 'stock run 90') 2>&1
	rows+=("| $name | $ARCH | $(compilers "$kernel") | $((passed - before_passed)) | $((failed - before_failed)) | $((skipped - before_skipped)) |")
}

rows=()
if [ "${1-}" = some ]; then
	for version in "${older[@]}"; do
		try "$version" x86_64 some_tests
	done
else
	try '' x86_64 "$LAB/test.sh"
	for version in "${older[@]}" "${unstable[@]}"; do
		try "$version" x86_64 "$LAB/test.sh"
	done
	try '' arm64 "$LAB/test.sh"
fi
echo '# | kernel | architecture | compilers | passed | failed | skipped |'
echo '# |---|---|---|---|---|---|'
printf '# %s\n' "${rows[@]}"
total
