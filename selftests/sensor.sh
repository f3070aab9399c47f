#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The pair of examples/sensor, a port of windows/example. The owner, consumer, collects samples from its peer,
# sensor. The two drivers must print what the Windows drivers print: spec/sensor.expected.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

DEVICE=/dev/consumer

collect()
{
	write_to "$DEVICE" "$1"
}

fresh_consumer()
{
	unload_if_loaded sensor loud_sensor c_sensor
	load_unless_loaded consumer
	reset_trace
}

# collects_as_on_windows - makes the calls of qemu/windows-example.sh
collects_as_on_windows()
{
	load sensor && collect 2 && collect 1 && fails EAGAIN unload consumer && unload sensor && unload consumer
}

begin 8

fresh_trace
fails ENOENT load sensor
verdict "the sensor is loaded before the consumer: ENOENT"

fresh_consumer
fails ESHUTDOWN collect 1
verdict "the consumer collects without a sensor: ESHUTDOWN"

fresh_consumer
collects_as_on_windows && printed 'sensor|consumer' >"$NOTES" && diff spec/sensor.expected "$NOTES"
verdict "both drivers print what the Windows drivers print"

fresh_consumer
collects_as_on_windows && trace | awk '
	/step=drain ctx=c0 queue=to_owner left=0 put=32 taken=32 refused=0 / { drained = 1 }
	END { exit !drained }'
verdict "all samples went through the queue, and none is left"

fresh_consumer
load sensor && fails EINVAL collect 0 && collect 1 && unload sensor && fails ESHUTDOWN collect 1
verdict "the consumer collects with period 0: EINVAL; after the sensor was unloaded: ESHUTDOWN"

fresh_consumer
load loud_sensor && collect 1 && unload loud_sensor && unload consumer &&
	printed 'sensor|consumer' >"$NOTES" && grep -q "consumer: collected samples=16 sum=18446744073709551600\$" "$NOTES"
verdict "samples whose sum overflows 64 bits: the sum wraps around"

fresh_consumer
load c_sensor && collect 1 && unload c_sensor && unload consumer &&
	printed 'sensor|consumer' >"$NOTES" && grep -q "consumer: collected samples=16 sum=240\$" "$NOTES"
verdict "a sensor in C, built with the generated header of the pair: the consumer collects its samples"

fresh_consumer
load c_sensor newer=1 && collect 1 && unload c_sensor && unload consumer &&
	[ "$(trace | grep -c 'consumer: d2d: .* step=refuse reason=unknown-item')" = 16 ] &&
	printed consumer >"$NOTES" && grep -q "consumer: collected samples=16 sum=240\$" "$NOTES"
verdict "a newer sensor puts items of an unknown kind: the consumer refuses them, and collects all samples"
ktap_finished
