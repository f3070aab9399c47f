/* SPDX-License-Identifier: GPL-2.0 */
/* The device of a driver of the pair, and its requests from user mode. */
#include "d2d_pair.h"

#define MAX_ROUNDS  1000

#ifdef ALLOC_PRAGMA
#pragma alloc_text(PAGE, D2dPairCreateClose, D2dPairControl)
#pragma alloc_text(PAGE, D2dPairCreateDevice, D2dPairDeleteDevice)
#endif

/*
 * Held during a round: two rounds at a time would take each other's events. A KMUTEX and not a fast
 * mutex, because ZwOpenEvent must not be called at APC_LEVEL.
 */
static KMUTEX Exercising;

/* IRP_MJ_CREATE, IRP_MJ_CLEANUP and IRP_MJ_CLOSE: there is nothing to be done. */
_Use_decl_annotations_
NTSTATUS NTAPI
D2dPairCreateClose(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PAGED_CODE();
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
        /* The thread of the caller plays the rounds. A round has limits, so it ends soon. */
        if (Irp->Cancel) {
            return STATUS_CANCELLED;
        }
        KeWaitForSingleObject(&Exercising, Executive, KernelMode, FALSE, NULL);
        status = Exercise();
        KeReleaseMutex(&Exercising, FALSE);
    }
    return status;
}

/* IRP_MJ_DEVICE_CONTROL, which comes from user mode. */
_Use_decl_annotations_
NTSTATUS
D2dPairControl(PIRP Irp, D2D_EXERCISE *Exercise)
{
    NTSTATUS status;

    PAGED_CODE();
    status = ExerciseRounds(Irp, Exercise);
    Irp->IoStatus.Status = status;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return status;
}

/*
 * Creates a device that the system and administrators can open. An administrator can set another
 * security for the device class in the registry.
 */
_Use_decl_annotations_
NTSTATUS
D2dPairCreateDevice(PDRIVER_OBJECT DriverObject, PCWSTR DeviceName, PCWSTR LinkName,
                    LPCGUID DeviceClass, PDEVICE_OBJECT *DeviceObject)
{
    UNICODE_STRING device;
    UNICODE_STRING link;
    NTSTATUS status;

    PAGED_CODE();
    KeInitializeMutex(&Exercising, 0);
    RtlInitUnicodeString(&device, DeviceName);
    RtlInitUnicodeString(&link, LinkName);
    status = IoCreateDeviceSecure(DriverObject, 0, &device, FILE_DEVICE_UNKNOWN,
                                  FILE_DEVICE_SECURE_OPEN, FALSE, &SDDL_DEVOBJ_SYS_ALL_ADM_ALL,
                                  DeviceClass, DeviceObject);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = IoCreateSymbolicLink(&link, &device);
    if (!NT_SUCCESS(status)) {
        IoDeleteDevice(*DeviceObject);
    }
    return status;
}

_Use_decl_annotations_
VOID
D2dPairDeleteDevice(PDEVICE_OBJECT DeviceObject, PCWSTR LinkName)
{
    UNICODE_STRING link;

    PAGED_CODE();
    RtlInitUnicodeString(&link, LinkName);
    (VOID)IoDeleteSymbolicLink(&link);
    IoDeleteDevice(DeviceObject);
}
