/* SPDX-License-Identifier: GPL-2.0 */
/* The device of a driver of the pair, and its requests from user mode. IRQL = PASSIVE_LEVEL. */
#include "d2d_pair.h"

#define MAX_ROUNDS  1000

/* IRP_MJ_CREATE, IRP_MJ_CLEANUP and IRP_MJ_CLOSE: there is nothing to be done. */
NTSTATUS NTAPI
D2dPairCreateClose(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    UNREFERENCED_PARAMETER(DeviceObject);
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

static NTSTATUS
ExerciseRounds(PIRP Irp, D2D_EXERCISE *Exercise)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    const ULONG *rounds = Irp->AssociatedIrp.SystemBuffer;
    NTSTATUS status = STATUS_SUCCESS;
    ULONG i;

    if (stack->Parameters.DeviceIoControl.IoControlCode != IOCTL_D2D_EXERCISE) {
        return STATUS_INVALID_DEVICE_REQUEST;
    }
    if (stack->Parameters.DeviceIoControl.InputBufferLength != sizeof(*rounds) ||
        *rounds < 1 || *rounds > MAX_ROUNDS) {
        return STATUS_INVALID_PARAMETER;
    }
    for (i = 0; i < *rounds && NT_SUCCESS(status); i++) {
        status = Exercise();
    }
    return status;
}

/* IRP_MJ_DEVICE_CONTROL, which comes from user mode. */
NTSTATUS
D2dPairControl(PIRP Irp, D2D_EXERCISE *Exercise)
{
    NTSTATUS status = ExerciseRounds(Irp, Exercise);

    Irp->IoStatus.Status = status;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return status;
}

/* Creates a device that other drivers and user mode can open. */
NTSTATUS
D2dPairCreateDevice(PDRIVER_OBJECT DriverObject, PCWSTR DeviceName, PCWSTR LinkName,
                    PDEVICE_OBJECT *DeviceObject)
{
    UNICODE_STRING device;
    UNICODE_STRING link;
    NTSTATUS status;

    RtlInitUnicodeString(&device, DeviceName);
    RtlInitUnicodeString(&link, LinkName);
    status = IoCreateDevice(DriverObject, 0, &device, FILE_DEVICE_UNKNOWN,
                            FILE_DEVICE_SECURE_OPEN, FALSE, DeviceObject);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = IoCreateSymbolicLink(&link, &device);
    if (!NT_SUCCESS(status)) {
        IoDeleteDevice(*DeviceObject);
    }
    return status;
}

VOID
D2dPairDeleteDevice(PDEVICE_OBJECT DeviceObject, PCWSTR LinkName)
{
    UNICODE_STRING link;

    RtlInitUnicodeString(&link, LinkName);
    (VOID)IoDeleteSymbolicLink(&link);
    IoDeleteDevice(DeviceObject);
}
