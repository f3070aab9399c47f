#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The pair of examples/alarm, a port of windows/alarm and of the KMDF drivers of windows/kmdf: a timer that is armed on
# demand, and cancelable requests with a limit. The drivers must print what those of windows/alarm print: spec/alarm.expected.
# Each case runs with the sleeper in Rust and with c_sleeper, the step of the port before it, in C.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

SLEEP=/sys/kernel/debug/d2d-sleeper/sleep
HOUR=3600000

# nap MILLISECONDS - lets the sleeper wait; the errno goes to $NOTES
nap()
{
	write_to "$SLEEP" "$1"
}

# fresh_pair LIMIT - loads the alarm and $sleeper anew, which waits for at most so many milliseconds
fresh_pair()
{
	fresh_alarm && load "$sleeper" "limit=$1"
	reset_trace
}

# fresh_alarm - loads the alarm anew, without a sleeper
fresh_alarm()
{
	needs_no sleeper c_sleeper alarm && load alarm
}

# unload_pair - unloads both drivers
unload_pair()
{
	unload "$sleeper" && unload alarm
}

# ended RANG CANCELLED - unloads both drivers; whether the alarm has completed and forgotten so many requests
ended()
{
	unload_pair && [ "$(logged alarm rang) $(logged alarm cancelled)" = "$1 $2" ]
}

# one_waits - whether a request is pending
one_waits()
{
	[ "$(wc -l </sys/kernel/debug/d2d-alarm/state/requests)" = 1 ]
}

# printed_by_both - prints what both drivers have printed, without the lines of the alarm's work item, of which the Windows
# originals have none
printed_by_both()
{
	printed 'alarm|sleeper' | grep -v ': log '
}

begin 13

for sleeper in sleeper c_sleeper; do
	fresh_pair 30000
	nap 1 && nap 20 && ended 2 0
	verdict "$sleeper: requests are completed when the timer expires"

	fresh_pair 2000
	nap 1 && nap 20 && fails ETIMEDOUT nap "$HOUR" && unload_pair &&
		printed_by_both >"$NOTES" && diff spec/alarm.expected "$NOTES"
	verdict "$sleeper: both drivers print what their Windows originals print"

	fresh_pair 50
	fails ETIMEDOUT nap "$HOUR" && [ "$(logged sleeper waiting)" = 0 ] && ended 0 1
	verdict "$sleeper: a request that is due in an hour gets ETIMEDOUT, and the alarm forgets it"

	fresh_pair 3000
	nap "$HOUR" &
	hour=$!
	await one_waits && nap 10 && ! wait "$hour" && ended 1 1
	verdict "$sleeper: a request that is due earlier arms the timer anew"

	fresh_pair 30000
	fails EINVAL nap 0 && fails EINVAL nap $((HOUR + 1)) && nap 1 && ended 1 0
	verdict "$sleeper: a time out of range gets EINVAL"
done

# fresh_bell EVERY - loads the alarm and the sleeper anew, which sends a request of so many milliseconds again and again
fresh_bell()
{
	fresh_alarm && load sleeper "every=$1"
}

# rang_often - whether the sleeper's completion routine has set its event more than once
rang_often()
{
	read -r line </sys/kernel/debug/d2d-alarm/events/sleeper.rang && sets=${line##* sets=} && [ "${sets%% *}" -gt 1 ]
}

# unload_quietly - unloads both drivers; whether nothing was refused
unload_quietly()
{
	reset_trace
	unload sleeper && unload alarm && ! trace | grep step=refuse
}

fresh_bell 1
await rang_often && unload sleeper && unload alarm
verdict "a completion routine sets an event and sends the request again"

fresh_bell $HOUR
await one_waits && unload_quietly && [ "$(logged alarm cancelled)" = 1 ]
verdict "unloading cancels the request, and the completion routine can set its event"

fresh_alarm
fails ERANGE load sleeper "every=$((HOUR + 1))" && unload alarm
verdict "a time out of range gets ERANGE"
ktap_finished
