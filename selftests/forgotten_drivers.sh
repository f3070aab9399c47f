#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The module "forgetful" (misbehaving/forgetful.c) is unloaded, or its init fails, without unregistering its drivers.
# The owner must remove them before the kernel frees the module's code. Other drivers must go on working.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh
# shellcheck source=selftests/roles_lib.sh
. ./roles_lib.sh

OWNER=/sys/kernel/debug/d2d-module_a
trap 'rm -f "$NOTES"; ! loaded pause_calls || resume' EXIT

# Values of forgetful's parameter "forgets"
STATES="registered context handshake sent pended event"

# The module that forgets its drivers: forgetful or, with another owner, one of forgetful_*
FORGETFUL=forgetful

load_and_unload()
{
	if [ "$2" = init ]; then
		fails ENOTRECOVERABLE load "$FORGETFUL" "forgets=$1" at=init && ! loaded "$FORGETFUL"
	else
		load "$FORGETFUL" "forgets=$1" at=exit && unload "$FORGETFUL"
	fi
}

# names REASON - prints the drivers in the refusals with this reason
names()
{
	trace | sed -n "s/.*step=refuse reason=$1 errno=-[0-9]* name=//p" | sort | xargs
}

# expelled - succeeds if the owner has removed both drivers of $FORGETFUL, and has called none of their routines since
# the module's init failed or its exit ran
expelled()
{
	[ "$(names module-gone)" = "forgetful forgetful_too" ] && [ "$(trace | grep -c 'step=unregister name=forgetful')" = 2 ] &&
		! dmesg | grep "was called after the module had ended"
}

another_works()
{
	load module_b && exercise module_b && exercise module_a && unload module_b
}

# can_be_reloaded - succeeds if forgetful, which forgets nothing this time, can be loaded and unloaded without a refusal
can_be_reloaded()
{
	reset_trace
	load forgetful at=exit && unload forgetful && ! trace | grep step=refuse
}

unloading()
{
	grep -q "^$1 .* Unloading " /proc/modules
}

# fresh_stranger PARAM=VALUE - loads module_a, with this parameter, and the module stranger. No peer is attached, and no
# driver of stranger is registered
fresh_stranger()
{
	unload_if_loaded forgetful bad_peer paused_peer actor module_b torture_peer0 torture_owner
	[ ! -e "$OWNER/events/strange" ] || unload stranger
	if [ "${parameter-}" != "$1" ]; then
		unload_if_loaded stranger module_a
		parameter=$1
	fi
	load_unless_loaded stranger
	load_unless_loaded module_a "$1"
	reset_trace
}

fresh_actor()
{
	fresh_stranger timeout=100
	load actor
	reset_trace
}

# inside_forgetful - the process $remover begins to unload forgetful, while $sender pauses inside forgetful's dispatch
# routine
inside_forgetful()
{
	load forgetful forgets=registered at=exit && act "register x; alloc r1 x; lookup forgetful" && pause task
	act_in_background "send r1 forgetful"
	sender=$background
	await one_inside
	unload forgetful &
	remover=$!
	await unloading forgetful && await traced reason=module-gone
}

# Owners other than module_a. Each line is OWNER NAME FORGETFUL PEER DEVICE STATE...: drivers know the owner as NAME.
# PEER is another peer, which the owner calls when DEVICE is written. Only c_owner has the state "handshake", because it
# has a parameter for the timeout: with the others, a pended handshake takes 5 s. c_middle and c_lender pend no
# requests, so they lack "sent"
other_owners()
{
	cat <<-EOT
	c_owner   module_a  forgetful           module_b       c_owner   $STATES
	middle    middle    forgetful_middle    lower1         module_a  registered context sent pended event
	c_middle  middle    forgetful_middle    lower1         module_a  registered context pended event
	c_lender  lender    forgetful_lender    borrower       lender    registered context pended event
	junction  junction  forgetful_junction  junction_peer  module_a  registered context sent pended event
	EOT
}

fresh_other()
{
	unload_all
	parameter=
	FORGETFUL=$2
	load pause_calls && load stranger || return
	case $1 in
	c_owner) load c_owner timeout=100 ;;
	c_lender) load c_lender ;;
	junction) load module_a && load other_a && load junction ;;
	*) load module_a && load "$1" ;;
	esac && reset_trace
}

begin $((30 + 2 * $(other_owners | awk '{ n += NF - 5 } END { print n }')))
load pause_calls

for at in init exit; do
	for forgets in $STATES; do
		fresh_stranger timeout=100
		load_and_unload "$forgets" "$at" && expelled && owner_is_idle && another_works && can_be_reloaded
		verdict "a module's $at forgets a driver ($forgets): the owner removes it, and other drivers work"
	done
done

# With completion=1, d2d_attach() does not wait for the handshake, which is still pending when the module is unloaded.
for at in init exit; do
	fresh_stranger completion=1
	load_and_unload handshake "$at" && expelled && owner_is_idle && another_works && can_be_reloaded
	verdict "a module's $at forgets a driver with a pending handshake: the owner removes it, and other drivers work"
done

fresh_stranger completion=1
fails EINPROGRESS load bad_peer fault=never-completed && [ -z "$(names module-gone)" ] && owner_is_idle && another_works
verdict "bad_peer detaches and unregisters while its handshake is pending: the owner has nothing to remove"

fresh_stranger timeout=100
load_and_unload registered exit && [ "$(names module-is-going)" = forgetful_anew ]
verdict "module-is-going: a module registers a driver in its exit: the owner refuses it"

fresh_actor
load forgetful forgets=registered at=exit && act "register x; alloc r1 x; lookup forgetful"
fails EINPROGRESS act "send r1 forgetful"
act_in_background "wait r1"
waiter=$background
unload forgetful && wait "$waiter" && expelled && act "expect r1 status=-$ECANCELED; free r1" && owner_is_idle && another_works
verdict "a module is unloaded with a request pending: the sender gets ECANCELED"

fresh_actor
inside_forgetful && fails ESHUTDOWN act "register y; alloc r2 y; send r2 forgetful" &&
	load bad_peer fault=none && unload bad_peer && unloading forgetful
verdict "a module is unloaded while a thread is inside its driver: unloading waits, but other modules can be loaded and unloaded"
resume
wait

fresh_actor
inside_forgetful
resume
wait "$remover"
unloaded=$?
wait "$sender"
[ "$unloaded" = 0 ] && expelled && act "wait r1; expect r1 status=-$ECANCELED" && another_works
verdict "a module is unloaded while a thread is inside its driver: unloading ends when the thread has returned, and the sender gets ECANCELED"

# The library must not dispatch a queued request to a module that is being unloaded. Each request has one work item,
# which dispatches the request if the sender cannot sleep. Here bob has completed r0, but pauses inside his dispatch
# routine. So r0's work item is busy, and r0 stays queued when alice sends it to forgetful. The library must call
# forgetful's dispatch routine only for r1, which alice has sent in task context.
fresh_actor
load forgetful forgets=registered at=exit &&
	act "register alice; register bob; on-dispatch bob answer-and-pause; alloc r0 alice; alloc r1 alice; lookup forgetful"
act_pends "send r1 forgetful $CODE_ADD trace" && pause task
# The send fails with EINPROGRESS if it returns before bob has answered.
act "in hardirq send r0 bob $CODE_ADD atomic"
await one_inside && act "wait r0; expect r0 output=42" && act_pends "in hardirq send r0 forgetful $CODE_ADD atomic trace"
sent=$?
act_in_background "wait r0"
waiter=$background
unload forgetful && wait "$waiter" && [ "$sent" = 0 ] && one_inside && expelled &&
	act "expect r0 status=-$ECANCELED ended=left; wait r1; expect r1 status=-$ECANCELED ended=left"
ended=$?
resume
# Unregistering waits until no thread is inside bob.
act "unregister bob; free r0; free r1"
[ "$ended" = 0 ] && another_works && [ "$(trace | grep -c 'forgetful: d2d: .*step=dispatch')" = 1 ]
verdict "a module is unloaded with a request queued for a worker: the sender gets ECANCELED, and the request is not dispatched"

# The module actor unregisters the driver of paused_peer, a module in Rust, by a forged handle. Meanwhile the kernel
# unloads paused_peer
name="a module is unloaded while another one unregisters the first module's driver: unloading waits until the driver is unregistered"
if ! skips_leak "$name" "d2d_unregister() refuses paused_peer, which then does not free what its routines use"; then
	fresh_actor
	load paused_peer
	act "register x; alloc r1 x; lookup paused_peer; forge-handle paused_peer; detach paused_peer" && pause task
	reset_trace
	act_in_background "send r1 paused_peer $CODE_ADD"
	sender=$background
	await one_inside
	act_in_background "unregister paused_peer"
	unregisterer=$background
	await fails ESHUTDOWN act "alloc r2 paused_peer"
	unload paused_peer &
	remover=$!
	await unloading paused_peer
	resume
	wait "$sender"
	wait "$unregisterer" && wait "$remover" && ! loaded paused_peer && another_works
	verdict "$name"
fi

# From here to the cases of other_owners, forgetful registers a driver whose routines are in the module stranger.
# stranger imports no symbol of the owner, so the kernel can unload the owner first.
fresh_stranger timeout=100
load forgetful forgets=stranger && unload forgetful && [ -e "$OWNER/events/strange" ] && ! trace | grep step=refuse
verdict "a module registers a driver of a second module, and the first module is unloaded: the driver stays"

fresh_stranger timeout=100
load forgetful forgets=stranger && unload forgetful && [ -e "$OWNER/events/strange" ] && unload stranger &&
	[ "$(names module-gone)" = stranger ] && [ ! -e "$OWNER/events/strange" ] && another_works
verdict "a module registers a driver of a second module, and the second module is unloaded: the owner removes the driver"

for kind in stranger stranger-attached; do
	name="drivers-left: the owner is unloaded while a driver is registered ($kind): all modules can be loaded again"
	fresh_stranger timeout=100
	load forgetful "forgets=$kind" && unload forgetful && unload module_a && [ "$(names drivers-left)" = stranger ] &&
		[ ! -e "$OWNER" ] && [ ! -e /sys/kernel/tracing/events/d2d_module_a ] && unload stranger &&
		load module_a timeout=100 && [ -e "$OWNER/state/contexts" ] && owner_is_idle && another_works && load stranger &&
		can_be_reloaded
	verdict "$name"
done

name="the owner is unloaded while a driver is in d2d_attach(), inside its dispatch routine: unloading ends, and d2d_attach() returns"
if ! skips_leak "$name" "the owner does not free the context of a driver that it leaves behind"; then
	fresh_stranger timeout=100
	pause task
	load forgetful forgets=stranger-attaching && await one_inside && unload forgetful
	unload module_a &
	remover=$!
	# When this refusal is logged, the owner has freed the request of the handshake.
	await traced reason=drivers-left
	resume
	wait "$remover" && [ ! -e "$OWNER" ] && unload stranger && load module_a timeout=100 && owner_is_idle && another_works
	verdict "$name"
fi

while read -r owner name forgetful peer device states; do
	for forgets in $states; do
		for at in init exit; do
			fresh_other "$owner" "$forgetful"
			load_and_unload "$forgets" "$at" && expelled && is_free "$name" && load "$peer" && exercise "$device" && unload "$peer"
			verdict "a module's $at forgets a driver of $owner ($forgets): the owner removes it, and another driver works"
		done
	done
done <<EOT
$(other_owners)
EOT

# fresh_waiter - the process $waiter makes torture_peer0 wait for an event that forgetful_torture will forget
fresh_waiter()
{
	unload_all
	FORGETFUL=forgetful_torture
	load pause_calls && load torture_owner && load torture_peer0 && load stranger && event_act torture_peer0 create 0 forgotten notification &&
		event_act_in_background torture_peer0 wait any 0
	waiter=$background
	await waits_for forgotten torture_owner
	reset_trace
}

wait_ends()
{
	[ -n "${waiter-}" ] || return
	event_act torture_peer0 set 0 was=reset && wait "$waiter" 2>"$NOTES"
	ended=$?
	waiter=
	return "$ended"
}

for at in init exit; do
	fresh_waiter
	load_and_unload event "$at" && expelled && waits_for forgotten torture_owner
	verdict "a module's $at forgets a driver with an open event: another module's wait for the event goes on"
	wait_ends
done

fresh_waiter
load_and_unload event exit && wait_ends
verdict "the event of a forgotten driver is set: another module's wait for the event ends"

fresh_waiter
load_and_unload event exit && wait_ends && event_act torture_peer0 close 0 && [ ! -e /sys/kernel/debug/d2d-torture_owner/events/forgotten ]
verdict "only one driver still has the event of a forgotten driver open, and closes it: the event's file is removed"
unload_all
ktap_finished
