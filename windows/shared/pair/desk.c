/* SPDX-License-Identifier: GPL-2.0 */
/* The requests that both drivers of the pair serve. IRQL <= DISPATCH_LEVEL. */
#include "d2d_pair.h"

/* A pending IRP is the driver's: where it keeps what it needs to find its way back. */
#define DESK_OF(irp)    (*(PD2D_DESK *)&(irp)->Tail.Overlay.DriverContext[0])

static DRIVER_CANCEL CancelHeld;

VOID
D2dDeskInitialize(PD2D_DESK Desk)
{
    KeInitializeSpinLock(&Desk->Lock);
    InitializeListHead(&Desk->Held);
    Desk->Signals = NULL;
    Desk->Closed = FALSE;
}

/*
 * Lays the driver's events ready to be set. They have to stay until nobody can send
 * requests any more.
 */
VOID
D2dDeskSetSignals(PD2D_DESK Desk, PD2D_SIGNALS Signals)
{
    InterlockedExchangePointer((PVOID volatile *)&Desk->Signals, Signals);
}

static NTSTATUS
Add(PIRP Irp)
{
    PULONGLONG value = Irp->AssociatedIrp.SystemBuffer;

    *value += 1;
    return D2dRequestComplete(Irp, STATUS_SUCCESS, sizeof(*value));
}

/*
 * Called by IoCancelIrp with the cancel lock held. It has taken the routine out of the
 * IRP, so nobody else completes it.
 */
static VOID NTAPI
CancelHeld(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PD2D_DESK desk = DESK_OF(Irp);
    KIRQL irql;

    UNREFERENCED_PARAMETER(DeviceObject);
    IoReleaseCancelSpinLock(Irp->CancelIrql);
    KeAcquireSpinLock(&desk->Lock, &irql);
    RemoveEntryList(&Irp->Tail.Overlay.ListEntry);
    KeReleaseSpinLock(&desk->Lock, irql);
    D2dRequestComplete(Irp, STATUS_CANCELLED, 0);
}

/* Leaves a request pending. From the release of the lock on it may be gone. */
static NTSTATUS
Hold(PD2D_DESK Desk, PIRP Irp)
{
    NTSTATUS status = STATUS_PENDING;
    KIRQL irql;

    D2dTrace("pend", "code=0x%08x", IOCTL_D2D_PAIR_HOLD);
    KeAcquireSpinLock(&Desk->Lock, &irql);
    if (Desk->Closed) {
        status = STATUS_DELETE_PENDING;
    } else {
        DESK_OF(Irp) = Desk;
        IoSetCancelRoutine(Irp, CancelHeld);
        if (Irp->Cancel && IoSetCancelRoutine(Irp, NULL) != NULL) {
            /* It was cancelled before, and CancelHeld will not be called. */
            status = STATUS_CANCELLED;
        } else {
            /* If CancelHeld is called already, it waits for the lock. */
            IoMarkIrpPending(Irp);
            InsertTailList(&Desk->Held, &Irp->Tail.Overlay.ListEntry);
        }
    }
    KeReleaseSpinLock(&Desk->Lock, irql);
    return status == STATUS_PENDING ? status : D2dRequestComplete(Irp, status, 0);
}

/*
 * Takes a request that is pending, with this key or (NULL) any, off the list. The lock is
 * held. One that is being cancelled is left to CancelHeld.
 */
static PIRP
TakeHeld(PD2D_DESK Desk, const ULONGLONG *Key)
{
    PLIST_ENTRY entry;

    for (entry = Desk->Held.Flink; entry != &Desk->Held; entry = entry->Flink) {
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
Release(PD2D_DESK Desk, PIRP Irp)
{
    const D2D_PAIR_RELEASE *release = Irp->AssociatedIrp.SystemBuffer;
    PULONGLONG output;
    KIRQL irql;
    PIRP held;

    KeAcquireSpinLock(&Desk->Lock, &irql);
    held = TakeHeld(Desk, &release->Key);
    KeReleaseSpinLock(&Desk->Lock, irql);
    if (held == NULL) {
        return D2dRequestComplete(Irp, STATUS_NOT_FOUND, 0);
    }
    output = held->AssociatedIrp.SystemBuffer;
    *output = release->Value;
    D2dRequestComplete(held, STATUS_SUCCESS, sizeof(*output));
    return D2dRequestComplete(Irp, STATUS_SUCCESS, 0);
}

static NTSTATUS
Signal(PD2D_DESK Desk, PIRP Irp)
{
    PD2D_SIGNALS signals = ReadPointerAcquire((PVOID volatile *)&Desk->Signals);

    if (signals == NULL) {
        return D2dRequestComplete(Irp, STATUS_INVALID_DEVICE_STATE, 0);
    }
    D2dSignalsSet(signals);
    return D2dRequestComplete(Irp, STATUS_SUCCESS, 0);
}

/*
 * Serves a request of the other driver, IRP_MJ_INTERNAL_DEVICE_CONTROL, which user mode
 * cannot send.
 */
NTSTATUS
D2dDeskDispatch(PD2D_DESK Desk, PIRP Irp)
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
    case IOCTL_D2D_PAIR_HOLD:
        return input == number && output == number
                   ? Hold(Desk, Irp)
                   : D2dRequestComplete(Irp, STATUS_INVALID_BUFFER_SIZE, 0);
    case IOCTL_D2D_PAIR_RELEASE:
        return input == sizeof(D2D_PAIR_RELEASE)
                   ? Release(Desk, Irp)
                   : D2dRequestComplete(Irp, STATUS_INVALID_BUFFER_SIZE, 0);
    case IOCTL_D2D_PAIR_SIGNAL:
        return Signal(Desk, Irp);
    default:
        return D2dRequestComplete(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
}

/* The driver leaves: completes what is pending, and leaves nothing pending any more. */
VOID
D2dDeskClose(PD2D_DESK Desk)
{
    KIRQL irql;
    PIRP irp;

    do {
        KeAcquireSpinLock(&Desk->Lock, &irql);
        Desk->Closed = TRUE;
        irp = TakeHeld(Desk, NULL);
        KeReleaseSpinLock(&Desk->Lock, irql);
        if (irp != NULL) {
            D2dRequestComplete(irp, STATUS_CANCELLED, 0);
        }
    } while (irp != NULL);
}
