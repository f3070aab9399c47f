#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Two drivers lend each other memory: the owner (lender) lends a ring, and the peer (borrower) lends counters. To make a
# driver use lent memory, a case writes a number to its device:
#
#   /dev/borrower   1  the peer uses the owner's ring
#                   2  the owner uses the peer's counters
#                   3  the peer asks for counters, but the owner lends a ring
#                   4  the owner asks for a ring, but the peer lends counters
#                   5  for each counter, the peer sends the owner a request whose user_buffer points to the counter
#                   6  the peer sends c_borrower a request whose user_buffer points to a counter
#   /dev/c_borrower 1  this peer, which is in C, uses the owner's ring
#   /dev/lender     1  the owner gets the peer's counters, and uses them
#                   2  the owner gets the peer's counters, waits until a process writes 3, and then uses them
#                   4  the owner in Rust sends the peer a request whose user_buffer points to its ring
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

EVENTS=/sys/kernel/debug/d2d-lender/state/events
CONTEXTS=/sys/kernel/debug/d2d-lender/state/contexts

fresh_lender()
{
	unload_all
	reset_trace
	load lender
}

fresh_borrower()
{
	fresh_lender
	load borrower "$@"
}

fresh_c_lender()
{
	unload_all
	reset_trace
	load c_lender
}

refuses_nothing()
{
	! traced step=refuse
}

waits_for_the_owner()
{
	kill -0 "$1" && grep -q state=detaching "$CONTEXTS"
}

begin 38
fresh_borrower
write_to /dev/borrower 1 && write_to /dev/borrower 1 && refuses_nothing
verdict "the peer uses the owner's memory, in each execution context"

fresh_borrower
write_to /dev/borrower 2 && write_to /dev/borrower 2 && refuses_nothing
verdict "the owner uses the peer's memory, in each execution context"

# KASAN notices if the library has freed the memory.
fresh_borrower keeps=0
write_to /dev/lender 1 && write_to /dev/lender 1 && refuses_nothing && unload borrower
verdict "the peer drops its reference to the memory that it lends: the library keeps the memory"

fresh_borrower
fails EPROTOTYPE write_to /dev/borrower 3 && only_refusal_is borrower other-lent-type EPROTOTYPE
verdict "the peer wants another type than the owner lends: other-lent-type, EPROTOTYPE"

fresh_borrower
fails EPROTOTYPE write_to /dev/borrower 4 && only_refusal_is lender other-lent-type EPROTOTYPE
verdict "the owner wants another type than the peer lends: other-lent-type, EPROTOTYPE"

fresh_lender
load c_borrower && refuses_nothing && unload c_borrower
verdict "an owner in Rust and a peer in C use each other's memory; the owner finds a counter by the user_buffer of a request"

fresh_c_lender
load borrower && write_to /dev/borrower 1 && write_to /dev/borrower 2 && write_to /dev/borrower 1 && write_to /dev/borrower 2 && refuses_nothing
verdict "an owner in C and a peer in Rust use each other's memory"

fresh_c_lender
load borrower && fails EPROTOTYPE write_to /dev/borrower 4 && only_refusal_is c_lender other-lent-type EPROTOTYPE &&
	reset_trace && fails EPROTOTYPE write_to /dev/borrower 3 && only_refusal_is borrower other-lent-type EPROTOTYPE
verdict "an owner in C and a peer in Rust each want another type than the other lends: other-lent-type, EPROTOTYPE"

fresh_c_lender
load borrower && load c_borrower && write_to /dev/borrower 1 && write_to /dev/c_borrower 1 && write_to /dev/lender 1 &&
	write_to /dev/borrower 2 && unload c_borrower && write_to /dev/lender 1 && unload borrower && refuses_nothing &&
	printed 'c_lender|borrower|c_borrower' >"$NOTES" && cat - >"$NOTES.expected" <<EOT && diff "$NOTES.expected" "$NOTES"
c_lender: ctx=1 counted=2 taken=20
c_borrower: counted=2
c_lender: ctx=0 counted=6 taken=256
borrower: counted=6
EOT
verdict "an owner in C and two peers at a time, in Rust and in C: each peer uses memory of its own"

fresh_borrower
write_to /dev/borrower 5 && write_to /dev/borrower 2 && refuses_nothing
verdict "a peer in Rust sends its counters as user_buffer to an owner in Rust"

fresh_c_lender
load c_borrower && load borrower && write_to /dev/borrower 5 && write_to /dev/borrower 2 && refuses_nothing
verdict "a peer in Rust sends its counters as user_buffer to an owner in C that also has a peer in C"

fresh_lender
load c_borrower && write_to /dev/lender 4 && refuses_nothing
verdict "an owner in Rust sends its ring as user_buffer to a peer in C"

fresh_borrower keeps=0
fails EFAULT write_to /dev/borrower 5 && only_refusal_is borrower user-buffer-not-lent EFAULT
verdict "a peer in Rust sends, as user_buffer, memory that it does not lend: user-buffer-not-lent, EFAULT"

fresh_c_lender
load borrower && load c_borrower && fails EFAULT write_to /dev/borrower 6 && refuses_nothing
verdict "a peer in Rust sends its counters as user_buffer to a peer in another context: EFAULT"

# Each line is FAULT ERRNO REASON
while read -r fault errno reason; do
	fresh_lender
	fails "$errno" load c_borrower fault="$fault" && only_refusal_is lender "$reason" "$errno" && ! loaded c_borrower
	verdict "a peer in C lends wrong memory ($fault): $reason, $errno"
done <<EOT
nothing ENODATA nothing-lent
type EPROTOTYPE other-lent-type
size EMSGSIZE lent-too-small
pointer EFAULT bad-lent-memory
misaligned EFAULT bad-lent-memory
EOT

# Each line is FAULT ERRNO REASON
while read -r fault errno reason; do
	fresh_lender
	fails "$errno" load c_borrower fault="$fault" && only_refusal_is lender "$reason" "$errno" && ! loaded c_borrower
	verdict "a peer in C sends a wrong user_buffer ($fault): $reason, $errno"
done <<EOT
no_buffer ENODATA no-user-buffer
before EFAULT user-buffer-not-lent
behind EFAULT user-buffer-not-lent
inside EFAULT user-buffer-not-lent
EOT

# d2d_lent_index(), an inline function, refuses these faults without a line in the log. Each line is FAULT ERRNO
while read -r fault errno; do
	fresh_c_lender
	fails "$errno" load c_borrower fault="$fault" && refuses_nothing && ! loaded c_borrower
	verdict "a peer in C sends an owner in C a wrong user_buffer ($fault): $errno"
done <<EOT
no_buffer ENODATA
before EFAULT
behind EFAULT
inside EFAULT
EOT

# d2d_lend() and d2d_lent() in the peer refuse these faults. Each line is FAULT ERRNO REASON
while read -r fault errno reason; do
	fresh_lender
	fails "$errno" load c_borrower fault="$fault" && only_refusal_is c_borrower "$reason" "$errno" && ! loaded c_borrower
	verdict "a peer in C gets $errno from d2d_lend() or d2d_lent() ($fault): $reason"
done <<EOT
twice EALREADY already-lending
empty EINVAL nothing-to-lend
want_counter EPROTOTYPE other-lent-type
want_more EMSGSIZE lent-too-small
EOT

# d2d_lent() in the owner refuses these faults. Each line is FAULT ERRNO REASON
while read -r fault errno reason; do
	fresh_c_lender
	fails "$errno" load c_borrower fault="$fault" && only_refusal_is c_lender "$reason" "$errno" && ! loaded c_borrower
	verdict "a peer in C lends an owner in C wrong memory ($fault): $reason, $errno"
done <<EOT
nothing ENODATA nothing-lent
type EPROTOTYPE other-lent-type
size EMSGSIZE lent-too-small
EOT

fresh_borrower
unload borrower && fails ESHUTDOWN write_to /dev/lender 1 && refuses_nothing
verdict "the peer has detached: the owner gets ESHUTDOWN when it uses the peer's memory"

fresh_borrower
unload borrower && fails ENODATA load c_borrower fault=nothing && only_refusal_is lender nothing-lent ENODATA
verdict "the owner has forgotten the memory of a peer that has detached: the next peer, which lends nothing, gets ENODATA"

fresh_borrower
write_to /dev/lender 2 &
user=$!
await grep -q 'name=lender.inside .*state=set' "$EVENTS"
unload borrower &
unloader=$!
await waits_for_the_owner "$unloader"
fails ESHUTDOWN write_to /dev/lender 1 && loaded borrower && write_to /dev/lender 3 && all_succeed "$user" "$unloader" && ! loaded borrower && refuses_nothing
verdict "the peer is unloaded while the owner uses its memory: unloading waits"

fresh_borrower
fails EAGAIN unload lender && write_to /dev/borrower 1 && refuses_nothing
verdict "the owner is unloaded while a peer may use its memory: EAGAIN"
unload_all
ktap_finished
