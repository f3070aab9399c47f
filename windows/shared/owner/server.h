/* SPDX-License-Identifier: GPL-2.0 */
/* The owner's half of the library: the context, and the peer that holds it. */
#ifndef D2D_SERVER_H
#define D2D_SERVER_H

#include "d2d_lib.h"

/* Called when a peer attaches or detaches, at IRQL = PASSIVE_LEVEL. */
typedef VOID D2D_SERVER_CALLBACK(PD2D_CONTEXT Context);

/* How the owner learns that a peer has completed the request with the context. */
typedef enum _D2D_COMPLETION {
    D2dCompletionByReturn,  /* IoCallDriver returns after it; if not, the owner waits */
    D2dCompletionByRoutine, /* a completion routine */
    D2dCompletionByWaiting, /* the event of the request */
    D2dCompletionCount
} D2D_COMPLETION;

typedef struct _D2D_SERVER_CONFIG {
    PDRIVER_OBJECT DriverObject;
    D2D_COMPLETION Completion;
    ULONG Capacity;                 /* items of each queue */
    ULONG ItemSize;                 /* bytes of payload of an item */
    const D2D_OPS *Ops;             /* what the owner offers */
    ULONG PeerOpsSize;              /* what a peer has to offer */
    USHORT PeerOpsMajor;
    const VOID *Data;               /* the owner's plain data */
    ULONG DataLength;
    ULONG PeerDataLength;           /* bytes of the peer's plain data */
    ULONG SharedLength;             /* bytes of the plain data that both share */
    D2D_SERVER_CALLBACK *Attached;  /* a peer has adopted the context */
    D2D_SERVER_CALLBACK *Detached;  /* the peer has detached */
} D2D_SERVER_CONFIG;

NTSTATUS D2dServerInitialize(const D2D_SERVER_CONFIG *Config);
VOID D2dServerUninitialize(VOID);
NTSTATUS D2dServerQueryInterface(PIRP Irp);
PD2D_CONTEXT D2dServerContext(VOID);

/* While a peer is acquired it does not leave. IRQL <= DISPATCH_LEVEL. */
BOOLEAN D2dServerAcquirePeer(PD2D_TARGET Target);
VOID D2dServerReleasePeer(VOID);

D2D_TRACE D2dServerTrace;

#endif /* D2D_SERVER_H */
