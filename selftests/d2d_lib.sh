# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# The functions that the test programs share. They load and unload modules, check errnos, and read the
# trace. A test program changes to its own directory and then sources this file.
#
# If the comment of a function says "succeeds if CONDITION", the function fails if the condition does not
# hold. The errno of a failed call, or what a check has found, goes to the file $NOTES. If the case fails,
# verdict() prints this file.
#
# Below is an example of a case. A case begins with `fresh` or a function `fresh_...`. This function sets up the state
# that the case needs, whatever modules are loaded. So each case can be run alone
# (`make test CASE=PROGRAM:NAME`):
#
#   fresh_peer bad_peer fault=none
#   fails EBUSY load module_b && only_refusal_is module_a no-free-context
#   verdict "the only context is in use: module_b gets EBUSY"
#
# Here fresh_peer loads the owner with one context, and then bad_peer, a peer that gets this context.

# The kernel's KTAP helpers. An installed collection of kselftests has them in ../kselftest. In the
# source tree the Makefile passes their path in KSFT_HELPERS.
for helpers in ../kselftest/ktap_helpers.sh "${KSFT_HELPERS-}"; do
	# shellcheck source=/dev/null
	[ -f "$helpers" ] && . "$helpers" && break
done

# Error numbers by name, ENOENT=2 and so on: generated from the kernel's headers
# shellcheck source=/dev/null
. ./errnos

# The exit status of the program. Empty until the program has reported the case that D2D_CASE selects
outcome=''

# runs_case NAME - succeeds if the program must run the case NAME: D2D_CASE selects this case, or is not set. If
# the program has already reported the selected case, ends the program. So the program ends at the next case, and not
# right after the selected one, because the lines in between clean up. With D2D_LIST, prints NAME and fails
runs_case()
{
	[ -z "$outcome" ] || ktap_finished
	if [ -n "${D2D_LIST-}" ]; then
		echo "case: $1"
		return 1
	fi
	# shellcheck disable=SC2254 # a pattern
	case $1 in
	*${D2D_CASE-}*) ;;
	*) return 1 ;;
	esac
}

# D2D_CASE, a shell pattern, selects one case: the program runs and reports only the first case whose
# name contains a match. With D2D_LIST=1 the program runs no case, and prints the names of all cases. With either
# variable, the program still runs the commands outside of the cases: its setup, and the cleanups.
if [ -n "${D2D_CASE-}${D2D_LIST-}" ]; then
	if [ -z "${D2D_WRAPPED-}" ]; then
		# Replaces this program by a changed copy of it. A case begins with a line `fresh...` and ends with
		# a line `verdict "NAME"`. In the copy, `if runs_case "NAME"; then ... fi` encloses each case.
		program=$(awk '
			function flush() { printf "%s", text; text = "" }
			{ line = $0; tabs = match(line, /[^\t]/) ? RSTART : 0 }
			line ~ /^\t*fresh/ { flush(); begin = tabs }
			{ text = text line "\n" }
			begin && tabs == begin && line ~ /^\t*verdict[a-z_]* ".*"$/ {
				name = line
				sub(/^\t*verdict[a-z_]* /, "", name)
				text = "if runs_case " name "; then\n" text "fi\n"
				begin = 0
			}
			line == "" { begin = 0 }
			!begin { flush() }
			END { flush() }' "${0##*/}")
		D2D_WRAPPED=1 exec sh -c "$program" "./${0##*/}" "$@"
	fi

	# These functions replace those of the same names in ktap_helpers.sh.
	ktap_set_plan()
	{
		[ -n "${D2D_LIST-}" ] || echo "1..1"
	}

	ktap_finished()
	{
		unload_all
		if [ -z "$outcome${D2D_LIST-}" ]; then
			# In D2D_CASE a "?" stands for each blank of the name.
			echo "Bail out! no case of ${0##*/} has '$(echo "$D2D_CASE" | tr '?' ' ')' in its name" \
				"(make test CASE=list lists them)"
			outcome=1
		fi
		exit "${outcome:-0}"
	}

	__ktap_test()
	{
		if [ -n "${D2D_LIST-}" ]; then
			# With D2D_LIST, runs_case() skips each case that begins with `fresh`. A case that comes here
			# does not begin with `fresh`, and cannot be run alone.
			[ "${3-}" = SKIP ] || echo "not alone: $2"
			return
		fi
		runs_case "$2" || return 0
		echo "$1 1 $2${3:+ # $3}"
		[ "$1" = ok ]
		outcome=$?
	}
fi

# A timeout, in milliseconds, for handshakes that a worker completes. On a busy machine the worker may begin seconds
# late, but must still complete the handshake before the timeout
# shellcheck disable=SC2034 # a variable of the test programs
LONG_TIMEOUT=60000
TRACE_START="d2d selftest: the trace starts"
# The file that says why the last command failed: "errno=N (text)", or what a check has found
NOTES=$(mktemp)
trap 'rm -f "$NOTES"' EXIT

# module_path NAME - prints the path of NAME.ko. If $D2D_MODULES is set, looks only in this folder. Otherwise looks
# first in the folders of the source tree, then in /lib/d2d (a folder of the lab's guests), and last among the modules
# that are installed for modprobe
module_path()
{
	find_module "$1" && echo "$path"
}

# find_module NAME - as module_path, but sets $path instead of printing
find_module()
{
	for dir in ${D2D_MODULES:-test_modules .. ../.. ../examples /lib/d2d}; do
		path=$dir/$1.ko
		[ ! -f "$path" ] || return 0
	done
	path=''
	[ -z "${D2D_MODULES-}" ] && path=$(modinfo -n "$1" 2>/dev/null)
}

# words MODULE PARAM - prints the words for the numbers 0, 1 and so on of this parameter; prints nothing for a parameter
# without words. The macro module! of the kernel crate has no parameter that takes a word. So a parameter of a module in
# Rust is a number, even if it selects one of several behaviours. For such parameters of the test modules, the cases use
# these words instead of numbers. The module's source says what each number does
words()
{
	case $1.$2 in
	bridge.waits) echo nothing joined-threads inside started-thread deferred held-request held-request-inside dropped-resources ;;
	bridge.fails) echo nothing start control join ;;
	middle.waits) echo nothing owner peer owner-for-request peer-for-request dispatch-for-request ;;
	middle.fails | junction.fails) echo nothing join ready control ;;
	device_peer.variant) echo for-root for-all for-admins twice bad-name bad-mode bad-capability nested fails null tty sleeper ;;
	relay_peer.next) echo module_a module_b handle_peer c_peer relay_peer bob ;;
	relay_peer.then) echo complete no-return pend ;;
	unloading_owner.job) echo work thread delayed bottom-half timer leaked ;;
	waiting_peer.waits_in) echo operation deferred work thread ;;
	waiting_peer.waits_for) echo event request link ;;
	esac
}

# in_numbers MODULE [PARAM=VALUE...] - prints these parameters of the module. If VALUE is a word of words(), prints
# the number instead
in_numbers()
{
	module=$1
	shift
	for parameter; do
		number=0
		for word in $(words "$module" "${parameter%%=*}"); do
			[ "$word" != "${parameter#*=}" ] || parameter=${parameter%%=*}=$number
			number=$((number + 1))
		done
		echo "$parameter"
	done
}

# load NAME [PARAM=VALUE...] - loads a module by one system call; writes the errno to $NOTES. VALUE may be a word of
# words(). Ends the program if the module was not built, because no case may pass or fail only because a module is
# missing
load()
{
	find_module "$1"
	if [ -z "$path" ]; then
		echo "Bail out! there is no module $1${D2D_MODULES:+ in $D2D_MODULES}"
		exit 1
	fi
	# shellcheck disable=SC2046 # words
	./one_call load "$path" $(in_numbers "$@") 2>"$NOTES"
}

# unload NAME - unloads a module by one system call; writes the errno to $NOTES
unload()
{
	./one_call unload "$1" 2>"$NOTES"
}

# write_to FILE TEXT - writes to a file by one system call; writes the errno to $NOTES
write_to()
{
	./one_call write "$1" "$2" 2>"$NOTES"
}

# devctl CHECK DEVICE [UID] - runs the program devctl (programs/devctl.rs); writes what is wrong, or the
# errno, to $NOTES
devctl()
{
	./devctl "$@" 2>"$NOTES"
}

# number ERRNO - prints the number of an error
number()
{
	eval "echo \"\${$1:?is not the name of an error}\""
}

# fails ERRNO COMMAND... - succeeds if the command fails, and has written this errno to $NOTES
fails()
{
	wanted=$(number "$1")
	shift
	! "$@" && read -r noted <"$NOTES" && [ "${noted%% *}" = "errno=$wanted" ]
}

loaded()
{
	[ -d "/sys/module/$1" ]
}

# unload_all - unloads those of the modules below that are loaded, peers before owners. A case that loads another module
# unloads that module itself
unload_all()
{
	for name in d2d_kunit torture_peer0 event_faults forgetful_torture forgetful_middle forgetful_lender forgetful_junction forgetful stranger torture_owner skew_older skew_newer relay_peer hostile_peer handle_kinds rebinds_core rebinds_kernel actor unregistering bad_peer pointers arrivals c_peer handle_peer ticker_peer paused_peer waiting_peer device_peer history_peer greeter_peer guest_peer pause_calls loud_sensor c_sensor sensor consumer listener c_listener metronome c_metronome tuner recorder sampler sleeper c_sleeper alarm c_alarm growing_v1_0 growing_v1_1 growing_v1_2 growing_c growing_c_v1_1 growing growing_owner_v1_0 growing_owner_v1_2 growing_owner_c growing_owner_c_v1_1 borrower c_borrower lender c_lender junction_peer junction bridge c_bridge twice other_b other_a lower1 lower2 middle c_middle module_b module_a bad_owner unloading_owner c_owner owner_appended owner_major owner_signature; do
		! loaded "$name" || unload "$name"
	done
}

# reset_trace - begins a new trace: writes a marker to the kernel log. trace() and only_refusal_is()
# read only the lines after the last marker
reset_trace()
{
	# Reading a long log for each case is slow. So if D2D_LOG names a file, as in the lab, move the log to
	# that file.
	[ -z "${D2D_LOG-}" ] || dmesg -c >>"$D2D_LOG"
	echo "$TRACE_START" >/dev/kmsg
}

# load_unless_loaded MODULE [PARAM=VALUE...] - loads a module with these parameters, unless it is loaded
load_unless_loaded()
{
	loaded "$1" || load "$@"
}

# unload_if_loaded MODULE... - unloads those of these modules that are loaded, in this order
unload_if_loaded()
{
	for unneeded; do
		! loaded "$unneeded" || unload "$unneeded" || return
	done
}

# fresh_trace - begins a case that needs only the setup at the beginning of its program
fresh_trace()
{
	reset_trace
}

# log_lines REGEX - prints the matching lines of the kernel log since the last reset_trace
log_lines()
{
	dmesg | awk -v start="$TRACE_START" -v regex="$1" '
		index($0, start) { n = 0; next }
		$0 ~ regex { line[n++] = $0 }
		END { for (i = 0; i < n; i++) print line[i] }'
}

# trace - prints the d2d lines of the kernel log since the last reset_trace
trace()
{
	log_lines ': d2d: '
}

# printed DRIVERS - prints what these drivers have printed since the last reset_trace, except the trace. DRIVERS is a
# regular expression
printed()
{
	log_lines "($1): " | awk -v regex="($1): " '!/: d2d: / && match($0, regex) { print substr($0, RSTART) }'
}

# only_refusal_is DRIVER REASON [ERRNO] - succeeds if the trace has exactly one refusal: DRIVER refused
# something, for this reason and with this errno
only_refusal_is()
{
	trace | awk -v driver="$1: d2d: " -v reason="step=refuse reason=$2 errno=${3:+-$(number "$3") }" '
		/step=refuse/ { refusals++; right = index($0, driver) && index($0 " ", reason) }
		END { exit !(refusals == 1 && right) }'
}

# exercise MODULE [ROUNDS] - makes a driver exchange items, calls and requests with the other side,
# in each execution context. Fails if the driver has no device, because writing would then create a regular
# file of that name
exercise()
{
	[ -c "/dev/$1" ] && echo "${2-1}" >"/dev/$1"
}

# logged MODULE KEY - prints the last number that this module has logged as KEY=NUMBER
logged()
{
	dmesg | sed -n "s/.*$1: .*\<$2=\([0-9]*\).*/\1/p" | tail -n 1
}

# traced TEXT - succeeds if a line of the trace has this text
traced()
{
	trace | grep -q "$1"
}

# event_has EVENT OWNER FIELD=VALUE - succeeds if the file of this event of this owner has this field
event_has()
{
	# Reads one line only, because a second read would wait until the event is set again.
	read -r line 2>/dev/null <"/sys/kernel/debug/d2d-$2/events/$1" && [ "${line#* "$3" }" != "$line" ]
}

# waits_for EVENT OWNER - succeeds if a thread waits for this event of this owner
waits_for()
{
	event_has "$1" "$2" waiters=1
}

# owner_is_idle - succeeds if module_a has a free context, no request, and no event but its own. If not,
# $NOTES says what is wrong
owner_is_idle()
{
	state=/sys/kernel/debug/d2d-module_a/state
	{
		grep -q state=free $state/contexts || echo "no free context"
		cat $state/requests
		grep -v '^name=module_a\.' $state/events
	} >"$NOTES"
	[ ! -s "$NOTES" ]
}

# await COMMAND... - repeats the command until the command succeeds. Fails after about 30 s, because only a hang takes
# so long. After 2 s, repeats the command less often
await()
{
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ "$tries" -lt 250 ] || return
		if [ "$tries" -le 100 ]; then
			sleep 0.02
		else
			sleep 0.2
		fi
	done
}

# all_succeed PID... - waits for these processes to exit; succeeds if all exit with 0
all_succeed()
{
	all=0
	for pid; do
		wait "$pid" || all=1
	done
	return "$all"
}

# set_up - prints the KTAP header, skips the program if it cannot run here, and unloads all modules
set_up()
{
	ktap_print_header
	if [ "$(id -u)" != 0 ] || [ -z "$(module_path module_a)" ]; then
		ktap_skip_all "needs root and the modules"
		exit 4
	fi
	[ -d /sys/kernel/debug/bdi ] || ! grep -q debugfs /proc/filesystems ||
		mount -t debugfs none /sys/kernel/debug
	unload_all
}

# begin CASES - as set_up, and announces this number of cases (the plan of KTAP)
begin()
{
	set_up
	ktap_set_plan "$1"
}

# verdict NAME - reports a case, which passes if the command before `verdict` succeeded. If not,
# prints $NOTES and the end of the trace
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

# skips_leak NAME WHY - succeeds if the case NAME must be skipped; if so, reports the case as skipped. The case leaks
# memory on purpose, and WHY says what causes the leak. On a kernel with kmemleak the case must be skipped,
# because the report of kmemleak makes the run fail. But the case runs if D2D_CASE selects it: qemu/tests/harness.sh
# selects such cases to show that the run then fails
skips_leak()
{
	[ -e /sys/kernel/debug/kmemleak ] || return
	[ -z "${D2D_CASE-}" ] || ! runs_case "$1" || return
	ktap_test_skip "$1: leaks on purpose, which kmemleak reports: $2"
}

# shellcheck source=selftests/act.sh
. ./act.sh
# shellcheck source=selftests/event_act.sh
. ./event_act.sh
