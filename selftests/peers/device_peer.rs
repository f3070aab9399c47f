// SPDX-License-Identifier: GPL-2.0

//! Test: a peer with the character device `/dev/d2d_test`, which the program devctl uses.

#![forbid(unsafe_code)]

use core::mem::forget;
use d2d::{
    device,
    device::{
        Answer,
        Argument,
        Call,
        Device,
        Opening,
        Pended,
        Ready,
        Settings, //
    },
    driver::{
        Driver,
        DriverRef, //
    },
    job::{
        Timer,
        TimerContext,
        WorkContext, //
    },
    link::PeerLink,
    trace::check_parameter, //
};
use d2d_pair::{
    DemoPair,
    PeerData,
    PeerOps, //
};
use kernel::{
    ioctl::{
        _IO,
        _IOWR, //
    },
    prelude::*,
    sync::{
        atomic::{
            ordering::Relaxed,
            Atomic, //
        },
        new_mutex,
        new_spinlock_irq,
        Mutex,
        SetOnce,
        SpinLockIrq, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    uaccess::{
        UserPtr,
        UserSlice,
        UserSliceReader,
        UserSliceWriter, //
    },
    ModuleMetadata, //
};

d2d::module_peer! {
    type: DevicePeer,
    owner: module_a,
    name: "device_peer",
    authors: ["Beyond IRPs"],
    description: "Test: a peer with a character device",
    license: "GPL",
    imports_ns: ["D2D"],
    params: {
        variant: u32 {
            default: 0,
            description: "Which device the driver makes. 0: one for root. 1: one for everybody. 2: one for processes with CAP_SYS_ADMIN. 3: two of the same name. 4: one with a bad name. 5: one with a bad mode. 6: one with a bad capability. 7: one that, when it is opened, tries to remove itself and makes another one. 8: one for root, but then loading fails. 9, 10, 11: one with the name of another device: null, tty, sleeper",
        },
    },
}

const NAME: &CStr = c"d2d_test";

// Values of `variant`
const FOR_ALL: u32 = 1;
const FOR_ADMINS: u32 = 2;
const TWICE: u32 = 3;
const BAD_NAME: u32 = 4;
const BAD_MODE: u32 = 5;
const BAD_CAPABILITY: u32 = 6;
const NESTED: u32 = 7;
const FAILS: u32 = 8;
const NULL: u32 = 9;
const TTY: u32 = 10;
const SLEEPER: u32 = 11;

const CAP_SYS_ADMIN: u32 = 21;

// The commands. devctl has the same numbers.
const KIND: u32 = b'd' as u32;
/// Adds 1 to the number that the argument points to.
const ADD: u32 = _IOWR::<u64>(KIND, 0);
/// Pends a call, waits until it is completed, and returns the answer.
const PEND: u32 = _IO(KIND, 1);
/// Pends a call. The process gets the answer later, by `read`.
const SUBMIT: u32 = _IO(KIND, 2);
/// Completes the oldest pending call with the argument.
const COMPLETE: u32 = _IO(KIND, 3);
/// Starts a timer, which completes the oldest pending call with 7 in hard interrupt.
const COMPLETE_LATER: u32 = _IO(KIND, 4);
/// Drops the pending calls, and returns how many were cancelled.
const DROP_ALL: u32 = _IO(KIND, 5);
const REMOVE: u32 = _IO(KIND, 6);
/// Fails with the argument as the errno.
const FAIL: u32 = _IO(KIND, 7);
/// Returns the argument.
const RETURN: u32 = _IO(KIND, 8);
/// The number of pending calls, including cancelled ones.
const PENDING: u32 = _IO(KIND, 9);
/// Pends a call, and waits for a condition that never becomes true. Each check of the condition wakes all waiting
/// processes.
const WAIT: u32 = _IO(KIND, 10);
const MAY_WRITE: u32 = _IO(KIND, 11);
/// Leaks each kind of job, a device and a pending call.
const LEAK: u32 = _IO(KIND, 12);
/// Waits until each leaked job has run once more.
const LEAKED_JOBS_RUN: u32 = _IO(KIND, 13);

/// The number of leaked jobs.
const LEAKED: usize = 7;

struct DevicePeer {
    variant: u32,
    device: SetOnce<Device>,
    timer: SetOnce<Timer>,
    pended: Pin<KBox<SpinLockIrq<KVec<Pended<u32>>>>>,
    runs: [Atomic<u32>; LEAKED],
}

impl DevicePeer {
    /// Stores a pending call. Fails with `EBUSY` if 8 calls are stored already.
    fn keep(&self, pended: Pended<u32>) -> Result {
        let mut list = self.pended.lock();
        list.push_within_capacity(pended).map_err(|_| EBUSY)
    }

    /// Completes the oldest pending call. Any context.
    fn complete(&self, answer: u32) -> Result {
        let oldest = self.pended.lock().remove(0).map_err(|_| ENOENT)?;
        oldest.complete(answer).map_err(|_| ECANCELED)
    }

    /// Drops all pending calls, and returns how many were cancelled.
    fn drop_pended(&self) -> u32 {
        let mut cancelled = 0;
        loop {
            let Ok(oldest) = self.pended.lock().remove(0) else {
                return cancelled;
            };
            cancelled += u32::from(oldest.is_cancelled());
        }
    }
}

fn count(driver: &DriverRef<DevicePeer>, job: usize) {
    if let Some(runs) = driver.runs.get(job) {
        runs.fetch_add(1, Relaxed);
    }
}

fn leaked_jobs_run(driver: &DriverRef<DevicePeer>) -> Result {
    let runs = || driver.runs.each_ref().map(|runs| runs.load(Relaxed));
    let before = runs();
    for _ in 0..3000 {
        if before
            .iter()
            .zip(runs())
            .all(|(before, now)| *before != now)
        {
            return Ok(());
        }
        fsleep(Delta::from_millis(10));
    }
    Err(ETIMEDOUT)
}

struct Opened {
    answer: Pin<KBox<Mutex<Option<Answer<u32>>>>>,
}

impl device::File for Opened {
    type Driver = DriverRef<DevicePeer>;

    fn open(driver: &Self::Driver, opening: &Opening<'_>) -> impl PinInit<Self, Error> {
        if driver.variant == NESTED {
            nest(driver, opening)?;
        }
        let answer = new_mutex!(None, "device_peer::answer");
        let answer = KBox::pin_init(answer, GFP_KERNEL)?;
        Ok(Self { answer })
    }

    fn read(&self, _driver: &Self::Driver, call: &Call<'_>, to: &mut UserSliceWriter) -> Result {
        if to.len() == 3 {
            // The process must get 0 bytes, although this function replaces the library's writer by a longer one.
            *to = UserSlice::new(UserPtr::from_addr(0), usize::MAX).writer();
            return Ok(());
        }
        let answer = self.answer.lock().take().ok_or(ENODATA)?;
        match answer.wait(call) {
            Ok(value) => to.write(&value),
            Err(error) => {
                if error == EAGAIN {
                    *self.answer.lock() = Some(answer);
                }
                Err(error)
            }
        }
    }

    fn write(
        &self,
        _driver: &Self::Driver,
        _call: &Call<'_>,
        from: &mut UserSliceReader,
    ) -> Result {
        let mut bytes = [0; 4];
        let length = from.len().min(bytes.len());
        from.read_slice(&mut bytes[..length])
    }

    fn ioctl(
        &self,
        driver: &Self::Driver,
        call: &Call<'_>,
        command: u32,
        argument: Argument,
    ) -> Result<u32> {
        match command {
            ADD => {
                let (mut reader, mut writer) = argument.slice().reader_writer();
                writer.write(&reader.read::<u64>()?.wrapping_add(1))?;
                Ok(0)
            }
            PEND => {
                let (answer, pended) = call.pend()?;
                driver.keep(pended)?;
                answer.wait_or_cancel(call)
            }
            SUBMIT => {
                let (answer, pended) = call.pend()?;
                driver.keep(pended)?;
                let before = self.answer.lock().replace(answer);
                drop(before);
                Ok(0)
            }
            COMPLETE => driver.complete(argument.value() as u32).map(|()| 0),
            COMPLETE_LATER => {
                let timer = driver.timer.as_ref().ok_or(ENODEV)?;
                timer.start(Delta::from_millis(1)).map(|()| 0)
            }
            DROP_ALL => Ok(driver.drop_pended()),
            REMOVE => driver.device.as_ref().ok_or(ENODEV)?.remove().map(|()| 0),
            FAIL => Err(Error::from_errno(-(argument.value() as i32))),
            RETURN => Ok(argument.value() as u32),
            PENDING => Ok(driver.pended.lock().len() as u32),
            WAIT => {
                let (_answer, pended) = call.pend::<u32>()?;
                driver.keep(pended)?;
                call.wait(|| {
                    if let Some(device) = driver.device.as_ref() {
                        device.wake();
                    }
                    None
                })
            }
            MAY_WRITE => Ok(call.may_write().into()),
            LEAK => leak(driver, call).map(|()| 0),
            LEAKED_JOBS_RUN => leaked_jobs_run(driver).map(|()| 0),
            _ => Err(ENOTTY),
        }
    }

    fn poll(&self, _driver: &Self::Driver) -> Ready {
        let answer = self.answer.lock();
        Ready {
            read: answer.as_ref().is_some_and(Answer::is_ready),
            write: true,
        }
    }
}

/// The library must stop the leaked jobs, so that they do not run after the module is unloaded.
fn leak(driver: &DriverRef<DevicePeer>, call: &Call<'_>) -> Result {
    let mut jobs = 0..LEAKED;
    for context in [TimerContext::HardIrq, TimerContext::SoftIrq] {
        let job = jobs.next().ok_or(EINVAL)?;
        let timer = driver.timer(context, move |driver, _| count(driver, job))?;
        timer.start_every(Delta::from_millis(1))?;
        forget(timer);
    }
    for context in [WorkContext::Worker, WorkContext::SoftIrq] {
        for after in [Delta::ZERO, Delta::from_millis(200)] {
            let job = jobs.next().ok_or(EINVAL)?;
            let work = driver.work(context, move |driver, work| {
                count(driver, job);
                let _ = work.start_after(after);
            })?;
            work.start_after(after)?;
            forget(work);
        }
    }
    let job = jobs.next().ok_or(EINVAL)?;
    let thread = driver.thread(c"d2d_leaked", move |driver, thread| {
        count(driver, job);
        fsleep(Delta::from_micros(100));
        let _ = thread.start();
    })?;
    thread.start()?;
    forget(thread);
    forget(driver.device::<Opened>(Settings::new(c"d2d_leaked"))?);
    forget(call.pend::<u32>()?);
    forget(driver.clone());
    Ok(())
}

/// Removing a device that is being opened must fail with `EDEADLK`.
fn nest(driver: &DriverRef<DevicePeer>, opening: &Opening<'_>) -> Result {
    let removed = opening.device().remove();
    let made = driver.device::<Opened>(Settings::new(c"d2d_nested"));
    match (removed, made) {
        (Err(EDEADLK), made) => made.map(|_| ()),
        _ => Err(EPROTO),
    }
}

impl Driver for DevicePeer {
    type Pair = DemoPair;
    type Resources = ();

    const CONTROL: Option<Settings> = Some(
        Settings::new(c"d2d_commands")
            .mode(0o666)
            .capability(CAP_SYS_ADMIN),
    );

    // This function reads one byte of the command. The library must skip the others.
    fn control(_driver: &DriverRef<Self>, reader: &mut UserSliceReader) -> Result {
        reader.read::<u8>().map(drop)
    }

    fn new() -> Result<Self> {
        let variant = module_parameters::variant.value();
        let pended = KVec::with_capacity(8, GFP_KERNEL)?;
        Ok(Self {
            variant: check_parameter(PeerModule::NAME, "variant", variant, 0..=SLEEPER)?,
            device: SetOnce::new(),
            timer: SetOnce::new(),
            pended: KBox::pin_init(new_spinlock_irq!(pended, "device_peer::pended"), GFP_KERNEL)?,
            runs: core::array::from_fn(|_| Atomic::new(0)),
        })
    }

    fn start(driver: DriverRef<Self>) -> impl PinInit<(), Error> {
        let settings = Settings::new(NAME);
        let settings = match driver.variant {
            FOR_ALL => settings.mode(0o666),
            FOR_ADMINS => settings.mode(0o666).capability(CAP_SYS_ADMIN),
            BAD_NAME => Settings::new(c"d2d/test"),
            BAD_MODE => settings.mode(0),
            BAD_CAPABILITY => settings.capability(64),
            NULL => Settings::new(c"null"),
            TTY => Settings::new(c"tty"),
            SLEEPER => Settings::new(c"sleeper"),
            _ => settings,
        };
        let timer = driver.timer(TimerContext::HardIrq, |driver, _timer| {
            // If `complete` fails, no call is completed, and the test notices that.
            let _ = driver.complete(7);
        })?;
        driver.timer.populate(timer);
        driver.device.populate(driver.device::<Opened>(settings)?);
        match driver.variant {
            TWICE => driver.device::<Opened>(settings).map(|_| ()),
            FAILS => {
                // The test tries to open the device meanwhile.
                fsleep(Delta::from_millis(10));
                Err(ENXIO)
            }
            _ => Ok(()),
        }
    }

    fn data(&self) -> PeerData {
        PeerData {
            cookie: 0xdec,
            deferred: 0,
            reserved: 0,
        }
    }
}

#[vtable]
impl PeerOps for DevicePeer {
    fn ping(&self, _link: &PeerLink<DemoPair>, value: u32) -> Result<u32> {
        Ok(value.wrapping_add(1))
    }
}
