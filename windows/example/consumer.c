/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The consumer gets the sensor's block. When user mode asks for samples, it sets the sensor's
 * rate and takes the samples that the sensor raises.
 */
#include "sensor_pair.h"

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;
_Dispatch_type_(IRP_MJ_CREATE)
_Dispatch_type_(IRP_MJ_CLEANUP)
_Dispatch_type_(IRP_MJ_CLOSE)
static DRIVER_DISPATCH DispatchCreateClose;
_Dispatch_type_(IRP_MJ_DEVICE_CONTROL)
static DRIVER_DISPATCH DispatchControl;
_Dispatch_type_(IRP_MJ_INTERNAL_DEVICE_CONTROL)
static DRIVER_DISPATCH DispatchInternal;

#ifdef ALLOC_PRAGMA
#pragma alloc_text(INIT, DriverEntry)
#pragma alloc_text(PAGE, Unload, DispatchCreateClose, DispatchControl)
#endif

/* {5B8C2D14-7E0A-4C39-9B5F-0D6A1E27C3C3} */
static const GUID DeviceClass = {
    0x5b8c2d14, 0x7e0a, 0x4c39, { 0x9b, 0x5f, 0x0d, 0x6a, 0x1e, 0x27, 0xc3, 0xc3 }
};

/* Longest wait for the next samples, in units of 100 ns, relative. */
#define PATIENCE    (-2000LL * 10000)

static struct {
    PDEVICE_OBJECT Device;
    PSENSOR_BLOCK Block;        /* the sensor's; NULL if the sensor is not loaded */
    EX_RUNDOWN_REF Rundown;     /* held while the block is used */
    KMUTEX Collecting;          /* held while the samples of one call are taken */
} Consumer;

/* Takes all samples, and returns their number. */
static ULONG
Drain(PSENSOR_BLOCK Block, PULONGLONG Sum)
{
    PSAMPLE sample;
    ULONG count = 0;
    KIRQL irql;

    KeAcquireSpinLock(&Block->Lock, &irql);
    while (!IsListEmpty(&Block->Samples)) {
        sample = CONTAINING_RECORD(RemoveHeadList(&Block->Samples), SAMPLE, Node);
        *Sum += sample->Value;
        InsertTailList(&Block->Free, &sample->Node);
        count++;
    }
    KeReleaseSpinLock(&Block->Lock, irql);
    return count;
}

static NTSTATUS
CollectBurst(PSENSOR_BLOCK Block, ULONG Period)
{
    LARGE_INTEGER patience = { .QuadPart = PATIENCE };
    ULONGLONG sum = 0;
    ULONG taken = 0;
    NTSTATUS status;
    ULONG before;

    status = Block->SetRate(Block, Period, &before);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    while (taken < SENSOR_BURST) {
        status = KeWaitForSingleObject(&Block->Ready, Executive, KernelMode, FALSE, &patience);
        if (status != STATUS_SUCCESS) {
            return STATUS_IO_TIMEOUT;
        }
        taken += Drain(Block, &sum);
    }
    DbgPrint("consumer: collected samples=%u sum=%I64u\n", taken, sum);
    return STATUS_SUCCESS;
}

/* Fails if there is no block: the sensor is not loaded. */
static NTSTATUS
Collect(ULONG Period)
{
    NTSTATUS status;

    if (!ExAcquireRundownProtection(&Consumer.Rundown)) {
        return STATUS_DELETE_PENDING;
    }
    /* A KMUTEX and not a fast mutex, because a thread should not wait for long at APC_LEVEL. */
    KeWaitForSingleObject(&Consumer.Collecting, Executive, KernelMode, FALSE, NULL);
    status = CollectBurst(Consumer.Block, Period);
    KeReleaseMutex(&Consumer.Collecting, FALSE);
    ExReleaseRundownProtection(&Consumer.Rundown);
    return status;
}

static NTSTATUS
Complete(PIRP Irp, NTSTATUS Status)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

/* Waits until no thread uses the block. After that none can, until there is another block. */
static VOID
RunDown(VOID)
{
    ExWaitForRundownProtectionRelease(&Consumer.Rundown);
    ExRundownCompleted(&Consumer.Rundown);
}

static NTSTATUS
Adopt(PSENSOR_BLOCK Block)
{
    if (Block->Size != sizeof(*Block) || Block->Version != SENSOR_VERSION) {
        return STATUS_REVISION_MISMATCH;
    }
    if (InterlockedCompareExchangePointer((PVOID volatile *)&Consumer.Block, Block, NULL) != NULL) {
        return STATUS_DEVICE_BUSY;
    }
    ExReInitializeRundownProtection(&Consumer.Rundown);
    return STATUS_SUCCESS;
}

static NTSTATUS
GiveBack(PSENSOR_BLOCK Block)
{
    if (Block != Consumer.Block) {
        return STATUS_NOT_FOUND;
    }
    RunDown();
    Consumer.Block = NULL;
    return STATUS_SUCCESS;
}

/* The sensor calls this at PASSIVE_LEVEL. */
_Use_decl_annotations_
static NTSTATUS NTAPI
DispatchInternal(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);

    UNREFERENCED_PARAMETER(DeviceObject);
    /* METHOD_NEITHER: nobody has checked the pointer, so only the kernel may send it. */
    if (Irp->RequestorMode != KernelMode || Irp->UserBuffer == NULL ||
        stack->Parameters.DeviceIoControl.OutputBufferLength != sizeof(SENSOR_BLOCK)) {
        return Complete(Irp, STATUS_INVALID_PARAMETER);
    }
    switch (stack->Parameters.DeviceIoControl.IoControlCode) {
    case IOCTL_SENSOR_SHARE:
        return Complete(Irp, Adopt(Irp->UserBuffer));
    case IOCTL_SENSOR_TAKE_BACK:
        return Complete(Irp, GiveBack(Irp->UserBuffer));
    default:
        return Complete(Irp, STATUS_INVALID_DEVICE_REQUEST);
    }
}

_Use_decl_annotations_
static NTSTATUS NTAPI
DispatchControl(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    const ULONG *period = Irp->AssociatedIrp.SystemBuffer;

    PAGED_CODE();
    UNREFERENCED_PARAMETER(DeviceObject);
    if (stack->Parameters.DeviceIoControl.IoControlCode != IOCTL_CONSUMER_COLLECT) {
        return Complete(Irp, STATUS_INVALID_DEVICE_REQUEST);
    }
    if (stack->Parameters.DeviceIoControl.InputBufferLength != sizeof(*period)) {
        return Complete(Irp, STATUS_INVALID_BUFFER_SIZE);
    }
    return Complete(Irp, Collect(*period));
}

_Use_decl_annotations_
static NTSTATUS NTAPI
DispatchCreateClose(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PAGED_CODE();
    UNREFERENCED_PARAMETER(DeviceObject);
    return Complete(Irp, STATUS_SUCCESS);
}

/* The I/O manager calls this when nobody, including the sensor, has the device open any more. */
_Use_decl_annotations_
static VOID NTAPI
Unload(PDRIVER_OBJECT DriverObject)
{
    UNICODE_STRING link = RTL_CONSTANT_STRING(CONSUMER_LINK);

    PAGED_CODE();
    UNREFERENCED_PARAMETER(DriverObject);
    (VOID)IoDeleteSymbolicLink(&link);
    IoDeleteDevice(Consumer.Device);
}

_Use_decl_annotations_
NTSTATUS NTAPI
DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(CONSUMER_DEVICE);
    UNICODE_STRING link = RTL_CONSTANT_STRING(CONSUMER_LINK);
    NTSTATUS status;

    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->DriverUnload = Unload;
    DriverObject->MajorFunction[IRP_MJ_CREATE] = DispatchCreateClose;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = DispatchCreateClose;
    DriverObject->MajorFunction[IRP_MJ_CLEANUP] = DispatchCreateClose;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = DispatchControl;
    DriverObject->MajorFunction[IRP_MJ_INTERNAL_DEVICE_CONTROL] = DispatchInternal;
    KeInitializeMutex(&Consumer.Collecting, 0);
    ExInitializeRundownProtection(&Consumer.Rundown);
    RunDown();

    status = IoCreateDeviceSecure(DriverObject, 0, &name, FILE_DEVICE_UNKNOWN,
                                  FILE_DEVICE_SECURE_OPEN, FALSE, &SDDL_DEVOBJ_SYS_ALL_ADM_ALL,
                                  &DeviceClass, &Consumer.Device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = IoCreateSymbolicLink(&link, &name);
    if (!NT_SUCCESS(status)) {
        IoDeleteDevice(Consumer.Device);
    }
    return status;
}
