#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The pair of examples/sampler. sampler, the owner, takes samples in hard interrupt, and recorder, the peer, gets them
# in a kernel worker. The drivers must account for each expiry of the timer: as a recorded sample, a lost sample, or an
# overrun.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

DEVICE=/dev/recorder
ROUNDS=10
# How many samples the recorder keeps
KEPT=8192
COUNTS=$(mktemp)
trap 'rm -f "$NOTES" "$COUNTS"' EXIT

# samples ARGUMENT... - runs the program samples; its output goes to $COUNTS, the errno to $NOTES
samples()
{
	./samples "$@" >"$COUNTS" 2>"$NOTES"
}

write_rate()
{
	write_to "$DEVICE" "$1"
}

fresh_sampler()
{
	unload_if_loaded tuner recorder sampler
	reset_trace
	# shellcheck disable=SC2119 # called without parameters, too
	load sampler "$@" && load recorder
}

count()
{
	sed -n "s/^$1=//p" "$COUNTS"
}

adds_up()
{
	samples statistics && [ "$(count produced)" = $(($(count recorded) + $(count lost) + $(count overruns))) ]
}

agrees_with_the_queue()
{
	grep 'queue=to_peer' /sys/kernel/debug/d2d-sampler/state/queues >"$NOTES" &&
		grep -q " taken=$(count recorded) " "$NOTES" && grep -q " refused=$(count lost) " "$NOTES"
}

all_are_counted()
{
	samples rate 0 && await adds_up && agrees_with_the_queue
}

# runs_at RATE - takes samples for half a second, while a process reads them. The process may miss recorded samples only
# if there are more than the recorder keeps
runs_at()
{
	samples rate 0 && await adds_up && samples all "$1" $(($1 / 2)) && cp "$COUNTS" "$NOTES" && [ "$(count wrong)" = 0 ] &&
		{ [ "$(count samples)" -ge "$(count recorded)" ] || [ "$(count recorded)" -gt "$KEPT" ]; } && all_are_counted
}

# nearly_all_arrive RATE - makes up to ROUNDS runs. Succeeds if 99 percent of the samples arrive in one run: in the
# others, the host may have stopped the virtual machine for a while. Overruns do not count, because an overrun is no
# sample
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

some_are_lost()
{
	samples statistics && [ "$(count lost)" -gt 0 ]
}

# tune PARAM=VALUE... - loads the tuner, which sends the recorder these settings. Then unloads the tuner
tune()
{
	load tuner "$@" && unload tuner
}

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
verdict "a request sets the rate to 10000 and the watermark to 100: poll waits until there are 100 samples"

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
verdict "a request with a wrong setting gets EINVAL, and changes nothing; without the recorder, loading the tuner gets ENOENT"

fresh_sampler
fails EACCES devctl open "$DEVICE" 1000 && unload recorder && unload sampler
verdict "only root can open the device"
ktap_finished
