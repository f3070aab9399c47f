// SPDX-License-Identifier: GPL-2.0

//! What each exported function does, and how it finds the server.

mod arg;
mod events;

use crate::{
    c_owner::COwner,
    contexts::{
        Contexts,
        Owner,
        OwnerDriver,
        OwnerRef,
        Seats, //
    },
    going::{
        self,
        Going,
        Notifier, //
    },
    probe::{
        in_state,
        Output,
        Stack, //
    },
    request::Limit,
    server::{
        own_handle,
        Server, //
    },
    state::Section,
    trace::{
        self,
        Texts, //
    }, //
};
use core::{
    ffi::c_void,
    mem::MaybeUninit,
    ptr::NonNull, //
};
use d2d::{
    abi,
    control::Commands,
    data::Sizes,
    debugfs::{
        Directory,
        Show,
        ShowFile,
        Text, //
    },
    fields,
    interface::TableFor,
    leaving,
    link::Pair,
    patience::LeaveRoles,
    readers::Readers,
    refuse,
    registration::DropPromise,
    routines,
    step,
    trace::{
        refuse,
        report_memory,
        LastLine,
        Step, //
    }, //
};
use kernel::{
    bindings,
    ffi::{
        c_char,
        c_int, //
    },
    prelude::*,
    sync::{
        atomic::{
            ordering::{
                Acquire,
                Full,
                Release, //
            },
            Atomic, //
        },
        rcu,
        Arc,
        ArcBorrow, //
    },
    ModuleMetadata, //
};

/// The exported functions of an owner. Each has a method here, which finds the server. A macro that
/// declares an owner, such as [`module_owner!`](crate::module_owner), makes the `Exports`.
///
/// # Invariants
///
/// `server` is null or came from [`Arc::into_raw`]. The reference is dropped only after the
/// following, in this order:
/// 1. `server` has become null.
/// 2. All threads that were inside at that moment have left.
/// 3. All RCU readers that were running at that moment have ended.
pub struct Exports {
    name: &'static CStr,
    started: Atomic<u32>,
    server: Atomic<*mut Server>,
}

#[allow(improper_ctypes, reason = "it has empty parts without lockdep")]
unsafe extern "C" {
    /// The threads inside the exported functions. Defined in `exports_srcu.c` by
    /// `DEFINE_SRCU_FAST()`, for fast readers.
    safe static d2d_exports_srcu: Readers;
}

/// While it exists, the exported functions find the server. Dropping it calls [`Owner::leaving`],
/// and frees the server when no thread is inside an exported function. May sleep.
struct OpenExports<S: AnyOwner> {
    exports: &'static Exports,
    leave_others: LeaveRoles,
    driver: Arc<S>,
    /// This and `_remover` are dropped after all drivers have been expelled. Until then, the kernel
    /// must call both notifiers before it frees the module of a driver.
    _expeller: Pin<KBox<Notifier<Expeller>>>,
    _remover: Pin<KBox<Notifier<Remover>>>,
    _last: LastLine,
}

/// Has its own reference to the server: the kernel may call the notifier while the drop of the
/// [`OpenExports`] expels the last drivers. By then, the [`Exports`] have no server any more.
struct Expeller(Arc<Server>);

impl Going for Expeller {
    const PRIORITY: c_int = going::EXPELS;

    fn going(&self, module: *const bindings::module) {
        self.0.expel(module);
    }
}

struct Remover(Arc<Server>);

impl Going for Remover {
    const PRIORITY: c_int = going::REMOVES;

    fn going(&self, module: *const bindings::module) {
        self.0.remove_of(module);
    }
}

/// What the module of an owner consists of. The fields are dropped in this order. This holds for
/// [`CParts`], too.
pub struct Parts<O: Owner> {
    _state: KVec<ShowFile<View>>,
    _open: OpenExports<OwnerDriver<O>>,
}

/// What the module of an owner in C keeps while the owner is started.
pub struct CParts {
    _state: KVec<ShowFile<View>>,
    _open: OpenExports<COwner>,
}

/// The owner's driver, in Rust or in C.
pub(crate) trait AnyOwner: Send + Sync + 'static {
    fn server(&self) -> &Arc<Server>;

    /// The routines of the object are in `module`. The object is valid while the driver lives.
    fn object(this: &Arc<Self>, module: *mut bindings::module) -> abi::d2d_driver;

    /// Called when the unload of the owner's module begins. May sleep.
    fn leaving(&self);
}

impl<O: Owner> AnyOwner for OwnerDriver<O> {
    fn server(&self) -> &Arc<Server> {
        &self.server
    }

    fn object(this: &Arc<Self>, module: *mut bindings::module) -> abi::d2d_driver {
        routines::driver_object(this, module)
    }

    fn leaving(&self) {
        O::leaving(&self.contexts());
    }
}

/// What a file shows: a section of the owner's state, or all of them.
struct View(&'static Exports, Option<Section>);

impl Show for View {
    fn show(&self, text: &mut Text) -> Result {
        self.0.with(|server| match self.1 {
            Some(section) => server.show(section, text),
            None => server.show_all(text),
        })
    }
}

/// The owner's role of a module that is a peer, too. Code of the peer's role reaches the contexts
/// through this. Such code may run before the owner's role exists and after that has ended, so this
/// is a static of the module.
///
/// # Invariants
///
/// `driver` is null, or was made from a pointer to the driver of the `OpenExports` of `exports`.
/// This driver may have been dropped since. Only a thread that has found the server follows the
/// pointer.
pub struct OwnerRole<O: Owner> {
    exports: &'static Exports,
    driver: Atomic<*mut OwnerDriver<O>>,
}

impl<O: Owner> OwnerRole<O> {
    /// Makes the owner's role of the module that has these exported functions.
    pub const fn new(exports: &'static Exports) -> Self {
        // INVARIANT: `driver` is null.
        Self {
            exports,
            driver: Atomic::new(core::ptr::null_mut()),
        }
    }

    /// As [`Exports::parts`], but calls `join` before [`Owner::ready`], to give the owner's role
    /// the drivers of the other roles. May sleep.
    ///
    /// `leave_others` makes the module's other roles leave, because the owner's jobs may wait for
    /// them. Dropping the parts calls it again and again until the jobs have ended. So does this
    /// function if it fails. The other roles exist as long as the parts.
    ///
    /// # Errors
    ///
    /// As [`Exports::parts`].
    pub fn parts<M: ModuleMetadata>(
        &'static self,
        promise: DropPromise<M>,
        join: impl FnOnce(&Contexts<'_, O>) -> Result,
        leave_others: LeaveRoles,
    ) -> Result<Parts<O>>
    where
        <O::Pair as Pair>::Owner: TableFor<O>,
    {
        let join = |driver: &Arc<OwnerDriver<O>>| {
            // INVARIANT: It is the driver of the only `OpenExports` that `exports` ever has.
            self.driver.store(Arc::as_ptr(driver).cast_mut(), Release);
            join(&driver.contexts())
        };
        self.exports.joined_parts(promise, join, leave_others)
    }

    /// Runs `f` on the contexts. Returns `None` before the owner's role exists and after it has
    /// ended. Any context but NMI. The module is not unloaded before `f` returns.
    pub fn contexts<R>(&self, f: impl FnOnce(&Contexts<'_, O>) -> R) -> Option<R> {
        self.exports.try_with(|_server| {
            // SAFETY: By the type invariants, the pointer is null, or was made from a pointer to
            // the driver of the `OpenExports`. This thread has found the server. The `OpenExports`
            // drop the driver only after all such threads have left.
            let driver = unsafe { self.driver.load(Acquire).as_ref() }?;
            Some(f(&driver.contexts()))
        })?
    }
}

/// An argument of an exported function.
///
/// # Invariants
///
/// The caller of an exported function has passed the value, and keeps to what the C header says of
/// this argument, for as long as the header says. So a pointer is null or bad, or leads to:
/// - a structure or a string that may be read, or
/// - a place for a result, which no other thread uses during the call.
#[derive(Clone, Copy)]
pub struct Arg<T>(T);

impl<T> Arg<T> {
    /// # Safety
    ///
    /// As the invariants of the type say.
    pub unsafe fn new(value: T) -> Self {
        // INVARIANT: The caller promises it.
        Self(value)
    }
}

/// Makes methods that only call the server.
macro_rules! call_server {
    ($(
        $(#[$attribute:meta])*
        pub fn $name:ident($($argument:ident: $type:ty),*)
            => $status:ident(|$server:ident| $call:expr);
    )*) => {$(
        $(#[$attribute])*
        pub fn $name(&self, $($argument: Arg<$type>),*) -> c_int {
            $status(self.with(|$server| $call))
        }
    )*};
}

use call_server;

impl Exports {
    /// Makes the exported functions of module `name`.
    pub const fn new(name: &'static CStr) -> Self {
        const fn assert_sync<T: Sync>() {}
        assert_sync::<Server>();
        // INVARIANT: There is no server.
        Self {
            name,
            started: Atomic::new(0),
            server: Atomic::new(core::ptr::null_mut()),
        }
    }

    /// Makes the owner's server and control device. May sleep.
    ///
    /// # Errors
    ///
    /// `EEXIST` if it was called before, `ENOMEM`, or what the owner's functions return.
    pub fn parts<O: Owner, M: ModuleMetadata>(
        &'static self,
        promise: DropPromise<M>,
    ) -> Result<Parts<O>>
    where
        <O::Pair as Pair>::Owner: TableFor<O>,
    {
        let leave_others = KBox::new(|| {}, GFP_KERNEL)?;
        self.joined_parts(promise, |_| Ok(()), leave_others)
    }

    /// As [`OwnerRole::parts`].
    ///
    /// # Errors
    ///
    /// As [`Exports::parts`].
    fn joined_parts<O: Owner, M: ModuleMetadata>(
        &'static self,
        promise: DropPromise<M>,
        join: impl FnOnce(&Arc<OwnerDriver<O>>) -> Result,
        leave_others: LeaveRoles,
    ) -> Result<Parts<O>>
    where
        <O::Pair as Pair>::Owner: TableFor<O>,
    {
        if self.started.xchg(1, Full) != 0 {
            return Err(EEXIST);
        }
        let make = |module| self.make::<O, M>(promise, module);
        let opened = self.open::<_, M>(make, leave_others)?;
        join(&opened.driver)
            .and_then(|()| O::ready(&opened.driver.contexts()))
            .map_err(|error| report_memory(self.name, error))?;
        let state = self
            .state_files(promise)
            .map_err(|error| report_memory(self.name, error))?;
        if let Some(settings) = O::CONTROL {
            let contexts = opened.driver.contexts();
            contexts
                .device::<Commands<OwnerRef<O>>>(settings)
                .map_err(|error| report_memory(self.name, error))?;
        }
        Ok(Parts {
            _state: state,
            _open: opened,
        })
    }

    /// `d2d_owner_start`: makes the server of an owner in C, and stores the owner's handle. May
    /// sleep.
    ///
    /// # Errors
    ///
    /// Those of `d2d_owner_start`.
    ///
    /// # Safety
    ///
    /// `owner` and `handle` are as `d2d_owner.h` says.
    pub unsafe fn c_parts<M: ModuleMetadata>(
        &'static self,
        promise: DropPromise<M>,
        owner: *const abi::d2d_owner,
        handle: *mut abi::d2d_handle,
    ) -> Result<KBox<CParts>> {
        // After the initialization, other modules could use an owner that is only half started.
        if !in_state(
            M::THIS_MODULE.as_ptr(),
            bindings::module_state_MODULE_STATE_COMING,
        ) {
            return Err(refuse!(self.name, "start-outside-init", EPERM));
        }
        if handle.is_null() {
            return Err(refuse!(self.name, "incomplete-owner", EFAULT, what: "handle"));
        }
        if self.started.xchg(1, Full) != 0 {
            return Err(refuse!(self.name, "already-started", EALREADY));
        }
        // Allocated before `open` makes the `OpenExports`, so that there is nothing to undo if this
        // fails.
        let place = KBox::<CParts>::new_uninit(GFP_KERNEL)
            .map_err(|error| report_memory(self.name, error.into()))?;
        let leave_others = KBox::new(|| {}, GFP_KERNEL)?;
        let make = |module| {
            // SAFETY: The caller says that `owner` is as the header says. `open` passes the owner's
            // module, `M`. `started` was 0, so there is no other `COwner`.
            unsafe { COwner::new(promise, self.name, module, owner) }
        };
        let opened = self.open::<_, M>(make, leave_others)?;
        let parts = CParts {
            _open: opened,
            _state: self
                .state_files(promise)
                .map_err(|error| report_memory(self.name, error))?,
        };
        // SAFETY: The caller says that `handle` is a place for a handle, and it is not null.
        unsafe { handle.write(own_handle()) };
        Ok(place.write(parts))
    }

    fn state_files<M: ModuleMetadata>(
        &'static self,
        promise: DropPromise<M>,
    ) -> Result<KVec<ShowFile<View>>> {
        let above = self.with(|server| Ok(server.events.directory()))?;
        let directory = Directory::within(&above, c"state")?;
        let mut files = KVec::with_capacity(Section::ALL.len() + 1, GFP_KERNEL)?;
        for (section, name) in Section::ALL {
            let file = ShowFile::new(promise, &directory, name, View(self, Some(section)))?;
            files.push(file, GFP_KERNEL)?;
        }
        let all = ShowFile::new(promise, &above, c"state.json", View(self, None))?;
        files.push(all, GFP_KERNEL)?;
        Ok(files)
    }

    fn open<S: AnyOwner, M: ModuleMetadata>(
        &'static self,
        make: impl FnOnce(*mut bindings::module) -> Result<Arc<S>>,
        leave_others: LeaveRoles,
    ) -> Result<OpenExports<S>> {
        step!(self.name, load);
        let module = M::THIS_MODULE.as_ptr();
        let driver = make(module).map_err(|error| report_memory(self.name, error))?;
        let server = driver.server().clone();
        let expeller = Notifier::new(Expeller(server.clone()))
            .map_err(|error| report_memory(self.name, error))?;
        let remover = Notifier::new(Remover(server.clone()))
            .map_err(|error| report_memory(self.name, error))?;
        let object = S::object(&driver, module);
        // INVARIANT: The driver object is as `d2d.h` says. `OpenExports` keeps the driver, and
        // strikes it off before dropping it.
        Server::enrol(&server, Arg(&raw const object))?;
        // INVARIANT: `OpenExports` drops the reference.
        self.server.store(Arc::into_raw(server).cast_mut(), Release);
        step!(self.name, export, functions: abi::D2D_FUNCTION_COUNT, ns: "D2D");
        Ok(OpenExports {
            exports: self,
            leave_others,
            driver,
            _expeller: expeller,
            _remover: remover,
            _last: LastLine(self.name),
        })
    }

    fn make<O: Owner, M: ModuleMetadata>(
        &self,
        promise: DropPromise<M>,
        module: *mut bindings::module,
    ) -> Result<Arc<OwnerDriver<O>>>
    where
        <O::Pair as Pair>::Owner: TableFor<O>,
    {
        let config = O::config()?;
        config.check_memory(Sizes::of::<O::Pair>())?;
        if config.hot_lines {
            trace::print_hot_steps();
        }
        let seats = Seats::<O>::new(self.name, module, &config)?;
        // If the server has jobs or devices, there must be `OpenExports`, whose drop removes them
        // by `Server::strike_off`. Two kinds of functions make jobs or devices:
        // - `Server::enrol`. If it succeeds, `open` makes the `OpenExports`. If it fails, there are
        //   no jobs.
        // - Functions of `O`, and `joined_parts`. They need the `Contexts`, and get them only when
        //   there are `OpenExports`.
        let server = Server::new(promise, self.name, config, seats.clone())?;
        Ok(Arc::new(OwnerDriver { seats, server }, GFP_KERNEL)?)
    }

    #[inline]
    fn with<R>(&self, f: impl FnOnce(ArcBorrow<'_, Server>) -> Result<R>) -> Result<R> {
        self.try_with(f)
            .unwrap_or_else(|| Err(self.refuse_no_owner()))
    }

    #[cold]
    #[inline(never)]
    fn refuse_no_owner(&self) -> Error {
        refuse!(self.name, "no-owner", ENODEV)
    }

    /// Returns whether the owner of module `M` may be stopped. Refuses it, with a line, while the
    /// module is live: drivers could still use the contexts. Any context.
    pub(crate) fn may_stop<M: ModuleMetadata>(&self) -> bool {
        let module = M::THIS_MODULE.as_ptr();
        let is_live = in_state(module, bindings::module_state_MODULE_STATE_LIVE);
        if is_live {
            refuse!(self.name, "stop-outside-exit", EPERM);
        }
        !is_live
    }

    /// Any context.
    pub(crate) fn refuse_stop(&self) {
        refuse!(self.name, "not-started", ENODEV);
    }

    #[inline]
    fn try_with<R>(&self, f: impl FnOnce(ArcBorrow<'_, Server>) -> R) -> Option<R> {
        let (_inside, server) = d2d_exports_srcu.enter(&self.server, false);
        let server = NonNull::new(server)?;
        // SAFETY: By the type invariants, `server` came from `Arc::into_raw`, and its reference is
        // not dropped before this thread has left. `f` cannot keep the borrow for longer.
        Some(f(unsafe { ArcBorrow::from_raw(server.as_ptr()) }))
    }

    /// `d2d_register`.
    pub fn register(
        &self,
        driver: Arg<*const abi::d2d_driver>,
        handle: Arg<*mut abi::d2d_handle>,
    ) -> c_int {
        errno(self.with(|server| {
            if driver.0.is_null() || handle.0.is_null() {
                return Err(refuse!(self.name, "no-driver", EFAULT));
            }
            let to = self.output(handle, "bad-handle-pointer")?;
            let value = server.register(driver)?;
            self.fill(to, value, "bad-handle-pointer", || server.unregister(value))
        }))
    }

    #[cold]
    #[inline(never)]
    fn refuse_pointer(&self, reason: &str) -> Error {
        refuse!(self.name, reason, EFAULT)
    }

    fn output<T: Copy>(&self, to: Arg<*mut T>, reason: &str) -> Result<Output<T>> {
        to.output()
            .ok_or_else(|| refuse!(self.name, reason, EFAULT))
    }

    /// Writes a result. If its place has gone since it was checked, calls `undo`.
    fn fill<T: Copy>(
        &self,
        to: Output<T>,
        value: T,
        reason: &str,
        undo: impl FnOnce() -> Result,
    ) -> Result {
        if to.fill(value) {
            return Ok(());
        }
        undo()?;
        Err(refuse!(self.name, reason, EFAULT))
    }

    /// `d2d_trace`.
    pub fn trace(&self, record: Arg<*const abi::d2d_record>) {
        let mut copy = MaybeUninit::uninit();
        let Some(record) = Stack::current().read_into(record.0, &mut copy) else {
            refuse!(self.name, "bad-record-pointer", EFAULT);
            return;
        };
        let mut texts = Texts::new();
        match trace::emit(record, &mut texts) {
            Ok(true) if record.step == Step::D2D_STEP_REFUSE as u32 => {
                // If there is no server, the refusal has a line, but is not noted.
                self.try_with(|server| server.refusals.lock().note(&texts));
            }
            Ok(_) => {}
            Err(error) => {
                let fields = fields![by: texts.driver.as_str(), number: record.step];
                refuse(self.name, "unknown-step", error, &fields);
            }
        }
    }

    /// `d2d_lookup`.
    pub fn lookup(&self, name: Arg<*const c_char>, driver: Arg<*mut abi::d2d_handle>) -> c_int {
        errno(self.with(|server| {
            if name.0.is_null() || driver.0.is_null() {
                return Err(refuse!(self.name, "no-name-or-handle", EFAULT));
            }
            let to = self.output(driver, "bad-handle-pointer")?;
            let name = name
                .string::<{ abi::D2D_NAME_SIZE as usize }>()
                .ok_or_else(|| refuse!(self.name, "bad-name-pointer", EFAULT))?;
            if !name.is_complete() {
                let max = abi::D2D_NAME_SIZE - 1;
                return Err(refuse!(self.name, "name-too-long", ENAMETOOLONG, max: max));
            }
            let handle = server.registry.lookup(name.as_c_str())?;
            self.fill(to, handle, "bad-handle-pointer", || Ok(()))
        }))
    }

    /// `d2d_request_alloc`.
    pub fn request_alloc(
        &self,
        Arg(driver): Arg<abi::d2d_handle>,
        Arg(input_size): Arg<u32>,
        Arg(output_size): Arg<u32>,
        request: Arg<*mut abi::d2d_handle>,
    ) -> c_int {
        errno(self.with(|server| {
            if request.0.is_null() {
                return Err(refuse!(self.name, "no-handle", EFAULT));
            }
            let to = self.output(request, "bad-handle-pointer")?;
            let handle = server.requests.alloc(driver, input_size, output_size)?;
            self.fill(to, handle, "bad-handle-pointer", || {
                server.requests.free(handle)
            })
        }))
    }

    /// `d2d_request_call`.
    #[inline]
    pub fn request_call(
        &self,
        Arg(request): Arg<abi::d2d_handle>,
        send: Arg<*const abi::d2d_send>,
        Arg(ms): Arg<u32>,
        result: Arg<*mut abi::d2d_result>,
        output: Arg<*mut c_void>,
        Arg(room): Arg<u32>,
    ) -> c_int {
        errno(self.with(|server| {
            let stack = Stack::current();
            if !result.is_writable(stack) {
                return Err(self.refuse_pointer("bad-result-pointer"));
            }
            if room > 0 && !output.has_room(stack, room as usize) {
                return Err(self.refuse_pointer("bad-output-pointer"));
            }
            let requests = &server.requests;
            let value = requests.send_and_read(request, send, ms, output, room, stack)?;
            match result.fill(stack, &value) {
                true => Ok(()),
                false => Err(self.refuse_pointer("bad-result-pointer")),
            }
        }))
    }

    /// `d2d_request_wait`.
    pub fn request_wait(
        &self,
        Arg(request): Arg<abi::d2d_handle>,
        Arg(ms): Arg<u32>,
        result: Arg<*mut abi::d2d_result>,
    ) -> c_int {
        errno(self.with(|server| {
            if result.0.is_null() {
                return Err(refuse!(self.name, "no-result", EFAULT));
            }
            let to = self.output(result, "bad-result-pointer")?;
            let value = server.requests.wait(request, ms, Limit::Cancel)?;
            // The result stays with the request: nothing is to be undone.
            self.fill(to, value, "bad-result-pointer", || Ok(()))
        }))
    }

    call_server! {
        /// `d2d_attach`.
        pub fn attach(driver: abi::d2d_handle) => errno(|server| server.attach(driver.0));

        /// `d2d_detach`.
        pub fn detach(driver: abi::d2d_handle) => errno(|server| server.detach(driver.0));

        /// `d2d_leave`.
        pub fn leave(driver: abi::d2d_handle) => errno(|server| server.leave(driver.0));

        /// `d2d_unregister`.
        pub fn unregister(driver: abi::d2d_handle) => errno(|server| server.unregister(driver.0));

        /// `d2d_request_send`.
        pub fn request_send(request: abi::d2d_handle, send: *const abi::d2d_send)
            => pending(|server| server.requests.send(request.0, send));

        /// `d2d_request_cancel`.
        pub fn request_cancel(request: abi::d2d_handle)
            => errno(|server| server.requests.cancel(request.0));

        /// `d2d_request_free`.
        pub fn request_free(request: abi::d2d_handle)
            => errno(|server| server.requests.free(request.0));

        /// `d2d_request_read`.
        pub fn request_read(request: abi::d2d_handle, buffer: *mut c_void, len: u32)
            => errno(|server| server.requests.read(request.0, buffer, len.0));

        /// `d2d_request_write`.
        pub fn request_write(request: abi::d2d_handle, buffer: *const c_void, len: u32)
            => errno(|server| server.requests.write(request.0, buffer.0.cast(), len.0));

        /// `d2d_request_set_cancel`.
        pub fn request_set_cancel(request: abi::d2d_handle)
            => errno(|server| server.requests.set_cancel(request.0));

        /// `d2d_request_pend`.
        pub fn request_pend(request: abi::d2d_handle)
            => errno(|server| server.requests.pend(request.0));

        /// `d2d_request_forward`.
        pub fn request_forward(request: abi::d2d_handle, send: *const abi::d2d_send)
            => pending(|server| server.requests.forward(request.0, send));

        /// `d2d_complete`.
        pub fn complete(request: abi::d2d_handle, status: c_int, information: u64)
            => status_or_errno(|server| {
                Ok(server.complete(request.0, status.0, information.0, None))
            });

        /// `d2d_complete_with`.
        #[inline]
        pub fn complete_with(request: abi::d2d_handle, status: c_int, information: u64, len: u32)
            => status_or_errno(|server| {
                Ok(server.complete(request.0, status.0, information.0, Some(len.0)))
            });
    }
}

impl<S: AnyOwner> Drop for OpenExports<S> {
    fn drop(&mut self) {
        let Exports { server, .. } = self.exports;
        // The other roles leave first: this thread waits below for code that may wait for them. It
        // makes them leave again and again meanwhile, because another thread may give them a
        // request after this first call.
        (self.leave_others)();
        self.driver.leaving();
        // From here on, dropping the owner's events and requests does nothing: unregistering the
        // owner's driver object closes and frees them.
        leaving::note_begun();
        self.driver.server().strike_off(&*self.leave_others);
        let server = server.xchg(core::ptr::null_mut(), Full);
        // A module that imports the owner's symbols keeps the owner loaded. So this waits only for
        // threads of other roles inside `OwnerRole::contexts`, and for threads of a module that has
        // found the functions without importing the symbols.
        d2d_exports_srcu.wait_and_end_waits(&*self.leave_others);
        // Waits for threads that have found the server by `try_briefly`.
        rcu::synchronize_rcu();
        // SAFETY: `open` has stored the pointer, which came from `Arc::into_raw`, and only this
        // `drop` takes it away. Nobody is inside any more, and all RCU readers that may have found
        // the server have ended.
        let server = unsafe { Arc::from_raw(server.cast_const()) };
        // Removes drivers that were registered after `strike_off`. No other can be registered now.
        server.expel_remaining();
    }
}

#[inline(always)]
fn errno(result: Result) -> c_int {
    result.map_or_else(Error::to_errno, |()| 0)
}

#[inline(always)]
fn status_or_errno(status: Result<c_int>) -> c_int {
    status.unwrap_or_else(Error::to_errno)
}

/// Returns `-EINPROGRESS` for a request that was sent and is not completed yet.
fn pending(result: Result<bool>) -> c_int {
    errno(result.and_then(|completed| completed.then_some(()).ok_or(EINPROGRESS)))
}
