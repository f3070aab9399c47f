# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# The functions that bridge.sh, chain.sh and forgotten_drivers.sh share

DEBUG=/sys/kernel/debug

# in_each_place DRIVER STEP - succeeds if the driver has taken the step in each execution context. STEP is the name of a
# step, perhaps with its first fields
in_each_place()
{
	for context in task softirq hardirq; do
		echo "$1: $2, in=$context" >"$NOTES"
		trace | grep -q "$1: d2d: .* in=$context step=$2" || return
	done
}

# holders MODULE - prints the modules that import symbols of MODULE
holders()
{
	ls "/sys/module/$1/holders"
}

# knows OWNER PEER OTHER - succeeds if the files of OWNER in debugfs name its peer PEER, but not the driver OTHER
knows()
{
	cat "$DEBUG/d2d-$1/state"/* "$DEBUG/d2d-$1/state.json" >"$NOTES" &&
		grep -q "peer=$2\>" "$NOTES" && ! grep -q "\<$3\>" "$NOTES"
}

# is_free OWNER - succeeds if all contexts of OWNER are free, and it has no request, and no event but its own
is_free()
{
	state=$DEBUG/d2d-$1/state
	{
		grep -v state=free "$state/contexts"
		cat "$state/requests"
		grep -v "^name=$1\." "$state/events"
	} >"$NOTES"
	[ ! -s "$NOTES" ]
}

nothing_left_of()
{
	! loaded "$1" && [ ! -e "$DEBUG/d2d-$1" ]
}

is_set()
{
	event_has "$1" "$2" state=set
}
