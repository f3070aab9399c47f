/* SPDX-License-Identifier: GPL-2.0 */
/* The header of each object that crosses the boundary. */
#include "d2d_lib.h"

_Use_decl_annotations_
VOID
D2dInitializeHeader(PD2D_HEADER Header, ULONG Magic, ULONG Size)
{
    Header->Magic = Magic;
    Header->Size = Size;
    Header->Major = D2D_ABI_MAJOR;
    Header->Minor = D2D_ABI_MINOR;
    Header->Layout = D2D_LAYOUT;
}

/* Refuses an object that was built with another version of the boundary. */
_Use_decl_annotations_
NTSTATUS
D2dCheckHeader(const D2D_HEADER *Header, ULONG Magic, ULONG Size)
{
    if (Header->Magic != Magic) {
        return STATUS_INVALID_PARAMETER;
    }
    if (Header->Major != D2D_ABI_MAJOR || Header->Layout != D2D_LAYOUT) {
        return STATUS_REVISION_MISMATCH;
    }
    return Header->Size == Size ? STATUS_SUCCESS : STATUS_INFO_LENGTH_MISMATCH;
}
