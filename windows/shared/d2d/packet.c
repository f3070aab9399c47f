/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sending requests. The sender allocates the IRP itself (IoAllocateIrp), because
 * IoBuildDeviceIoControlRequest needs PASSIVE_LEVEL, and its IRP cannot be sent again.
 */
#include "d2d_lib.h"

static IO_COMPLETION_ROUTINE PacketCompleted;

#ifdef ALLOC_PRAGMA
#pragma alloc_text(PAGE, D2dPacketUninitialize)
#endif

/*
 * Runs in an arbitrary thread at IRQL <= DISPATCH_LEVEL. The sender has no stack location in the
 * IRP, so this routine must not mark the IRP pending.
 */
_Use_decl_annotations_
static NTSTATUS NTAPI
PacketCompleted(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID Context)
{
    PD2D_PACKET packet = Context;

    UNREFERENCED_PARAMETER(DeviceObject);
    if (packet->Via == D2dViaRoutine) {
        D2dTrace("completion", "via=routine status=%#x", Irp->IoStatus.Status);
    }
    /* A thread that waits for this may now free the packet. */
    KeSetEvent(&packet->Idle, IO_NO_INCREMENT, FALSE);
    /* The sender keeps the IRP. */
    return STATUS_MORE_PROCESSING_REQUIRED;
}

/* Makes a packet that the sender, a device of the caller's, can send to the target. */
_Use_decl_annotations_
NTSTATUS
D2dPacketInitialize(PD2D_PACKET Packet, PDEVICE_OBJECT Sender, const D2D_TARGET *Target)
{
    Packet->Sender = Sender;
    KeInitializeEvent(&Packet->Idle, NotificationEvent, TRUE);
    Packet->Irp = IoAllocateIrp(Target->DeviceObject->StackSize, FALSE);
    return Packet->Irp == NULL ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS;
}

/*
 * Sends an internal device control request. Packet->Buffer has input and output (METHOD_BUFFERED).
 * Returns what IoCallDriver returns: STATUS_PENDING, or the status of the completion. If this
 * function fails before it has sent the request, it returns STATUS_INVALID_BUFFER_SIZE,
 * STATUS_INSUFFICIENT_RESOURCES, or STATUS_DEVICE_BUSY: the packet is at a receiver, which is a
 * fault of the caller.
 */
_Use_decl_annotations_
NTSTATUS
D2dPacketSend(PD2D_PACKET Packet, const D2D_TARGET *Target, ULONG Code, const VOID *Input,
              ULONG InputLength, ULONG OutputLength, D2D_VIA Via)
{
    PIO_STACK_LOCATION stack;
    NTSTATUS status;

    if (InputLength > sizeof(Packet->Buffer) || OutputLength > sizeof(Packet->Buffer)) {
        return STATUS_INVALID_BUFFER_SIZE;
    }
    /* Only one caller takes an idle packet. The IRP of another one may not be used again. */
    if (KeResetEvent(&Packet->Idle) == 0) {
        ASSERT(!"the packet is not idle");
        return STATUS_DEVICE_BUSY;
    }
    IoReuseIrp(Packet->Irp, STATUS_NOT_SUPPORTED);
    /* Input may be NULL if it has no bytes. */
    if (InputLength != 0) {
        RtlCopyMemory(Packet->Buffer, Input, InputLength);
    }
    Packet->Irp->AssociatedIrp.SystemBuffer = Packet->Buffer;
    stack = IoGetNextIrpStackLocation(Packet->Irp);
    stack->MajorFunction = IRP_MJ_INTERNAL_DEVICE_CONTROL;
    stack->Parameters.DeviceIoControl.IoControlCode = Code;
    stack->Parameters.DeviceIoControl.InputBufferLength = InputLength;
    stack->Parameters.DeviceIoControl.OutputBufferLength = OutputLength;
    /*
     * IoSetCompletionRoutineEx keeps the driver loaded until the routine has returned; for a driver
     * without PnP nothing else does. It allocates memory that only the completion frees, so from
     * here on the request must be sent.
     */
    status = IoSetCompletionRoutineEx(Packet->Sender, Packet->Irp, PacketCompleted, Packet, TRUE,
                                      TRUE, TRUE);
    if (!NT_SUCCESS(status)) {
        KeSetEvent(&Packet->Idle, IO_NO_INCREMENT, FALSE);
        return status;
    }
    Packet->Via = Via;
    D2dTrace("build-request", "major=0x%02x code=0x%08x input=%u output=%u",
             IRP_MJ_INTERNAL_DEVICE_CONTROL, Code, InputLength, OutputLength);
    D2dTrace("call-driver", "to=%s code=0x%08x", Target->Name, Code);
    status = IoCallDriver(Target->DeviceObject, Packet->Irp);
    if (Via == D2dViaReturn && status != STATUS_PENDING) {
        D2dTrace("completion", "via=return status=%#x", status);
    }
    return status;
}

/*
 * Cancels a request. Returns FALSE if its holder has no cancel routine, and so will complete
 * it itself. The IRP cannot be freed meanwhile, as the caller has the packet.
 */
_Use_decl_annotations_
BOOLEAN
D2dPacketCancel(PD2D_PACKET Packet, const D2D_TARGET *Target)
{
    D2dTrace("cancel", "from=%s status=%#x", Target->Name, STATUS_CANCELLED);
    return IoCancelIrp(Packet->Irp);
}

/* Waits until the request is completed, and frees the IRP. */
_Use_decl_annotations_
VOID
D2dPacketUninitialize(PD2D_PACKET Packet)
{
    PAGED_CODE();
    if (Packet->Irp != NULL) {
        KeWaitForSingleObject(&Packet->Idle, Executive, KernelMode, FALSE, NULL);
        IoFreeIrp(Packet->Irp);
        Packet->Irp = NULL;
    }
}
