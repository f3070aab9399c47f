/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Plays the demonstration, as qemu/guest/run.sh does on Linux: loads both drivers as
 * services, lets each exercise the other, and unloads them, in the order of the trace's spec.
 *
 * Usage: play.exe DIR [MODULE.PARAMETER=NUMBER...] [STEP...]
 *
 * DIR, an absolute path, has the drivers. Without steps, play.exe plays the demonstration. Steps:
 *   +NAME         load NAME.sys
 *   !NAME         the same; its DriverEntry must fail
 *   -NAME         unload it
 *   NAME=NUMBER   send its device this number
 *   NAME!NUMBER   the same; it must fail
 *   NAME?NUMBER   the same, by a call that must stay pending
 *   NAME:done     wait until the call that was begun last is completed
 *   NAME:cancel   cancel that call
 *   NAME:close    close the handle of that call
 */
#include <windows.h>
#include <winioctl.h>
#include <stdio.h>
#include <string.h>
#include "d2d_control.h"

/* How long a service may take to start or stop, in milliseconds. */
#define PATIENCE    20000

#define MAX_MODULES 4
#define MAX_CALLS   4

typedef struct _MODULE {
    char Name[32];
    SC_HANDLE Service;
} MODULE;

static MODULE Modules[MAX_MODULES];

/* A call that is pending. */
typedef struct _CALL {
    HANDLE Device;
    OVERLAPPED Overlapped;
    ULONG Input;
    ULONGLONG Output;
} CALL;

static CALL Calls[MAX_CALLS];
static ULONG CallCount;

static const char *const Demonstration[] = {
    "+module_a", "+module_b", "module_b=1", "module_a=1",
    "-module_b", "+module_b", "-module_b", "-module_a",
};

static int
Failed(const char *What, const char *Name)
{
    printf("lab: FAILED: %s %s: error %lu\n", What, Name, GetLastError());
    return 0;
}

/* Wine gives the drivers of a load order group one address space, so both are in the same group. */
static int
Create(SC_HANDLE Manager, MODULE *Module, const char *Directory)
{
    char path[MAX_PATH];

    if (Module->Service != NULL) {
        return 1;
    }
    snprintf(path, sizeof(path), "%s\\%s.sys", Directory, Module->Name);
    Module->Service = CreateServiceA(Manager, Module->Name, Module->Name, SERVICE_ALL_ACCESS,
                                     SERVICE_KERNEL_DRIVER, SERVICE_DEMAND_START,
                                     SERVICE_ERROR_NORMAL, path, "beyond-irps", NULL, NULL,
                                     NULL, NULL);
    return Module->Service != NULL || Failed("create", Module->Name);
}

/* Waits while the service is in state Pending; then it has to be in State. */
static int
Await(MODULE *Module, DWORD Pending, DWORD State, const char *What)
{
    ULONGLONG end = GetTickCount64() + PATIENCE;
    SERVICE_STATUS status;

    do {
        if (!QueryServiceStatus(Module->Service, &status)) {
            return Failed(What, Module->Name);
        }
        if (status.dwCurrentState == State) {
            return 1;
        }
        Sleep(1);
    } while (status.dwCurrentState == Pending && GetTickCount64() < end);
    printf("lab: FAILED: %s %s: it is in state %lu\n", What, Module->Name,
           status.dwCurrentState);
    return 0;
}

/* Returns the entry of the module with this name; makes one if there is none. */
static MODULE *
Find(const char *Name)
{
    MODULE *module;

    for (module = Modules; module < Modules + MAX_MODULES; module++) {
        if (module->Name[0] == 0) {
            snprintf(module->Name, sizeof(module->Name), "%s", Name);
        }
        if (strcmp(module->Name, Name) == 0) {
            return module;
        }
    }
    printf("lab: FAILED: no place for %s\n", Name);
    return NULL;
}

/* Sets a parameter of a driver: MODULE.PARAMETER=NUMBER. */
static int
SetParameter(SC_HANDLE Manager, const char *Directory, const char *Argument)
{
    char name[32], parameter[32], key[128];
    MODULE *module;
    DWORD value;

    if (sscanf(Argument, "%31[^.].%31[^=]=%lu", name, parameter, &value) != 3) {
        printf("lab: FAILED: not MODULE.PARAMETER=NUMBER: %s\n", Argument);
        return 0;
    }
    module = Find(name);
    if (module == NULL || !Create(Manager, module, Directory)) {
        return 0;
    }
    snprintf(key, sizeof(key), "SYSTEM\\CurrentControlSet\\Services\\%s\\Parameters", name);
    SetLastError(RegSetKeyValueA(HKEY_LOCAL_MACHINE, key, parameter, REG_DWORD, &value,
                                 sizeof(value)));
    return GetLastError() == ERROR_SUCCESS || Failed("set", Argument);
}

static int
Load(SC_HANDLE Manager, MODULE *Module, const char *Directory)
{
    printf("lab: load %s\n", Module->Name);
    if (!Create(Manager, Module, Directory)) {
        return 0;
    }
    if (!StartServiceA(Module->Service, 0, NULL)) {
        return Failed("load", Module->Name);
    }
    return Await(Module, SERVICE_START_PENDING, SERVICE_RUNNING, "load");
}

/* Tries to load a driver; it must refuse. */
static int
Refuse(SC_HANDLE Manager, MODULE *Module, const char *Directory)
{
    printf("lab: load %s, which must fail\n", Module->Name);
    if (!Create(Manager, Module, Directory)) {
        return 0;
    }
    /* Windows says it at once, Wine later. */
    return !StartServiceA(Module->Service, 0, NULL) ||
           Await(Module, SERVICE_START_PENDING, SERVICE_STOPPED, "fail to load");
}

static int
Unload(MODULE *Module)
{
    SERVICE_STATUS status;

    printf("lab: unload %s\n", Module->Name);
    if (!ControlService(Module->Service, SERVICE_CONTROL_STOP, &status)) {
        return Failed("unload", Module->Name);
    }
    return Await(Module, SERVICE_STOP_PENDING, SERVICE_STOPPED, "unload");
}

static HANDLE
Open(const MODULE *Module, DWORD Flags)
{
    char link[64];

    snprintf(link, sizeof(link), "\\\\.\\d2d-%s", Module->Name);
    return CreateFileA(link, GENERIC_WRITE, 0, NULL, OPEN_EXISTING, Flags, NULL);
}

/* Only the alarm has an output. */
static int
Exercise(const MODULE *Module, ULONG Number, BOOL Fails)
{
    ULONGLONG output;
    HANDLE device;
    DWORD length;
    BOOL done;

    printf("lab: exercise %s\n", Module->Name);
    device = Open(Module, 0);
    if (device == INVALID_HANDLE_VALUE) {
        return Failed("open", Module->Name);
    }
    done = DeviceIoControl(device, IOCTL_D2D_EXERCISE, &Number, sizeof(Number), &output,
                           sizeof(output), &length, NULL);
    if (done == Fails) {
        Failed(Fails ? "fail to exercise" : "exercise", Module->Name);
    }
    CloseHandle(device);
    return done != Fails;
}

/* Begins a call that stays pending. */
static int
Begin(const MODULE *Module, ULONG Number)
{
    CALL *call;

    printf("lab: begin a call of %s\n", Module->Name);
    if (CallCount == MAX_CALLS) {
        printf("lab: FAILED: no place for a call\n");
        return 0;
    }
    call = &Calls[CallCount];
    call->Device = Open(Module, FILE_FLAG_OVERLAPPED);
    if (call->Device == INVALID_HANDLE_VALUE) {
        return Failed("open", Module->Name);
    }
    call->Input = Number;
    memset(&call->Overlapped, 0, sizeof(call->Overlapped));
    call->Overlapped.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL);
    if (call->Overlapped.hEvent == NULL) {
        CloseHandle(call->Device);
        return Failed("create an event for a call of", Module->Name);
    }
    CallCount++;
    if (DeviceIoControl(call->Device, IOCTL_D2D_EXERCISE, &call->Input, sizeof(call->Input),
                        &call->Output, sizeof(call->Output), NULL, &call->Overlapped) ||
        GetLastError() != ERROR_IO_PENDING) {
        return Failed("leave a call pending", Module->Name);
    }
    return 1;
}

/* Ends the last call that was begun: How is "done", "cancel" or "close". */
static int
End(const MODULE *Module, const char *How)
{
    CALL *call;
    BOOL cancels = strcmp(How, "done") != 0;
    DWORD status, wanted = cancels ? 0xc0000120 /* STATUS_CANCELLED */ : 0;
    int good;

    printf("lab: %s a call of %s\n", How, Module->Name);
    if (strcmp(How, "done") != 0 && strcmp(How, "cancel") != 0 && strcmp(How, "close") != 0) {
        printf("lab: FAILED: not done, cancel or close: %s\n", How);
        return 0;
    }
    if (CallCount == 0) {
        printf("lab: FAILED: no call is pending\n");
        return 0;
    }
    call = &Calls[CallCount - 1];
    if (strcmp(How, "cancel") == 0 && !CancelIo(call->Device)) {
        return Failed("cancel", Module->Name);
    }
    if (strcmp(How, "close") == 0) {
        CloseHandle(call->Device);
    }
    good = WaitForSingleObject(call->Overlapped.hEvent, PATIENCE) == WAIT_OBJECT_0;
    status = (DWORD)call->Overlapped.Internal;
    if (!good || status != wanted ||
        call->Overlapped.InternalHigh != (cancels ? 0 : sizeof(call->Output))) {
        printf("lab: FAILED: %s a call of %s: status %lx\n", How, Module->Name, status);
        good = 0;
    }
    if (strcmp(How, "close") != 0) {
        CloseHandle(call->Device);
    }
    CloseHandle(call->Overlapped.hEvent);
    CallCount--;
    return good;
}

static int
Play(SC_HANDLE Manager, const char *Directory, const char *Step)
{
    char name[32] = "";
    ULONG number = 0;
    MODULE *module;

    sscanf(Step, "%*[+!-]%31s", name);
    if (name[0] == 0) {
        sscanf(Step, "%31[^=!?:]%*[=!?]%lu", name, &number);
    }
    module = Find(name);
    if (module == NULL) {
        return 0;
    }
    switch (Step[0]) {
    case '+':
        return Load(Manager, module, Directory);
    case '!':
        return Refuse(Manager, module, Directory);
    case '-':
        return Unload(module);
    }
    switch (Step[strlen(name)]) {
    case '?':
        return Begin(module, number);
    case ':':
        return End(module, Step + strlen(name) + 1);
    default:
        return Exercise(module, number, strchr(Step, '!') != NULL);
    }
}

/* Runs after failures, too: a leftover service would disturb the next run. */
static void
Delete(MODULE *Module)
{
    SERVICE_STATUS status;

    if (Module->Service != NULL) {
        ControlService(Module->Service, SERVICE_CONTROL_STOP, &status);
        DeleteService(Module->Service);
        CloseServiceHandle(Module->Service);
    }
}

/* Sets the parameters and plays the steps, or the demonstration if there are no steps. */
static int
PlayAll(SC_HANDLE Manager, const char *Directory, int Count, char **Arguments)
{
    BOOL steps = FALSE;
    int good = 1;
    ULONG i;
    int n;

    for (n = 0; n < Count && good; n++) {
        if (strchr(Arguments[n], '.') != NULL) {
            good = SetParameter(Manager, Directory, Arguments[n]);
        } else {
            good = Play(Manager, Directory, Arguments[n]);
            steps = TRUE;
        }
    }
    for (i = 0; i < ARRAYSIZE(Demonstration) && good && !steps; i++) {
        good = Play(Manager, Directory, Demonstration[i]);
    }
    return good;
}

int
main(int argc, char **argv)
{
    SC_HANDLE manager;
    int good;
    int i;

    setvbuf(stdout, NULL, _IONBF, 0);
    if (argc < 2) {
        fprintf(stderr, "usage: play.exe DIR [MODULE.PARAMETER=NUMBER...] [STEP...]\n");
        return 2;
    }
    manager = OpenSCManagerA(NULL, NULL, SC_MANAGER_ALL_ACCESS);
    if (manager == NULL) {
        return !Failed("open", "the service manager");
    }
    good = PlayAll(manager, argv[1], argc - 2, argv + 2);
    for (i = MAX_MODULES; i > 0; i--) {
        Delete(&Modules[i - 1]);
    }
    CloseServiceHandle(manager);
    return good ? 0 : 1;
}
