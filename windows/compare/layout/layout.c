/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Makes the compiler print the layout of the shared block: its assembly has a line
 * "-> NAME BYTES" for the size of each type and the offset of each field. The kernel's build
 * system compiles this file with the Linux header, and mingw-w64 with the Windows one. The
 * names are those of Linux.
 */
#ifdef __MINGW32__
#include "d2d_lib.h"
#define OFFSET(linux_type, linux_field, type, field)    FIELD_OFFSET(type, field)
#define SIZE(linux_type, type)                          sizeof(type)
#else
#include "d2d.h"
#define OFFSET(linux_type, linux_field, type, field)    offsetof(struct linux_type, linux_field)
#define SIZE(linux_type, type)                          sizeof(struct linux_type)
#endif

#define EMIT(name, bytes)   asm volatile("\n.ascii \"-> " name " %c0\"" : : "i"(bytes))
#define TYPE(linux_type, type) \
    EMIT(#linux_type, SIZE(linux_type, type))
#define FIELD(linux_type, linux_field, type, field) \
    EMIT(#linux_type "." #linux_field, OFFSET(linux_type, linux_field, type, field))
/* A field that only Linux has. */
#ifdef __MINGW32__
#define LINUX_FIELD(linux_type, linux_field)
#else
#define LINUX_FIELD(linux_type, linux_field)    FIELD(linux_type, linux_field, , )
#endif

void EmitLayout(void);

void EmitLayout(void)
{
    TYPE(d2d_header, D2D_HEADER);
    FIELD(d2d_header, magic, D2D_HEADER, Magic);
    FIELD(d2d_header, size, D2D_HEADER, Size);
    FIELD(d2d_header, major, D2D_HEADER, Major);
    FIELD(d2d_header, minor, D2D_HEADER, Minor);
    FIELD(d2d_header, layout, D2D_HEADER, Layout);
    TYPE(d2d_ops, D2D_OPS);
    FIELD(d2d_ops, size, D2D_OPS, Size);
    FIELD(d2d_ops, major, D2D_OPS, Major);
    FIELD(d2d_ops, minor, D2D_OPS, Minor);
    LINUX_FIELD(d2d_ops, build);
    LINUX_FIELD(d2d_ops, chain);
    TYPE(d2d_endpoint, D2D_ENDPOINT);
    FIELD(d2d_endpoint, ops, D2D_ENDPOINT, Ops);
    FIELD(d2d_endpoint, self, D2D_ENDPOINT, Self);
    LINUX_FIELD(d2d_endpoint, lent);
    FIELD(d2d_item, next, D2D_ITEM, Node);
    FIELD(d2d_item, seq, D2D_ITEM, Seq);
    FIELD(d2d_item, kind, D2D_ITEM, Kind);
    FIELD(d2d_item, len, D2D_ITEM, Length);
    LINUX_FIELD(d2d_item, handle);
    LINUX_FIELD(d2d_item, claim);
    FIELD(d2d_item, payload, D2D_ITEM, Payload);
    TYPE(d2d_queue, D2D_QUEUE);
    FIELD(d2d_queue, lock, D2D_QUEUE, Lock);
    FIELD(d2d_queue, high_water, D2D_QUEUE, HighWater);
    FIELD(d2d_queue, first, D2D_QUEUE, Items);
    LINUX_FIELD(d2d_queue, last);
    FIELD(d2d_queue, free, D2D_QUEUE, Free);
    FIELD(d2d_queue, put, D2D_QUEUE, Put);
    FIELD(d2d_queue, taken, D2D_QUEUE, Taken);
    FIELD(d2d_queue, refused, D2D_QUEUE, Refused);
    LINUX_FIELD(d2d_queue, handed);
    LINUX_FIELD(d2d_queue, released);
    LINUX_FIELD(d2d_queue, pool);
    FIELD(d2d_queue, capacity, D2D_QUEUE, Capacity);
    FIELD(d2d_queue, item_size, D2D_QUEUE, ItemSize);
    LINUX_FIELD(d2d_queue, doorbell);
    LINUX_FIELD(d2d_queue, stale);
    LINUX_FIELD(d2d_queue, id);
    FIELD(d2d_data, lock, D2D_DATA, Lock);
    FIELD(d2d_data, owner_size, D2D_DATA, OwnerSize);
    FIELD(d2d_data, peer_size, D2D_DATA, PeerSize);
    FIELD(d2d_data, shared_size, D2D_DATA, SharedSize);
    FIELD(d2d_data, blocks, D2D_DATA, Blocks);
    TYPE(d2d_context, D2D_CONTEXT);
    FIELD(d2d_context, hdr, D2D_CONTEXT, Header);
    FIELD(d2d_context, id, D2D_CONTEXT, Id);
    FIELD(d2d_context, reserved, D2D_CONTEXT, Reserved);
    FIELD(d2d_context, module, D2D_CONTEXT, DeviceObject);
    FIELD(d2d_context, owner, D2D_CONTEXT, Owner);
    FIELD(d2d_context, peer, D2D_CONTEXT, Peer);
    FIELD(d2d_context, to_peer, D2D_CONTEXT, ToPeer);
    FIELD(d2d_context, to_owner, D2D_CONTEXT, ToOwner);
    FIELD(d2d_context, data, D2D_CONTEXT, Data);
}
