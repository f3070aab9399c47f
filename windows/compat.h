/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What mingw-w64's headers and Wine's ntoskrnl need otherwise than Windows. All of it, and
 * nothing of it with the WDK, whose compiler does not define __MINGW32__:
 *
 *   ExAllocatePool2            mingw-w64 has no declaration and no import of it: by
 *                              ExAllocatePoolWithTag
 *   Ex...RundownProtection     Wine has stubs that end the process: the documented
 *                              behaviour, by interlocked operations on EX_RUNDOWN_REF
 *   IoGetDeviceObjectPointer   Wine's is a stub that finds nothing and says SUCCESS: the
 *                              driver object of the same name, and its first device
 *   IoCreate...Event           Wine's opens no event that exists: by ZwCreateEvent
 *   ReadPointerAcquire, ALIGN_UP_BY    are missing in mingw-w64's headers
 *
 * What Wine does otherwise and is left as it is, stands in README.md.
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

/* Memory that is zeroed, as that of ExAllocatePool2. */
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
 * Rundown protection. Count is twice the number of those inside; when it is odd, nobody
 * gets in any more, and the rest is 0 or the address of who waits.
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

/* There is one who waits. */
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
 * Finds the device \Device\NAME of the driver \Driver\NAME. What it returns for a file
 * object is the driver object: it is good for ObDereferenceObject alone.
 */
static inline NTSTATUS
CompatGetDeviceObjectPointer(PUNICODE_STRING ObjectName, ACCESS_MASK DesiredAccess,
                             PFILE_OBJECT *FileObject, PDEVICE_OBJECT *DeviceObject)
{
    static const WCHAR prefix[] = L"\\Driver\\";    /* as long as \Device\ */
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

/* Creates an event that is signaled, or opens the one there is; the handle keeps it. */
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
    /* The header declares a pointer too many. */
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
