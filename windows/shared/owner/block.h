/* SPDX-License-Identifier: GPL-2.0 */
#ifndef D2D_BLOCK_H
#define D2D_BLOCK_H

#include "server.h"

PD2D_CONTEXT D2dBlockAllocate(ULONG Id, const D2D_SERVER_CONFIG *Config);
VOID D2dBlockFree(PD2D_CONTEXT Context);

#endif /* D2D_BLOCK_H */
