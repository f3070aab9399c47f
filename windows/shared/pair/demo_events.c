/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The named events of a driver of the pair. IoCreateNotificationEvent and
 * IoCreateSynchronizationEvent create an event or open an existing one, and do not say which.
 * A new event is signaled. IRQL = PASSIVE_LEVEL unless it says otherwise.
 */
#include "d2d_pair.h"
#include <ntstrsafe.h>

#define NAME_LENGTH 96
/* Limit of a wait, in units of 100 ns, relative. The events are set already when it begins. */
#define TIMEOUT     (-5000LL * 10000)

typedef PKEVENT NTAPI CREATE_EVENT(PUNICODE_STRING Name, PHANDLE Handle);

static NTSTATUS
OpenEvent(CREATE_EVENT *Create, PCSTR Step, PCSTR Driver, PCSTR Suffix, PCSTR Kind,
          PKEVENT *Event, PHANDLE Handle)
{
    WCHAR buffer[NAME_LENGTH];
    UNICODE_STRING name;
    NTSTATUS status;

    status = RtlStringCbPrintfW(buffer, sizeof(buffer), L"\\BaseNamedObjects\\%S.%S", Driver,
                                Suffix);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    RtlInitUnicodeString(&name, buffer);
    *Event = Create(&name, Handle);
    if (*Event == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    D2dTrace(Step, "name=%s.%s kind=%s", Driver, Suffix, Kind);
    return STATUS_SUCCESS;
}

static NTSTATUS
OpenBoth(PD2D_DEMO_EVENTS Events, PCSTR Step, PCSTR Driver)
{
    NTSTATUS status;

    RtlZeroMemory(Events, sizeof(*Events));
    status = OpenEvent(IoCreateNotificationEvent, Step, Driver, "notice", "notification",
                       &Events->Notice, &Events->NoticeHandle);
    if (NT_SUCCESS(status)) {
        status = OpenEvent(IoCreateSynchronizationEvent, Step, Driver, "turn",
                           "synchronization", &Events->Turn, &Events->TurnHandle);
    }
    if (!NT_SUCCESS(status)) {
        D2dDemoEventsClose(Events);
    }
    return status;
}

/* Creates the driver's own events, before another driver knows of them. */
NTSTATUS
D2dDemoEventsCreate(PD2D_DEMO_EVENTS Events, PCSTR Driver)
{
    NTSTATUS status = OpenBoth(Events, "event-create", Driver);

    if (NT_SUCCESS(status)) {
        KeClearEvent(Events->Notice);
        KeClearEvent(Events->Turn);
    }
    return status;
}

/* Opens the events that another driver has created. */
NTSTATUS
D2dDemoEventsOpen(PD2D_DEMO_EVENTS Events, PCSTR Driver)
{
    return OpenBoth(Events, "event-open", Driver);
}

/* The events live as long as their handles. */
VOID
D2dDemoEventsClose(PD2D_DEMO_EVENTS Events)
{
    if (Events->Notice != NULL) {
        ZwClose(Events->NoticeHandle);
    }
    if (Events->Turn != NULL) {
        ZwClose(Events->TurnHandle);
    }
    RtlZeroMemory(Events, sizeof(*Events));
}

/* Sets both. IRQL <= DISPATCH_LEVEL. */
VOID
D2dDemoEventsSet(const D2D_DEMO_EVENTS *Events)
{
    D2dTrace("event-set", "kind=notification");
    KeSetEvent(Events->Notice, IO_NO_INCREMENT, FALSE);
    D2dTrace("event-set", "kind=synchronization");
    KeSetEvent(Events->Turn, IO_NO_INCREMENT, FALSE);
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
NTSTATUS
D2dDemoEventsWait(const D2D_DEMO_EVENTS *Events)
{
    NTSTATUS status = WaitForOne(Events->Notice, "notification", TRUE);

    if (NT_SUCCESS(status)) {
        status = WaitForOne(Events->Turn, "synchronization", FALSE);
    }
    KeClearEvent(Events->Notice);
    return status;
}
