/* SPDX-License-Identifier: GPL-2.0 */
/* The header of each object that crosses the boundary. */
#include "d2d_lib.h"

/*
 * The sizes and offsets that both sides must have alike: those of all structures in the context.
 * D2D_HEADER and D2D_DRIVER are not among them: a driver with another D2D_DRIVER has another Size.
 */
static const ULONG Places[] = {
    sizeof(D2D_CONTEXT), FIELD_OFFSET(D2D_CONTEXT, Id), FIELD_OFFSET(D2D_CONTEXT, DeviceObject),
    FIELD_OFFSET(D2D_CONTEXT, Owner), FIELD_OFFSET(D2D_CONTEXT, Peer),
    FIELD_OFFSET(D2D_CONTEXT, ToPeer), FIELD_OFFSET(D2D_CONTEXT, ToOwner),
    FIELD_OFFSET(D2D_CONTEXT, Data),
    sizeof(D2D_ENDPOINT), FIELD_OFFSET(D2D_ENDPOINT, Ops), FIELD_OFFSET(D2D_ENDPOINT, Self),
    sizeof(D2D_OPS), FIELD_OFFSET(D2D_OPS, Size), FIELD_OFFSET(D2D_OPS, Major),
    FIELD_OFFSET(D2D_OPS, Minor),
    sizeof(D2D_QUEUE), FIELD_OFFSET(D2D_QUEUE, Lock), FIELD_OFFSET(D2D_QUEUE, Items),
    FIELD_OFFSET(D2D_QUEUE, Free), FIELD_OFFSET(D2D_QUEUE, Capacity),
    FIELD_OFFSET(D2D_QUEUE, ItemSize), FIELD_OFFSET(D2D_QUEUE, Depth),
    FIELD_OFFSET(D2D_QUEUE, HighWater), FIELD_OFFSET(D2D_QUEUE, Put),
    FIELD_OFFSET(D2D_QUEUE, Taken), FIELD_OFFSET(D2D_QUEUE, Refused),
    FIELD_OFFSET(D2D_ITEM, Node), FIELD_OFFSET(D2D_ITEM, Seq), FIELD_OFFSET(D2D_ITEM, Kind),
    FIELD_OFFSET(D2D_ITEM, Length), FIELD_OFFSET(D2D_ITEM, Payload),
    sizeof(D2D_DATA), FIELD_OFFSET(D2D_DATA, Lock), FIELD_OFFSET(D2D_DATA, OwnerSize),
    FIELD_OFFSET(D2D_DATA, PeerSize), FIELD_OFFSET(D2D_DATA, SharedSize),
    FIELD_OFFSET(D2D_DATA, Blocks),
};

/* Returns the hash of all of them (FNV-1a, over numbers). */
static ULONG
Layout(VOID)
{
    ULONG hash = 0x811c9dc5;
    ULONG i;

    for (i = 0; i < ARRAYSIZE(Places); i++) {
        hash = (hash ^ Places[i]) * 0x01000193;
    }
    return hash;
}

_Use_decl_annotations_
VOID
D2dInitializeHeader(PD2D_HEADER Header, ULONG Magic, ULONG Size)
{
    Header->Magic = Magic;
    Header->Size = Size;
    Header->Major = D2D_ABI_MAJOR;
    Header->Minor = D2D_ABI_MINOR;
    Header->Layout = Layout();
}

/* Refuses an object that was built with another version of the boundary. */
_Use_decl_annotations_
NTSTATUS
D2dCheckHeader(const D2D_HEADER *Header, ULONG Magic, ULONG Size)
{
    if (Header->Magic != Magic) {
        return STATUS_INVALID_PARAMETER;
    }
    if (Header->Major != D2D_ABI_MAJOR || Header->Layout != Layout()) {
        return STATUS_REVISION_MISMATCH;
    }
    return Header->Size == Size ? STATUS_SUCCESS : STATUS_INFO_LENGTH_MISMATCH;
}
