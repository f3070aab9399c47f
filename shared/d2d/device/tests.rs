// SPDX-License-Identifier: GPL-2.0

//! Devices. The tests call the functions of an open file as the kernel does for a process. But no process runs
//! them, so an address of user memory is never valid here.

use super::{
    node::OpenFile,
    *, //
};
use crate::{
    opened::errno,
    run_in::{
        run_in,
        Place, //
    },
    testing::drop_promise, //
};
use kernel::{
    bindings,
    sync::ArcBorrow,
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

const NAME: &CStr = c"d2d_kunit_device";
const NONBLOCK: u32 = kernel::fs::file::flags::O_NONBLOCK;

/// The driver: it keeps the pended call of an `ioctl`.
type Kept = Arc<SpinLockIrq<Option<Pended<u32>>>>;

fn kept() -> Result<Kept> {
    Arc::pin_init(new_spinlock_irq!(None), GFP_KERNEL)
}

struct Opened;

impl File for Opened {
    type Driver = Kept;

    fn open(_kept: &Kept, _opening: &Opening<'_>) -> impl PinInit<Self, Error> {
        Ok(Self)
    }

    /// Replaces the writer by a longer one.
    fn read(&self, _kept: &Kept, _call: &Call<'_>, to: &mut UserSliceWriter) -> Result {
        *to = UserSlice::new(UserPtr::from_addr(0), usize::MAX).writer();
        Ok(())
    }

    fn write(&self, _kept: &Kept, _call: &Call<'_>, from: &mut UserSliceReader) -> Result {
        from.skip(from.len())
    }

    /// Pends the call, and waits for its answer. If the argument is not 0, first completes the call with the
    /// argument as the answer.
    fn ioctl(&self, kept: &Kept, call: &Call<'_>, _: u32, argument: Argument) -> Result<u32> {
        let (answer, pended) = call.pend()?;
        let before = kept.lock().replace(pended);
        drop(before);
        if argument.value() != 0 {
            complete(kept, argument.value() as u32).map_err(|_| ECANCELED)?;
        }
        answer.wait(call)
    }
}

fn complete(kept: &Kept, answer: u32) -> Result<(), u32> {
    let pended = kept.lock().take();
    pended.map_or(Err(0), |pended| pended.complete(answer))
}

fn make(devices: &Devices, kept: &Kept, settings: Settings) -> Result<Device> {
    devices.make::<Opened>(c"d2d_kunit", kept.clone(), settings)
}

/// A device of a driver, and an open file of it.
struct Trial {
    devices: Pin<KBox<Devices>>,
    kept: Kept,
    device: Device,
    file: OpenFile,
}

impl Trial {
    fn new() -> Result<Self> {
        let devices = KBox::pin_init(Devices::new(drop_promise()), GFP_KERNEL)?;
        let kept = kept()?;
        let device = make(&devices, &kept, Settings::new(NAME))?;
        let file = OpenFile::new(borrow(&device), true)?;
        Ok(Self {
            devices,
            kept,
            device,
            file,
        })
    }

    fn make(&self, settings: Settings) -> Result<Device> {
        make(&self.devices, &self.kept, settings)
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        self.devices.remove();
    }
}

fn borrow(device: &Device) -> ArcBorrow<'_, Inner> {
    device.0.as_arc_borrow()
}

#[kunit_tests(d2d_device)]
mod cases {
    use super::*;

    #[test]
    fn a_name_that_exists_is_refused_until_its_device_is_removed() -> Result {
        let trial = Trial::new()?;
        let settings = Settings::new(NAME);
        assert_eq!(trial.make(settings).err(), Some(EBUSY));
        trial.device.remove()?;
        assert_eq!(trial.make(settings).err(), None);
        Ok(())
    }

    #[test]
    fn bad_settings_are_refused() -> Result {
        let trial = Trial::new()?;
        for settings in [
            Settings::new(c""),
            Settings::new(c"a/b"),
            Settings::new(c"a!b"),
            Settings::new(c"a b"),
            Settings::new(c".."),
            Settings::new(c"0123456789012345678901234567890123456789012345678901234567890123"),
            Settings::new(c"d2d_kunit_other").mode(0),
            Settings::new(c"d2d_kunit_other").mode(0o1000),
            Settings::new(c"d2d_kunit_other").capability(bindings::CAP_LAST_CAP + 1),
        ] {
            assert_eq!(trial.make(settings).err(), Some(EINVAL));
        }
        Ok(())
    }

    #[test]
    fn counts_of_bytes_are_limited() -> Result {
        let trial = Trial::new()?;
        let nowhere = || UserPtr::from_addr(0);
        let most = i32::MAX as usize & !(bindings::PAGE_SIZE - 1);
        assert_eq!(trial.file.read(0, nowhere(), usize::MAX), Ok(0));
        assert_eq!(trial.file.write(0, nowhere(), usize::MAX), Ok(most));
        assert_eq!(trial.file.write(0, nowhere(), 0), Ok(0));
        Ok(())
    }

    #[test]
    fn a_process_gets_only_errnos_that_it_knows() -> Result {
        for (error, alone, with_signal) in [
            (EINVAL, EINVAL, EINVAL),
            (ERESTARTSYS, EINTR, ERESTARTSYS),
            (ERESTARTNOINTR, EINTR, ERESTARTNOINTR),
            (ERESTARTNOHAND, EINTR, ERESTARTNOHAND),
            (ERESTART_RESTARTBLOCK, EINTR, EINTR),
            (ENOIOCTLCMD, ENOTTY, ENOTTY),
            (ENOTSUPP, EOPNOTSUPP, EOPNOTSUPP),
            (EPROBE_DEFER, EIO, EIO),
            (Error::from_errno(-4095), EIO, EIO),
        ] {
            assert_eq!(errno(error, false), alone.to_errno());
            assert_eq!(errno(error, true), with_signal.to_errno());
        }
        Ok(())
    }

    #[test]
    fn a_call_is_completed_in_each_execution_context() -> Result {
        for place in Place::ALL {
            let trial = Trial::new()?;
            let device = &trial.device;
            let (answer, pended) = pended::new::<u32>(device.0.clone())?;
            assert!(!answer.is_ready());
            assert_eq!(run_in(place, move || pended.complete(5))?, Ok(()));
            assert!(answer.is_ready());
            assert_eq!(trial.file.ioctl(0, 0, 9), Ok(9));
        }
        Ok(())
    }

    #[test]
    fn dropping_the_answer_cancels_the_call() -> Result {
        let trial = Trial::new()?;
        let (answer, pended) = pended::new::<u32>(trial.device.0.clone())?;
        assert!(!pended.is_cancelled());
        drop(answer);
        assert!(pended.is_cancelled());
        assert_eq!(pended.complete(5), Err(5));
        // A call that must not wait drops its answer, too.
        assert_eq!(trial.file.ioctl(NONBLOCK, 0, 0), Err(EAGAIN));
        assert_eq!(complete(&trial.kept, 5), Err(5));
        Ok(())
    }

    #[test]
    fn the_answer_of_another_device_is_refused() -> Result {
        let trial = Trial::new()?;
        let other = trial.make(Settings::new(c"d2d_kunit_other"))?;
        let (answer, pended) = pended::new::<u32>(other.0.clone())?;
        assert_eq!(pended.complete(5), Ok(()));
        let call = |device| Call {
            device,
            may_write: true,
            is_nonblocking: false,
        };
        assert_eq!(answer.wait(&call(&trial.device.0)), Err(EINVAL));
        assert_eq!(answer.wait(&call(&other.0)), Ok(5));
        assert_eq!(answer.wait(&call(&other.0)), Err(ENODATA));
        Ok(())
    }

    #[test]
    fn an_open_file_of_a_removed_device_is_dead() -> Result {
        let trial = Trial::new()?;
        let hung_up = bindings::POLLHUP | bindings::POLLERR;
        assert_eq!(trial.file.poll() & hung_up, 0);
        trial.devices.remove();
        assert_eq!(trial.file.poll(), hung_up);
        assert_eq!(trial.file.read(0, UserPtr::from_addr(0), 1), Err(ENODEV));
        assert_eq!(trial.file.write(0, UserPtr::from_addr(0), 1), Err(ENODEV));
        assert_eq!(trial.file.ioctl(0, 0, 9), Err(ENODEV));
        assert_eq!(
            OpenFile::new(borrow(&trial.device), true).err(),
            Some(ENODEV)
        );
        let made = trial.make(Settings::new(NAME));
        assert_eq!(made.err(), Some(ESHUTDOWN));
        Ok(())
    }
}
