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

#include <stdarg.h>
#include <ntddk.h>
#include "compat.h"

/* Version of this file, without the ops tables. Both sides need the same major. */
#define D2D_ABI_MAJOR           1
#define D2D_ABI_MINOR           0

/* Magic numbers, one for each kind of object ("DRVO", "CTXB"). */
#define D2D_DRIVER_MAGIC        0x4f565244u
#define D2D_CONTEXT_MAGIC       0x42585443u

/* Longest driver name including the terminating NUL, in bytes. */
#define D2D_NAME_SIZE           32
/* The most bytes of each block of data in a context. */
#define D2D_DATA_SIZE           65536
/* The most items of a queue, and the most bytes of an item's payload. */
#define D2D_QUEUE_CAPACITY      (1u << 20)
#define D2D_ITEM_SIZE           4096

/*
 * The request with which the owner sends a context: UserBuffer points to a D2D_CONTEXT.
 * METHOD_NEITHER says that nobody copies, locks or checks the memory behind this pointer.
 */
#define IOCTL_D2D_SHARE_CONTEXT \
    CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_NEITHER, FILE_ANY_ACCESS)

/* First member of every object that crosses the boundary. */
typedef struct _D2D_HEADER {
    ULONG Magic;        /* D2D_..._MAGIC of the object's kind */
    ULONG Size;         /* sizeof the object, in the build of its maker */
    USHORT Major;       /* D2D_ABI_MAJOR */
    USHORT Minor;       /* D2D_ABI_MINOR */
    ULONG Layout;       /* a hash of the layout of the context: both sides need the same */
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
    PDEVICE_OBJECT DeviceObject;    /* the owner's, which takes the peer's requests */
    D2D_ENDPOINT Owner;
    D2D_ENDPOINT Peer;
    D2D_QUEUE ToPeer;
    D2D_QUEUE ToOwner;
    D2D_DATA Data;
} D2D_CONTEXT, *PD2D_CONTEXT;

/*
 * The owner calls this function of the driver in its own DriverUnload, in which the driver must not
 * call the functions below. The function returns when no thread of the driver uses the context or
 * the owner's device any more.
 */
_IRQL_requires_(PASSIVE_LEVEL)
typedef VOID NTAPI D2D_TAKE_BACK(VOID);
typedef D2D_TAKE_BACK *PD2D_TAKE_BACK;

/* What a driver passes to the owner when it registers. */
typedef struct _D2D_DRIVER {
    D2D_HEADER Header;
    CHAR Name[D2D_NAME_SIZE];       /* NUL-terminated */
    PDEVICE_OBJECT DeviceObject;    /* takes the owner's requests */
    PD2D_TAKE_BACK TakeBack;
} D2D_DRIVER, *PD2D_DRIVER;

/*
 * The functions that the owner exports. A peer is linked with the owner's import library, so that
 * Windows keeps the owner's image in memory while the peer is loaded. A peer may call them at any
 * time, even if the owner's DriverUnload has run.
 */

/*
 * Prints one trace line. Driver and Step are NUL-terminated; Format ends with a newline. A format
 * with wide characters needs PASSIVE_LEVEL.
 */
VOID NTAPI
D2dOwnerTrace(_In_z_ PCSTR Driver, _In_z_ PCSTR Step, _In_z_ _Printf_format_string_ PCSTR Format,
              va_list Arguments);

/*
 * Registers a driver. The owner then sends it the context (IOCTL_D2D_SHARE_CONTEXT). The handshake
 * is over when this returns. If it fails, the driver is not registered. Returns
 * STATUS_DEVICE_NOT_READY (the owner's DriverEntry has not returned, or its DriverUnload has run),
 * STATUS_DEVICE_BUSY (another driver holds the context), STATUS_REVISION_MISMATCH,
 * STATUS_INFO_LENGTH_MISMATCH or STATUS_INVALID_PARAMETER (the D2D_DRIVER, or the ops that the
 * driver filled in, are not what the owner needs), STATUS_INSUFFICIENT_RESOURCES, or the status
 * with which the driver completed the request.
 */
_IRQL_requires_(PASSIVE_LEVEL)
_Must_inspect_result_
NTSTATUS NTAPI
D2dOwnerRegister(_In_ const D2D_DRIVER *Driver);

/*
 * Unregisters a driver. When this returns, the owner has left the driver's operations and dispatch
 * routines, and will not enter them again. Do not call this from inside one of them, nor from
 * TakeBack. Returns STATUS_NOT_FOUND if the driver does not hold the context: the owner has taken
 * it back. Checks the D2D_DRIVER as D2dOwnerRegister does.
 */
_IRQL_requires_(PASSIVE_LEVEL)
NTSTATUS NTAPI
D2dOwnerUnregister(_In_ const D2D_DRIVER *Driver);

#endif /* D2D_H */
