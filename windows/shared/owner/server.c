/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The owner's side of attaching and detaching.
 *
 * A peer asks for the context (D2D_ATTACH). The owner looks the peer up by the name of its
 * device, and sends it the context in an internal device control request.
 *
 * The owner keeps no file object of the peer's device, as that would defer the peer's unload
 * until the owner gives it up. Instead, the peer calls D2D_DETACH when it is unloaded, which
 * waits for the owner's calls into it to return (rundown protection). The peer does keep a
 * file object of the owner's device, and so defers the owner's unload.
 */
#include "block.h"

/* Whether a peer holds the context. */
typedef enum _SLOT_STATE {
    SlotFree,
    SlotAttaching,
    SlotAttached,
    SlotDetaching
} SLOT_STATE;

static struct {
    D2D_SERVER_CONFIG Config;
    PD2D_CONTEXT Context;
    volatile LONG State;            /* SLOT_STATE */
    EX_RUNDOWN_REF Rundown;         /* held while the owner is inside the peer */
    PDEVICE_OBJECT PeerDevice;      /* referenced. Set while attached, as PeerName */
    CHAR PeerName[D2D_NAME_SIZE];
} Server;

PD2D_CONTEXT
D2dServerContext(VOID)
{
    return Server.Context;
}

/* Returns FALSE if there is no peer or it is detaching. IRQL <= DISPATCH_LEVEL. */
BOOLEAN
D2dServerAcquirePeer(PD2D_TARGET Target)
{
    if (!ExAcquireRundownProtection(&Server.Rundown)) {
        return FALSE;
    }
    Target->DeviceObject = Server.PeerDevice;
    Target->Name = Server.PeerName;
    return TRUE;
}

VOID
D2dServerReleasePeer(VOID)
{
    ExReleaseRundownProtection(&Server.Rundown);
}

static BOOLEAN
ChangeState(SLOT_STATE From, SLOT_STATE To)
{
    return InterlockedCompareExchange(&Server.State, To, From) == (LONG)From;
}

/* Finds the device to which to send the context. The caller dereferences it. */
static NTSTATUS
LookUp(const D2D_DRIVER *Driver, PDEVICE_OBJECT *Device)
{
    UNICODE_STRING name = Driver->DeviceName;
    PFILE_OBJECT file;
    NTSTATUS status;

    status = IoGetDeviceObjectPointer(&name, FILE_READ_DATA, &file, Device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    D2dTrace("lookup", "name=%s", Driver->Name);
    ObReferenceObject(*Device);
    ObDereferenceObject(file);
    return STATUS_SUCCESS;
}

/*
 * The completion routine. Runs in the thread that completes the request, at IRQL <=
 * DISPATCH_LEVEL. The owner has no stack location in the IRP, so DeviceObject is NULL, and this
 * routine must not mark the IRP pending. The IRP goes on to the I/O manager.
 */
static NTSTATUS NTAPI
ContextCompleted(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID Context)
{
    PD2D_CONTEXT context = Context;

    UNREFERENCED_PARAMETER(DeviceObject);
    D2dTrace("completion", "via=routine status=%#x ctx=c%u", Irp->IoStatus.Status, context->Id);
    return STATUS_CONTINUE_COMPLETION;
}

/* Allocates the request. The I/O manager frees it after its completion. */
static PIRP
BuildRequest(PDEVICE_OBJECT Device, PKEVENT Event, PIO_STATUS_BLOCK Result)
{
    PD2D_CONTEXT context = Server.Context;
    PIRP irp;

    irp = IoBuildDeviceIoControlRequest(IOCTL_D2D_SHARE_CONTEXT, Device, NULL, 0, context,
                                        sizeof(*context), TRUE, Event, Result);
    if (irp == NULL) {
        return NULL;
    }
    /* For METHOD_NEITHER the I/O manager has done this; it is here to show what the request is. */
    irp->UserBuffer = context;
    if (Server.Config.Completion == D2dCompletionByRoutine) {
        IoSetCompletionRoutine(irp, ContextCompleted, context, TRUE, TRUE, TRUE);
    }
    D2dTrace("build-request", "major=0x%02x code=0x%08x ctx=c%u",
             IRP_MJ_INTERNAL_DEVICE_CONTROL, IOCTL_D2D_SHARE_CONTEXT, context->Id);
    return irp;
}

/* Sends the context, and returns when the peer has completed the request. */
static NTSTATUS
SendContext(const D2D_DRIVER *Driver, PDEVICE_OBJECT Device)
{
    D2D_COMPLETION completion = Server.Config.Completion;
    IO_STATUS_BLOCK result;
    BOOLEAN pending;
    NTSTATUS status;
    KEVENT event;
    PIRP irp;

    KeInitializeEvent(&event, NotificationEvent, FALSE);
    irp = BuildRequest(Device, &event, &result);
    if (irp == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    D2dTrace("call-driver", "to=%s code=0x%08x ctx=c%u", Driver->Name, IOCTL_D2D_SHARE_CONTEXT,
             Server.Context->Id);
    status = IoCallDriver(Device, irp);
    pending = status == STATUS_PENDING;
    /*
     * If a request fails before IoCallDriver returns, the I/O manager neither sets the event
     * nor writes the result: do not wait.
     */
    if (pending || (completion == D2dCompletionByWaiting && NT_SUCCESS(status))) {
        KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
        status = result.Status;
    }
    if (completion != D2dCompletionByRoutine) {
        PCSTR via = completion == D2dCompletionByWaiting ? "wait" :
                    pending ? "wait asked=return" : "return";

        D2dTrace("completion", "via=%s status=%#x ctx=c%u", via, status, Server.Context->Id);
    }
    return status;
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

static VOID
ForgetPeer(VOID)
{
    RtlZeroMemory(&Server.Context->Peer, sizeof(Server.Context->Peer));
    ObDereferenceObject(Server.PeerDevice);
    Server.PeerDevice = NULL;
}

/* The handshake. */
static NTSTATUS
Share(const D2D_DRIVER *Driver)
{
    NTSTATUS status = LookUp(Driver, &Server.PeerDevice);

    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = SendContext(Driver, Server.PeerDevice);
    if (NT_SUCCESS(status)) {
        status = CheckPeer();
    }
    if (!NT_SUCCESS(status)) {
        ForgetPeer();
        return status;
    }
    RtlCopyMemory(Server.PeerName, Driver->Name, sizeof(Server.PeerName));
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI
Attach(const D2D_DRIVER *Driver)
{
    NTSTATUS status;

    status = D2dCheckHeader(&Driver->Header, D2D_DRIVER_MAGIC, sizeof(*Driver));
    if (!NT_SUCCESS(status)) {
        return status;
    }
    if (!ChangeState(SlotFree, SlotAttaching)) {
        return STATUS_DEVICE_BUSY;
    }
    status = Share(Driver);
    if (!NT_SUCCESS(status)) {
        ChangeState(SlotAttaching, SlotFree);
        return status;
    }
    ExReInitializeRundownProtection(&Server.Rundown);
    ChangeState(SlotAttaching, SlotAttached);
    D2dTrace("attached", "to=%s ctx=c%u", Driver->Name, Server.Context->Id);
    Server.Config.Attached(Server.Context);
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI
Detach(const D2D_DRIVER *Driver)
{
    NTSTATUS status = D2dCheckHeader(&Driver->Header, D2D_DRIVER_MAGIC, sizeof(*Driver));

    if (!NT_SUCCESS(status)) {
        return status;
    }
    if (strncmp(Driver->Name, Server.PeerName, sizeof(Server.PeerName)) != 0 ||
        !ChangeState(SlotAttached, SlotDetaching)) {
        return STATUS_NOT_FOUND;
    }
    ExWaitForRundownProtectionRelease(&Server.Rundown);
    D2dTrace("rundown", "of=%s ctx=c%u", Driver->Name, Server.Context->Id);
    ForgetPeer();
    Server.Config.Detached(Server.Context);
    ChangeState(SlotDetaching, SlotFree);
    return STATUS_SUCCESS;
}

/* Serves IOCTL_D2D_QUERY_INTERFACE, by which a peer gets the functions that it imports on Linux. */
NTSTATUS
D2dServerQueryInterface(PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    PD2D_OWNER_INTERFACE offer = Irp->UserBuffer;
    NTSTATUS status;

    /* METHOD_NEITHER: nobody has checked the pointer, so only the kernel may send it. */
    if (Irp->RequestorMode != KernelMode ||
        stack->Parameters.DeviceIoControl.OutputBufferLength != sizeof(*offer)) {
        return D2dRequestComplete(Irp, STATUS_INVALID_PARAMETER, 0);
    }
    status = D2dCheckHeader(&offer->Header, D2D_INTERFACE_MAGIC, sizeof(*offer));
    if (!NT_SUCCESS(status)) {
        return D2dRequestComplete(Irp, status, 0);
    }
    offer->Trace = D2dServerTrace;
    offer->Attach = Attach;
    offer->Detach = Detach;
    return D2dRequestComplete(Irp, STATUS_SUCCESS, sizeof(*offer));
}

/* IRQL = PASSIVE_LEVEL. */
NTSTATUS
D2dServerInitialize(const D2D_SERVER_CONFIG *Config)
{
    if (Config->DataLength > D2D_DATA_SIZE || Config->PeerDataLength > D2D_DATA_SIZE ||
        Config->SharedLength > D2D_DATA_SIZE) {
        return STATUS_INVALID_PARAMETER;
    }
    Server.Config = *Config;
    Server.Context = D2dBlockAllocate(0, Config);
    if (Server.Context == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    /* Nobody can acquire a peer before one has attached. */
    ExInitializeRundownProtection(&Server.Rundown);
    ExWaitForRundownProtectionRelease(&Server.Rundown);
    return STATUS_SUCCESS;
}

/* No peer is attached: an attached one defers the owner's unload. */
VOID
D2dServerUninitialize(VOID)
{
    D2dBlockFree(Server.Context);
    Server.Context = NULL;
}
