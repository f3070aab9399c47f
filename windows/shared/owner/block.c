/* SPDX-License-Identifier: GPL-2.0 */
/* Allocates the memory of a context and of the items of its queues: one block of non-paged pool. */
#include "block.h"

#ifdef ALLOC_PRAGMA
#pragma alloc_text(PAGE, D2dBlockAllocate, D2dBlockFree)
#endif

static PVOID
InitializeQueue(PD2D_CONTEXT Context, PD2D_QUEUE Queue, PCSTR Name,
                const D2D_SERVER_CONFIG *Config, PVOID Storage)
{
    D2dQueueInitialize(Queue, Config->Capacity, Config->ItemSize, Storage);
    D2dTrace("init-lock", "ctx=c%u lock=%s", Context->Id, Name);
    D2dTrace("init-queue", "ctx=c%u queue=%s capacity=%u item=%u", Context->Id, Name,
             Queue->Capacity, Queue->ItemSize);
    return (PUCHAR)Storage + D2dQueueStorage(Config->Capacity, Config->ItemSize);
}

static VOID
InitializeData(PD2D_CONTEXT Context, const D2D_SERVER_CONFIG *Config)
{
    KeInitializeSpinLock(&Context->Data.Lock);
    D2dTrace("init-lock", "ctx=c%u lock=data", Context->Id);
    Context->Data.OwnerSize = Config->DataLength;
    Context->Data.PeerSize = Config->PeerDataLength;
    Context->Data.SharedSize = Config->SharedLength;
    RtlCopyMemory(D2D_DATA_OWNER(&Context->Data), Config->Data, Config->DataLength);
}

/* Allocates a context and fills in all but the peer's part. */
_Use_decl_annotations_
PD2D_CONTEXT
D2dBlockAllocate(ULONG Id, const D2D_SERVER_CONFIG *Config)
{
    SIZE_T data = D2D_DATA_ROOM(Config->DataLength) + D2D_DATA_ROOM(Config->PeerDataLength) +
                  D2D_DATA_ROOM(Config->SharedLength);
    SIZE_T bytes = sizeof(D2D_CONTEXT) + data +
                   2 * D2dQueueStorage(Config->Capacity, Config->ItemSize);
    PD2D_CONTEXT context;
    PVOID storage;

    PAGED_CODE();
    /* ExAllocatePool2 returns zeroed memory. */
    context = ExAllocatePool2(POOL_FLAG_NON_PAGED, bytes, D2D_POOL_TAG);
    if (context == NULL) {
        return NULL;
    }
    D2dInitializeHeader(&context->Header, D2D_CONTEXT_MAGIC, sizeof(*context));
    context->Id = Id;
    context->DeviceObject = Config->DeviceObject;
    context->Owner.Ops = Config->Ops;
    context->Owner.Self = context;
    D2dTrace("alloc", "ctx=c%u bytes=%Iu", Id, bytes);
    storage = InitializeQueue(context, &context->ToPeer, "to_peer", Config,
                              (PUCHAR)(context + 1) + data);
    InitializeQueue(context, &context->ToOwner, "to_owner", Config, storage);
    InitializeData(context, Config);
    return context;
}

static VOID
DrainQueue(PD2D_CONTEXT Context, PD2D_QUEUE Queue, PCSTR Name)
{
    D2dTrace("drain", "ctx=c%u queue=%s left=%u put=%I64u taken=%I64u refused=%I64u", Context->Id,
             Name, Queue->Depth, Queue->Put, Queue->Taken, Queue->Refused);
}

/* The caller is the last user of the context. */
_Use_decl_annotations_
VOID
D2dBlockFree(PD2D_CONTEXT Context)
{
    PAGED_CODE();
    DrainQueue(Context, &Context->ToPeer, "to_peer");
    DrainQueue(Context, &Context->ToOwner, "to_owner");
    D2dTrace("free", "ctx=c%u", Context->Id);
    ExFreePoolWithTag(Context, D2D_POOL_TAG);
}
