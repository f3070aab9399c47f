# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# The functions that the test programs share. A program changes to its own directory, and then sources this file.
#
# A function that "succeeds if CONDITION" fails otherwise. The errno of a failed call, or what a check has found, is in
# the file $NOTES. If the case fails, verdict() prints this file.
#
# A case begins with a line `fresh...`, and ends with a line `verdict "NAME"`. The function `fresh...` sets up the state
# that the case needs, whatever modules are loaded. So each case can be run alone (`make test CASE=PROGRAM:NAME`). In
# this example, fresh_peer loads the owner with one context, and bad_peer, which gets the context:
#
#   fresh_peer bad_peer fault=none
#   fails EBUSY load module_b && only_refusal_is module_a no-free-context
#   verdict "the only context is in use: module_b gets EBUSY"

# The kernel's KTAP helpers: a copy in an installed collection, otherwise the file that the Makefile names
for helpers in ../kselftest/ktap_helpers.sh "${KSFT_HELPERS-}"; do
	# shellcheck source=/dev/null
	[ -f "$helpers" ] && . "$helpers" && break
done

# ENOENT=2 and so on, generated from the kernel's headers
# shellcheck source=/dev/null
. ./errnos

# With D2D_CASE: the program's exit status. Empty until the selected case has been reported
outcome=''

# runs_case NAME - succeeds if the program must run this case. At the first case after the selected one, ends the
# program: not earlier, because the lines between the two cases clean up
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

# D2D_CASE is a shell pattern: the program runs only the first case whose name contains a match. With D2D_LIST=1, the
# program runs no case, and prints all names. Either way, the program runs the commands outside of the cases.
if [ -n "${D2D_CASE-}${D2D_LIST-}" ]; then
	if [ -z "${D2D_WRAPPED-}" ]; then
		# Replace this program by a copy in which `if runs_case "NAME"; then ... fi` encloses each case.
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

	# These functions replace those of ktap_helpers.sh.
	ktap_set_plan()
	{
		[ -n "${D2D_LIST-}" ] || echo "1..1"
	}

	ktap_finished()
	{
		unload_all
		if [ -z "$outcome${D2D_LIST-}" ]; then
			echo "Bail out! no case of ${0##*/} has '$(echo "$D2D_CASE" | tr '?' ' ')' in its name" \
				"(make test CASE=list lists them)"
			outcome=1
		fi
		exit "${outcome:-0}"
	}

	__ktap_test()
	{
		if [ -n "${D2D_LIST-}" ]; then
			# This case does not begin with `fresh`: runs_case() lists and skips those that do.
			[ "${3-}" = SKIP ] || echo "no fresh: $2"
			return
		fi
		runs_case "$2" || return 0
		echo "$1 1 $2${3:+ # $3}"
		[ "$1" = ok ]
		outcome=$?
	}
fi

# An owner's `timeout` in milliseconds. On a busy machine, a worker may complete a handshake seconds late
# shellcheck disable=SC2034 # a variable of the test programs
LONG_TIMEOUT=60000
TRACE_START="d2d selftest: the trace starts"
NOTES=$(mktemp)
trap 'rm -f "$NOTES"' EXIT

module_path()
{
	find_module "$1" && echo "$path"
}

# find_module NAME - sets $path to the path of NAME.ko, or to nothing. If $D2D_MODULES is set, looks only there
find_module()
{
	for dir in ${D2D_MODULES:-test_modules .. ../.. ../examples /lib/d2d}; do
		path=$dir/$1.ko
		[ ! -f "$path" ] || return 0
	done
	path=''
	[ -z "${D2D_MODULES-}" ] && path=$(modinfo -n "$1" 2>/dev/null)
}

# words MODULE PARAM - prints the words for the values 0, 1 and so on of this parameter. The module itself takes only
# numbers, because it is in Rust: `module!` of the kernel crate has no other parameters
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
	waiting_peer.waits_for) echo event request link again ;;
	esac
}

# in_numbers MODULE [PARAM=VALUE...] - prints these parameters, with a number in place of each word of words()
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

# load NAME [PARAM=VALUE...] - loads a module. VALUE may be a word of words(). If the module was not built, ends the
# program, so that no case passes or fails for this reason
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

unload()
{
	./one_call unload "$1" 2>"$NOTES"
}

write_to()
{
	./one_call write "$1" "$2" 2>"$NOTES"
}

devctl()
{
	./devctl "$@" 2>"$NOTES"
}

number()
{
	eval "echo \"\${$1:?is not the name of an error}\""
}

# fails ERRNO COMMAND... - succeeds if the command fails with this errno
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

# unload_all - unloads the modules below, peers before owners. A case that loads a module not listed here must unload it
unload_all()
{
	for name in d2d_kunit torture_peer0 event_faults forgetful_torture forgetful_middle forgetful_lender forgetful_junction forgetful stranger torture_owner skew_older skew_newer relay_peer hostile_peer handle_kinds rebinds_core rebinds_kernel actor unregistering bad_peer pointers arrivals c_peer handle_peer ticker_peer paused_peer waiting_peer device_peer history_peer greeter_peer guest_peer pause_calls loud_sensor c_sensor sensor consumer listener c_listener metronome c_metronome tuner recorder sampler sleeper c_sleeper alarm c_alarm growing_v1_0 growing_v1_1 growing_v1_2 growing_c growing_c_v1_1 growing growing_owner_v1_0 growing_owner_v1_2 growing_owner_c growing_owner_c_v1_1 borrower c_borrower lender c_lender junction_peer junction bridge c_bridge twice other_b other_a lower1 lower2 middle c_middle module_b module_a bad_owner unloading_owner c_owner owner_appended owner_major owner_signature; do
		! loaded "$name" || unload "$name"
	done
}

# reset_trace - begins a new trace: writes the marker from which log_lines() prints
reset_trace()
{
	# Move the old lines to the file $D2D_LOG: reading a long log for each case is slow.
	[ -z "${D2D_LOG-}" ] || dmesg -c >>"$D2D_LOG"
	echo "$TRACE_START" >/dev/kmsg
}

load_unless_loaded()
{
	loaded "$1" || load "$@"
}

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

trace()
{
	log_lines ': d2d: '
}

# printed DRIVERS - prints what these drivers (a regular expression) have printed, except the trace
printed()
{
	log_lines "($1): " | awk -v regex="($1): " '!/: d2d: / && match($0, regex) { print substr($0, RSTART) }'
}

# only_refusal_is DRIVER REASON [ERRNO] - succeeds if this is the only refusal in the trace
only_refusal_is()
{
	trace | awk -v driver="$1: d2d: " -v reason="step=refuse reason=$2 errno=${3:+-$(number "$3") }" '
		/step=refuse/ { refusals++; right = index($0, driver) && index($0 " ", reason) }
		END { exit !(refusals == 1 && right) }'
}

# exercise MODULE [ROUNDS] - makes this module exchange items, calls and requests with the other side, in each execution
# context. Fails if the module's device is missing: the shell would create a file of that name
exercise()
{
	[ -c "/dev/$1" ] && echo "${2-1}" >"/dev/$1"
}

# logged MODULE KEY - prints the last number that this module has logged as KEY=NUMBER
logged()
{
	dmesg | sed -n "s/.*$1: .*\<$2=\([0-9]*\).*/\1/p" | tail -n 1
}

traced()
{
	trace | grep -q "$1"
}

# event_has EVENT OWNER FIELD=VALUE - succeeds if the event's file has this field
event_has()
{
	# Read one line only: a second read waits until the event is set again.
	read -r line 2>/dev/null <"/sys/kernel/debug/d2d-$2/events/$1" && [ "${line#* "$3" }" != "$line" ]
}

# waits_for EVENT OWNER - succeeds if exactly one thread waits for the event
waits_for()
{
	event_has "$1" "$2" waiters=1
}

# owner_is_idle - succeeds if module_a has a free context, no request, and no event but its own
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

# await COMMAND... - repeats the command until it succeeds. Fails after about 30 s, because only a hang takes so long
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

all_succeed()
{
	all=0
	for pid; do
		wait "$pid" || all=1
	done
	return "$all"
}

# set_up - skips the program if it cannot run here. Otherwise, unloads all modules
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

begin()
{
	set_up
	ktap_set_plan "$1"
}

# verdict NAME - reports a case, which passes if the command before `verdict` succeeded
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

# skips_leak NAME WHY - the case NAME leaks memory on purpose, so a run with kmemleak would fail. With kmemleak, skips
# the case and succeeds, unless D2D_CASE selects the case: qemu/tests/harness.sh then expects the run to fail
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
