/* SPDX-License-Identifier: GPL-2.0 */
/* Reads a driver's parameters: numbers in the Parameters key of its service. */
#include "d2d_lib.h"

#ifdef ALLOC_PRAGMA
#pragma alloc_text(PAGE, D2dReadParameter)
#endif

static NTSTATUS
OpenKey(HANDLE Parent, PUNICODE_STRING Name, PHANDLE Key)
{
    OBJECT_ATTRIBUTES attributes;

    InitializeObjectAttributes(&attributes, Name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE,
                               Parent, NULL);
    return ZwOpenKey(Key, KEY_READ, &attributes);
}

static NTSTATUS
OpenParameters(PUNICODE_STRING RegistryPath, PHANDLE Key)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"Parameters");
    NTSTATUS status;
    HANDLE service;

    status = OpenKey(NULL, RegistryPath, &service);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = OpenKey(service, &name, Key);
    ZwClose(service);
    return status;
}

static NTSTATUS
ReadNumber(HANDLE Key, PCWSTR Name, PULONG Value)
{
    union {
        KEY_VALUE_PARTIAL_INFORMATION Information;
        UCHAR Bytes[FIELD_OFFSET(KEY_VALUE_PARTIAL_INFORMATION, Data) + sizeof(ULONG)];
    } buffer;
    UNICODE_STRING name;
    NTSTATUS status;
    ULONG length;

    RtlInitUnicodeString(&name, Name);
    status = ZwQueryValueKey(Key, &name, KeyValuePartialInformation, &buffer, sizeof(buffer),
                             &length);
    /* A value of another type may be longer than the buffer. */
    if (!NT_SUCCESS(status) && status != STATUS_BUFFER_OVERFLOW) {
        return status;
    }
    if (buffer.Information.Type != REG_DWORD || buffer.Information.DataLength != sizeof(*Value)) {
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    RtlCopyMemory(Value, buffer.Information.Data, sizeof(*Value));
    return STATUS_SUCCESS;
}

/*
 * Reads a parameter; a missing one is 0. Returns STATUS_INVALID_PARAMETER if the value is larger
 * than Max, STATUS_OBJECT_TYPE_MISMATCH if it is no REG_DWORD, or a status of the registry. Prints
 * a line if it fails.
 */
_Use_decl_annotations_
NTSTATUS
D2dReadParameter(PUNICODE_STRING RegistryPath, PCWSTR Name, ULONG Max, PULONG Value)
{
    NTSTATUS status;
    HANDLE key;

    PAGED_CODE();
    *Value = 0;
    status = OpenParameters(RegistryPath, &key);
    if (NT_SUCCESS(status)) {
        status = ReadNumber(key, Name, Value);
        ZwClose(key);
    }
    if (!NT_SUCCESS(status) && status != STATUS_OBJECT_NAME_NOT_FOUND) {
        D2dTrace("refuse", "reason=parameter-not-read status=%#x param=%ws", status, Name);
        return status;
    }
    if (*Value > Max) {
        D2dTrace("refuse", "reason=parameter-out-of-range status=%#x param=%ws value=%u min=0 max=%u",
                 STATUS_INVALID_PARAMETER, Name, *Value, Max);
        return STATUS_INVALID_PARAMETER;
    }
    return STATUS_SUCCESS;
}
