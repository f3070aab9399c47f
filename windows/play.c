/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Plays the demonstration: what qemu/guest/run.sh does on Linux. Loads both drivers as
 * services, has them exercise, and unloads them. Their order is that of the trace's spec.
 *
 * Usage: play.exe DIR [MODULE.PARAMETER=NUMBER...], where module_a.sys and module_b.sys are
 * in DIR (an absolute path).
 */
#include <windows.h>
#include <winioctl.h>
#include <stdio.h>
#include "d2d_control.h"

/* How long a service may take to start or stop, in milliseconds. */
#define PATIENCE    20000

typedef struct _MODULE {
    const char *Name;
    const char *Link;
    SC_HANDLE Service;
} MODULE;

static MODULE ModuleA = { "module_a", "\\\\.\\d2d-module_a", NULL };
static MODULE ModuleB = { "module_b", "\\\\.\\d2d-module_b", NULL };

static int
Failed(const char *What, const char *Name)
{
    printf("lab: FAILED: %s %s: error %lu\n", What, Name, GetLastError());
    return 0;
}

/* Both are in the same load order group: under Wine that is one address space. */
static int
Create(SC_HANDLE Manager, MODULE *Module, const char *Directory)
{
    char path[MAX_PATH];

    snprintf(path, sizeof(path), "%s\\%s.sys", Directory, Module->Name);
    Module->Service = CreateServiceA(Manager, Module->Name, Module->Name, SERVICE_ALL_ACCESS,
                                     SERVICE_KERNEL_DRIVER, SERVICE_DEMAND_START,
                                     SERVICE_ERROR_NORMAL, path, "beyond-irps", NULL, NULL,
                                     NULL, NULL);
    return Module->Service != NULL || Failed("create", Module->Name);
}

/* Sets a parameter of one of the drivers: MODULE.PARAMETER=NUMBER. */
static int
SetParameter(const char *Argument)
{
    char module[32], name[32], key[128];
    DWORD value;

    if (sscanf(Argument, "%31[^.].%31[^=]=%lu", module, name, &value) != 3) {
        printf("lab: FAILED: not MODULE.PARAMETER=NUMBER: %s\n", Argument);
        return 0;
    }
    snprintf(key, sizeof(key), "SYSTEM\\CurrentControlSet\\Services\\%s\\Parameters", module);
    SetLastError(RegSetKeyValueA(HKEY_LOCAL_MACHINE, key, name, REG_DWORD, &value, sizeof(value)));
    return GetLastError() == ERROR_SUCCESS || Failed("set", Argument);
}

/* Waits until the service is no longer on its way to the state. */
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

static int
Load(MODULE *Module)
{
    printf("lab: load %s\n", Module->Name);
    if (!StartServiceA(Module->Service, 0, NULL)) {
        return Failed("load", Module->Name);
    }
    return Await(Module, SERVICE_START_PENDING, SERVICE_RUNNING, "load");
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

static int
Exercise(const MODULE *Module)
{
    ULONG rounds = 1;
    HANDLE device;
    DWORD length;
    BOOL done;

    printf("lab: exercise %s\n", Module->Name);
    device = CreateFileA(Module->Link, GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (device == INVALID_HANDLE_VALUE) {
        return Failed("open", Module->Name);
    }
    done = DeviceIoControl(device, IOCTL_D2D_EXERCISE, &rounds, sizeof(rounds), NULL, 0,
                           &length, NULL);
    if (!done) {
        Failed("exercise", Module->Name);
    }
    CloseHandle(device);
    return done;
}

/* Whatever became of it: a service that is left over is in the next run's way. */
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

int
main(int argc, char **argv)
{
    SC_HANDLE manager;
    int good;
    int i;

    setvbuf(stdout, NULL, _IONBF, 0);
    if (argc < 2) {
        fprintf(stderr, "usage: play.exe DIR [MODULE.PARAMETER=NUMBER...]\n");
        return 2;
    }
    manager = OpenSCManagerA(NULL, NULL, SC_MANAGER_ALL_ACCESS);
    if (manager == NULL) {
        return !Failed("open", "the service manager");
    }
    good = Create(manager, &ModuleA, argv[1]) && Create(manager, &ModuleB, argv[1]);
    for (i = 2; i < argc && good; i++) {
        good = SetParameter(argv[i]);
    }
    good = good && Load(&ModuleA) && Load(&ModuleB) && Exercise(&ModuleB) &&
           Exercise(&ModuleA) && Unload(&ModuleB) && Load(&ModuleB) && Unload(&ModuleB) &&
           Unload(&ModuleA);
    Delete(&ModuleB);
    Delete(&ModuleA);
    CloseServiceHandle(manager);
    return good ? 0 : 1;
}
