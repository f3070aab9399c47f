# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# event_act makes the drivers of torture_owner and torture_peer0 use events and the doorbells of their queues.
# torture/event_commands.rs executes the commands. d2d_lib.sh sources this file.
#
#   event_act MODULE COMMAND
#
# If the command fails, its errno goes to $NOTES. Each driver has slots of its own for handles of events; SLOT is the
# number of a slot. In this example, the owner creates an event in slot 0. The peer opens it in slot 5, and waits:
#
#   event_act torture_owner create 0 ready synchronization
#   event_act torture_peer0 open 5 ready synchronization
#   event_act_in_background torture_peer0 wait any 5
#   event_act torture_owner set 0 in=hardirq && wait "$background"
#
# KIND is notification or synchronization. PLACE is task (the default), worker, softirq or hardirq.
#   create SLOT NAME KIND [set]      opens the event NAME if it exists; otherwise creates it, by default not set
#   open SLOT NAME KIND              opens an event that exists
#   close SLOT
#   set SLOT [in=PLACE] [was=set|was=reset]
#                                    sets the event; with was=, fails unless the event was in this state
#   reset SLOT [in=PLACE]
#   query SLOT is=set|is=reset [in=PLACE]
#                                    fails unless the event is in this state
#   wait any|all SLOT... [in=PLACE] [timeout=MS] [interruptible]
#                                    waits, by default without a limit; with interruptible, a signal ends the wait
#   on-set SLOT worker|softirq|timer|thread RAN [HOLD]
#                                    makes a job the handler of the event: a work item (in a worker or in softirq), a
#                                    timer (in hardirq) or a thread. Each run sets the event in the slot RAN, and then
#                                    waits for the event in the slot HOLD, if there is one
#   no-on-set SLOT                   removes the handler
#   doorbell SLOT                    makes the event the doorbell of the queue that the driver takes from
#   no-doorbell                      removes this doorbell
#   put COUNT [in=PLACE]             puts items on the queue to the other side
#   take MOST                        takes up to MOST items
#   create-many COUNT                creates COUNT events, many0 and so on
#   close-many                       closes these events

# event_words MODULE COMMAND - sets $words to what the module's control device takes for this command
event_words()
{
	words=event
	# The owner has slots for each context. The tests use those of context 0.
	[ "$1" != torture_owner ] || words="event 0"
	shift
	words="$words $*"
}

event_act()
{
	event_words "$@"
	write_to "/dev/$1" "$words"
}

# event_act_in_background MODULE COMMAND - as event_act, in the process $background
event_act_in_background()
{
	event_words "$@"
	./one_call write "/dev/$1" "$words" 2>/dev/null &
	# shellcheck disable=SC2034 # the programs use it
	background=$!
}
