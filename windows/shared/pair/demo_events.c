/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The named events of a driver of the pair. IoCreateNotificationEvent and
 * IoCreateSynchronizationEvent create an event or open an existing one, and do not say which. So
 * a driver creates its events by ZwCreateEvent, which fails if another process has made an event of
 * that name beforehand, and opens those of the other driver by ZwOpenEvent.
 *
 * \BaseNamedObjects exists once the Session Manager has run: a driver that is started at boot
 * cannot create its events in DriverEntry.
 */
#include <stdarg.h>
#include <ntifs.h>
#include "d2d_pair.h"
#include <ntstrsafe.h>

#define NAME_LENGTH 96
/* Limit of a wait, in units of 100 ns, relative. The events are set already when it begins. */
#define TIMEOUT     (-5000LL * 10000)
#define ACCESS      (EVENT_MODIFY_STATE | SYNCHRONIZE)

#ifdef ALLOC_PRAGMA
#pragma alloc_text(PAGE, D2dDemoEventsCreate, D2dDemoEventsOpen, D2dDemoEventsClose)
#pragma alloc_text(PAGE, D2dDemoEventsWait)
#endif

/* A security identifier with as many numbers as those below have. */
typedef struct _SMALL_SID {
    SID Sid;
    ULONG More;
} SMALL_SID;

/* Describes who may open an event: the system and the administrators. Kernel mode always may. */
typedef struct _SECURITY {
    SECURITY_DESCRIPTOR Descriptor;
    union {
        ACL Acl;
        UCHAR Bytes[sizeof(ACL) + 2 * (sizeof(ACCESS_ALLOWED_ACE) + sizeof(SMALL_SID))];
    } Dacl;
} SECURITY, *PSECURITY;

static NTSTATUS
InitializeSecurity(PSECURITY Security)
{
    SID system = {
        SID_REVISION, 1, { SECURITY_NT_AUTHORITY }, { SECURITY_LOCAL_SYSTEM_RID }
    };
    SMALL_SID administrators = {
        { SID_REVISION, 2, { SECURITY_NT_AUTHORITY }, { SECURITY_BUILTIN_DOMAIN_RID } },
        DOMAIN_ALIAS_RID_ADMINS
    };
    NTSTATUS status;

    status = RtlCreateAcl(&Security->Dacl.Acl, sizeof(Security->Dacl), ACL_REVISION);
    if (NT_SUCCESS(status)) {
        status = RtlAddAccessAllowedAce(&Security->Dacl.Acl, ACL_REVISION, EVENT_ALL_ACCESS,
                                        &system);
    }
    if (NT_SUCCESS(status)) {
        status = RtlAddAccessAllowedAce(&Security->Dacl.Acl, ACL_REVISION, EVENT_ALL_ACCESS,
                                        &administrators.Sid);
    }
    if (NT_SUCCESS(status)) {
        status = RtlCreateSecurityDescriptor(&Security->Descriptor, SECURITY_DESCRIPTOR_REVISION);
    }
    if (NT_SUCCESS(status)) {
        status = RtlSetDaclSecurityDescriptor(&Security->Descriptor, TRUE, &Security->Dacl.Acl,
                                              FALSE);
    }
    return status;
}

/* Creates the event of that name, or opens it if there is no security for a new one. */
static NTSTATUS
GetHandle(PCSTR Driver, PCSTR Suffix, EVENT_TYPE Type, PSECURITY Security, PHANDLE Handle)
{
    OBJECT_ATTRIBUTES attributes;
    WCHAR buffer[NAME_LENGTH];
    UNICODE_STRING name;
    NTSTATUS status;

    status = RtlStringCbPrintfW(buffer, sizeof(buffer), L"\\BaseNamedObjects\\%S.%S", Driver,
                                Suffix);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    RtlInitUnicodeString(&name, buffer);
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL,
                               Security != NULL ? &Security->Descriptor : NULL);
    return Security != NULL ? ZwCreateEvent(Handle, ACCESS, &attributes, Type, FALSE)
                            : ZwOpenEvent(Handle, ACCESS, &attributes);
}

static NTSTATUS
GetEvent(PCSTR Driver, PCSTR Suffix, EVENT_TYPE Type, PSECURITY Security, PD2D_DEMO_EVENT Event)
{
    NTSTATUS status;

    status = GetHandle(Driver, Suffix, Type, Security, &Event->Handle);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = ObReferenceObjectByHandle(Event->Handle, ACCESS, *ExEventObjectType, KernelMode,
                                       (PVOID *)&Event->Event, NULL);
    if (!NT_SUCCESS(status)) {
        Event->Event = NULL;
        ZwClose(Event->Handle);
        return status;
    }
    D2dTrace(Security != NULL ? "event-create" : "event-open", "name=%s.%s kind=%s", Driver, Suffix,
             Type == NotificationEvent ? "notification" : "synchronization");
    return STATUS_SUCCESS;
}

static NTSTATUS
GetBoth(PD2D_DEMO_EVENTS Events, PCSTR Driver, PSECURITY Security)
{
    NTSTATUS status;

    RtlZeroMemory(Events, sizeof(*Events));
    status = GetEvent(Driver, "notice", NotificationEvent, Security, &Events->Notice);
    if (NT_SUCCESS(status)) {
        status = GetEvent(Driver, "turn", SynchronizationEvent, Security, &Events->Turn);
    }
    if (!NT_SUCCESS(status)) {
        D2dDemoEventsClose(Events);
    }
    return status;
}

/* Creates the driver's own events. They are not set. */
_Use_decl_annotations_
NTSTATUS
D2dDemoEventsCreate(PD2D_DEMO_EVENTS Events, PCSTR Driver)
{
    SECURITY security;
    NTSTATUS status;

    PAGED_CODE();
    status = InitializeSecurity(&security);
    return NT_SUCCESS(status) ? GetBoth(Events, Driver, &security) : status;
}

/*
 * Opens the events that another driver has created. While that driver has them open, nobody can
 * give their names to other events.
 */
_Use_decl_annotations_
NTSTATUS
D2dDemoEventsOpen(PD2D_DEMO_EVENTS Events, PCSTR Driver)
{
    PAGED_CODE();
    return GetBoth(Events, Driver, NULL);
}

static VOID
CloseEvent(PD2D_DEMO_EVENT Event)
{
    if (Event->Event != NULL) {
        ObDereferenceObject(Event->Event);
        ZwClose(Event->Handle);
    }
}

_Use_decl_annotations_
VOID
D2dDemoEventsClose(PD2D_DEMO_EVENTS Events)
{
    PAGED_CODE();
    CloseEvent(&Events->Notice);
    CloseEvent(&Events->Turn);
    RtlZeroMemory(Events, sizeof(*Events));
}

/* Sets both. */
_Use_decl_annotations_
VOID
D2dDemoEventsSet(const D2D_DEMO_EVENTS *Events)
{
    D2dTrace("event-set", "kind=notification");
    KeSetEvent(Events->Notice.Event, IO_NO_INCREMENT, FALSE);
    D2dTrace("event-set", "kind=synchronization");
    KeSetEvent(Events->Turn.Event, IO_NO_INCREMENT, FALSE);
}

static NTSTATUS
WaitForOne(PKEVENT Event, PCSTR Kind, BOOLEAN SetAfterwards)
{
    LARGE_INTEGER timeout = { .QuadPart = TIMEOUT };
    NTSTATUS status;
    BOOLEAN set;

    status = KeWaitForSingleObject(Event, Executive, KernelMode, FALSE, &timeout);
    if (status != STATUS_SUCCESS) {
        /* STATUS_TIMEOUT is a success code. */
        return STATUS_IO_TIMEOUT;
    }
    set = KeReadStateEvent(Event) != 0;
    D2dTrace("event-wait", "kind=%s set=%u", Kind, set);
    return set == SetAfterwards ? STATUS_SUCCESS : STATUS_INTERNAL_ERROR;
}

/*
 * Waits for both events, and leaves neither of them set: the wait resets the synchronization
 * event, and this function the notification event.
 */
_Use_decl_annotations_
NTSTATUS
D2dDemoEventsWait(const D2D_DEMO_EVENTS *Events)
{
    NTSTATUS status;

    PAGED_CODE();
    status = WaitForOne(Events->Notice.Event, "notification", TRUE);
    if (NT_SUCCESS(status)) {
        status = WaitForOne(Events->Turn.Event, "synchronization", FALSE);
    }
    KeClearEvent(Events->Notice.Event);
    return status;
}
