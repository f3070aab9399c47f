/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Prints the trace lines of all drivers, and numbers them. Unlike the functions of ntstrsafe.h,
 * which need PASSIVE_LEVEL, vDbgPrintExWithPrefix formats at any IRQL. It prints the whole line at
 * once, so that lines of several processors do not mix.
 */
#include "server.h"

typedef struct _PREFIX {
    CHAR Text[128];
    ULONG Length;
} PREFIX, *PPREFIX;

/* Lines printed so far, by all drivers. */
static volatile LONG64 Sequence;

/* The time of the first line, in milliseconds, or 0 before it. It tells runs apart. */
static volatile LONG64 Load;

static LONG64
Milliseconds(VOID)
{
    LARGE_INTEGER frequency;
    LARGE_INTEGER now = KeQueryPerformanceCounter(&frequency);

    return now.QuadPart / (frequency.QuadPart / 1000);
}

/*
 * Returns the time of the first line. That is the owner's, or a peer's if Windows has loaded the
 * owner's image for the peer. Several threads may print first: one of them sets the time.
 */
static LONG64
LoadTime(VOID)
{
    LONG64 now;
    LONG64 before;

    if (Load != 0) {
        return Load;
    }
    now = Milliseconds();
    before = InterlockedCompareExchange64(&Load, now, 0);
    return before != 0 ? before : now;
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

/* Appends a text. Cuts it off if it does not fit. */
static VOID
AppendText(PPREFIX Prefix, PCSTR Text)
{
    while (*Text != 0 && Prefix->Length < sizeof(Prefix->Text) - 1) {
        Prefix->Text[Prefix->Length++] = *Text++;
    }
    Prefix->Text[Prefix->Length] = 0;
}

static VOID
AppendNumber(PPREFIX Prefix, ULONGLONG Number)
{
    CHAR digits[21];    /* as many as ULONGLONG can have, and NUL */
    PCHAR first = &digits[sizeof(digits) - 1];

    *first = 0;
    do {
        *--first = (CHAR)('0' + Number % 10);
        Number /= 10;
    } while (Number != 0);
    AppendText(Prefix, first);
}

/* IRQL <= DIRQL. */
_Use_decl_annotations_
VOID NTAPI
D2dOwnerTrace(PCSTR Driver, PCSTR Step, PCSTR Format, va_list Arguments)
{
    LONG64 sequence = InterlockedIncrement64(&Sequence);
    PREFIX prefix = { .Length = 0 };

    AppendText(&prefix, Driver);
    AppendText(&prefix, ": d2d: seq=");
    AppendNumber(&prefix, sequence);
    AppendText(&prefix, " load=");
    AppendNumber(&prefix, LoadTime());
    AppendText(&prefix, " in=");
    AppendText(&prefix, ExecutionContext());
    AppendText(&prefix, " step=");
    AppendText(&prefix, Step);
    AppendText(&prefix, *Format == '\n' ? "" : " ");
    vDbgPrintExWithPrefix(prefix.Text, DPFLTR_IHVDRIVER_ID, DPFLTR_INFO_LEVEL, Format, Arguments);
}
