# shellcheck shell=busybox
# Mode torture: load for $seconds (or $case), with random numbers from $seed if there is one. Each line of
# KTAP is written by itself, so that the host sees it at once.

# Grace periods as short as they can be: more peers come and go
echo 1 >/sys/kernel/rcu_expedited
set -o pipefail
# shellcheck disable=SC2154,SC2086 # set by init from the kernel's command line
/kselftest/d2d/torture "${seconds:-$case}" $seed | while read -r line; do
	echo "$line" >>"$KTAP"
done
