/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The sleeper, a KMDF filter above the alarm. When user mode asks it to sleep, it sends the alarm a
 * request, and waits until the request is completed, or cancels it after a limit.
 *
 * Not built here: no KMDF headers are packaged for the compiler of this project. The port,
 * examples/alarm/sleeper.rs, is built and run.
 */
#include <initguid.h>
#include "alarm_pair.h"

#define LIMIT_MS    2000

DRIVER_INITIALIZE DriverEntry;
static EVT_WDF_DRIVER_DEVICE_ADD EvtDeviceAdd;
static EVT_WDF_DEVICE_PREPARE_HARDWARE EvtDevicePrepareHardware;
static EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL EvtIoDeviceControl;
_IRQL_requires_(PASSIVE_LEVEL)
static NTSTATUS Sleep(_In_ WDFDEVICE Device, ULONG After);
_IRQL_requires_(PASSIVE_LEVEL)
static VOID Forward(_In_ WDFDEVICE Device, _In_ WDFREQUEST Request);

/* The device has WdfExecutionLevelPassive, so EvtIoDeviceControl is called at PASSIVE_LEVEL. */
#ifdef ALLOC_PRAGMA
#pragma alloc_text(INIT, DriverEntry)
#pragma alloc_text(PAGE, EvtDeviceAdd, EvtDevicePrepareHardware, EvtIoDeviceControl, Sleep, Forward)
#endif

typedef struct _SLEEPER {
    ALARM_INTERFACE Alarm;
} SLEEPER, *PSLEEPER;
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(SLEEPER, SleeperOf)

_Use_decl_annotations_
static NTSTATUS
Sleep(WDFDEVICE Device, ULONG After)
{
    WDF_MEMORY_DESCRIPTOR input, output;
    WDF_REQUEST_SEND_OPTIONS options;
    PALARM_INTERFACE alarm = &SleeperOf(Device)->Alarm;
    ULONGLONG rang;
    NTSTATUS status;

    PAGED_CODE();
    WDF_MEMORY_DESCRIPTOR_INIT_BUFFER(&input, &After, sizeof(After));
    WDF_MEMORY_DESCRIPTOR_INIT_BUFFER(&output, &rang, sizeof(rang));
    WDF_REQUEST_SEND_OPTIONS_INIT(&options, WDF_REQUEST_SEND_OPTION_TIMEOUT);
    WDF_REQUEST_SEND_OPTIONS_SET_TIMEOUT(&options, WDF_REL_TIMEOUT_IN_MS(LIMIT_MS));
    status = WdfIoTargetSendInternalIoctlSynchronously(WdfDeviceGetIoTarget(Device), NULL,
                                                       IOCTL_ALARM_RING, &input, &output,
                                                       &options, NULL);
    DbgPrint("sleeper: slept=%u waiting=%u\n", NT_SUCCESS(status),
             alarm->Waiting(alarm->Header.Context));
    return status;
}

/* Passes a request on to the next lower driver, which completes it. */
_Use_decl_annotations_
static VOID
Forward(WDFDEVICE Device, WDFREQUEST Request)
{
    WDF_REQUEST_SEND_OPTIONS options;

    PAGED_CODE();
    WdfRequestFormatRequestUsingCurrentType(Request);
    WDF_REQUEST_SEND_OPTIONS_INIT(&options, WDF_REQUEST_SEND_OPTION_SEND_AND_FORGET);
    if (!WdfRequestSend(Request, WdfDeviceGetIoTarget(Device), &options)) {
        WdfRequestComplete(Request, WdfRequestGetStatus(Request));
    }
}

_Use_decl_annotations_
static VOID
EvtIoDeviceControl(WDFQUEUE Queue, WDFREQUEST Request, size_t OutputBufferLength,
                   size_t InputBufferLength, ULONG IoControlCode)
{
    WDFDEVICE device = WdfIoQueueGetDevice(Queue);
    PULONG after;
    NTSTATUS status;

    PAGED_CODE();
    UNREFERENCED_PARAMETER(OutputBufferLength);
    UNREFERENCED_PARAMETER(InputBufferLength);
    if (IoControlCode != IOCTL_SLEEPER_SLEEP) {
        Forward(device, Request);
        return;
    }
    status = WdfRequestRetrieveInputBuffer(Request, sizeof(*after), (PVOID *)&after, NULL);
    if (NT_SUCCESS(status)) {
        status = Sleep(device, *after);
    }
    WdfRequestComplete(Request, status);
}

_Use_decl_annotations_
static NTSTATUS
EvtDevicePrepareHardware(WDFDEVICE Device, WDFCMRESLIST Raw, WDFCMRESLIST Translated)
{
    PAGED_CODE();
    UNREFERENCED_PARAMETER(Raw);
    UNREFERENCED_PARAMETER(Translated);
    return WdfFdoQueryForInterface(Device, &GUID_ALARM_INTERFACE,
                                   &SleeperOf(Device)->Alarm.Header, sizeof(ALARM_INTERFACE),
                                   ALARM_VERSION, NULL);
}

_Use_decl_annotations_
static NTSTATUS
EvtDeviceAdd(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit)
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_IO_QUEUE_CONFIG config;
    WDFDEVICE device;
    NTSTATUS status;

    PAGED_CODE();
    UNREFERENCED_PARAMETER(Driver);
    WdfFdoInitSetFilter(DeviceInit);
    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDevicePrepareHardware = EvtDevicePrepareHardware;
    WdfDeviceInitSetPnpPowerEventCallbacks(DeviceInit, &callbacks);
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, SLEEPER);
    attributes.ExecutionLevel = WdfExecutionLevelPassive;
    status = WdfDeviceCreate(&DeviceInit, &attributes, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchParallel);
    config.EvtIoDeviceControl = EvtIoDeviceControl;
    return WdfIoQueueCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, NULL);
}

_Use_decl_annotations_
NTSTATUS NTAPI
DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG config;

    WDF_DRIVER_CONFIG_INIT(&config, EvtDeviceAdd);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config,
                           WDF_NO_HANDLE);
}
