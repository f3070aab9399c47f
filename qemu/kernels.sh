#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests Debian's kernels, and prints the table of docs/kernels.md. Runs all kselftests on four kernels, and the function
# some_tests on the others. A kernel that the cache lacks takes 4 to 9 minutes more.
# Usage: kernels.sh [some]
#   some  only run some_tests on the kernel $older
. "$(dirname "$0")/lib/lab.sh"
. "$(dirname "$0")/lib/parts.sh"
unset ARCH KERNEL KVER CASE

# Debian's archive drops old versions. If it has dropped one of these two, name a newer version here and in
# docs/kernels.md.
older=7.2.12+deb13
unstable=7.2.13+deb14

# some_tests - plays the demonstration, and runs kselftests that use what shared/compat/ replaces on older kernels
some_tests() {
	# Build only what these kselftests load: building all modules takes longer than the tests.
	D2D_ONLY="module_a module_b metronome c_metronome listener c_listener torture_owner torture_peer0 paused_peer pause_calls actor device_peer" "$LAB/run/boots.sh" <(
		echo 'stock test/lifecycle.sh,handshakes.sh,jobs.sh 600'
		echo 'stock test/events.sh:a?program?watches 180'
		echo 'stock run 90'
	)
}

compilers() {
	sed -nE 's/^CONFIG_RUSTC_VERSION_TEXT="(rustc [^ ]+).*/\1/p; s/^CONFIG_CC_VERSION_TEXT=".* ([^ "]+)"$/gcc \1/p' \
		"$1/tree/.config" | sort -r | paste -sd , | sed 's/,/, /'
}

row() {
	rows+=("# $1")
	echo "# $1"
}

# try KVER ARCH CMD... - tests a kernel (if KVER is empty, the newest), and adds a row to the table. CMD is test.sh or
# some_tests. Also plays the demonstration, unless CMD does so itself.
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

# kernels_for_some_tests - prints the kernels of trixie for x86-64 that get only some_tests. Of the kernels for clouds,
# prints the newest. Of the rest, prints all but the newest and $older. Omits the kernels that the lab refuses: with
# PREEMPT_RT, and 6.12.
kernels_for_some_tests() {
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
	for version in $(kernels_for_some_tests); do
		try "$version" x86_64 some_tests
	done
	try "$older-arm64" arm64 some_tests
	try "$unstable-arm64" arm64 some_tests
fi
printf '%s\n' "${rows[@]}"
total
