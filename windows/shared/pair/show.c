/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tries all that the other driver serves: sends each request and waits for the events.
 */
#include "d2d_pair.h"

static D2D_ROUTINE ShowRequests;
static D2D_ROUTINE ShowSignal;

#ifdef ALLOC_PRAGMA
#pragma alloc_text(PAGE, D2dPairShow)
#endif

typedef struct _SHOW {
    const D2D_TARGET *Target;
    PD2D_ROUTINE Exercise;
    D2D_PACKET Add;
    D2D_PACKET Pend[2];
    D2D_PACKET Complete;
    D2D_PACKET Signal;
} SHOW, *PSHOW;

static NTSTATUS
ShowInitialize(PSHOW Show, PDEVICE_OBJECT DeviceObject)
{
    PD2D_PACKET packets[] = {
        &Show->Add, &Show->Pend[0], &Show->Pend[1], &Show->Complete, &Show->Signal,
    };
    NTSTATUS status = STATUS_SUCCESS;
    ULONG i;

    for (i = 0; i < ARRAYSIZE(packets) && NT_SUCCESS(status); i++) {
        status = D2dPacketInitialize(packets[i], DeviceObject, Show->Target);
    }
    return status;
}

/* Waits for the requests that are still pending. */
static VOID
ShowUninitialize(PSHOW Show)
{
    D2dPacketUninitialize(&Show->Add);
    D2dPacketUninitialize(&Show->Pend[0]);
    D2dPacketUninitialize(&Show->Pend[1]);
    D2dPacketUninitialize(&Show->Complete);
    D2dPacketUninitialize(&Show->Signal);
}

/*
 * Sends a request that must be completed at once. If the other driver pends it, cancels it: nothing
 * here makes that driver complete it.
 */
static NTSTATUS
SendAtOnce(PSHOW Show, PD2D_PACKET Packet, ULONG Code, const VOID *Input, ULONG InputLength,
           ULONG OutputLength)
{
    NTSTATUS status = D2dPacketSend(Packet, Show->Target, Code, Input, InputLength, OutputLength,
                                    D2dViaReturn);

    if (status == STATUS_PENDING) {
        D2dPacketCancel(Packet, Show->Target);
        return STATUS_UNEXPECTED_IO_ERROR;
    }
    return status;
}

static NTSTATUS
ShowAdd(PSHOW Show)
{
    ULONGLONG value = 41;
    NTSTATUS status;

    status = SendAtOnce(Show, &Show->Add, IOCTL_D2D_PAIR_ADD, &value, sizeof(value), sizeof(value));
    if (NT_SUCCESS(status) && Show->Add.Buffer[0] != value + 1) {
        status = STATUS_INTERNAL_ERROR;
    }
    return status;
}

/* Sends a request that the other driver pends under a unique key. */
static NTSTATUS
ShowPend(PSHOW Show, PD2D_PACKET Packet, PULONGLONG Key)
{
    NTSTATUS status;

    *Key = (ULONG_PTR)Packet;
    status = D2dPacketSend(Packet, Show->Target, IOCTL_D2D_PAIR_PEND, Key, sizeof(*Key),
                           sizeof(*Key), D2dViaRoutine);
    if (status == STATUS_PENDING) {
        return STATUS_SUCCESS;
    }
    return NT_SUCCESS(status) ? STATUS_UNEXPECTED_IO_ERROR : status;
}

/* Sends a request that the other driver pends, and another, on which it completes the first. */
static NTSTATUS
ShowComplete(PSHOW Show)
{
    D2D_PAIR_COMPLETE complete = { .Value = 7 };
    NTSTATUS status = ShowPend(Show, &Show->Pend[0], &complete.Key);

    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = SendAtOnce(Show, &Show->Complete, IOCTL_D2D_PAIR_COMPLETE, &complete, sizeof(complete),
                        0);
    if (!NT_SUCCESS(status)) {
        D2dPacketCancel(&Show->Pend[0], Show->Target);
    }
    return status;
}

/* Sends a request, and cancels it. */
static NTSTATUS
ShowCancel(PSHOW Show)
{
    ULONGLONG key;
    NTSTATUS status = ShowPend(Show, &Show->Pend[1], &key);

    if (NT_SUCCESS(status) && !D2dPacketCancel(&Show->Pend[1], Show->Target)) {
        status = STATUS_UNSUCCESSFUL;
    }
    return status;
}

_Use_decl_annotations_
static NTSTATUS
ShowRequests(PVOID Context)
{
    PSHOW show = Context;
    NTSTATUS status = show->Exercise(NULL);

    if (NT_SUCCESS(status)) {
        status = ShowAdd(show);
    }
    if (NT_SUCCESS(status)) {
        status = ShowComplete(show);
    }
    if (NT_SUCCESS(status)) {
        status = ShowCancel(show);
    }
    return status;
}

/* Makes the other driver set its events. */
_Use_decl_annotations_
static NTSTATUS
ShowSignal(PVOID Context)
{
    PSHOW show = Context;

    return SendAtOnce(show, &show->Signal, IOCTL_D2D_PAIR_SIGNAL, NULL, 0, 0);
}

/* Opens the other driver's events and waits for them. */
static NTSTATUS
WaitForEvents(const D2D_TARGET *Target)
{
    D2D_DEMO_EVENTS events;
    NTSTATUS status = D2dDemoEventsOpen(&events, Target->Name);

    if (NT_SUCCESS(status)) {
        status = D2dDemoEventsWait(&events);
        D2dDemoEventsClose(&events);
    }
    return status;
}

/*
 * Runs the exercise in the place, and sends the other driver requests from there; then waits
 * for its events in the caller's thread.
 */
_Use_decl_annotations_
NTSTATUS
D2dPairShow(PDEVICE_OBJECT DeviceObject, D2D_PLACE Place, const D2D_TARGET *Target,
            PD2D_ROUTINE Exercise)
{
    NTSTATUS status;
    PSHOW show;

    PAGED_CODE();
    /* Packets are non-paged, as they are used at DISPATCH_LEVEL. */
    show = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(*show), D2D_POOL_TAG);
    if (show == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    show->Target = Target;
    show->Exercise = Exercise;
    status = ShowInitialize(show, DeviceObject);
    if (NT_SUCCESS(status)) {
        status = D2dRunIn(DeviceObject, Place, ShowRequests, show);
    }
    if (NT_SUCCESS(status)) {
        status = D2dRunIn(DeviceObject, Place, ShowSignal, show);
    }
    if (NT_SUCCESS(status)) {
        status = WaitForEvents(Target);
    }
    ShowUninitialize(show);
    ExFreePoolWithTag(show, D2D_POOL_TAG);
    return status;
}
