/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the alarm and the sleeper have agreed on. The sleeper is a filter above the alarm, in the
 * same device stack.
 */
#ifndef ALARM_PAIR_H
#define ALARM_PAIR_H

#include <ntddk.h>
#include <wdf.h>

/* From the sleeper. Input is a ULONG, the time in milliseconds; output is a ULONGLONG. */
#define IOCTL_ALARM_RING \
    CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, METHOD_BUFFERED, FILE_ANY_ACCESS)
/* From user mode. Input is a ULONG, the time in milliseconds. */
#define IOCTL_SLEEPER_SLEEP \
    CTL_CODE(FILE_DEVICE_UNKNOWN, 0x810, METHOD_BUFFERED, FILE_WRITE_DATA)

#define ALARM_LONGEST   3600000
#define ALARM_VERSION   1

/* {6F2C7A51-93D4-4A5E-8C1B-2B7D90E4C3A6} */
DEFINE_GUID(GUID_ALARM_INTERFACE, 0x6f2c7a51, 0x93d4, 0x4a5e,
            0x8c, 0x1b, 0x2b, 0x7d, 0x90, 0xe4, 0xc3, 0xa6);

/* Returns the number of requests that are pending. */
_IRQL_requires_max_(DISPATCH_LEVEL)
typedef ULONG NTAPI ALARM_WAITING(_In_ PVOID Context);

typedef struct _ALARM_INTERFACE {
    INTERFACE Header;
    ALARM_WAITING *Waiting;
} ALARM_INTERFACE, *PALARM_INTERFACE;

#endif /* ALARM_PAIR_H */
