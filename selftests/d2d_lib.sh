# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# What the tests share: finding and loading modules, and reading the trace.
# Sourced by a test in its own directory.

# Where the kernel's KTAP helpers are: beside an installed collection, or where
# the kernel's own run_tests says.
for helpers in ../kselftest/ktap_helpers.sh "${KSFT_HELPERS-}"; do
	# shellcheck source=/dev/null
	[ -f "$helpers" ] && . "$helpers" && break
done

# The kernel's error numbers by their names: ENOENT=2 and so on, made from its headers
# shellcheck source=/dev/null
. ./errnos

# With D2D_CASE, a pattern that a part of the case's name matches, the program reports that case alone, and
# ends with it.
if [ -n "${D2D_CASE-}" ]; then
	ktap_set_plan()
	{
		echo "1..1"
	}

	__ktap_test()
	{
		# shellcheck disable=SC2254 # a pattern
		case $2 in
		*$D2D_CASE*)
			echo "$1 1 $2${3:+ # $3}"
			unload_all
			[ "$1" = ok ]
			exit
			;;
		esac
	}
fi

MARK="d2d selftest mark"
HELD=/sys/module/hold_calls/parameters
DO=/sys/kernel/debug/d2d-actor/do
NOTES=$(mktemp)
trap 'rm -f "$NOTES"' EXIT

# module_path NAME - the .ko: of the test's own, of a build tree, or where the lab puts them
module_path()
{
	find_module "$1" && echo "$path"
}

# find_module NAME - as module_path, and the answer is in $path
find_module()
{
	for dir in "${D2D_MODULES-}" test_modules .. ../.. ../examples /lib/d2d; do
		path=$dir/$1.ko
		[ ! -f "$path" ] || return 0
	done
	path=$(modinfo -n "$1" 2>/dev/null)
}

# load NAME [PARAM=VALUE...] - one try; the errno goes to $NOTES
load()
{
	find_module "$1"
	shift
	./kmod load "$path" "$@" 2>"$NOTES"
}

# unload NAME - one try; the errno goes to $NOTES
unload()
{
	./kmod unload "$1" 2>"$NOTES"
}

# number ERRNO - the number of an error, given its name
number()
{
	eval "echo \"\${$1:?is not the name of an error}\""
}

# fails ERRNO COMMAND... - whether the command fails with this error, given its name
fails()
{
	errno=$(number "$1")
	shift
	! "$@" && read -r said <"$NOTES" && [ "${said%% *}" = "errno=$errno" ]
}

loaded()
{
	[ -d "/sys/module/$1" ]
}

# unload_all - leaves nothing of the pair in the kernel
unload_all()
{
	for name in torture_peer0 forgetful stranger torture_owner skew_older skew_newer relay_peer hostile_peer rebinds_core rebinds_kernel actor stage bad_peer pointers c_peer third_peer ticker_peer held_peer waiting_peer hold_calls sensor consumer module_b module_a bad_owner leaving_owner; do
		! loaded "$name" || unload "$name"
	done
}

# mark - the trace that trace() returns begins here
mark()
{
	# Reading the whole log each time takes long. Whoever wants it in the end says where to.
	[ -z "${D2D_LOG-}" ] || dmesg -c >>"$D2D_LOG"
	echo "$MARK" >/dev/kmsg
}

# trace - the d2d lines of the kernel log since the last mark
trace()
{
	dmesg | awk -v mark="$MARK" '
		index($0, mark) { n = 0; next }
		/: d2d: / { line[n++] = $0 }
		END { for (i = 0; i < n; i++) print line[i] }'
}

# refused DRIVER REASON - whether the trace has exactly one refusal, and it is this
refused()
{
	trace | awk -v driver="$1: d2d: " -v reason="step=refuse reason=$2 " '
		/step=refuse/ { refusals++; right = index($0, driver) && index($0, reason) }
		END { exit !(refusals == 1 && right) }'
}

# traced TEXT - whether the trace has a line with it
traced()
{
	trace | grep -q "$1"
}

# await COMMAND... - until it succeeds. This gives up on what hangs, after 30 s; no machine is so slow.
await()
{
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ "$tries" -lt 1500 ] || return
		sleep 0.02
	done
}

# act COMMAND... - commands for the module actor, see its source; the errno goes to $NOTES
act()
{
	./kmod write "$DO" "$*" 2>"$NOTES"
}

# hold PLACE - which calls the module hold_calls holds
hold()
{
	echo "$1" >"$HELD/hold"
}

# one_inside - whether one call is held, in time
one_inside()
{
	[ "$(cat "$HELD/inside" "$HELD/late" | xargs)" = "1 0" ]
}

# begin - root and modules, or the whole test is skipped
begin()
{
	ktap_print_header
	if [ "$(id -u)" != 0 ] || [ -z "$(module_path module_a)" ]; then
		ktap_skip_all "needs root and the modules"
		exit 4
	fi
	[ -d /sys/kernel/debug/bdi ] || mount -t debugfs none /sys/kernel/debug
	unload_all
}

# start PLAN - begin, with a plan that is known from the start
start()
{
	begin
	ktap_set_plan "$1"
}

# verdict NAME - after a command: passed if it succeeded, else failed, with what is known
verdict()
{
	if [ $? = 0 ]; then
		ktap_test_pass "$1"
		return
	fi
	[ ! -s "$NOTES" ] || sed 's/^/# /' "$NOTES"
	trace | tail -n 20 | sed 's/^/# /'
	ktap_test_fail "$1"
}
