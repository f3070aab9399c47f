#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Peers of two owners. bridge (peers/bridge.rs) and, in C, c_bridge (peers/c_bridge/) are peers of module_a and of
# other_a. They pass calls and items from each owner to the other one. junction (peers/junction.rs) has three roles: it
# is a peer of module_a and of other_a, and the owner of junction_peer. peers/peers.mk makes other_a from module_a, and
# other_b and junction_peer from module_b.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh
# shellcheck source=selftests/roles_lib.sh
. ./roles_lib.sh

# fresh_owners [MODULE [PARAM=VALUE...]] - loads both owners, and this module
fresh_owners()
{
	unload_all
	reset_trace
	load module_a && load other_a || return
	[ $# = 0 ] || load "$@"
}

# fresh_exercises [PARAM=VALUE...] - begins the exercises of both owners, in the processes $first and $second. Each
# exercise calls an operation of c_bridge, and this operation waits for an event that nobody sets
fresh_exercises()
{
	fresh_owners c_bridge waits=1 "$@"
	exercise module_a &
	first=$!
	exercise other_a &
	second=$!
}

operations_wait()
{
	await waits_for c_bridge.never module_a && await waits_for c_bridge.never other_a
}

# passes OWNER OTHER - succeeds if calls and items of OWNER's exercise have passed to the owner OTHER, and back
passes()
{
	in_each_place "$1" 'op-call to=peer op=bounce' && in_each_place "$2" 'op-call to=peer op=bounce' &&
		in_each_place "$2" 'dequeue queue=to_owner' && in_each_place "$2" 'enqueue queue=to_peer' &&
		in_each_place "$1" 'dequeue queue=to_owner' && ! traced step=refuse
}

refused_by()
{
	trace | sed -nE "s/^(.*[] ])?([a-z_]+): d2d: .*step=refuse reason=$1 .*/\2/p" | sort | xargs
}

# depends MODULE - prints the modules that MODULE.ko names as its dependencies
depends()
{
	find_module "$1" && tr '\0' '\n' <"$path" | sed -n 's/^depends=//p' | tr ',' '\n' | sort | xargs
}

begin 39

for module in bridge c_bridge; do
	fresh_owners "$module"
	[ "$(holders module_a)" = "$module" ] && [ "$(holders other_a)" = "$module" ] && [ "$(depends "$module")" = "module_a other_a" ] &&
		knows module_a "$module" other_a && knows other_a "$module" module_a && ! traced step=refuse
	verdict "$module is attached to both owners, and keeps both loaded: each owner knows this peer only"

	fresh_owners "$module"
	reset_trace
	exercise module_a && passes module_a other_a && reset_trace && exercise other_a && passes other_a module_a
	verdict "$module: calls and items from each owner pass to the other one, and back, in each execution context"

	fresh_owners "$module"
	exercise module_a 30 &
	first=$!
	exercise other_a 30 &
	second=$!
	fails EAGAIN unload module_a && fails EAGAIN unload other_a && unload "$module" && load "$module" && unload "$module" &&
		all_succeed "$first" "$second" && is_free module_a && is_free other_a && load "$module" && exercise module_a && exercise other_a
	verdict "$module is unloaded and loaded while both owners are exercised; unloading an owner before $module gets EAGAIN"

	fresh_owners
	load module_b && fails EBUSY load "$module" && only_refusal_is module_a no-free-context && is_free other_a && ! loaded "$module" &&
		unload module_b && load "$module" && exercise module_a && exercise other_a
	verdict "the first owner has no context for $module: loading $module gets EBUSY, and the second owner keeps nothing of it"

	fresh_owners
	load other_b && fails EBUSY load "$module" && only_refusal_is other_a no-free-context && is_free module_a && ! loaded "$module" &&
		unload other_b && load "$module" && exercise module_a && exercise other_a
	verdict "the second owner has no context for $module: loading $module gets EBUSY, and the first owner keeps nothing of it"

	fresh_trace
	unload_all
	fails ENOENT load "$module" && load module_a && fails ENOENT load "$module" && unload module_a && load other_a &&
		fails ENOENT load "$module" && load module_a && load "$module" && unload "$module" && unload other_a && nothing_left_of other_a &&
		load other_a && load "$module" && unload "$module" && unload module_a && nothing_left_of module_a && unload other_a && ! traced step=refuse
	verdict "$module is loaded before one of its owners: ENOENT; the owners can be loaded and unloaded in both orders"
done

# twice is the bridge with module_a as both owners (peers/peers.mk).
fresh_owners
fails ENOTUNIQ load twice && only_refusal_is module_a name-taken && is_free module_a && ! loaded twice && load bridge && exercise module_a
verdict "a module registers twice with one owner, under the same name: ENOTUNIQ, and the owner keeps nothing of it"

# In each case, loading the bridge fails while code of one role waits for an event that nobody sets. Each line is WAITS
# STEP ERRNO PARAMETER CASE. WAITS and STEP are the bridge's parameters "waits" and "fails". If STEP is "nothing", the
# handshake times out. PARAMETER is a parameter of other_a
while read -r waits step errno parameter case; do
	fresh_owners
	unload other_a && load other_a "$parameter" && fails "$errno" load bridge "waits=$waits" "fails=$step" && ! loaded bridge &&
		is_free module_a && is_free other_a && load bridge && exercise module_a && exercise other_a
	verdict "$case: $errno, and the owners keep nothing of the two roles"
done <<-EOF
	joined-threads    join    ENODEV    completion=0 joining the roles fails while a thread of each waits for an event of the other
	started-thread    start   ENODEV    completion=0 the start of the second role fails while its thread waits for an event of the first one
	started-thread    control EBUSY     completion=0 the control device of the second role fails while its thread waits for an event of the first one
	started-thread    join    ENODEV    completion=0 joining the roles fails while a thread of the second role waits for an event of the first one
	dropped-resources join    ENODEV    completion=0 joining the roles fails, and dropping the second role's Resources lasts until a thread ends its wait for an event of that role
	deferred          nothing ETIMEDOUT timeout=50   the handshake of the second role fails while its work item waits for an event of the first one
	deferred          start   ENODEV    completion=1 the start of the second role fails while the work item of its handshake waits for an event of the first one
	deferred          control EBUSY     completion=1 the control device of the second role fails while the work item of its handshake waits for an event of the first one
	deferred          join    ENODEV    completion=1 joining the roles fails while the work item of the second role's handshake waits for an event of the first one
EOF

fresh_owners bridge waits=joined-threads
await waits_for bridge.never module_a && await waits_for bridge.never other_a && unload bridge && is_free module_a && is_free other_a
verdict "the bridge is unloaded while a thread of each role waits for an event of the other role"

fresh_owners bridge waits=inside
exercise module_a && await waits_for bridge.never other_a && unload bridge && ! printed bridge | grep . >"$NOTES" && is_free module_a && is_free other_a
verdict "the bridge is unloaded while a thread uses both roles: the value that both roles use is dropped only when no thread uses it"

fresh_owners bridge waits=held-request
await is_set bridge.held module_a && unload bridge && is_free module_a && is_free other_a
verdict "the bridge is unloaded while a thread of one role waits until a request that the other role holds is cancelled"

# The exercise of module_a would cancel requests of its own that the first role holds, and so end the wait too early.
fresh_owners bridge waits=held-request-inside
exercise other_a && await is_set bridge.held module_a && unload bridge && ! printed bridge | grep . >"$NOTES" && is_free module_a && is_free other_a
verdict "the bridge is unloaded while a thread that uses both roles waits until a request that one of them holds is cancelled"

fresh_owners bridge waits=dropped-resources
await waits_for bridge.never other_a && unload bridge && is_free module_a && is_free other_a
verdict "the bridge is unloaded, and dropping the second role's Resources lasts until a thread ends its wait for an event of that role"

fresh_owners bridge
unload bridge && trace | grep -E 'step=(attached|rundown) ' | sed -nE 's/^(.*[] ])?([a-z_]+): d2d: .* step=([a-z]+).*/\2:\3/p' | xargs >"$NOTES" &&
	[ "$(cat "$NOTES")" = "module_a:attached other_a:attached other_a:rundown module_a:rundown" ]
verdict "the bridge is attached to the first owner and then to the second one, and detached in the reverse order"

fresh_exercises
operations_wait && unload c_bridge && all_succeed "$first" "$second" &&
	is_free module_a && is_free other_a
verdict "c_bridge is unloaded while an operation of each role waits for an event of the other role: the waits end"

fresh_owners c_bridge forgets=1
unload c_bridge && [ "$(refused_by module-gone)" = "module_a other_a" ] && is_free module_a && is_free other_a &&
	load bridge && exercise module_a && exercise other_a
verdict "a module in C that is a peer of two owners forgets both its drivers: each owner unregisters the driver that it knows"

fresh_exercises forgets=1
operations_wait && unload c_bridge && [ "$(refused_by module-gone)" = "module_a other_a" ] && is_free module_a && is_free other_a && load bridge
freed=$?
wait "$first"
wait "$second"
[ "$freed" = 0 ] && exercise module_a && exercise other_a
verdict "c_bridge forgets both its drivers while an operation of each role waits for an event of the other role: the waits end"

fresh_owners
load junction && load junction_peer && [ "$(holders junction)" = junction_peer ] && knows module_a junction junction_peer && knows other_a junction junction_peer &&
	knows junction junction_peer module_a && ! traced step=refuse
verdict "a module in three roles is attached to both owners, and a peer of its own is attached to it"

fresh_owners junction
load junction_peer && reset_trace && exercise junction_peer && in_each_place junction_peer 'op-call to=owner op=bounce' &&
	in_each_place module_a 'op-call to=peer op=bounce' && in_each_place other_a 'op-call to=peer op=bounce' &&
	exercise module_a && exercise other_a && ! traced step=refuse
verdict "the peer of a module in three roles makes a call: the call passes to both owners, in each execution context"

fresh_owners junction
load junction_peer
exercise junction_peer 40 &
busy=$!
fails EAGAIN unload module_a && fails EAGAIN unload other_a && fails EAGAIN unload junction && exercise module_a && exercise other_a &&
	wait "$busy" && unload junction_peer && unload junction && nothing_left_of junction && is_free module_a && is_free other_a &&
	unload other_a && unload module_a && ! traced step=refuse
verdict "a module in three roles is unloaded before its peer: EAGAIN; after its peer: nothing of the module is left"

fresh_owners
fails ERANGE load junction contexts=65 && only_refusal_is junction parameter-out-of-range && nothing_left_of junction && is_free module_a &&
	is_free other_a && load junction && load junction_peer && exercise junction_peer
verdict "a module in three roles gets a bad parameter for its role as an owner: ERANGE, and the module does not stay a peer"

fresh_owners junction waits=1
unload junction && nothing_left_of junction && is_free module_a && is_free other_a
verdict "a module in three roles is unloaded while threads of its owner's role wait, one for an event of each peer's role"

# Each line is STEP ERRNO CASE; STEP is the parameter "fails" of junction
while read -r step errno case; do
	fresh_owners
	fails "$errno" load junction waits=1 "fails=$step" && nothing_left_of junction && is_free module_a && is_free other_a && load junction &&
		load junction_peer && exercise junction_peer
	verdict "a module in three roles: $case fails while threads of the owner's role wait: $errno, and nothing of the module is left"
done <<-EOF
	join    ENODEV joining the roles
	ready   ENODEV ready() of the owner's role
	control EBUSY  the control device of the owner's role
EOF
unload_all
ktap_finished
