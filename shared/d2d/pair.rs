// SPDX-License-Identifier: GPL-2.0

//! The declaration of a pair.

/// Declares a pair, for both drivers and for both languages.
///
/// ```ignore
/// pair! {
///     /// What the thermometer and the display have agreed on.
///     pub ThermoPair: "thermo" {
///         owner_data: Limits,
///         peer_data: (),
///         version: (1, 0),
///     }
///     structs {
///         /// What the owner writes into its part of the context.
///         struct Limits: "limits" {
///             /// Degrees.
///             highest: u64,
///         }
///     }
///     kinds {
///         /// A measured value.
///         const DEGREES: ItemKind<u64> = 1;
///     }
///     codes {
///         /// Returns the number of values so far.
///         const COUNT: ControlCode<(), u64> = 0x801;
///     }
///     events {
///         /// The thermometer sets its event when a value is above `highest`.
///         hot: Notification;
///     }
///     owner {
///         /// What the owner offers.
///         trait ThermoOps: "thermometer" {
///             interface: ThermoInterface,
///             caller: ThermoCaller,
///             table: ThermoTable,
///         }
///         /// Returns `value + 1`.
///         fn ping(&self, link: &OwnerLink<ThermoPair>, value: u32) -> Result<u32>;
///     }
///     peer {
///         /// What the peer offers: nothing.
///         trait DisplayOps: "display" {
///             interface: DisplayInterface,
///             caller: DisplayCaller,
///             table: DisplayTable,
///         }
///     }
/// }
/// ```
///
/// This declaration makes:
///
/// - the type `ThermoPair`, which implements [`Pair`](crate::link::Pair);
/// - the structures, which are `repr(C)` and [`Plain`](crate::interface::Plain). `Limits` is an alias of the
///   structure `thermo_limits`, whose name the compiler's messages show;
/// - an [`ItemKind`](crate::queue::ItemKind) and a [`ControlCode`](crate::control_code::ControlCode) for each
///   constant;
/// - the constant `HOT`, a [`PairEvent`](crate::event::PairEvent);
/// - for each side, what [`interface!`](crate::interface!) makes;
/// - the C header, with `struct thermo_limits`, `THERMO_KIND_DEGREES`, `THERMO_IOCTL_COUNT`, `THERMO_EVENT_HOT`,
///   `struct thermo_owner_ops` and `struct thermo_peer_ops`. The build writes it beside the object of the crate, under
///   the name of the crate.
///
/// The hashes of both operations tables cover the names, types and offsets of all fields, and the names and types of
/// all arguments. They leave out a structure that no block of data, kind, code or operation uses. If two drivers differ
/// in a hash that both have, one driver refuses the other by `EBADR` and the reason `bad-prefix`. If the major versions
/// differ, the errno is `EPROTO`.
///
/// # Events
///
/// `events { ... }` follows `codes`, and may be left out. A declared name has at most 31 bytes. Each driver of the pair
/// can have one event of each name, called `DRIVER.NAME`: see [`PairEvent`](crate::event::PairEvent).
///
/// # Lent memory
///
/// `lent { ... }` follows `structs`, and may be left out. It has the structures of which [lent memory](crate::lent)
/// consists. Each field is an atomic variable (such as `Atomic<u64>`, in C a `u64`), an array of these, or another such
/// structure. When one side uses the other's memory, the library compares both sides' hashes of the structure.
///
/// # Growing
///
/// A pair grows by appending in a new minor version. Operations may be appended to either side. Kinds, control codes,
/// events, and fields at the end of a block of data may be appended with the attribute `#[since = MINOR]`. Drivers of
/// an older and a newer minor version work with each other, with one exception: if a block of data of an older owner
/// lacks a field that the peer knows, the peer refuses the owner's context (`bad-data-size`). A call of an operation
/// that the other side does not have fails with `EOPNOTSUPP`. The payload of an item and the input and output of a
/// request never change.
///
/// Keep the generated C header of each released version. Name the latest one in a line `baseline` after the line
/// `version`:
///
/// ```ignore
/// version: (1, 1),
/// baseline: include_str!("thermo-1.0.h"),
/// ```
///
/// Then the compiler refuses a pair in which something of the baseline is changed or missing, or something was
/// appended without a new minor version. A new major version may change everything.
///
/// A crate declares one pair. Each type must implement [`Described`](crate::declaration::Described), as numbers, the
/// structures of the pair, and arrays of these do. The compiler also refuses
///
/// - two kinds or two codes with the same number;
/// - two events with the same name;
/// - a name that is not an identifier of C.
#[macro_export]
macro_rules! pair {
    (@shared) => { () };
    (@shared $Shared:ty) => { $Shared };
    (@baseline) => { $crate::__private::None };
    (@baseline $baseline:expr) => { $crate::__private::Some($baseline) };
    (@since) => { 0 };
    (@since $since:literal) => { $since };
    (@described $Struct:ident, $name:expr, $({ $field:ident: $Field:ty, $docs:expr, $since:expr })+) => {
        impl $crate::declaration::Described for $Struct {
            const TYPE: &'static $crate::declaration::Type = &$crate::declaration::Type {
                fields: &[$(
                    $crate::declaration::Member {
                        name: $crate::__private::stringify!($field),
                        docs: $docs,
                        of: <$Field as $crate::declaration::Described>::TYPE,
                        offset: $crate::__private::offset_of!($Struct, $field),
                        since: $since,
                    },
                )+],
                ..$crate::declaration::Type::plain::<$Struct>($name)
            };
        }
    };
    (
        $(#[doc = $pair_doc:expr])*
        $vis:vis $Pair:ident: $name:literal {
            owner_data: $OwnerData:ty,
            peer_data: $PeerData:ty,
            $(shared_data: $Shared:ty,)?
            version: ($major:literal, $minor:literal)
            $(, baseline: $baseline:expr)? $(,)?
        }
        structs {
            $(
                $(#[doc = $struct_doc:expr])*
                struct $Struct:ident: $struct_name:literal {
                    $(
                        $(#[doc = $field_doc:expr])*
                        $(#[since = $field_since:literal])?
                        $field:ident: $Field:ty
                    ),+ $(,)?
                }
            )*
        }
        $(lent {
            $(
                $(#[doc = $lent_doc:expr])*
                struct $Lent:ident: $lent_name:literal {
                    $(
                        $(#[doc = $lent_field_doc:expr])*
                        $lent_field:ident: $LentField:ty
                    ),+ $(,)?
                }
            )*
        })?
        kinds {
            $(
                $(#[doc = $kind_doc:expr])*
                $(#[since = $kind_since:literal])?
                const $KIND:ident: ItemKind<$Payload:ty> = $kind:literal;
            )*
        }
        codes {
            $(
                $(#[doc = $code_doc:expr])*
                $(#[since = $code_since:literal])?
                const $CODE:ident: ControlCode<$Input:ty, $Output:ty> = $code:literal;
            )*
        }
        $(events {
            $(
                $(#[doc = $event_doc:expr])*
                $(#[since = $event_since:literal])?
                $event:ident: $event_kind:ident;
            )*
        })?
        owner {
            $(#[doc = $owner_doc:expr])*
            trait $OwnerTrait:ident: $owner_name:literal {
                interface: $OwnerInterface:ident,
                caller: $OwnerCaller:ident,
                table: $OwnerTable:ident $(,)?
            }
            $($owner_ops:tt)*
        }
        peer {
            $(#[doc = $peer_doc:expr])*
            trait $PeerTrait:ident: $peer_name:literal {
                interface: $PeerInterface:ident,
                caller: $PeerCaller:ident,
                table: $PeerTable:ident $(,)?
            }
            $($peer_ops:tt)*
        }
    ) => {
        // `allow(missing_docs)`: rustc would report an item without documentation at the place of the whole
        // declaration, and not say which item it is.
        $(#[doc = $pair_doc])*
        #[allow(missing_docs)]
        $vis struct $Pair;

        impl $crate::link::Pair for $Pair {
            type Owner = $OwnerInterface;
            type Peer = $PeerInterface;
            type OwnerData = $OwnerData;
            type PeerData = $PeerData;
            type Shared = $crate::pair!(@shared $($Shared)?);
        }

        $(
            $crate::__private::paste! {
                $(#[doc = $struct_doc])*
                // A kernel with CFI compares the types of functions by the names of their structures, and does not
                // see an alias. So the structure has the same name as in C.
                #[allow(missing_docs, non_camel_case_types)]
                #[derive(
                    $crate::__private::Clone,
                    $crate::__private::Copy,
                    $crate::__private::FromBytes,
                    $crate::__private::Immutable,
                    $crate::__private::IntoBytes,
                )]
                #[repr(C)]
                $vis struct [<$name _ $struct_name>] {
                    $(
                        $(#[doc = $field_doc])*
                        pub $field: $Field,
                    )+
                }

                $(#[doc = $struct_doc])*
                #[allow(missing_docs)]
                $vis type $Struct = [<$name _ $struct_name>];
            }

            $crate::pair! {
                @described $Struct, $crate::__private::concat!($name, "_", $struct_name),
                $({ $field: $Field, &[$($field_doc),*], $crate::pair!(@since $($field_since)?) })+
            }
        )*

        $($(
            $(#[doc = $lent_doc])*
            #[allow(missing_docs)]
            #[repr(C)]
            $vis struct $Lent {
                $(
                    $(#[doc = $lent_field_doc])*
                    pub $lent_field: $LentField,
                )+
            }

            $crate::pair! {
                @described $Lent, $crate::__private::concat!($name, "_", $lent_name),
                $({ $lent_field: $LentField, &[$($lent_field_doc),*], 0 })+
            }

            const _: () = {
                $($crate::lent::assert_memory::<$LentField>();)+
            };
            // SAFETY: Each field is of a type that implements the trait.
            unsafe impl $crate::lent::Memory for $Lent {}
        )*)?

        $(
            $(#[doc = $kind_doc])*
            #[allow(missing_docs)]
            $vis const $KIND: $crate::queue::ItemKind<$Payload> = $crate::queue::ItemKind::new($kind);
        )*
        $(
            $(#[doc = $code_doc])*
            #[allow(missing_docs)]
            $vis const $CODE: $crate::control_code::ControlCode<$Input, $Output> =
                $crate::control_code::ControlCode::new($code);
        )*
        $($(
            $crate::__private::paste! {
                $(#[doc = $event_doc])*
                #[allow(missing_docs)]
                $vis const [<$event:upper>]: $crate::event::PairEvent = $crate::event::PairEvent::new(
                    $crate::__private::stringify!($event),
                    $crate::event::Kind::$event_kind,
                );
            }
        )*)?

        impl $Pair {
            /// What the two sides share apart from their operations.
            $vis const DECLARATION: $crate::declaration::Declaration =
                $crate::declaration::Declaration {
                    name: $name,
                    docs: &[$($pair_doc),*],
                    major: $major,
                    minor: $minor,
                    owner_data: <$OwnerData as $crate::declaration::Described>::TYPE,
                    peer_data: <$PeerData as $crate::declaration::Described>::TYPE,
                    shared_data: <<$Pair as $crate::link::Pair>::Shared as $crate::declaration::Described>::TYPE,
                    structs: &[$(
                        $crate::declaration::Struct {
                            docs: &[$($struct_doc),*],
                            of: <$Struct as $crate::declaration::Described>::TYPE,
                        },
                    )*],
                    lent: &[$($(
                        $crate::declaration::Struct {
                            docs: &[$($lent_doc),*],
                            of: <$Lent as $crate::declaration::Described>::TYPE,
                        },
                    )*)?],
                    kinds: &[$(
                        $crate::declaration::DeclaredKind {
                            name: $crate::__private::stringify!($KIND),
                            docs: &[$($kind_doc),*],
                            number: $kind,
                            payload: <$Payload as $crate::declaration::Described>::TYPE,
                            since: $crate::pair!(@since $($kind_since)?),
                        },
                    )*],
                    codes: &[$(
                        $crate::declaration::Code {
                            name: $crate::__private::stringify!($CODE),
                            docs: &[$($code_doc),*],
                            number: $code,
                            input: <$Input as $crate::declaration::Described>::TYPE,
                            output: <$Output as $crate::declaration::Described>::TYPE,
                            since: $crate::pair!(@since $($code_since)?),
                        },
                    )*],
                    events: &[$($(
                        $crate::declaration::DeclaredEvent {
                            name: $crate::__private::stringify!($event),
                            docs: &[$($event_doc),*],
                            kind: $crate::event::Kind::$event_kind,
                            since: $crate::pair!(@since $($event_since)?),
                        },
                    )*)?],
                }
                .checked();
            /// The hashes of the minor versions of [`Self::DECLARATION`], for the chains of both sides.
            $vis const VERSIONS: &'static [u64] =
                &$crate::fingerprint::versions::<{ $minor + 1 }>(&Self::DECLARATION);
            /// The C header of an older version, if the pair has a baseline.
            $vis const BASELINE: $crate::__private::Option<&'static str> =
                $crate::pair!(@baseline $($baseline)?);
        }

        $crate::interface! {
            $(#[doc = $owner_doc])*
            $vis trait $OwnerTrait: $owner_name {
                interface: $OwnerInterface,
                caller: $OwnerCaller,
                table: $OwnerTable,
                link: $crate::link::OwnerLink<$Pair>,
                version: ($major, $minor),
                versions: $Pair::VERSIONS,
            }
            $($owner_ops)*
        }

        $crate::interface! {
            $(#[doc = $peer_doc])*
            $vis trait $PeerTrait: $peer_name {
                interface: $PeerInterface,
                caller: $PeerCaller,
                table: $PeerTable,
                link: $crate::link::PeerLink<$Pair>,
                version: ($major, $minor),
                versions: $Pair::VERSIONS,
            }
            $($peer_ops)*
        }

        const _: () = {
            const OF_THE_OWNER: $crate::declaration::Operations = $crate::declaration::Operations {
                name: $owner_name,
                docs: &[$($owner_doc),*],
                chain: <$OwnerInterface as $crate::interface::Interface>::CHAIN,
                list: <$OwnerInterface as $crate::interface::Interface>::OPERATIONS,
            };
            const OF_THE_PEER: $crate::declaration::Operations = $crate::declaration::Operations {
                name: $peer_name,
                docs: &[$($peer_doc),*],
                chain: <$PeerInterface as $crate::interface::Interface>::CHAIN,
                list: <$PeerInterface as $crate::interface::Interface>::OPERATIONS,
            };
            const SIZE: usize =
                $crate::c_header::size(&$Pair::DECLARATION, &OF_THE_OWNER, &OF_THE_PEER);
            const TEXT: [u8; SIZE] =
                $crate::c_header::write(&$Pair::DECLARATION, &OF_THE_OWNER, &OF_THE_PEER);
            #[used]
            #[link_section = ".discard.d2d_header"]
            static HEADER: [u8; SIZE] = TEXT;
            const _: () = $crate::baseline::check(&$Pair::DECLARATION, &TEXT, $Pair::BASELINE);
        };
    };
}
