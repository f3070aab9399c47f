/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The owner's side of attaching and detaching.
 *
 * A peer registers and hands over its device object (D2dOwnerRegister). The owner then sends the
 * context to that device, in an internal device control request. Neither driver opens a device of
 * the other, so neither defers the other's unload, and each waits until the other has left it:
 * - A peer that is unloaded unregisters: this waits until the owner's calls into the peer have
 *   returned (rundown protection).
 * - An owner that is unloaded calls the peer's TakeBack: this waits until no thread of the peer
 *   uses the context. The owner's image stays in memory, as the peer imports functions from it.
 */
#include "block.h"

static IO_COMPLETION_ROUTINE ContextCompleted;

#ifdef ALLOC_PRAGMA
#pragma alloc_text(PAGE, D2dOwnerRegister, D2dOwnerUnregister)
#pragma alloc_text(PAGE, D2dServerOpen, D2dServerClose)
#pragma alloc_text(PAGE, D2dServerInitialize, D2dServerUninitialize)
#endif

static struct {
    D2D_SERVER_CONFIG Config;
    PD2D_CONTEXT Context;
    volatile LONG Initialized;      /* 1 once the objects below are initialized; nothing resets it */
    KMUTEX Mutex;                   /* held while a driver registers or unregisters */
    BOOLEAN Open;                   /* drivers can register. Protected by Mutex */
    D2D_DRIVER Peer;                /* DeviceObject: referenced, or NULL for no peer. By Mutex */
    BOOLEAN Held;                   /* Peer holds the context, and may give it back. By Mutex */
    EX_RUNDOWN_REF Rundown;         /* held while the owner is inside the peer */
    KEVENT Completed;               /* the peer has completed the request with the context */
    NTSTATUS Handshake;             /* how the handshake has ended */
} Server;

PD2D_CONTEXT
D2dServerContext(VOID)
{
    return Server.Context;
}

_Use_decl_annotations_
BOOLEAN
D2dServerAcquirePeer(PD2D_TARGET Target)
{
    if (!ExAcquireRundownProtection(&Server.Rundown)) {
        return FALSE;
    }
    Target->DeviceObject = Server.Peer.DeviceObject;
    Target->Name = Server.Peer.Name;
    return TRUE;
}

_Use_decl_annotations_
VOID
D2dServerReleasePeer(VOID)
{
    ExReleaseRundownProtection(&Server.Rundown);
}

static VOID
Lock(VOID)
{
    KeWaitForSingleObject(&Server.Mutex, Executive, KernelMode, FALSE, NULL);
}

static VOID
Unlock(VOID)
{
    KeReleaseMutex(&Server.Mutex, FALSE);
}

/* Checks what the peer has filled in. */
static NTSTATUS
CheckPeer(VOID)
{
    const D2D_OPS *ops = Server.Context->Peer.Ops;

    if (ops == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    if (ops->Major != Server.Config.PeerOpsMajor) {
        return STATUS_REVISION_MISMATCH;
    }
    return ops->Size >= Server.Config.PeerOpsSize ? STATUS_SUCCESS
                                                  : STATUS_INFO_LENGTH_MISMATCH;
}

/* Ends the handshake: the peer has completed the request. IRQL <= DISPATCH_LEVEL. */
static VOID
Conclude(PCSTR Via, NTSTATUS Status)
{
    D2dTrace("completion", "via=%s status=%#x ctx=c%u", Via, Status, Server.Context->Id);
    Server.Handshake = NT_SUCCESS(Status) ? CheckPeer() : Status;
    if (NT_SUCCESS(Server.Handshake)) {
        ExReInitializeRundownProtection(&Server.Rundown);
        D2dTrace("attached", "to=%s ctx=c%u", Server.Peer.Name, Server.Context->Id);
        Server.Config.Attached(Server.Context);
    }
}

/*
 * Runs in the thread that completes the request, at IRQL <= DISPATCH_LEVEL. The owner has no stack
 * location in the IRP, so this routine must not mark the IRP pending.
 */
_Use_decl_annotations_
static NTSTATUS NTAPI
ContextCompleted(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID Context)
{
    UNREFERENCED_PARAMETER(DeviceObject);
    UNREFERENCED_PARAMETER(Context);
    if (Server.Config.Completion == D2dCompletionByRoutine) {
        Conclude("routine", Irp->IoStatus.Status);
    }
    /* The thread that waits for this may now free the IRP. */
    KeSetEvent(&Server.Completed, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

/*
 * Builds an internal device control request whose UserBuffer is the context. The owner allocates
 * the IRP itself. An IRP of IoBuildDeviceIoControlRequest would belong to the thread: it could not
 * be freed without being sent, and the I/O manager would complete it by an APC of the thread.
 */
static NTSTATUS
BuildRequest(PIRP *Request)
{
    PD2D_CONTEXT context = Server.Context;
    PIO_STACK_LOCATION stack;
    NTSTATUS status;
    PIRP irp;

    irp = IoAllocateIrp(Server.Peer.DeviceObject->StackSize, FALSE);
    if (irp == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    irp->IoStatus.Status = STATUS_NOT_SUPPORTED;
    irp->UserBuffer = context;
    stack = IoGetNextIrpStackLocation(irp);
    stack->MajorFunction = IRP_MJ_INTERNAL_DEVICE_CONTROL;
    stack->Parameters.DeviceIoControl.IoControlCode = IOCTL_D2D_SHARE_CONTEXT;
    stack->Parameters.DeviceIoControl.OutputBufferLength = sizeof(*context);
    status = IoSetCompletionRoutineEx(Server.Config.DeviceObject, irp, ContextCompleted, NULL,
                                      TRUE, TRUE, TRUE);
    if (!NT_SUCCESS(status)) {
        IoFreeIrp(irp);
        return status;
    }
    D2dTrace("build-request", "major=0x%02x code=0x%08x ctx=c%u",
             IRP_MJ_INTERNAL_DEVICE_CONTROL, IOCTL_D2D_SHARE_CONTEXT, context->Id);
    *Request = irp;
    return STATUS_SUCCESS;
}

/* The handshake: sends the context, and returns when the peer has completed the request. */
static NTSTATUS
Share(VOID)
{
    D2D_COMPLETION completion = Server.Config.Completion;
    BOOLEAN pended;
    NTSTATUS status;
    PIRP irp;

    status = BuildRequest(&irp);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    KeClearEvent(&Server.Completed);
    D2dTrace("call-driver", "to=%s code=0x%08x ctx=c%u", Server.Peer.Name, IOCTL_D2D_SHARE_CONTEXT,
             Server.Context->Id);
    status = IoCallDriver(Server.Peer.DeviceObject, irp);
    pended = status == STATUS_PENDING;
    if (pended || completion == D2dCompletionByWaiting) {
        KeWaitForSingleObject(&Server.Completed, Executive, KernelMode, FALSE, NULL);
        status = irp->IoStatus.Status;
    }
    IoFreeIrp(irp);
    /* With D2dCompletionByRoutine, the completion routine has called Conclude already. */
    if (completion == D2dCompletionByWaiting) {
        Conclude("wait", status);
    } else if (completion == D2dCompletionByReturn) {
        Conclude(pended ? "wait asked=return" : "return", status);
    }
    return Server.Handshake;
}

/* The caller holds the mutex. */
static VOID
ForgetPeer(VOID)
{
    RtlZeroMemory(&Server.Context->Peer, sizeof(Server.Context->Peer));
    ObDereferenceObject(Server.Peer.DeviceObject);
    Server.Peer.DeviceObject = NULL;
}

/* Attaches the driver. The caller holds the mutex. */
static NTSTATUS
Attach(const D2D_DRIVER *Driver)
{
    NTSTATUS status;

    if (!Server.Open) {
        return STATUS_DEVICE_NOT_READY;
    }
    if (Server.Peer.DeviceObject != NULL) {
        return STATUS_DEVICE_BUSY;
    }
    Server.Peer = *Driver;
    ObReferenceObject(Server.Peer.DeviceObject);
    D2dTrace("lookup", "name=%s", Server.Peer.Name);
    status = Share();
    Server.Held = NT_SUCCESS(status);
    if (!Server.Held) {
        ForgetPeer();
    }
    return status;
}

/* Waits until the owner has left the peer. The caller holds the mutex. */
static VOID
Detach(VOID)
{
    ExWaitForRundownProtectionRelease(&Server.Rundown);
    ExRundownCompleted(&Server.Rundown);
    D2dTrace("rundown", "of=%s ctx=c%u", Server.Peer.Name, Server.Context->Id);
    ForgetPeer();
    Server.Config.Detached(Server.Context);
}

static NTSTATUS
CheckDriver(const D2D_DRIVER *Driver)
{
    NTSTATUS status = D2dCheckHeader(&Driver->Header, D2D_DRIVER_MAGIC, sizeof(*Driver));

    if (!NT_SUCCESS(status)) {
        return status;
    }
    if (Driver->DeviceObject == NULL || Driver->TakeBack == NULL ||
        Driver->Name[sizeof(Driver->Name) - 1] != 0) {
        return STATUS_INVALID_PARAMETER;
    }
    /* Windows may have loaded the owner's image for a peer, and not called its DriverEntry. */
    return ReadAcquire(&Server.Initialized) ? STATUS_SUCCESS : STATUS_DEVICE_NOT_READY;
}

_Use_decl_annotations_
NTSTATUS NTAPI
D2dOwnerRegister(const D2D_DRIVER *Driver)
{
    NTSTATUS status;

    PAGED_CODE();
    status = CheckDriver(Driver);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    Lock();
    status = Attach(Driver);
    Unlock();
    return status;
}

_Use_decl_annotations_
NTSTATUS NTAPI
D2dOwnerUnregister(const D2D_DRIVER *Driver)
{
    NTSTATUS status;

    PAGED_CODE();
    status = CheckDriver(Driver);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    Lock();
    if (Server.Held && Server.Peer.DeviceObject == Driver->DeviceObject) {
        Server.Held = FALSE;
        Detach();
    } else {
        status = STATUS_NOT_FOUND;
    }
    Unlock();
    return status;
}

_Use_decl_annotations_
VOID
D2dServerOpen(VOID)
{
    PAGED_CODE();
    Lock();
    Server.Open = TRUE;
    Unlock();
}

_Use_decl_annotations_
VOID
D2dServerClose(VOID)
{
    PAGED_CODE();
    Lock();
    Server.Open = FALSE;
    /* The peer's image stays meanwhile: its DriverUnload unregisters, which waits for the mutex. */
    if (Server.Held) {
        /* TakeBack may unregister, as this thread can acquire the mutex again. It then gets an error. */
        Server.Held = FALSE;
        Server.Peer.TakeBack();
        Detach();
    }
    Unlock();
}

/*
 * DriverEntry may run again in an image that has stayed in memory for a peer. As a thread of the
 * peer may hold the mutex then, this does something the first time only. Nobody can acquire a peer
 * before one has attached.
 */
static VOID
InitializeOnce(VOID)
{
    if (Server.Initialized) {
        return;
    }
    KeInitializeMutex(&Server.Mutex, 0);
    KeInitializeEvent(&Server.Completed, NotificationEvent, FALSE);
    ExInitializeRundownProtection(&Server.Rundown);
    ExWaitForRundownProtectionRelease(&Server.Rundown);
    ExRundownCompleted(&Server.Rundown);
    WriteRelease(&Server.Initialized, 1);
}

/* Drivers cannot register before D2dServerOpen. */
_Use_decl_annotations_
NTSTATUS
D2dServerInitialize(const D2D_SERVER_CONFIG *Config)
{
    PAGED_CODE();
    if (Config->DataLength > D2D_DATA_SIZE || Config->PeerDataLength > D2D_DATA_SIZE ||
        Config->SharedLength > D2D_DATA_SIZE || Config->Capacity > D2D_QUEUE_CAPACITY ||
        Config->ItemSize > D2D_ITEM_SIZE) {
        return STATUS_INVALID_PARAMETER;
    }
    Server.Config = *Config;
    Server.Context = D2dBlockAllocate(0, Config);
    if (Server.Context == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    InitializeOnce();
    return STATUS_SUCCESS;
}

/* Drivers can no longer register, and none is attached. */
_Use_decl_annotations_
VOID
D2dServerUninitialize(VOID)
{
    PAGED_CODE();
    D2dBlockFree(Server.Context);
    Server.Context = NULL;
}
