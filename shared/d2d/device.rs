// SPDX-License-Identifier: GPL-2.0

//! Character devices, by which user space uses a driver.
//!
//! A driver implements [`File`]. A peer makes a device by
//! [`DriverRef::device`](crate::driver::DriverRef::device), an owner by `device` of its `Contexts`.
//! For commands, a [control device](crate::control) is enough.
//!
//! While a process has a device open, `rmmod` of the driver's module fails. Closing the file drops
//! its [`File`]. The library removes a device when its driver leaves, if the driver has not
//! [removed](Device::remove) it before. After the removal, new calls fail with `ENODEV`, and `poll`
//! reports `POLLHUP` and `POLLERR`. Running calls go on, but [`Call::wait`] returns `ENODEV`.
//!
//! A call can wait for something by [`Call::wait`]. A driver can also pend a call ([`Call::pend`]):
//! it keeps a [`Pended`], by which any thread or interrupt completes the pended call. Dropping the
//! [`Answer`] cancels the pended call. A [`File`] can keep the answer for a later `read`. Then
//! closing the file drops the answer. After the removal, [`Pended::complete`] succeeds while the
//! answer exists, but [`Answer::wait`] returns `ENODEV`.
//!
//! ```ignore
//! struct Ticks;
//!
//! impl device::File for Ticks {
//!     type Driver = DriverRef<Clock>;
//!
//!     fn open(_clock: &Self::Driver, _opening: &Opening<'_>) -> impl PinInit<Self, Error> {
//!         Ok(Ticks)
//!     }
//!
//!     // This example leaves out `poll`, which a file needs if its `read` waits.
//!     fn read(&self, clock: &Self::Driver, call: &Call<'_>, to: &mut UserSliceWriter) -> Result {
//!         let tick = call.wait(|| clock.next_tick())?;
//!         to.write(&tick)
//!     }
//! }
//!
//! let device = driver.device::<Ticks>(device::Settings::new(c"clock"))?;
//! // Later, in any context, after there is a tick:
//! device.wake();
//! ```

mod call;
mod node;
mod pended;

pub use call::{
    Argument,
    Call,
    Opening,
    Ready, //
};
pub use pended::{
    Answer,
    Pended, //
};

use crate::{
    refuse,
    registration::DropPromise, //
};
use call::Watched;
use kernel::{
    prelude::*,
    static_lock_class,
    sync::{
        new_mutex,
        new_spinlock_irq,
        poll::PollCondVarBox,
        Arc,
        Mutex,
        SpinLockIrq, //
    },
    uaccess::{
        UserSliceReader,
        UserSliceWriter, //
    }, //
};
use node::Node;

/// An open file of a device.
///
/// Several threads may call its functions at the same time. Process context, may sleep. If a signal
/// arrives, a function must stop waiting, as [`Call::wait`] does; otherwise the process cannot be
/// killed. The process gets the errno that the function returns. The library replaces errnos that
/// user space does not know. For example, `ERESTARTSYS` becomes `EINTR` unless a signal is pending.
pub trait File: Sized + Send + Sync + 'static {
    /// [`DriverRef<T>`](crate::driver::DriverRef) of a peer `T`, or `d2d_owner::OwnerRef<O>` of an
    /// owner `O`.
    type Driver: Clone + Send + Sync + 'static;

    /// Called when a process opens the device, if the device's [`Settings`] allow it.
    ///
    /// During the call, the kernel holds the lock of all miscellaneous devices: do not wait for long,
    /// and do not make or remove a device.
    fn open(driver: &Self::Driver, opening: &Opening<'_>) -> impl PinInit<Self, Error>;

    /// Called when a process reads. On success, the process gets what was written to `to`. An empty
    /// result is the end of the file.
    fn read(&self, _driver: &Self::Driver, _call: &Call<'_>, _to: &mut UserSliceWriter) -> Result {
        Err(EINVAL)
    }

    /// Called when a process writes. On success, the process learns how many bytes were taken from
    /// `from`.
    fn write(
        &self,
        _driver: &Self::Driver,
        _call: &Call<'_>,
        _from: &mut UserSliceReader,
    ) -> Result {
        Err(EINVAL)
    }

    /// Called when a process calls `ioctl`. A structure that the argument points to must have the
    /// same layout for processes of 32 and 64 bits. The process gets the returned value, at most
    /// `i32::MAX`.
    fn ioctl(
        &self,
        _driver: &Self::Driver,
        _call: &Call<'_>,
        _command: u32,
        _argument: Argument,
    ) -> Result<u32> {
        Err(ENOTTY)
    }

    /// Called when a process polls. Returns whether [`read`](File::read) and [`write`](File::write)
    /// would return at once. When that changes, the driver calls [`Device::wake`].
    fn poll(&self, _driver: &Self::Driver) -> Ready {
        Ready::ALWAYS
    }
}

/// Name of a device, and who may open it.
#[derive(Clone, Copy)]
pub struct Settings {
    name: &'static CStr,
    mode: u16,
    capability: Option<u32>,
}

impl Settings {
    /// Settings of the device `/dev/NAME`, which only root can open (mode 0600). A name has 1 to 63
    /// visible ASCII characters other than `/` and `!`, and is not `.` or `..`.
    pub const fn new(name: &'static CStr) -> Self {
        Self {
            name,
            mode: 0o600,
            capability: None,
        }
    }

    /// Sets the mode of the file in `/dev`: 1 to 0777. Without devtmpfs, the program that makes the
    /// file sets its mode.
    pub const fn mode(self, mode: u16) -> Self {
        Self { mode, ..self }
    }

    /// Only processes with this capability (`CAP_...` in `linux/capability.h`) in the initial user
    /// namespace may open the device, whatever its mode. Others get `EPERM`.
    pub const fn capability(self, capability: u32) -> Self {
        Self {
            capability: Some(capability),
            ..self
        }
    }
}

/// A device of a driver. Dropping it does not remove the device.
#[derive(Clone)]
pub struct Device(Arc<Inner>);

impl Device {
    /// Wakes each [`Call::wait`] and each poll of the device: they call `ready` or [`File::poll`]
    /// again. Call this after the change for which they wait. Any context.
    pub fn wake(&self) {
        self.0.wake();
    }

    /// Removes the device, for example because the hardware is gone. Waits for processes that are
    /// opening a miscellaneous device, but not for running functions of open files. May sleep.
    ///
    /// # Errors
    ///
    /// `EDEADLK`, with a line, if [`File::open`] calls this.
    pub fn remove(&self) -> Result {
        node::check_not_in_open(self.0.driver)?;
        self.0.remove();
        Ok(())
    }
}

#[pin_data]
struct Inner {
    driver: &'static CStr,
    settings: Settings,
    #[pin]
    node: Node,
    #[pin]
    watched: SpinLockIrq<Watched>,
    /// Threads in [`Call::wait`] and polls. An open file keeps the device, and so this wait queue.
    waiters: PollCondVarBox,
    /// `None` once the device is removed: the opener refers to the driver, and the driver may refer
    /// to the device, so neither would be freed. The lock is not held while a function of the driver
    /// runs.
    #[pin]
    opener: Mutex<Option<Arc<dyn Opener>>>,
}

impl Inner {
    fn new(
        driver: &'static CStr,
        settings: Settings,
        opener: Arc<dyn Opener>,
    ) -> Result<Arc<Self>> {
        let waiters = PollCondVarBox::new(c"d2d::Device::waiters", static_lock_class!())?;
        Arc::pin_init(
            pin_init!(Self {
                driver,
                settings,
                node <- Node::new(settings),
                watched <- new_spinlock_irq!(Watched::new(), "d2d::Device::watched"),
                waiters,
                opener <- new_mutex!(Some(opener), "d2d::Device::opener"),
            }),
            GFP_KERNEL,
        )
    }

    fn change(&self, f: impl FnOnce(&mut Watched)) {
        f(&mut self.watched.lock());
        self.waiters.notify_all();
    }

    fn wake(&self) {
        self.change(|watched| watched.count = watched.count.wrapping_add(1));
    }

    /// Whether the device was removed, or its driver is leaving.
    fn is_removed(&self) -> bool {
        self.watched.lock().is_removed
    }

    /// Makes new calls fail, and ends the waits of running calls. Any context.
    fn close(&self) {
        self.change(|watched| watched.is_removed = true);
    }

    fn remove(&self) {
        self.close();
        self.node.deregister();
        let opener = self.opener.lock().take();
        drop(opener);
    }
}

/// The devices of a driver.
#[doc(hidden)]
#[pin_data]
pub struct Devices {
    #[pin]
    made: Mutex<Made>,
}

struct Made {
    /// Whether the driver is leaving.
    is_closed: bool,
    devices: KVec<Arc<Inner>>,
}

impl Devices {
    /// Makes an empty list. The caller calls [`Devices::remove`] before the kernel frees the
    /// module's text: see [`DropPromise`].
    pub fn new<M>(_promise: DropPromise<M>) -> impl PinInit<Self> {
        pin_init!(Self {
            made <- new_mutex!(
                Made {
                    is_closed: false,
                    devices: KVec::new(),
                },
                "d2d::Devices::made"
            ),
        })
    }

    /// Makes a device of the driver called `name`. May sleep.
    ///
    /// # Errors
    ///
    /// Those of [`DriverRef::device`](crate::driver::DriverRef::device).
    pub fn make<F: File>(
        &self,
        name: &'static CStr,
        driver: F::Driver,
        settings: Settings,
    ) -> Result<Device> {
        node::check_not_in_open(name)?;
        settings.check(name)?;
        let opener = Arc::new(OpenerOf::<F> { driver }, GFP_KERNEL)?;
        let device = Device(Inner::new(name, settings, opener)?);
        // The device is added to the list first, so `remove` finds it, and either waits for its
        // registration or prevents it. Registration waits for processes that open a device.
        // `close` takes the list's lock, and must not wait for them. So the list is unlocked meanwhile.
        {
            let mut made = self.made.lock();
            if made.is_closed {
                return Err(ESHUTDOWN);
            }
            // A removed device has no opener.
            made.devices.retain(|device| device.opener.lock().is_some());
            made.devices.push(device.0.clone(), GFP_KERNEL)?;
        }
        if let Err(error) = Node::register(&device.0) {
            device.0.remove();
            return Err(error);
        }
        Ok(device)
    }

    /// Makes new calls fail, ends the waits of running calls, and refuses further devices. May sleep.
    pub fn close(&self) {
        let mut made = self.made.lock();
        made.is_closed = true;
        for device in &made.devices {
            device.close();
        }
    }

    /// Removes all devices. May sleep.
    pub fn remove(&self) {
        self.close();
        let devices = core::mem::take(&mut self.made.lock().devices);
        for device in &devices {
            device.remove();
        }
    }
}

impl Settings {
    fn check(&self, driver: &'static CStr) -> Result {
        let name = self.name.to_bytes();
        let is_visible = |byte: &u8| byte.is_ascii_graphic() && !b"/!".contains(byte);
        if !(1..=63).contains(&name.len())
            || !name.iter().all(is_visible)
            || matches!(name, b"." | b"..")
        {
            return Err(refuse!(driver, "bad-device-name", EINVAL));
        }
        if !(1..=0o777).contains(&self.mode) {
            return Err(refuse!(driver, "bad-device-mode", EINVAL, name: self.name));
        }
        if self
            .capability
            .is_some_and(|number| number > kernel::bindings::CAP_LAST_CAP)
        {
            return Err(refuse!(driver, "bad-device-capability", EINVAL, name: self.name));
        }
        Ok(())
    }
}

trait Opener: Send + Sync {
    fn open(&self, opening: &Opening<'_>) -> Result<Arc<dyn Calls>>;
}

struct OpenerOf<F: File> {
    driver: F::Driver,
}

impl<F: File> Opener for OpenerOf<F> {
    fn open(&self, opening: &Opening<'_>) -> Result<Arc<dyn Calls>> {
        let driver = self.driver.clone();
        let file = F::open(&self.driver, opening);
        Ok(Arc::pin_init(
            try_pin_init!(CallsOf::<F> { driver, file <- file }),
            GFP_KERNEL,
        )?)
    }
}

trait Calls: Send + Sync {
    fn read(&self, call: &Call<'_>, to: &mut UserSliceWriter) -> Result;
    fn write(&self, call: &Call<'_>, from: &mut UserSliceReader) -> Result;
    fn ioctl(&self, call: &Call<'_>, command: u32, argument: Argument) -> Result<u32>;
    fn poll(&self) -> Ready;
}

#[pin_data]
struct CallsOf<F: File> {
    driver: F::Driver,
    #[pin]
    file: F,
}

impl<F: File> Calls for CallsOf<F> {
    fn read(&self, call: &Call<'_>, to: &mut UserSliceWriter) -> Result {
        self.file.read(&self.driver, call, to)
    }

    fn write(&self, call: &Call<'_>, from: &mut UserSliceReader) -> Result {
        self.file.write(&self.driver, call, from)
    }

    fn ioctl(&self, call: &Call<'_>, command: u32, argument: Argument) -> Result<u32> {
        self.file.ioctl(&self.driver, call, command, argument)
    }

    fn poll(&self) -> Ready {
        self.file.poll(&self.driver)
    }
}

#[cfg(d2d_tests)]
mod tests;
