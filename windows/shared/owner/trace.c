/* SPDX-License-Identifier: GPL-2.0 */
/* Prints the trace lines of all drivers, and numbers them. */
#include "server.h"

/* Lines printed so far, by all drivers. */
static volatile LONG64 Sequence;

/* The time of the owner's first line in milliseconds, which tells its loads apart. */
static LONG64 Load;

static LONG64
Milliseconds(VOID)
{
    LARGE_INTEGER frequency;
    LARGE_INTEGER now = KeQueryPerformanceCounter(&frequency);

    return now.QuadPart / (frequency.QuadPart / 1000);
}

/* Returns the caller's execution context, in the words of the trace. */
static PCSTR
ExecutionContext(VOID)
{
    KIRQL irql = KeGetCurrentIrql();

    if (irql > DISPATCH_LEVEL) {
        return "isr";
    }
    return irql == DISPATCH_LEVEL ? "dpc" : "task";
}

VOID NTAPI
D2dServerTrace(PCSTR Driver, PCSTR Step, PCSTR Detail)
{
    LONG64 sequence = InterlockedIncrement64(&Sequence);

    /* The owner's first line comes before any other driver can be loaded. */
    if (sequence == 1) {
        Load = Milliseconds();
    }
    DbgPrint("%s: d2d: seq=%I64d load=%I64d in=%s step=%s%s%s\n", Driver, sequence, Load,
             ExecutionContext(), Step, *Detail ? " " : "", Detail);
}
