// SPDX-License-Identifier: GPL-2.0

//! Ops tables made from traits, by [`interface!`](crate::interface!).

use crate::{
    abi,
    declaration::{
        Described,
        Operation, //
    },
    lent::{
        Lent,
        Memory,
        NOTHING, //
    },
    probe::{
        self,
        Part, //
    },
    refuse,
};
use core::{
    ffi::{
        c_int,
        c_void, //
    },
    hint::assert_unchecked, //
};
use kernel::{
    bindings,
    prelude::*, //
};
use zerocopy::{
    FromBytes,
    Immutable,
    IntoBytes, //
};

/// A set of operations that one side of a context offers the other.
///
/// Implemented by [`interface!`](crate::interface!) only.
///
/// # Safety
///
/// The operations in a table expect the address of a [`Binding`] with the storage of
/// [`Link`](Interface::Link). `Table` is `repr(C)`: a `struct d2d_ops`, then pointers to
/// the operations from which `CHAIN` is made, in the same order. No pointer in `UNSUPPORTED` is null.
pub unsafe trait Interface: Sized + 'static {
    /// The link by which an implementation reaches the other side.
    type Link: Link;
    /// The C table.
    type Table: Copy + 'static;
    /// Calls the operations of a table.
    type Caller<'a>: From<Remote<'a, Self>>;
    /// Name of the interface; the trace shows it.
    const NAME: &'static str;
    /// Major version: the same on both sides.
    const MAJOR: u16;
    /// Minor version: a newer one appends operations.
    const MINOR: u16;
    /// The same on both sides: 0, or made by [`fingerprint::build`](crate::fingerprint).
    const BUILD: u64;
    /// The operations with their types.
    const OPERATIONS: &'static [Operation];
    /// The hash chain; see [`fingerprint::chain`](crate::fingerprint).
    const CHAIN: &'static [u64];
    /// Operations that return `EOPNOTSUPP`, whatever their arguments. They replace those that the
    /// other side does not offer, so no call checks for null.
    const UNSUPPORTED: Self::Table;
}

/// An interface whose operations `T` implements.
///
/// Implemented by [`interface!`](crate::interface!) only.
///
/// # Safety
///
/// As long as a binding of the interface's storage and a `T` lives, every operation of the table
/// may be called with what [`Binding::as_raw`] returns for this binding.
pub unsafe trait TableFor<T>: Interface {
    /// The table of a `T`.
    const TABLE: &'static Self::Table;
}

/// What an operation gets as its first argument: a driver, and the *storage*, which keeps the
/// driver's [`Link`] to the other side.
#[pin_data]
pub struct Binding<S, T> {
    #[pin]
    storage: S,
    #[pin]
    driver: T,
}

impl<S, T> Binding<S, T> {
    /// Makes a binding.
    pub fn new(
        storage: impl PinInit<S, Error>,
        driver: impl PinInit<T, Error>,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            storage <- storage,
            driver <- driver,
        })
    }

    /// Returns the storage of the link.
    pub fn storage(&self) -> &S {
        &self.storage
    }

    /// Returns the driver.
    pub fn driver(&self) -> &T {
        &self.driver
    }

    /// Returns the address for the `self` of an endpoint.
    pub fn as_raw(&self) -> *mut c_void {
        core::ptr::from_ref(self).cast_mut().cast()
    }
}

/// A link to the other side, which an operation gets as an argument.
pub trait Link: Sized + 'static {
    /// Where a [`Binding`] keeps the link.
    type Storage: 'static;

    /// Returns the link, if there is one yet.
    fn of(storage: &Self::Storage) -> Option<&Self>;
}

/// Plain values: any bytes are a value, and no value refers to anything else.
pub trait Plain: FromBytes + IntoBytes + Immutable + Copy + Send + 'static {}

impl<T: FromBytes + IntoBytes + Immutable + Copy + Send + 'static> Plain for T {}

#[doc(hidden)]
pub const fn assert_plain<T: Plain>() {}

/// Fails to compile if the description of a type, which a driver may write by hand, states another
/// size or alignment.
#[doc(hidden)]
pub const fn assert_described<T: Described>() {
    assert!(
        T::TYPE.size == size_of::<T>() && T::TYPE.align == align_of::<T>(),
        "the description of a type states another size or alignment than the type has"
    );
}

/// Fails to compile if `T` cannot be the type of an argument.
///
/// A compiler widens an argument of 1 or 2 bytes to 4, with zeros or with copies of the sign bit.
/// The compiler of the called function may expect the other of these two ways.
#[doc(hidden)]
pub const fn assert_argument<T: Plain>() {
    assert!(
        !matches!(size_of::<T>(), 1 | 2),
        "an argument must have 4 bytes or more"
    );
}

/// Calls an operation's implementation.
///
/// # Safety
///
/// `this` is what [`Binding::as_raw`] returns for a binding of `I`'s storage and a `T`. The binding
/// outlives the call. `result` is valid for a write.
#[doc(hidden)]
#[inline(always)]
pub unsafe fn enter<I: Interface, T, R, F>(this: *mut c_void, result: *mut R, call: F) -> c_int
where
    F: FnOnce(&T, &I::Link) -> Result<R>,
{
    // SAFETY: By the contract, `this` is the address of a binding, and not null. The binding
    // outlives the call, and is only used by shared reference.
    let binding = unsafe {
        // An `OwnerLink` is its own storage, so the compiler then leaves out the check for `None` below.
        assert_unchecked(!this.is_null());
        &*this.cast::<Binding<<I::Link as Link>::Storage, T>>()
    };
    let Some(link) = I::Link::of(binding.storage()) else {
        return ENOTCONN.to_errno();
    };
    match call(binding.driver(), link) {
        Ok(value) => {
            // SAFETY: `result` is valid for a write.
            unsafe { result.write(value) };
            0
        }
        Err(error) => error.to_errno(),
    }
}

/// The other side, while its operations may be called.
///
/// # Invariants
///
/// As long as `'a` lasts, any thread may call the endpoint's operations with its `this`.
pub struct Remote<'a, I: Interface>(&'a Endpoint<I>);

impl<'a, I: Interface> Remote<'a, I> {
    #[doc(hidden)]
    pub fn table(&self) -> &'a I::Table {
        &self.0.table
    }

    #[doc(hidden)]
    pub fn this(&self) -> *mut c_void {
        self.0.this
    }
}

/// The endpoint before a side has filled it in.
#[doc(hidden)]
pub const NO_ENDPOINT: abi::d2d_endpoint = abi::d2d_endpoint {
    ops: core::ptr::null(),
    self_: core::ptr::null_mut(),
    lent: NOTHING,
};

/// What one side expects of the other side's table.
pub struct Expected<'a> {
    /// As [`Interface::NAME`].
    pub name: &'a str,
    /// As [`Interface::MAJOR`].
    pub major: u16,
    /// As [`Interface::MINOR`].
    pub minor: u16,
    /// As [`Interface::BUILD`].
    pub build: u64,
    /// As [`Interface::CHAIN`]. If it is too short, [`Expected::copy_operations`] panics.
    pub chain: &'a [u64],
}

impl Expected<'_> {
    /// Checks the other side's endpoint, and copies the operations of its table that are not null
    /// to `operations`, in the order of the chain. Returns what the other side lends. Any context.
    ///
    /// # Errors
    ///
    /// Those of [`Endpoint::copy`], each with its line.
    ///
    /// # Safety
    ///
    /// `module` is null or the other side's module. The other side has filled in `raw` by the contract
    /// of `struct d2d_endpoint`: a made-up pointer could lead to memory of a device, where reading
    /// has side effects.
    pub unsafe fn copy_operations(
        &self,
        driver: &CStr,
        raw: &abi::d2d_endpoint,
        module: *const bindings::module,
        operations: &mut [usize],
    ) -> Result<Lent> {
        self.copy_silently(raw, module, operations)
            .map_err(|(reason, error, got, expected)| {
                refuse!(driver, reason, error, interface: self.name, got: got, expected: expected)
            })?;
        Lent::check(driver, &raw.lent)
    }

    /// As [`Self::copy_operations`], but prints no line, and does not check lent memory. An error
    /// has a reason, an errno, and the values that were got and expected.
    fn copy_silently(
        &self,
        raw: &abi::d2d_endpoint,
        module: *const bindings::module,
        operations: &mut [usize],
    ) -> Result<(), (&'static str, Error, u64, u64)> {
        let refused = |reason, error, got, expected| Err((reason, error, got, expected));
        if raw.ops.is_null() {
            return refused("no-ops-table", EFAULT, 0, 1);
        }
        let Some(header) = probe::read(raw.ops) else {
            return refused("bad-ops-pointer", EFAULT, 0, 1);
        };
        if header.major != self.major {
            return refused(
                "bad-ops-major",
                EPROTO,
                header.major.into(),
                self.major.into(),
            );
        }
        const ENTRY: usize = size_of::<*const ()>();
        let head = size_of::<abi::d2d_ops>();
        let (size, ours) = (header.size as usize, head + size_of_val(operations));
        if size < head || (size - head) % ENTRY != 0 {
            return refused("bad-ops-size", EMSGSIZE, size as u64, ours as u64);
        }
        if header.build != self.build {
            return refused("bad-build", EXDEV, header.build, self.build);
        }

        let common = (size.min(ours) - head) / ENTRY;
        let (theirs, ours) = (usize::from(header.minor) + 1, usize::from(self.minor) + 1);
        let versions = theirs.min(ours);
        for n in 0..versions + common {
            let (index, own) = match n.checked_sub(versions) {
                None => (n, n),
                Some(operation) => (theirs + operation, ours + operation),
            };
            let expected = self.chain[own];
            match probe::read(header.chain.wrapping_add(index)) {
                None => return refused("bad-chain-pointer", EFAULT, index as u64, 0),
                Some(got) if got != expected => {
                    return refused("bad-prefix", EBADR, got, expected);
                }
                Some(_) => {}
            }
        }

        let Some(text) = Part::text(module) else {
            return refused("bad-module-pointer", EFAULT, 0, 1);
        };
        let first = raw.ops.wrapping_byte_add(head).cast::<usize>();
        for (index, ours) in operations.iter_mut().take(common).enumerate() {
            let Some(operation) = probe::read(first.wrapping_add(index)) else {
                let word = head / ENTRY + index;
                return refused("bad-ops-pointer", EFAULT, word as u64, 0);
            };
            if operation != 0 && !text.contains(operation) {
                return refused("operation-outside-text", ENOEXEC, index as u64, 0);
            }
            if operation != 0 {
                // By the chain, both tables have the same operation at this index.
                *ours = operation;
            }
        }
        Ok(())
    }
}

/// A checked copy of the other side's endpoint: its operations, and their first argument.
///
/// # Invariants
///
/// As long as a reference to the endpoint lives, any thread may call each operation in `table` with
/// `this`, and the other side keeps the memory in `lent`. No operation is null.
pub struct Endpoint<I: Interface> {
    table: I::Table,
    this: *mut c_void,
    lent: Lent,
    /// The driver that uses the endpoint.
    driver: &'static CStr,
}

// SAFETY: `this` is only passed to the operations in `table`. By the type invariants, any thread
// may call them with `this`.
unsafe impl<I: Interface> Send for Endpoint<I> {}
// SAFETY: As for `Send`.
unsafe impl<I: Interface> Sync for Endpoint<I> {}

impl<I: Interface> Endpoint<I> {
    /// Checks the other side's endpoint, and copies its table. Later changes of the table have no
    /// effect. Any context.
    ///
    /// The last operations of `I` are unsupported if the table is too short for them. Additional
    /// operations of a longer table are left out.
    ///
    /// # Errors
    ///
    /// Each prints a line in the name of `driver`:
    ///
    /// - `EFAULT` if there is no table, or the table, its chain, the module or lent memory cannot
    ///   be read.
    /// - `EPROTO` for another major version.
    /// - `EMSGSIZE` for a size that no table can have.
    /// - `EXDEV` for another build.
    /// - `EBADR` for another interface or other operations.
    /// - `ENOEXEC` for an operation that is not in the text of `module`.
    ///
    /// # Safety
    ///
    /// As for [`Expected::copy_operations`]. And as long as a reference to the result lives:
    ///
    /// - The other side keeps the memory that it lends.
    /// - If the chain of the table at `raw.ops` agrees with that of `I` as far as both go, any thread
    ///   may call the table's operations with `raw.self_`.
    pub unsafe fn copy(
        driver: &'static CStr,
        raw: abi::d2d_endpoint,
        module: *const bindings::module,
    ) -> Result<Self> {
        let expected = Expected {
            name: I::NAME,
            major: I::MAJOR,
            minor: I::MINOR,
            build: I::BUILD,
            chain: I::CHAIN,
        };
        let mut table = I::UNSUPPORTED;
        let count = (size_of::<I::Table>() - size_of::<abi::d2d_ops>()) / size_of::<usize>();
        // SAFETY: By the contract of `Interface`, the table is a `struct d2d_ops` and then this
        // many pointers to functions, which are words. `copy_operations` replaces a word only by
        // the address of the same operation. By the contract of this function, `module` and `raw`
        // are as `copy_operations` demands.
        let lent = unsafe {
            let first = (&raw mut table).cast::<abi::d2d_ops>().add(1).cast();
            let operations = core::slice::from_raw_parts_mut(first, count);
            expected.copy_operations(driver, &raw, module, operations)?
        };
        // INVARIANT: `copy_operations` has found that the chains agree. So by the contract of this
        // function, any thread may call the other side's operations, and the other side keeps its
        // memory. The operations of `UNSUPPORTED` ignore their arguments. No null was copied.
        Ok(Self {
            table,
            this: raw.self_,
            lent,
            driver,
        })
    }

    /// Returns a way to call the operations.
    pub fn caller(&self) -> I::Caller<'_> {
        // INVARIANT: By the type invariants, the operations may be called as long as `self` is borrowed.
        Remote(self).into()
    }

    /// Returns the values that the other side lends. Any context.
    ///
    /// # Errors
    ///
    /// Those of [`PeerCall::lent`](crate::link::PeerCall::lent).
    pub fn lent<T: Memory>(&self) -> Result<&[T]> {
        // SAFETY: By the type invariants, the memory is kept as long as `self` is borrowed.
        unsafe { self.lent.values(self.driver) }
    }
}

/// Declares the operations of one side of a context as a trait.
///
/// ```ignore
/// interface! {
///     /// What the owner offers.
///     pub trait OwnerOps: "owner" {
///         interface: OwnerInterface,
///         caller: OwnerCaller,
///         table: OwnerTable,
///         link: OwnerLink<DemoPair>,
///         version: (1, 0),
///     }
///     /// Returns `value + 1`.
///     fn ping(&self, link: &OwnerLink<DemoPair>, value: u32) -> Result<u32>;
/// }
/// ```
///
/// This makes the trait and three types: the interface, the caller and the table. A driver
/// implements the trait under `#[vtable]`. An operation that it leaves out returns `EOPNOTSUPP`.
///
/// If the version is followed by `build: include_str!("...")`, with the path of the source file that
/// has the declaration, both sides must be built from the same sources by the same compiler.
/// [`pair!`](crate::pair!) adds a line `versions: HASHES`: for each minor version, a hash of what
/// the pair has apart from its operations.
///
/// Documentation is the only attribute that an operation may have: any other would apply to the
/// library's code.
///
/// An operation in C is `int op(void *self, args..., result *result)`; arguments and result are
/// [`Plain`] values. No argument has 1 or 2 bytes: use `u32` instead.
#[macro_export]
macro_rules! interface {
    (@one $op:ident) => { 1 };
    (@build) => { 0 };
    (@build $source:expr) => { $crate::fingerprint::build($source) };
    (@versions) => { &[0] };
    (@versions $versions:expr) => { $versions };
    (
        $(#[$meta:meta])*
        $vis:vis trait $Trait:ident: $name:literal {
            interface: $Interface:ident,
            caller: $Caller:ident,
            table: $Table:ident,
            link: $Link:ty,
            version: ($major:literal, $minor:literal)
            $(, build: $build:expr)?
            $(, versions: $versions:expr)? $(,)?
        }
        $(
            $(#[doc = $doc:expr])*
            fn $op:ident(&self, link: &$OpLink:ty $(, $arg:ident: $Arg:ty)*) -> Result<$Ret:ty>;
        )*
    ) => {
        $(#[$meta])*
        #[allow(missing_docs, reason = "rustc would not say which operation it is")]
        #[$crate::__private::vtable]
        $vis trait $Trait: $crate::__private::Send + $crate::__private::Sync + 'static {
            $(
                $(#[doc = $doc])*
                #[expect(unused_variables)]
                fn $op(
                    &self,
                    link: &$OpLink
                    $(, $arg: $Arg)*
                ) -> $crate::__private::Result<$Ret> {
                    $crate::__private::Err($crate::__private::code::EOPNOTSUPP)
                }
            )*
        }

        #[doc = $crate::__private::concat!(
            "The interface that [`",
            $crate::__private::stringify!($Trait),
            "`] declares."
        )]
        $vis struct $Interface;

        #[doc = $crate::__private::concat!(
            "The C table of [`",
            $crate::__private::stringify!($Trait),
            "`]."
        )]
        #[derive(Clone, Copy)]
        #[repr(C)]
        $vis struct $Table {
            hdr: $crate::abi::d2d_ops,
            $(
                $op: $crate::__private::Option<
                    unsafe extern "C" fn(
                        *mut $crate::__private::c_void, $($Arg,)* *mut $Ret
                    ) -> $crate::__private::c_int
                >,
            )*
        }

        const _: () = {
            $(
                $(
                    $crate::interface::assert_argument::<$Arg>();
                    $crate::interface::assert_described::<$Arg>();
                )*
                $crate::interface::assert_plain::<$Ret>();
                $crate::interface::assert_described::<$Ret>();
            )*
        };

        // SAFETY: The entry points below expect a binding with the storage of `Link`. The table is
        // `repr(C)`: the header, then optional function pointers in the order of the chain. In
        // `UNSUPPORTED` none is null.
        unsafe impl $crate::interface::Interface for $Interface {
            type Link = $Link;
            type Table = $Table;
            type Caller<'a> = $Caller<'a>;
            const NAME: &'static str = $name;
            const MAJOR: u16 = $major;
            const MINOR: u16 = $minor;
            const BUILD: u64 = $crate::interface! { @build $($build)? };
            const OPERATIONS: &'static [$crate::declaration::Operation] = &[$(
                $crate::declaration::Operation {
                    name: $crate::__private::stringify!($op),
                    docs: &[$($doc),*],
                    arguments: &[$(
                        $crate::declaration::Argument {
                            name: $crate::__private::stringify!($arg),
                            of: <$Arg as $crate::declaration::Described>::TYPE,
                        },
                    )*],
                    result: <$Ret as $crate::declaration::Described>::TYPE,
                },
            )*];
            const CHAIN: &'static [u64] = {
                // Declare no item here: a driver's type of the same name would resolve to the item.
                &$crate::fingerprint::chain::<{ $minor + 1 $(+ $crate::interface! { @one $op })* }>(
                    $name,
                    ($major, $minor),
                    $crate::interface! { @versions $($versions)? },
                    <$Interface as $crate::interface::Interface>::OPERATIONS,
                )
            };
            const UNSUPPORTED: $Table = {
                $(
                    extern "C" fn $op(
                        _: *mut $crate::__private::c_void,
                        $(_: $Arg,)*
                        _: *mut $Ret,
                    ) -> $crate::__private::c_int {
                        $crate::__private::code::EOPNOTSUPP.to_errno()
                    }
                )*
                $Table {
                    hdr: $crate::abi::d2d_ops {
                        size: 0,
                        major: 0,
                        minor: 0,
                        build: 0,
                        chain: $crate::__private::null(),
                    },
                    $($op: $crate::__private::Some($op),)*
                }
            };
        }

        const _: () = {
            // If an operation has a type called `D2dDriver`, the driver does not compile: here, the
            // name means this parameter, but in the table it means that type of the driver's crate.
            struct D2dEntryPoints<D2dDriver>($crate::__private::PhantomData<D2dDriver>);

            impl<D2dDriver: $Trait> D2dEntryPoints<D2dDriver> {
                $(
                    /// # Safety
                    ///
                    /// Those of `d2d::interface::enter`.
                    unsafe extern "C" fn $op(
                        this: *mut $crate::__private::c_void,
                        $($arg: $Arg,)*
                        result: *mut $Ret,
                    ) -> $crate::__private::c_int {
                        let call = |driver: &D2dDriver,
                                    link: &<$Interface as $crate::interface::Interface>::Link| {
                            <D2dDriver as $Trait>::$op(driver, link $(, $arg)*)
                        };
                        let enter = $crate::interface::enter::<$Interface, D2dDriver, _, _>;
                        // SAFETY: The caller promises what `enter` needs.
                        unsafe { enter(this, result, call) }
                    }
                )*
            }

            // SAFETY: The operations are the entry points above, which expect a binding of this
            // interface's storage and the driver.
            unsafe impl<D2dDriver: $Trait> $crate::interface::TableFor<D2dDriver> for $Interface {
                const TABLE: &'static $Table = &$Table {
                    hdr: $crate::abi::d2d_ops {
                        size: $crate::__private::size_of::<$Table>() as u32,
                        major: $major,
                        minor: $minor,
                        build: <$Interface as $crate::interface::Interface>::BUILD,
                        chain: <$Interface as $crate::interface::Interface>::CHAIN.as_ptr(),
                    },
                    $(
                        $op: $crate::__private::paste!(
                            if D2dDriver::[<HAS_ $op:upper>] {
                                $crate::__private::Some(D2dEntryPoints::<D2dDriver>::$op)
                            } else {
                                $crate::__private::None
                            }
                        ),
                    )*
                };
            }
        };

        #[doc = $crate::__private::concat!(
            "Calls the operations of a side that offers [`",
            $crate::__private::stringify!($Trait),
            "`]."
        )]
        $vis struct $Caller<'a>($crate::interface::Remote<'a, $Interface>);

        impl<'a> $crate::__private::From<$crate::interface::Remote<'a, $Interface>> for $Caller<'a> {
            fn from(remote: $crate::interface::Remote<'a, $Interface>) -> Self {
                Self(remote)
            }
        }

        impl $Caller<'_> {
            $(
                $(#[doc = $doc])*
                ///
                /// Returns `EOPNOTSUPP` if the other side does not offer the operation.
                #[inline]
                $vis fn $op(&self $(, $arg: $Arg)*) -> $crate::__private::Result<$Ret> {
                    let op = $crate::interface::Remote::table(&self.0).$op;
                    let mut result = <$Ret as $crate::__private::FromZeros>::new_zeroed();
                    let this = $crate::interface::Remote::this(&self.0);
                    // The call is written twice: a closure would keep the arguments in memory.
                    //
                    // SAFETY: No operation is null in the table of an `Endpoint`. By the invariants
                    // of `Remote`, `op` may be called with the endpoint's `this`. `result` is valid
                    // for a write.
                    let status = unsafe {
                        let op = $crate::__private::Option::unwrap_unchecked(op);
                        if $crate::hot_step::traces_ops() {
                            let name = $crate::__private::stringify!($op);
                            $crate::hot_step::call($name, name);
                            let status = op(this, $($arg,)* &mut result);
                            $crate::hot_step::returned($name, name, status);
                            status
                        } else {
                            op(this, $($arg,)* &mut result)
                        }
                    };
                    $crate::status::to_result(status)?;
                    $crate::__private::Ok(result)
                }
            )*
        }
    };
}

#[cfg(d2d_tests)]
mod tests;
