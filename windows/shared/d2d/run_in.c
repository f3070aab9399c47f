/* SPDX-License-Identifier: GPL-2.0 */
/* Runs code in one of the places where a driver's code can run, and waits for it. */
#include "d2d_lib.h"

typedef struct _RUN_IN {
    PD2D_ROUTINE Routine;
    PVOID Context;
    NTSTATUS Status;
    KEVENT Done;
    KTIMER Timer;
    KDPC Dpc;
} RUN_IN, *PRUN_IN;

static IO_WORKITEM_ROUTINE RunInWorker;
static KDEFERRED_ROUTINE RunInDpc;

#ifdef ALLOC_PRAGMA
#pragma alloc_text(PAGE, D2dRunIn)
#endif

static VOID
RunAndTell(PRUN_IN Run)
{
    Run->Status = Run->Routine(Run->Context);
    /* The waiting thread may free Run from here on. */
    KeSetEvent(&Run->Done, IO_NO_INCREMENT, FALSE);
}

_Use_decl_annotations_
static VOID NTAPI
RunInWorker(PDEVICE_OBJECT DeviceObject, PVOID Context)
{
    UNREFERENCED_PARAMETER(DeviceObject);
    RunAndTell(Context);
}

_Use_decl_annotations_
static VOID NTAPI
RunInDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(Argument1);
    UNREFERENCED_PARAMETER(Argument2);
    RunAndTell(Context);
}

/* The I/O manager holds a reference to the device until the work item has returned. */
static NTSTATUS
QueueWorker(PDEVICE_OBJECT DeviceObject, PRUN_IN Run)
{
    PIO_WORKITEM item = IoAllocateWorkItem(DeviceObject);

    if (item == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    IoQueueWorkItem(item, RunInWorker, DelayedWorkQueue, Run);
    KeWaitForSingleObject(&Run->Done, Executive, KernelMode, FALSE, NULL);
    /* Allowed while RunInWorker returns: the I/O manager does not use the item after calling it. */
    IoFreeWorkItem(item);
    return Run->Status;
}

/*
 * Sets a timer that is due at once, which queues the DPC. KeInsertQueueDpc would do, but does
 * nothing under Wine.
 */
static NTSTATUS
QueueDpc(PRUN_IN Run)
{
    LARGE_INTEGER now = { .QuadPart = 0 };

    KeInitializeTimer(&Run->Timer);
    KeInitializeDpc(&Run->Dpc, RunInDpc, Run);
    KeSetTimer(&Run->Timer, now, &Run->Dpc);
    KeWaitForSingleObject(&Run->Done, Executive, KernelMode, FALSE, NULL);
    KeWaitForSingleObject(&Run->Timer, Executive, KernelMode, FALSE, NULL);
    KeCancelTimer(&Run->Timer);
    /* RunInDpc has set Done, but may not have returned: until then, its code must stay loaded. */
    KeFlushQueuedDpcs();
    return Run->Status;
}

/*
 * Runs the routine in the place. Returns what the routine returns, or
 * STATUS_INSUFFICIENT_RESOURCES.
 */
_Use_decl_annotations_
NTSTATUS
D2dRunIn(PDEVICE_OBJECT DeviceObject, D2D_PLACE Place, PD2D_ROUTINE Routine, PVOID Context)
{
    NTSTATUS status;
    PRUN_IN run;

    PAGED_CODE();
    if (Place == D2dPlaceSyscall) {
        return Routine(Context);
    }
    run = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(*run), D2D_POOL_TAG);
    if (run == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    run->Routine = Routine;
    run->Context = Context;
    KeInitializeEvent(&run->Done, NotificationEvent, FALSE);
    status = Place == D2dPlaceWorker ? QueueWorker(DeviceObject, run) : QueueDpc(run);
    ExFreePoolWithTag(run, D2D_POOL_TAG);
    return status;
}
