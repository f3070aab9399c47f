/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The interface of the demonstration pair: what module_a and module_b offer each other.
 *
 * Every operation returns an NTSTATUS and, on success, writes its result to *Result.
 */
#ifndef D2D_PAIR_H
#define D2D_PAIR_H

#include "d2d_lib.h"
#include "d2d_control.h"

#define D2D_PAIR_MAJOR  1
#define D2D_PAIR_MINOR  0

#define MODULE_A_NAME   "module_a"
#define MODULE_A_DEVICE L"\\Device\\module_a"
#define MODULE_A_LINK   L"\\DosDevices\\d2d-module_a"
#define MODULE_B_NAME   "module_b"
#define MODULE_B_DEVICE L"\\Device\\module_b"
#define MODULE_B_LINK   L"\\DosDevices\\d2d-module_b"

/*
 * Requests that both drivers serve, IRP_MJ_INTERNAL_DEVICE_CONTROL only.
 * ADD: input and output are a ULONGLONG; the output is the input plus 1.
 * PEND: input is a ULONGLONG, the key. Stays pending until COMPLETE with the same key. Output is
 *      the Value of that COMPLETE, a ULONGLONG.
 * COMPLETE: input is a D2D_PAIR_COMPLETE. STATUS_NOT_FOUND: there is no PEND with the key.
 * SIGNAL: sets the driver's two events.
 */
#define IOCTL_D2D_PAIR_ADD \
    CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define IOCTL_D2D_PAIR_PEND \
    CTL_CODE(FILE_DEVICE_UNKNOWN, 0x802, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define IOCTL_D2D_PAIR_COMPLETE \
    CTL_CODE(FILE_DEVICE_UNKNOWN, 0x803, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define IOCTL_D2D_PAIR_SIGNAL \
    CTL_CODE(FILE_DEVICE_UNKNOWN, 0x804, METHOD_BUFFERED, FILE_ANY_ACCESS)

typedef struct _D2D_PAIR_COMPLETE {
    ULONGLONG Key;      /* that of PEND */
    ULONGLONG Value;    /* what PEND is completed with */
} D2D_PAIR_COMPLETE, *PD2D_PAIR_COMPLETE;

/* Kind of the items that carry a number. */
#define D2D_PAIR_KIND_NOTE  1
typedef ULONGLONG D2D_NOTE;

/* Longest chain of calls that Bounce makes; each takes some of the kernel's stack. */
#define D2D_PAIR_MAX_HOPS   16

_IRQL_requires_max_(DISPATCH_LEVEL)
_Must_inspect_result_
typedef NTSTATUS NTAPI D2D_PAIR_PING(_In_ PVOID Self, ULONG Value, _Out_ PULONG Result);
_IRQL_requires_max_(DISPATCH_LEVEL)
_Must_inspect_result_
typedef NTSTATUS NTAPI D2D_PAIR_BOUNCE(_In_ PVOID Self, ULONG Hops, _Out_ PULONG Result);
_IRQL_requires_max_(DISPATCH_LEVEL)
_Must_inspect_result_
typedef NTSTATUS NTAPI D2D_PAIR_DRAIN(_In_ PVOID Self, _Out_ PULONG Result);

/* What module_a offers. */
typedef struct _D2D_PAIR_OWNER_OPS {
    D2D_OPS Header;
    D2D_PAIR_PING *Ping;        /* *Result = Value + 1 */
    /*
     * While Hops > 0: calls the other side's Bounce with Hops - 1. *Result = calls made.
     * STATUS_INVALID_PARAMETER for more than D2D_PAIR_MAX_HOPS.
     */
    D2D_PAIR_BOUNCE *Bounce;
    /* Takes all items of its queue, and puts one on the other for each. *Result = items taken. */
    D2D_PAIR_DRAIN *Drain;
} D2D_PAIR_OWNER_OPS, *PD2D_PAIR_OWNER_OPS;

/* What its peer offers. */
typedef struct _D2D_PAIR_PEER_OPS {
    D2D_OPS Header;
    D2D_PAIR_PING *Ping;
    D2D_PAIR_BOUNCE *Bounce;
    /* Takes all items of its queue. *Result = items taken. */
    D2D_PAIR_DRAIN *Drain;
} D2D_PAIR_PEER_OPS, *PD2D_PAIR_PEER_OPS;

/* Plain data of module_a in the context, written at its initialization. */
typedef struct _D2D_PAIR_OWNER_DATA {
    ULONG QueueCapacity;
    ULONG ItemSize;
} D2D_PAIR_OWNER_DATA, *PD2D_PAIR_OWNER_DATA;

/* Plain data of the peer, written during the handshake. */
typedef struct _D2D_PAIR_PEER_DATA {
    ULONGLONG Cookie;   /* any value that tells one peer from another */
    ULONG Deferred;     /* 1 if it completed the handshake from a work item */
    ULONG Reserved;     /* 0 */
} D2D_PAIR_PEER_DATA, *PD2D_PAIR_PEER_DATA;

/* Plain data that both drivers share. Each updates it in each round of its exercise. */
typedef struct _D2D_PAIR_SHARED {
    ULONGLONG Updates;  /* ByOwner + ByPeer */
    ULONGLONG ByOwner;
    ULONGLONG ByPeer;
} D2D_PAIR_SHARED, *PD2D_PAIR_SHARED;

/* exchange.c */
_IRQL_requires_max_(DISPATCH_LEVEL)
ULONG D2dPairTakeAll(_In_ PD2D_CONTEXT Context, _Inout_ PD2D_QUEUE Queue, _In_z_ PCSTR QueueName);

/* demo_events.c: the two named events of a driver. The driver sets them, the other one waits. */
typedef struct _D2D_DEMO_EVENT {
    PKEVENT Event;      /* referenced, or NULL */
    HANDLE Handle;      /* keeps the name */
} D2D_DEMO_EVENT, *PD2D_DEMO_EVENT;

typedef struct _D2D_DEMO_EVENTS {
    D2D_DEMO_EVENT Notice;
    D2D_DEMO_EVENT Turn;
} D2D_DEMO_EVENTS, *PD2D_DEMO_EVENTS;

_IRQL_requires_(PASSIVE_LEVEL)
_Must_inspect_result_
NTSTATUS D2dDemoEventsCreate(_Out_ PD2D_DEMO_EVENTS Events, _In_z_ PCSTR Driver);
_IRQL_requires_(PASSIVE_LEVEL)
_Must_inspect_result_
NTSTATUS D2dDemoEventsOpen(_Out_ PD2D_DEMO_EVENTS Events, _In_z_ PCSTR Driver);
_IRQL_requires_(PASSIVE_LEVEL)
VOID D2dDemoEventsClose(_Inout_ PD2D_DEMO_EVENTS Events);
_IRQL_requires_max_(DISPATCH_LEVEL)
VOID D2dDemoEventsSet(_In_ const D2D_DEMO_EVENTS *Events);
_IRQL_requires_(PASSIVE_LEVEL)
_Must_inspect_result_
NTSTATUS D2dDemoEventsWait(_In_ const D2D_DEMO_EVENTS *Events);

/* demo_requests.c: serves the requests of the other driver. */
typedef struct _D2D_DEMO_REQUESTS {
    KSPIN_LOCK Lock;            /* protects Pended and Closed */
    LIST_ENTRY Pended;          /* the pended requests */
    BOOLEAN Closed;             /* the driver is unloaded: it pends no more requests */
    PD2D_DEMO_EVENTS Events;    /* the driver's events, once they exist */
} D2D_DEMO_REQUESTS, *PD2D_DEMO_REQUESTS;

VOID D2dDemoRequestsInitialize(_Out_ PD2D_DEMO_REQUESTS Requests);
VOID D2dDemoRequestsSetEvents(_Inout_ PD2D_DEMO_REQUESTS Requests, _In_ PD2D_DEMO_EVENTS Events);
_IRQL_requires_max_(DISPATCH_LEVEL)
NTSTATUS D2dDemoRequestsDispatch(_Inout_ PD2D_DEMO_REQUESTS Requests, _Inout_ PIRP Irp);
_IRQL_requires_max_(DISPATCH_LEVEL)
VOID D2dDemoRequestsClose(_Inout_ PD2D_DEMO_REQUESTS Requests);

/* show.c: sends the other driver each request, and waits for its events. */
_IRQL_requires_(PASSIVE_LEVEL)
_Must_inspect_result_
NTSTATUS D2dPairShow(_In_ PDEVICE_OBJECT DeviceObject, D2D_PLACE Place,
                     _In_ const D2D_TARGET *Target, _In_ PD2D_ROUTINE Exercise);

/* control.c: what user mode asks for. The library calls one D2D_EXERCISE at a time. */
_IRQL_requires_(PASSIVE_LEVEL)
typedef NTSTATUS D2D_EXERCISE(VOID);

_IRQL_requires_(PASSIVE_LEVEL)
NTSTATUS D2dPairControl(_Inout_ PIRP Irp, _In_ D2D_EXERCISE *Exercise);
_Dispatch_type_(IRP_MJ_CREATE)
_Dispatch_type_(IRP_MJ_CLEANUP)
_Dispatch_type_(IRP_MJ_CLOSE)
DRIVER_DISPATCH D2dPairCreateClose;
_IRQL_requires_(PASSIVE_LEVEL)
_Must_inspect_result_
NTSTATUS D2dPairCreateDevice(_In_ PDRIVER_OBJECT DriverObject, _In_z_ PCWSTR DeviceName,
                             _In_z_ PCWSTR LinkName, _In_ LPCGUID DeviceClass,
                             _Out_ PDEVICE_OBJECT *DeviceObject);
_IRQL_requires_(PASSIVE_LEVEL)
VOID D2dPairDeleteDevice(_In_ PDEVICE_OBJECT DeviceObject, _In_z_ PCWSTR LinkName);

#endif /* D2D_PAIR_H */
