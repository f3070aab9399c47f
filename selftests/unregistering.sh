#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A driver unregisters while the subject (a request, an event, a handshake, or a call of an operation or a routine) is
# in a certain stage. Each line of unregistering.table is a case: the stage, the driver that unregisters, and what each
# thread and routine must observe. In all cases each wait ends, and d2d_unregister() returns. After that, the owner
# calls no routine of the driver, and keeps no request and no event of it. The module "unregistering"
# (peers/unregistering/) keeps the subject in its stage. If a thread hangs, this program skips the remaining cases.
#
# Usage: unregistering.sh [SUBJECT [STAGE [DRIVER [HOW]]]]
# runs only the cases whose first words match; "*" matches any word. Without arguments, the program takes the words from
# the variable UNREGISTERING.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

CONTROL=/sys/kernel/debug/d2d-unregistering
OWNER_FILES=/sys/kernel/debug/d2d-module_a
# shellcheck disable=SC2086 # words
[ $# -gt 0 ] || { set -f && set -- ${UNREGISTERING-} && set +f; }
FILTER="${1:-*} ${2:-*} ${3:-*} ${4:-*}"

cases()
{
	sed '/^#/d; /^$/d; s/  */ /g' unregistering.table | if [ "$FILTER" = "* * * *" ]; then
		cat
	else
		while read -r subject stage driver how expected; do
			# shellcheck disable=SC2254 # patterns
			case "$subject $stage $driver $how" in
			$FILTER) echo "$subject $stage $driver $how $expected" ;;
			esac
		done
	fi
}

tell()
{
	echo "$*" 2>"$NOTES" >$CONTROL/do
}

is_one_of()
{
	case "|$2|" in
	*"|$1|"*) ;;
	*) return 1 ;;
	esac
}

# as_expected SEEN EXPECTED... - succeeds if each observer has seen one of its expected results
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

where_they_hang()
{
	for word in $(echo "${1#hung=}" | tr , ' '); do
		echo "# thread ${word%:*}:"
		sed 's/^/#   /' "/proc/${word#*:}/stack" 2>/dev/null || echo "#   unknown"
	done
}

owner_is_in_use()
{
	read -r users </sys/module/module_a/refcnt && [ "$users" != 0 ]
}

# owner_for HOW - reloads module_a if it lacks the parameters for HOW. For a handshake, HOW is the value of
# "completion", perhaps with "-short" for a short timeout
owner_for()
{
	case $1 in
	[0-2]) parameters="completion=$1" ;;
	[0-2]-short) parameters="completion=${1%-short} timeout=1" ;;
	*) parameters= ;;
	esac
	[ "$owner_parameters" != "$parameters" ] || return
	unload unregistering
	unload module_a
	# shellcheck disable=SC2086 # words
	load module_a $parameters
	load unregistering
	owner_parameters=$parameters
}

is_watching()
{
	grep -q '^State:.*S (sleeping)' "/proc/$watcher/status" 2>/dev/null
}

watch()
{
	if [ "$1" = poll ]; then
		./eventctl poll $OWNER_FILES/events/unregistering.one >"$NOTES.watched" &
	else
		cat $OWNER_FILES/events/unregistering.one >"$NOTES.watched" &
	fi
	watcher=$!
	await is_watching
}

has_exited()
{
	! is_watching && ! grep -q '^State:.*[RD] (' "/proc/$watcher/status" 2>/dev/null
}

# case_passes SUBJECT STAGE DRIVER HOW EXPECTED... - sets $seen to what was observed. In an impossible case
# (unregistering.table), no driver unregisters: the owner must be in use
case_passes()
{
	subject=$1 stage=$2 driver=$3 how=$4
	shift 4
	seen=''
	tell reach "$subject" "$stage" "$how"
	reached=$?
	case $stage in
	watched*) watch "$how" || reached=1 ;;
	esac
	if [ "$driver" = owner ]; then
		owner_is_in_use
	else
		tell unregister "$driver"
	fi
	unregistered=$?
	# A watching program is one more observer. If only the driver that unregisters had the event open, the program
	# must exit now.
	case "$stage $*" in
	watched*"closed=now"*) await has_exited && seen=closed=now ;;
	watched*) await is_watching && seen=closed=later ;;
	esac
	tell end
	ended=$?
	read -r line <$CONTROL/seen
	seen="$seen${seen:+ }$line"
	case $stage in
	watched*)
		await has_exited || return
		wait "$watcher"
		case $how in
		poll) seen="$seen poll=$(cat "$NOTES.watched")" ;;
		read) seen="$seen lines=$(wc -l <"$NOTES.watched")" ;;
		esac
		;;
	esac
	[ "$reached $unregistered $ended" = "0 0 0" ] || return
	case $1 in
	impossible:) ;;
	*) as_expected "$seen" "$@" || return ;;
	esac
	# Check this after each 16th case only: owner_is_idle() takes longer than a case.
	case_number=$((case_number + 1))
	[ $((case_number % 16)) != 0 ] || { owner_is_idle && reset_trace; }
}

begin $(($(cases | wc -l) + 1))
load module_a
load unregistering
reset_trace
hung='' owner_parameters='' case_number=0
trap 'rm -f "$NOTES" "$NOTES.watched"' EXIT
# Do not use `while read` here: it makes a system call for each character of the table.
rows=$(cases)
set -f
IFS='
'
for row in $rows; do
	unset IFS
	# shellcheck disable=SC2086 # words
	set -- $row
	subject=$1 stage=$2 driver=$3 how=$4
	shift 4
	expected=$*
	name="$subject $stage, $driver unregisters, $how"
	case $expected in
	impossible:*) name="$name ($expected)" ;;
	esac
	runs_case "$name" || continue
	if [ -n "$hung" ]; then
		ktap_test_skip "$name: skipped after a hang"
		continue
	fi
	case $subject in
	handshake | operation) owner_for "$how" ;;
	esac
	# shellcheck disable=SC2086 # words
	case_passes "$subject" "$stage" "$driver" "$how" $expected
	rc=$?
	if [ "$rc" != 0 ]; then
		echo "# seen:     $seen"
		echo "# expected: $expected"
	fi
	case $seen in
	hung=*)
		hung=1
		where_they_hang "$seen"
		;;
	esac
	[ "$rc" = 0 ]
	verdict "$name"
done
unset IFS
set +f
if [ -n "$hung" ]; then
	ktap_test_skip "at the end the owner has no request, and no event of another driver: skipped after a hang"
else
	fresh_trace
	owner_is_idle
	verdict "at the end the owner has no request, and no event of another driver"
	unload unregistering
	unload module_a
fi
ktap_finished
