/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Everything that crosses the boundary between the owner of the shared context (module_a)
 * and its peer (module_b).
 *
 * This is the counterpart of shared/include/d2d.h of the Linux version. The fields have
 * the same order, so that `make compare` can compare the layouts.
 */
#ifndef D2D_H
#define D2D_H

#include <ntddk.h>

/* Version of this file, without the ops tables. Both sides need the same major. */
#define D2D_ABI_MAJOR           1
#define D2D_ABI_MINOR           0

/* Magic numbers, one for each kind of object ("DRVO", "CTXB", "IFCE"). */
#define D2D_DRIVER_MAGIC        0x4f565244u
#define D2D_CONTEXT_MAGIC       0x42585443u
#define D2D_INTERFACE_MAGIC     0x45434649u

/* Longest driver name including the terminating NUL, in bytes. */
#define D2D_NAME_SIZE           32
/* Longest text after the step name in a trace line, including NUL, in bytes. */
#define D2D_DETAIL_SIZE         160
/* The most bytes of each block of data in a context. */
#define D2D_DATA_SIZE           65536

/*
 * "Here is a context": UserBuffer points to a D2D_CONTEXT. METHOD_NEITHER:
 * only then does the I/O manager pass the pointer on without touching the memory.
 */
#define IOCTL_D2D_SHARE_CONTEXT \
    CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_NEITHER, FILE_ANY_ACCESS)
/* "What do you offer?": UserBuffer points to a D2D_OWNER_INTERFACE to be filled in. */
#define IOCTL_D2D_QUERY_INTERFACE \
    CTL_CODE(FILE_DEVICE_UNKNOWN, 0x805, METHOD_NEITHER, FILE_ANY_ACCESS)

/* First member of every object that crosses the boundary. */
typedef struct _D2D_HEADER {
    ULONG Magic;        /* D2D_..._MAGIC of the object's kind */
    ULONG Size;         /* sizeof the object, in the build of its maker */
    USHORT Major;       /* D2D_ABI_MAJOR */
    USHORT Minor;       /* D2D_ABI_MINOR */
    ULONG Layout;       /* D2D_LAYOUT: both sides lay the context out alike */
} D2D_HEADER, *PD2D_HEADER;

/* First member of every ops table; pointers to functions follow it. */
typedef struct _D2D_OPS {
    ULONG Size;         /* sizeof the table, in the build of its maker */
    USHORT Major;       /* version of this interface, majors must be equal */
    USHORT Minor;       /* a newer minor only appends operations */
} D2D_OPS, *PD2D_OPS;

/* What one side offers in a context. Self is the first argument of each operation. */
typedef struct _D2D_ENDPOINT {
    const D2D_OPS *Ops;
    PVOID Self;
} D2D_ENDPOINT, *PD2D_ENDPOINT;

/*
 * An item is on one of its queue's two lists, or belongs to the thread that took it off
 * a list under the lock.
 */
typedef struct _D2D_ITEM {
    LIST_ENTRY Node;
    ULONGLONG Seq;      /* counts the items put on this queue, from 0 */
    ULONG Kind;         /* meaning of the payload, up to the drivers */
    ULONG Length;       /* bytes of payload in use */
    UCHAR Payload[ANYSIZE_ARRAY];   /* ItemSize bytes */
} D2D_ITEM, *PD2D_ITEM;

/*
 * One direction of item traffic. All items are preallocated: an empty free list means
 * that the queue is full. Take the lock by KeAcquireSpinLock, and not by
 * ExInterlockedXxxList: it protects more than the lists. IRQL <= DISPATCH_LEVEL.
 */
typedef struct _D2D_QUEUE {
    KSPIN_LOCK Lock;    /* protects all below */
    LIST_ENTRY Items;   /* oldest first */
    LIST_ENTRY Free;
    ULONG Capacity;     /* items in all */
    ULONG ItemSize;     /* bytes of payload of each item */
    ULONG Depth;        /* items on the Items list */
    ULONG HighWater;    /* largest depth so far */
    ULONGLONG Put;      /* items put, also the next item's Seq */
    ULONGLONG Taken;
    ULONGLONG Refused;  /* items refused because the queue was full */
} D2D_QUEUE, *PD2D_QUEUE;

/*
 * The blocks of plain data: the owner's, the peer's, and one that both share, one behind the
 * other, each at a multiple of 8 bytes. Either side reads and updates them under the lock.
 */
typedef struct _D2D_DATA {
    KSPIN_LOCK Lock;
    ULONGLONG OwnerSize;    /* bytes of each block */
    ULONGLONG PeerSize;
    ULONGLONG SharedSize;
    ULONGLONG Blocks[ANYSIZE_ARRAY];
} D2D_DATA, *PD2D_DATA;

#define D2D_DATA_ROOM(size)     (((size) + 7) & ~(SIZE_T)7)
#define D2D_DATA_OWNER(data)    ((PVOID)(data)->Blocks)
#define D2D_DATA_PEER(data) \
    ((PVOID)((PUCHAR)D2D_DATA_OWNER(data) + D2D_DATA_ROOM((data)->OwnerSize)))
#define D2D_DATA_SHARED(data) \
    ((PVOID)((PUCHAR)D2D_DATA_PEER(data) + D2D_DATA_ROOM((data)->PeerSize)))

/*
 * The shared context, in non-paged pool. The owner allocates and fills it, except for
 * the peer endpoint and the peer's data, which the peer fills in during the handshake.
 */
typedef struct _D2D_CONTEXT {
    D2D_HEADER Header;
    ULONG Id;           /* n in "ctx=cn" of the trace */
    ULONG Reserved;     /* 0 */
    PDRIVER_OBJECT DriverObject;    /* the owner's; its operations are in its image */
    D2D_ENDPOINT Owner;
    D2D_ENDPOINT Peer;
    D2D_QUEUE ToPeer;
    D2D_QUEUE ToOwner;
    D2D_DATA Data;
} D2D_CONTEXT, *PD2D_CONTEXT;

/* A hash of the layout (FNV-1a): builds that lay out the context in different ways differ in it. */
#define D2D_MIX(hash, value)    (((hash) ^ (ULONG)(value)) * 0x01000193u)
#define D2D_AT(hash, type, field)   D2D_MIX(hash, FIELD_OFFSET(type, field))
#define D2D_LAYOUT \
    D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_AT(D2D_MIX(D2D_MIX(0x811c9dc5u, \
    sizeof(D2D_CONTEXT)), sizeof(D2D_QUEUE)), D2D_CONTEXT, Owner), D2D_CONTEXT, Peer), \
    D2D_CONTEXT, ToPeer), D2D_CONTEXT, ToOwner), D2D_CONTEXT, Data), D2D_QUEUE, Items), \
    D2D_QUEUE, Put), D2D_ITEM, Payload)

/* What a driver that wants a context passes to the owner. */
typedef struct _D2D_DRIVER {
    D2D_HEADER Header;
    CHAR Name[D2D_NAME_SIZE];
    UNICODE_STRING DeviceName;  /* of the device that takes IOCTL_D2D_SHARE_CONTEXT */
} D2D_DRIVER, *PD2D_DRIVER;

/*
 * Prints one trace line. Driver, Step and Detail are NUL-terminated.
 * IRQL <= DISPATCH_LEVEL.
 */
typedef VOID NTAPI D2D_TRACE(PCSTR Driver, PCSTR Step, PCSTR Detail);
typedef D2D_TRACE *PD2D_TRACE;

/*
 * Asks the owner to share a context with the driver. The handshake is over when this
 * returns. IRQL = PASSIVE_LEVEL. Returns STATUS_REVISION_MISMATCH, STATUS_DEVICE_BUSY
 * (another driver holds the context), or the status with which opening the driver's device
 * failed or the driver completed the request.
 */
typedef NTSTATUS NTAPI D2D_ATTACH(const D2D_DRIVER *Driver);
typedef D2D_ATTACH *PD2D_ATTACH;

/*
 * Returns when the owner has left the driver's operations and dispatch routines and will
 * not enter them again. Do not call this from inside one of them. IRQL =
 * PASSIVE_LEVEL. STATUS_NOT_FOUND if the driver holds no context.
 */
typedef NTSTATUS NTAPI D2D_DETACH(const D2D_DRIVER *Driver);
typedef D2D_DETACH *PD2D_DETACH;

/*
 * What the owner offers before there is a context. It is valid while the caller holds a
 * reference to a file object of the owner's device, which keeps the owner loaded.
 */
typedef struct _D2D_OWNER_INTERFACE {
    D2D_HEADER Header;
    PD2D_TRACE Trace;
    PD2D_ATTACH Attach;
    PD2D_DETACH Detach;
} D2D_OWNER_INTERFACE, *PD2D_OWNER_INTERFACE;

#endif /* D2D_H */
