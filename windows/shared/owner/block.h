/* SPDX-License-Identifier: GPL-2.0 */
#ifndef D2D_BLOCK_H
#define D2D_BLOCK_H

#include "server.h"

_IRQL_requires_(PASSIVE_LEVEL)
PD2D_CONTEXT D2dBlockAllocate(ULONG Id, _In_ const D2D_SERVER_CONFIG *Config);
_IRQL_requires_(PASSIVE_LEVEL)
VOID D2dBlockFree(_In_ PD2D_CONTEXT Context);

#endif /* D2D_BLOCK_H */
