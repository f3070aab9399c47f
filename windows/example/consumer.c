/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The consumer gets the sensor's block. When user mode asks for samples, it sets the sensor's
 * rate and takes the samples that the sensor raises.
 */
#include "sensor_pair.h"

DRIVER_INITIALIZE DriverEntry;

/* Limit of a wait for samples, in units of 100 ns, relative. */
#define PATIENCE    (-2000LL * 10000)

static struct {
    PDEVICE_OBJECT Device;
    PSENSOR_BLOCK Block;        /* while the sensor is there */
    EX_RUNDOWN_REF Rundown;     /* held while the block is used */
    FAST_MUTEX Collecting;
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

/* IRQL = PASSIVE_LEVEL. */
static NTSTATUS
Collect(ULONG Period)
{
    NTSTATUS status;

    if (!ExAcquireRundownProtection(&Consumer.Rundown)) {
        return STATUS_DELETE_PENDING;
    }
    ExAcquireFastMutex(&Consumer.Collecting);
    status = CollectBurst(Consumer.Block, Period);
    ExReleaseFastMutex(&Consumer.Collecting);
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

static NTSTATUS
Adopt(PSENSOR_BLOCK Block)
{
    if (Block->Size != sizeof(*Block) || Block->Version != SENSOR_VERSION) {
        return STATUS_REVISION_MISMATCH;
    }
    if (Consumer.Block != NULL) {
        return STATUS_DEVICE_BUSY;
    }
    Consumer.Block = Block;
    ExReInitializeRundownProtection(&Consumer.Rundown);
    return STATUS_SUCCESS;
}

static NTSTATUS
GiveBack(VOID)
{
    ExWaitForRundownProtectionRelease(&Consumer.Rundown);
    Consumer.Block = NULL;
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI
DispatchInternal(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);

    UNREFERENCED_PARAMETER(DeviceObject);
    if (Irp->RequestorMode != KernelMode) {
        return Complete(Irp, STATUS_INVALID_PARAMETER);
    }
    switch (stack->Parameters.DeviceIoControl.IoControlCode) {
    case IOCTL_SENSOR_SHARE:
        return Complete(Irp, Adopt(Irp->UserBuffer));
    case IOCTL_SENSOR_TAKE_BACK:
        return Complete(Irp, GiveBack());
    default:
        return Complete(Irp, STATUS_INVALID_DEVICE_REQUEST);
    }
}

static NTSTATUS NTAPI
DispatchControl(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    const ULONG *period = Irp->AssociatedIrp.SystemBuffer;

    UNREFERENCED_PARAMETER(DeviceObject);
    if (stack->Parameters.DeviceIoControl.IoControlCode != IOCTL_CONSUMER_COLLECT) {
        return Complete(Irp, STATUS_INVALID_DEVICE_REQUEST);
    }
    if (stack->Parameters.DeviceIoControl.InputBufferLength != sizeof(*period)) {
        return Complete(Irp, STATUS_INVALID_BUFFER_SIZE);
    }
    return Complete(Irp, Collect(*period));
}

static NTSTATUS NTAPI
DispatchCreateClose(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    UNREFERENCED_PARAMETER(DeviceObject);
    return Complete(Irp, STATUS_SUCCESS);
}

static VOID NTAPI
Unload(PDRIVER_OBJECT DriverObject)
{
    UNICODE_STRING link = RTL_CONSTANT_STRING(CONSUMER_LINK);

    UNREFERENCED_PARAMETER(DriverObject);
    (VOID)IoDeleteSymbolicLink(&link);
    IoDeleteDevice(Consumer.Device);
}

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
    ExInitializeFastMutex(&Consumer.Collecting);
    /* There is no block yet. */
    ExInitializeRundownProtection(&Consumer.Rundown);
    ExWaitForRundownProtectionRelease(&Consumer.Rundown);

    status = IoCreateDevice(DriverObject, 0, &name, FILE_DEVICE_UNKNOWN,
                            FILE_DEVICE_SECURE_OPEN, FALSE, &Consumer.Device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = IoCreateSymbolicLink(&link, &name);
    if (!NT_SUCCESS(status)) {
        IoDeleteDevice(Consumer.Device);
    }
    return status;
}
