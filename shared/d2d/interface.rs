// SPDX-License-Identifier: GPL-2.0

//! Ops tables made from traits.
//!
//! [`interface!`](crate::interface) turns a trait into a table of C functions with a header, the
//! entry points that the table points to, and a caller for the other side's table.

use crate::{
    abi,
    trace::refuse, //
};
use core::{
    ffi::c_void,
    marker::PhantomData, //
};
use kernel::prelude::*;
use zerocopy::{
    FromBytes,
    Immutable,
    IntoBytes, //
};

/// A set of operations that one side of a context offers the other.
///
/// Implemented by [`interface!`](crate::interface) only.
///
/// # Safety
///
/// The operations in a table expect [`Link`](Interface::Link)'s seat. `Table` is `repr(C)`, begins
/// with a `struct d2d_ops`, and is valid with all bytes zero and with every field after the header
/// either zero or an operation of this interface.
pub unsafe trait Interface: Sized + 'static {
    /// How its implementations find the other side.
    type Link: Link;
    /// The C table.
    type Table: Copy + Send + Sync + 'static;
    /// Calls the operations of a table.
    type Caller<'a>: From<Remote<'a, Self>>;
    /// Name in the trace.
    const NAME: &'static str;
    /// Sides with different majors do not understand each other.
    const MAJOR: u16;
    /// A newer minor appends operations.
    const MINOR: u16;
}

/// An interface whose operations `T` implements.
///
/// Implemented by [`interface!`](crate::interface) only.
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
    /// its first argument.
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
/// Every operation in `table` may be called with `this`, as long as the other side is attached.
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
    ///
    /// A shorter table than ours is taken as one without our last operations; of a longer one, the
    /// operations that we know are taken.
    ///
    /// # Errors
    ///
    /// `EFAULT` without a table, `EPROTO` for another major version, `EMSGSIZE` for a size that no
    /// table has; each with a line in the name of `driver`.
    ///
    /// # Safety
    ///
    /// `raw.ops` is null or points to a table of this interface whose header is true.
    pub unsafe fn copy(driver: &CStr, raw: abi::d2d_endpoint) -> Result<Self> {
        if raw.ops.is_null() {
            return Err(refuse(
                driver,
                "no-ops-table",
                EFAULT,
                fmt!("interface={}", I::NAME),
            ));
        }
        // SAFETY: By the requirements the table has a header.
        let header = unsafe { *raw.ops };
        if header.major != I::MAJOR {
            return Err(refuse(
                driver,
                "bad-ops-major",
                EPROTO,
                fmt!(
                    "interface={} got={} expected={}",
                    I::NAME,
                    header.major,
                    I::MAJOR
                ),
            ));
        }
        let size = header.size as usize;
        let operations = size.wrapping_sub(size_of::<abi::d2d_ops>());
        if size < size_of::<abi::d2d_ops>() || operations % size_of::<*const ()>() != 0 {
            return Err(refuse(
                driver,
                "bad-ops-size",
                EMSGSIZE,
                fmt!(
                    "interface={} got={} expected={}",
                    I::NAME,
                    size,
                    size_of::<I::Table>()
                ),
            ));
        }
        // SAFETY: A table of zeroes is valid by the contract of `Interface`.
        let mut table: I::Table = unsafe { core::mem::zeroed() };
        // SAFETY: By the requirements `size` bytes can be read, and no more than the table's are
        // written; each operation lies in both tables or is left out, since `size` ends at one.
        unsafe {
            core::ptr::from_mut(&mut table)
                .cast::<u8>()
                .copy_from_nonoverlapping(raw.ops.cast::<u8>(), size.min(size_of::<I::Table>()))
        };
        // INVARIANT: By the contract of `struct d2d_endpoint`.
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
        // SAFETY: By the requirements and the type invariants.
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
/// table is checked against it: same size, same offsets, same signatures.
///
/// An operation in C is `int op(void *self, args..., result *result)`; arguments and result are
/// [`Plain`] values. Operations may be called in any context that the
/// interface allows, and get the link to the other side, so that they can call back.
#[macro_export]
macro_rules! interface {
    (@check [] $Table:ident $($op:ident)*) => {};
    (@check [$CTable:ty] $Table:ident $($op:ident)*) => {
        const _: () = {
            use ::core::{
                assert,
                mem::{
                    offset_of,
                    size_of, //
                }, //
            };
            type CTable = $CTable;
            assert!(size_of::<$Table>() == size_of::<CTable>());
            $(assert!(offset_of!($Table, $op) == offset_of!(CTable, $op));)*
            // The functions are of the same type in both.
            let _: fn($Table) -> CTable = |table| CTable {
                hdr: table.hdr,
                $($op: table.$op,)*
            };
        };
    };
    (
        $(#[$meta:meta])*
        $vis:vis trait $Trait:ident: $name:literal {
            interface: $Interface:ident,
            caller: $Caller:ident,
            table: $Table:ident $(= $CTable:ty)?,
            link: $Link:ty,
            version: ($major:literal, $minor:literal) $(,)?
        }
        $(
            $(#[$op_meta:meta])*
            fn $op:ident(&self, link: &$OpLink:ty $(, $arg:ident: $Arg:ty)*) -> Result<$Ret:ty>;
        )*
    ) => {
        $(#[$meta])*
        #[::kernel::macros::vtable]
        $vis trait $Trait: Send + Sync + 'static {
            $(
                $(#[$op_meta])*
                #[expect(unused_variables)]
                fn $op(&self, link: &$OpLink $(, $arg: $Arg)*) -> ::kernel::error::Result<$Ret> {
                    ::core::result::Result::Err(::kernel::error::code::EOPNOTSUPP)
                }
            )*
        }

        #[doc = ::core::concat!("The interface that [`", stringify!($Trait), "`] declares.")]
        $vis struct $Interface;

        #[doc = ::core::concat!("The C table of [`", stringify!($Trait), "`].")]
        #[derive(Clone, Copy)]
        #[repr(C)]
        $vis struct $Table {
            hdr: $crate::abi::d2d_ops,
            $(
                $op: ::core::option::Option<
                    unsafe extern "C" fn(
                        *mut ::core::ffi::c_void, $($Arg,)* *mut $Ret
                    ) -> ::core::ffi::c_int
                >,
            )*
        }

        $crate::interface! { @check [$($CTable)?] $Table $($op)* }

        const _: () = {
            const fn plain<T: $crate::interface::Plain>() {}
            $($(plain::<$Arg>();)* plain::<$Ret>();)*
        };

        // SAFETY: The entry points below expect this link's seat; the table is `repr(C)`, begins
        // with the header, and all the rest are optional function pointers, for which zero is
        // `None`.
        unsafe impl $crate::interface::Interface for $Interface {
            type Link = $Link;
            type Table = $Table;
            type Caller<'a> = $Caller<'a>;
            const NAME: &'static str = $name;
            const MAJOR: u16 = $major;
            const MINOR: u16 = $minor;
        }

        const _: () = {
            struct EntryPoints<T>(::core::marker::PhantomData<T>);

            impl<T: $Trait> EntryPoints<T> {
                $(
                    /// # Safety
                    ///
                    /// `this` is what the endpoint's `self` says, a binding of `T` that outlives
                    /// the call; `result` is valid for a write.
                    unsafe extern "C" fn $op(
                        this: *mut ::core::ffi::c_void,
                        $($arg: $Arg,)*
                        result: *mut $Ret,
                    ) -> ::core::ffi::c_int {
                        type Seat = <$Link as $crate::interface::Link>::Seat;
                        // SAFETY: By the requirements.
                        let binding = unsafe {
                            &*this.cast::<$crate::interface::Binding<Seat, T>>()
                        };
                        let ::core::option::Option::Some(link) = <$Link as $crate::interface::Link>::of(binding.seat())
                        else {
                            return ::kernel::error::code::ENOTCONN.to_errno();
                        };
                        match binding.state().$op(link $(, $arg)*) {
                            ::core::result::Result::Ok(value) => {
                                // SAFETY: By the requirements.
                                unsafe { result.write(value) };
                                0
                            }
                            ::core::result::Result::Err(error) => error.to_errno(),
                        }
                    }
                )*
            }

            // SAFETY: These are the entry points for this interface's seat and `T`.
            unsafe impl<T: $Trait> $crate::interface::TableFor<T> for $Interface {
                const TABLE: &'static $Table = &$Table {
                    hdr: $crate::abi::d2d_ops {
                        size: ::core::mem::size_of::<$Table>() as u32,
                        major: $major,
                        minor: $minor,
                    },
                    $(
                        $op: ::kernel::macros::paste!(
                            if T::[<HAS_ $op:upper>] {
                                ::core::option::Option::Some(EntryPoints::<T>::$op)
                            } else {
                                ::core::option::Option::None
                            }
                        ),
                    )*
                };
            }
        };

        #[doc = ::core::concat!("Calls the operations of a side that offers [`", stringify!($Trait), "`].")]
        $vis struct $Caller<'a>($crate::interface::Remote<'a, $Interface>);

        impl<'a> ::core::convert::From<$crate::interface::Remote<'a, $Interface>> for $Caller<'a> {
            fn from(remote: $crate::interface::Remote<'a, $Interface>) -> Self {
                Self(remote)
            }
        }

        impl $Caller<'_> {
            $(
                $(#[$op_meta])*
                ///
                /// Returns `EOPNOTSUPP` if the other side does not offer the operation.
                #[inline]
                $vis fn $op(&self $(, $arg: $Arg)*) -> ::kernel::error::Result<$Ret> {
                    let op = self.0.table().$op.ok_or(::kernel::error::code::EOPNOTSUPP)?;
                    let mut result = <$Ret as ::zerocopy::FromZeros>::new_zeroed();
                    // SAFETY: `Remote` holds operations that may be called with its `this`, and
                    // `result` is valid for a write.
                    ::kernel::error::to_result(unsafe {
                        op(self.0.this(), $($arg,)* &mut result)
                    })?;
                    ::core::result::Result::Ok(result)
                }
            )*
        }
    };
}
