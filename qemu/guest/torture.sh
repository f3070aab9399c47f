# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=busybox
# Mode torture: load for $seconds, with random numbers from $seed if there is one. $case has the program's
# arguments instead, with commas between them: 8, or fuzz,8,SEED. Each line of KTAP is written by itself,
# so that the host sees it at once.

# Grace periods as short as they can be: more peers come and go
echo 1 >/sys/kernel/rcu_expedited
set -o pipefail
# shellcheck disable=SC2154,SC2046 # set by init from the kernel's command line
set -- $(echo "${seconds:-$case} $seed" | tr , ' ')
/kselftest/d2d/run_torture "$@" | while read -r line; do
	echo "$line" >>"$KTAP"
done
