// SPDX-License-Identifier: GPL-2.0

//! The recorder: the peer. Its work item takes the samples from the queue in batches, counts them in
//! the data that both drivers share, and keeps the last ones for processes.
//!
//! A process that reads `/dev/recorder` gets the samples that were recorded after it opened the device. A
//! read waits until the number of unread samples reaches the watermark. A process that is too slow loses
//! the oldest samples: the numbers of those that it gets have a gap. Writing a number sets the rate. The
//! `ioctl`s set the rate (`SET_RATE`) and return the statistics (`GET_STATISTICS`). Other drivers configure
//! the recorder by the request `CONFIGURE`.

#![forbid(unsafe_code)]

use d2d::{
    control,
    device::{
        self,
        Argument,
        Call,
        Device,
        Opening,
        Ready, //
    },
    driver::{
        Driver,
        DriverRef, //
    },
    event::{
        Event,
        Kind, //
    },
    job::{
        Work,
        WorkContext, //
    },
    link::PeerLink,
    request::{
        Disposition,
        Pended,
        Request,
        Typed, //
    }, //
};
use kernel::{
    ioctl::{
        _IO,
        _IOR, //
    },
    prelude::*,
    sync::{
        new_mutex,
        Mutex,
        SetOnce, //
    },
    uaccess::{
        UserSliceReader,
        UserSliceWriter, //
    },
    ModuleMetadata, //
};
use sampler_pair::{
    RecorderOps,
    Sample,
    SamplerPair,
    Settings,
    Statistics,
    CONFIGURE,
    KEPT,
    SAMPLE, //
};
use zerocopy::{
    FromZeros,
    IntoBytes, //
};

d2d::module_peer! {
    type: Recorder,
    owner: sampler,
    name: "recorder",
    authors: ["Beyond IRPs"],
    description: "Example: records the samples of the sampler",
    license: "GPL",
    imports_ns: ["D2D"],
}

/// Sets the rate to the argument.
const SET_RATE: u32 = _IO('s' as u32, 0);
/// Writes the [`Statistics`] to the memory that the argument points to.
const GET_STATISTICS: u32 = _IOR::<Statistics>('s' as u32, 1);

/// The rate to which the recorder sets the sampler at first, in samples a second.
const RATE: u32 = 1000;

/// The most samples that one run of the work item takes from the queue, or that one `read` returns.
const BATCH: usize = 128;

/// What the recorder keeps.
struct Recording {
    /// Samples so far.
    count: u64,
    /// The last of them.
    samples: KVVec<Sample>,
    watermark: u32,
}

/// Returns the place of a sample among those that are kept.
fn place(number: u64) -> usize {
    (number % u64::from(KEPT)) as usize
}

impl Recording {
    fn push(&mut self, sample: Sample) {
        self.samples[place(self.count)] = sample;
        self.count += 1;
    }

    /// Returns the number of the first kept sample that is not before `next`, and how many samples there are
    /// from this one on.
    fn since(&self, next: u64) -> (u64, u64) {
        let first = next.max(self.count.saturating_sub(KEPT.into()));
        (first, self.count - first)
    }
}

/// What a request asks for, and the request.
type Asked = (Settings, Pended<Settings>);

/// The driver.
struct Recorder {
    /// Configures the recorder as a request asks. Set in [`Driver::start`], like `device`.
    configure: SetOnce<Work>,
    device: SetOnce<Device>,
    recording: Pin<KBox<Mutex<Recording>>>,
    /// The `CONFIGURE` that is pending.
    asked: Pin<KBox<Mutex<Option<Asked>>>>,
}

impl Recorder {
    /// Takes a batch of samples from the queue. Called in a kernel worker.
    fn drain(&self, link: &PeerLink<SamplerPair>, work: &Work) {
        let batch = link.incoming().take_batch(BATCH as u32);
        if batch.is_empty() {
            return;
        }
        // There may be more. Do not loop here: the sampler may be as fast as the loop. Starting fails
        // only while the recorder is being unloaded.
        let _ = work.start();

        let (mut recorded, mut sum) = (0, 0_u64);
        let (mut lowest, mut highest) = (u64::MAX, 0);
        let mut recording = self.recording.lock();
        let samples = batch
            .iter()
            .filter_map(|item| SAMPLE.expect(&item, PeerModule::NAME).ok());
        for sample in samples {
            recorded += 1;
            // The values are another driver's, so the sum may exceed a `u64`.
            sum = sum.wrapping_add(sample.value);
            lowest = lowest.min(sample.value);
            highest = highest.max(sample.value);
            recording.push(sample);
        }
        drop(recording);
        if recorded == 0 {
            return;
        }
        link.context().with_shared(|statistics| {
            let is_first = statistics.recorded == 0;
            statistics.lowest = if is_first {
                lowest
            } else {
                lowest.min(statistics.lowest)
            };
            statistics.highest = highest.max(statistics.highest);
            statistics.sum = statistics.sum.wrapping_add(sum);
            statistics.recorded = statistics.recorded.wrapping_add(recorded);
        });
        if let Some(device) = self.device.as_ref() {
            device.wake();
        }
    }

    /// Configures the recorder, and returns how it was configured before. May sleep.
    fn configure(&self, link: &PeerLink<SamplerPair>, settings: Settings) -> Result<Settings> {
        if !(1..=KEPT).contains(&settings.watermark) {
            return Err(EINVAL);
        }
        let rate = link.owner().set_rate(settings.rate)?;
        let watermark =
            core::mem::replace(&mut self.recording.lock().watermark, settings.watermark);
        if let Some(device) = self.device.as_ref() {
            device.wake();
        }
        Ok(Settings { rate, watermark })
    }

    /// Leaves a request pending, and lets a work item configure the recorder: `dispatch` has no link.
    fn ask<'a>(&self, settings: Settings, request: Typed<'a, Settings>) -> Disposition<'a> {
        let Some(configure) = self.configure.as_ref() else {
            return request.fail(EAGAIN);
        };
        let mut asked = self.asked.lock();
        if asked.is_some() {
            return request.fail(EBUSY);
        }
        let (disposition, request) = request.pend();
        *asked = Some((settings, request));
        // Fails only while the recorder is being unloaded, which cancels the request.
        let _ = configure.start();
        disposition
    }

    /// Completes the request that is pending. Called in a kernel worker.
    fn answer(&self, link: &PeerLink<SamplerPair>) {
        let Some((settings, request)) = self.asked.lock().take() else {
            return;
        };
        // Fails if the request was cancelled meanwhile.
        let _ = match self.configure(link, settings) {
            Ok(before) => request.complete(&before),
            Err(error) => request.fail(error),
        };
    }
}

impl Driver for Recorder {
    type Pair = SamplerPair;
    /// The event that starts the work item when samples arrive.
    type Resources = Event;

    fn new() -> Result<Self> {
        let recording = Recording {
            count: 0,
            samples: KVVec::from_elem(Sample::new_zeroed(), KEPT as usize, GFP_KERNEL)?,
            watermark: 1,
        };
        Ok(Self {
            configure: SetOnce::new(),
            device: SetOnce::new(),
            recording: KBox::pin_init(new_mutex!(recording, "recorder::recording"), GFP_KERNEL)?,
            asked: KBox::pin_init(new_mutex!(None, "recorder::asked"), GFP_KERNEL)?,
        })
    }

    /// Makes the doorbell, the work items and the device, and starts the sampler. When the module is
    /// unloaded, the library drops the doorbell, stops the work items and removes the device.
    fn start(driver: DriverRef<Self>) -> impl PinInit<Event, Error> {
        let link = driver.settled_link()?;
        let drain = driver.work(WorkContext::Worker, |driver, work| {
            if let Some(link) = driver.link() {
                driver.drain(link, work);
            }
        })?;
        let doorbell = driver.create_event(c"recorder.doorbell", Kind::Synchronization, false)?;
        doorbell.on_set(Some(&drain))?;
        // This rings if an earlier recorder has left samples in the queue.
        link.set_doorbell(Some(&doorbell));

        let device = driver.device::<Reader>(device::Settings::new(c"recorder"))?;
        driver.device.populate(device);
        let configure = driver.work(WorkContext::Worker, |driver, _work| {
            if let Some(link) = driver.link() {
                driver.answer(link);
            }
        })?;
        driver.configure.populate(configure);
        link.owner().set_rate(RATE)?;
        Ok(doorbell)
    }

    fn dispatch<'a>(&self, request: Request<'a>) -> Disposition<'a> {
        request
            .on(CONFIGURE, |settings, request| self.ask(settings, request))
            .or_unknown()
    }

    fn data(&self) {}
}

#[vtable]
impl RecorderOps for Recorder {}

/// An open file of `/dev/recorder`.
#[pin_data]
struct Reader {
    /// The number of the next sample to read, as the recorder counts them.
    #[pin]
    next: Mutex<u64>,
}

impl Reader {
    /// Copies samples that the process has not read, and returns their number; `None` if there are fewer
    /// than the watermark says.
    fn take(&self, recorder: &Recorder, to: &mut [Sample]) -> Option<usize> {
        let mut next = self.next.lock();
        let recording = recorder.recording.lock();
        let (first, unread) = recording.since(*next);
        if unread < recording.watermark.into() {
            return None;
        }
        let mut count = 0;
        for (to, number) in to.iter_mut().zip(first..recording.count) {
            *to = recording.samples[place(number)];
            count += 1;
        }
        *next = first + count as u64;
        Some(count)
    }
}

impl device::File for Reader {
    type Driver = DriverRef<Recorder>;

    fn open(recorder: &Self::Driver, _opening: &Opening<'_>) -> impl PinInit<Self, Error> {
        let count = recorder.recording.lock().count;
        try_pin_init!(Self {
            next <- new_mutex!(count, "recorder::Reader::next"),
        })
    }

    fn read(&self, recorder: &Self::Driver, call: &Call<'_>, to: &mut UserSliceWriter) -> Result {
        let mut samples = [Sample::new_zeroed(); BATCH];
        let room = (to.len() / size_of::<Sample>()).min(BATCH);
        if room == 0 {
            return Err(EINVAL);
        }
        let count = call.wait(|| self.take(recorder, &mut samples[..room]))?;
        // Copied without a lock, because a copy may wait for the process's memory.
        to.write_slice(samples[..count].as_bytes())
    }

    fn write(
        &self,
        recorder: &Self::Driver,
        _call: &Call<'_>,
        from: &mut UserSliceReader,
    ) -> Result {
        let rate = control::read_number(from)?;
        recorder.link().ok_or(ENOTCONN)?.owner().set_rate(rate)?;
        Ok(())
    }

    fn ioctl(
        &self,
        recorder: &Self::Driver,
        call: &Call<'_>,
        command: u32,
        argument: Argument,
    ) -> Result<u32> {
        let link = recorder.link().ok_or(ENOTCONN)?;
        match command {
            SET_RATE if !call.may_write() => Err(EBADF),
            SET_RATE => {
                let rate = u32::try_from(argument.value())?;
                link.owner().set_rate(rate)
            }
            GET_STATISTICS => {
                let statistics = link.context().with_shared(|statistics| *statistics);
                argument
                    .slice()
                    .writer()
                    .write_slice(statistics.as_bytes())?;
                Ok(0)
            }
            _ => Err(ENOTTY),
        }
    }

    fn poll(&self, recorder: &Self::Driver) -> Ready {
        let next = *self.next.lock();
        let recording = recorder.recording.lock();
        Ready {
            read: recording.since(next).1 >= recording.watermark.into(),
            write: true,
        }
    }
}
