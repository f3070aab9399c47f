/* SPDX-License-Identifier: GPL-2.0 */
/* The library that both drivers are linked with: trace, queues, packets, places to run in. */
#ifndef D2D_LIB_H
#define D2D_LIB_H

#include <ntddk.h>
#include "compat.h"
#include "d2d.h"

#define D2D_POOL_TAG    'd2dD'

/* header.c */
VOID D2dInitializeHeader(PD2D_HEADER Header, ULONG Magic, ULONG Size);
NTSTATUS D2dCheckHeader(const D2D_HEADER *Header, ULONG Magic, ULONG Size);

/* parameter.c */
NTSTATUS D2dReadParameter(PUNICODE_STRING RegistryPath, PCWSTR Name, ULONG Max, PULONG Value);

/* trace.c. D2dTraceInitialize names the driver, in whose name D2dTrace prints lines. */
VOID D2dTraceInitialize(PCSTR Driver, PD2D_TRACE Routine);
VOID D2dTrace(PCSTR Step, PCSTR Format, ...);

/* queue.c. All at IRQL <= DISPATCH_LEVEL. */
SIZE_T D2dQueueStorage(ULONG Capacity, ULONG ItemSize);
VOID D2dQueueInitialize(PD2D_QUEUE Queue, ULONG Capacity, ULONG ItemSize, PVOID Storage);
NTSTATUS D2dQueuePut(PD2D_QUEUE Queue, ULONG Kind, const VOID *Payload, ULONG Length);
ULONG D2dQueuePutBatch(PD2D_QUEUE Queue, ULONG Kind, const VOID *Payloads, ULONG Length,
                       ULONG Count);
ULONG D2dQueueTake(PD2D_QUEUE Queue, PLIST_ENTRY Taken, ULONG Max);
VOID D2dQueueRelease(PD2D_QUEUE Queue, PLIST_ENTRY Taken);

/* run_in.c: the places where code of a driver can run. */
typedef enum _D2D_PLACE {
    D2dPlaceSyscall,    /* the thread that has sent a request. PASSIVE_LEVEL */
    D2dPlaceWorker,     /* a system worker thread. PASSIVE_LEVEL */
    D2dPlaceDpc,        /* a deferred procedure call. DISPATCH_LEVEL */
    D2dPlaceCount
} D2D_PLACE;

typedef NTSTATUS D2D_ROUTINE(PVOID Context);
typedef D2D_ROUTINE *PD2D_ROUTINE;

NTSTATUS D2dRunIn(PDEVICE_OBJECT DeviceObject, D2D_PLACE Place, PD2D_ROUTINE Routine,
                  PVOID Context);

/* packet.c: a request that its sender allocates once and can send again and again. */
typedef enum _D2D_VIA {
    D2dViaReturn,       /* IoCallDriver returns with it completed */
    D2dViaRoutine       /* the completion routine runs */
} D2D_VIA;

/* The receiver of requests. */
typedef struct _D2D_TARGET {
    PDEVICE_OBJECT DeviceObject;
    PCSTR Name;
} D2D_TARGET, *PD2D_TARGET;

#define D2D_PACKET_BUFFER   16

typedef struct _D2D_PACKET {
    PIRP Irp;
    KEVENT Idle;        /* set while the request is not at a receiver */
    D2D_VIA Via;
    ULONGLONG Buffer[D2D_PACKET_BUFFER / sizeof(ULONGLONG)];    /* the system buffer */
} D2D_PACKET, *PD2D_PACKET;

NTSTATUS D2dPacketInitialize(PD2D_PACKET Packet, const D2D_TARGET *Target);
NTSTATUS D2dPacketSend(PD2D_PACKET Packet, const D2D_TARGET *Target, ULONG Code,
                       const VOID *Input, ULONG InputLength, ULONG OutputLength, D2D_VIA Via);
BOOLEAN D2dPacketCancel(PD2D_PACKET Packet, const D2D_TARGET *Target);
VOID D2dPacketUninitialize(PD2D_PACKET Packet);

/* request.c: receiving requests. */
VOID D2dRequestTraceDispatch(PIRP Irp);
NTSTATUS D2dRequestComplete(PIRP Irp, NTSTATUS Status, ULONG_PTR Information);

#endif /* D2D_LIB_H */
