#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A driver leaves (unregisters) in the middle of something: while a request, an event, a handshake
# or an operation is in a certain stage. For example, the receiver leaves while it has a request
# pended. Each line of departures.table is a case: the stage, the driver that leaves, and what each
# thread and routine must observe. In all cases each wait ends, d2d_unregister() returns, the owner
# calls no routine of the driver after that, and nothing is left. The module stage (peers/stage/)
# keeps the subject in its stage while the driver leaves. After a thread has hung, the remaining
# cases are skipped.
#
# Usage: departures.sh [SUBJECT [STAGE [LEAVER [HOW]]]]
# runs only the cases that match; "*" matches all. The variable DEPARTURES may have these arguments instead.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

STAGE=/sys/kernel/debug/d2d-stage
OWNER=/sys/kernel/debug/d2d-module_a
# shellcheck disable=SC2086 # words
[ $# -gt 0 ] || { set -f && set -- ${DEPARTURES-} && set +f; }
FILTER="${1:-*} ${2:-*} ${3:-*} ${4:-*}"

# pairs - prints the lines of the table that match the arguments
pairs()
{
	while read -r subject stage leaver how expected; do
		# shellcheck disable=SC2254 # patterns
		case "$subject $stage $leaver $how" in
		\#* | " "*) ;;
		$FILTER) echo "$subject $stage $leaver $how $expected" ;;
		esac
	done <departures.table
}

# tell COMMAND... - writes a command to the module stage
tell()
{
	echo "$*" 2>"$NOTES" >$STAGE/do
}

# is_one_of VALUE A|B...
is_one_of()
{
	case "|$2|" in
	*"|$1|"*) ;;
	*) return 1 ;;
	esac
}

# as_expected SEEN EXPECTED... - whether both have the same observers, and each result is one of the expected ones
as_expected()
{
	seen=$1
	shift
	for word in $seen; do
		[ $# != 0 ] && [ "${word%%=*}" = "${1%%=*}" ] && is_one_of "${word#*=}" "${1#*=}" || return
		shift
	done
	[ $# = 0 ]
}

# nothing_left - whether the owner has no request, and no event but its own
nothing_left()
{
	! read -r left <$OWNER/state/requests || return
	while read -r left; do
		case $left in
		name=module_a.*) ;;
		*) return 1 ;;
		esac
	done <$OWNER/state/events
	left=
}

# where_they_hang SEEN - prints the kernel stacks of the threads that hang
where_they_hang()
{
	for word in $(echo "${1#hung=}" | tr , ' '); do
		echo "# thread ${word%:*}:"
		sed 's/^/#   /' "/proc/${word#*:}/stack" 2>/dev/null || echo "#   unknown"
	done
}

# leaves LEAVER - makes a driver leave. For the owner, only checks that it has users, so that the
# kernel would refuse to unload it; lifecycle.sh tries that
leaves()
{
	if [ "$1" = owner ]; then
		read -r users </sys/module/module_a/refcnt && [ "$users" != 0 ]
	else
		tell leave "$1"
	fi
}

# owner_for HOW - loads module_a with the parameters for HOW, if it has others: for a handshake
# completion, and with "-short" also a short timeout
owner_for()
{
	case $1 in
	[0-2]) parameters="completion=$1" ;;
	[0-2]-short) parameters="completion=${1%-short} timeout=1" ;;
	*) parameters= ;;
	esac
	[ "$loaded" != "$parameters" ] || return
	unload stage
	unload module_a
	# shellcheck disable=SC2086 # words
	load module_a $parameters
	load stage
	loaded=$parameters
}

# is_watching - whether the program of watch() still sleeps in its read or poll
is_watching()
{
	grep -q '^State:.*S (sleeping)' "/proc/$watcher/status" 2>/dev/null
}

# watch HOW - starts a program that watches the event
watch()
{
	if [ "$1" = poll ]; then
		./eventctl poll $OWNER/events/departures.one >"$NOTES.watched" &
	else
		cat $OWNER/events/departures.one >"$NOTES.watched" &
	fi
	watcher=$!
	await is_watching
}

# is_told - whether the program of watch() has exited. It exits when the event is closed
is_told()
{
	! is_watching && ! grep -q '^State:.*[RD] (' "/proc/$watcher/status" 2>/dev/null
}

# returns STATUS - sets $? for verdict()
returns()
{
	return "$1"
}

# departs SUBJECT STAGE LEAVER HOW EXPECTED... - runs one case. Sets $seen to what was observed. In
# an impossible case the driver does not leave, and all threads must end as usual
departs()
{
	subject=$1 stage=$2 leaver=$3 how=$4
	shift 4
	seen='' left=''
	tell open "$subject" "$stage" "$how"
	opened=$?
	case $stage in
	watched*) watch "$how" || opened=1 ;;
	esac
	leaves "$leaver"
	departed=$?
	# A watching program is one more observer. If only the leaving driver had the event open,
	# the program is told now; otherwise it must still sleep.
	case "$stage $*" in
	watched*"told=now"*) await is_told && seen=told=now ;;
	watched*) is_watching && seen=told=later ;;
	esac
	tell end
	ended=$?
	read -r line <$STAGE/seen
	seen="$seen${seen:+ }$line"
	case $stage in
	watched*)
		await is_told || return
		wait "$watcher"
		case $how in
		poll) seen="$seen poll=$(cat "$NOTES.watched")" ;;
		read) seen="$seen lines=$(wc -l <"$NOTES.watched")" ;;
		esac
		;;
	esac
	[ "$opened $departed $ended" = "0 0 0" ] || return
	case $1 in
	impossible:) ;;
	*) as_expected "$seen" "$@" || return ;;
	esac
	# Only after every 16th case, because this takes longer than a case.
	pair_number=$((pair_number + 1))
	[ $((pair_number % 16)) != 0 ] || { nothing_left && mark; }
}

start $(($(pairs | wc -l) + 1))
load module_a
load stage
mark
hung='' loaded='' pair_number=0
pairs >"$NOTES.pairs"
trap 'rm -f "$NOTES" "$NOTES.pairs" "$NOTES.watched"' EXIT
while read -r subject stage leaver how expected; do
	pair="$subject $stage, $leaver leaves, $how"
	case $expected in
	impossible:*) pair="$pair ($expected)" ;;
	esac
	if [ -n "$hung" ]; then
		ktap_test_skip "$pair: skipped after a hang"
		continue
	fi
	case $subject in
	handshake | operation) owner_for "$how" ;;
	esac
	# shellcheck disable=SC2086 # words
	departs "$subject" "$stage" "$leaver" "$how" $expected
	rc=$?
	if [ "$rc" != 0 ]; then
		echo "# seen:     $seen"
		echo "# expected: $expected"
		[ -z "$left" ] || echo "# left:     $left"
	fi
	case $seen in
	hung=*)
		hung=1
		where_they_hang "$seen"
		;;
	esac
	returns "$rc"
	verdict "$pair"
done <"$NOTES.pairs"
if [ -n "$hung" ]; then
	ktap_test_skip "the owner has no request and no event of others in the end: skipped after a hang"
else
	nothing_left
	verdict "the owner has no request and no event of others in the end"
	unload stage
	unload module_a
fi
ktap_finished
