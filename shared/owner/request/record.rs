// SPDX-License-Identifier: GPL-2.0

//! The records of requests.
//!
//! A record stays where it is until the owner is unloaded, whatever becomes of the request in it. So
//! a handle leads to a record without a lock, and a stale one is found out by its generation. Fields
//! that several threads use at the same time are [`Once`]; the [`Word`] says which thread may write
//! which of them, and each change of the word orders the accesses before and after it.

use super::word::{
    self,
    Phase,
    Transition,
    Word, //
};
use crate::{
    handle::{
        self,
        Kind, //
    },
    telling::Telling, //
};
use core::{
    ffi::c_void,
    ptr::null_mut, //
};
use d2d::{
    abi::{
        self,
        d2d_handle, //
    },
    header,
    once::Once,
    word::{
        read_barrier,
        Word as _, //
    }, //
};
use kernel::{
    bindings,
    ffi::{
        c_int,
        c_long, //
    },
    prelude::*,
    sync::atomic::{
        ordering::Full,
        Atomic, //
    },
    task::Task,
    types::Opaque, //
};

/// Requests that there can be at a time, of all drivers.
const REQUESTS: usize = 4096;

/// Records that are allocated together.
const PLACES: usize = 16;

extern "C" {
    // Defined in `shared/owner/word_wait.c`.
    fn d2d_word_wait(word: *mut u64, mask: u64, value: u64, jiffies: c_long) -> bool;
    fn d2d_word_wake(word: *mut u64);
}

/// A driver that a request was sent to: a stack location.
pub(super) struct Level {
    pub(super) to: Once<u64>,
    pub(super) code: Once<u32>,
    /// Whether the driver above, having forwarded it, gets it back.
    pub(super) returns: Once<u32>,
}

/// How a request has ended that was never sent.
const NOT_SENT: u32 = u32::MAX;

/// How many of the handles of a request that were taken from their holders are remembered.
const TAKEN: usize = 8;

/// Memory for a request.
#[repr(C, align(64))]
pub(crate) struct Record {
    word: Atomic<u64>,
    /// The generation of the sender's handle.
    id: Once<u32>,
    /// Counts how often requests were sent in this record.
    pub(super) sendings: Once<u32>,
    /// The frame that [`RUN`](word::bits::RUN) is about: the task and the generation of its hold.
    frame_task: Once<u64>,
    frame_seq: Once<u32>,
    /// What it was sent with, and how its steps are told.
    pub(super) flags: Once<u32>,
    sender: Once<u64>,
    pub(super) input: Once<*mut u8>,
    pub(super) output: Once<*mut u8>,
    pub(super) input_len: Once<u32>,
    /// For how much of the output there is room this time.
    pub(super) output_room: Once<u32>,
    pub(super) status: Once<c_int>,
    pub(super) output_len: Once<u32>,
    pub(super) information: Once<u64>,
    pub(super) ended: Once<u32>,
    pub(super) tag: Once<u64>,
    pub(super) user_buffer: Once<*mut c_void>,
    pub(super) levels: [Level; abi::D2D_STACK_SIZE as usize],
    /// The task that is inside `returned()` as long as the word says so.
    pub(super) carrier: Once<u64>,
    /// Generations of holds that were taken, each at its remainder.
    taken: [Once<u32>; TAKEN],
    pub(super) input_size: Once<u32>,
    pub(super) output_size: Once<u32>,
    index: Once<u32>,
    /// The capacity of the vector that `input` and `output` lie in.
    capacity: Once<usize>,
    records: Once<*mut Records>,
    work: Opaque<bindings::work_struct>,
}

// SAFETY: The work item is used by the kernel's functions only, which any thread may call. What the pointers
// lead to is used by those that the word allows to.
unsafe impl Sync for Record {}
// SAFETY: As above.
unsafe impl Send for Record {}

/// The memory of a request's buffers.
pub(super) struct Buffers(KVec<u64>);

impl Buffers {
    /// May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new(input: u32, output: u32) -> Result<Self> {
        let words = |bytes: u32| (bytes as usize).div_ceil(size_of::<u64>());
        let words = words(input) + words(output);
        Ok(Self(KVec::from_elem(0, words, GFP_KERNEL)?))
    }
}

impl Record {
    /// Returns its state. What was written before the transition to it can be read.
    #[inline(always)]
    pub(crate) fn word(&self) -> Word {
        Word(u64::load_acquire(&self.word))
    }

    /// Replaces a state, if it is still this one.
    ///
    /// # Errors
    ///
    /// The state that there is.
    #[inline(always)]
    pub(super) fn change(&self, old: Word, new: Word) -> Result<(), Word> {
        match u64::cmpxchg(&self.word, old.0, new.0) {
            Ok(_) => Ok(()),
            Err(found) => Err(Word(found)),
        }
    }

    /// Makes a transition, if the state is still this one and allows it. Returns the new state.
    #[inline(always)]
    pub(super) fn step(&self, transition: &Transition, old: Word) -> Option<Word> {
        let new = transition.of(old)?;
        self.change(old, new).ok()?;
        Some(new)
    }

    /// As [`Record::step`], and parks the request if a frame uses the buffers: the end of the frame delivers it.
    pub(super) fn park(&self, transition: &Transition, old: Word) -> Option<Word> {
        let in_use = old.has(word::bits::RUN);
        let new = transition.of(old)?.with(word::bits::PARKED, in_use);
        self.change(old, new).ok()?;
        Some(new)
    }

    /// Makes a transition, from whatever state allows it. Returns the new state, or the one that does
    /// not.
    #[inline(always)]
    pub(crate) fn go(&self, transition: &Transition) -> Result<Word, Word> {
        loop {
            let old = self.word();
            if transition.of(old).is_none() {
                return Err(old);
            }
            if let Some(new) = self.step(transition, old) {
                return Ok(new);
            }
        }
    }

    /// Makes a transition from [`Fill`](Phase::Fill), in which nobody else changes the word.
    #[inline(always)]
    pub(super) fn publish(&self, new: Word) {
        u64::store_release(&self.word, new.0);
    }

    /// Returns its sender's handle.
    pub(crate) fn handle(&self) -> d2d_handle {
        Kind::Sent.handle(self.index.get() as usize, self.id.get())
    }

    /// Returns whether this is the generation of its sender's handle. The word that was read before
    /// has not changed if a transition from it succeeds after this.
    #[inline(always)]
    pub(super) fn is(&self, id: u32) -> bool {
        self.id.get() == id
    }

    /// Returns the driver whose request it is.
    #[inline(always)]
    pub(crate) fn sender(&self) -> d2d_handle {
        self.sender.get()
    }

    /// Returns what names it in the trace.
    pub(crate) fn number(&self) -> u32 {
        self.index.get()
    }

    /// Returns the handle of the hold of this generation.
    #[inline(always)]
    pub(super) fn hold(&self, seq: u32) -> d2d_handle {
        Kind::Held.handle(self.index.get() as usize, seq)
    }

    #[inline(always)]
    pub(crate) fn telling(&self) -> Telling {
        Telling(self.flags.get())
    }

    pub(super) fn has_routine(&self) -> bool {
        self.flags.get() & abi::D2D_SEND_ROUTINE != 0
    }

    /// Returns whether it was sent since it was made.
    pub(super) fn was_sent(&self) -> bool {
        self.ended.get() != NOT_SENT
    }

    /// Returns whether it is the request of a handshake.
    pub(super) fn is_handshake(&self) -> bool {
        self.levels[0].code.get() == abi::D2D_IOCTL_SHARE_CONTEXT
    }

    /// Returns the driver that has it, or had it last.
    pub(crate) fn holder(&self, word: Word) -> d2d_handle {
        match word.level().checked_sub(1).and_then(|n| self.levels.get(n)) {
            Some(level) => level.to.get(),
            None => self.sender.get(),
        }
    }

    /// Returns the code that its holder sees.
    pub(crate) fn code(&self, word: Word) -> u32 {
        let level = word.level().checked_sub(1).and_then(|n| self.levels.get(n));
        level.map_or(0, |level| level.code.get())
    }

    /// Returns the level that a driver is concerned at, if it is on its way: the first one if it is the
    /// sender, else the first that leads to it. A parked request is not with the driver of the last level any
    /// more.
    pub(super) fn level_of(&self, word: Word, driver: d2d_handle) -> Option<usize> {
        if !word.is_on_its_way() {
            return None;
        }
        if self.sender.get() == driver {
            return Some(0);
        }
        let parked = usize::from(word.has(word::bits::PARKED));
        let mut levels = self.levels.iter().take(word.level() - parked);
        levels.position(|level| level.to.get() == driver)
    }

    /// Notes which frame may use the buffers in place. The word does not say yet that one does.
    #[inline(always)]
    pub(super) fn set_frame(&self, task: u64, seq: u32) {
        self.frame_task.set(task);
        self.frame_seq.set(seq);
    }

    /// Returns whether nobody has written to the fields that the holder sees since `word`, so that what was
    /// read of them belongs to that holder. A request that is with its sender may just be sent again.
    #[inline(always)]
    pub(super) fn is_still(&self, word: Word) -> bool {
        // The fields are written after a transition to `Fill` or `Forward`: a thread that has read such a value
        // sees the transition.
        read_barrier();
        let now = self.word();
        now.seq() == word.seq() && now.is_on_its_way()
    }

    /// Returns whether the calling thread is in the frame that may use the buffers in place, as the
    /// holder of this generation.
    #[inline(always)]
    pub(super) fn is_inside(&self, word: Word, seq: u32) -> bool {
        word.has(word::bits::RUN)
            && self.frame_seq.get() == seq
            && self.frame_task.get() == Task::current_raw() as u64
    }

    /// Returns whether the frame that may use the buffers in place is that of the holder of this generation.
    #[inline(always)]
    pub(super) fn is_frame_of(&self, seq: u32) -> bool {
        self.frame_seq.get() == seq
    }

    /// Returns whether the frame that may use the buffers in place is of this task.
    pub(super) fn frame_is_of(&self, task: u64) -> bool {
        self.frame_task.get() == task
    }

    /// Wakes the threads that wait for it. Any context.
    pub(super) fn wake(&self) {
        // SAFETY: Only the address of the word is used.
        unsafe { d2d_word_wake(self.word.as_ptr()) };
    }

    /// Waits until it is with its sender, for at most so many jiffies. A thread that makes it so wakes
    /// this one if the word says [`ASLEEP`](word::bits::ASLEEP). Returns whether it is. May sleep.
    pub(super) fn sleep(&self, jiffies: c_long) -> bool {
        // SAFETY: The word stays, as the record does.
        unsafe {
            d2d_word_wait(
                self.word.as_ptr(),
                word::bits::PHASE,
                Phase::Idle as u64,
                jiffies,
            )
        }
    }

    /// Returns the result. It does not change while the request is with its sender and waited for, nor
    /// while it is being delivered by the caller.
    #[inline(always)]
    pub(super) fn result(&self) -> abi::d2d_result {
        abi::d2d_result {
            information: self.information.get(),
            tag: self.tag.get(),
            status: self.status.get(),
            output_len: self.output_len.get(),
            ended: self.ended.get(),
            reserved: 0,
        }
    }

    /// Notes what the driver of the last level has completed it with. The caller has claimed it.
    #[inline(always)]
    pub(super) fn complete(&self, status: c_int, information: u64) {
        // A driver that gets the request back and completes it with the status that it was told
        // passes on how the request has ended.
        if status != self.status.get() {
            self.ended.set(abi::D2D_ENDED_COMPLETED);
        }
        self.status.set(status);
        self.information.set(information);
    }

    /// Notes that no driver has completed it: it has no output. The caller has claimed or delivers it.
    pub(super) fn fail(&self, status: c_int, ended: abi::d2d_ended) {
        self.status.set(status);
        self.information.set(0);
        self.output_len.set(0);
        self.ended.set(ended);
    }

    /// Remembers that the hold of `word` was taken. The caller delivers the request, and no transition has
    /// changed the generation since.
    pub(super) fn note_taken(&self, word: Word) {
        if !self.is_handshake() {
            self.taken[word.seq() as usize % TAKEN].set(word.seq());
        }
    }

    /// Returns whether the hold of this generation was taken not long ago. For a handshake, the driver is not
    /// told that.
    pub(super) fn was_taken(&self, seq: u32) -> bool {
        let word = self.word();
        if word.is(Phase::Taken) && word.seq() == seq {
            // The thread that delivers it may not have noted that yet.
            return !self.is_handshake();
        }
        seq != 0 && self.taken[seq as usize % TAKEN].get() == seq
    }

    /// Makes it a request of a driver. The caller has it in [`Fill`](Phase::Fill).
    pub(super) fn make(&self, sender: d2d_handle, input: u32, output: u32, buffers: Buffers) {
        let mut memory = core::mem::ManuallyDrop::new(buffers.0);
        let start: *mut u8 = memory.as_mut_ptr().cast();
        self.capacity.set(memory.capacity());
        self.input.set(start);
        self.output
            .set(start.wrapping_add((input as usize).next_multiple_of(size_of::<u64>())));
        self.input_size.set(input);
        self.output_size.set(output);
        self.sender.set(sender);
        self.flags.set(0);
        self.output_len.set(0);
        self.ended.set(NOT_SENT);
        self.levels[0].code.set(0);
    }

    /// Frees the memory of a request, whose handle is stale from here on. Any context.
    ///
    /// # Safety
    ///
    /// The caller has it in [`Fill`](Phase::Fill), has [made](Record::make) it or found it made, and leaves
    /// that by [`FREED`](word::FREED).
    pub(super) unsafe fn unmake(&self) {
        self.id.set(self.id.get().wrapping_add(1).max(1));
        let start: *mut u64 = self.input.get().cast();
        // SAFETY: `make` has taken a vector of this start and capacity apart. The caller has the record in `Fill`, so
        // nobody else uses the vector.
        drop(unsafe { KVec::from_raw_parts(start, 0, self.capacity.get()) });
    }

    /// What the driver of the last level gets to see.
    #[inline(always)]
    pub(super) fn view(&self, word: Word) -> abi::d2d_request {
        let level = &self.levels[(word.level().wrapping_sub(1)) % self.levels.len()];
        abi::d2d_request {
            hdr: header::new::<abi::d2d_request>(abi::D2D_REQUEST_MAGIC),
            handle: self.hold(word.seq()),
            major_function: abi::D2D_MJ_INTERNAL_DEVICE_CONTROL,
            code: level.code.get(),
            user_buffer: self.user_buffer.get(),
            driver: level.to.get(),
            input_len: self.input_len.get(),
            output_len: self.output_room.get(),
            input: null_mut(),
            output: null_mut(),
        }
    }

    /// Returns its work item, which is initialized.
    pub(super) fn work(&self) -> *mut bindings::work_struct {
        self.work.get()
    }

    /// Returns the record of a work item.
    ///
    /// # Safety
    ///
    /// `work` is the work item of a record that lives for `'a`.
    pub(super) unsafe fn of_work<'a>(work: *mut bindings::work_struct) -> &'a Self {
        // SAFETY: The caller says that it is that of a record.
        unsafe { &*kernel::container_of!(Opaque::cast_from(work), Self, work) }
    }

    /// Returns the records that it is one of.
    pub(super) fn records(&self) -> *mut Records {
        self.records.get()
    }
}

/// What a worker runs for a record's work item.
pub(super) type Work = unsafe extern "C" fn(*mut bindings::work_struct);

/// Memory for some records, none of which moves.
type Chunk = [Record; PLACES];
type Pointer = *mut Chunk;

/// Where the memory of some records is.
///
/// # Invariants
///
/// `chunk` is null, or that of a box with an initialized chunk, and then never changes again.
struct Place {
    chunk: Atomic<*mut Chunk>,
    /// At least the number of records that are not free or are just being taken. If it is 0, a search of all
    /// requests may skip the chunk.
    used: Atomic<u64>,
}

/// The records of all requests.
pub(crate) struct Records {
    chunks: KVec<Place>,
    /// Where to look for a free record first: those before it were in use lately.
    first: Once<usize>,
    run: Work,
}

impl Records {
    /// Makes room for [`REQUESTS`], which are allocated when they are needed. Their work items will `run`. May
    /// sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new(run: Work) -> Result<Self> {
        let mut chunks = KVec::with_capacity(REQUESTS / PLACES, GFP_KERNEL)?;
        for _ in 0..REQUESTS / PLACES {
            // INVARIANT: The pointer is null.
            let place = Place {
                chunk: Atomic::new(null_mut()),
                used: Atomic::new(0),
            };
            chunks.push(place, GFP_KERNEL)?;
        }
        Ok(Self {
            chunks,
            first: Once::new(0),
            run,
        })
    }

    /// Returns the record of this index, if there is memory for it.
    #[inline(always)]
    pub(super) fn get(&self, index: usize) -> Option<&Record> {
        let chunk = Pointer::load_acquire(&self.chunks.get(index / PLACES)?.chunk);
        // SAFETY: By the type invariants it is null or a chunk that stays.
        let chunk = unsafe { chunk.as_ref() }?;
        Some(&chunk[index % PLACES])
    }

    /// Returns the record that a handle of this kind leads to, and the generation in it.
    #[inline(always)]
    pub(super) fn find(&self, kind: Kind, handle: d2d_handle) -> Option<(&Record, u32)> {
        let (index, generation) = kind.parts(handle)?;
        Some((self.get(index)?, generation))
    }

    /// Iterates over the records that are not free, and some that are. If the caller has changed something by a
    /// fully ordered operation before, it sees each request whose maker has not seen the change.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Record> {
        let is_used = |number: &usize| {
            let place = self.chunks.get(*number);
            place.is_some_and(|place| u64::load(&place.used) != 0)
        };
        let used = (0..self.chunks.len()).filter(is_used);
        used.flat_map(|number| {
            (number * PLACES..(number + 1) * PLACES).filter_map(|index| self.get(index))
        })
    }

    /// Takes a free record, which is in [`Fill`](Phase::Fill) then. May sleep.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if there is none, `ENOMEM`.
    pub(super) fn take(&self) -> Result<&Record> {
        let places = self.chunks.len() * PLACES;
        let first = self.first.get();
        for index in (0..places).map(|n| (first + n) % places) {
            if self.get(index).is_none() {
                self.add(index / PLACES)?;
            }
            let free = self
                .get(index)
                .filter(|record| record.word().is(Phase::Free));
            if free.is_none() {
                continue;
            }
            self.count(index, 1);
            if let Some(record) = free.filter(|record| record.go(&word::ALLOC).is_ok()) {
                self.first.set(index + 1);
                return Ok(record);
            }
            self.count(index, u64::MAX);
        }
        Err(EAGAIN)
    }

    /// Notes that a record is free. Any context.
    pub(super) fn note_free(&self, record: &Record) {
        let index = record.index.get() as usize;
        self.count(index, u64::MAX);
        if index < self.first.get() {
            self.first.set(index);
        }
    }

    /// Adds to the number of records that are used, of the memory in which this one is.
    fn count(&self, index: usize, change: u64) {
        if let Some(Place { used, .. }) = self.chunks.get(index / PLACES) {
            let mut old = u64::load(used);
            while let Err(found) = u64::cmpxchg(used, old, old.wrapping_add(change)) {
                old = found;
            }
        }
    }

    /// Makes a chunk, unless another thread does so.
    fn add(&self, number: usize) -> Result {
        let mut chunk = KBox::<Chunk>::new_uninit(GFP_KERNEL | __GFP_ZERO)?;
        let first: *mut Record = chunk.as_mut_ptr().cast();
        for place in 0..PLACES {
            let record = first.wrapping_add(place);
            // SAFETY: The record lies in the box, which is zeroed. Numbers and null pointers are what a
            // free record consists of, but for these fields and the work item.
            unsafe {
                (&raw mut (*record).id).write(Once::new(1));
                (&raw mut (*record).index).write(Once::new((number * PLACES + place) as u32));
                (&raw mut (*record).records).write(Once::new(core::ptr::from_ref(self).cast_mut()));
                bindings::init_work_with_key(
                    Opaque::cast_into(&raw const (*record).work),
                    Some(self.run),
                    false,
                    c"d2d::Record::work".as_char_ptr(),
                    kernel::static_lock_class!().as_ptr(),
                );
            }
        }
        // SAFETY: All records are initialized.
        let chunk = KBox::into_raw(unsafe { chunk.assume_init() });
        let place = self.chunks.get(number).ok_or(EAGAIN)?;
        // INVARIANT: It is that of a box with a chunk.
        if place.chunk.cmpxchg(null_mut(), chunk, Full).is_err() {
            // SAFETY: It came from `into_raw` just now, and nobody has seen it.
            drop(unsafe { KBox::from_raw(chunk) });
        }
        Ok(())
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        for place in &self.chunks {
            let chunk = Pointer::load_acquire(&place.chunk);
            if chunk.is_null() {
                continue;
            }
            // SAFETY: By the type invariants it is that of a box, which nobody uses any more.
            let chunk = unsafe { KBox::from_raw(chunk) };
            for record in &*chunk {
                if !record.word().is(Phase::Free) {
                    // SAFETY: It is not free, so it was made, and nobody else is left.
                    unsafe { record.unmake() };
                }
            }
        }
    }
}

/// Returns what names a request in the trace, of a handle of either kind.
pub(crate) fn number(handle: d2d_handle) -> u32 {
    handle::index(handle)
}
