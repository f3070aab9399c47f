// SPDX-License-Identifier: GPL-2.0

//! The miscellaneous device behind a device of a driver. The kernel crate's `miscdevice` does not fit: it has no
//! `poll`, does not pass the driver to `open`, cannot set the mode of the file in `/dev`, and prints a stack trace if
//! the name exists.
//!
//! The kernel holds `misc_mtx` while it calls [`open`]. `misc_register()` and `misc_deregister()` take `misc_mtx`. So
//! [`open`] takes no lock that the library holds while it calls these two functions.
//!
//! C header: [`include/linux/miscdevice.h`](srctree/include/linux/miscdevice.h)

use super::{
    Argument,
    Call,
    Calls,
    Inner,
    Opening,
    Settings, //
};
use crate::{
    kernel_calls::capable,
    opened::{
        self,
        errno_for_caller,
        Opened, //
    },
    refuse,
    trace::report_memory, //
};
use kernel::{
    bindings,
    container_of,
    error::to_result,
    ffi::{
        c_char,
        c_int,
        c_long,
        c_uint,
        c_ulong,
        c_void, //
    },
    fs::{
        file,
        File, //
    },
    prelude::*,
    sync::{
        atomic::{
            ordering::Relaxed,
            Atomic, //
        },
        new_mutex,
        poll::PollTable,
        Arc,
        ArcBorrow,
        Mutex, //
    },
    task::Task,
    time::{
        delay::fsleep,
        Delta, //
    },
    types::Opaque,
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

#[allow(improper_ctypes, reason = "it is one word")]
unsafe extern "C" {
    /// The address of the task that is inside [`open`], or 0. `misc_mtx` allows one such task at a time.
    /// Defined in `module.c`.
    safe static d2d_opening_task: Atomic<usize>;

    /// Returns whether a device has this name: see `d2d_device_exists()`. May sleep. Defined in `module.c`.
    ///
    /// # Safety
    ///
    /// `name` is a string of C.
    unsafe fn d2d_device_name_is_taken(name: *const c_char) -> bool;
}

/// Fails with `EDEADLK`, with a line, if this thread is inside [`open`], where the kernel holds `misc_mtx`: to register
/// or deregister a device would deadlock.
pub(super) fn check_not_in_open(driver: &'static CStr) -> Result {
    // A task finds its own address only if it has stored the address itself.
    match d2d_opening_task.load(Relaxed) == Task::current_raw() as usize {
        false => Ok(()),
        true => Err(refuse!(driver, "device-in-open", EDEADLK)),
    }
}

#[pin_data]
pub(super) struct Node {
    #[pin]
    misc: Opaque<bindings::miscdevice>,
    /// The lock is held while `misc` is registered or deregistered.
    #[pin]
    is_registered: Mutex<bool>,
}

// SAFETY: Any thread may register and deregister a device.
unsafe impl Send for Node {}
// SAFETY: This file writes `misc` only in `new`, and registers and deregisters it with `is_registered` locked. In
// between, the kernel changes it only with `misc_mtx` locked.
unsafe impl Sync for Node {}

impl Node {
    pub(super) fn new(settings: &Settings) -> impl PinInit<Self> {
        let misc = bindings::miscdevice {
            minor: bindings::MISC_DYNAMIC_MINOR as c_int,
            name: settings.name.as_char_ptr(),
            fops: &raw const OPERATIONS.0,
            mode: settings.mode,
            ..pin_init::zeroed()
        };
        pin_init!(Self {
            misc: Opaque::new(misc),
            is_registered <- new_mutex!(false, "d2d::Device::is_registered"),
        })
    }

    /// Registers the device. From then on the kernel calls [`open`], which fails until the module is loaded. May
    /// sleep.
    pub(super) fn register(device: &Arc<Inner>) -> Result {
        let mut is_registered = device.node.is_registered.lock();
        if device.is_removed() {
            return Err(ESHUTDOWN);
        }
        let (driver, name) = (device.driver, device.settings.name);
        // If a miscellaneous device has the name, misc_register() prints a stack trace and returns EEXIST. The
        // initialization of a module must not return EEXIST: it means that the module is loaded already. If a device
        // of another class has the name, misc_register() succeeds, but the new device gets no file in /dev. Another
        // module can still take the name after this check.
        //
        // SAFETY: `name` is a `CStr`.
        if unsafe { d2d_device_name_is_taken(name.as_char_ptr()) } {
            return Err(refuse!(driver, "device-exists", EBUSY, name: name));
        }
        // SAFETY: The structure is initialized, pinned and not registered yet: only `Devices::make` calls this, once
        // for each device. `Devices` keeps a reference to the device until `deregister` has returned.
        match to_result(unsafe { bindings::misc_register(device.node.misc.get()) }) {
            Ok(()) => *is_registered = true,
            Err(ENOMEM) => return Err(ENOMEM),
            Err(EEXIST) => return Err(refuse!(driver, "device-exists", EBUSY, name: name)),
            Err(error) => return Err(refuse!(driver, "device-not-registered", error, name: name)),
        }
        Ok(())
    }

    /// When this returns, no thread is in [`open`] for the device. May sleep.
    pub(super) fn deregister(&self) {
        let mut is_registered = self.is_registered.lock();
        if !core::mem::take(&mut *is_registered) {
            return;
        }
        // SAFETY: The device is registered.
        unsafe { bindings::misc_deregister(self.misc.get()) };
        // If the initialization of a module fails, the kernel frees the module even if others have references to it.
        // A process that has tried to open the device has one until its `open` has failed. So wait until only the
        // reference of the initialization is left.
        let references = || {
            // SAFETY: This code runs, so its module exists.
            unsafe { bindings::module_refcount(&raw mut bindings::__this_module) }
        };
        while opened::is_loading() && references() > 1 {
            fsleep(Delta::from_millis(1));
        }
    }
}

pub(super) struct OpenFile {
    device: Arc<Inner>,
    calls: Arc<dyn Calls>,
}

/// `MAX_RW_COUNT`, to which the kernel limits a read or write. Unit tests call [`OpenFile`] without this limit.
const MOST: usize = i32::MAX as usize & !(bindings::PAGE_SIZE - 1);

impl OpenFile {
    pub(super) fn new(device: ArcBorrow<'_, Inner>, may_write: bool) -> Result<Self> {
        opened::check_loaded(device.driver)?;
        if let Some(number) = device.settings.capability {
            // `Settings::check` has checked the number.
            if !capable(number as c_int) {
                return Err(EPERM);
            }
        }
        let opener = device.opener.lock().clone();
        let opener = opener.filter(|_| !device.is_removed()).ok_or(ENODEV)?;
        let device = Arc::from(device);
        let opening = Opening {
            device: &device,
            may_write,
        };
        let calls = opener
            .open(&opening)
            .map_err(|error| report_memory(device.driver, error))?;
        Ok(Self { device, calls })
    }

    fn call(&self, flags: u32) -> Result<Call<'_>> {
        if self.device.is_removed() {
            return Err(ENODEV);
        }
        Ok(Call {
            device: &self.device,
            may_write: may_write(flags),
            is_nonblocking: flags & file::flags::O_NONBLOCK != 0,
        })
    }

    /// Returns how many bytes were written to `to`.
    pub(super) fn read(&self, flags: u32, to: UserPtr, length: usize) -> Result<usize> {
        let length = length.min(MOST);
        let mut writer = UserSlice::new(to, length).writer();
        let call = self.call(flags)?;
        self.calls.read(&call, &mut writer)?;
        // The driver may have replaced `writer` by a longer one: then count 0 bytes.
        Ok(length.saturating_sub(writer.len()))
    }

    /// Returns how many bytes of `from` were taken.
    pub(super) fn write(&self, flags: u32, from: UserPtr, length: usize) -> Result<usize> {
        let length = length.min(MOST);
        let mut reader = UserSlice::new(from, length).reader();
        let call = self.call(flags)?;
        self.calls.write(&call, &mut reader)?;
        Ok(length.saturating_sub(reader.len()))
    }

    pub(super) fn ioctl(&self, flags: u32, command: u32, value: c_ulong) -> Result<u32> {
        let size = kernel::ioctl::_IOC_SIZE(command);
        let call = self.call(flags)?;
        let returned = self.calls.ioctl(&call, command, Argument { value, size })?;
        Ok(returned.min(i32::MAX as u32))
    }

    pub(super) fn poll(&self) -> u32 {
        match self.device.is_removed() {
            true => bindings::POLLHUP | bindings::POLLERR,
            false => self.calls.poll().flags(),
        }
    }
}

fn may_write(flags: u32) -> bool {
    flags & file::flags::O_ACCMODE != file::flags::O_RDONLY
}

impl Opened for OpenFile {
    fn read(&self, file: &File, to: UserPtr, length: usize) -> Result<usize> {
        self.read(file.flags(), to, length)
    }

    fn poll(&self, file: &File, table: PollTable<'_>) -> u32 {
        // Register before `self.poll()`, so that no change is missed. The open file keeps the device with the queue.
        table.register_wait(file, &self.device.waiters);
        self.poll()
    }
}

struct Operations(bindings::file_operations);

// SAFETY: Nobody changes the structure.
unsafe impl Sync for Operations {}

/// While a file is open, the kernel holds a reference on `owner`: this module, which has the functions.
static OPERATIONS: Operations = Operations(bindings::file_operations {
    owner: &raw mut bindings::__this_module,
    open: Some(open),
    read: Some(opened::read::<OpenFile>),
    write: Some(write),
    unlocked_ioctl: Some(ioctl),
    // Converts the pointer that a process of 32 bits passes.
    compat_ioctl: bindings::compat_ptr_ioctl,
    poll: Some(opened::poll::<OpenFile>),
    release: Some(opened::release::<OpenFile>),
    ..pin_init::zeroed()
});

/// # Safety
///
/// [`Node::register`] has registered the device of `inode` and `file`, which is not deregistered during the call.
unsafe extern "C" fn open(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
    // SAFETY: The kernel is opening `file`, so no process has it yet. `misc_open()` has stored the address of the
    // `miscdevice` in `private_data`: a field of an `Inner` in an `Arc`. `Devices` keeps a reference to this `Arc`
    // until the device is deregistered, which does not happen during the call.
    let (device, flags): (ArcBorrow<'_, Inner>, u32) = unsafe {
        let misc = (*file).private_data.cast::<bindings::miscdevice>();
        let node = container_of!(Opaque::cast_from(misc), Node, misc);
        let device = ArcBorrow::from_raw(container_of!(node, Inner, node));
        (device, File::from_raw_file(file).flags())
    };
    d2d_opening_task.store(Task::current_raw() as usize, Relaxed);
    let opened = OpenFile::new(device, may_write(flags)).and_then(|opened| {
        KBox::pin(opened, GFP_KERNEL).map_err(|error| report_memory(device.driver, error.into()))
    });
    // From here on, no code of the driver runs.
    d2d_opening_task.store(0, Relaxed);
    match opened {
        // SAFETY: The kernel is opening `file` of `inode`. `OPERATIONS` has `release` for an `OpenFile`.
        Ok(opened) => unsafe { opened::store(inode, file, opened) },
        Err(error) => errno_for_caller(error),
    }
}

/// # Safety
///
/// [`open`] has opened `file`, and the kernel holds a reference to `file` until this returns.
unsafe extern "C" fn write(
    file: *mut bindings::file,
    buffer: *const c_char,
    length: usize,
    _offset: *mut bindings::loff_t,
) -> isize {
    // SAFETY: `open` has opened `file`, and the kernel holds a reference to `file` until this returns.
    let (opened, file) = unsafe { opened::get::<OpenFile>(file) };
    let from = UserPtr::from_ptr(buffer.cast_mut().cast::<c_void>());
    opened.write(file.flags(), from, length).map_or_else(
        |error| errno_for_caller(error) as isize,
        |count| count as isize,
    )
}

/// # Safety
///
/// As [`write()`].
unsafe extern "C" fn ioctl(file: *mut bindings::file, command: c_uint, value: c_ulong) -> c_long {
    // SAFETY: As in `write`.
    let (opened, file) = unsafe { opened::get::<OpenFile>(file) };
    opened.ioctl(file.flags(), command, value).map_or_else(
        |error| errno_for_caller(error) as c_long,
        |value| value as c_long,
    )
}
