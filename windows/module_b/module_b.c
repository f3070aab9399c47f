/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Driver B: adopts driver A's context.
 *
 * DriverEntry registers with driver A, from which B imports functions, and hands over B's device
 * object. A then sends B an internal device control request with the context's address in
 * UserBuffer. B's dispatch routine adopts the context, fills in B's functions and data, and
 * completes the request, at once or from a work item.
 *
 * IOCTL_D2D_EXERCISE makes B call A and exchange items with it in each place where its
 * code can run: the thread of the caller, a system worker thread, and a DPC.
 *
 * Parameter: deferred, 1 to complete the request from a work item.
 */
#include "d2d_pair.h"

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;
_Dispatch_type_(IRP_MJ_INTERNAL_DEVICE_CONTROL)
static DRIVER_DISPATCH DispatchInternalDeviceControl;
_Dispatch_type_(IRP_MJ_DEVICE_CONTROL)
static DRIVER_DISPATCH DispatchDeviceControl;
static IO_WORKITEM_ROUTINE AcceptShareLater;
static D2D_TAKE_BACK TakeBack;
static D2D_ROUTINE ExerciseItems;
static D2D_EXERCISE Exercise;
static D2D_PAIR_PING Ping;
static D2D_PAIR_BOUNCE Bounce;
static D2D_PAIR_DRAIN Drain;

#ifdef ALLOC_PRAGMA
#pragma alloc_text(INIT, DriverEntry)
#pragma alloc_text(PAGE, Unload, DispatchDeviceControl, TakeBack)
#endif

/* {5B8C2D14-7E0A-4C39-9B5F-0D6A1E27C3B2} */
static const GUID DeviceClass = {
    0x5b8c2d14, 0x7e0a, 0x4c39, { 0x9b, 0x5f, 0x0d, 0x6a, 0x1e, 0x27, 0xc3, 0xb2 }
};

const CHAR D2dDriverName[] = MODULE_B_NAME;

static const D2D_PAIR_PEER_OPS PeerOps = {
    .Header = {
        .Size = sizeof(D2D_PAIR_PEER_OPS),
        .Major = D2D_PAIR_MAJOR,
        .Minor = D2D_PAIR_MINOR,
    },
    .Ping = Ping,
    .Bounce = Bounce,
    .Drain = Drain,
};

static PDEVICE_OBJECT Device;
static D2D_DRIVER Driver;
static D2D_DEMO_REQUESTS Requests;
static D2D_DEMO_EVENTS Events;

/*
 * The context, from B's decision to accept it until B has given it back. Rundown is held while B
 * uses it, or sends requests to A. Adopted is 1 until B begins to give it back.
 */
static PD2D_CONTEXT Context;
static EX_RUNDOWN_REF Rundown;
static volatile LONG Adopted;

/* 1 if a work item completes the handshake; and that item. There is one handshake at a time. */
static ULONG Deferred;
static PIO_WORKITEM ShareItem;

/* Returns the owner's operations. The owner's image stays in memory as long as B's does. */
static const D2D_PAIR_OWNER_OPS *
OwnerOps(PD2D_CONTEXT Shared)
{
    return CONTAINING_RECORD(Shared->Owner.Ops, D2D_PAIR_OWNER_OPS, Header);
}

/* Takes all items from the owner, and returns their number. */
static ULONG
TakeAll(PD2D_CONTEXT Shared)
{
    return D2dPairTakeAll(Shared, &Shared->ToPeer, "to_peer");
}

static VOID
TracePut(PD2D_CONTEXT Shared, ULONG Count)
{
    D2dTrace("enqueue", "queue=to_owner ctx=c%u n=%u depth=%u", Shared->Id, Count,
             Shared->ToOwner.Depth);
}

static NTSTATUS
PutNote(PD2D_CONTEXT Shared, D2D_NOTE Note)
{
    NTSTATUS status = D2dQueuePut(&Shared->ToOwner, D2D_PAIR_KIND_NOTE, &Note, sizeof(Note));

    TracePut(Shared, NT_SUCCESS(status) ? 1 : 0);
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

/* Calls the owner's Bounce, which counts the calls. */
static NTSTATUS
CallBounce(PD2D_CONTEXT Shared, ULONG Hops, PULONG Calls)
{
    NTSTATUS status;

    D2dTrace("op-call", "to=owner op=bounce");
    status = OwnerOps(Shared)->Bounce(Shared->Owner.Self, Hops, Calls);
    D2dTrace("op-return", "from=owner op=bounce status=%#x", status);
    return status;
}

_Use_decl_annotations_
static NTSTATUS NTAPI
Bounce(PVOID Self, ULONG Hops, PULONG Result)
{
    PD2D_CONTEXT shared = Self;
    NTSTATUS status;

    *Result = 0;
    if (Hops > D2D_PAIR_MAX_HOPS) {
        return STATUS_INVALID_PARAMETER;
    }
    if (Hops == 0) {
        return STATUS_SUCCESS;
    }
    status = CallBounce(shared, Hops - 1, Result);
    if (NT_SUCCESS(status)) {
        *Result += 1;
    }
    return status;
}

/* Takes all items, and puts four on the other queue: one alone, and three in a batch. */
_Use_decl_annotations_
static NTSTATUS NTAPI
Drain(PVOID Self, PULONG Result)
{
    static const D2D_NOTE notes[] = { 20, 30, 40 };
    PD2D_CONTEXT shared = Self;
    NTSTATUS status;
    ULONG put;

    *Result = TakeAll(shared);
    status = PutNote(shared, 10);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    put = D2dQueuePutBatch(&shared->ToOwner, D2D_PAIR_KIND_NOTE, notes, sizeof(notes[0]),
                           ARRAYSIZE(notes));
    TracePut(shared, put);
    return STATUS_SUCCESS;
}

/* Counts one more update in the shared data. IRQL <= DISPATCH_LEVEL. */
static VOID
Update(PD2D_CONTEXT Shared)
{
    PD2D_PAIR_SHARED shared = D2D_DATA_SHARED(&Shared->Data);
    ULONGLONG value;
    KIRQL irql;

    KeAcquireSpinLock(&Shared->Data.Lock, &irql);
    value = ++shared->Updates;
    shared->ByPeer++;
    KeReleaseSpinLock(&Shared->Data.Lock, irql);
    D2dTrace("update", "ctx=c%u value=%I64u", Shared->Id, value);
}

/*
 * Updates the shared data, calls the owner and exchanges an item with it.
 */
_Use_decl_annotations_
static NTSTATUS
ExerciseItems(PVOID Unused)
{
    NTSTATUS status;
    ULONG taken;
    ULONG calls;

    UNREFERENCED_PARAMETER(Unused);
    Update(Context);
    status = PutNote(Context, 7);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    D2dTrace("op-call", "to=owner op=drain");
    status = OwnerOps(Context)->Drain(Context->Owner.Self, &taken);
    D2dTrace("op-return", "from=owner op=drain status=%#x", status);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    TakeAll(Context);
    return CallBounce(Context, 2, &calls);
}

/* Fails if B does not hold the context: A may have taken it back. */
_Use_decl_annotations_
static NTSTATUS
Exercise(VOID)
{
    D2D_TARGET owner = { .Name = MODULE_A_NAME };
    NTSTATUS status = STATUS_SUCCESS;
    D2D_PLACE place;

    if (!ExAcquireRundownProtection(&Rundown)) {
        return STATUS_DEVICE_NOT_READY;
    }
    owner.DeviceObject = Context->DeviceObject;
    for (place = 0; place < D2dPlaceCount && NT_SUCCESS(status); place++) {
        status = D2dPairShow(Device, place, &owner, ExerciseItems);
    }
    ExReleaseRundownProtection(&Rundown);
    return status;
}

/* From here on B uses the context. */
static VOID
Adopt(PD2D_CONTEXT Shared)
{
    Adopted = 1;
    ExReInitializeRundownProtection(&Rundown);
    D2dTrace("adopt", "ctx=c%u", Shared->Id);
}

/* Fills in the peer's part of the context. */
static VOID
Fill(PD2D_CONTEXT Shared)
{
    const D2D_PAIR_PEER_DATA data = { .Cookie = 0xb, .Deferred = Deferred };
    KIRQL irql;

    Shared->Peer.Ops = &PeerOps.Header;
    Shared->Peer.Self = Shared;
    KeAcquireSpinLock(&Shared->Data.Lock, &irql);
    RtlCopyMemory(D2D_DATA_PEER(&Shared->Data), &data, sizeof(data));
    KeReleaseSpinLock(&Shared->Data.Lock, irql);
    D2dTrace("fill", "ctx=c%u", Shared->Id);
}

/* Refuses a context that was built with another version of the boundary. */
static NTSTATUS
CheckContext(PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    PD2D_CONTEXT shared = Irp->UserBuffer;
    NTSTATUS status;

    /* METHOD_NEITHER: nobody has checked the pointer, so only the kernel may send it. */
    if (Irp->RequestorMode != KernelMode || shared == NULL ||
        stack->Parameters.DeviceIoControl.OutputBufferLength != sizeof(*shared)) {
        return STATUS_INVALID_PARAMETER;
    }
    status = D2dCheckHeader(&shared->Header, D2D_CONTEXT_MAGIC, sizeof(*shared));
    if (!NT_SUCCESS(status)) {
        return status;
    }
    if (shared->Data.OwnerSize != sizeof(D2D_PAIR_OWNER_DATA) ||
        shared->Data.PeerSize != sizeof(D2D_PAIR_PEER_DATA) ||
        shared->Data.SharedSize != sizeof(D2D_PAIR_SHARED)) {
        return STATUS_REVISION_MISMATCH;
    }
    if (shared->Owner.Ops->Major != D2D_PAIR_MAJOR ||
        shared->Owner.Ops->Size < sizeof(D2D_PAIR_OWNER_OPS)) {
        return STATUS_REVISION_MISMATCH;
    }
    return STATUS_SUCCESS;
}

/* Accepts the context, and completes the request. */
static NTSTATUS
AcceptShare(PIRP Irp)
{
    PD2D_CONTEXT shared = Irp->UserBuffer;

    Adopt(shared);
    Fill(shared);
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    D2dTrace("complete", "status=0 info=0 ctx=c%u", shared->Id);
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

/* Runs in a system worker thread. The I/O manager keeps the driver loaded until this returns. */
_Use_decl_annotations_
static VOID NTAPI
AcceptShareLater(PDEVICE_OBJECT DeviceObject, PVOID Irp)
{
    PIO_WORKITEM item = ShareItem;

    UNREFERENCED_PARAMETER(DeviceObject);
    AcceptShare(Irp);
    IoFreeWorkItem(item);
}

static NTSTATUS
PendShare(PIRP Irp)
{
    ShareItem = IoAllocateWorkItem(Device);
    if (ShareItem == NULL) {
        InterlockedExchangePointer((PVOID volatile *)&Context, NULL);
        return D2dRequestComplete(Irp, STATUS_INSUFFICIENT_RESOURCES, 0);
    }
    D2dTrace("pend", "code=0x%08x", IOCTL_D2D_SHARE_CONTEXT);
    /* Mark the request before the work item can complete it. */
    IoMarkIrpPending(Irp);
    IoQueueWorkItem(ShareItem, AcceptShareLater, DelayedWorkQueue, Irp);
    return STATUS_PENDING;
}

/* B's side of the handshake: accepts the context that A offers. */
static NTSTATUS
Share(PIRP Irp)
{
    NTSTATUS status = CheckContext(Irp);

    /* B holds one context at a time: save the address, unless there is another one. */
    if (NT_SUCCESS(status) && InterlockedCompareExchangePointer((PVOID volatile *)&Context,
                                                                Irp->UserBuffer, NULL) != NULL) {
        status = STATUS_DEVICE_BUSY;
    }
    if (!NT_SUCCESS(status)) {
        return D2dRequestComplete(Irp, status, 0);
    }
    return Deferred ? PendShare(Irp) : AcceptShare(Irp);
}

/* IRQL <= DISPATCH_LEVEL. */
_Use_decl_annotations_
static NTSTATUS NTAPI
DispatchInternalDeviceControl(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);

    UNREFERENCED_PARAMETER(DeviceObject);
    D2dRequestTraceDispatch(Irp);
    if (stack->Parameters.DeviceIoControl.IoControlCode == IOCTL_D2D_SHARE_CONTEXT) {
        return Share(Irp);
    }
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

/* Waits until no thread uses the context. After that none can, until B adopts a context again. */
static VOID
RunDown(VOID)
{
    ExWaitForRundownProtectionRelease(&Rundown);
    ExRundownCompleted(&Rundown);
    Context = NULL;
}

/*
 * Prints the step once, although A and B may be unloaded at the same time. The context exists until
 * the caller ends or releases Rundown.
 */
static VOID
BeginDetach(VOID)
{
    if (InterlockedExchange(&Adopted, 0) != 0) {
        D2dTrace("detach", "ctx=c%u", Context->Id);
    }
}

/* A's DriverUnload calls this, and frees the context afterwards. */
_Use_decl_annotations_
static VOID NTAPI
TakeBack(VOID)
{
    PAGED_CODE();
    BeginDetach();
    RunDown();
}

/*
 * Gives the context back, unless A has taken it. First completes the requests of A that are pending
 * at B, because A may wait for them, and D2dOwnerUnregister waits for A.
 */
static VOID
Leave(VOID)
{
    D2dDemoRequestsClose(&Requests);
    if (ExAcquireRundownProtection(&Rundown)) {
        BeginDetach();
        ExReleaseRundownProtection(&Rundown);
    }
    if (NT_SUCCESS(D2dOwnerUnregister(&Driver))) {
        RunDown();
    }
}

/*
 * The I/O manager calls this when nobody has the device open any more. A does not open the device,
 * so threads of A may be inside B until Leave has returned.
 */
_Use_decl_annotations_
static VOID NTAPI
Unload(PDRIVER_OBJECT DriverObject)
{
    PAGED_CODE();
    UNREFERENCED_PARAMETER(DriverObject);
    Leave();
    D2dDemoEventsClose(&Events);
    D2dPairDeleteDevice(Device, MODULE_B_LINK);
    D2dTrace("unregister", "name=%s", MODULE_B_NAME);
    D2dTrace("unload", "");
}

/* Registers with A, which then sends B the context. */
static NTSTATUS
Register(VOID)
{
    D2dInitializeHeader(&Driver.Header, D2D_DRIVER_MAGIC, sizeof(Driver));
    RtlCopyMemory(Driver.Name, MODULE_B_NAME, sizeof(MODULE_B_NAME));
    Driver.DeviceObject = Device;
    Driver.TakeBack = TakeBack;
    D2dTrace("register", "name=%s", MODULE_B_NAME);
    return D2dOwnerRegister(&Driver);
}

_Use_decl_annotations_
NTSTATUS NTAPI
DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    NTSTATUS status;

    D2dTrace("load", "");
    DriverObject->DriverUnload = Unload;
    DriverObject->MajorFunction[IRP_MJ_CREATE] = D2dPairCreateClose;
    DriverObject->MajorFunction[IRP_MJ_CLEANUP] = D2dPairCreateClose;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = D2dPairCreateClose;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = DispatchDeviceControl;
    DriverObject->MajorFunction[IRP_MJ_INTERNAL_DEVICE_CONTROL] = DispatchInternalDeviceControl;
    D2dDemoRequestsInitialize(&Requests);
    ExInitializeRundownProtection(&Rundown);
    RunDown();

    status = D2dReadParameter(RegistryPath, L"deferred", 1, &Deferred);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    /* User mode cannot open the device until the I/O manager clears DO_DEVICE_INITIALIZING. */
    status = D2dPairCreateDevice(DriverObject, MODULE_B_DEVICE, MODULE_B_LINK, &DeviceClass,
                                 &Device);
    if (!NT_SUCCESS(status)) {
        goto refuse;
    }
    status = Register();
    if (!NT_SUCCESS(status)) {
        goto delete_device;
    }
    status = D2dDemoEventsCreate(&Events, MODULE_B_NAME);
    if (!NT_SUCCESS(status)) {
        goto leave;
    }
    D2dDemoRequestsSetEvents(&Requests, &Events);
    return STATUS_SUCCESS;

leave:
    Leave();
delete_device:
    D2dPairDeleteDevice(Device, MODULE_B_LINK);
refuse:
    D2dTrace("refuse", "reason=driver-entry status=%#x", status);
    return status;
}
