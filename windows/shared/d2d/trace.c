/* SPDX-License-Identifier: GPL-2.0 */
/* Formats the trace lines of a driver. The owner numbers and prints them (shared/owner/trace.c). */
#include <stdarg.h>
#include "d2d_lib.h"
#include <ntstrsafe.h>

static PCSTR TraceDriver;
static PD2D_TRACE TraceRoutine;

VOID
D2dTraceInitialize(PCSTR Driver, PD2D_TRACE Routine)
{
    TraceDriver = Driver;
    TraceRoutine = Routine;
}

/*
 * Prints the line of a step, with the fields of the format. IRQL <= DISPATCH_LEVEL; the format
 * must not have wide characters, which need PASSIVE_LEVEL.
 */
VOID
D2dTrace(PCSTR Step, PCSTR Format, ...)
{
    CHAR detail[D2D_DETAIL_SIZE];
    va_list arguments;

    va_start(arguments, Format);
    /* A detail that does not fit is cut off; the rest of the line is still worth having. */
    (VOID)RtlStringCbVPrintfA(detail, sizeof(detail), Format, arguments);
    va_end(arguments);
    TraceRoutine(TraceDriver, Step, detail);
}
