/* SPDX-License-Identifier: GPL-2.0 */
/* The owner's half of the library: the context, and the peer that holds it. */
#ifndef D2D_SERVER_H
#define D2D_SERVER_H

#include "d2d_lib.h"

/*
 * Called when a peer has attached or detached. With D2dCompletionByRoutine, the completion routine
 * makes the call for a peer that has attached.
 */
_IRQL_requires_max_(DISPATCH_LEVEL)
typedef VOID D2D_SERVER_CALLBACK(_In_ PD2D_CONTEXT Context);

/* How the owner learns that a peer has completed the request with the context. */
typedef enum _D2D_COMPLETION {
    D2dCompletionByReturn,  /* by the status of IoCallDriver; it waits if that is STATUS_PENDING */
    D2dCompletionByRoutine, /* by its completion routine, which ends the handshake */
    D2dCompletionByWaiting, /* it always waits for the event that its completion routine sets */
    D2dCompletionCount
} D2D_COMPLETION;

typedef struct _D2D_SERVER_CONFIG {
    PDEVICE_OBJECT DeviceObject;    /* the owner's */
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

_IRQL_requires_(PASSIVE_LEVEL)
_Must_inspect_result_
NTSTATUS D2dServerInitialize(_In_ const D2D_SERVER_CONFIG *Config);
_IRQL_requires_(PASSIVE_LEVEL)
VOID D2dServerUninitialize(VOID);

/* From Open until Close, drivers can register. Close takes the context back from its peer. */
_IRQL_requires_(PASSIVE_LEVEL)
VOID D2dServerOpen(VOID);
_IRQL_requires_(PASSIVE_LEVEL)
VOID D2dServerClose(VOID);

PD2D_CONTEXT D2dServerContext(VOID);

/* Keeps the peer from leaving until it is released. FALSE if there is none, or it is leaving. */
_IRQL_requires_max_(DISPATCH_LEVEL)
_Must_inspect_result_
BOOLEAN D2dServerAcquirePeer(_Out_ PD2D_TARGET Target);
_IRQL_requires_max_(DISPATCH_LEVEL)
VOID D2dServerReleasePeer(VOID);

#endif /* D2D_SERVER_H */
