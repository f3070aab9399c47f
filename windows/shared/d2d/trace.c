/* SPDX-License-Identifier: GPL-2.0 */
/* The trace as a driver prints it. The owner numbers the lines (shared/owner/trace.c). */
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
 * Prints the line of a step, with fields as the format says. IRQL <= DISPATCH_LEVEL, so
 * the format has no wide characters in it.
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
