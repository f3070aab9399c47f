/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Requests, as a driver sends them. The IRP is the driver's own (IoAllocateIrp), as one
 * of IoBuildDeviceIoControlRequest can be made at PASSIVE_LEVEL only and is not to be
 * used again.
 */
#include "d2d_lib.h"

/*
 * Runs in an arbitrary thread at IRQL <= DISPATCH_LEVEL. The IRP has no stack location of
 * ours, so DeviceObject is NULL, and the IRP is not to be marked pending here.
 */
static NTSTATUS NTAPI
PacketCompleted(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID Context)
{
    PD2D_PACKET packet = Context;

    UNREFERENCED_PARAMETER(DeviceObject);
    if (packet->Via == D2dViaRoutine) {
        D2dTrace("completion", "via=routine status=%#x", Irp->IoStatus.Status);
    }
    /* Who waits for this may free the packet. */
    KeSetEvent(&packet->Idle, IO_NO_INCREMENT, FALSE);
    /* We keep the IRP. */
    return STATUS_MORE_PROCESSING_REQUIRED;
}

/* Makes a packet that can be sent to the target. IRQL <= DISPATCH_LEVEL. */
NTSTATUS
D2dPacketInitialize(PD2D_PACKET Packet, const D2D_TARGET *Target)
{
    KeInitializeEvent(&Packet->Idle, NotificationEvent, TRUE);
    Packet->Irp = IoAllocateIrp(Target->DeviceObject->StackSize, FALSE);
    return Packet->Irp == NULL ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS;
}

/*
 * Sends an internal device control request with buffers (METHOD_BUFFERED): input and
 * output are in Packet->Buffer. Returns what IoCallDriver returns: STATUS_PENDING, or
 * what it was completed with. IRQL <= DISPATCH_LEVEL.
 */
NTSTATUS
D2dPacketSend(PD2D_PACKET Packet, const D2D_TARGET *Target, ULONG Code, const VOID *Input,
              ULONG InputLength, ULONG OutputLength, D2D_VIA Via)
{
    PIO_STACK_LOCATION stack;
    NTSTATUS status;

    if (InputLength > sizeof(Packet->Buffer) || OutputLength > sizeof(Packet->Buffer)) {
        return STATUS_INVALID_BUFFER_SIZE;
    }
    IoReuseIrp(Packet->Irp, STATUS_NOT_SUPPORTED);
    RtlCopyMemory(Packet->Buffer, Input, InputLength);
    Packet->Irp->AssociatedIrp.SystemBuffer = Packet->Buffer;
    stack = IoGetNextIrpStackLocation(Packet->Irp);
    stack->MajorFunction = IRP_MJ_INTERNAL_DEVICE_CONTROL;
    stack->Parameters.DeviceIoControl.IoControlCode = Code;
    stack->Parameters.DeviceIoControl.InputBufferLength = InputLength;
    stack->Parameters.DeviceIoControl.OutputBufferLength = OutputLength;
    IoSetCompletionRoutine(Packet->Irp, PacketCompleted, Packet, TRUE, TRUE, TRUE);
    Packet->Via = Via;
    KeClearEvent(&Packet->Idle);
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
 * Asks for a request to be cancelled. FALSE: who has it cannot be asked, and will
 * complete it. The packet is ours in any case, so that the IRP cannot go meanwhile.
 * IRQL <= DISPATCH_LEVEL.
 */
BOOLEAN
D2dPacketCancel(PD2D_PACKET Packet, const D2D_TARGET *Target)
{
    D2dTrace("cancel", "from=%s status=%#x", Target->Name, STATUS_CANCELLED);
    return IoCancelIrp(Packet->Irp);
}

/* Waits until the packet is not on its way, and frees its IRP. IRQL = PASSIVE_LEVEL. */
VOID
D2dPacketUninitialize(PD2D_PACKET Packet)
{
    if (Packet->Irp != NULL) {
        KeWaitForSingleObject(&Packet->Idle, Executive, KernelMode, FALSE, NULL);
        IoFreeIrp(Packet->Irp);
        Packet->Irp = NULL;
    }
}
