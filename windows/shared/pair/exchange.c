/* SPDX-License-Identifier: GPL-2.0 */
/* Taking items, for both drivers of the pair. */
#include "d2d_pair.h"

/* How many items are taken at a time. */
#define BATCH   8

/*
 * Takes all items off a queue of the context, first one and then the rest in batches, and
 * returns their number.
 */
_Use_decl_annotations_
ULONG
D2dPairTakeAll(PD2D_CONTEXT Context, PD2D_QUEUE Queue, PCSTR QueueName)
{
    LIST_ENTRY taken;
    ULONG all = 0;
    ULONG count;

    while ((count = D2dQueueTake(Queue, &taken, all == 0 ? 1 : BATCH)) != 0) {
        D2dTrace("dequeue", "queue=%s ctx=c%u n=%u depth=%u", QueueName, Context->Id, count,
                 Queue->Depth);
        D2dQueueRelease(Queue, &taken);
        all += count;
    }
    return all;
}
