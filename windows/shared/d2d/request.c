/* SPDX-License-Identifier: GPL-2.0 */
/* Receiving requests. */
#include "d2d_lib.h"

_Use_decl_annotations_
VOID
D2dRequestTraceDispatch(PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);

    D2dTrace("dispatch", "major=0x%02x code=0x%08x", stack->MajorFunction,
             stack->Parameters.DeviceIoControl.IoControlCode);
}

/* Completes a request and returns its status. The driver must not use the IRP after this. */
_Use_decl_annotations_
NTSTATUS
D2dRequestComplete(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    D2dTrace("complete", "status=%#x info=%Iu", Status, Information);
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}
