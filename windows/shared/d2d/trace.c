/* SPDX-License-Identifier: GPL-2.0 */
/* Prints the trace lines of a driver. The owner numbers them (shared/owner/trace.c). */
#include "d2d_lib.h"

/* A format with wide characters needs PASSIVE_LEVEL. */
_Use_decl_annotations_
VOID
D2dTracePrint(PCSTR Step, PCSTR Format, ...)
{
    va_list arguments;

    va_start(arguments, Format);
    D2dOwnerTrace(D2dDriverName, Step, Format, arguments);
    va_end(arguments);
}
