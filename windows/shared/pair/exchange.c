/* SPDX-License-Identifier: GPL-2.0 */
/* Taking items, for both drivers of the pair. */
#include "d2d_pair.h"

/* How many items are taken at a time. */
#define BATCH   8

static VOID
TraceTaken(PCSTR QueueName, PCSTR How, ULONG Count, const LIST_ENTRY *Taken)
{
    const D2D_ITEM *first = CONTAINING_RECORD(Taken->Flink, D2D_ITEM, Node);
    const D2D_ITEM *last = CONTAINING_RECORD(Taken->Blink, D2D_ITEM, Node);
    const LIST_ENTRY *entry;
    D2D_NOTE sum = 0;

    for (entry = Taken->Flink; entry != Taken; entry = entry->Flink) {
        const D2D_ITEM *item = CONTAINING_RECORD(entry, D2D_ITEM, Node);

        if (item->Kind == D2D_PAIR_KIND_NOTE && item->Length == sizeof(D2D_NOTE)) {
            sum += *(const D2D_NOTE *)item->Payload;
        }
    }
    D2dTrace("dequeue", "queue=%s n=%u how=%s first=%I64u last=%I64u sum=%I64u", QueueName,
             Count, How, first->Seq, last->Seq, sum);
}

/*
 * Takes all items off a queue, first one and then the rest in batches, and returns their
 * number. IRQL <= DISPATCH_LEVEL.
 */
ULONG
D2dPairTakeAll(PD2D_QUEUE Queue, PCSTR QueueName)
{
    LIST_ENTRY taken;
    ULONG all = 0;
    ULONG count;

    while ((count = D2dQueueTake(Queue, &taken, all == 0 ? 1 : BATCH)) != 0) {
        TraceTaken(QueueName, all == 0 ? "single" : "batch", count, &taken);
        D2dQueueRelease(Queue, &taken);
        all += count;
    }
    return all;
}
