# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=busybox
# Mode test: the kselftest collection, and its KTAP to a port of its own. $case selects: PROGRAM[,PROGRAM...],
# -PROGRAM[,PROGRAM...] for all but these, or PROGRAM:CASE for one case, in which "?" stands for any
# character.
# The pipe is needed: kselftest's runner appends to its standard output by name, and would lose
# lines on anything but a pipe.

cd /kselftest || return 1
cp /d2d/timeout /usr/bin/
# shellcheck disable=SC2154 # set by init from the kernel's command line
programs=${case%%:*}
case $case in
*:*) export D2D_CASE="${case#*:}" ;;
esac
case $programs in
'') set -- -c d2d ;;
-*)
	set -- -c d2d
	for program in $(echo "${programs#-}" | tr , ' '); do
		set -- "$@" -S "d2d:$program"
	done
	;;
*)
	set --
	for program in $(echo "$programs" | tr , ' '); do
		set -- "$@" -t "d2d:$program"
	done
	;;
esac
# Grace periods as short as they can be: most of the time of loading and unloading
echo 1 >/sys/kernel/rcu_expedited
set -o pipefail
./run_kselftest.sh "$@" | cat >"$KTAP"
