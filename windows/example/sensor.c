/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The sensor allocates the block and sends it to the consumer, which is loaded before it. The
 * first SetRate starts the sensor's timer, whose DPC puts samples on the shared list and sets
 * the event.
 */
#include "sensor_pair.h"

#define TAG     'sneS'
/* Time between two tries, in units of 100 ns, relative. */
#define RETRY   (-10LL * 10000)

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;
static KDEFERRED_ROUTINE Tick;
static SENSOR_SET_RATE SetRate;

#ifdef ALLOC_PRAGMA
#pragma alloc_text(INIT, DriverEntry)
#pragma alloc_text(PAGE, Unload)
#endif

static struct {
    PSENSOR_BLOCK Block;
    PFILE_OBJECT ConsumerFile;
    PDEVICE_OBJECT Consumer;
    KTIMER Timer;
    KDPC Dpc;
    KSPIN_LOCK Lock;        /* protects all below */
    ULONG Period;
    ULONG Left;             /* samples still to be raised */
    ULONGLONG Number;       /* of the next sample */
    ULONG Lost;             /* samples for which there was no room */
} Sensor;

_Use_decl_annotations_
static NTSTATUS NTAPI
SetRate(PSENSOR_BLOCK Block, ULONG Period, PULONG Before)
{
    LARGE_INTEGER due = { .QuadPart = -10000LL * Period };
    BOOLEAN busy;
    KIRQL irql;

    UNREFERENCED_PARAMETER(Block);
    if (Period < 1 || Period > 1000) {
        return STATUS_INVALID_PARAMETER;
    }
    KeAcquireSpinLock(&Sensor.Lock, &irql);
    busy = Sensor.Left != 0;
    *Before = Sensor.Period;
    if (!busy) {
        Sensor.Period = Period;
        Sensor.Left = SENSOR_BURST;
    }
    KeReleaseSpinLock(&Sensor.Lock, irql);
    if (busy) {
        return STATUS_DEVICE_BUSY;
    }
    KeSetTimerEx(&Sensor.Timer, due, Period, &Sensor.Dpc);
    DbgPrint("sensor: rate period=%u before=%u\n", Period, *Before);
    return STATUS_SUCCESS;
}

/* Puts a sample on the list. Returns FALSE if there is no room. */
static BOOLEAN
Put(PSENSOR_BLOCK Block, ULONGLONG Number)
{
    PSAMPLE sample = NULL;
    KIRQL irql;

    KeAcquireSpinLock(&Block->Lock, &irql);
    if (!IsListEmpty(&Block->Free)) {
        sample = CONTAINING_RECORD(RemoveHeadList(&Block->Free), SAMPLE, Node);
        sample->Number = Number;
        sample->Value = Number * Number;
        InsertTailList(&Block->Samples, &sample->Node);
    }
    KeReleaseSpinLock(&Block->Lock, irql);
    if (sample != NULL) {
        KeSetEvent(&Block->Ready, IO_NO_INCREMENT, FALSE);
    }
    return sample != NULL;
}

_Use_decl_annotations_
static VOID NTAPI
Tick(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KIRQL irql;

    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Argument1);
    UNREFERENCED_PARAMETER(Argument2);
    /*
     * The timer runs on after the last sample, until Unload: under Wine, a DPC that cancels its own
     * timer hangs. So nothing may be left to be done here.
     */
    KeAcquireSpinLock(&Sensor.Lock, &irql);
    if (Sensor.Left != 0) {
        Sensor.Left--;
        if (!Put(Sensor.Block, Sensor.Number++)) {
            Sensor.Lost++;
        }
    }
    KeReleaseSpinLock(&Sensor.Lock, irql);
}

/*
 * Sends the consumer a request that carries the block. The I/O manager completes it by an APC of
 * this thread; in DriverEntry and DriverUnload APCs are enabled. IRQL = PASSIVE_LEVEL.
 */
static NTSTATUS
Send(ULONG Code)
{
    IO_STATUS_BLOCK result;
    NTSTATUS status;
    KEVENT event;
    PIRP irp;

    KeInitializeEvent(&event, NotificationEvent, FALSE);
    irp = IoBuildDeviceIoControlRequest(Code, Sensor.Consumer, NULL, 0, Sensor.Block,
                                        sizeof(*Sensor.Block), TRUE, &event, &result);
    if (irp == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    status = IoCallDriver(Sensor.Consumer, irp);
    if (status == STATUS_PENDING) {
        KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
        status = result.Status;
    }
    return status;
}

_Use_decl_annotations_
static VOID NTAPI
Unload(PDRIVER_OBJECT DriverObject)
{
    LARGE_INTEGER retry = { .QuadPart = RETRY };

    PAGED_CODE();
    UNREFERENCED_PARAMETER(DriverObject);
    /*
     * After this the consumer does not call SetRate, which would start the timer. Unloading cannot
     * fail, so wait for memory if there is none.
     */
    while (Send(IOCTL_SENSOR_TAKE_BACK) == STATUS_INSUFFICIENT_RESOURCES) {
        KeDelayExecutionThread(KernelMode, FALSE, &retry);
    }
    KeCancelTimer(&Sensor.Timer);
    KeFlushQueuedDpcs();
    DbgPrint("sensor: raised samples=%I64u lost=%u\n", Sensor.Number, Sensor.Lost);
    ObDereferenceObject(Sensor.ConsumerFile);
    ExFreePoolWithTag(Sensor.Block, TAG);
}

static PSENSOR_BLOCK
AllocateBlock(VOID)
{
    PSENSOR_BLOCK block = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(*block), TAG);
    ULONG i;

    if (block == NULL) {
        return NULL;
    }
    block->Size = sizeof(*block);
    block->Version = SENSOR_VERSION;
    block->SetRate = SetRate;
    KeInitializeEvent(&block->Ready, SynchronizationEvent, FALSE);
    KeInitializeSpinLock(&block->Lock);
    InitializeListHead(&block->Samples);
    InitializeListHead(&block->Free);
    for (i = 0; i < SENSOR_CAPACITY; i++) {
        InsertTailList(&block->Free, &block->Pool[i].Node);
    }
    return block;
}

_Use_decl_annotations_
NTSTATUS NTAPI
DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(CONSUMER_DEVICE);
    NTSTATUS status;

    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->DriverUnload = Unload;
    KeInitializeSpinLock(&Sensor.Lock);
    KeInitializeTimer(&Sensor.Timer);
    KeInitializeDpc(&Sensor.Dpc, Tick, NULL);
    Sensor.Block = AllocateBlock();
    if (Sensor.Block == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    status = IoGetDeviceObjectPointer(&name, FILE_READ_DATA, &Sensor.ConsumerFile,
                                      &Sensor.Consumer);
    if (!NT_SUCCESS(status)) {
        goto free_block;
    }
    status = Send(IOCTL_SENSOR_SHARE);
    if (!NT_SUCCESS(status)) {
        goto close_consumer;
    }
    return STATUS_SUCCESS;

close_consumer:
    ObDereferenceObject(Sensor.ConsumerFile);
free_block:
    ExFreePoolWithTag(Sensor.Block, TAG);
    return status;
}
