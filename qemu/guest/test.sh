# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=busybox
# Mode test: runs kselftests. $case selects them:
#   (empty)                 all
#   PROGRAM[,PROGRAM...]    these
#   -PROGRAM[,PROGRAM...]   all but these
#   pair                    test.sh of the pair in /lib/d2d (qemu/run/pair.sh)
#   pair_torture:SECONDS    pair_torture.sh with that pair
#   pair_sweep              pair_sweep.sh with that pair
#   loader                  loader.sh, which needs the strict kernel
#   PROGRAM:TEXT            the first case of this program whose name contains the shell pattern TEXT
# The KTAP goes through a pipe, because kselftest's runner opens /dev/stdout again for some lines, and a virtio-serial
# port loses these lines.

set_test_taint
short_grace_periods
set -o pipefail
# shellcheck disable=SC2154 # set by init from the kernel's command line
case $case in
pair)
	/lib/d2d/test.sh | cat >"$KTAP"
	return
	;;
pair_* | loader)
	cd /kselftest/d2d || return 1
	"./${case%%:*}.sh" "${case#*:}" | cat >"$KTAP"
	return
	;;
esac
cd /kselftest || return 1
cp /d2d/timeout /usr/bin/
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
./run_kselftest.sh "$@" | cat >"$KTAP"
