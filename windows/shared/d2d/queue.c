/* SPDX-License-Identifier: GPL-2.0 */
/* The queues of a context. Any IRQL up to DISPATCH_LEVEL; nothing here allocates. */
#include "d2d_lib.h"

/* Bytes from one item to the next. */
static SIZE_T
ItemStride(ULONG ItemSize)
{
    return ALIGN_UP_BY(FIELD_OFFSET(D2D_ITEM, Payload) + (SIZE_T)ItemSize, sizeof(ULONGLONG));
}

/*
 * Bytes of non-paged memory that the items of a queue take. Capacity is at most D2D_QUEUE_CAPACITY,
 * and ItemSize at most D2D_ITEM_SIZE, so this does not overflow.
 */
SIZE_T
D2dQueueStorage(ULONG Capacity, ULONG ItemSize)
{
    return Capacity * ItemStride(ItemSize);
}

_Use_decl_annotations_
VOID
D2dQueueInitialize(PD2D_QUEUE Queue, ULONG Capacity, ULONG ItemSize, PVOID Storage)
{
    PUCHAR next = Storage;
    ULONG i;

    RtlZeroMemory(Queue, sizeof(*Queue));
    KeInitializeSpinLock(&Queue->Lock);
    InitializeListHead(&Queue->Items);
    InitializeListHead(&Queue->Free);
    Queue->Capacity = Capacity;
    Queue->ItemSize = ItemSize;
    for (i = 0; i < Capacity; i++) {
        InsertTailList(&Queue->Free, &((PD2D_ITEM)next)->Node);
        next += ItemStride(ItemSize);
    }
}

/*
 * Takes the lock once, and puts as many payloads as there is room for. Returns their number. The
 * payloads are non-paged, as they are read at DISPATCH_LEVEL.
 */
static ULONG
PutUnderLock(PD2D_QUEUE Queue, ULONG Kind, const UCHAR *Payloads, ULONG Length, ULONG Count)
{
    PD2D_ITEM item;
    KIRQL irql;
    ULONG put;

    KeAcquireSpinLock(&Queue->Lock, &irql);
    for (put = 0; put < Count && !IsListEmpty(&Queue->Free); put++) {
        item = CONTAINING_RECORD(RemoveHeadList(&Queue->Free), D2D_ITEM, Node);
        item->Seq = Queue->Put++;
        item->Kind = Kind;
        item->Length = Length;
        RtlCopyMemory(item->Payload, Payloads + (SIZE_T)put * Length, Length);
        InsertTailList(&Queue->Items, &item->Node);
        Queue->Depth++;
    }
    Queue->HighWater = max(Queue->HighWater, Queue->Depth);
    Queue->Refused += Count - put;
    KeReleaseSpinLock(&Queue->Lock, irql);
    return put;
}

/*
 * Copies a payload to a new item. Returns STATUS_INVALID_BUFFER_SIZE if it is too long, or
 * STATUS_INSUFFICIENT_RESOURCES if the queue is full.
 */
_Use_decl_annotations_
NTSTATUS
D2dQueuePut(PD2D_QUEUE Queue, ULONG Kind, const VOID *Payload, ULONG Length)
{
    if (Length > Queue->ItemSize) {
        return STATUS_INVALID_BUFFER_SIZE;
    }
    return PutUnderLock(Queue, Kind, Payload, Length, 1) == 1 ? STATUS_SUCCESS
                                                              : STATUS_INSUFFICIENT_RESOURCES;
}

/* Copies payloads of the same length to new items. Returns the number for which there was room. */
_Use_decl_annotations_
ULONG
D2dQueuePutBatch(PD2D_QUEUE Queue, ULONG Kind, const VOID *Payloads, ULONG Length, ULONG Count)
{
    return Length > Queue->ItemSize ? 0 : PutUnderLock(Queue, Kind, Payloads, Length, Count);
}

/* Moves up to Max items, the oldest first, to the caller's list. Returns their number. */
_Use_decl_annotations_
ULONG
D2dQueueTake(PD2D_QUEUE Queue, PLIST_ENTRY Taken, ULONG Max)
{
    ULONG count;
    KIRQL irql;

    InitializeListHead(Taken);
    KeAcquireSpinLock(&Queue->Lock, &irql);
    for (count = 0; count < Max && !IsListEmpty(&Queue->Items); count++) {
        InsertTailList(Taken, RemoveHeadList(&Queue->Items));
    }
    Queue->Depth -= count;
    Queue->Taken += count;
    KeReleaseSpinLock(&Queue->Lock, irql);
    return count;
}

/* Puts items that D2dQueueTake has returned back on the free list. */
_Use_decl_annotations_
VOID
D2dQueueRelease(PD2D_QUEUE Queue, PLIST_ENTRY Taken)
{
    KIRQL irql;

    KeAcquireSpinLock(&Queue->Lock, &irql);
    while (!IsListEmpty(Taken)) {
        InsertTailList(&Queue->Free, RemoveHeadList(Taken));
    }
    KeReleaseSpinLock(&Queue->Lock, irql);
}
