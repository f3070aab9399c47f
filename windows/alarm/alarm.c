/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The alarm leaves requests pending, and completes each at its time, in the DPC of a timer that
 * runs only while a request is pending. It is loaded before the sleeper.
 */
#include <initguid.h>
#include "alarm_pair.h"

#define TAG 'mrlA'

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;
_Dispatch_type_(IRP_MJ_CREATE)
_Dispatch_type_(IRP_MJ_CLEANUP)
_Dispatch_type_(IRP_MJ_CLOSE)
static DRIVER_DISPATCH DispatchCreateClose;
_Dispatch_type_(IRP_MJ_INTERNAL_DEVICE_CONTROL)
static DRIVER_DISPATCH DispatchInternal;
_Dispatch_type_(IRP_MJ_PNP)
static DRIVER_DISPATCH DispatchPnp;
static DRIVER_CANCEL CancelRing;
static KDEFERRED_ROUTINE Expired;
static ALARM_WAITING Waiting;

#ifdef ALLOC_PRAGMA
#pragma alloc_text(INIT, DriverEntry)
#pragma alloc_text(PAGE, Unload, DispatchCreateClose, DispatchPnp)
#endif

/* {5B8C2D14-7E0A-4C39-9B5F-0D6A1E27C3D4} */
static const GUID DeviceClass = {
    0x5b8c2d14, 0x7e0a, 0x4c39, { 0x9b, 0x5f, 0x0d, 0x6a, 0x1e, 0x27, 0xc3, 0xd4 }
};

/* A request that is pending. */
typedef struct _RING {
    LIST_ENTRY Node;            /* in Alarm.Waiting; empty once the request was taken */
    PIRP Irp;
    LONGLONG Due;               /* in units of 100 ns */
} RING, *PRING;

#define RING_OF(Irp)    (*(PRING *)&(Irp)->Tail.Overlay.DriverContext[0])

static struct {
    PDEVICE_OBJECT Device;
    NPAGED_LOOKASIDE_LIST Rings;
    KTIMER Timer;
    KDPC Dpc;
    KSPIN_LOCK Lock;            /* protects all below */
    LIST_ENTRY Waiting;
    ULONGLONG Rang;
    ULONGLONG Cancelled;
} Alarm;

static NTSTATUS
Complete(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

/* Returns a time in units of 100 ns. */
static LONGLONG
Now(VOID)
{
    LARGE_INTEGER frequency;
    LARGE_INTEGER counter = KeQueryPerformanceCounter(&frequency);
    LONGLONG seconds = counter.QuadPart / frequency.QuadPart;
    LONGLONG rest = counter.QuadPart % frequency.QuadPart;

    return seconds * 10000000 + rest * 10000000 / frequency.QuadPart;
}

/* Starts the timer for the request that is due first. The caller holds the lock. */
static VOID
Arm(VOID)
{
    LARGE_INTEGER due = { .QuadPart = MAXLONGLONG };
    PLIST_ENTRY node;

    for (node = Alarm.Waiting.Flink; node != &Alarm.Waiting; node = node->Flink) {
        PRING ring = CONTAINING_RECORD(node, RING, Node);

        if (ring->Due < due.QuadPart) {
            due.QuadPart = ring->Due;
        }
    }
    if (due.QuadPart != MAXLONGLONG) {
        LONGLONG now = Now();

        due.QuadPart = due.QuadPart > now ? now - due.QuadPart : -1;
        KeSetTimer(&Alarm.Timer, due, &Alarm.Dpc);
    }
}

/* Removes a request that is due and was not cancelled. Returns NULL if there is none. */
static PRING
TakeDue(LONGLONG Time)
{
    PLIST_ENTRY node;
    PRING taken = NULL;
    KIRQL irql;

    KeAcquireSpinLock(&Alarm.Lock, &irql);
    node = Alarm.Waiting.Flink;
    while (taken == NULL && node != &Alarm.Waiting) {
        PRING ring = CONTAINING_RECORD(node, RING, Node);

        node = node->Flink;
        if (ring->Due > Time) {
            continue;
        }
        /* If CancelRing waits for the lock, it removes the node once more: let it. */
        RemoveEntryList(&ring->Node);
        InitializeListHead(&ring->Node);
        if (IoSetCancelRoutine(ring->Irp, NULL) != NULL) {
            taken = ring;
        }
    }
    if (taken != NULL) {
        *(PULONGLONG)taken->Irp->AssociatedIrp.SystemBuffer = Alarm.Rang++;
    }
    KeReleaseSpinLock(&Alarm.Lock, irql);
    return taken;
}

_Use_decl_annotations_
static VOID NTAPI
Expired(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    LONGLONG now = Now();
    PRING ring;
    KIRQL irql;

    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Argument1);
    UNREFERENCED_PARAMETER(Argument2);
    while ((ring = TakeDue(now)) != NULL) {
        PIRP irp = ring->Irp;

        ExFreeToNPagedLookasideList(&Alarm.Rings, ring);
        (VOID)Complete(irp, STATUS_SUCCESS, sizeof(ULONGLONG));
    }
    KeAcquireSpinLock(&Alarm.Lock, &irql);
    Arm();
    KeReleaseSpinLock(&Alarm.Lock, irql);
}

/*
 * IoCancelIrp calls this, with the cancel spin lock held, after it has taken the cancel routine
 * out of the IRP. So nobody else completes the IRP.
 */
_Use_decl_annotations_
static VOID NTAPI
CancelRing(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PRING ring = RING_OF(Irp);
    KIRQL irql;

    UNREFERENCED_PARAMETER(DeviceObject);
    IoReleaseCancelSpinLock(Irp->CancelIrql);
    KeAcquireSpinLock(&Alarm.Lock, &irql);
    RemoveEntryList(&ring->Node);
    Alarm.Cancelled++;
    KeReleaseSpinLock(&Alarm.Lock, irql);
    ExFreeToNPagedLookasideList(&Alarm.Rings, ring);
    (VOID)Complete(Irp, STATUS_CANCELLED, 0);
}

static NTSTATUS
Pend(PIRP Irp, ULONG After)
{
    PRING ring = ExAllocateFromNPagedLookasideList(&Alarm.Rings);
    NTSTATUS status = STATUS_PENDING;
    KIRQL irql;

    if (ring == NULL) {
        return Complete(Irp, STATUS_INSUFFICIENT_RESOURCES, 0);
    }
    ring->Irp = Irp;
    ring->Due = Now() + After * 10000LL;
    RING_OF(Irp) = ring;
    KeAcquireSpinLock(&Alarm.Lock, &irql);
    IoSetCancelRoutine(Irp, CancelRing);
    if (Irp->Cancel && IoSetCancelRoutine(Irp, NULL) != NULL) {
        /* The IRP was cancelled before; IoCancelIrp will not call CancelRing. */
        status = STATUS_CANCELLED;
    } else {
        /* If CancelRing runs already, it waits for the lock. */
        IoMarkIrpPending(Irp);
        InsertTailList(&Alarm.Waiting, &ring->Node);
        Arm();
    }
    KeReleaseSpinLock(&Alarm.Lock, irql);
    if (status == STATUS_CANCELLED) {
        ExFreeToNPagedLookasideList(&Alarm.Rings, ring);
        (VOID)Complete(Irp, status, 0);
    }
    return status;
}

_Use_decl_annotations_
static NTSTATUS NTAPI
DispatchInternal(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    const ULONG *after = Irp->AssociatedIrp.SystemBuffer;

    UNREFERENCED_PARAMETER(DeviceObject);
    if (Irp->RequestorMode != KernelMode) {
        return Complete(Irp, STATUS_INVALID_PARAMETER, 0);
    }
    if (stack->Parameters.DeviceIoControl.IoControlCode != IOCTL_ALARM_RING) {
        return Complete(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
    if (stack->Parameters.DeviceIoControl.InputBufferLength != sizeof(*after) ||
        stack->Parameters.DeviceIoControl.OutputBufferLength != sizeof(ULONGLONG)) {
        return Complete(Irp, STATUS_INVALID_BUFFER_SIZE, 0);
    }
    if (*after < 1 || *after > ALARM_LONGEST) {
        return Complete(Irp, STATUS_INVALID_PARAMETER, 0);
    }
    return Pend(Irp, *after);
}

_Use_decl_annotations_
static ULONG NTAPI
Waiting(PVOID Context)
{
    PLIST_ENTRY node;
    ULONG count = 0;
    KIRQL irql;

    UNREFERENCED_PARAMETER(Context);
    KeAcquireSpinLock(&Alarm.Lock, &irql);
    for (node = Alarm.Waiting.Flink; node != &Alarm.Waiting; node = node->Flink) {
        count++;
    }
    KeReleaseSpinLock(&Alarm.Lock, irql);
    return count;
}

/* The sleeper's file object keeps the alarm loaded, so there is nothing to count. */
static VOID NTAPI
NoReference(PVOID Context)
{
    UNREFERENCED_PARAMETER(Context);
}

_Use_decl_annotations_
static NTSTATUS NTAPI
DispatchPnp(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    PALARM_INTERFACE offered;

    PAGED_CODE();
    UNREFERENCED_PARAMETER(DeviceObject);
    if (stack->MinorFunction != IRP_MN_QUERY_INTERFACE ||
        !IsEqualGUID(stack->Parameters.QueryInterface.InterfaceType, &GUID_ALARM_INTERFACE)) {
        return Complete(Irp, Irp->IoStatus.Status, 0);
    }
    if (stack->Parameters.QueryInterface.Size < sizeof(*offered) ||
        stack->Parameters.QueryInterface.Version != ALARM_VERSION) {
        return Complete(Irp, STATUS_REVISION_MISMATCH, 0);
    }
    offered = (PALARM_INTERFACE)stack->Parameters.QueryInterface.Interface;
    offered->Header.Size = sizeof(*offered);
    offered->Header.Version = ALARM_VERSION;
    offered->Header.Context = NULL;
    offered->Header.InterfaceReference = NoReference;
    offered->Header.InterfaceDereference = NoReference;
    offered->Waiting = Waiting;
    return Complete(Irp, STATUS_SUCCESS, 0);
}

_Use_decl_annotations_
static NTSTATUS NTAPI
DispatchCreateClose(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PAGED_CODE();
    UNREFERENCED_PARAMETER(DeviceObject);
    return Complete(Irp, STATUS_SUCCESS, 0);
}

/* The I/O manager calls this when the sleeper does not have the device open any more. */
_Use_decl_annotations_
static VOID NTAPI
Unload(PDRIVER_OBJECT DriverObject)
{
    PAGED_CODE();
    UNREFERENCED_PARAMETER(DriverObject);
    KeCancelTimer(&Alarm.Timer);
    KeFlushQueuedDpcs();
    DbgPrint("alarm: unload rang=%I64u cancelled=%I64u\n", Alarm.Rang, Alarm.Cancelled);
    ExDeleteNPagedLookasideList(&Alarm.Rings);
    IoDeleteDevice(Alarm.Device);
}

_Use_decl_annotations_
NTSTATUS NTAPI
DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(ALARM_DEVICE);
    NTSTATUS status;

    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->DriverUnload = Unload;
    DriverObject->MajorFunction[IRP_MJ_CREATE] = DispatchCreateClose;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = DispatchCreateClose;
    DriverObject->MajorFunction[IRP_MJ_CLEANUP] = DispatchCreateClose;
    DriverObject->MajorFunction[IRP_MJ_INTERNAL_DEVICE_CONTROL] = DispatchInternal;
    DriverObject->MajorFunction[IRP_MJ_PNP] = DispatchPnp;
    KeInitializeSpinLock(&Alarm.Lock);
    InitializeListHead(&Alarm.Waiting);
    KeInitializeTimer(&Alarm.Timer);
    KeInitializeDpc(&Alarm.Dpc, Expired, NULL);
    ExInitializeNPagedLookasideList(&Alarm.Rings, NULL, NULL, 0, sizeof(RING), TAG, 0);
    /* The sleeper opens the device in kernel mode; nobody else can. */
    status = IoCreateDeviceSecure(DriverObject, 0, &name, FILE_DEVICE_UNKNOWN,
                                  FILE_DEVICE_SECURE_OPEN, FALSE, &SDDL_DEVOBJ_KERNEL_ONLY,
                                  &DeviceClass, &Alarm.Device);
    if (!NT_SUCCESS(status)) {
        ExDeleteNPagedLookasideList(&Alarm.Rings);
    }
    return status;
}
