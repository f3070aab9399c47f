/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What sensor and consumer have agreed on: the block of non-paged memory that the sensor
 * allocates, and the requests by which the sensor shares it and takes it back.
 */
#ifndef SENSOR_PAIR_H
#define SENSOR_PAIR_H

#include <ntddk.h>
#include "compat.h"

#define CONSUMER_DEVICE     L"\\Device\\consumer"
#define CONSUMER_LINK       L"\\DosDevices\\d2d-consumer"

/* In both, UserBuffer points to the block, and OutputBufferLength is its size. */
#define IOCTL_SENSOR_SHARE \
    CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_NEITHER, FILE_ANY_ACCESS)
/* When this is completed, the consumer does not use the block any more. */
#define IOCTL_SENSOR_TAKE_BACK \
    CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, METHOD_NEITHER, FILE_ANY_ACCESS)
/* From user mode (play.c). Input is a ULONG, the period in milliseconds. */
#define IOCTL_CONSUMER_COLLECT \
    CTL_CODE(FILE_DEVICE_UNKNOWN, 0x810, METHOD_BUFFERED, FILE_WRITE_DATA)

#define SENSOR_VERSION      1
#define SENSOR_CAPACITY     64
/* Samples that the sensor raises after each SetRate. */
#define SENSOR_BURST        16

typedef struct _SAMPLE {
    LIST_ENTRY Node;
    ULONGLONG Number;       /* counts the samples, from 0 */
    ULONGLONG Value;
} SAMPLE, *PSAMPLE;

typedef struct _SENSOR_BLOCK SENSOR_BLOCK, *PSENSOR_BLOCK;

/*
 * Raises SENSOR_BURST samples, one each Period milliseconds; *Before is the former period.
 * Returns STATUS_INVALID_PARAMETER if Period is not 1 to 1000, or STATUS_DEVICE_BUSY if the
 * sensor is still raising samples.
 */
_IRQL_requires_max_(DISPATCH_LEVEL)
_Must_inspect_result_
typedef NTSTATUS NTAPI SENSOR_SET_RATE(_In_ PSENSOR_BLOCK Block, ULONG Period,
                                       _Out_ PULONG Before);

struct _SENSOR_BLOCK {
    ULONG Size;             /* sizeof(SENSOR_BLOCK) */
    ULONG Version;          /* SENSOR_VERSION */
    SENSOR_SET_RATE *SetRate;
    KEVENT Ready;           /* synchronization event: there are samples */
    KSPIN_LOCK Lock;        /* protects the lists */
    LIST_ENTRY Samples;     /* oldest first */
    LIST_ENTRY Free;
    SAMPLE Pool[SENSOR_CAPACITY];
};

#endif /* SENSOR_PAIR_H */
