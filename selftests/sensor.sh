#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The pair of examples/sensor, which is ported from windows/example: both say the same, which is
# in spec/sensor.expected.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

COLLECT=/sys/kernel/debug/d2d-consumer/collect

# collect PERIOD - one try; the errno goes to $NOTES
collect()
{
	./kmod write "$COLLECT" "$1" 2>"$NOTES"
}

# said - what both have said themselves since the mark
said()
{
	dmesg | awk -v mark="$MARK" '
		index($0, mark) { n = 0; next }
		!/: d2d: / && match($0, /(sensor|consumer): /) { line[n++] = substr($0, RSTART) }
		END { for (i = 0; i < n; i++) print line[i] }'
}

start 5
mark
fails ENOENT load sensor
verdict "the sensor is refused before the consumer"

load consumer && fails ESHUTDOWN collect 1
verdict "without a sensor there is nothing to collect"

mark
load sensor && collect 2 && collect 1 && fails EAGAIN unload consumer && unload sensor && unload consumer &&
	said >"$NOTES" && diff spec/sensor.expected "$NOTES"
verdict "both say what their Windows originals say"

trace | awk '
	/step=drain ctx=c0 queue=to_owner left=0 put=32 taken=32 refused=0 / { drained = 1 }
	END { exit !drained }'
verdict "all samples went through the queue"

load consumer && load sensor && fails EINVAL collect 0 && collect 1 && unload sensor && fails ESHUTDOWN collect 1 &&
	unload consumer
verdict "a rate that is none is refused, and so is a sensor that has left"
ktap_finished
