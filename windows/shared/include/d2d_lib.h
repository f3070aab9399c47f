/* SPDX-License-Identifier: GPL-2.0 */
/* The library that both drivers are linked with: trace, queues, packets, places to run in. */
#ifndef D2D_LIB_H
#define D2D_LIB_H

#include "d2d.h"

#define D2D_POOL_TAG    'd2dD'

/* header.c. IRQL <= DISPATCH_LEVEL. */
VOID D2dInitializeHeader(_Out_ PD2D_HEADER Header, ULONG Magic, ULONG Size);
NTSTATUS D2dCheckHeader(_In_ const D2D_HEADER *Header, ULONG Magic, ULONG Size);

/* parameter.c */
_IRQL_requires_(PASSIVE_LEVEL)
_Must_inspect_result_
NTSTATUS D2dReadParameter(_In_ PUNICODE_STRING RegistryPath, _In_z_ PCWSTR Name, ULONG Max,
                          _Out_ PULONG Value);

/*
 * trace.c. Each driver defines D2dDriverName, in whose name D2dTrace prints the line of a step.
 * Format is a literal.
 */
extern const CHAR D2dDriverName[];

_IRQL_requires_max_(DISPATCH_LEVEL)
VOID D2dTracePrint(_In_z_ PCSTR Step, _In_z_ _Printf_format_string_ PCSTR Format, ...);
#define D2dTrace(Step, Format, ...) D2dTracePrint(Step, Format "\n", ##__VA_ARGS__)

/* queue.c */
SIZE_T D2dQueueStorage(ULONG Capacity, ULONG ItemSize);
VOID D2dQueueInitialize(_Out_ PD2D_QUEUE Queue, ULONG Capacity, ULONG ItemSize, _In_ PVOID Storage);
_IRQL_requires_max_(DISPATCH_LEVEL)
_Must_inspect_result_
NTSTATUS D2dQueuePut(_Inout_ PD2D_QUEUE Queue, ULONG Kind,
                     _In_reads_bytes_(Length) const VOID *Payload, ULONG Length);
_IRQL_requires_max_(DISPATCH_LEVEL)
ULONG D2dQueuePutBatch(_Inout_ PD2D_QUEUE Queue, ULONG Kind,
                       _In_reads_bytes_(Length * Count) const VOID *Payloads, ULONG Length,
                       ULONG Count);
_IRQL_requires_max_(DISPATCH_LEVEL)
ULONG D2dQueueTake(_Inout_ PD2D_QUEUE Queue, _Out_ PLIST_ENTRY Taken, ULONG Max);
_IRQL_requires_max_(DISPATCH_LEVEL)
VOID D2dQueueRelease(_Inout_ PD2D_QUEUE Queue, _Inout_ PLIST_ENTRY Taken);

/* run_in.c: the places where code of a driver can run. */
typedef enum _D2D_PLACE {
    D2dPlaceSyscall,    /* the thread that has sent a request. PASSIVE_LEVEL */
    D2dPlaceWorker,     /* a system worker thread. PASSIVE_LEVEL */
    D2dPlaceDpc,        /* a deferred procedure call. DISPATCH_LEVEL */
    D2dPlaceCount
} D2D_PLACE;

_IRQL_requires_max_(DISPATCH_LEVEL)
typedef NTSTATUS D2D_ROUTINE(_In_opt_ PVOID Context);
typedef D2D_ROUTINE *PD2D_ROUTINE;

_IRQL_requires_(PASSIVE_LEVEL)
_Must_inspect_result_
NTSTATUS D2dRunIn(_In_ PDEVICE_OBJECT DeviceObject, D2D_PLACE Place, _In_ PD2D_ROUTINE Routine,
                  _In_opt_ PVOID Context);

/*
 * packet.c: a request that its sender allocates once and can send again and again. D2D_VIA says how
 * the sender learns of the completion, and so which code prints the step "completion".
 */
typedef enum _D2D_VIA {
    D2dViaReturn,       /* by the status that IoCallDriver returns */
    D2dViaRoutine       /* by the completion routine */
} D2D_VIA;

/* The receiver of requests. */
typedef struct _D2D_TARGET {
    PDEVICE_OBJECT DeviceObject;
    PCSTR Name;
} D2D_TARGET, *PD2D_TARGET;

#define D2D_PACKET_BUFFER   16

typedef struct _D2D_PACKET {
    PDEVICE_OBJECT Sender;
    PIRP Irp;
    KEVENT Idle;        /* set while the request is not at a receiver */
    D2D_VIA Via;
    ULONGLONG Buffer[D2D_PACKET_BUFFER / sizeof(ULONGLONG)];    /* the system buffer */
} D2D_PACKET, *PD2D_PACKET;

_IRQL_requires_max_(DISPATCH_LEVEL)
_Must_inspect_result_
NTSTATUS D2dPacketInitialize(_Out_ PD2D_PACKET Packet, _In_ PDEVICE_OBJECT Sender,
                             _In_ const D2D_TARGET *Target);
_IRQL_requires_max_(DISPATCH_LEVEL)
_Must_inspect_result_
NTSTATUS D2dPacketSend(_Inout_ PD2D_PACKET Packet, _In_ const D2D_TARGET *Target, ULONG Code,
                       _In_reads_bytes_opt_(InputLength) const VOID *Input, ULONG InputLength,
                       ULONG OutputLength, D2D_VIA Via);
_IRQL_requires_max_(DISPATCH_LEVEL)
BOOLEAN D2dPacketCancel(_Inout_ PD2D_PACKET Packet, _In_ const D2D_TARGET *Target);
_IRQL_requires_(PASSIVE_LEVEL)
VOID D2dPacketUninitialize(_Inout_ PD2D_PACKET Packet);

/* request.c: receiving requests. */
_IRQL_requires_max_(DISPATCH_LEVEL)
VOID D2dRequestTraceDispatch(_In_ PIRP Irp);
_IRQL_requires_max_(DISPATCH_LEVEL)
NTSTATUS D2dRequestComplete(_Inout_ PIRP Irp, NTSTATUS Status, ULONG_PTR Information);

#endif /* D2D_LIB_H */
