// SPDX-License-Identifier: GPL-2.0

//! The records of requests.
//!
//! A record stays where it is until the owner is unloaded, so a handle leads to its record without a
//! lock. The [`Word`] says which thread may write to which fields. Each change of the word orders the
//! accesses before and after the change.

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
    once_box::OnceBox,
    tracing::Tracing, //
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
    word::{
        read_barrier,
        AtomicOnce as _,
        AtomicWord as _, //
    }, //
};
use kernel::{
    bindings,
    ffi::{
        c_int,
        c_long, //
    },
    prelude::*,
    sync::atomic::Atomic,
    task::Task,
    types::Opaque, //
};

const REQUESTS: usize = 4096;

const RECORDS_PER_CHUNK: usize = 16;

unsafe extern "C" {
    // Defined in `shared/owner/word_wait.c`.
    safe fn d2d_word_wait(word: &Atomic<u64>, mask: u64, value: u64, jiffies: c_long) -> bool;
    safe fn d2d_word_wake(word: &Atomic<u64>);
}

/// A driver that a request was sent or forwarded to: a stack location of Windows.
pub(super) struct Level {
    pub(super) to: Atomic<u64>,
    pub(super) code: Atomic<u32>,
    /// Not 0 if the driver that forwarded the request to `to` gets it back.
    pub(super) wants_back: Atomic<u32>,
}

/// The value of `ended` as long as the request has not been sent.
const NOT_SENT: u32 = u32::MAX;

/// A record remembers at most this many holds that a cancel has ended.
const REMEMBERED: usize = 8;

#[repr(C, align(64))]
pub(crate) struct Record {
    word: Atomic<u64>,
    sent_generation: Atomic<u32>,
    /// How many sends the requests of this record have had. Skips 0.
    pub(super) sendings: Atomic<u32>,
    /// The task of the last in-place call, and the generation of the hold that this call dispatches.
    in_place_task: Atomic<u64>,
    in_place_generation: Atomic<u32>,
    /// The flags of the send, and [`Tracing::TRACEPOINT`].
    pub(super) flags: Atomic<u32>,
    sender: Atomic<u64>,
    pub(super) input: Atomic<*mut u8>,
    pub(super) output: Atomic<*mut u8>,
    pub(super) input_len: Atomic<u32>,
    /// How many bytes of output the receivers of this send may write.
    pub(super) output_room: Atomic<u32>,
    pub(super) status: Atomic<c_int>,
    pub(super) output_len: Atomic<u32>,
    pub(super) information: Atomic<u64>,
    pub(super) ended: Atomic<u32>,
    pub(super) tag: Atomic<u64>,
    pub(super) user_buffer: Atomic<*mut c_void>,
    pub(super) levels: [Level; abi::D2D_STACK_SIZE as usize],
    /// While the word has [`CARRY`](word::bits::CARRY): the task that is inside a forwarder's `returned()`.
    pub(super) carrier: Atomic<u64>,
    /// The task that calls the holder's `cancelled()`, or 0.
    pub(super) cancelled_caller: Atomic<u64>,
    /// The worker that is inside a dispatch routine for this record, or 0.
    pub(super) worker: Atomic<u64>,
    /// The generations of holds that a cancel has ended, each at `generation % REMEMBERED`.
    cancelled: [Atomic<u32>; REMEMBERED],
    pub(super) input_size: Atomic<u32>,
    pub(super) output_size: Atomic<u32>,
    index: Atomic<u32>,
    /// The capacity of the vector in which `input` and `output` lie.
    capacity: Atomic<usize>,
    records: Atomic<*mut Records>,
    work: Opaque<bindings::work_struct>,
}

// SAFETY: Any thread may call the kernel's functions for the work item. A thread uses the memory
// behind the pointers only while the word allows it.
unsafe impl Sync for Record {}
// SAFETY: As above.
unsafe impl Send for Record {}

/// The memory of a request's buffers, before a record has it.
pub(super) struct Buffers(KVec<u64>);

impl Buffers {
    /// Allocates buffers of `input` and `output` bytes, all zero, in cache lines of their own. May
    /// sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new(input: u32, output: u32) -> Result<Self> {
        const LINE: usize = abi::D2D_CACHE_LINE as usize / size_of::<u64>();
        let words = |bytes: u32| (bytes as usize).div_ceil(size_of::<u64>());
        let words = words(input) + words(output);
        // `kmalloc()` aligns memory whose size is a multiple of a line to a line.
        let mut memory = KVec::with_capacity(words.next_multiple_of(LINE), GFP_KERNEL)?;
        memory.extend_with(words, 0, GFP_KERNEL)?;
        Ok(Self(memory))
    }
}

impl Record {
    /// Returns the state. The caller can read what was written before the transition to this state.
    #[inline(always)]
    pub(crate) fn word(&self) -> Word {
        Word(u64::load_acquire(&self.word))
    }

    /// Changes the state from `old` to `new`.
    ///
    /// # Errors
    ///
    /// The state that was found instead.
    #[inline(always)]
    pub(super) fn change(&self, old: Word, new: Word) -> Result<(), Word> {
        match u64::cmpxchg(&self.word, old.0, new.0) {
            Ok(_) => Ok(()),
            Err(found) => Err(Word(found)),
        }
    }

    /// Makes a transition from `old`, if it is allowed and the state is still `old`. Returns the new
    /// state.
    #[inline(always)]
    pub(super) fn transition(&self, transition: &Transition, old: Word) -> Option<Word> {
        let new = transition.apply(old)?;
        self.change(old, new).ok()?;
        Some(new)
    }

    /// As [`Record::transition`]. If an in-place call uses the buffers, also parks the request.
    pub(super) fn park(&self, transition: &Transition, old: Word) -> Option<Word> {
        let in_use = old.has(word::bits::IN_PLACE);
        let new = transition.apply(old)?.assign(word::bits::PARKED, in_use);
        self.change(old, new).ok()?;
        Some(new)
    }

    /// Makes a transition from the current state. Returns the new state.
    ///
    /// # Errors
    ///
    /// The current state, if it does not allow the transition.
    #[inline(always)]
    pub(crate) fn go(&self, transition: &Transition) -> Result<Word, Word> {
        loop {
            let old = self.word();
            if transition.apply(old).is_none() {
                return Err(old);
            }
            if let Some(new) = self.transition(transition, old) {
                return Ok(new);
            }
        }
    }

    /// Ends [`Fill`](Phase::Fill). A thread that sees the new state can read what this thread has
    /// written before.
    #[inline(always)]
    pub(super) fn publish(&self, new: Word) {
        u64::store_release(&self.word, new.0);
    }

    /// Returns the sender's handle of the request.
    pub(crate) fn handle(&self) -> d2d_handle {
        Kind::Sent.handle(self.index.get() as usize, self.sent_generation.get())
    }

    /// Returns whether the sender's handle has this generation. The generation of the handle changes only
    /// in [`Fill`](Phase::Fill). So if the caller has read a word before this call, and then makes a
    /// transition from that word, the answer still holds.
    #[inline(always)]
    pub(super) fn has_sent_generation(&self, generation: u32) -> bool {
        self.sent_generation.get() == generation
    }

    #[inline(always)]
    pub(crate) fn sender(&self) -> d2d_handle {
        self.sender.get()
    }

    pub(crate) fn number(&self) -> u32 {
        self.index.get()
    }

    #[inline(always)]
    pub(super) fn holder_handle(&self, generation: u32) -> d2d_handle {
        Kind::Held.handle(self.index.get() as usize, generation)
    }

    #[inline(always)]
    pub(crate) fn tracing(&self) -> Tracing {
        Tracing(self.flags.get())
    }

    pub(super) fn has_routine(&self) -> bool {
        self.flags.get() & abi::D2D_SEND_ROUTINE != 0
    }

    pub(super) fn was_sent(&self) -> bool {
        self.ended.get() != NOT_SENT
    }

    pub(super) fn is_handshake(&self) -> bool {
        self.levels[0].code.get() == abi::D2D_IOCTL_SHARE_CONTEXT
    }

    /// Returns the driver of the last level, or the sender at level 0.
    pub(crate) fn holder(&self, word: Word) -> d2d_handle {
        match word.level().checked_sub(1).and_then(|n| self.levels.get(n)) {
            Some(level) => level.to.get(),
            None => self.sender.get(),
        }
    }

    /// Returns the code that the driver of the last level sees, or 0 at level 0.
    pub(crate) fn code(&self, word: Word) -> u32 {
        let level = word.level().checked_sub(1).and_then(|n| self.levels.get(n));
        level.map_or(0, |level| level.code.get())
    }

    /// Returns the level of the driver that has sent or forwarded the request to `driver`. If `driver`
    /// leaves, the driver of this level gets the request back. If `driver` is the sender, returns 0.
    /// `levels[i - 1]` is level i.
    ///
    /// Returns `None` if the request is not on its way, or does not concern `driver`. A parked request
    /// does not concern the driver of the last level.
    pub(super) fn level_above(&self, word: Word, driver: d2d_handle) -> Option<usize> {
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

    /// The caller sets [`IN_PLACE`](word::bits::IN_PLACE) afterwards.
    #[inline(always)]
    pub(super) fn set_in_place_call(&self, task: u64, generation: u32) {
        self.in_place_task.set(task);
        self.in_place_generation.set(generation);
    }

    /// The caller has read fields that the holder of `word` sees. Returns whether they are unchanged since
    /// `word`. Returns `false` if the request is home: a thread may be sending it again.
    #[inline(always)]
    pub(super) fn is_still(&self, word: Word) -> bool {
        // A thread makes its transition to `Fill` before it writes to these fields. If the caller
        // has read such a write, it sees the transition here.
        read_barrier();
        let now = self.word();
        now.generation() == word.generation() && now.is_on_its_way()
    }

    /// Returns whether the calling thread is inside the in-place call that dispatches the hold of this
    /// generation.
    #[inline(always)]
    pub(super) fn is_inside(&self, word: Word, generation: u32) -> bool {
        word.has(word::bits::IN_PLACE)
            && self.in_place_generation.get() == generation
            && self.in_place_task.get() == Task::current_raw() as u64
    }

    #[inline(always)]
    pub(super) fn is_in_place_call_of(&self, generation: u32) -> bool {
        self.in_place_generation.get() == generation
    }

    pub(super) fn in_place_call_is_by(&self, task: u64) -> bool {
        self.in_place_task.get() == task
    }

    /// Returns whether the calling thread is inside a routine that may have to return before the request
    /// can go home. `word` is the state of a request that is on its way.
    pub(super) fn may_wait_for_caller(&self, word: Word) -> bool {
        let task = Task::current_raw() as u64;
        word.has(word::bits::CARRY) && self.carrier.get() == task
            || word.has(word::bits::PINS) && self.cancelled_caller.get() == task
            || word.has(word::bits::IN_PLACE) && self.in_place_call_is_by(task)
            // The record has one work item, which does not run again before its routine has returned.
            || word.has(word::bits::QUEUED) && self.worker.get() == task
    }

    /// Wakes the threads in [`Record::sleep`]. Any context.
    pub(super) fn wake(&self) {
        d2d_word_wake(&self.word);
    }

    /// Sleeps until the request is home, for at most this many jiffies. Returns whether it is home.
    /// The caller must have set [`ASLEEP`](word::bits::ASLEEP). May sleep.
    pub(super) fn sleep(&self, jiffies: c_long) -> bool {
        d2d_word_wait(&self.word, word::bits::PHASE, Phase::Idle as u64, jiffies)
    }

    /// The caller has claimed or delivers the request, or the request is home and the word counts the
    /// caller as waiting. Otherwise the result may change.
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

    /// Writes the result. The caller has claimed the request.
    #[inline(always)]
    pub(super) fn complete(&self, status: c_int, information: u64) {
        // A forwarder may complete a returned request with the status that it has got. Then `ended` stays.
        if status != self.status.get() {
            self.ended.set(abi::D2D_ENDED_COMPLETED);
        }
        self.status.set(status);
        self.information.set(information);
    }

    /// Writes the result of a request that no driver has completed. The caller has claimed or
    /// delivers the request.
    pub(super) fn fail(&self, status: c_int, ended: abi::d2d_ended) {
        self.status.set(status);
        self.information.set(0);
        self.output_len.set(0);
        self.ended.set(ended);
    }

    /// Remembers that a cancel has ended the hold of `word`. The caller delivers the request.
    pub(super) fn note_cancelled(&self, word: Word) {
        if !self.is_handshake() {
            self.cancelled[word.generation() as usize % REMEMBERED].set(word.generation());
        }
    }

    /// Returns `false` for a handshake: its driver gets `ESTALE` instead of `ECANCELED`.
    pub(super) fn was_cancelled(&self, generation: u32) -> bool {
        let word = self.word();
        if word.is(Phase::Cancelled) && word.generation() == generation {
            // The deliverer may not have called `note_cancelled()` yet.
            return !self.is_handshake();
        }
        generation != 0 && self.cancelled[generation as usize % REMEMBERED].get() == generation
    }

    /// Makes the record a request. The caller has the record in [`Fill`](Phase::Fill).
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

    /// Frees the buffers, and makes the sender's handle stale. Any context.
    ///
    /// # Safety
    ///
    /// The record was [made](Record::make). The caller has it in [`Fill`](Phase::Fill) and makes the
    /// transition [`FREED`](word::FREED) next, or is dropping all records.
    pub(super) unsafe fn unmake(&self) {
        self.sent_generation
            .set(self.sent_generation.get().wrapping_add(1).max(1));
        let start: *mut u64 = self.input.get().cast();
        // SAFETY: The caller promises that the record was made: `make` has taken apart a vector with this
        // start and this capacity. Only this call puts it together again. No other thread uses the record.
        drop(unsafe { KVec::from_raw_parts(start, 0, self.capacity.get()) });
    }

    #[inline(always)]
    pub(super) fn view(&self, word: Word) -> abi::d2d_request {
        let level = &self.levels[(word.level().wrapping_sub(1)) % self.levels.len()];
        abi::d2d_request {
            hdr: header::new::<abi::d2d_request>(abi::D2D_REQUEST_MAGIC),
            handle: self.holder_handle(word.generation()),
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

    pub(super) fn work(&self) -> *mut bindings::work_struct {
        self.work.get()
    }

    /// # Safety
    ///
    /// `work` is the work item of a record that lives for `'a`.
    pub(super) unsafe fn of_work<'a>(work: *mut bindings::work_struct) -> &'a Self {
        // SAFETY: The caller says that `work` is the field of a record that lives for `'a`.
        unsafe { &*kernel::container_of!(Opaque::cast_from(work), Self, work) }
    }

    pub(super) fn records(&self) -> *mut Records {
        self.records.get()
    }
}

pub(super) type Work = unsafe extern "C" fn(*mut bindings::work_struct);

/// Records that are allocated together, and do not move.
type Chunk = [Record; RECORDS_PER_CHUNK];

struct ChunkCell {
    chunk: OnceBox<Chunk>,
    /// At least the number of the chunk's records in use. If it is 0, [`Records::iter`] skips the chunk.
    used: Atomic<u64>,
}

pub(crate) struct Records {
    chunks: KVec<ChunkCell>,
    /// The index at which the search for a free record begins. The records before it were in use lately.
    first: Atomic<usize>,
    run: Work,
}

impl Records {
    /// Makes a table for [`REQUESTS`] records. Their work items call `run`. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new(run: Work) -> Result<Self> {
        let mut chunks = KVec::with_capacity(REQUESTS / RECORDS_PER_CHUNK, GFP_KERNEL)?;
        for _ in 0..REQUESTS / RECORDS_PER_CHUNK {
            let cell = ChunkCell {
                chunk: OnceBox::new(),
                used: Atomic::new(0),
            };
            chunks.push(cell, GFP_KERNEL)?;
        }
        Ok(Self {
            chunks,
            first: Atomic::new(0),
            run,
        })
    }

    #[inline(always)]
    pub(super) fn get(&self, index: usize) -> Option<&Record> {
        let chunk = self.chunks.get(index / RECORDS_PER_CHUNK)?.chunk.get()?;
        Some(&chunk[index % RECORDS_PER_CHUNK])
    }

    #[inline(always)]
    pub(super) fn find(&self, kind: Kind, handle: d2d_handle) -> Option<(&Record, u32)> {
        let (index, generation) = kind.parts(handle)?;
        Some((self.get(index)?, generation))
    }

    /// Iterates over all records in use, and over some free ones. Suppose that thread 1 changes a flag by
    /// a fully ordered operation, and then calls this, while thread 2 makes a request, and then checks the
    /// flag. Then thread 2 sees the change, or thread 1 finds the request.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Record> {
        let used = self.chunks.iter().filter(|cell| cell.used.get() != 0);
        used.filter_map(|cell| cell.chunk.get()).flatten()
    }

    /// Takes a free record, and leaves it in [`Fill`](Phase::Fill). May sleep.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if no record is free, `ENOMEM`.
    pub(super) fn take(&self) -> Result<&Record> {
        let records = self.chunks.len() * RECORDS_PER_CHUNK;
        let first = self.first.get();
        for index in (0..records).map(|n| (first + n) % records) {
            if self.get(index).is_none() {
                self.add(index / RECORDS_PER_CHUNK)?;
            }
            let free = self
                .get(index)
                .filter(|record| record.word().is(Phase::Free));
            if free.is_none() {
                continue;
            }
            self.add_to_used(index, 1);
            if let Some(record) = free.filter(|record| record.go(&word::ALLOC).is_ok()) {
                self.first.set(index + 1);
                return Ok(record);
            }
            self.add_to_used(index, u64::MAX);
        }
        Err(EAGAIN)
    }

    /// Notes that the caller has made a record free. Any context.
    pub(super) fn note_free(&self, record: &Record) {
        let index = record.index.get() as usize;
        self.add_to_used(index, u64::MAX);
        if index < self.first.get() {
            self.first.set(index);
        }
    }

    fn add_to_used(&self, index: usize, change: u64) {
        if let Some(ChunkCell { used, .. }) = self.chunks.get(index / RECORDS_PER_CHUNK) {
            let mut old = used.get();
            while let Err(found) = u64::cmpxchg(used, old, old.wrapping_add(change)) {
                old = found;
            }
        }
    }

    /// Allocates a chunk, unless another thread does so meanwhile. May sleep.
    fn add(&self, number: usize) -> Result {
        let mut chunk = KBox::<Chunk>::new_uninit(GFP_KERNEL | __GFP_ZERO)?;
        let first: *mut Record = chunk.as_mut_ptr().cast();
        for n in 0..RECORDS_PER_CHUNK {
            let record = first.wrapping_add(n);
            // SAFETY: The record lies in the box, which no other thread has. Zero is valid in the fields
            // that are not written here. The name and the lock class of the work item are static.
            unsafe {
                (&raw mut (*record).sent_generation).write(Atomic::new(1));
                (&raw mut (*record).index)
                    .write(Atomic::new((number * RECORDS_PER_CHUNK + n) as u32));
                (&raw mut (*record).records)
                    .write(Atomic::new(core::ptr::from_ref(self).cast_mut()));
                bindings::init_work_with_key(
                    Opaque::cast_into(&raw const (*record).work),
                    Some(self.run),
                    false,
                    c"d2d::Record::work".as_char_ptr(),
                    kernel::static_lock_class!().as_ptr(),
                );
            }
        }
        // SAFETY: The zeros and the loop have initialized all records of the chunk.
        let chunk = unsafe { chunk.assume_init() };
        let cell = self.chunks.get(number).ok_or(EAGAIN)?;
        // If this fails, another thread has put a chunk there.
        let _ = cell.chunk.set(chunk);
        Ok(())
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        let chunks = self.chunks.iter().filter_map(|cell| cell.chunk.get());
        for record in chunks.flatten() {
            if !record.word().is(Phase::Free) {
                // SAFETY: Nobody else has the table. So no thread is between `take` and `make`, and a
                // record that is not free was made.
                unsafe { record.unmake() };
            }
        }
    }
}

/// Returns the number by which the trace names a request.
pub(crate) fn number(handle: d2d_handle) -> u32 {
    handle::index(handle)
}
