#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The pair of examples/sampler. The owner is sampler; its timer takes samples in hard interrupt. The peer is recorder.
# For each expiry of the timer, a sample arrives in a kernel worker of recorder, a lost sample is counted, or an overrun
# is counted.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

DEVICE=/dev/recorder
ROUNDS=10
# How many samples the recorder keeps for a process
KEPT=8192
COUNTS=$(mktemp)
trap 'rm -f "$NOTES" "$COUNTS"' EXIT

# samples ARGUMENT... - runs the program samples; what it prints goes to $COUNTS, the errno to $NOTES
samples()
{
	./samples "$@" >"$COUNTS" 2>"$NOTES"
}

# write_rate TEXT - writes to the device; the errno goes to $NOTES
write_rate()
{
	write_to "$DEVICE" "$1"
}

# fresh_sampler [PARAM=VALUE...] - reloads the pair
fresh_sampler()
{
	unload_if_loaded tuner recorder sampler
	reset_trace
	# shellcheck disable=SC2119 # called without parameters, too
	load sampler "$@" && load recorder
}

# count KEY - prints a number that `samples` has printed
count()
{
	sed -n "s/^$1=//p" "$COUNTS"
}

# adds_up - succeeds if both drivers account for each expiry of the timer
adds_up()
{
	samples statistics && [ "$(count produced)" = $(($(count recorded) + $(count lost) + $(count overruns))) ]
}

# agrees_with_the_queue - succeeds if the library has counted the same numbers of taken and refused items as the drivers
agrees_with_the_queue()
{
	grep 'queue=to_peer' /sys/kernel/debug/d2d-sampler/state/queues >"$NOTES" &&
		grep -q " taken=$(count recorded) " "$NOTES" && grep -q " refused=$(count lost) " "$NOTES"
}

# all_are_counted - stops the timer, and waits until the drivers' counts account for each expiry of the timer (adds_up).
# Succeeds if these counts are those of the library
all_are_counted()
{
	samples rate 0 && await adds_up && agrees_with_the_queue
}

# runs_at RATE - takes samples for half a second. Succeeds if each sample was counted, and a process has read each
# recorded sample. If there are more samples than the recorder keeps, the process may miss some
runs_at()
{
	samples rate 0 && await adds_up && samples all "$1" $(($1 / 2)) && cp "$COUNTS" "$NOTES" && [ "$(count wrong)" = 0 ] &&
		{ [ "$(count samples)" -ge "$(count recorded)" ] || [ "$(count recorded)" -gt "$KEPT" ]; } && all_are_counted
}

# nearly_all_arrive RATE - succeeds if 99 percent of the samples arrive in at least one of $ROUNDS runs. One such run is
# enough, because the host may have stopped the virtual machine for a while in the other runs, so that the recorder did
# not run. Each run takes more samples than the queue can hold. An overrun is an expiry for which no sample was taken,
# because the machine's timer was late. So overruns do not count
nearly_all_arrive()
{
	round=0
	while [ "$round" -lt "$ROUNDS" ]; do
		samples statistics || return
		produced=$(count produced) recorded=$(count recorded) lost=$(count lost)
		runs_at "$1" || return
		produced=$(($(count produced) - produced)) recorded=$(($(count recorded) - recorded)) lost=$(($(count lost) - lost))
		echo "# produced=$produced recorded=$recorded lost=$lost overruns=$((produced - recorded - lost))"
		[ $((100 * recorded)) -lt $((99 * (recorded + lost))) ] || return 0
		round=$((round + 1))
	done
	return 1
}

# some_are_lost - succeeds if at least one sample was lost, because the queue was full
some_are_lost()
{
	samples statistics && [ "$(count lost)" -gt 0 ]
}

# tune PARAM=VALUE... - loads the tuner, which sends the recorder a request with these settings; then unloads the tuner
tune()
{
	load tuner "$@" && unload tuner
}

# reload_recorder - unloads and loads the recorder $ROUNDS times while the timer runs
reload_recorder()
{
	round=0
	while [ "$round" -lt "$ROUNDS" ]; do
		samples rate 20000 && samples read 200 && unload recorder && load recorder || return
		round=$((round + 1))
	done
}

begin 12

for rate in 1000 10000 50000; do
	fresh_sampler
	runs_at "$rate" && echo "# produced=$(count produced) recorded=$(count recorded) lost=$(count lost) overruns=$(count overruns)" &&
		unload recorder && unload sampler
	verdict "$rate samples a second: each arrives, or is counted as lost or as an overrun"
done

for rate in 1000 10000; do
	fresh_sampler capacity=$((rate / 4))
	nearly_all_arrive "$rate"
	verdict "$rate samples a second: 99 percent of those that were taken arrive"
done

fresh_sampler capacity=1
samples rate 50000 && await some_are_lost && all_are_counted
verdict "a queue with room for one sample: the samples that do not fit are counted as lost"

fresh_sampler
reload_recorder && samples read 100 && all_are_counted && unload recorder && unload sampler
verdict "the recorder is loaded and unloaded $ROUNDS times while the timer runs: each sample is counted"

fresh_sampler
tune rate=10000 watermark=100 && samples poll 30000 && [ "$(count ready)" = 1 ] && [ "$(count samples)" -ge 100 ] && tune rate=0 watermark=1 &&
	printed tuner >"$NOTES" && grep -q 'before: rate=10000 watermark=100$' "$NOTES"
verdict "a request sets the rate, and the watermark to 100: poll waits until there are 100 samples"

fresh_sampler
all_are_counted && fails EAGAIN samples poll 10 && [ "$(count ready)" = 0 ]
verdict "without a sample, poll waits, and a read that must not wait gets EAGAIN"

fresh_sampler
fails EINVAL samples rate 50001 && fails EINVAL samples rate 4294967297 && fails EINVAL write_rate 50001 &&
	fails EINVAL write_rate fast && write_rate 50000 && samples statistics && [ "$(count rate)" = 50000 ]
verdict "a wrong rate gets EINVAL, and changes nothing"

fresh_sampler
fails EINVAL load tuner rate=50001 && fails EINVAL load tuner watermark=0 && fails EINVAL load tuner watermark=8193 &&
	samples statistics && [ "$(count rate)" = 1000 ] && unload recorder && fails ENOENT load tuner
verdict "a request with a wrong setting gets EINVAL, and changes nothing; if the recorder is not loaded, loading the tuner gets ENOENT"

fresh_sampler
fails EACCES devctl open "$DEVICE" 1000 && unload recorder && unload sampler
verdict "only root can open the device"
ktap_finished
