# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Mode shell: a root shell on the serial console.

cat >/etc/profile <<'PROFILE'
export PS1='d2d:\w# '
alias poweroff='poweroff -f' # without -f, poweroff only sends a signal to PID 1, a script that does not handle it
cat <<'HELP'

The modules and the test peers are in /lib/d2d, for example
  insmod module_a.ko; insmod module_b.ko; dmesg | tail -n 40
  [ -c /dev/module_b ] && echo 1 >/dev/module_b
  rmmod module_b; rmmod module_a
The tests: cd /kselftest; ./run_kselftest.sh -l; ./run_kselftest.sh -c d2d | cat
`poweroff` (or exit) ends the VM; Ctrl-A x kills QEMU.

HELP
PROFILE
# shellcheck disable=SC2154 # init sets rows and columns from the kernel's command line
stty rows "$rows" cols "$columns" 2>/dev/null
cd /lib/d2d || cd /
setsid cttyhack sh -l
