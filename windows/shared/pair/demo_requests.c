/* SPDX-License-Identifier: GPL-2.0 */
/* The requests that both drivers of the pair serve. */
#include "d2d_pair.h"

/* DriverContext is the driver's while it holds the IRP. CancelPended finds the requests by it. */
#define REQUESTS_OF(irp)    (*(PD2D_DEMO_REQUESTS *)&(irp)->Tail.Overlay.DriverContext[0])

static DRIVER_CANCEL CancelPended;

_Use_decl_annotations_
VOID
D2dDemoRequestsInitialize(PD2D_DEMO_REQUESTS Requests)
{
    KeInitializeSpinLock(&Requests->Lock);
    InitializeListHead(&Requests->Pended);
    Requests->Events = NULL;
    Requests->Closed = FALSE;
}

/*
 * Says which events SIGNAL sets: those of the driver. They must exist until nobody can send the
 * driver requests any more.
 */
_Use_decl_annotations_
VOID
D2dDemoRequestsSetEvents(PD2D_DEMO_REQUESTS Requests, PD2D_DEMO_EVENTS Events)
{
    InterlockedExchangePointer((PVOID volatile *)&Requests->Events, Events);
}

static NTSTATUS
Add(PIRP Irp)
{
    PULONGLONG value = Irp->AssociatedIrp.SystemBuffer;

    *value += 1;
    return D2dRequestComplete(Irp, STATUS_SUCCESS, sizeof(*value));
}

/*
 * IoCancelIrp calls this, with the cancel spin lock held, after it has taken the cancel
 * routine out of the IRP. So nobody else completes the IRP. The other driver calls IoCancelIrp, and
 * keeps this driver loaded meanwhile: A holds rundown protection, and B imports from A.
 */
_Use_decl_annotations_
static VOID NTAPI
CancelPended(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PD2D_DEMO_REQUESTS requests = REQUESTS_OF(Irp);
    KIRQL irql;

    UNREFERENCED_PARAMETER(DeviceObject);
    IoReleaseCancelSpinLock(Irp->CancelIrql);
    KeAcquireSpinLock(&requests->Lock, &irql);
    RemoveEntryList(&Irp->Tail.Overlay.ListEntry);
    KeReleaseSpinLock(&requests->Lock, irql);
    D2dRequestComplete(Irp, STATUS_CANCELLED, 0);
}

/* Pends a request. Once the lock is released, another thread may complete it. */
static NTSTATUS
Pend(PD2D_DEMO_REQUESTS Requests, PIRP Irp)
{
    NTSTATUS status = STATUS_PENDING;
    KIRQL irql;

    D2dTrace("pend", "code=0x%08x", IOCTL_D2D_PAIR_PEND);
    KeAcquireSpinLock(&Requests->Lock, &irql);
    if (Requests->Closed) {
        status = STATUS_DELETE_PENDING;
    } else {
        REQUESTS_OF(Irp) = Requests;
        IoSetCancelRoutine(Irp, CancelPended);
        if (Irp->Cancel && IoSetCancelRoutine(Irp, NULL) != NULL) {
            /* The IRP was cancelled before; IoCancelIrp will not call CancelPended. */
            status = STATUS_CANCELLED;
        } else {
            /* If CancelPended runs already, it waits for the lock. */
            IoMarkIrpPending(Irp);
            InsertTailList(&Requests->Pended, &Irp->Tail.Overlay.ListEntry);
        }
    }
    KeReleaseSpinLock(&Requests->Lock, irql);
    return status == STATUS_PENDING ? status : D2dRequestComplete(Irp, status, 0);
}

/*
 * Takes a pended request with this key, or any if Key is NULL, off the list. Leaves requests
 * that are being cancelled to CancelPended. The caller holds the lock.
 */
static PIRP
TakePended(PD2D_DEMO_REQUESTS Requests, const ULONGLONG *Key)
{
    PLIST_ENTRY entry;

    for (entry = Requests->Pended.Flink; entry != &Requests->Pended; entry = entry->Flink) {
        PIRP irp = CONTAINING_RECORD(entry, IRP, Tail.Overlay.ListEntry);
        const ULONGLONG *key = irp->AssociatedIrp.SystemBuffer;

        if ((Key == NULL || *key == *Key) && IoSetCancelRoutine(irp, NULL) != NULL) {
            RemoveEntryList(entry);
            return irp;
        }
    }
    return NULL;
}

static NTSTATUS
Complete(PD2D_DEMO_REQUESTS Requests, PIRP Irp)
{
    const D2D_PAIR_COMPLETE *complete = Irp->AssociatedIrp.SystemBuffer;
    PULONGLONG output;
    KIRQL irql;
    PIRP pended;

    KeAcquireSpinLock(&Requests->Lock, &irql);
    pended = TakePended(Requests, &complete->Key);
    KeReleaseSpinLock(&Requests->Lock, irql);
    if (pended == NULL) {
        return D2dRequestComplete(Irp, STATUS_NOT_FOUND, 0);
    }
    output = pended->AssociatedIrp.SystemBuffer;
    *output = complete->Value;
    D2dRequestComplete(pended, STATUS_SUCCESS, sizeof(*output));
    return D2dRequestComplete(Irp, STATUS_SUCCESS, 0);
}

static NTSTATUS
Signal(PD2D_DEMO_REQUESTS Requests, PIRP Irp)
{
    PD2D_DEMO_EVENTS events = ReadPointerAcquire((PVOID volatile *)&Requests->Events);

    if (events == NULL) {
        return D2dRequestComplete(Irp, STATUS_INVALID_DEVICE_STATE, 0);
    }
    D2dDemoEventsSet(events);
    return D2dRequestComplete(Irp, STATUS_SUCCESS, 0);
}

/*
 * Serves a request of the other driver. User mode cannot send these: they are
 * IRP_MJ_INTERNAL_DEVICE_CONTROL.
 */
_Use_decl_annotations_
NTSTATUS
D2dDemoRequestsDispatch(PD2D_DEMO_REQUESTS Requests, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    ULONG input = stack->Parameters.DeviceIoControl.InputBufferLength;
    ULONG output = stack->Parameters.DeviceIoControl.OutputBufferLength;
    ULONG number = sizeof(ULONGLONG);

    switch (stack->Parameters.DeviceIoControl.IoControlCode) {
    case IOCTL_D2D_PAIR_ADD:
        return input == number && output == number
                   ? Add(Irp)
                   : D2dRequestComplete(Irp, STATUS_INVALID_BUFFER_SIZE, 0);
    case IOCTL_D2D_PAIR_PEND:
        return input == number && output == number
                   ? Pend(Requests, Irp)
                   : D2dRequestComplete(Irp, STATUS_INVALID_BUFFER_SIZE, 0);
    case IOCTL_D2D_PAIR_COMPLETE:
        return input == sizeof(D2D_PAIR_COMPLETE)
                   ? Complete(Requests, Irp)
                   : D2dRequestComplete(Irp, STATUS_INVALID_BUFFER_SIZE, 0);
    case IOCTL_D2D_PAIR_SIGNAL:
        return Signal(Requests, Irp);
    default:
        return D2dRequestComplete(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
}

/* Completes all pended requests, and pends no more: the driver is being unloaded. */
_Use_decl_annotations_
VOID
D2dDemoRequestsClose(PD2D_DEMO_REQUESTS Requests)
{
    KIRQL irql;
    PIRP irp;

    do {
        KeAcquireSpinLock(&Requests->Lock, &irql);
        Requests->Closed = TRUE;
        irp = TakePended(Requests, NULL);
        KeReleaseSpinLock(&Requests->Lock, irql);
        if (irp != NULL) {
            D2dRequestComplete(irp, STATUS_CANCELLED, 0);
        }
    } while (irp != NULL);
}
