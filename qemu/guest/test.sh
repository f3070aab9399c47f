# shellcheck shell=busybox
# Mode test: the kselftest collection, or its program $case, and its KTAP to a port of its own.
# The pipe is needed: kselftest's runner appends to its standard output by name, and would lose
# lines on anything but a pipe.

cd /kselftest || return 1
cp /d2d/timeout /usr/bin/
set -- -c d2d
# shellcheck disable=SC2154 # set by init from the kernel's command line
[ -z "$case" ] || set -- -t "d2d:$case"
# Grace periods as short as they can be: most of the time of loading and unloading
echo 1 >/sys/kernel/rcu_expedited
set -o pipefail
./run_kselftest.sh "$@" | cat >"$KTAP"
