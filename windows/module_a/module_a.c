/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Driver A: owns the shared context.
 *
 * DriverEntry allocates the context, and fills in its queues, locks, functions and data. A exports
 * functions (module_a.def), by which another driver registers. A then sends that driver the
 * context: shared/owner/server.c has the handshake. After that, A plays the demonstration with
 * the driver that holds the context: calls and items in both directions.
 *
 * IOCTL_D2D_EXERCISE makes A call that driver and exchange items with it in each place
 * where its code can run: the thread of the caller, a system worker thread, and a DPC.
 *
 * Parameter: completion, a D2D_COMPLETION.
 */
#include "d2d_pair.h"
#include "server.h"

DRIVER_INITIALIZE DriverEntry;
DLL_INITIALIZE DllInitialize;
DLL_UNLOAD DllUnload;
static DRIVER_UNLOAD Unload;
_Dispatch_type_(IRP_MJ_INTERNAL_DEVICE_CONTROL)
static DRIVER_DISPATCH DispatchInternalDeviceControl;
_Dispatch_type_(IRP_MJ_DEVICE_CONTROL)
static DRIVER_DISPATCH DispatchDeviceControl;
static D2D_SERVER_CALLBACK Attached;
static D2D_SERVER_CALLBACK Detached;
static D2D_ROUTINE ExerciseItems;
static D2D_EXERCISE Exercise;
static D2D_PAIR_PING Ping;
static D2D_PAIR_BOUNCE Bounce;
static D2D_PAIR_DRAIN Drain;

#ifdef ALLOC_PRAGMA
#pragma alloc_text(INIT, DriverEntry)
#pragma alloc_text(PAGE, Unload, DispatchDeviceControl)
#endif

/* {5B8C2D14-7E0A-4C39-9B5F-0D6A1E27C3A1} */
static const GUID DeviceClass = {
    0x5b8c2d14, 0x7e0a, 0x4c39, { 0x9b, 0x5f, 0x0d, 0x6a, 0x1e, 0x27, 0xc3, 0xa1 }
};

const CHAR D2dDriverName[] = MODULE_A_NAME;

#define CAPACITY    256
#define ITEM_SIZE   64

static const D2D_PAIR_OWNER_OPS OwnerOps = {
    .Header = {
        .Size = sizeof(D2D_PAIR_OWNER_OPS),
        .Major = D2D_PAIR_MAJOR,
        .Minor = D2D_PAIR_MINOR,
    },
    .Ping = Ping,
    .Bounce = Bounce,
    .Drain = Drain,
};

static PDEVICE_OBJECT Device;
static D2D_DEMO_REQUESTS Requests;
static D2D_DEMO_EVENTS Events;

/* Returns the peer's operations. The caller has acquired the peer. */
static const D2D_PAIR_PEER_OPS *
PeerOps(PD2D_CONTEXT Context)
{
    return CONTAINING_RECORD(Context->Peer.Ops, D2D_PAIR_PEER_OPS, Header);
}

/* Takes all items from the peer, and returns their number. */
static ULONG
TakeAll(PD2D_CONTEXT Context)
{
    return D2dPairTakeAll(Context, &Context->ToOwner, "to_owner");
}

static VOID
TracePut(PD2D_CONTEXT Context, ULONG Count)
{
    D2dTrace("enqueue", "queue=to_peer ctx=c%u n=%u depth=%u", Context->Id, Count,
             Context->ToPeer.Depth);
}

static NTSTATUS
PutNote(PD2D_CONTEXT Context, D2D_NOTE Note)
{
    NTSTATUS status = D2dQueuePut(&Context->ToPeer, D2D_PAIR_KIND_NOTE, &Note, sizeof(Note));

    TracePut(Context, NT_SUCCESS(status) ? 1 : 0);
    return status;
}

_Use_decl_annotations_
static NTSTATUS NTAPI
Ping(PVOID Self, ULONG Value, PULONG Result)
{
    UNREFERENCED_PARAMETER(Self);
    *Result = Value + 1;
    return STATUS_SUCCESS;
}

/* Calls the peer's Bounce, which counts the calls. */
static NTSTATUS
CallBounce(PD2D_CONTEXT Context, ULONG Hops, PULONG Calls)
{
    NTSTATUS status;

    D2dTrace("op-call", "to=peer op=bounce");
    status = PeerOps(Context)->Bounce(Context->Peer.Self, Hops, Calls);
    D2dTrace("op-return", "from=peer op=bounce status=%#x", status);
    return status;
}

_Use_decl_annotations_
static NTSTATUS NTAPI
Bounce(PVOID Self, ULONG Hops, PULONG Result)
{
    PD2D_CONTEXT context = Self;
    D2D_TARGET peer;
    NTSTATUS status;

    *Result = 0;
    if (Hops > D2D_PAIR_MAX_HOPS) {
        return STATUS_INVALID_PARAMETER;
    }
    if (Hops == 0) {
        return STATUS_SUCCESS;
    }
    if (!D2dServerAcquirePeer(&peer)) {
        return STATUS_DELETE_PENDING;
    }
    status = CallBounce(context, Hops - 1, Result);
    D2dServerReleasePeer();
    if (NT_SUCCESS(status)) {
        *Result += 1;
    }
    return status;
}

_Use_decl_annotations_
static NTSTATUS NTAPI
Drain(PVOID Self, PULONG Result)
{
    PD2D_CONTEXT context = Self;
    ULONG taken = TakeAll(context);
    NTSTATUS status;
    ULONG i;

    *Result = taken;
    for (i = 0; i < taken; i++) {
        status = PutNote(context, taken);
        if (!NT_SUCCESS(status)) {
            return status;
        }
    }
    return STATUS_SUCCESS;
}

static NTSTATUS
CallPing(PD2D_CONTEXT Context)
{
    NTSTATUS status;
    ULONG value;

    D2dTrace("op-call", "to=peer op=ping");
    status = PeerOps(Context)->Ping(Context->Peer.Self, 41, &value);
    D2dTrace("op-return", "from=peer op=ping status=%#x", status);
    return status;
}

static NTSTATUS
CallDrain(PD2D_CONTEXT Context)
{
    NTSTATUS status;
    ULONG taken;

    D2dTrace("op-call", "to=peer op=drain");
    status = PeerOps(Context)->Drain(Context->Peer.Self, &taken);
    D2dTrace("op-return", "from=peer op=drain status=%#x", status);
    return status;
}

/* Calls the peer, and exchanges items with it. The caller has acquired the peer. */
static NTSTATUS
Demonstrate(PD2D_CONTEXT Context)
{
    static const D2D_NOTE notes[] = { 2, 3, 4 };
    NTSTATUS status;
    ULONG calls;
    ULONG put;

    status = PutNote(Context, 1);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    put = D2dQueuePutBatch(&Context->ToPeer, D2D_PAIR_KIND_NOTE, notes, sizeof(notes[0]),
                           ARRAYSIZE(notes));
    TracePut(Context, put);

    status = CallPing(Context);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = CallDrain(Context);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = CallBounce(Context, 2, &calls);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    TakeAll(Context);
    return STATUS_SUCCESS;
}

/* IRQL <= DISPATCH_LEVEL: the completion routine of the handshake may call this. */
_Use_decl_annotations_
static VOID
Attached(PD2D_CONTEXT Context)
{
    NTSTATUS status = STATUS_DELETE_PENDING;
    D2D_TARGET peer;

    if (D2dServerAcquirePeer(&peer)) {
        status = Demonstrate(Context);
        D2dServerReleasePeer();
    }
    if (!NT_SUCCESS(status)) {
        D2dTrace("op-return", "status=%#x demonstration=incomplete", status);
    }
}

/* Puts two items, which the next driver that gets the context will take. */
_Use_decl_annotations_
static VOID
Detached(PD2D_CONTEXT Context)
{
    static const D2D_NOTE notes[] = { 1001, 1002 };
    ULONG put = D2dQueuePutBatch(&Context->ToPeer, D2D_PAIR_KIND_NOTE, notes, sizeof(notes[0]),
                                 ARRAYSIZE(notes));

    TracePut(Context, put);
}

/* Counts one more update in the shared data. IRQL <= DISPATCH_LEVEL. */
static VOID
Update(PD2D_CONTEXT Context)
{
    PD2D_PAIR_SHARED shared = D2D_DATA_SHARED(&Context->Data);
    ULONGLONG value;
    KIRQL irql;

    KeAcquireSpinLock(&Context->Data.Lock, &irql);
    value = ++shared->Updates;
    shared->ByOwner++;
    KeReleaseSpinLock(&Context->Data.Lock, irql);
    D2dTrace("update", "ctx=c%u value=%I64u", Context->Id, value);
}

/*
 * Updates the shared data, calls the peer and exchanges items with it. The caller has acquired
 * the peer.
 */
_Use_decl_annotations_
static NTSTATUS
ExerciseItems(PVOID Unused)
{
    PD2D_CONTEXT context = D2dServerContext();
    NTSTATUS status;
    ULONG calls;

    UNREFERENCED_PARAMETER(Unused);
    Update(context);
    status = PutNote(context, 8);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = CallDrain(context);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    TakeAll(context);
    return CallBounce(context, 2, &calls);
}

/* Exercises the peer, if there is one, in each place. */
_Use_decl_annotations_
static NTSTATUS
Exercise(VOID)
{
    NTSTATUS status = STATUS_SUCCESS;
    D2D_PLACE place;
    D2D_TARGET peer;

    for (place = 0; place < D2dPlaceCount && NT_SUCCESS(status); place++) {
        if (!D2dServerAcquirePeer(&peer)) {
            return STATUS_SUCCESS;
        }
        status = D2dPairShow(Device, place, &peer, ExerciseItems);
        D2dServerReleasePeer();
    }
    return status;
}

/* IRQL <= DISPATCH_LEVEL. */
_Use_decl_annotations_
static NTSTATUS NTAPI
DispatchInternalDeviceControl(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    UNREFERENCED_PARAMETER(DeviceObject);
    D2dRequestTraceDispatch(Irp);
    return D2dDemoRequestsDispatch(&Requests, Irp);
}

_Use_decl_annotations_
static NTSTATUS NTAPI
DispatchDeviceControl(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PAGED_CODE();
    UNREFERENCED_PARAMETER(DeviceObject);
    return D2dPairControl(Irp, Exercise);
}

/*
 * The I/O manager calls this when user mode does not have the device open any more. A peer may
 * still be attached.
 */
_Use_decl_annotations_
static VOID NTAPI
Unload(PDRIVER_OBJECT DriverObject)
{
    PAGED_CODE();
    UNREFERENCED_PARAMETER(DriverObject);
    D2dDemoRequestsClose(&Requests);
    D2dServerClose();
    D2dPairDeleteDevice(Device, MODULE_A_LINK);
    D2dTrace("unregister", "name=%s", MODULE_A_NAME);
    D2dDemoEventsClose(&Events);
    D2dServerUninitialize();
    D2dTrace("unload", "");
}

static NTSTATUS
InitializeServer(D2D_COMPLETION Completion)
{
    static const D2D_PAIR_OWNER_DATA data = {
        .QueueCapacity = CAPACITY,
        .ItemSize = ITEM_SIZE,
    };
    const D2D_SERVER_CONFIG config = {
        .DeviceObject = Device,
        .Completion = Completion,
        .Capacity = CAPACITY,
        .ItemSize = ITEM_SIZE,
        .Ops = &OwnerOps.Header,
        .PeerOpsSize = sizeof(D2D_PAIR_PEER_OPS),
        .PeerOpsMajor = D2D_PAIR_MAJOR,
        .Data = &data,
        .DataLength = sizeof(data),
        .PeerDataLength = sizeof(D2D_PAIR_PEER_DATA),
        .SharedLength = sizeof(D2D_PAIR_SHARED),
        .Attached = Attached,
        .Detached = Detached,
    };

    return D2dServerInitialize(&config);
}

_Use_decl_annotations_
NTSTATUS NTAPI
DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    ULONG completion;
    NTSTATUS status;

    D2dTrace("load", "");
    DriverObject->DriverUnload = Unload;
    DriverObject->MajorFunction[IRP_MJ_CREATE] = D2dPairCreateClose;
    DriverObject->MajorFunction[IRP_MJ_CLEANUP] = D2dPairCreateClose;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = D2dPairCreateClose;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = DispatchDeviceControl;
    DriverObject->MajorFunction[IRP_MJ_INTERNAL_DEVICE_CONTROL] = DispatchInternalDeviceControl;
    D2dDemoRequestsInitialize(&Requests);

    status = D2dReadParameter(RegistryPath, L"completion", D2dCompletionCount - 1, &completion);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    /* User mode cannot open the device until the I/O manager clears DO_DEVICE_INITIALIZING. */
    status = D2dPairCreateDevice(DriverObject, MODULE_A_DEVICE, MODULE_A_LINK, &DeviceClass,
                                 &Device);
    if (!NT_SUCCESS(status)) {
        goto refuse;
    }
    status = InitializeServer(completion);
    if (!NT_SUCCESS(status)) {
        goto delete_device;
    }
    D2dTrace("register", "name=%s", MODULE_A_NAME);
    D2dTrace("export", "functions=3");
    status = D2dDemoEventsCreate(&Events, MODULE_A_NAME);
    if (!NT_SUCCESS(status)) {
        goto uninitialize;
    }
    D2dDemoRequestsSetEvents(&Requests, &Events);
    D2dServerOpen();
    return STATUS_SUCCESS;

uninitialize:
    D2dServerUninitialize();
delete_device:
    D2dPairDeleteDevice(Device, MODULE_A_LINK);
refuse:
    D2dTrace("refuse", "reason=driver-entry status=%#x", status);
    return status;
}

/*
 * Windows calls this instead of DriverEntry if it loads the image only because another driver
 * imports from it. D2dOwnerRegister then fails.
 */
_Use_decl_annotations_
NTSTATUS NTAPI
DllInitialize(PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(RegistryPath);
    return STATUS_SUCCESS;
}

/* Without this function, the image would never leave the memory. */
_Use_decl_annotations_
NTSTATUS NTAPI
DllUnload(VOID)
{
    return STATUS_SUCCESS;
}
