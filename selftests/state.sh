#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The owner's files in debugfs show its contexts, queues, calls, requests, events and refusals, as text and in JSON
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

DIRECTORY=/sys/kernel/debug/d2d-module_a
STATE=$DIRECTORY/state

# shows FILE PATTERN... - succeeds if the file has one line for each pattern, in this order
shows()
{
	file=$STATE/$1
	shift
	cat "$file" >"$NOTES" || return
	[ "$(wc -l <"$NOTES")" = $# ] || return
	line=0
	for pattern; do
		line=$((line + 1))
		sed -n "${line}p" "$NOTES" | grep -qxE -e "$pattern" || return
	done
}

# json_has [PATH VALUE]... - succeeds if the JSON has these values
json_has()
{
	while [ $# -gt 0 ]; do
		[ "$(./json "$1" <"$DIRECTORY/state.json" 2>"$NOTES")" = "$2" ] || {
			cat "$DIRECTORY/state.json" >>"$NOTES"
			return 1
		}
		shift 2
	done
}

# start_readers COUNT - starts processes that read all files until the owner is unloaded. Adds them to $pids
start_readers()
{
	reader=0
	while [ "$reader" -lt "$1" ]; do
		while cat "$STATE"/* && ./json <"$DIRECTORY/state.json"; do :; done >/dev/null 2>&1 &
		pids="$pids $!"
		reader=$((reader + 1))
	done
}

fresh_module_a()
{
	unload_if_loaded actor module_b paused_peer module_a
	reset_trace
	load module_a capacity=16 completion=1
}

# pend_request - alice sends bob a request, which bob pends
pend_request()
{
	load actor && act "register alice; register bob atomic; alloc r0 alice; on-dispatch bob pend" &&
		act_pends "send r0 bob $CODE_PEND"
}

# end_readers - unloads module_a when no reader has a file of it open. The readers then end, because the files are gone
end_readers()
{
	unload_if_loaded module_b
	! loaded module_a || await unload module_a
	unloaded=$?
	# shellcheck disable=SC2086 # a list
	wait $pids
	pids=
	return "$unloaded"
}

trap 'rm -f "$NOTES"; ! loaded pause_calls || resume' EXIT
begin 13
load pause_calls

HASH='0x[0-9a-f]+'
OWNER_FIELDS="owner_major=1 owner_minor=0 owner_fingerprint=$HASH layout=$HASH"

fresh_module_a
[ "$(find "$STATE" -type f | sed 's|.*/||' | sort | xargs)" = "calls contexts events queues refusals requests" ] &&
	shows contexts "ctx=0 state=free peer=- peer_major=- peer_minor=- peer_fingerprint=- $OWNER_FIELDS" &&
	shows queues "ctx=0 queue=to_peer depth=0 capacity=16 high_water=0 put=0 taken=0 refused=0 stale=0" \
		"ctx=0 queue=to_owner depth=0 capacity=16 high_water=0 put=0 taken=0 refused=0 stale=0" &&
	shows calls "ctx=0 to=peer entered=0 in_flight=0" "ctx=0 to=owner entered=- in_flight=-" &&
	shows requests && shows refusals "count=0 driver=- last=-" &&
	shows events "name=module_a.notice kind=notification state=reset sets=0 waiters=0 handlers=0 failed=0" \
		"name=module_a.turn kind=synchronization state=reset sets=0 waiters=0 handlers=0 failed=0"
verdict "without a peer: the files show a free context and empty queues, and no call or request"

fresh_module_a
json_has owner module_a contexts.0.state free contexts.0.peer null queues.1.capacity 16 \
	queues.1.queue to_owner calls.1.in_flight null requests "[]" events.0.name module_a.notice refusals.0.count 0
verdict "without a peer: the JSON shows a free context"

fresh_module_a
load module_b && shows contexts "ctx=0 state=attached peer=module_b peer_major=1 peer_minor=0 peer_fingerprint=$HASH $OWNER_FIELDS" &&
	shows queues "ctx=0 queue=to_peer depth=0 .* high_water=4 put=4 taken=4 refused=0 stale=0" \
		"ctx=0 queue=to_owner depth=0 .* high_water=[1-4] put=([0-9]+) taken=\1 refused=0 stale=0" &&
	json_has contexts.0.state attached contexts.0.peer module_b queues.0.put 4 queues.0.high_water 4
verdict "a peer is attached and has exchanged items: the files show its name and the counts of items"

fresh_module_a
load module_b && unload module_b && shows contexts "ctx=0 state=free peer=- .*" &&
	shows queues "ctx=0 queue=to_peer depth=2 capacity=16 high_water=4 put=6 taken=4 refused=0 stale=0" ".*" &&
	json_has contexts.0.state free queues.0.depth 2
verdict "the peer is unloaded: the files show a free context, and the items that are left in the queue"

fresh_module_a
pend_request &&
	shows requests "req=[0-9]+ sender=alice holder=bob code=0x222008 phase=held level=1" &&
	json_has requests.0.sender alice requests.0.holder bob requests.0.code 0x222008 requests.0.level 1
verdict "a request is pending: the files show its sender, holder and code"

fresh_module_a
pend_request && act "complete bob status=-$EIO; wait r0; expect r0 status=-$EIO" &&
	shows requests "req=[0-9]+ sender=alice holder=alice code=0x0 phase=idle level=0" &&
	json_has requests.0.phase idle requests.0.level 0
verdict "a pending request is completed: the files show its sender as the holder"

fresh_module_a
pend_request && act "complete bob status=-$EIO; wait r0; free r0" && shows requests && json_has requests "[]"
verdict "a completed request is freed: the files no longer show it"

fresh_module_a
load actor && fails ENOENT act "lookup nobody" &&
	shows refusals "count=[1-9][0-9]* driver=module_a last=reason=no-such-driver errno=-$ENOENT name=nobody" &&
	json_has refusals.0.driver module_a refusals.0.last "reason=no-such-driver errno=-$ENOENT name=nobody"
verdict "after a refusal the files show the count and the last reason"

fresh_trace
unload_if_loaded actor module_b module_a && load torture_owner && load torture_peer0
DIRECTORY=/sys/kernel/debug/d2d-torture_owner STATE=$DIRECTORY/state
event_act torture_peer0 create 0 bell synchronization
event_act_in_background torture_peer0 wait any 0
await grep -q 'waiters=1 handlers=0 failed=0$' "$STATE/events" && grep -q '^name=bell kind=synchronization state=reset sets=0 waiters=1 handlers=0 failed=0$' "$STATE/events" &&
	./json <"$DIRECTORY/state.json" 2>"$NOTES" &&
	event_act torture_peer0 set 0 was=reset && wait "$background" &&
	grep -q '^name=bell kind=synchronization state=reset sets=1 waiters=0 handlers=0 failed=0$' "$STATE/events"
verdict "a thread waits for an event and goes on: the files show the counts of waiters and sets"
unload torture_peer0
unload torture_owner
DIRECTORY=/sys/kernel/debug/d2d-module_a STATE=$DIRECTORY/state

fresh_module_a
exec 3<"$STATE/contexts" && exec 4<"$DIRECTORY/state.json" && fails EAGAIN unload module_a &&
	load module_b && grep -q 'state=free' <&3 && [ "$(./json contexts.0.state <&4)" = free ]
verdict "a file is open: unloading the owner gets EAGAIN, and the file shows the state at the time when it was opened"
exec 3<&- 4<&-

pids=
fresh_module_a
load module_b
start_readers 3
exercised=0
for round in 1 2 3 4 5; do
	exercise module_b 5 && exercise module_a 5 || exercised=1
	unload module_b && load module_b || exercised=1
done
[ "$exercised" = 0 ] && [ "$round" = 5 ]
verdict "processes read the files while drivers exchange items and are reloaded: the drivers' calls succeed"
end_readers

fresh_module_a
start_readers 3
end_readers
verdict "processes read the files again and again: the owner can be unloaded between two reads"

fresh_module_a
load paused_peer && pause task
./one_call write /dev/module_a 1 2>"$NOTES" &
await one_inside && shows calls "ctx=0 to=peer entered=[1-9][0-9]* in_flight=1" ".*" &&
	json_has calls.0.in_flight 1 && resume && wait $! && shows calls "ctx=0 to=peer .* in_flight=0" ".*"
verdict "a call is inside a peer: the files show it as in flight until it returns"
unload paused_peer
unload module_a
unload pause_calls
ktap_finished
