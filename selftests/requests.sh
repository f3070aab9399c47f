#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Requests: between any drivers, with contexts and without, in each context, there and back
# over several modules, cancelled and timed out; and each refusal by name.
#
# The drivers of the module actor do what they are told by act: see its source. alice
# mostly sends, bob mostly receives. Requests have numbers.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

# Codes: the pair's, and the relay's
ADD=0x222004
HOLD=0x222008
RELEASE=0x22200c
LET_GO=0x2223c0
SHARE_CONTEXT=0x222003
# Nothing is there
BAD_POINTER=4096

# later COMMAND... - as act, and $later is the process that does it meanwhile
later()
{
	./kmod write "$DO" "$*" 2>/dev/null &
	later=$!
}

# sleeping - whether it does
sleeping()
{
	await grep -q '^State:.*D (disk sleep)' "/proc/$later/status"
}

# has_ended PID - whether the process has
has_ended()
{
	! kill -0 "$1" 2>/dev/null || grep -qs '^State:.*Z' "/proc/$1/status"
}

# finished PID... - whether these processes end, in time, and have all succeeded
finished()
{
	for pid; do
		await has_ended "$pid" && wait "$pid" || return
	done
}

# who_did STEP... - whether the drivers have taken these steps, as "DRIVER:STEP"
who_did()
{
	[ "$(trace | sed -nE 's/.*(^|[] ])([a-z_0-9]+): d2d: .* step=([a-z-]+).*/\2:\3/p' | xargs)" = "$*" ]
}

# fresh NAME... - actors of these names, with no past, where "+" after a name makes it atomic
fresh()
{
	! loaded actor || unload actor
	load actor || return
	for name; do
		case $name in
		*+) act "register ${name%+} atomic" ;;
		*) act "register $name" ;;
		esac || return
	done
}

# no_refusal_but REASON - whether the trace has none but these
no_refusal_but()
{
	! trace | grep step=refuse | grep -qv "reason=$1 "
}

no_refusal()
{
	no_refusal_but nothing
}

# What a sender does wrong. ERRNO REASON COMMAND
sender_sins()
{
	cat <<-EOT
	EBADMSG      bad-magic             send 0 bob $ADD bad-magic
	EMSGSIZE     bad-size              send 0 bob $ADD bad-size
	EPROTO       bad-major             send 0 bob $ADD bad-major
	EBADE        bad-layout            send 0 bob $ADD bad-layout
	EINVAL       unknown-function      send 0 bob $ADD unknown-function
	EINVAL       bad-flags             send 0 bob $ADD unknown-flag
	EINVAL       bad-flags             send 0 bob $ADD reserved
	EINVAL       reserved-code         send 0 bob $SHARE_CONTEXT
	EFAULT       bad-send-pointer      send 0 bob $ADD at=0
	EFAULT       bad-send-pointer      send 0 bob $ADD at=$BAD_POINTER
	EFAULT       bad-input-pointer     send 0 bob $ADD data=0
	EFAULT       bad-input-pointer     send 0 bob $ADD data=$BAD_POINTER
	EMSGSIZE     buffer-too-small      send 0 bob $ADD in=9
	EMSGSIZE     buffer-too-small      send 0 bob $ADD out=9
	ESTALE       stale-request         send 0 bob $ADD stale
	ESTALE       stale-request         send 1 bob
	ESTALE       stale-target          send 0 nobody
	EINVAL       no-completion-routine send 2 bob $ADD routine
	EMSGSIZE     buffer-too-large      alloc 1 alice 4097 0
	EMSGSIZE     buffer-too-large      alloc 1 alice 0 4097
	ESTALE       stale-driver-handle   alloc 1 nobody
	EFAULT       no-handle             alloc 1 alice 8 8 nowhere
	EAGAIN       too-many-requests     fill alice
	ENOENT       no-such-driver        lookup nobody
	EFAULT       no-name-or-handle     lookup bob without-name
	EFAULT       no-name-or-handle     lookup bob without-handle
	ENODATA      not-sent              wait 0
	ESTALE       stale-request         wait 1
	EFAULT       no-result             wait 0 0 nowhere
	ESTALE       stale-request         cancel 1
	ESTALE       stale-request         free 1
	EMSGSIZE     nothing-to-read       read 0 1
	ESTALE       stale-request         read 1 8
	ESTALE       stale-request-handle  complete bob
	ESTALE       stale-request-handle  tell bob
	ESTALE       stale-request-handle  forward bob alice
	ENOTUNIQ     name-taken            register alice
	EINVAL       bad-flags             register carol unknown-flag
	ENOEXEC      routine-outside-text  register carol returned-outside
	ENOEXEC      routine-outside-text  register carol completed-outside
	ENOEXEC      routine-outside-text  register carol cancelled-outside
	EOT
}

# What a receiver does wrong, and what the sender gets. ROLE STATUS REASON
receiver_sins()
{
	cat <<-EOT
	nothing        EIO      not-completed
	bad-status     EIO      bad-status
	unregister     EDEADLK  unregister-from-inside
	detach         EDEADLK  detach-from-inside
	read-too-much  EMSGSIZE nothing-to-read
	write-too-much EMSGSIZE output-too-long
	write-nothing  EFAULT   bad-output-pointer
	EOT
}

# Wrong sizes, to a driver in C and to those in Rust. DRIVER COMMAND-TAIL
wrong_sizes()
{
	for driver in module_a module_b c_peer; do
		echo "$driver $ADD in=4"
		echo "$driver $ADD in=16"
		echo "$driver $ADD out=4"
		echo "$driver $HOLD out=4"
		echo "$driver $RELEASE in=8 out=0"
	done
}

# pends COMMAND... - whether the last request of the commands is on its way
pends()
{
	fails EINPROGRESS act "$@"
}

# sent COMMAND... - as act, and it does not matter whether the request is on its way
sent()
{
	act "$@" || grep -q "^errno=$EINPROGRESS " "$NOTES"
}

# told NAME TIMES - how often a driver was told that the request which it kept was taken back
told()
{
	[ "$(trace | grep -c "$1: d2d: .* step=cancel told=this")" = "$2" ] &&
		! trace | grep -q told=another
}

# regained NAME ERRNO TIMES - how often a driver got a request back that was completed with this
regained()
{
	[ "$(trace | grep -c "$1: d2d: .* step=completion via=returned status=$2\$")" = "$3" ]
}

# did NAME STEP PLACE [TIMES] - whether a driver took a step in this kind of context
did()
{
	[ "$(trace | grep -c "$1: d2d: .* in=$3 step=$2 ")" = "${4:-1}" ]
}

# exercise NAME
exercise()
{
	echo 1 >"/sys/kernel/debug/d2d-$1/exercise"
}

trap 'rm -f "$NOTES"; ! loaded hold_calls || hold none' EXIT
start $(($(sender_sins | wc -l) + $(receiver_sins | wc -l) + $(wrong_sizes | wc -l) + 135))
load hold_calls
load module_a contexts=4 completion=1

# Two drivers, neither of which has a context

fresh alice bob+
mark
act "alloc 0 alice; send 0 bob $ADD trace; wait 0; expect 0 0 8 42" &&
	who_did alice:build-request alice:call-driver bob:dispatch bob:complete alice:completion &&
	trace | grep -q 'alice: d2d: .* step=completion req=r[0-9]* via=return status=0'
verdict "completed at once: the sender learns of it by return"

mark
act "lookup module_a; send 0 module_a $ADD value=9; wait 0; expect 0 0 8 10; read 0 8" && no_refusal
verdict "a request is sent again, to the owner"

act "alloc 1 bob; plays alice refuse; send 1 alice; wait 1; expect 1 -$EPERM"
verdict "the other way round, and refused"

mark
act "plays alice answer; send 1 alice $ADD routine trace; expect 1 0 8 42" &&
	act "send 1 alice $ADD routine value=1; expect 1 0 8 2; send 1 alice; wait 1" && no_refusal &&
	trace | grep -q 'bob: d2d: .* step=completion req=r[0-9]* via=routine status=0'
verdict "a completion routine gets the result and keeps the request, which is sent again"

mark
act "ends bob free; send 1 alice $ADD routine value=2; expect 1 0 8 3" && no_refusal &&
	fails ESTALE act "send 1 alice" && refused module_a stale-request
verdict "a completion routine lets the request be freed"

mark
act "plays bob pend-told" && pends "send 0 bob $HOLD trace" &&
	who_did alice:build-request alice:call-driver bob:dispatch bob:pend &&
	act "complete bob 0 7; wait 0; expect 0 0 8 7" && told bob 0
verdict "left pending, and completed later"

pends "send 0 bob $HOLD" && later "wait 0; expect 0 0 8 8" && sleeping &&
	act "complete bob 0 8" && wait "$later"
verdict "a sender that sleeps is woken"

pends "send 0 bob $HOLD routine" && act "complete bob -$EIO; expect 0 -$EIO"
verdict "a completion routine learns of it when it was left pending"

mark
act "plays bob nothing" && act "alloc 2 alice 8 8; lookup module_a" && pends "send 2 module_a $HOLD value=5" &&
	act "alloc 3 alice 16 8; send 3 module_a $RELEASE in=16 out=0 value=5; wait 3; expect 3" &&
	act "wait 2; expect 2 0 8 0; free 2; free 3" && no_refusal
verdict "the owner leaves one pending as well"

# Timeout and cancelling

mark
act "plays bob pend-told" && pends "send 0 bob $HOLD trace" && act "wait 0 1; expect 0 -$ETIMEDOUT" && told bob 1 &&
	trace | grep -q "alice: d2d: .* step=cancel req=r[0-9]* from=bob status=-$ETIMEDOUT"
verdict "a sender's time is over"

mark
fails ECANCELED act "complete bob -$EIO" && fails ECANCELED act "complete bob" && no_refusal && act "expect 0 -$ETIMEDOUT"
verdict "whoever completes it then learns that it was taken back, and nobody else"

pends "send 0 bob $HOLD" && act "complete bob 0 3; wait 0 0; expect 0 0 8 3"
verdict "no time at all is enough for a request that is completed"

mark
pends "send 0 bob $HOLD trace" && act "cancel 0; wait 0; expect 0 -$ECANCELED" && told bob 1 && no_refusal &&
	fails ECANCELED act "complete bob -$EIO"
verdict "cancelled, and the receiver is told"

mark
act "plays bob pend" && pends "send 0 bob $HOLD" && act "cancel 0; wait 0; expect 0 -$ECANCELED" && told bob 0 &&
	fails ECANCELED act "complete bob -$EIO" && no_refusal
verdict "cancelled, and the receiver learns of it when it completes the request"

pends "send 0 bob $HOLD" && act "tell bob; cancel 0" && told bob 1 && fails ECANCELED act "complete bob -$EIO"
verdict "a receiver wants to be told later than it has left the request pending"

pends "send 0 bob $HOLD" && act "cancel 0" && fails ECANCELED act "tell bob" && fails ECANCELED act "complete bob -$EIO"
verdict "a receiver wants to be told too late"

mark
act "plays bob pend-told" && pends "send 0 bob $HOLD" && act "cancel 0" && fails EALREADY act "cancel 0" && told bob 1 &&
	fails ECANCELED act "complete bob -$EIO" && no_refusal
verdict "cancelled twice"

act "plays bob answer; send 0 bob" && fails EALREADY act "cancel 0" && act "wait 0; expect 0 0 8 42"
verdict "cancelled when it is completed"

mark
act "plays bob pend-told" && pends "send 0 bob $HOLD routine" && act "cancel 0; expect 0 -$ECANCELED" && told bob 1 &&
	fails ECANCELED act "complete bob -$EIO"
verdict "a completion routine learns of it when it is cancelled"

mark
pends "send 0 bob $HOLD" && act "free 0" && told bob 1 && no_refusal && fails ESTALE act "wait 0" &&
	refused module_a stale-request && fails ECANCELED act "complete bob -$EIO"
verdict "freed while it is on its way"

mark
act "alloc 0 alice" && pends "send 0 bob $HOLD" && later "wait 0; expect 0 -$ECANCELED" && sleeping &&
	act "cancel 0" && wait "$later" && fails ECANCELED act "complete bob -$EIO"
verdict "cancelled while its sender sleeps"

# Several threads and one request

mark
act "alloc 0 alice; plays bob pend" && pends "send 0 bob $HOLD" && later "wait 0; expect 0 0 8 6" && sleeping &&
	one=$later && later "wait 0 60000; expect 0 0 8 6" && sleeping && two=$later &&
	act "complete bob 0 6" && finished "$one" "$two" && no_refusal
verdict "two threads wait, and each of them gets the result"

mark
pends "send 0 bob $HOLD" && later "wait 0; expect 0 -$ETIMEDOUT; ended 0 timed-out" && sleeping &&
	act "wait 0 1; expect 0 -$ETIMEDOUT; ended 0 timed-out" && finished "$later" && fails ECANCELED act "complete bob" && no_refusal
verdict "two threads wait, and the time of one is over: it is for both of them"

mark
pends "send 0 bob $HOLD" && later "wait 0; expect 0 -$ECANCELED; ended 0 cancelled" && sleeping &&
	act "free 0" && finished "$later" && no_refusal && fails ECANCELED act "complete bob" && fails ESTALE act "wait 0" &&
	! grep -q alice /sys/kernel/debug/d2d-module_a/state/requests
verdict "freed while another thread waits, which gets the result"

# A woken thread may not have seen the result yet. Until it has, the request cannot be sent again. The results
# differ by their status: an output could not be read once the request is on its way again.
sent_again()
{
	for error in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		pends "send 0 bob $HOLD out=0" && later "wait 0 60000; expect 0 -$error" && sleeping || return
		! act "complete bob -$error; send 0 bob $HOLD out=0" || return
		if grep -q "^errno=$EINPROGRESS " "$NOTES"; then
			finished "$later" && act "cancel 0" && fails ECANCELED act "complete bob -$error" || return
		else
			grep -q "^errno=$EBUSY " "$NOTES" && finished "$later" || return
		fi
	done
}
mark
act "alloc 0 alice" && sent_again && no_refusal_but request-waited-for
verdict "sent again while another thread waits, which gets its result"

# Refusals that need more than one command

mark
pends "send 0 bob $HOLD" && fails EBUSY act "send 0 bob" && refused module_a request-on-its-way
verdict "sent while it is on its way"
mark
fails EBUSY act "read 0 8" && refused module_a request-on-its-way
verdict "read while it is on its way"
mark
act "complete bob 0 1; wait 0" && fails ESTALE act "again bob" && refused module_a stale-request-handle
verdict "completed twice, and once too late"
mark
act "plays bob twice; send 0 bob; wait 0; expect 0" && fails ESTALE act "inside bob" &&
	refused module_a stale-request-handle
verdict "completed twice by the dispatch routine"
mark
act "plays bob answer; send 0 bob $ADD routine" && fails EINVAL act "wait 0" &&
	refused module_a has-completion-routine
verdict "waited for, with a completion routine"
mark
act "send 0 bob; wait 0" && fails EFAULT act "read 0 8 nowhere" && refused module_a no-buffer
verdict "read to nowhere"
mark
act "ends alice leave; send 0 bob $ADD routine; expect 0 0 8 42" && fails EDEADLK act "inside alice" &&
	refused module_a unregister-from-inside
verdict "unregistered from inside the completion routine"

fresh alice bob carol
act "register dave no-routines; alloc 0 alice; alloc 2 dave"
mark
act "plays dave forward-back bob; send 0 dave; wait 0; expect 0 -$EINVAL" && refused module_a no-return-routine
verdict "to be got back without a routine for it"
mark
act "plays dave pend" && pends "send 0 dave" && fails EINVAL act "tell dave" && refused module_a no-cancel-routine
verdict "to be told of without a routine for it"
mark
act "complete dave; plays bob forward-back carol; regains bob leave; send 0 bob; wait 0; expect 0 0 8 42" &&
	fails EDEADLK act "inside bob" && refused module_a unregister-from-inside
verdict "unregistered from inside the routine for what comes back"

# The tables, whose drivers have no other request than these

fresh alice bob
act "register dave no-routines; alloc 0 alice; alloc 2 dave"
while read -r errno reason command; do
	mark
	# What never was, alice's request that was never sent among it.
	fails "$errno" act "$command" && refused module_a "$reason"
	verdict "$reason: $command"
done <<EOT
$(sender_sins)
EOT
while read -r role status reason; do
	mark
	act "plays bob $role; send 0 bob; wait 0; expect 0 -$(number "$status")" && refused module_a "$reason"
	verdict "$reason: a receiver"
done <<EOT
$(receiver_sins)
EOT
act "plays bob answer; send 0 bob; wait 0; expect 0 0 8 42"
verdict "after all refusals a request is what it was"

# The pair's drivers and one in C, all of which hold contexts

each()
{
	for driver in module_b third_peer c_peer; do
		"$@" "$driver" || return
	done
}
each load
fresh alice bob
act "alloc 0 alice 16 8; alloc 1 alice 16 8; lookup module_a; lookup module_b; lookup third_peer; lookup c_peer"
while read -r driver command; do
	mark
	act "send 0 $driver $command; wait 0; expect 0 -$EMSGSIZE" && ! trace | grep -q request-dropped
	verdict "wrong-buffer-size: $driver $command"
done <<EOT
$(wrong_sizes)
EOT

for driver in module_a module_b third_peer c_peer; do
	mark
	act "send 0 $driver $ADD; wait 0; expect 0 0 8 42; send 0 $driver 0x223ffc; wait 0; expect 0 -$ENOTTY" && no_refusal
	verdict "$driver serves a request, and none that it does not know"

	mark
	pends "send 0 $driver $HOLD value=5" &&
		act "send 1 $driver $RELEASE in=16 out=0 value=6; wait 1; expect 1 -$ENOENT" &&
		act "send 1 $driver $RELEASE in=16 out=0 value=5; wait 1; expect 1; wait 0; expect 0 0 8 0" &&
		no_refusal
	verdict "$driver leaves one pending and completes it"

	act "churn 0 $driver $HOLD 40; send 1 $driver $RELEASE in=16 out=0 value=5; wait 1; expect 1 -$ENOENT"
	verdict "$driver forgets what was cancelled"

	act "alloc 2 bob" && pends "send 2 $driver $HOLD value=5" && act "unregister bob; register bob" &&
		act "send 1 $driver $RELEASE in=16 out=0 value=5; wait 1; expect 1 -$ENOENT"
	verdict "$driver forgets what it has from a sender that leaves"
done

for driver in module_b third_peer c_peer; do
	mark
	pends "send 0 $driver $HOLD trace" && unload "$driver" && act "wait 0; expect 0 -$ECANCELED" && no_refusal &&
		load "$driver" && fails ESTALE act "send 0 $driver" && refused module_a stale-target &&
		act "lookup $driver; send 0 $driver; wait 0; expect 0 0 8 42"
	verdict "$driver is removed with a request pending, and is another one when it is loaded again"
done
each unload

# Contexts of execution

fresh alice bob+ carol
act "alloc 0 alice; plays bob answer"
for place in task worker softirq hardirq; do
	in=in\ $place
	[ $place != task ] || in=
	kind=$place
	[ $place != worker ] || kind=task
	mark
	act "$in send 0 bob $ADD atomic trace; wait 0; expect 0 0 8 42" && did bob dispatch $kind && did bob complete $kind
	verdict "sent from $place to a driver that never sleeps: inline"

	mark
	sent "$in send 0 carol $ADD atomic trace" && act "wait 0; expect 0 0 8 42" && did carol dispatch task &&
		did alice call-driver $kind
	verdict "sent from $place to a driver that may sleep: from a worker"

	mark
	act "plays bob pend-told" && pends "send 0 bob $HOLD routine trace" &&
		act "$in complete bob 0 7; expect 0 0 8 7" && did bob complete $kind && did alice completion $kind
	verdict "completed from $place"

	mark
	pends "send 0 bob $HOLD" && act "$in cancel 0; wait 0; expect 0 -$ECANCELED" && did bob cancel $kind &&
		fails ECANCELED act "$in complete bob -$EIO"
	verdict "cancelled from $place"

	mark
	pends "send 0 bob $HOLD trace" && act "register dave atomic" && sent "$in forward bob dave $ADD back" &&
		act "wait 0; expect 0 0 8 42" && did dave dispatch $kind && did bob completion $kind
	verdict "forwarded from $place, and got back"
	act "unregister dave; plays bob answer"
done

# Chains

fresh alice bob+ carol+ dave+ erin+ frank+
act "alloc 0 alice; plays bob forward-back carol; plays carol forward-back dave; plays dave forward-back erin"
mark
act "send 0 bob $ADD trace; wait 0; expect 0 0 8 42" && no_refusal &&
	who_did alice:build-request alice:call-driver bob:dispatch bob:call-driver carol:dispatch \
		carol:call-driver dave:dispatch dave:call-driver erin:dispatch erin:complete \
		dave:completion carol:completion bob:completion alice:completion
verdict "four drivers, one below the other"

mark
act "plays erin forward-back frank; send 0 bob; wait 0; expect 0 -$E2BIG" && refused module_a no-stack-location &&
	regained dave "-$E2BIG" 1 && regained carol "-$E2BIG" 1 && regained bob "-$E2BIG" 1
verdict "no stack location is left for a fifth one"

mark
act "plays carol forward dave; plays dave forward erin; plays erin answer; send 0 bob $ADD; wait 0; expect 0 0 8 42" &&
	regained bob 0 1 && regained carol 0 0 && regained dave 0 0
verdict "some of them do not want it back"

mark
act "plays carol refuse; regains bob anew; send 0 bob $ADD trace; wait 0; expect 0 -$EPERM" &&
	regained bob "-$EPERM" 2 && [ "$(trace | grep -c 'carol: d2d: .* step=dispatch')" = 2 ]
verdict "forwarded anew when it came back"

mark
act "plays carol refuse; regains bob keep" && pends "send 0 bob $ADD trace" && regained bob "-$EPERM" 1 &&
	act "complete bob 0 9; wait 0; expect 0 0 8 9"
verdict "kept pending when it came back, and completed otherwise later"

act "regains bob keep; plays carol pend-told" && pends "send 0 bob $HOLD"
mark
act "complete carol 0 6" && regained bob 0 1 && act "tell bob; cancel 0; wait 0; expect 0 -$ECANCELED" && told bob 1 &&
	fails ECANCELED act "complete bob -$EIO"
verdict "kept pending when it came back, and cancelled then"

mark
act "regains bob as-is; plays bob forward-back carol; plays carol pend-told" && pends "send 0 bob $HOLD" &&
	act "cancel 0; wait 0; expect 0 -$ECANCELED" && told carol 1 && regained bob "-$ECANCELED" 1 && fails ECANCELED act "complete carol -$EIO"
verdict "cancelled when it is with the second of two: both learn of it"

mark
pends "send 0 bob $HOLD" && act "wait 0 1; expect 0 -$ETIMEDOUT" && told carol 1 && regained bob "-$ETIMEDOUT" 1 &&
	fails ECANCELED act "complete carol -$EIO"
verdict "a sender's time is over when it is with the second of two"

mark
pends "send 0 bob $HOLD" && act "unregister bob; wait 0; expect 0 -$ECANCELED" && told carol 1 &&
	fails ECANCELED act "complete carol -$EIO"
verdict "the first of two leaves: the second is told"

mark
act "register bob atomic; plays bob forward-back carol; regains bob keep" && pends "send 0 bob $HOLD" &&
	act "unregister carol" && regained bob "-$ECANCELED" 1 && act "complete bob 0 4; wait 0; expect 0 0 8 4"
verdict "the second of two leaves: the first decides what becomes of the request"

mark
act "plays bob pend" && pends "send 0 bob $HOLD" && fails ESTALE act "forward bob carol" && refused module_a stale-target &&
	act "lookup dave; plays dave answer"
verdict "forwarded to who has left"

# Chains of modules: in Rust, in C, and mixed. RELAY-NEXT LAST
fresh alice bob+
act "alloc 0 alice; alloc 1 alice; lookup module_a"
each load
while read -r next driver; do
	load relay_peer "next=$next"
	mark
	act "lookup relay_peer; send 0 relay_peer $ADD trace; wait 0; expect 0 0 8 42" && no_refusal && regained relay_peer 0 1 &&
		{
			[ "$driver" = bob ] ||
				trace | grep -q "$driver: d2d: .* step=complete"
		}
	verdict "alice, relay_peer, $driver: got back"

	mark
	case $driver in
	module_a) exercise module_a ;;
	bob) : ;;
	*)
		exercise module_a && no_refusal_but unknown-event && regained relay_peer "-$ECANCELED" 4 &&
			trace | grep -q 'module_a: d2d: .* in=hardirq step=call-driver .*to=relay_peer' &&
			trace | grep -q "relay_peer: d2d: .* in=hardirq step=call-driver .*to=$driver"
		;;
	esac
	verdict "module_a, relay_peer, $driver: in each context, completed, pending and cancelled"
	unload relay_peer
done <<EOT
0 module_a
1 module_b
2 third_peer
3 c_peer
5 bob
EOT

load relay_peer next=3 mode=1
mark
act "lookup relay_peer; send 0 relay_peer $ADD trace; wait 0; expect 0 0 8 42" && no_refusal &&
	who_did alice:build-request alice:call-driver relay_peer:dispatch relay_peer:call-driver \
		c_peer:dispatch c_peer:complete alice:completion
verdict "alice, relay_peer, c_peer: not wanted back"
unload relay_peer

load relay_peer next=1
mark
act "lookup relay_peer; plays bob forward-back relay_peer; send 0 bob $ADD trace; wait 0; expect 0 0 8 42" && no_refusal &&
	who_did alice:build-request alice:call-driver bob:dispatch bob:call-driver relay_peer:dispatch \
		relay_peer:call-driver module_b:dispatch module_b:complete relay_peer:completion \
		relay_peer:complete bob:completion alice:completion
verdict "alice, bob, relay_peer, module_b: got back by both"
unload relay_peer

load relay_peer next=2 mode=2
mark
act "lookup relay_peer" && pends "send 0 relay_peer $ADD trace" && regained relay_peer 0 1 &&
	act "send 1 relay_peer $LET_GO in=0 out=0; wait 1; expect 1; wait 0; expect 0 0 8 42" && no_refusal
verdict "alice, relay_peer, third_peer: got back, kept pending, and completed later"

mark
pends "send 0 relay_peer $ADD" && act "cancel 0; wait 0; expect 0 -$ECANCELED" && told relay_peer 1 &&
	act "send 1 relay_peer $LET_GO in=0 out=0; wait 1; expect 1 -$ENOENT" && no_refusal
verdict "alice, relay_peer, third_peer: got back, kept pending, and cancelled"

mark
pends "send 0 relay_peer $ADD" && unload relay_peer && act "wait 0; expect 0 -$ECANCELED" && no_refusal
verdict "alice, relay_peer, third_peer: got back, kept pending, and the module is removed"

load relay_peer next=4 mode=1
mark
act "lookup relay_peer; send 0 relay_peer $ADD trace; wait 0; expect 0 -$E2BIG" && refused module_a no-stack-location &&
	[ "$(trace | grep -c 'relay_peer: d2d: .* step=dispatch')" = 4 ]
verdict "alice, and relay_peer four times: no stack location is left"
unload relay_peer
load relay_peer next=4 mode=0
mark
act "lookup relay_peer; send 0 relay_peer $ADD trace; wait 0; expect 0 -$E2BIG" && refused module_a no-stack-location &&
	[ "$(trace | grep -c 'relay_peer: d2d: .* step=completion .*via=returned')" = 3 ]
verdict "the same, and each of them gets it back: going up takes no more stack"
unload relay_peer
each unload

# How a request has ended: by whom, whatever the status is

fresh alice bob carol
act "alloc 0 alice; plays bob pend; plays carol pend"
while read -r name; do
	mark
	pends "send 0 bob $HOLD" && status=-$(number "$name") &&
		act "complete bob $status; wait 0; expect 0 $status; ended 0 completed" && no_refusal
	verdict "ended by the receiver with -$name"
done <<EOT
ECANCELED
ETIMEDOUT
ESHUTDOWN
EIO
EOT
pends "send 0 bob $HOLD" && act "cancel 0; wait 0; expect 0 -$ECANCELED; ended 0 cancelled"
verdict "ended by being cancelled"
pends "send 0 bob $HOLD" && act "wait 0 1; expect 0 -$ETIMEDOUT; ended 0 timed-out"
verdict "ended by the time of who waits"
pends "send 0 bob $HOLD routine" && act "unregister bob; register bob; expect 0 -$ECANCELED; ended 0 left"
verdict "ended by a receiver that leaves"
act "plays bob nothing; send 0 bob; wait 0; expect 0 -$EIO; ended 0 not-completed"
verdict "ended without being completed"
act "plays bob forward-back carol" && pends "send 0 bob $HOLD" &&
	act "unregister carol; wait 0; expect 0 -$ECANCELED; ended 0 left; register carol; plays carol pend"
verdict "ended by the second of two that leaves, and the first passes that on"
act "regains bob keep" && pends "send 0 bob $HOLD" &&
	act "unregister carol; complete bob -$EIO; wait 0; expect 0 -$EIO; ended 0 completed; register carol; plays carol pend"
verdict "ended by the first of two, otherwise than by the second that leaves"

# While a request is being given back to a driver that has forwarded it

fresh alice bob carol
act "alloc 0 alice; plays bob forward-back carol; plays carol pend; regains bob hold"

# given_back MS - $completer is giving the request back, and $waiter waits for it, at most so many
# milliseconds
given_back()
{
	hold task
	pends "send 0 bob $HOLD" && later "wait 0 $1; expect 0 -$ECANCELED; ended 0 cancelled" && waiter=$later && sleeping &&
		later "complete carol 0 1" && completer=$later && await one_inside
}

for ms in 0xffffffff 60000; do
	mark
	given_back "$ms" && later "unregister alice" && await fails ESHUTDOWN act "alloc 1 alice; free 1" && one_inside
	verdict "given back, its sender leaves, whose thread waits $ms ms: nobody goes before it is there"
	hold none
	finished "$later" "$waiter" "$completer" && no_refusal_but driver-is-leaving &&
		[ "$(cat /sys/kernel/debug/d2d-module_a/state/requests)" = "" ] && act "register alice; alloc 0 alice"
	verdict "and then all come to an end"
done

mark
given_back 60000 && act "cancel 0" && fails EINPROGRESS act "wait 0 1" && one_inside && fails EALREADY act "cancel 0" && no_refusal
verdict "given back, and a wait is over by its limit all the same"
hold none
finished "$waiter" "$completer" && act "wait 0; expect 0 -$ECANCELED; ended 0 cancelled"
verdict "and there is a result when it is there"

while read -r what reason; do
	mark
	act "regains bob $what" && pends "send 0 bob $HOLD" && act "complete carol 0 5; wait 0; expect 0 0 8 5" &&
		fails EDEADLK act "inside bob" && refused module_a "$reason" && act "alloc 1 alice; free 1"
	verdict "$reason: from the routine for what comes back"
done <<EOT
wait wait-from-inside
remove unregister-from-inside
EOT

act "plays bob pend; regains bob as-is" && pends "send 0 bob $HOLD"
for place in softirq hardirq irqs-off; do
	mark
	fails EDEADLK act "in $place wait 0" && refused module_a wait-in-atomic-context && fails EDEADLK act "in $place wait 0 0"
	verdict "wait-in-atomic-context: $place"
done
# Bob still has the request after a forward that was refused.
act "alloc 1 alice"
for place in softirq hardirq irqs-off; do
	mark
	fails EDEADLK act "in $place send 1 bob" && refused module_a send-in-atomic-context && fails EDEADLK act "in $place forward bob carol"
	verdict "send-in-atomic-context: $place"
done
act "complete bob 0 2" && for place in softirq hardirq irqs-off; do
	act "in $place wait 0; expect 0 0 8 2" || break
done
verdict "what is completed is no matter of waiting"

# Comings and goings

fresh alice bob
act "alloc 0 alice; alloc 1 alice; alloc 2 bob"
mark
act "plays bob pend" && pends "send 0 bob $HOLD" && act "unregister bob; wait 0; expect 0 -$ECANCELED" &&
	fails ECANCELED act "complete bob -$EIO" && no_refusal
verdict "a driver leaves without completing what it has"

act "register bob; alloc 2 bob; plays bob hold"
hold task
mark
later "send 0 bob; wait 0; expect 0 -$ECANCELED"
sender=$later
await one_inside && later "unregister bob" && await fails ESHUTDOWN act "alloc 3 bob; free 3" && one_inside
verdict "a driver is not let go while somebody is inside its dispatch routine"

mark
fails ESHUTDOWN act "send 1 bob" && refused module_a target-is-leaving
verdict "sent to a driver that is leaving"
mark
fails ESHUTDOWN act "send 2 alice" && refused module_a driver-is-leaving
verdict "sent by a driver that is leaving"
mark
fails EALREADY act "unregister bob" && refused module_a already-unregistering
verdict "unregistered while it is leaving"
hold none
wait "$later" && wait "$sender"
verdict "it is let go when the call returns, and the request was taken back"

act "register alice; alloc 0 alice"
hold handshake
load held_peer deferred=1 && await one_inside && act "lookup held_peer; send 0 held_peer; wait 0; expect 0 0 8 42" && one_inside
verdict "served before the handshake is completed"
hold none
unload held_peer

act "plays alice answer"
unload actor
unload hold_calls
unload module_a
ktap_finished
