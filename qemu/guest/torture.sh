# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=busybox
# Mode torture: runs the torture for $seconds, the fuzzer for $seconds, and then rounds of all_pairs.sh for about as
# long. $seed determines the random numbers of all three. If $seconds is empty, runs run_torture with the arguments in
# $case, such as "8" or "fuzz,8,SEED".

short_grace_periods
set -o pipefail

# write_ktap PREFIX CMD... - runs CMD, and writes PREFIX and each line of its KTAP as soon as the line comes
write_ktap() {
	local prefix=$1
	shift
	"$@" | while read -r line; do
		echo "$prefix$line" >>"$KTAP"
	done
}

# run_nested NUMBER NAME CMD... - runs CMD as the test NUMBER
run_nested() {
	local number=$1 name=$2 result=ok
	shift 2
	write_ktap '# ' "$@" || result='not ok'
	echo "$result $number $name" >>"$KTAP"
	[ "$result" = ok ]
}

cd /kselftest/d2d || return 1
# shellcheck disable=SC2154 # seconds, seed and case are set by init from the kernel's command line
if [ -n "$seconds" ]; then
	# A round of all_pairs.sh takes about 5 seconds. Six rounds suffice to load and unload every two
	# modules in both orders.
	rounds=$((seconds / 5))
	[ "$rounds" -ge 6 ] || rounds=6
	[ -n "$seed" ] || seed=$(od -A n -t u4 -N 4 /dev/urandom | tr -d ' ')
	printf '%s\n' 'TAP version 13' 1..2 >>"$KTAP"
	run_nested 1 run_torture ./run_torture "$seconds" "$seed"
	status=$?
	run_nested 2 all_pairs.sh ./all_pairs.sh "$rounds" "$seed" && return "$status"
else
	# shellcheck disable=SC2046 # the arguments are words
	write_ktap '' ./run_torture $(echo "$case" | tr , ' ')
fi
