#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A sender, a receiver or a forwarder makes a wrong call, and the owner refuses it. The call returns an errno, and one
# line in dmesg has the reason.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh
# shellcheck source=selftests/request_lib.sh
. ./request_lib.sh

# The control code of the handshake
CODE_SHARE_CONTEXT=0x222003
BAD_POINTER=4096

# The faults in calls of the library. Each line is ERRNO REASON COMMAND. The command may use these requests:
# - r0, a request of alice, was never sent.
# - r1 was never allocated.
# - r2 is a request of dave, whose driver object has no routine but dispatch.
call_faults()
{
	cat <<-EOT
	EBADMSG      bad-magic             send r0 bob $CODE_ADD bad-magic
	EMSGSIZE     bad-size              send r0 bob $CODE_ADD bad-size
	EPROTO       bad-major             send r0 bob $CODE_ADD bad-major
	EBADE        bad-layout            send r0 bob $CODE_ADD bad-layout
	EINVAL       unknown-function      send r0 bob $CODE_ADD unknown-function
	EINVAL       bad-flags             send r0 bob $CODE_ADD unknown-flag
	EINVAL       bad-flags             send r0 bob $CODE_ADD reserved
	EINVAL       reserved-code         send r0 bob $CODE_SHARE_CONTEXT
	EFAULT       bad-send-pointer      send r0 bob $CODE_ADD descriptor=null
	EFAULT       bad-send-pointer      send r0 bob $CODE_ADD descriptor=$BAD_POINTER
	EFAULT       bad-input-pointer     send r0 bob $CODE_ADD input=null
	EFAULT       bad-input-pointer     send r0 bob $CODE_ADD input=$BAD_POINTER
	EMSGSIZE     buffer-too-small      send r0 bob $CODE_ADD in=9
	EMSGSIZE     buffer-too-small      send r0 bob $CODE_ADD out=9
	ESTALE       stale-request         send r0 bob $CODE_ADD stale-handle
	ESTALE       stale-request         send r1 bob
	ESTALE       stale-target          send r0 nobody
	EINVAL       no-completion-routine send r2 bob $CODE_ADD routine
	EMSGSIZE     buffer-too-large      alloc r1 alice in=4097 out=0
	EMSGSIZE     buffer-too-large      alloc r1 alice in=0 out=4097
	ESTALE       stale-driver-handle   alloc r1 nobody
	EFAULT       no-handle             alloc r1 alice handle=null
	EAGAIN       too-many-requests     alloc-until-refused alice
	ENOENT       no-such-driver        lookup nobody
	EFAULT       no-name-or-handle     lookup bob name=null
	EFAULT       no-name-or-handle     lookup bob handle=null
	ENODATA      not-sent              wait r0
	ESTALE       stale-request         wait r1
	EFAULT       no-result             wait r0 result=null
	ESTALE       stale-request         cancel r1
	ESTALE       stale-request         free r1
	EMSGSIZE     nothing-to-read       read r0 1
	ESTALE       stale-request         read r1 8
	ESTALE       stale-request-handle  complete bob
	ESTALE       stale-request-handle  set-cancel bob
	ESTALE       stale-request-handle  forward bob alice
	ENOTUNIQ     name-taken            register alice
	EINVAL       bad-flags             register carol unknown-flag
	ENOEXEC      routine-outside-text  register carol returned-outside
	ENOEXEC      routine-outside-text  register carol completed-outside
	ENOEXEC      routine-outside-text  register carol cancelled-outside
	EOT
}

# The faults of a receiver's dispatch routine. Each line is ACTION ERRNO REASON; the sender gets ERRNO as the status
receiver_faults()
{
	cat <<-EOT
	omit-completion   EIO      not-completed
	bad-status        EIO      bad-status
	unregister        EDEADLK  unregister-from-inside
	detach            EDEADLK  detach-from-inside
	read-too-much     EMSGSIZE nothing-to-read
	write-too-much    EMSGSIZE output-too-long
	write-bad-pointer EFAULT   bad-output-pointer
	EOT
}

trap 'rm -f "$NOTES"; ! loaded pause_calls || resume' EXIT
begin $(($(call_faults | wc -l) + $(receiver_faults | wc -l) + 19))
load pause_calls
load module_a contexts=4 completion=1 "timeout=$LONG_TIMEOUT"

# Refusals after more than one command

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $CODE_PEND" && fails EBUSY act "send r0 bob" && only_refusal_is module_a request-on-its-way
verdict "request-on-its-way: a pending request is sent again: EBUSY"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $CODE_PEND" && fails EBUSY act "read r0 8" && only_refusal_is module_a request-on-its-way
verdict "request-on-its-way: the output of a pending request is read: EBUSY"

fresh alice bob
act "on-dispatch bob pend" && act_pends "send r0 bob $CODE_PEND" && act "complete bob output=1; wait r0" &&
	fails ESTALE act "complete-again bob" && only_refusal_is module_a stale-request-handle
verdict "stale-request-handle: a request is completed twice, the second time after the sender got the result: ESTALE"

fresh alice bob
act "on-dispatch bob complete-twice; send r0 bob; wait r0; expect r0" && fails ESTALE act "errno-inside bob" &&
	only_refusal_is module_a stale-request-handle
verdict "stale-request-handle: a request is completed twice inside the dispatch routine: ESTALE"

fresh alice bob
act "send r0 bob $CODE_ADD routine" && fails EINVAL act "wait r0" && only_refusal_is module_a has-completion-routine
verdict "has-completion-routine: a thread waits for a request that was sent with a completion routine: EINVAL"

fresh alice bob
act "send r0 bob; wait r0" && fails EFAULT act "read r0 8 buffer=null" && only_refusal_is module_a no-buffer
verdict "no-buffer: the output is read to a null pointer: EFAULT"

fresh alice bob
act "on-completed alice unregister; send r0 bob $CODE_ADD routine; expect r0 output=42" && fails EDEADLK act "errno-inside alice" &&
	only_refusal_is module_a unregister-from-inside
verdict "unregister-from-inside: a driver unregisters itself in its completion routine: EDEADLK"

fresh alice bob
act "register dave no-routines; on-dispatch dave forward-back bob; send r0 dave; wait r0; expect r0 status=-$EINVAL" &&
	only_refusal_is module_a no-return-routine
verdict "no-return-routine: a driver without a routine returned() forwards a request and wants it back: EINVAL"

fresh alice bob
act "register dave no-routines; on-dispatch dave pend" && act_pends "send r0 dave" && fails EINVAL act "set-cancel dave" &&
	only_refusal_is module_a no-cancel-routine
verdict "no-cancel-routine: a driver without a routine cancelled() asks the owner to call this routine: EINVAL"

fresh alice bob carol
act "on-dispatch bob forward-back carol; on-returned bob unregister; send r0 bob; wait r0; expect r0 output=42" &&
	fails EDEADLK act "errno-inside bob" && only_refusal_is module_a unregister-from-inside
verdict "unregister-from-inside: a driver unregisters itself in its routine returned(): EDEADLK"

# The refusals of the tables above

while read -r errno reason command; do
	fresh alice bob
	act "register dave no-routines; alloc r2 dave"
	reset_trace
	fails "$errno" act "$command" && only_refusal_is module_a "$reason" && act "send r0 bob; wait r0; expect r0 output=42"
	verdict "$reason: $command fails with $errno"
done <<EOT
$(call_faults)
EOT

while read -r action errno reason; do
	fresh alice bob
	act "on-dispatch bob $action; send r0 bob; wait r0; expect r0 status=-$(number "$errno")" && only_refusal_is module_a "$reason"
	verdict "$reason: the receiver's dispatch routine does $action, and the sender gets $errno"
done <<EOT
$(receiver_faults)
EOT

makes_mistake()
{
	act "on-dispatch bob $1; send r0 bob; wait r0"
}

fresh alice bob
makes_mistake omit-completion && makes_mistake bad-status && makes_mistake unregister && makes_mistake detach &&
	makes_mistake read-too-much && makes_mistake write-too-much && makes_mistake write-bad-pointer &&
	act "on-dispatch bob answer; send r0 bob; wait r0; expect r0 output=42"
verdict "a dispatch routine makes seven mistakes with one request: after that, the request can be sent and completed"

# Calls that wait for the end of the routine that makes them, and calls in atomic context that may sleep

while read -r action reason; do
	fresh alice bob carol
	act "on-dispatch bob forward-back carol; on-dispatch carol pend; on-returned bob $action" && act_pends "send r0 bob $CODE_PEND" &&
		act "complete carol output=5; wait r0; expect r0 output=5" &&
		fails EDEADLK act "errno-inside bob" && only_refusal_is module_a "$reason" && act "alloc r1 alice; free r1"
	verdict "$reason: the routine returned() does $action, which would wait for the end of the routine: EDEADLK"
done <<EOT
wait-for-r0 wait-from-inside
unregister-oldest unregister-from-inside
EOT

for place in softirq hardirq irqs-off; do
	fresh alice bob
	act "on-dispatch bob pend" && act_pends "send r0 bob $CODE_PEND" && fails EDEADLK act "in $place wait r0" &&
		only_refusal_is module_a wait-in-atomic-context && fails EDEADLK act "in $place wait r0 timeout=0"
	verdict "wait-in-atomic-context: a wait for a pending request in $place: EDEADLK"
done
for place in softirq hardirq irqs-off; do
	fresh alice bob carol
	act "alloc r1 alice; on-dispatch bob pend" && act_pends "send r0 bob $CODE_PEND" && fails EDEADLK act "in $place send r1 bob" &&
		only_refusal_is module_a send-in-atomic-context && fails EDEADLK act "in $place forward bob carol" && act "complete bob"
	verdict "send-in-atomic-context: a request is sent, and another forwarded, in $place without D2D_SEND_ATOMIC: EDEADLK"
done

unload actor
unload pause_calls
unload module_a
ktap_finished
