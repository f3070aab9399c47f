#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Jobs of the owner and of the peer. In the pair of examples/metronome, the owner's timer puts items, called beats, in
# hard interrupt, and a work item of the peer takes them. One case uses device_peer, which has a job of each kind.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

DEVICE=/dev/metronome
CPU1=/sys/devices/system/cpu/cpu1/online
ROUNDS=10

write_period()
{
	write_to "$DEVICE" "$1"
}

# hear BEATS [LISTENER] - waits until the listener has taken ("heard") BEATS more beats
hear()
{
	write_to "/dev/${2-listener}" "$1"
}

fresh_metronome()
{
	unload_if_loaded listener c_listener metronome c_metronome
	reset_trace
	load "${1-metronome}"
}

# all_beats_are_counted HEARD [METRONOME] - after the metronome was unloaded: succeeds if each of its beats was heard,
# left in the queue, or lost
all_beats_are_counted()
{
	{
		echo "heard=$1 beats=$(logged "${2-metronome}" beats) lost=$(logged "${2-metronome}" lost)"
		trace | grep 'step=drain ctx=c0 queue=to_peer'
	} >"$NOTES"
	awk -F '[ =]' '
		/^heard/ { heard = $2; beats = $4; lost = $6 }
		{ for (i = 1; i < NF; i++) value[$i] = $(i + 1) }
		END { exit !(heard > 0 && heard == value["taken"] && beats == heard + value["left"] + lost) }' "$NOTES"
}

# reload_listener - loads and unloads the listener ROUNDS times. Sets $heard to the number of beats that it has
# taken in all rounds
reload_listener()
{
	n=0
	heard=0
	while [ "$n" -lt "$ROUNDS" ]; do
		load listener && write_period 100 && hear 20 && unload listener || return
		heard=$((heard + $(logged listener beats)))
		n=$((n + 1))
	done
}

fresh_leaking_peer()
{
	unload_if_loaded device_peer
	load_unless_loaded module_a contexts=1
	reset_trace
	load device_peer
}

switch_cpu()
{
	n=0
	while [ "$n" -lt "$ROUNDS" ]; do
		echo 0 >"$CPU1" && echo 1 >"$CPU1" || return
		n=$((n + 1))
	done
}

begin 11

fresh_metronome
load listener && hear 200 && hear 1
verdict "the listener hears the beats of the owner's timer"

fresh_metronome
load listener && write_period 100 && hear 200 && unload listener && heard=$(logged listener beats) && unload metronome &&
	all_beats_are_counted "$heard"
verdict "the listener and the metronome are unloaded while the timer runs: each beat was heard, lost, or left in the queue"

fresh_metronome
load c_listener && write_period 100 && hear 200 c_listener && unload c_listener && heard=$(logged c_listener beats) && unload metronome &&
	all_beats_are_counted "$heard"
verdict "the listener in C is unloaded while the timer runs: each beat was heard, lost, or left in the queue"

for peer in listener c_listener; do
	fresh_metronome c_metronome
	load "$peer" && write_period 100 && hear 200 "$peer" && unload "$peer" && heard=$(logged "$peer" beats) && unload c_metronome &&
		all_beats_are_counted "$heard" c_metronome
	verdict "the metronome in C, with $peer, is unloaded while its timer runs: each beat was heard, lost, or left in the queue"
done

fresh_metronome c_metronome
load listener && fails EINVAL write_period 19 && fails EINVAL write_period 1000001 && write_period 0 && write_period 1000 && hear 10
verdict "the metronome in C: a wrong period gets EINVAL, 0 stops the timer, and the timer can be started again"

fresh_metronome
reload_listener && unload metronome && all_beats_are_counted "$heard"
verdict "the listener is loaded and unloaded $ROUNDS times while the timer runs: each beat is counted"

fresh_metronome
load listener && fails EINVAL write_period 19 && fails EINVAL write_period 1000001 && write_period 0 && write_period 1000 && hear 10
verdict "the metronome in Rust: a wrong period gets EINVAL, 0 stops the timer, and the timer can be started again"

if [ -w "$CPU1" ]; then
	fresh_metronome
	load listener && write_period 500 && switch_cpu && hear 50 && unload listener && unload metronome
	verdict "a CPU goes offline and online while the jobs run: the listener still hears beats"
else
	ktap_test_skip "a CPU goes offline and online while the jobs run: the listener still hears beats (needs a second CPU)"
fi

name="a CPU goes offline and online while jobs of each kind run: they go on, and the library stops them when the driver is unloaded"
if [ ! -w "$CPU1" ]; then
	ktap_test_skip "$name (needs a second CPU)"
elif ! skips_leak "$name" "the driver never drops its jobs"; then
	fresh_leaking_peer
	# Start the jobs on CPU 1, which goes offline: bottom-half work that starts itself again stays on its CPU.
	taskset 2 ./devctl leak /dev/d2d_test && switch_cpu && devctl leaked_jobs_run /dev/d2d_test && unload device_peer && unload module_a
	verdict "$name"
fi

fresh_metronome
write_period 100 && load listener && unload listener && write_period 100 && unload metronome
verdict "the listener was unloaded and the timer still runs: the metronome can be unloaded"
ktap_finished
