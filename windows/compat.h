/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Replacements for what mingw-w64's headers and Wine's ntoskrnl lack. The WDK's compiler does
 * not define __MINGW32__, and uses none of them.
 *
 *   ExAllocatePool2            mingw-w64 neither declares nor imports it; here it is made of
 *                              ExAllocatePoolWithTag
 *   Ex...RundownProtection     Wine has stubs that end the process; here they are made of
 *                              interlocked operations on EX_RUNDOWN_REF
 *   IoGetDeviceObjectPointer   Wine has a stub that finds nothing and returns success; here it
 *                              finds the driver object of the same name and returns its first
 *                              device
 *   IoCreate...Event           Wine's cannot open an existing event; here they are made of
 *                              ZwCreateEvent
 *   ReadPointerAcquire, ALIGN_UP_BY    are missing in mingw-w64's headers
 *
 * README.md lists the other differences of Wine, which nothing here replaces.
 */
#ifndef D2D_COMPAT_H
#define D2D_COMPAT_H

#ifdef __MINGW32__

#ifndef POOL_FLAG_NON_PAGED
#define POOL_FLAG_NON_PAGED 0x40ull
#endif

#ifndef ALIGN_UP_BY
#define ALIGN_UP_BY(size, alignment)    (((size) + (alignment) - 1) & ~((SIZE_T)(alignment) - 1))
#endif

#ifndef ReadPointerAcquire
#define ReadPointerAcquire(pointer) __atomic_load_n(pointer, __ATOMIC_ACQUIRE)
#endif

/* Returns zeroed memory, as ExAllocatePool2 does. */
static inline PVOID
CompatAllocatePool2(ULONGLONG Flags, SIZE_T Size, ULONG Tag)
{
    PVOID memory = ExAllocatePoolWithTag(NonPagedPoolNx, Size, Tag);

    UNREFERENCED_PARAMETER(Flags);
    if (memory != NULL) {
        RtlZeroMemory(memory, Size);
    }
    return memory;
}
#define ExAllocatePool2 CompatAllocatePool2

/*
 * Rundown protection. While Count is even, it is twice the number of threads inside. When it
 * is odd, no thread can enter any more, and the other bits are 0 or the address of the
 * COMPAT_RUNDOWN_WAIT of the thread that waits.
 */
typedef struct _COMPAT_RUNDOWN_WAIT {
    volatile LONG64 Inside;
    KEVENT Event;
} COMPAT_RUNDOWN_WAIT, *PCOMPAT_RUNDOWN_WAIT;

static inline BOOLEAN
CompatRundownReplace(PEX_RUNDOWN_REF RunRef, ULONG_PTR From, ULONG_PTR To)
{
    return InterlockedCompareExchange64((volatile LONG64 *)&RunRef->Count, (LONG64)To,
                                        (LONG64)From) == (LONG64)From;
}

static inline VOID
CompatInitializeRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    RunRef->Count = 0;
}
#define ExInitializeRundownProtection   CompatInitializeRundownProtection
#define ExReInitializeRundownProtection CompatInitializeRundownProtection

static inline BOOLEAN
CompatAcquireRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    ULONG_PTR count;

    do {
        count = RunRef->Count;
        if ((count & 1) != 0) {
            return FALSE;
        }
    } while (!CompatRundownReplace(RunRef, count, count + 2));
    return TRUE;
}
#define ExAcquireRundownProtection  CompatAcquireRundownProtection

static inline VOID
CompatReleaseRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    PCOMPAT_RUNDOWN_WAIT wait;
    ULONG_PTR count;

    do {
        count = RunRef->Count;
        if ((count & 1) != 0) {
            wait = (PCOMPAT_RUNDOWN_WAIT)(count & ~(ULONG_PTR)1);
            if (InterlockedDecrement64(&wait->Inside) == 0) {
                KeSetEvent(&wait->Event, IO_NO_INCREMENT, FALSE);
            }
            return;
        }
    } while (!CompatRundownReplace(RunRef, count, count - 2));
}
#define ExReleaseRundownProtection  CompatReleaseRundownProtection

/* Only one thread may wait. */
static inline VOID
CompatWaitForRundownProtectionRelease(PEX_RUNDOWN_REF RunRef)
{
    COMPAT_RUNDOWN_WAIT wait;
    ULONG_PTR count;

    KeInitializeEvent(&wait.Event, NotificationEvent, FALSE);
    do {
        count = RunRef->Count;
        wait.Inside = (LONG64)(count / 2);
    } while (!CompatRundownReplace(RunRef, count, count == 0 ? 1 : (ULONG_PTR)&wait | 1));
    if (count != 0) {
        KeWaitForSingleObject(&wait.Event, Executive, KernelMode, FALSE, NULL);
        RunRef->Count = 1;
    }
}
#define ExWaitForRundownProtectionRelease   CompatWaitForRundownProtectionRelease

/* Declared in ntifs.h only. */
NTSYSAPI NTSTATUS NTAPI ZwCreateEvent(PHANDLE Handle, ACCESS_MASK DesiredAccess,
                                      POBJECT_ATTRIBUTES Attributes, EVENT_TYPE Type,
                                      BOOLEAN InitialState);
extern __declspec(dllimport) POBJECT_TYPE IoDriverObjectType;
NTKERNELAPI NTSTATUS NTAPI ObReferenceObjectByName(PUNICODE_STRING Name, ULONG Attributes,
                                                   PACCESS_STATE AccessState,
                                                   ACCESS_MASK DesiredAccess, POBJECT_TYPE Type,
                                                   KPROCESSOR_MODE AccessMode,
                                                   PVOID ParseContext, PVOID *Object);

/*
 * Finds the device \Device\NAME of the driver \Driver\NAME. *FileObject is in
 * fact the driver object, and good only for ObDereferenceObject.
 */
static inline NTSTATUS
CompatGetDeviceObjectPointer(PUNICODE_STRING ObjectName, ACCESS_MASK DesiredAccess,
                             PFILE_OBJECT *FileObject, PDEVICE_OBJECT *DeviceObject)
{
    static const WCHAR prefix[] = L"\\Driver\\";    /* as long as "\Device\" */
    WCHAR buffer[64];
    PDRIVER_OBJECT driver;
    UNICODE_STRING name;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(DesiredAccess);
    if (ObjectName->Length >= sizeof(buffer)) {
        return STATUS_OBJECT_NAME_INVALID;
    }
    RtlZeroMemory(buffer, sizeof(buffer));
    RtlCopyMemory(buffer, ObjectName->Buffer, ObjectName->Length);
    RtlCopyMemory(buffer, prefix, sizeof(prefix) - sizeof(WCHAR));
    RtlInitUnicodeString(&name, buffer);
    status = ObReferenceObjectByName(&name, OBJ_CASE_INSENSITIVE, NULL, 0, IoDriverObjectType,
                                     KernelMode, NULL, (PVOID *)&driver);
    if (!NT_SUCCESS(status)) {
        /* Wine's says STATUS_NOT_IMPLEMENTED. */
        return STATUS_OBJECT_NAME_NOT_FOUND;
    }
    if (driver->DeviceObject == NULL) {
        ObDereferenceObject(driver);
        return STATUS_OBJECT_NAME_NOT_FOUND;
    }
    *FileObject = (PFILE_OBJECT)driver;
    *DeviceObject = driver->DeviceObject;
    return STATUS_SUCCESS;
}
#define IoGetDeviceObjectPointer    CompatGetDeviceObjectPointer

/* Creates a signaled event, or opens an existing one. The event lives as long as the handle. */
static inline PKEVENT
CompatCreateEvent(PUNICODE_STRING Name, PHANDLE Handle, EVENT_TYPE Type)
{
    OBJECT_ATTRIBUTES attributes;
    NTSTATUS status;
    PKEVENT event;

    InitializeObjectAttributes(&attributes, Name, OBJ_OPENIF | OBJ_KERNEL_HANDLE, NULL, NULL);
    status = ZwCreateEvent(Handle, EVENT_ALL_ACCESS, &attributes, Type, TRUE);
    if (!NT_SUCCESS(status)) {
        return NULL;
    }
    /* mingw-w64 declares ExEventObjectType with one pointer too many. */
    status = ObReferenceObjectByHandle(*Handle, EVENT_ALL_ACCESS,
                                       (POBJECT_TYPE)ExEventObjectType, KernelMode,
                                       (PVOID *)&event, NULL);
    if (!NT_SUCCESS(status)) {
        ZwClose(*Handle);
        return NULL;
    }
    ObDereferenceObject(event);
    return event;
}

static inline PKEVENT NTAPI
CompatCreateNotificationEvent(PUNICODE_STRING Name, PHANDLE Handle)
{
    return CompatCreateEvent(Name, Handle, NotificationEvent);
}
#define IoCreateNotificationEvent   CompatCreateNotificationEvent

static inline PKEVENT NTAPI
CompatCreateSynchronizationEvent(PUNICODE_STRING Name, PHANDLE Handle)
{
    return CompatCreateEvent(Name, Handle, SynchronizationEvent);
}
#define IoCreateSynchronizationEvent    CompatCreateSynchronizationEvent

#endif /* __MINGW32__ */

#endif /* D2D_COMPAT_H */
