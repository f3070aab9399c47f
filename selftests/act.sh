# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# The function act tells actors what to do. An actor is a driver that sends, receives, completes and
# cancels requests when the test tells it to. The module actor (peers/actor/) contains the actors. d2d_lib.sh
# sources this file.
# shellcheck disable=SC2034 # the programs use the variables
#
#   act "COMMAND[; COMMAND...]"
#
# The commands run in order. If a command fails, act runs no further command, writes the errno to $NOTES
# and fails. So `fails ERRNO act "..."` can check the errno. For example:
#
#   fresh alice bob
#   act "on-dispatch bob answer; send r0 bob $CODE_ADD; wait r0; expect r0 output=42"
#
# The function fresh registers the actors alice and bob, and allocates alice's request r0. Then alice sends r0 to
# bob with the default input, 41, and bob completes it with the output 42.
#
# NAME and TO name drivers: an actor or, after `lookup`, a driver of another module, such as module_a.
# rN is one of the requests r0 to r7. CODE is a control code. In the list below, the words after the label
# "Mistake" or "Mistakes" make the call wrong on purpose: name=null, for example, passes NULL as the name.
#
# Any command
#   in PLACE COMMAND                 runs the command in a worker, in softirq or hardirq, or with interrupts
#                                    disabled (irqs-off)
# Drivers
#   reset                            unregisters all actors, and empties the tables of drivers and requests
#   register NAME [OPTION...]        registers a driver object, and looks it up
#       atomic                       its dispatch routine does not sleep (D2D_DISPATCH_ATOMIC)
#       no-routines                  its driver object has no routine other than dispatch
#       Mistakes: unknown-flag; returned-outside, completed-outside, cancelled-outside (the address of the routine
#       `returned`, `completed` or `cancelled` is not in a module's text)
#   unregister NAME
#   attach NAME                      asks the owner for a context
#   detach NAME                      gives the context back
#   lookup NAME                      gets the handle for sending to NAME. Mistakes: name=null, handle=null
#   forge-handle NAME                computes the handle that d2d_register() has returned to NAME, a driver of
#                                    another module. The commands detach and unregister can then act on NAME
# What a driver's routines do
#   on-dispatch NAME ACTION [TO [CODE]]
#                                    what NAME does in its dispatch routine
#       answer                       completes the request with its input + 1 (default)
#       refuse                       completes it with -EPERM
#       pend                         pends it
#       pend-with-cancel             pends it, and asks the owner to call NAME's routine `cancelled`
#       forward                      forwards it to TO with CODE; without CODE, with the request's code
#       forward-back                 as forward, and NAME wants the request back (see on-returned)
#       pause                        waits if the test has called the function pause (below) for the routine's execution
#                                    context. Goes on when the test calls the function resume (below), and does what
#                                    answer does
#       answer-and-pause             does what answer does; then waits as pause does
#       ask                          sends TO a request of its own and waits for it; then completes
#                                    the request that it received
#       omit-completion              returns 0 without completing the request
#       bad-status                   completes it with the status 1
#       complete-twice               completes it twice
#       unregister, detach           tries to unregister or detach itself. The owner refuses this with an errno. NAME
#                                    completes the request with this errno
#       read-too-much, write-too-much, write-bad-pointer
#                                    reads or writes one byte too many, or passes a bad pointer to d2d_request_write().
#                                    The owner refuses this, too, and NAME completes the request with the errno
#   on-returned NAME ACTION          what NAME does when a request that it has forwarded comes back
#       pass-up                      completes it with the same status (default)
#       pend                         keeps it pending
#       forward-again                forwards it to the same driver once more
#       pause                        waits as pause of on-dispatch does; then does what pass-up does
#       unregister                   tries to unregister itself
#       unregister-oldest            tries to unregister the driver that was registered first
#       wait-for-r0                  tries to wait for r0
#   on-completed NAME ACTION         what NAME does in its completion routine
#       keep                         keeps the request (default)
#       free                         lets the owner free the request
#       unregister                   tries to unregister itself
#   errno-inside NAME                tells the result of a call that a routine of NAME has tried: fails with the errno
#                                    of the call, or succeeds if the call has succeeded. The call is that of the action
#                                    "unregister", "unregister-oldest" or "wait-for-r0" (on-returned, on-completed), or
#                                    the second completion of the action "complete-twice"
# The sender
#   alloc rN NAME [in=BYTES] [out=BYTES]
#                                    allocates a request of NAME, with room for input and output of these sizes.
#                                    The default is 8 bytes each. Mistake: handle=null
#   alloc-until-refused NAME         allocates requests of NAME until the owner refuses one. Then frees them all, and
#                                    fails with the errno of the refusal
#   send rN TO [CODE] [OPTION...]    sends the request. The default code is CODE_ADD
#       routine, atomic, trace       the flags D2D_SEND_ROUTINE, D2D_SEND_ATOMIC, D2D_SEND_TRACE
#       value=N                      the input; the default is 41
#       in=BYTES, out=BYTES          the sizes of input and output; the default is 8 each
#       Mistakes: input=ADDRESS, descriptor=ADDRESS (of struct d2d_send), bad-magic, bad-size, bad-major,
#       bad-layout, unknown-function, unknown-flag, reserved, stale-handle
#   send-and-cancel rN TO CODE TIMES
#                                    sends and cancels the request TIMES times; TO must pend it each time
#   wait rN [timeout=MS]             waits for the result, by default without a limit. Mistake: result=null
#   expect rN [status=S] [output=N] [ended=HOW]
#                                    checks the result that a wait or the completion routine has stored. The
#                                    default is status 0 and no output. HOW is what has ended the request:
#                                    completed, cancelled, timed-out, left (the receiver has unregistered) or
#                                    not-completed. Without ended=, this may be any of them
#   cancel rN, free rN
#   read rN BYTES                    reads the output. Mistake: buffer=null
# The receiver
#   complete NAME [status=S|output=N]
#                                    completes the oldest request that NAME has pended. The default is
#                                    status 0 and the output 0. A request with another status has no output
#   complete-again NAME              calls d2d_complete() once more for the request that NAME completed
#                                    last
#   set-cancel NAME                  asks the owner to call NAME's routine `cancelled` if the oldest request that NAME
#                                    has pended is cancelled
#   forward NAME TO [CODE [back]]    forwards the oldest request that NAME has pended; with "back", NAME wants it back

# Control codes of the pair's interface (d2d_pair.h). module_a and its peers complete a request that has the code
# CODE_ADD at once: its output is its input plus 1. They pend a request that has the code CODE_PEND; its input is a key.
# When they then get a request that has the code CODE_COMPLETE and an input (in=16) that begins with the same key, they
# complete both requests. An actor ignores the code, and does what on-dispatch says.
CODE_ADD=0x222004
CODE_PEND=0x222008
CODE_COMPLETE=0x22200c

ACTOR=/sys/kernel/debug/d2d-actor/do
PAUSES=/sys/module/pause_calls/parameters

act()
{
	write_to "$ACTOR" "$*"
}

# act_in_background COMMAND... - as act, but in the background; $background is the ID of the process
act_in_background()
{
	./one_call write "$ACTOR" "$*" 2>/dev/null &
	background=$!
}

# act_pends COMMAND... - as act; the last command sends a request. Succeeds if the send fails with EINPROGRESS, because
# the receiver has pended the request
act_pends()
{
	fails EINPROGRESS act "$@"
}

# fresh NAME... - unregisters all actors, and registers new ones with these names. For NAME+, the name is NAME, and the
# actor has the option atomic. Allocates r0 for the first actor, and begins a new trace
fresh()
{
	commands=reset
	for actor; do
		case $actor in
		*+) commands="$commands; register ${actor%+} atomic" ;;
		*) commands="$commands; register $actor" ;;
		esac
	done
	loaded actor || load actor || return
	act "$commands; alloc r0 ${1%+}"
	reset_trace
}

# pause PLACE - tells the module pause_calls to pause calls inside the drivers of the modules actor, forgetful, stranger
# and paused_peer, until the test calls the function resume. If PLACE is task, softirq or hardirq, pause_calls pauses an
# operation or a routine that runs in this execution context. If PLACE is handshake, pause_calls pauses a driver that is
# about to complete its handshake
pause()
{
	echo "$1" >"$PAUSES/pause"
}

# resume - tells pause_calls to let the paused calls go on, and to pause no more calls
resume()
{
	echo none >"$PAUSES/pause"
}

# one_inside - succeeds if exactly one call is paused, and pause_calls has let no call go on because of its time limit
one_inside()
{
	[ "$(cat "$PAUSES/inside" "$PAUSES/timed_out" | xargs)" = "1 0" ]
}
