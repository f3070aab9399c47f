/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The alarm, a KMDF function driver. It leaves requests pending, and completes each at its time, in
 * the DPC of a timer that is set for the request that is due first.
 *
 * Not built here: no KMDF headers are packaged for the compiler of this project. The port,
 * examples/alarm/alarm.rs, is built and run.
 */
#include <initguid.h>
#include "alarm_pair.h"

DRIVER_INITIALIZE DriverEntry;
static EVT_WDF_DRIVER_DEVICE_ADD EvtDeviceAdd;
static EVT_WDF_IO_QUEUE_IO_INTERNAL_DEVICE_CONTROL EvtIoInternalDeviceControl;
static EVT_WDF_REQUEST_CANCEL EvtRequestCancel;
static EVT_WDF_TIMER EvtTimer;
static EVT_WDF_WORKITEM EvtLog;
static ALARM_WAITING Waiting;
_IRQL_requires_(PASSIVE_LEVEL)
static NTSTATUS OfferInterface(_In_ WDFDEVICE Device);
_IRQL_requires_(PASSIVE_LEVEL)
static NTSTATUS CreateTimer(_In_ WDFDEVICE Device);

#ifdef ALLOC_PRAGMA
#pragma alloc_text(INIT, DriverEntry)
#pragma alloc_text(PAGE, EvtDeviceAdd, EvtLog, OfferInterface, CreateTimer)
#endif

/* The context space of the device. */
typedef struct _ALARM {
    WDFSPINLOCK Lock;           /* protects Waiting */
    LIST_ENTRY Waiting;         /* of RING */
    WDFTIMER Timer;
    WDFWORKITEM Log;
    LONG64 Rang;
} ALARM, *PALARM;
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(ALARM, AlarmOf)

/* The context space of a request. */
typedef struct _RING {
    LIST_ENTRY Node;
    WDFREQUEST Request;
    ULONGLONG Due;              /* in units of 100 ns, of the interrupt time */
} RING, *PRING;
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(RING, RingOf)

/* Starts the timer for the request that is due first. The caller holds the lock. */
_IRQL_requires_(DISPATCH_LEVEL)
static VOID
Arm(_Inout_ PALARM Alarm)
{
    ULONGLONG due = MAXULONGLONG;
    ULONGLONG now = KeQueryInterruptTime();
    PLIST_ENTRY node;

    for (node = Alarm->Waiting.Flink; node != &Alarm->Waiting; node = node->Flink) {
        PRING ring = CONTAINING_RECORD(node, RING, Node);

        if (ring->Due < due) {
            due = ring->Due;
        }
    }
    if (due != MAXULONGLONG) {
        WdfTimerStart(Alarm->Timer, due > now ? -(LONGLONG)(due - now) : -1);
    }
}

/* Removes a request that is due at Now and was not cancelled. Returns NULL if there is none. */
_IRQL_requires_max_(DISPATCH_LEVEL)
static WDFREQUEST
TakeDue(_Inout_ PALARM Alarm, ULONGLONG Now)
{
    WDFREQUEST taken = NULL;
    PLIST_ENTRY node;

    WdfSpinLockAcquire(Alarm->Lock);
    node = Alarm->Waiting.Flink;
    while (taken == NULL && node != &Alarm->Waiting) {
        PRING ring = CONTAINING_RECORD(node, RING, Node);

        node = node->Flink;
        if (ring->Due > Now) {
            continue;
        }
        /* EvtRequestCancel may wait for the lock. Then it removes the node again: no harm. */
        RemoveEntryList(&ring->Node);
        InitializeListHead(&ring->Node);
        if (WdfRequestUnmarkCancelable(ring->Request) != STATUS_CANCELLED) {
            taken = ring->Request;
        }
    }
    WdfSpinLockRelease(Alarm->Lock);
    return taken;
}

_Use_decl_annotations_
static VOID
EvtTimer(WDFTIMER Timer)
{
    PALARM alarm = AlarmOf(WdfTimerGetParentObject(Timer));
    ULONGLONG now = KeQueryInterruptTime();
    WDFREQUEST request;
    PULONGLONG output;

    while ((request = TakeDue(alarm, now)) != NULL) {
        NTSTATUS status = WdfRequestRetrieveOutputBuffer(request, sizeof(*output),
                                                         (PVOID *)&output, NULL);

        if (NT_SUCCESS(status)) {
            *output = InterlockedIncrement64(&alarm->Rang) - 1;
        }
        WdfRequestCompleteWithInformation(request, status,
                                          NT_SUCCESS(status) ? sizeof(*output) : 0);
    }
    WdfSpinLockAcquire(alarm->Lock);
    Arm(alarm);
    WdfSpinLockRelease(alarm->Lock);
    WdfWorkItemEnqueue(alarm->Log);
}

_Use_decl_annotations_
static VOID
EvtLog(WDFWORKITEM WorkItem)
{
    PAGED_CODE();
    DbgPrint("alarm: log rang=%I64d\n", AlarmOf(WdfWorkItemGetParentObject(WorkItem))->Rang);
}

_Use_decl_annotations_
static VOID
EvtRequestCancel(WDFREQUEST Request)
{
    PALARM alarm = AlarmOf(WdfIoQueueGetDevice(WdfRequestGetIoQueue(Request)));

    WdfSpinLockAcquire(alarm->Lock);
    RemoveEntryList(&RingOf(Request)->Node);
    WdfSpinLockRelease(alarm->Lock);
    WdfRequestComplete(Request, STATUS_CANCELLED);
}

_IRQL_requires_max_(DISPATCH_LEVEL)
static NTSTATUS
Pend(_Inout_ PALARM Alarm, WDFREQUEST Request, ULONG After)
{
    PRING ring = RingOf(Request);
    NTSTATUS status;

    ring->Request = Request;
    ring->Due = KeQueryInterruptTime() + After * 10000ULL;
    WdfSpinLockAcquire(Alarm->Lock);
    /* If the request was cancelled before, this fails and does not call EvtRequestCancel. */
    status = WdfRequestMarkCancelableEx(Request, EvtRequestCancel);
    if (NT_SUCCESS(status)) {
        InsertTailList(&Alarm->Waiting, &ring->Node);
        Arm(Alarm);
    }
    WdfSpinLockRelease(Alarm->Lock);
    return status;
}

_Use_decl_annotations_
static VOID
EvtIoInternalDeviceControl(WDFQUEUE Queue, WDFREQUEST Request, size_t OutputBufferLength,
                           size_t InputBufferLength, ULONG IoControlCode)
{
    PALARM alarm = AlarmOf(WdfIoQueueGetDevice(Queue));
    NTSTATUS status = STATUS_INVALID_DEVICE_REQUEST;
    PULONG after;

    UNREFERENCED_PARAMETER(InputBufferLength);
    if (IoControlCode == IOCTL_ALARM_RING) {
        status = OutputBufferLength < sizeof(ULONGLONG)
                     ? STATUS_BUFFER_TOO_SMALL
                     : WdfRequestRetrieveInputBuffer(Request, sizeof(*after), (PVOID *)&after,
                                                     NULL);
        if (NT_SUCCESS(status)) {
            status = *after == 0 || *after > ALARM_LONGEST ? STATUS_INVALID_PARAMETER
                                                           : Pend(alarm, Request, *after);
        }
    }
    if (!NT_SUCCESS(status)) {
        WdfRequestComplete(Request, status);
    }
}

_Use_decl_annotations_
static ULONG NTAPI
Waiting(PVOID Context)
{
    PALARM alarm = Context;
    ULONG count = 0;
    PLIST_ENTRY node;

    WdfSpinLockAcquire(alarm->Lock);
    for (node = alarm->Waiting.Flink; node != &alarm->Waiting; node = node->Flink) {
        count++;
    }
    WdfSpinLockRelease(alarm->Lock);
    return count;
}

_Use_decl_annotations_
static NTSTATUS
OfferInterface(WDFDEVICE Device)
{
    WDF_QUERY_INTERFACE_CONFIG config;
    ALARM_INTERFACE offered = {
        .Header = {
            .Size = sizeof(ALARM_INTERFACE),
            .Version = ALARM_VERSION,
            .Context = AlarmOf(Device),
            .InterfaceReference = WdfDeviceInterfaceReferenceNoOp,
            .InterfaceDereference = WdfDeviceInterfaceDereferenceNoOp,
        },
        .Waiting = Waiting,
    };

    PAGED_CODE();
    WDF_QUERY_INTERFACE_CONFIG_INIT(&config, &offered.Header, &GUID_ALARM_INTERFACE, NULL);
    return WdfDeviceAddQueryInterface(Device, &config);
}

_Use_decl_annotations_
static NTSTATUS
CreateTimer(WDFDEVICE Device)
{
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_WORKITEM_CONFIG log;
    WDF_TIMER_CONFIG timer;
    NTSTATUS status;

    PAGED_CODE();
    /* The framework stops and deletes both before it deletes their parent, the device. */
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = Device;
    WDF_TIMER_CONFIG_INIT(&timer, EvtTimer);
    timer.AutomaticSerialization = FALSE;
    status = WdfTimerCreate(&timer, &attributes, &AlarmOf(Device)->Timer);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    WDF_WORKITEM_CONFIG_INIT(&log, EvtLog);
    log.AutomaticSerialization = FALSE;
    return WdfWorkItemCreate(&log, &attributes, &AlarmOf(Device)->Log);
}

_Use_decl_annotations_
static NTSTATUS
EvtDeviceAdd(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit)
{
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_IO_QUEUE_CONFIG config;
    WDFDEVICE device;
    NTSTATUS status;

    PAGED_CODE();
    UNREFERENCED_PARAMETER(Driver);
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, RING);
    WdfDeviceInitSetRequestAttributes(DeviceInit, &attributes);
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, ALARM);
    status = WdfDeviceCreate(&DeviceInit, &attributes, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    InitializeListHead(&AlarmOf(device)->Waiting);
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = device;
    status = WdfSpinLockCreate(&attributes, &AlarmOf(device)->Lock);
    if (NT_SUCCESS(status)) {
        status = CreateTimer(device);
    }
    if (NT_SUCCESS(status)) {
        status = OfferInterface(device);
    }
    if (NT_SUCCESS(status)) {
        WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchParallel);
        config.EvtIoInternalDeviceControl = EvtIoInternalDeviceControl;
        /* Requests do not depend on the device's power, so the queue needs no EvtIoStop. */
        config.PowerManaged = WdfFalse;
        status = WdfIoQueueCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, NULL);
    }
    return status;
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
