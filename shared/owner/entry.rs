// SPDX-License-Identifier: GPL-2.0

//! What is known of a request, and by which handles it is found.

use crate::{
    completion::Completion,
    handle::{
        self,
        Kind, //
    },
    requests::Requests,
    table::Table,
    telling::Telling,
    visit::Visit, //
};
use core::ffi::c_void;
use d2d::{
    abi::{
        self,
        d2d_handle, //
    },
    header, //
};
use kernel::{
    ffi::c_int,
    prelude::*,
    sync::Arc,
    task::Task,
    workqueue::{
        impl_has_work,
        Work,
        WorkItem, //
    }, //
};

/// Where a request is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// With its sender.
    Idle,
    /// With the driver of the last level, which may complete it.
    Held,
    /// It was completed or taken back, and its [`Entry::carrier`] is giving it to the driver above.
    Busy,
}

/// A driver that a request was sent to, and by whom: a stack location.
#[derive(Clone, Copy)]
pub(crate) struct Level {
    pub(crate) from: d2d_handle,
    pub(crate) to: d2d_handle,
    pub(crate) code: u32,
    /// Whether `from`, having forwarded it, gets it back.
    pub(crate) returns: bool,
    /// Whether `to` wants to be told if it is taken from it.
    pub(crate) tells: bool,
    /// The generation of the handle that `to` has.
    pub(crate) hold: u32,
}

pub(crate) const NO_RESULT: abi::d2d_result = abi::d2d_result {
    information: 0,
    tag: 0,
    status: 0,
    output_len: 0,
    ended: abi::D2D_ENDED_COMPLETED,
    reserved: 0,
};

/// A request.
pub(crate) struct Entry {
    /// Who has made it.
    pub(crate) sender: d2d_handle,
    pub(crate) phase: Phase,
    pub(crate) levels: [Option<Level>; abi::D2D_STACK_SIZE as usize],
    pub(crate) depth: usize,
    /// Counts how often it was sent.
    pub(crate) sendings: u32,
    pub(crate) major_function: u32,
    pub(crate) flags: u32,
    pub(crate) user_buffer: *mut c_void,
    pub(crate) input: KVec<u8>,
    pub(crate) input_len: u32,
    pub(crate) output: KVec<u8>,
    /// How much of the output there is room for this time.
    pub(crate) output_room: u32,
    pub(crate) result: abi::d2d_result,
    /// Whether it waits for a worker to dispatch it.
    pub(crate) queued: bool,
    /// As long as it is being taken back: from this level on. Who has forwarded it further down is only
    /// told.
    pub(crate) recall: Option<usize>,
    /// The task that carries the request up, 0 if there is none. The task stays the carrier while
    /// it runs [`Driver::returned`](crate::registry::Driver::returned), whatever the phase is then:
    /// another task that claims the request meanwhile leaves it to the carrier.
    pub(crate) carrier: usize,
    /// Whether its sender has freed it: it is removed as soon as it is idle and nobody waits for it.
    pub(crate) orphan: bool,
    /// The number of threads in `d2d_request_wait`. As long as there is one, the request is neither
    /// sent again nor removed, so that none of them misses the result.
    pub(crate) waiters: u32,
    pub(crate) packet: Arc<Packet>,
}

// SAFETY: `user_buffer` is only handed on.
unsafe impl Send for Entry {}

impl Entry {
    /// The level of who has it, or had it last.
    pub(crate) fn top(&mut self) -> Option<&mut Level> {
        self.levels[..self.depth].last_mut()?.as_mut()
    }

    /// The generation of the handle that was given out last.
    pub(crate) fn hold(&self) -> Option<u32> {
        let top = self.levels.get(self.depth.checked_sub(1)?)?.as_ref()?;
        Some(top.hold)
    }

    /// Whether some driver that has forwarded it would get it back, so that it can still be taken back
    /// while it is busy below.
    pub(crate) fn can_be_recalled(&self) -> bool {
        let above = self.recall.is_none_or(|level| level > 0);
        above
            && self
                .levels
                .iter()
                .flatten()
                .skip(1)
                .any(|level| level.returns)
    }

    pub(crate) fn push(&mut self, level: Level) {
        self.levels[self.depth] = Some(level);
        self.depth += 1;
    }

    pub(crate) fn pop(&mut self) -> Option<Level> {
        self.depth = self.depth.checked_sub(1)?;
        self.levels[self.depth].take()
    }

    /// Whether the driver of the last level has it, under this generation.
    pub(crate) fn is_held_as(&self, hold: u32) -> bool {
        self.phase == Phase::Held && self.hold() == Some(hold)
    }

    /// Whether it is still on its way in this sending, for its sender.
    pub(crate) fn is_on_its_way(&self, sending: u32) -> bool {
        self.sendings == sending && self.phase != Phase::Idle && !self.orphan
    }

    /// The level that a driver is concerned at, if it is on its way: the first one if it is the
    /// sender, else the first that leads to it.
    pub(crate) fn level_of(&self, driver: d2d_handle) -> Option<usize> {
        if self.phase == Phase::Idle {
            return None;
        }
        if self.sender == driver {
            return Some(0);
        }
        let mut levels = self.levels.iter().flatten();
        levels.position(|level| level.to == driver)
    }

    /// Whether it goes from who has it to its sender, with nobody between who is to be told, nor a
    /// line to be printed before.
    pub(crate) fn is_one_level_down(&self) -> bool {
        self.depth == 1 && self.carrier == 0 && !self.orphan && !self.telling().is_on()
    }

    /// Whether it is with its sender, and no thread waits for it, so that it can be sent or removed.
    pub(crate) fn is_unused(&self) -> bool {
        self.phase == Phase::Idle && self.waiters == 0
    }

    /// Gives it back to its sender. Returns the result, and how its steps are told, if the sender has a
    /// completion routine to be called: `visit` has begun then.
    pub(crate) fn come_home(
        &mut self,
        visit: Pin<&Visit<'_>>,
    ) -> Option<(abi::d2d_result, Telling)> {
        self.pop();
        self.recall = None;
        self.queued = false;
        self.carrier = 0;
        self.phase = Phase::Idle;
        if self.waiters > 0 {
            self.packet.done.complete_all();
        }
        let told = !self.orphan && self.has_routine() && visit.begin(self.sender).is_ok();
        told.then(|| (self.result, self.telling()))
    }

    pub(crate) fn telling(&self) -> Telling {
        Telling(self.flags)
    }

    pub(crate) fn has_routine(&self) -> bool {
        self.flags & abi::D2D_SEND_ROUTINE != 0
    }

    /// Claims the request. Of all tasks that complete it or take it back, exactly one does so.
    /// Returns whether the calling task has to carry it up; if not, another task is doing that.
    #[must_use]
    pub(crate) fn claim(&mut self) -> bool {
        self.phase = Phase::Busy;
        self.queued = false;
        let is_ours = self.carrier == 0;
        if is_ours {
            self.carrier = Task::current_raw() as usize;
        }
        is_ours
    }

    /// Notes what the driver of the last level has completed it with.
    pub(crate) fn complete(&mut self, status: c_int, information: u64) {
        // A driver that gets the request back and completes it with the status that it was told
        // passes on how the request has ended.
        if status != self.result.status {
            self.result.ended = abi::D2D_ENDED_COMPLETED;
        }
        self.result.status = status;
        self.result.information = information;
    }

    /// Notes that no driver has completed it: it has no output.
    pub(crate) fn fail(&mut self, status: c_int, ended: abi::d2d_ended) {
        self.result = abi::d2d_result {
            status,
            ended,
            tag: self.result.tag,
            ..NO_RESULT
        };
    }

    /// What the driver of the last level gets to see.
    pub(crate) fn view(&mut self, key: d2d_handle) -> abi::d2d_request {
        let (hold, code, driver) = self
            .top()
            .map_or((0, 0, 0), |level| (level.hold, level.code, level.to));
        abi::d2d_request {
            hdr: header::new::<abi::d2d_request>(abi::D2D_REQUEST_MAGIC),
            handle: Kind::Held.handle(handle::index(key) as usize, hold),
            major_function: self.major_function,
            code,
            user_buffer: self.user_buffer,
            driver,
            input_len: self.input_len,
            output_len: self.output_room,
        }
    }
}

/// What of a request is used without the lock.
#[pin_data]
pub(crate) struct Packet {
    pub(crate) requests: Arc<Requests>,
    /// Its handle in the table, which is its sender's.
    pub(crate) key: d2d_handle,
    #[pin]
    pub(crate) work: Work<Self>,
    /// Done when the request is with its sender again, who waits for it.
    #[pin]
    pub(crate) done: Completion,
}

impl_has_work! {
    impl HasWork<Self> for Packet { self.work }
}

impl WorkItem for Packet {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.requests.dispatch_queued(this.key);
    }
}

/// Why something is refused, to be said without the lock.
pub(crate) type Refusal = (&'static str, Error);

/// The handles that were taken from somebody, of whom a later completion is told so: the last ones,
/// by generation.
pub(crate) struct Taken(KVec<u32>);

impl Taken {
    /// How many are remembered.
    const LAST: usize = 1024;

    fn place(hold: u32) -> usize {
        hold as usize % Self::LAST
    }

    pub(crate) fn note(&mut self, hold: u32) {
        self.0[Self::place(hold)] = hold;
    }

    fn contains(&self, hold: u32) -> bool {
        hold != 0 && self.0[Self::place(hold)] == hold
    }
}

/// All requests.
pub(crate) struct Inner {
    pub(crate) entries: Table<Entry>,
    pub(crate) taken: Taken,
    /// The generation of the handle that was last given to who got a request.
    pub(crate) holds: u32,
}

impl Inner {
    /// Makes an empty table for so many requests. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(max: usize) -> Result<Self> {
        Ok(Self {
            entries: Table::new(Kind::Sent, max)?,
            taken: Taken(KVec::from_elem(0, Taken::LAST, GFP_KERNEL)?),
            holds: 0,
        })
    }

    pub(crate) fn next_hold(&mut self) -> u32 {
        self.holds = self.holds.wrapping_add(1).max(1);
        self.holds
    }

    /// Returns the request that its sender names by this handle.
    pub(crate) fn sent(&mut self, handle: d2d_handle) -> Result<&mut Entry, Refusal> {
        self.entries
            .get_mut(handle)
            .filter(|entry| !entry.orphan)
            .ok_or(("stale-request", ESTALE))
    }

    /// Returns the request that its receiver names by this handle, and its handle in the table.
    pub(crate) fn held(&mut self, handle: d2d_handle) -> Result<(d2d_handle, &mut Entry), Refusal> {
        const STALE: Refusal = ("stale-request-handle", ESTALE);
        let (index, hold) = Kind::Held.parts(handle).ok_or(STALE)?;
        self.entries
            .by_index_mut(index)
            .filter(|(_, entry)| entry.is_held_as(hold))
            .ok_or_else(|| match self.taken.contains(hold) {
                true => TAKEN_BACK,
                false => STALE,
            })
    }
}

/// Why a driver cannot send any more.
pub(crate) const LEAVING: Refusal = ("driver-is-leaving", ESHUTDOWN);

/// Who has lost a race learns so; it is nobody's mistake, and prints nothing.
pub(crate) const TAKEN_BACK: Refusal = ("taken-back", ECANCELED);
