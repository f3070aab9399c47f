# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# act tells drivers of the module actor (peers/actor/) to send, receive, complete and cancel requests. d2d_lib.sh
# sources this file.
# shellcheck disable=SC2034 # the programs use the variables
#
#   act "COMMAND[; COMMAND...]"
#
# The commands run in order. If one fails, act skips the others, writes the errno to $NOTES, and fails. An example:
#
#   fresh alice bob
#   act "on-dispatch bob answer; send r0 bob $CODE_ADD; wait r0; expect r0 output=42"
#
# fresh registers the actors alice and bob, and allocates alice's request r0. The input of `send` is 41 by default.
#
# NAME and TO are actors or, after `lookup`, drivers of other modules, such as module_a. rN is one of the requests r0 to
# r7. CODE is a control code. The words after "Mistakes" make a call wrong: name=null passes NULL as the name.
#
# Any command
#   in PLACE COMMAND                 runs the command in a worker, in softirq or hardirq, or with interrupts
#                                    disabled (irqs-off)
# Drivers
#   reset                            unregisters all actors, and empties the tables of drivers and requests
#   register NAME [OPTION...]        registers a driver object, and looks it up
#       atomic                       its dispatch routine does not sleep (D2D_DISPATCH_ATOMIC)
#       no-routines                  it has no routine other than dispatch
#       Mistakes: unknown-flag; returned-outside, completed-outside, cancelled-outside (the routine's address is not
#       in a module's text)
#   unregister NAME
#   attach NAME                      asks the owner for a context
#   detach NAME                      gives the context back
#   lookup NAME                      gets the handle for sending to NAME. Mistakes: name=null, handle=null
#   forge-handle NAME                computes the handle that d2d_register() gave NAME, a driver of another
#                                    module. Then detach and unregister can act on NAME
# What a driver's routines do
#   on-dispatch NAME ACTION [TO [CODE]]
#       answer                       completes the request; the output is the input + 1 (default)
#       refuse                       completes it with -EPERM
#       pend                         pends it
#       pend-with-cancel             does what set-cancel does (see below), and pends it
#       forward                      forwards it to TO with CODE; without CODE, with the request's code
#       forward-back                 as forward, and NAME wants the request back (see on-returned)
#       pause                        if the case has called pause() (below), waits for resume(); then answers
#       answer-and-pause             answers; then waits as pause does
#       ask                          sends a new request to TO, waits for it, and completes the received request with
#                                    the status of the new one
#       omit-completion              returns 0 without completing the request
#       bad-status                   completes it with the status 1
#       complete-twice               completes it twice
#       unregister, detach           tries this on NAME, and completes the request with the errno of the refusal
#       read-too-much, write-too-much, write-bad-pointer
#                                    tries to read or write one byte too many, or to write from a bad pointer; then
#                                    completes the request with the errno of the refusal
#   on-returned NAME ACTION          when a request that NAME has forwarded comes back
#       pass-up                      completes it with the same status (default)
#       pend                         keeps it pending
#       forward-again                forwards it to the same driver once more
#       pause                        waits as pause of on-dispatch does; then does what pass-up does
#       unregister, unregister-oldest, wait-for-r0
#                                    tries to unregister NAME or the driver that was registered first, or to wait for
#                                    r0; then does what pass-up does
#   on-completed NAME ACTION         in NAME's completion routine
#       keep                         keeps the request (default)
#       free                         lets the owner free the request
#       unregister                   tries to unregister NAME
#   errno-inside NAME                fails with the errno, if any, that a routine of NAME got from unregister,
#                                    unregister-oldest or wait-for-r0, or for the second completion of complete-twice
# The sender
#   alloc rN NAME [in=BYTES] [out=BYTES]
#                                    allocates a request of NAME, with room for input and output (default: 8 bytes).
#                                    Mistakes: handle=null
#   alloc-until-refused NAME         allocates requests until the owner refuses one. Frees them, and fails with the
#                                    errno of the refusal
#   send rN TO [CODE] [OPTION...]    sends the request; CODE is CODE_ADD by default
#       routine, atomic, trace       the flags D2D_SEND_ROUTINE, D2D_SEND_ATOMIC, D2D_SEND_TRACE
#       value=N                      the input; the default is 41
#       in=BYTES, out=BYTES          the sizes of input and output; the default is 8 each
#       Mistakes: input=ADDRESS, descriptor=ADDRESS (of struct d2d_send), bad-magic, bad-size, bad-major,
#       bad-layout, unknown-function, unknown-flag, reserved, stale-handle
#   send-and-cancel rN TO CODE TIMES
#                                    sends and cancels the request TIMES times; TO must pend it each time
#   wait rN [timeout=MS]             waits for the result, by default without a limit. Mistakes: result=null
#   expect rN [status=S] [output=N] [ended=HOW]
#                                    checks the result that a wait or the completion routine has stored. By default,
#                                    it must have status 0 and no output. HOW is what must have ended the request:
#                                    completed, cancelled, timed-out, left (the receiver has unregistered) or
#                                    not-completed (see omit-completion)
#   cancel rN, free rN
#   read rN BYTES                    reads the output. Mistakes: buffer=null
# The receiver; each command but complete-again acts on the oldest request that NAME has pended
#   complete NAME [status=S|output=N]
#                                    completes the request, by default with status 0 and the output 0. With another
#                                    status there is no output
#   complete-again NAME              calls d2d_complete() once more for the request that NAME completed last
#   set-cancel NAME                  asks the owner to call NAME's routine `cancelled` if the request is cancelled
#   forward NAME TO [CODE [back]]    forwards the request; with "back", NAME wants it back

# Control codes of the pair (d2d_pair.h). module_a and its peers complete a request with CODE_ADD at once: the output is
# the input plus 1. They pend a request with CODE_PEND, whose input is a key. If they get a request with CODE_COMPLETE,
# whose input (in=16) begins with this key, they complete both requests. An actor ignores the code.
CODE_ADD=0x222004
CODE_PEND=0x222008
CODE_COMPLETE=0x22200c

ACTOR=/sys/kernel/debug/d2d-actor/do
PAUSES=/sys/module/pause_calls/parameters

act()
{
	write_to "$ACTOR" "$*"
}

# act_in_background COMMAND... - as act, in the process $background
act_in_background()
{
	./one_call write "$ACTOR" "$*" 2>/dev/null &
	background=$!
}

# act_pends COMMAND... - as act; succeeds if the last command sends a request, and the receiver pends it
act_pends()
{
	fails EINPROGRESS act "$@"
}

# fresh NAME... - unregisters all actors, and registers these. NAME+ gives the actor NAME the option atomic. Allocates
# r0 for the first actor
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

# pause PLACE - makes pause_calls pause calls inside the drivers of the modules actor, forgetful, stranger and
# paused_peer. PLACE is the execution context of these calls (task, softirq or hardirq). With PLACE handshake, a driver
# pauses before it completes its handshake
pause()
{
	echo "$1" >"$PAUSES/pause"
}

# resume - lets the paused calls go on, and pauses no more calls
resume()
{
	echo none >"$PAUSES/pause"
}

# one_inside - succeeds if exactly one call is paused, and no call has gone on because of pause_calls' time limit
one_inside()
{
	[ "$(cat "$PAUSES/inside" "$PAUSES/timed_out" | xargs)" = "1 0" ]
}
