#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs Windows drivers under Wine. The examples of docs/porting.md must print what their Linux ports print. module_a and
# module_b play cases that a plain `make compare` does not play.
. "$(dirname "$0")/lib/lab.sh"
. "$(dirname "$0")/lib/ktap.sh"

cd "$PROJECT"
out=build/example
mkdir -p "$out"
log=$out/log

# play STEP... - plays these steps (windows/play.c); the drivers print to $out/windows.log
play() {
	"$LAB/windows.sh" >/dev/null &&
		D2D_ROOT=$("$LAB/root/root-extra.sh") "$LAB/enter.sh" windows/play.sh build/windows "$out" "$@"
}

# as_port NAME STEP... - plays these steps; the drivers must print selftests/spec/NAME.expected
as_port() {
	local expected=selftests/spec/$1.expected
	shift
	play "$@" && diff "$expected" "$out/windows.log"
}

# take_back - unloads module_a while module_b is attached, which Linux refuses. A must take the context back before A
# frees it. Then writing 1 to B's device must fail (the step `module_b!1`)
take_back() {
	play +module_a +module_b -module_a 'module_b!1' -module_b &&
		sed -nE 's/^(module_[ab]): .* step=(detach|rundown|unregister|free|unload)\b.*/\1 \2/p' "$out/windows.log" | diff - <(
			printf '%s\n' 'module_b detach' 'module_a rundown' 'module_a unregister' 'module_a free' 'module_a unload' \
				'module_b unregister' 'module_b unload'
		)
}

refuses_parameter() {
	play module_a.completion=9 '!module_a' &&
		grep 'step=refuse reason=parameter-out-of-range status=0xc000000d param=completion value=9 min=0 max=2$' "$out/windows.log"
}

# without_entry - loads module_b alone. Wine loads the image of module_a, too, but does not call its DriverEntry
without_entry() {
	play '!module_b' +module_a +module_b module_b=1 -module_b -module_a &&
		grep 'module_b: .* step=refuse reason=driver-entry status=0xc00000a3$' "$out/windows.log"
}

# unregisters_twice - plays a variant of B whose routine TakeBack unregisters B. A must detach B once
unregisters_twice() {
	play +module_a +unregisters_twice -module_a -unregisters_twice &&
		[ "$(grep -c 'step=rundown' "$out/windows.log")" = 1 ] && [ "$(grep -c 'step=free' "$out/windows.log")" = 1 ]
}

# attaches_via VIA COMPLETION DEFERRED - plays the handshake; A must learn of its completion in the way VIA.
# asked=return: COMPLETION is 0, so A waits only for a pending handshake
attaches_via() {
	play "module_a.completion=$2" "module_b.deferred=$3" +module_a +module_b module_b=1 module_a=1 -module_b -module_a &&
		sed -nE 's/^module_a: .* step=completion via=(.*) status=0 ctx=c0$/\1/p; s/^module_a: .* step=attached .*/attached/p' \
			"$out/windows.log" | diff - <(printf '%s\n' "$1" attached)
}

ktap_begin
expect "sensor and consumer print the same lines under Wine as their Linux ports" \
	as_port sensor +consumer +sensor consumer=2 consumer=1 -sensor -consumer
expect "alarm and sleeper print the same lines under Wine as their Linux ports" \
	as_port alarm +alarm +sleeper sleeper=1 sleeper=20 'sleeper!3600000' 'alarm!0' alarm=1 'alarm?20' alarm:done \
	'alarm?3600000' 'alarm?3600000' 'sleeper!3600000' alarm:cancel 'sleeper!3600000' alarm:close sleeper=1 -sleeper -alarm
expect "module_a, unloaded before module_b, takes its context back" take_back
expect "module_a is loaded again, then module_b is loaded again, and the two attach" \
	play +module_a +module_b -module_a +module_a 'module_b!1' -module_b +module_b module_b=1 module_a=1 -module_b -module_a
expect "B completes the handshake at once: A's completion routine is called, and the two attach" attaches_via routine 1 0
expect "B leaves the handshake pending: A's completion routine is called, and the two attach" attaches_via routine 1 1
expect "B completes the handshake at once: A waits for the completion, and the two attach" attaches_via wait 2 0
expect "B leaves the handshake pending: A waits for the completion, and the two attach" attaches_via wait 2 1
expect "B leaves the handshake pending: only because of this, A waits for the completion, and the two attach" attaches_via 'wait asked=return' 0 1
expect "a driver refuses to load with a parameter out of range, and prints the reason" refuses_parameter
expect "module_b is refused while module_a's DriverEntry has not run" without_entry
expect "a driver with another layout of an item is refused" \
	play +module_a '!other_layout' +module_b module_b=1 -module_b -module_a
expect "a driver that unregisters while the context is taken back is detached once" unregisters_twice
expect "a request that the peer pends, although it must not, is cancelled" \
	play +module_a +pends_all 'module_a!1' -pends_all -module_a
expect "a request that is sent again while it is pending is refused" \
	play +module_a +sends_twice 'module_b!1' -sends_twice -module_a
ktap_end
