#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A chain: module_a at the top, middle (peers/middle.rs), and the bottoms lower1 and lower2. The middle passes on calls
# and items in both directions. It passes requests with the control code ADD to the top. peers/peers.mk makes the
# bottoms from module_b. c_middle does in C what middle does, but serves no requests; its name as an owner is "middle".
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh
# shellcheck source=selftests/roles_lib.sh
. ./roles_lib.sh

# fresh_chain [LOWER...] - loads module_a, the middle, and these bottoms
fresh_chain()
{
	unload_all
	reset_trace
	load module_a && load middle || return
	for lower; do
		load "$lower" || return
	done
}

fresh_c_chain()
{
	unload_all
	reset_trace
	load module_a && load c_middle || return
	for lower; do
		load "$lower" || return
	done
}

begin 30

fresh_chain lower1
[ "$(holders module_a)" = middle ] && [ "$(holders middle)" = lower1 ] && traced 'module_a: .* step=attached' &&
	traced 'middle: .* step=attached' && knows module_a middle lower1 && knows middle lower1 module_a && ! traced step=refuse
verdict "the middle is attached to the top, and the bottom to the middle: each owner knows only its own peer"

fresh_chain lower1
exercise lower1 && in_each_place lower1 'op-call to=owner op=bounce' && in_each_place middle 'op-call to=owner op=bounce' &&
	in_each_place module_a 'op-call to=peer op=bounce' && in_each_place middle 'op-call to=peer op=bounce' &&
	in_each_place lower1 'op-return from=owner op=bounce status=0' && ! traced step=refuse
verdict "a call from below passes to the top, and back to the bottom, in each execution context"

fresh_chain lower1
exercise lower1 && in_each_place lower1 'enqueue queue=to_owner' && in_each_place middle 'dequeue queue=to_owner' &&
	in_each_place middle 'enqueue queue=to_owner' && in_each_place module_a 'dequeue queue=to_owner' &&
	in_each_place module_a 'enqueue queue=to_peer' && in_each_place middle 'dequeue queue=to_peer' &&
	in_each_place middle 'enqueue queue=to_peer' && in_each_place lower1 'dequeue queue=to_peer'
verdict "an item from below passes to the top, and the answer to the bottom, in each execution context"

fresh_chain lower1
exercise lower1 && in_each_place lower1 'call-driver .*to=middle' && in_each_place middle 'call-driver .*to=module_a' && ! traced step=refuse
verdict "a request from below passes to the top, in each execution context"

fresh_chain lower1
exercise module_a && in_each_place module_a 'op-call to=peer op=bounce' && in_each_place middle 'op-call to=peer op=bounce' &&
	in_each_place lower1 'op-call to=owner op=bounce' && in_each_place middle 'op-call to=owner op=bounce' &&
	in_each_place lower1 'dequeue queue=to_peer' && in_each_place module_a 'dequeue queue=to_owner' && ! traced step=refuse
verdict "calls and items from the top pass to the bottom, and back, in each execution context"

fresh_chain
exercise module_a && ! traced step=refuse
verdict "the middle has no peer: the middle itself answers the top"

fresh_chain lower1
exercise module_a 20 &
busy=$!
exercise lower1 20 && wait "$busy" && ! traced step=refuse
verdict "the top and the bottom are exercised at the same time: nothing is refused"

fresh_trace
unload_all
fails ENOENT load lower1 && fails ENOENT load middle && load module_a && fails ENOENT load lower1 && load middle && load lower1
verdict "a module is loaded before its owner: ENOENT"

fresh_chain lower1
fails EAGAIN unload module_a && fails EAGAIN unload middle && unload lower1 && fails EAGAIN unload module_a && exercise module_a &&
	unload middle && nothing_left_of middle && owner_is_idle && unload module_a && nothing_left_of module_a && ! traced step=refuse
verdict "an owner is unloaded before its peer: EAGAIN"

fresh_chain lower1 lower2
unload lower1 && fails EAGAIN unload middle && exercise lower2 && unload lower2 && load lower1 && exercise lower1 &&
	load lower2 && unload lower2 && unload lower1 && unload middle && load middle && load lower2 && exercise lower2 &&
	unload lower2 && unload middle && unload module_a && nothing_left_of middle && nothing_left_of module_a && ! traced step=refuse
verdict "the modules are unloaded and loaded in each order that the kernel allows"

fresh_chain lower1
exercise module_a 60 &
busy=$!
fails EAGAIN unload middle && unload lower1 && load lower1 && unload lower1 && unload middle && nothing_left_of middle &&
	wait "$busy" && owner_is_idle
verdict "the middle and its peer are unloaded while the top calls them: the calls of the top succeed"

fresh_chain lower1 lower2
exercise lower1 40 &
busy=$!
fails EAGAIN unload middle && fails EAGAIN unload module_a && unload lower2 && load lower2 && exercise module_a 2 &&
	unload lower2 && wait "$busy" && ! traced step=refuse
verdict "a peer of the middle is unloaded while another peer of the middle is exercised: nothing is refused"

fresh_trace
unload_all
load module_a && load module_b && fails EBUSY load middle && only_refusal_is module_a no-free-context && nothing_left_of middle &&
	fails ENOENT load lower1
verdict "the middle gets no context of its owner: EBUSY, and the middle does not become an owner"

fresh_trace
unload_all
load module_a && fails ERANGE load middle contexts=65 && only_refusal_is middle parameter-out-of-range && nothing_left_of middle &&
	owner_is_idle && load middle && load lower1 && exercise lower1
verdict "the middle gets a bad parameter for its role as an owner: ERANGE, and the middle does not stay a peer"

fresh_trace
unload_all
load module_a && load middle contexts=1 && load lower1 && fails EBUSY load lower2 && only_refusal_is middle no-free-context &&
	exercise lower1 && unload lower1 && load lower2 && exercise lower2
verdict "the middle has no context for another peer: EBUSY"

fresh_chain
unload middle && trace | awk '
	/middle: d2d: .* step=(load|adopt|export|free|detach|unload)/ {
		match($0, /step=[a-z]+/)
		order = order " " substr($0, RSTART + 5, RLENGTH - 5)
	}
	END { print order; exit order != " load adopt load export free free unload detach unload" }' >"$NOTES"
verdict "the owner's role begins after the peer's role, and ends before it"

fresh_trace
unload_all
load module_a && load middle waits=owner && await waits_for middle.never module_a && unload middle
verdict "the middle is unloaded while its thread, in the owner's role, waits for an event of the top: the wait ends"

fresh_trace
unload_all
load module_a && load middle waits=peer && await waits_for middle.never module_a && unload middle && nothing_left_of middle && owner_is_idle
verdict "the middle is unloaded while its thread, in the peer's role, waits for an event of the top and uses the contexts: the wait ends"

fresh_trace
unload_all
load module_a && load middle waits=owner-for-request && await is_set middle.held module_a && unload middle && nothing_left_of middle && owner_is_idle
verdict "the middle is unloaded while its thread, in the owner's role, waits until a request that the peer's role holds is cancelled"

fresh_trace
unload_all
load module_a && load middle waits=peer-for-request && await is_set middle.held module_a && unload middle && nothing_left_of middle && owner_is_idle
verdict "the middle is unloaded while its thread, in the peer's role, uses the contexts and waits until a request is cancelled"

fresh_trace
unload_all
load module_a && load middle waits=dispatch-for-request && await is_set middle.held module_a && unload middle && nothing_left_of middle && owner_is_idle
verdict "the middle is unloaded while a dispatch routine of the owner's role waits until a request that the peer's role holds is cancelled"

# Loading the middle fails while a thread of the middle waits for an event of the top. Each line is WAITS STEP ERRNO
# CASE. WAITS and STEP are the middle's parameters "waits" and "fails"
while read -r waits step errno case; do
	fresh_trace
	unload_all
	load module_a && fails "$errno" load middle "waits=$waits" "fails=$step" && nothing_left_of middle && owner_is_idle && load middle &&
		load lower1 && exercise lower1
	verdict "the middle: $case: $errno, and the middle is neither owner nor peer any more"
done <<-EOF
	owner join    ENODEV joining the roles fails while a thread of the owner's role waits for the top
	owner ready   ENODEV ready() fails while a thread of the owner's role waits for the top
	owner control EBUSY  the control device fails while a thread of the owner's role waits for the top
	peer  join    ENODEV joining the roles fails while a thread of the peer's role waits for the top and uses the contexts
	peer  ready   ENODEV ready() fails while a thread of the peer's role waits for the top and uses the contexts
	peer  control EBUSY  the control device fails while a thread of the peer's role waits for the top and uses the contexts
EOF

fresh_c_chain
[ "$(holders module_a)" = c_middle ] && exercise module_a && load lower1 &&
	[ "$(holders c_middle)" = lower1 ] && exercise module_a && in_each_place c_middle 'op-call to=peer op=bounce' &&
	in_each_place lower1 'op-call to=owner op=bounce' && in_each_place c_middle 'op-call to=owner op=bounce' &&
	in_each_place lower1 'dequeue queue=to_peer' && in_each_place module_a 'dequeue queue=to_owner' &&
	! traced step=refuse
verdict "a middle in C: calls and items from the top pass to the bottom, and back, in each execution context"

fresh_c_chain lower1
exercise module_a 60 &
busy=$!
fails EAGAIN unload module_a && fails EAGAIN unload c_middle && unload lower1 && load lower1 && unload lower1 &&
	unload c_middle && nothing_left_of middle && wait "$busy" && owner_is_idle && unload module_a
verdict "a middle in C: the middle and its peer are unloaded while the top calls them: the calls of the top succeed"

fresh_trace
unload_all
load module_a && load c_middle waits=1
exercise module_a &
busy=$!
await waits_for c_middle.never middle && unload c_middle && nothing_left_of middle && wait "$busy" && owner_is_idle
verdict "a middle in C is unloaded while an operation of the peer's role waits for an event of the owner's role: the wait ends"
unload_all
ktap_finished
