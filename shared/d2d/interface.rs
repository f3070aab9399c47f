// SPDX-License-Identifier: GPL-2.0

//! Ops tables made from traits.
//!
//! [`interface!`](crate::interface!) turns a trait into a table of C functions with a header, the
//! entry points that the table points to, and a caller for the other side's table.

use crate::{
    abi,
    probe::{
        self,
        Text, //
    },
    refuse,
};
use core::{
    ffi::{
        c_int,
        c_void, //
    },
    hint::assert_unchecked,
    marker::PhantomData, //
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
/// The operations in a table expect [`Link`](Interface::Link)'s seat. `Table` is `repr(C)`, begins
/// with a `struct d2d_ops`, and all the rest of it are pointers to functions: the operations that
/// `CHAIN` is made of, in this order. In `UNSUPPORTED` none of them is null.
pub unsafe trait Interface: Sized + 'static {
    /// How its implementations find the other side.
    type Link: Link;
    /// The C table.
    type Table: Copy + 'static;
    /// Calls the operations of a table.
    type Caller<'a>: From<Remote<'a, Self>>;
    /// Name in the trace.
    const NAME: &'static str;
    /// Sides with different majors do not understand each other.
    const MAJOR: u16;
    /// A newer minor appends operations.
    const MINOR: u16;
    /// What both sides have to be built from, or 0; see [`fingerprint::build`](crate::fingerprint).
    const BUILD: u64;
    /// The hash of the interface, and one for each operation; see
    /// [`fingerprint::chain`](crate::fingerprint).
    const CHAIN: &'static [u64];
    /// A table whose operations all return `EOPNOTSUPP`, whatever they are called with. They stand for
    /// those that the other side does not offer, so that calling need not ask.
    const UNSUPPORTED: Self::Table;
}

/// An interface whose operations `T` implements.
///
/// Implemented by [`interface!`](crate::interface!) only.
///
/// # Safety
///
/// Every operation of the table may be called, with what a [`Binding`] of the interface's seat and
/// `T` says is its address, as long as the binding lives.
pub unsafe trait TableFor<T>: Interface {
    /// The table whose operations call `T`.
    const TABLE: &'static Self::Table;
}

/// What ops receive as their first argument, and what one side knows of a context.
///
/// `S` finds the link to the other side; see [`Link`].
#[pin_data]
pub struct Binding<S, T> {
    #[pin]
    seat: S,
    #[pin]
    state: T,
}

impl<S, T> Binding<S, T> {
    /// Makes a binding of its parts.
    pub fn new(
        seat: impl PinInit<S, Error>,
        state: impl PinInit<T, Error>,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            seat <- seat,
            state <- state,
        })
    }

    /// Returns the part that finds the link.
    pub fn seat(&self) -> &S {
        &self.seat
    }

    /// Returns the driver's own part.
    pub fn state(&self) -> &T {
        &self.state
    }

    /// Returns the address that an endpoint's `self` holds.
    pub fn as_raw(&self) -> *mut c_void {
        core::ptr::from_ref(self).cast_mut().cast()
    }
}

/// A way to the other side, as an operation's implementation gets it.
pub trait Link: Sized + 'static {
    /// Where a binding keeps it.
    type Seat: 'static;

    /// Returns the link, if there is one yet.
    fn of(seat: &Self::Seat) -> Option<&Self>;
}

/// Plain values, which is what arguments and results of operations are: any bytes are a value, and
/// no value refers to anything.
pub trait Plain: FromBytes + IntoBytes + Immutable + Copy + Send + 'static {}

impl<T: FromBytes + IntoBytes + Immutable + Copy + Send + 'static> Plain for T {}

#[doc(hidden)]
pub const fn assert_plain<T: Plain>() {}

/// Fails to compile for a type that cannot be the type of an argument.
///
/// A compiler extends an argument of 1 or 2 bytes to 4, with or without its sign, and may rely on what
/// the caller has done. The chain does not say which: `u8` and `i8` may have one name.
#[doc(hidden)]
pub const fn assert_argument<T: Plain>() {
    assert!(
        !matches!(size_of::<T>(), 1 | 2),
        "an argument has 4 bytes or more"
    );
}

/// Calls an operation's implementation: what every entry point of [`interface!`](crate::interface!)
/// does.
///
/// # Safety
///
/// `this` is what [`Binding::as_raw`] returns for a binding of `I`'s seat and a `T`. The binding
/// outlives the call. `result` is valid for a write.
#[doc(hidden)]
#[inline(always)]
pub unsafe fn enter<I: Interface, T, R, F>(this: *mut c_void, result: *mut R, call: F) -> c_int
where
    F: FnOnce(&T, &I::Link) -> Result<R>,
{
    // SAFETY: `this` is the address of a binding of `I`'s seat and a `T` that outlives the call, so
    // it is not null; the binding is only used by shared reference. Where the seat itself is the
    // link, as the owner's is, the assertion spares the check of `Link::of` below.
    let binding = unsafe {
        assert_unchecked(!this.is_null());
        &*this.cast::<Binding<<I::Link as Link>::Seat, T>>()
    };
    let Some(link) = I::Link::of(binding.seat()) else {
        return ENOTCONN.to_errno();
    };
    match call(binding.state(), link) {
        Ok(value) => {
            // SAFETY: `result` is valid for a write.
            unsafe { result.write(value) };
            0
        }
        Err(error) => error.to_errno(),
    }
}

/// A copied table of the other side and what to call its operations on.
pub struct Remote<'a, I: Interface> {
    table: &'a I::Table,
    this: *mut c_void,
    _interface: PhantomData<I>,
}

impl<'a, I: Interface> Remote<'a, I> {
    /// Makes a remote of its parts.
    ///
    /// # Safety
    ///
    /// For `'a`, every operation in `table` may be called in any context but NMI, with `this` as
    /// its first argument; none is missing.
    pub(crate) unsafe fn new(table: &'a I::Table, this: *mut c_void) -> Self {
        Self {
            table,
            this,
            _interface: PhantomData,
        }
    }

    #[doc(hidden)]
    pub fn table(&self) -> &'a I::Table {
        self.table
    }

    #[doc(hidden)]
    pub fn this(&self) -> *mut c_void {
        self.this
    }
}

/// A copy of the other side's endpoint, checked.
///
/// # Invariants
///
/// Every operation in `table` may be called with `this`, as long as the other side is attached; none is
/// missing.
pub struct Endpoint<I: Interface> {
    table: I::Table,
    this: *mut c_void,
}

// SAFETY: `this` is only handed back to the side that it came from, whose operations may be called
// in any context by the contract of `struct d2d_endpoint`.
unsafe impl<I: Interface> Send for Endpoint<I> {}
// SAFETY: As above.
unsafe impl<I: Interface> Sync for Endpoint<I> {}

impl<I: Interface> Endpoint<I> {
    /// Checks what the other side has filled in and copies it, so that nothing can change later.
    /// Any context.
    ///
    /// A shorter table than ours is taken as one without our last operations; of a longer one, the
    /// operations that we know are taken. The chain proves that the operations that both know are
    /// the same.
    ///
    /// # Errors
    ///
    /// Each with a line in the name of `driver`: `EFAULT` without a table, or if the table, its
    /// chain or the module cannot be read, `EPROTO` for another major version, `EMSGSIZE` for a size that
    /// no table has, `EXDEV` for another build, `EBADR` for another interface or other operations,
    /// `ENOEXEC` for an operation that is not in the text of `module`.
    ///
    /// # Safety
    ///
    /// `module` is null or the other side's. If a table is found at `raw.ops` whose size, versions
    /// and chain are right, its operations keep to the contract of `struct d2d_endpoint`.
    pub unsafe fn copy(
        driver: &CStr,
        raw: abi::d2d_endpoint,
        module: *const bindings::module,
    ) -> Result<Self> {
        let refused = |reason: &str, error: Error, got: u64, expected: u64| {
            Err(refuse!(driver, reason, error, interface: I::NAME, got: got, expected: expected))
        };
        if raw.ops.is_null() {
            return refused("no-ops-table", EFAULT, 0, 1);
        }
        // SAFETY: The header is made of numbers and a pointer.
        let Some(header) = (unsafe { probe::read(raw.ops) }) else {
            return refused("bad-ops-pointer", EFAULT, 0, 1);
        };
        if header.major != I::MAJOR {
            return refused(
                "bad-ops-major",
                EPROTO,
                header.major.into(),
                I::MAJOR.into(),
            );
        }
        const ENTRY: usize = size_of::<*const ()>();
        let head = size_of::<abi::d2d_ops>();
        let (size, ours) = (header.size as usize, size_of::<I::Table>());
        if size < head || (size - head) % ENTRY != 0 {
            return refused("bad-ops-size", EMSGSIZE, size as u64, ours as u64);
        }
        if header.build != I::BUILD {
            return refused("bad-build", EXDEV, header.build, I::BUILD);
        }

        let common = (size.min(ours) - head) / ENTRY;
        for (index, expected) in I::CHAIN.iter().take(common + 1).enumerate() {
            // SAFETY: A hash is a number.
            match unsafe { probe::read(header.chain.wrapping_add(index)) } {
                None => return refused("bad-chain-pointer", EFAULT, index as u64, 0),
                Some(got) if got != *expected => {
                    return refused("bad-prefix", EBADR, got, *expected);
                }
                Some(_) => {}
            }
        }

        // SAFETY: The side whose operations these are has named the module.
        let Some(text) = (unsafe { Text::of(module) }) else {
            return refused("bad-module-pointer", EFAULT, 0, 1);
        };
        let mut table = I::UNSUPPORTED;
        let entries = core::ptr::from_mut(&mut table).cast::<usize>();
        for index in head / ENTRY..head / ENTRY + common {
            let from = raw.ops.cast::<usize>().wrapping_add(index);
            // SAFETY: An address is a number.
            let Some(operation) = (unsafe { probe::read(from) }) else {
                return refused("bad-ops-pointer", EFAULT, index as u64, 0);
            };
            if operation != 0 && !text.contains(operation) {
                return refused(
                    "operation-outside-text",
                    ENOEXEC,
                    (index - head / ENTRY) as u64,
                    0,
                );
            }
            if operation != 0 {
                // SAFETY: The entry is one of our table's as well, for the operation that the chain
                // proves is the same in both.
                unsafe { entries.add(index).write(operation) };
            }
        }
        // INVARIANT: The caller says that the operations keep to the contract; an operation is
        // replaced by one only.
        Ok(Self {
            table,
            this: raw.self_,
        })
    }

    /// Returns a way to call the operations.
    ///
    /// # Safety
    ///
    /// The other side stays attached for as long as the caller lives.
    pub unsafe fn caller(&self) -> I::Caller<'_> {
        // SAFETY: The other side stays attached for as long as the result lives, so by the type
        // invariants its operations may be called.
        unsafe { Remote::new(&self.table, self.this) }.into()
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
///         table: OwnerTable = abi::d2d_pair_owner_ops,
///         chain: [abi::D2D_PAIR_OWNER_INTERFACE, abi::D2D_PAIR_OWNER_PING],
///         link: OwnerLink<DemoPair>,
///         version: (1, 0),
///     }
///     /// Returns `value + 1`.
///     fn ping(&self, link: &OwnerLink<DemoPair>, value: u32) -> Result<u32>;
/// }
/// ```
///
/// makes the trait, to be implemented under `#[vtable]` (an operation left out reads as
/// unsupported: `EOPNOTSUPP`); the marker type that stands for the interface; the caller, with a
/// method of the same name for each operation; and the `repr(C)` table. If a C type is given, the
/// table is checked against it: same size, same offsets, same signatures, and the hashes that C
/// drivers find in its header. For a wrong or missing hash the compiler says which value it expects.
///
/// With `build: include_str!("...")` after the version, naming the source file itself, both sides
/// have to be built from the same sources by the same compiler; it is for interfaces whose
/// arguments are structs that may change without another name or size.
///
/// An operation has documentation, but no other attributes: they would apply to code of this library.
///
/// An operation in C is `int op(void *self, args..., result *result)`; arguments and result are
/// [`Plain`] values. No argument has 1 or 2 bytes: use `u32` instead. Operations may be called in any context that the
/// interface allows, and get the link to the other side, so that they can call back.
#[macro_export]
macro_rules! interface {
    (@check [] $Interface:ident $Table:ident $($op:ident)*) => {};
    (@check [$CTable:ty, $($hash:expr),*] $Interface:ident $Table:ident $($op:ident)*) => {
        const _: () = {
            use $crate::__private::{
                assert,
                offset_of,
                size_of, //
            };
            assert!(size_of::<$Table>() == size_of::<$CTable>());
            $(assert!(offset_of!($Table, $op) == offset_of!($CTable, $op));)*
            // The functions are of the same type in both.
            type D2dCTable = $CTable;
            let _: fn($Table) -> D2dCTable = |table| D2dCTable {
                hdr: table.hdr,
                $($op: table.$op,)*
            };
            // The hashes are the same. Types show both in the message if they are not.
            use $crate::{
                fingerprint::{
                    first_difference,
                    Hash, //
                },
                interface::Interface, //
            };
            const CHAIN: &[u64] = <$Interface as Interface>::CHAIN;
            const HEADER: &[u64] = &[$($hash as u64),*];
            const _: Hash<{ first_difference(CHAIN, HEADER) }> =
                Hash::<{ first_difference(HEADER, CHAIN) }>;
        };
    };
    (@one $op:ident) => { 1 };
    (@build) => { 0 };
    (@build $source:expr) => { $crate::fingerprint::build($source) };
    (
        $(#[$meta:meta])*
        $vis:vis trait $Trait:ident: $name:literal {
            interface: $Interface:ident,
            caller: $Caller:ident,
            table: $Table:ident $(= $CTable:ty, chain: [$($hash:expr),* $(,)?])?,
            link: $Link:ty,
            version: ($major:literal, $minor:literal)
            $(, build: $build:expr)? $(,)?
        }
        $(
            $(#[doc = $doc:expr])*
            fn $op:ident(&self, link: &$OpLink:ty $(, $arg:ident: $Arg:ty)*) -> Result<$Ret:ty>;
        )*
    ) => {
        $(#[$meta])*
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

        $crate::interface! { @check [$($CTable, $($hash),*)?] $Interface $Table $($op)* }

        const _: () = {
            $($($crate::interface::assert_argument::<$Arg>();)* $crate::interface::assert_plain::<$Ret>();)*
        };

        // SAFETY: The entry points below expect the seat of `Link`. The table is `repr(C)` and begins
        // with the header. The rest are optional function pointers, in the order of the chain, and in
        // `UNSUPPORTED` none is null.
        unsafe impl $crate::interface::Interface for $Interface {
            type Link = $Link;
            type Table = $Table;
            type Caller<'a> = $Caller<'a>;
            const NAME: &'static str = $name;
            const MAJOR: u16 = $major;
            const MINOR: u16 = $minor;
            const BUILD: u64 = $crate::interface! { @build $($build)? };
            const CHAIN: &'static [u64] = {
                // Declare no item here: a driver's type of the same name would resolve to the item.
                &$crate::fingerprint::chain::<{ 1 $(+ $crate::interface! { @one $op })* }>(
                    $name,
                    $major,
                    &[$(
                        $crate::fingerprint::Operation {
                            name: $crate::__private::stringify!($op),
                            types: &[
                                $($crate::fingerprint::Type::of::<$Arg>(
                                    $crate::__private::stringify!($Arg)
                                ),)*
                                $crate::fingerprint::Type::of::<$Ret>($crate::__private::stringify!($Ret)),
                            ],
                        },
                    )*],
                )
            };
            const UNSUPPORTED: $Table = {
                $(
                    unsafe extern "C" fn $op(
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
            // If a type in an operation has one of these names, it means the parameter here and
            // another type in the table. That does not compile.
            struct D2dEntryPoints<D2dDriver>($crate::__private::PhantomData<D2dDriver>);

            impl<D2dDriver: $Trait> D2dEntryPoints<D2dDriver> {
                $(
                    /// # Safety
                    ///
                    /// `this` is what the endpoint's `self` says, a binding of the driver that
                    /// outlives the call; `result` is valid for a write.
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
                        // SAFETY: `this` is a binding of this interface's seat and the driver, and
                        // `result` is valid for a write, as this function's caller promises.
                        unsafe { enter(this, result, call) }
                    }
                )*
            }

            // SAFETY: These are the entry points for this interface's seat and the driver.
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
                    // SAFETY: `Remote` holds a table in which none is missing.
                    let op = unsafe { $crate::__private::Option::unwrap_unchecked(op) };
                    let mut result = <$Ret as $crate::__private::FromZeros>::new_zeroed();
                    let this = $crate::interface::Remote::this(&self.0);
                    // Not a closure: what it refers to would be kept in memory.
                    let status = if $crate::point::ops() {
                        $crate::point::call($name, $crate::__private::stringify!($op));
                        // SAFETY: `Remote` holds operations that may be called with its `this`,
                        // and `result` is valid for a write.
                        let status = unsafe { op(this, $($arg,)* &mut result) };
                        $crate::point::returned($name, $crate::__private::stringify!($op), status);
                        status
                    } else {
                        // SAFETY: As above.
                        unsafe { op(this, $($arg,)* &mut result) }
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
