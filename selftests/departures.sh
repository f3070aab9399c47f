#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A driver leaves while a request, an event or a handshake is in a certain stage. departures.table has
# each pair of a stage and a leaver, and what each thread and routine concerned observes: every wait ends,
# d2d_unregister() returns, no routine of the driver runs after that, nothing is left. The module stage
# holds the stages open, see peers/stage/. If a thread hangs, the rest is skipped.
#
# Usage: departures.sh [SUBJECT [STAGE [LEAVER [HOW]]]]
# With arguments only the pairs that match; "*" matches all. So does the variable DEPARTURES.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

STAGE=/sys/kernel/debug/d2d-stage
OWNER=/sys/kernel/debug/d2d-module_a
# shellcheck disable=SC2086 # words
[ $# -gt 0 ] || { set -f && set -- ${DEPARTURES-} && set +f; }
FILTER="${1:-*} ${2:-*} ${3:-*} ${4:-*}"

# pairs - those of the table that the filter lets through
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

# tell COMMAND... - a command for the module stage
tell()
{
	echo "$*" 2>"$NOTES" >$STAGE/do
}

# is_one_of VALUE ALTERNATIVES - which have "|" between them
is_one_of()
{
	case "|$2|" in
	*"|$1|"*) ;;
	*) return 1 ;;
	esac
}

# as_expected SEEN EXPECTED... - whether both have the same names, and each value is one of those
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

# nothing_left - whether the owner knows of no request any more, and of no event but its own
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

# where_they_hang SEEN - the kernel's functions that the threads are in
where_they_hang()
{
	for word in $(echo "${1#hung=}" | tr , ' '); do
		echo "# thread ${word%:*}:"
		sed 's/^/#   /' "/proc/${word#*:}/stack" 2>/dev/null || echo "#   unknown"
	done
}

# leaves LEAVER - makes a driver leave. If it is the owner, the loader says that it cannot be unloaded;
# lifecycle.sh tries that.
leaves()
{
	if [ "$1" = owner ]; then
		read -r users </sys/module/module_a/refcnt && [ "$users" != 0 ]
	else
		tell leave "$1"
	fi
}

# owner_for HOW - loads the owner that a handshake or an operation needs, if there is another one: with
# this parameter completion, and a short timeout or a long one
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

# is_watching - whether the program that watches an event sleeps, so that nothing has told it anything
is_watching()
{
	grep -q '^State:.*S (sleeping)' "/proc/$watcher/status" 2>/dev/null
}

# watch HOW - lets a program watch the event
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

# is_told - whether the program that watches has ended, or has read another line
is_told()
{
	! is_watching && ! grep -q '^State:.*[RD] (' "/proc/$watcher/status" 2>/dev/null
}

# returns STATUS
returns()
{
	return "$1"
}

# departs SUBJECT STAGE LEAVER HOW EXPECTED... - one pair; what was observed is in $seen. What the loader
# makes impossible changes nothing, and all goes on afterwards.
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
	# A program that watches has read the first line by now. Whether it is told of more at once, or
	# later, is one more observation.
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
	# Not for each pair: it takes longer than one.
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
	pair="$subject $stage, $leaver leaves, observed by $how"
	case $expected in
	impossible:*) pair="$pair ($expected)" ;;
	esac
	if [ -n "$hung" ]; then
		ktap_test_skip "$pair: after a hang"
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
	ktap_test_skip "nothing is left in the end: after a hang"
else
	nothing_left
	verdict "nothing is left in the end"
	unload stage
	unload module_a
fi
ktap_finished
