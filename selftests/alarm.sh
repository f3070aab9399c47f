#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The pair of examples/alarm, a port of windows/alarm and windows/kmdf. The sleeper sends requests to the alarm, and
# processes make ioctl calls of /dev/alarm. The alarm completes each request and call when it is due. The drivers must
# print what the Windows drivers print (spec/alarm.expected). Each driver exists in Rust and in C (c_alarm, c_sleeper).
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

HOUR=3600000
# The ioctl command of /dev/alarm
WAIT=0xc0086101

# nap MILLISECONDS - makes the sleeper send a request that is due after this time, and wait for it
nap()
{
	write_to /dev/sleeper "$1"
}

fresh_sleeper()
{
	fresh_alarm && load "$sleeper" "limit=$1"
	reset_trace
}

# nap_times_out - reloads the sleeper with a short limit; succeeds if the sleeper's wait for a request times out. Then
# reloads the sleeper with the long limit
nap_times_out()
{
	unload "$sleeper" && load "$sleeper" limit=50 && fails ETIMEDOUT nap "$HOUR" && unload "$sleeper" && load "$sleeper" limit=30000
}

fresh_alarm()
{
	unload_if_loaded sleeper c_sleeper alarm c_alarm && load "$alarm"
}

unload_pair()
{
	unload "$sleeper" && unload "$alarm"
}

# unload_both_and_count COMPLETED CANCELLED - as unload_alarm_and_count, but unloads both drivers
unload_both_and_count()
{
	unload "$sleeper" && unload_alarm_and_count "$1" "$2"
}

# make_call MILLISECONDS [COMMAND] - makes an ioctl call that is due after this time. Prints the answer: how many
# requests and calls the alarm has completed before. Fails if the device is missing: the shell would create a file
make_call()
{
	[ -c /dev/alarm ] && ./one_call ioctl "${2-$WAIT}" "$1" <>/dev/alarm 2>"$NOTES"
}

make_call_read_only()
{
	./one_call ioctl "$WAIT" 1 </dev/alarm 2>"$NOTES"
}

asleep()
{
	[ "$(cat "/proc/$1/comm")" = one_call ] && grep -q '^State:.S' "/proc/$1/status"
}

# begin_call MILLISECONDS - starts the process $caller, whose ioctl call is due after this time. Returns when the
# process sleeps in the call
begin_call()
{
	[ -c /dev/alarm ] || return
	./one_call ioctl "$WAIT" "$1" <>/dev/alarm >/dev/null 2>"$NOTES" &
	caller=$!
	callers="${callers-} $caller"
	await asleep "$caller"
}

begin_calls()
{
	n=0
	while [ "$n" -lt "$1" ] && begin_call "$2"; do
		n=$((n + 1))
	done
	[ "$n" = "$1" ]
}

end_calls()
{
	for caller in ${callers-}; do
		kill "-${1-TERM}" "$caller"
		wait "$caller"
	done
	callers=
}

# unload_alarm_and_count COMPLETED CANCELLED - unloads the alarm. Succeeds if the alarm has completed this many requests
# and calls, and if this many were cancelled
unload_alarm_and_count()
{
	unload "$alarm" && [ "$(logged alarm rang) $(logged alarm cancelled)" = "$1 $2" ]
}

one_request_is_pending()
{
	[ "$(wc -l </sys/kernel/debug/d2d-alarm/state/requests)" = 1 ]
}

# lines_of_both_drivers - leaves out the lines of the alarm's work item, which the Windows drivers do not print
lines_of_both_drivers()
{
	printed 'alarm|sleeper' | grep -v ': log '
}

# as_in_windows - does what `as_port alarm` in qemu/windows-example.sh does with the Windows drivers, from the first
# call of the alarm to the last nap
as_in_windows()
{
	fails EINVAL make_call 0 && make_call 1 >/dev/null && make_call 20 >/dev/null && begin_calls 2 "$HOUR" &&
		nap_times_out && kill "$caller" && ! wait "$caller" && nap_times_out && end_calls && nap 1
}

# fresh_repeating EVERY - reloads the alarm, and the sleeper in Rust. The sleeper sends a request that is due in EVERY
# milliseconds. When the request is completed, the sleeper's completion routine sends it again
fresh_repeating()
{
	fresh_alarm && load sleeper "every=$1"
}

rang_often()
{
	read -r line </sys/kernel/debug/d2d-alarm/events/sleeper.rang && sets=${line##* sets=} && [ "${sets%% *}" -gt 1 ]
}

unload_quietly()
{
	reset_trace
	unload sleeper && unload "$alarm" && ! trace | grep step=refuse
}

begin 44

for alarm in alarm c_alarm; do
	for sleeper in sleeper c_sleeper; do
		fresh_sleeper 30000
		nap 1 && nap 20 && unload_both_and_count 2 0
		verdict "$alarm, $sleeper: requests are completed when the timer expires"

		fresh_sleeper 30000
		nap 1 && nap 20 && nap_times_out && as_in_windows && unload_pair &&
			lines_of_both_drivers >"$NOTES" && diff spec/alarm.expected "$NOTES"
		verdict "$alarm, $sleeper: both drivers print what the Windows drivers print"
		end_calls

		fresh_sleeper 50
		fails ETIMEDOUT nap "$HOUR" && [ "$(logged sleeper waiting)" = 0 ] && unload_both_and_count 0 1
		verdict "$alarm, $sleeper: the sleeper's wait for a request times out: ETIMEDOUT, and the alarm drops the request"

		fresh_sleeper 8000
		nap "$HOUR" &
		napping=$!
		await one_request_is_pending && nap 10 && ! wait "$napping" && unload_both_and_count 1 1
		verdict "$alarm, $sleeper: the second of two requests is due first: it is completed first"

		fresh_sleeper 30000
		fails EINVAL nap 0 && fails EINVAL nap $((HOUR + 1)) && nap 1 && unload_both_and_count 1 0
		verdict "$alarm, $sleeper: a request with a wrong time gets EINVAL"

		fresh_sleeper 30000
		begin_calls 32 "$HOUR" && fails EBUSY nap 1 && [ "$(logged sleeper waiting)" = 32 ] && end_calls && nap 1 &&
			unload_both_and_count 1 32
		verdict "$alarm, $sleeper: while 32 calls are pending, a request gets EBUSY; after these calls have ended, a request is completed"
		end_calls
	done

	fresh_repeating 1
	await rang_often && unload sleeper && unload "$alarm"
	verdict "$alarm: a completion routine can set an event and send the request again"

	fresh_repeating $HOUR
	await one_request_is_pending && unload_quietly && [ "$(logged alarm cancelled)" = 1 ]
	verdict "$alarm: unloading the sleeper cancels its request, and the completion routine can still set an event"

	fresh_alarm
	[ "$(make_call 1)" = 0 ] && [ "$(make_call 20)" = 1 ] && unload_alarm_and_count 2 0
	verdict "$alarm: the call of a process is completed when the timer expires"

	fresh_alarm
	begin_calls 2 "$HOUR" && kill "$caller" && ! wait "$caller" && end_calls KILL && unload_alarm_and_count 0 2
	verdict "$alarm: a signal ends the call of a process, and the alarm drops the call"

	fresh_alarm
	begin_call "$HOUR" && [ "$(make_call 10)" = 0 ] && [ "$(make_call 1)" = 1 ] && end_calls && unload_alarm_and_count 2 1
	verdict "$alarm: two calls are due before an older call: the two are completed, and the older call stays pending"
	end_calls

	fresh_alarm
	begin_call 8000 && [ "$(make_call 1)" = 0 ] && wait "$caller" && unload_alarm_and_count 2 0
	verdict "$alarm: two calls are due at different times: the timer expires for each, and both are completed"
	end_calls

	fresh_alarm
	begin_calls 32 "$HOUR" && fails EBUSY make_call 1 && end_calls && [ "$(make_call 1)" = 0 ] && unload_alarm_and_count 1 32
	verdict "$alarm: while 32 calls are pending, another call gets EBUSY; after these calls have ended, a call is completed"
	end_calls

	fresh_alarm
	load sleeper && begin_call "$HOUR" && fails EAGAIN unload "$alarm" && unload sleeper && fails EAGAIN unload "$alarm" &&
		end_calls && unload_alarm_and_count 0 1
	verdict "$alarm: the sleeper can be unloaded while a call is pending; unloading the alarm gets EAGAIN"
	end_calls

	fresh_alarm
	fails EINVAL make_call 0 && fails EINVAL make_call $((HOUR + 1)) && fails EINVAL make_call $((1 << 32 | 1)) &&
		fails ENOTTY make_call 1 0xc0086102 && fails EBADF make_call_read_only && unload_alarm_and_count 0 0
	verdict "$alarm: a call gets EINVAL for a wrong time, ENOTTY for an unknown command, EBADF for a file that is open only for reading"

	fresh_alarm
	fails ERANGE load sleeper "every=$((HOUR + 1))" && unload "$alarm"
	verdict "$alarm: the sleeper is loaded with a wrong time as parameter: ERANGE"
done
ktap_finished
