/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The sleeper. When user mode asks it to sleep, it sends the alarm a request, and waits until the
 * request is completed, or cancels it after a limit.
 */
#include <initguid.h>
#include "alarm_pair.h"

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;
_Dispatch_type_(IRP_MJ_CREATE)
_Dispatch_type_(IRP_MJ_CLEANUP)
_Dispatch_type_(IRP_MJ_CLOSE)
static DRIVER_DISPATCH DispatchCreateClose;
_Dispatch_type_(IRP_MJ_DEVICE_CONTROL)
static DRIVER_DISPATCH DispatchControl;
static IO_COMPLETION_ROUTINE RingCompleted;

#ifdef ALLOC_PRAGMA
#pragma alloc_text(INIT, DriverEntry)
#pragma alloc_text(PAGE, Unload, DispatchCreateClose, DispatchControl)
#endif

/* {5B8C2D14-7E0A-4C39-9B5F-0D6A1E27C3E5} */
static const GUID DeviceClass = {
    0x5b8c2d14, 0x7e0a, 0x4c39, { 0x9b, 0x5f, 0x0d, 0x6a, 0x1e, 0x27, 0xc3, 0xe5 }
};

/* Longest wait for a request, in units of 100 ns, relative. */
#define LIMIT   (-2000LL * 10000)

static struct {
    PDEVICE_OBJECT Device;
    PFILE_OBJECT AlarmFile;
    PDEVICE_OBJECT AlarmDevice;
    ALARM_INTERFACE Alarm;
} Sleeper;

static NTSTATUS
Complete(PIRP Irp, NTSTATUS Status)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

/* Runs in an arbitrary thread at IRQL <= DISPATCH_LEVEL. */
_Use_decl_annotations_
static NTSTATUS NTAPI
RingCompleted(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID Context)
{
    UNREFERENCED_PARAMETER(DeviceObject);
    UNREFERENCED_PARAMETER(Irp);
    KeSetEvent(Context, IO_NO_INCREMENT, FALSE);
    /* The sender keeps the IRP, so it can be cancelled at any time. */
    return STATUS_MORE_PROCESSING_REQUIRED;
}

/*
 * Sends the request, and cancels it if it is not completed in time. The limit is short, so this does
 * not follow a cancel of the call of user mode; the alarm leaves calls pending, and does. IRQL =
 * PASSIVE_LEVEL.
 */
static NTSTATUS
Ring(ULONG After)
{
    union {
        ULONG After;
        ULONGLONG Rang;
    } buffer = { .After = After };
    LARGE_INTEGER limit = { .QuadPart = LIMIT };
    PIO_STACK_LOCATION stack;
    NTSTATUS status;
    KEVENT event;
    PIRP irp = IoAllocateIrp(Sleeper.AlarmDevice->StackSize, FALSE);

    if (irp == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    irp->IoStatus.Status = STATUS_NOT_SUPPORTED;
    irp->AssociatedIrp.SystemBuffer = &buffer;
    stack = IoGetNextIrpStackLocation(irp);
    stack->MajorFunction = IRP_MJ_INTERNAL_DEVICE_CONTROL;
    stack->Parameters.DeviceIoControl.IoControlCode = IOCTL_ALARM_RING;
    stack->Parameters.DeviceIoControl.InputBufferLength = sizeof(After);
    stack->Parameters.DeviceIoControl.OutputBufferLength = sizeof(buffer.Rang);
    status = IoSetCompletionRoutineEx(Sleeper.Device, irp, RingCompleted, &event, TRUE, TRUE, TRUE);
    if (!NT_SUCCESS(status)) {
        IoFreeIrp(irp);
        return status;
    }
    (VOID)IoCallDriver(Sleeper.AlarmDevice, irp);
    status = KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &limit);
    if (status == STATUS_TIMEOUT) {
        IoCancelIrp(irp);
        KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
    }
    status = irp->IoStatus.Status;
    IoFreeIrp(irp);
    return status == STATUS_CANCELLED ? STATUS_IO_TIMEOUT : status;
}

static NTSTATUS
Sleep(ULONG After)
{
    NTSTATUS status = Ring(After);

    DbgPrint("sleeper: slept=%u waiting=%u\n", NT_SUCCESS(status),
             Sleeper.Alarm.Waiting(Sleeper.Alarm.Header.Context));
    return status;
}

_Use_decl_annotations_
static NTSTATUS NTAPI
DispatchControl(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    const ULONG *after = Irp->AssociatedIrp.SystemBuffer;

    PAGED_CODE();
    UNREFERENCED_PARAMETER(DeviceObject);
    if (stack->Parameters.DeviceIoControl.IoControlCode != IOCTL_SLEEPER_SLEEP) {
        return Complete(Irp, STATUS_INVALID_DEVICE_REQUEST);
    }
    if (stack->Parameters.DeviceIoControl.InputBufferLength != sizeof(*after)) {
        return Complete(Irp, STATUS_INVALID_BUFFER_SIZE);
    }
    return Complete(Irp, Sleep(*after));
}

_Use_decl_annotations_
static NTSTATUS NTAPI
DispatchCreateClose(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PAGED_CODE();
    UNREFERENCED_PARAMETER(DeviceObject);
    return Complete(Irp, STATUS_SUCCESS);
}

/*
 * On success, the sleeper has a reference to the interface, which it has to give back. IRQL =
 * PASSIVE_LEVEL, and APCs are enabled, as in DriverEntry: the I/O manager completes this IRP in one.
 */
static NTSTATUS
QueryInterface(VOID)
{
    IO_STATUS_BLOCK result;
    PIO_STACK_LOCATION stack;
    NTSTATUS status;
    KEVENT event;
    PIRP irp;

    KeInitializeEvent(&event, NotificationEvent, FALSE);
    irp = IoBuildSynchronousFsdRequest(IRP_MJ_PNP, Sleeper.AlarmDevice, NULL, 0, NULL, &event,
                                       &result);
    if (irp == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    irp->IoStatus.Status = STATUS_NOT_SUPPORTED;
    stack = IoGetNextIrpStackLocation(irp);
    stack->MinorFunction = IRP_MN_QUERY_INTERFACE;
    stack->Parameters.QueryInterface.InterfaceType = &GUID_ALARM_INTERFACE;
    stack->Parameters.QueryInterface.Size = sizeof(Sleeper.Alarm);
    stack->Parameters.QueryInterface.Version = ALARM_VERSION;
    stack->Parameters.QueryInterface.Interface = &Sleeper.Alarm.Header;
    status = IoCallDriver(Sleeper.AlarmDevice, irp);
    if (status == STATUS_PENDING) {
        KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
        status = result.Status;
    }
    return status;
}

_Use_decl_annotations_
static VOID NTAPI
Unload(PDRIVER_OBJECT DriverObject)
{
    UNICODE_STRING link = RTL_CONSTANT_STRING(SLEEPER_LINK);

    PAGED_CODE();
    UNREFERENCED_PARAMETER(DriverObject);
    (VOID)IoDeleteSymbolicLink(&link);
    IoDeleteDevice(Sleeper.Device);
    Sleeper.Alarm.Header.InterfaceDereference(Sleeper.Alarm.Header.Context);
    ObDereferenceObject(Sleeper.AlarmFile);
}

_Use_decl_annotations_
NTSTATUS NTAPI
DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNICODE_STRING alarm = RTL_CONSTANT_STRING(ALARM_DEVICE);
    UNICODE_STRING name = RTL_CONSTANT_STRING(SLEEPER_DEVICE);
    UNICODE_STRING link = RTL_CONSTANT_STRING(SLEEPER_LINK);
    NTSTATUS status;

    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->DriverUnload = Unload;
    DriverObject->MajorFunction[IRP_MJ_CREATE] = DispatchCreateClose;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = DispatchCreateClose;
    DriverObject->MajorFunction[IRP_MJ_CLEANUP] = DispatchCreateClose;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = DispatchControl;
    status = IoGetDeviceObjectPointer(&alarm, FILE_READ_DATA, &Sleeper.AlarmFile,
                                      &Sleeper.AlarmDevice);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = QueryInterface();
    if (!NT_SUCCESS(status)) {
        goto close_alarm;
    }
    status = IoCreateDeviceSecure(DriverObject, 0, &name, FILE_DEVICE_UNKNOWN,
                                  FILE_DEVICE_SECURE_OPEN, FALSE, &SDDL_DEVOBJ_SYS_ALL_ADM_ALL,
                                  &DeviceClass, &Sleeper.Device);
    if (!NT_SUCCESS(status)) {
        goto dereference;
    }
    status = IoCreateSymbolicLink(&link, &name);
    if (!NT_SUCCESS(status)) {
        goto delete_device;
    }
    return STATUS_SUCCESS;

delete_device:
    IoDeleteDevice(Sleeper.Device);
dereference:
    Sleeper.Alarm.Header.InterfaceDereference(Sleeper.Alarm.Header.Context);
close_alarm:
    ObDereferenceObject(Sleeper.AlarmFile);
    return status;
}
