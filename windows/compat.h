/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Replacements for what mingw-w64's headers and Wine's ntoskrnl lack. The WDK's compiler does
 * not define __MINGW32__, and gets only the header of IoCreateDeviceSecure.
 *
 *   ExAllocatePool2            mingw-w64 neither declares nor imports it; here it is made of
 *                              ExAllocatePoolWithTag
 *   Ex...RundownProtection, ExRundownCompleted
 *                              Wine has stubs that end the process; here they are made of
 *                              interlocked operations on EX_RUNDOWN_REF
 *   IoSetCompletionRoutineEx   Wine has a stub that ends the process; here it does what
 *                              IoSetCompletionRoutine does, as Wine keeps no driver loaded
 *   IoCreateDeviceSecure       on Windows, a library of the WDK has it; here it ignores the
 *                              security, as Wine does not check who opens a device
 *   IoGetDeviceObjectPointer   Wine has a stub that finds nothing and returns success; here it
 *                              finds the driver object of the same name and returns the device
 *                              that this driver created last
 *   ExEventObjectType          mingw-w64 declares it with one pointer too many
 *   ReadAcquire, WriteRelease, ReadPointerAcquire, ALIGN_UP_BY, DLL_INITIALIZE, DLL_UNLOAD,
 *   _Dispatch_type_, _Printf_format_string_
 *                              are missing in mingw-w64's headers
 *
 * README.md lists the other differences of Wine, which nothing here replaces.
 */
#ifndef D2D_COMPAT_H
#define D2D_COMPAT_H

#ifndef __MINGW32__

#include <wdmsec.h>

#else

#include <sal.h>
#include <driverspecs.h>

#ifndef _Dispatch_type_
#define _Dispatch_type_(major)
#endif

#ifndef _Printf_format_string_
#define _Printf_format_string_
#endif

#ifndef POOL_FLAG_NON_PAGED
#define POOL_FLAG_NON_PAGED 0x40ull
#endif

#ifndef POOL_NX_ALLOCATION
#define POOL_NX_ALLOCATION  512
#endif

#ifndef ALIGN_UP_BY
#define ALIGN_UP_BY(size, alignment)    (((size) + (alignment) - 1) & ~((SIZE_T)(alignment) - 1))
#endif

#ifndef ReadPointerAcquire
#define ReadPointerAcquire(pointer) __atomic_load_n(pointer, __ATOMIC_ACQUIRE)
#endif

#ifndef ReadAcquire
#define ReadAcquire(pointer)        __atomic_load_n(pointer, __ATOMIC_ACQUIRE)
#endif

#ifndef WriteRelease
#define WriteRelease(pointer, value)    __atomic_store_n(pointer, value, __ATOMIC_RELEASE)
#endif

typedef NTSTATUS NTAPI DLL_INITIALIZE(PUNICODE_STRING RegistryPath);
typedef NTSTATUS NTAPI DLL_UNLOAD(VOID);

#define ExEventObjectType   ((POBJECT_TYPE[]){ (POBJECT_TYPE)ExEventObjectType })

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
 * is odd, no thread can enter any more. The other bits are then 0 if the rundown is completed
 * (ExRundownCompleted); otherwise they are the address of the COMPAT_RUNDOWN_WAIT of the thread
 * that waits, or has waited, for the threads inside.
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

/* Ends a driver that has not called ExRundownCompleted before. */
static inline VOID
CompatReInitializeRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    if (RunRef->Count != 1) {
        __builtin_trap();
    }
    RunRef->Count = 0;
}
#define ExReInitializeRundownProtection CompatReInitializeRundownProtection

static inline VOID
CompatRundownCompleted(PEX_RUNDOWN_REF RunRef)
{
    RunRef->Count = 1;
}
#define ExRundownCompleted  CompatRundownCompleted

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
    } while (!CompatRundownReplace(RunRef, count, (ULONG_PTR)&wait | 1));
    if (count != 0) {
        KeWaitForSingleObject(&wait.Event, Executive, KernelMode, FALSE, NULL);
    }
}
#define ExWaitForRundownProtectionRelease   CompatWaitForRundownProtectionRelease

static inline NTSTATUS
CompatSetCompletionRoutineEx(PDEVICE_OBJECT DeviceObject, PIRP Irp,
                             PIO_COMPLETION_ROUTINE Routine, PVOID Context, BOOLEAN OnSuccess,
                             BOOLEAN OnError, BOOLEAN OnCancel)
{
    UNREFERENCED_PARAMETER(DeviceObject);
    IoSetCompletionRoutine(Irp, Routine, Context, OnSuccess, OnError, OnCancel);
    return STATUS_SUCCESS;
}
#define IoSetCompletionRoutineEx    CompatSetCompletionRoutineEx

static const UNICODE_STRING CompatSystemAndAdministrators =
    RTL_CONSTANT_STRING(L"D:P(A;;GA;;;SY)(A;;GA;;;BA)");
#define SDDL_DEVOBJ_SYS_ALL_ADM_ALL CompatSystemAndAdministrators
static const UNICODE_STRING CompatKernelOnly = RTL_CONSTANT_STRING(L"D:P");
#define SDDL_DEVOBJ_KERNEL_ONLY     CompatKernelOnly

static inline NTSTATUS
CompatCreateDeviceSecure(PDRIVER_OBJECT DriverObject, ULONG ExtensionSize,
                         PUNICODE_STRING DeviceName, DEVICE_TYPE DeviceType,
                         ULONG Characteristics, BOOLEAN Exclusive, PCUNICODE_STRING Security,
                         LPCGUID DeviceClass, PDEVICE_OBJECT *DeviceObject)
{
    UNREFERENCED_PARAMETER(Security);
    UNREFERENCED_PARAMETER(DeviceClass);
    return IoCreateDevice(DriverObject, ExtensionSize, DeviceName, DeviceType, Characteristics,
                          Exclusive, DeviceObject);
}
#define IoCreateDeviceSecure    CompatCreateDeviceSecure

/* Declared in ntifs.h only. */
extern __declspec(dllimport) POBJECT_TYPE IoDriverObjectType;
NTKERNELAPI NTSTATUS NTAPI ObReferenceObjectByName(PUNICODE_STRING Name, ULONG Attributes,
                                                   PACCESS_STATE AccessState,
                                                   ACCESS_MASK DesiredAccess, POBJECT_TYPE Type,
                                                   KPROCESSOR_MODE AccessMode,
                                                   PVOID ParseContext, PVOID *Object);

/*
 * For the name \Device\NAME, returns the device that the driver \Driver\NAME created last: one of
 * another name if the driver has several. *FileObject is in fact the driver object, and good only
 * for ObDereferenceObject.
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

#endif /* __MINGW32__ */

#endif /* D2D_COMPAT_H */
