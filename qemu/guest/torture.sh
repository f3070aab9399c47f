# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=busybox
# Mode torture: runs the torture and the fuzzer for $seconds each, with the random numbers of $seed. Without $seconds,
# $case has the arguments of run_torture, separated by commas: 8, or fuzz,8,SEED. The loop at the end writes each line
# of KTAP as soon as it comes, so that the host sees the progress.

# Short grace periods let the torture load and unload more peers in the same time.
short_grace_periods
set -o pipefail
# shellcheck disable=SC2154,SC2046 # set by init from the kernel's command line
set -- $(echo "${seconds:-$case} $seed" | tr , ' ')
/kselftest/d2d/run_torture "$@" | while read -r line; do
	echo "$line" >>"$KTAP"
done
