/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The alarm leaves requests of the sleeper pending, and completes each at its time, in the DPC of a
 * timer that is set for the request that is due first. It does the same with calls of user mode,
 * for which it has a second device. It is loaded before the sleeper.
 */
#include <initguid.h>
#include "alarm_pair.h"

#define TAG 'mrlA'

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;
_Dispatch_type_(IRP_MJ_CREATE)
static DRIVER_DISPATCH DispatchCreate;
_Dispatch_type_(IRP_MJ_CLEANUP)
_Dispatch_type_(IRP_MJ_CLOSE)
static DRIVER_DISPATCH DispatchCleanup;
_Dispatch_type_(IRP_MJ_DEVICE_CONTROL)
static DRIVER_DISPATCH DispatchControl;
_Dispatch_type_(IRP_MJ_INTERNAL_DEVICE_CONTROL)
static DRIVER_DISPATCH DispatchInternal;
_Dispatch_type_(IRP_MJ_PNP)
static DRIVER_DISPATCH DispatchPnp;
static DRIVER_CANCEL CancelRing;
static KDEFERRED_ROUTINE Expired;
static ALARM_WAITING Waiting;

#ifdef ALLOC_PRAGMA
#pragma alloc_text(INIT, DriverEntry)
#pragma alloc_text(PAGE, Unload, DispatchCreate, DispatchCleanup, DispatchPnp)
#endif

/* {5B8C2D14-7E0A-4C39-9B5F-0D6A1E27C3D4} */
static const GUID DeviceClass = {
    0x5b8c2d14, 0x7e0a, 0x4c39, { 0x9b, 0x5f, 0x0d, 0x6a, 0x1e, 0x27, 0xc3, 0xd4 }
};

/* {5B8C2D14-7E0A-4C39-9B5F-0D6A1E27C3F6} */
static const GUID CallsDeviceClass = {
    0x5b8c2d14, 0x7e0a, 0x4c39, { 0x9b, 0x5f, 0x0d, 0x6a, 0x1e, 0x27, 0xc3, 0xf6 }
};

/* A request or a call that is pending. */
typedef struct _RING {
    LIST_ENTRY Node;            /* in Alarm.Waiting; alone in its list once Take removed it */
    PIRP Irp;
    LONGLONG Due;               /* in units of 100 ns */
} RING, *PRING;

#define RING_OF(Irp)    (*(PRING *)&(Irp)->Tail.Overlay.DriverContext[0])

/*
 * Not NULL once user mode has closed the last handle of the file. The alarm stores nothing else in
 * FsContext, and reads and writes it under its lock.
 */
#define CLOSED(File)    ((File)->FsContext)

static struct {
    PDEVICE_OBJECT Device;
    PDEVICE_OBJECT CallsDevice;
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

/*
 * Removes the first request or call that is due at Time, or came by File (unless that is NULL), and
 * was not cancelled. Returns NULL if there is none.
 */
static PRING
Take(LONGLONG Time, PFILE_OBJECT File)
{
    PLIST_ENTRY node;
    PRING taken = NULL;
    KIRQL irql;

    KeAcquireSpinLock(&Alarm.Lock, &irql);
    node = Alarm.Waiting.Flink;
    while (taken == NULL && node != &Alarm.Waiting) {
        PRING ring = CONTAINING_RECORD(node, RING, Node);

        node = node->Flink;
        if (ring->Due > Time &&
            (File == NULL || IoGetCurrentIrpStackLocation(ring->Irp)->FileObject != File)) {
            continue;
        }
        /* CancelRing may wait for the lock. Then it removes the node again, which does no harm. */
        RemoveEntryList(&ring->Node);
        InitializeListHead(&ring->Node);
        if (IoSetCancelRoutine(ring->Irp, NULL) != NULL) {
            taken = ring;
        }
    }
    if (taken != NULL && File != NULL) {
        Alarm.Cancelled++;
    } else if (taken != NULL) {
        *(PULONGLONG)taken->Irp->AssociatedIrp.SystemBuffer = Alarm.Rang++;
    }
    KeReleaseSpinLock(&Alarm.Lock, irql);
    return taken;
}

/* From here on, no call that came by the file is left pending. */
static VOID
Close(PFILE_OBJECT File)
{
    KIRQL irql;

    KeAcquireSpinLock(&Alarm.Lock, &irql);
    CLOSED(File) = &Alarm;
    KeReleaseSpinLock(&Alarm.Lock, irql);
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
    while ((ring = Take(now, NULL)) != NULL) {
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
 * out of the IRP. So nobody else completes the IRP. The caller of IoCancelIrp, the sleeper or the I/O
 * manager, has the file open until this returns, which keeps the alarm loaded.
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
    PFILE_OBJECT file = IoGetCurrentIrpStackLocation(Irp)->FileObject;
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
    if (file != NULL && CLOSED(file) != NULL) {
        /* Another thread has closed the handle meanwhile: DispatchCleanup does not find this call. */
        status = STATUS_CANCELLED;
    } else {
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
    }
    KeReleaseSpinLock(&Alarm.Lock, irql);
    if (status == STATUS_CANCELLED) {
        ExFreeToNPagedLookasideList(&Alarm.Rings, ring);
        (VOID)Complete(Irp, status, 0);
    }
    return status;
}

/* Leaves a request or a call pending, if its code is Code and its buffers are right. */
static NTSTATUS
CheckAndPend(PIRP Irp, ULONG Code)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    const ULONG *after = Irp->AssociatedIrp.SystemBuffer;

    if (stack->Parameters.DeviceIoControl.IoControlCode != Code) {
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
static NTSTATUS NTAPI
DispatchInternal(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    UNREFERENCED_PARAMETER(DeviceObject);
    if (Irp->RequestorMode != KernelMode) {
        return Complete(Irp, STATUS_INVALID_PARAMETER, 0);
    }
    return CheckAndPend(Irp, IOCTL_ALARM_RING);
}

/* Pends a call. If its thread calls CancelIo or ends, the I/O manager calls CancelRing. */
_Use_decl_annotations_
static NTSTATUS NTAPI
DispatchControl(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    UNREFERENCED_PARAMETER(DeviceObject);
    return CheckAndPend(Irp, IOCTL_ALARM_WAIT);
}

/*
 * Cancels the calls of a file whose last handle user mode has closed. Windows calls this for
 * IRP_MJ_CLEANUP, and then for IRP_MJ_CLOSE, when no call is left. Wine calls it for IRP_MJ_CLOSE
 * only.
 */
_Use_decl_annotations_
static NTSTATUS NTAPI
DispatchCleanup(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PFILE_OBJECT file = IoGetCurrentIrpStackLocation(Irp)->FileObject;
    PRING ring;

    PAGED_CODE();
    UNREFERENCED_PARAMETER(DeviceObject);
    if (file != NULL) {
        Close(file);
    }
    while (file != NULL && (ring = Take(MINLONGLONG, file)) != NULL) {
        PIRP irp = ring->Irp;

        ExFreeToNPagedLookasideList(&Alarm.Rings, ring);
        (VOID)Complete(irp, STATUS_CANCELLED, 0);
    }
    return Complete(Irp, STATUS_SUCCESS, 0);
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
        /* The rule for a request that a driver does not know: leave what its IoStatus says. */
        return Complete(Irp, Irp->IoStatus.Status, Irp->IoStatus.Information);
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
    /* The asker calls InterfaceDereference when it needs the interface no more. */
    offered->Header.InterfaceReference(offered->Header.Context);
    return Complete(Irp, STATUS_SUCCESS, 0);
}

_Use_decl_annotations_
static NTSTATUS NTAPI
DispatchCreate(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PAGED_CODE();
    UNREFERENCED_PARAMETER(DeviceObject);
    return Complete(Irp, STATUS_SUCCESS, 0);
}

/*
 * The I/O manager calls this when neither the sleeper nor user mode has a device open any more. So
 * nothing is pending.
 */
_Use_decl_annotations_
static VOID NTAPI
Unload(PDRIVER_OBJECT DriverObject)
{
    UNICODE_STRING link = RTL_CONSTANT_STRING(CALLS_LINK);

    PAGED_CODE();
    UNREFERENCED_PARAMETER(DriverObject);
    KeCancelTimer(&Alarm.Timer);
    KeFlushQueuedDpcs();
    DbgPrint("alarm: unload rang=%I64u cancelled=%I64u\n", Alarm.Rang, Alarm.Cancelled);
    ExDeleteNPagedLookasideList(&Alarm.Rings);
    (VOID)IoDeleteSymbolicLink(&link);
    IoDeleteDevice(Alarm.CallsDevice);
    IoDeleteDevice(Alarm.Device);
}

/* Makes the device that the sleeper opens in kernel mode, and the device that user mode opens. */
static NTSTATUS
CreateDevices(PDRIVER_OBJECT DriverObject)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(ALARM_DEVICE);
    UNICODE_STRING calls = RTL_CONSTANT_STRING(CALLS_DEVICE);
    UNICODE_STRING link = RTL_CONSTANT_STRING(CALLS_LINK);
    NTSTATUS status;

    status = IoCreateDeviceSecure(DriverObject, 0, &name, FILE_DEVICE_UNKNOWN,
                                  FILE_DEVICE_SECURE_OPEN, FALSE, &SDDL_DEVOBJ_KERNEL_ONLY,
                                  &DeviceClass, &Alarm.Device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = IoCreateDeviceSecure(DriverObject, 0, &calls, FILE_DEVICE_UNKNOWN,
                                  FILE_DEVICE_SECURE_OPEN, FALSE, &SDDL_DEVOBJ_SYS_ALL_ADM_ALL,
                                  &CallsDeviceClass, &Alarm.CallsDevice);
    if (!NT_SUCCESS(status)) {
        goto delete_device;
    }
    status = IoCreateSymbolicLink(&link, &calls);
    if (!NT_SUCCESS(status)) {
        goto delete_calls_device;
    }
    return STATUS_SUCCESS;

delete_calls_device:
    IoDeleteDevice(Alarm.CallsDevice);
delete_device:
    IoDeleteDevice(Alarm.Device);
    return status;
}

_Use_decl_annotations_
NTSTATUS NTAPI
DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    NTSTATUS status;

    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->DriverUnload = Unload;
    DriverObject->MajorFunction[IRP_MJ_CREATE] = DispatchCreate;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = DispatchCleanup;
    DriverObject->MajorFunction[IRP_MJ_CLEANUP] = DispatchCleanup;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = DispatchControl;
    DriverObject->MajorFunction[IRP_MJ_INTERNAL_DEVICE_CONTROL] = DispatchInternal;
    DriverObject->MajorFunction[IRP_MJ_PNP] = DispatchPnp;
    KeInitializeSpinLock(&Alarm.Lock);
    InitializeListHead(&Alarm.Waiting);
    KeInitializeTimer(&Alarm.Timer);
    KeInitializeDpc(&Alarm.Dpc, Expired, NULL);
    ExInitializeNPagedLookasideList(&Alarm.Rings, NULL, NULL, POOL_NX_ALLOCATION, sizeof(RING),
                                    TAG, 0);
    status = CreateDevices(DriverObject);
    if (!NT_SUCCESS(status)) {
        ExDeleteNPagedLookasideList(&Alarm.Rings);
    }
    return status;
}
