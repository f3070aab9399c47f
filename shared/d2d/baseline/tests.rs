// SPDX-License-Identifier: GPL-2.0

//! What the baseline of a pair allows.

use super::*;
use crate::declaration::Described;
use kernel::prelude::*;

const NOT_A_HEADER: Option<&str> = Some("the baseline is not a C header of this pair");
const CHANGED: Option<&str> = Some(
    "not as in the baseline: changed or removed, or something new is before it or has no `since`",
);
const SAME_VERSION: Option<&str> =
    Some("something was appended to the baseline without a new minor version");

/// The header of version 1.0 of a pair.
const OLD: &str = "/* thermo */
#define THERMO_MAJOR\t1
#define THERMO_MINOR\t0
#define THERMO_OWNER_VERSION_0\t0x0000000000000001ull
#define THERMO_OWNER_PING\t0x0000000000000002ull
#define THERMO_PEER_VERSION_0\t0x0000000000000003ull
#define THERMO_KIND_DEGREES\t1
";

/// Compares `header`, of version `major.minor` of the pair `name`, to `recorded`.
fn compared(
    name: &'static str,
    (major, minor): (u16, u16),
    header: &str,
    recorded: &[u8],
) -> Option<&'static str> {
    let of = Declaration {
        name,
        docs: &[],
        major,
        minor,
        owner_data: <()>::TYPE,
        peer_data: <()>::TYPE,
        shared_data: <()>::TYPE,
        lent: &[],
        structs: &[],
        kinds: &[],
        codes: &[],
        events: &[],
    };
    compare(&of, header.as_bytes(), recorded).map(|(reason, _)| reason)
}

fn to_old(version: (u16, u16), header: &str) -> Option<&'static str> {
    compared("thermo", version, header, OLD.as_bytes())
}

#[kunit_tests(d2d_baseline)]
mod cases {
    use super::*;

    #[test]
    fn a_new_minor_version_appends() -> Result {
        let more = "#define THERMO_PEER_PONG\t0x0000000000000004ull\n";
        let mut appended = KVec::new();
        for text in [OLD, more] {
            appended.extend_from_slice(text.as_bytes(), GFP_KERNEL)?;
        }
        let appended = core::str::from_utf8(&appended).map_err(|_| EINVAL)?;
        assert_eq!(to_old((1, 0), OLD), None);
        assert_eq!(to_old((1, 0), appended), SAME_VERSION);
        assert_eq!(to_old((1, 1), appended), None);
        Ok(())
    }

    #[test]
    fn no_hash_of_the_baseline_is_changed_or_removed() {
        let lines = [
            "#define THERMO_OWNER_VERSION_0\t0x0000000000000001ull",
            "#define THERMO_OWNER_PING\t0x0000000000000002ull",
            "#define THERMO_PEER_VERSION_0\t0x0000000000000003ull",
        ];
        for line in lines {
            assert!(OLD.contains(line));
            assert_eq!(to_old((1, 1), line), CHANGED);
        }
        assert_eq!(to_old((1, 1), ""), CHANGED);
        assert_eq!(to_old((1, 1), &OLD[1..]), None);
        let reversed = "#define THERMO_PEER_VERSION_0\t0x0000000000000003ull
#define THERMO_OWNER_PING\t0x0000000000000002ull
#define THERMO_OWNER_VERSION_0\t0x0000000000000001ull";
        assert_eq!(to_old((1, 1), reversed), CHANGED);
        assert_eq!(to_old((2, 0), ""), None);
    }

    #[test]
    fn a_baseline_is_a_header_of_the_pair() {
        for name in ["therm", "thermos", "t", ""] {
            assert_eq!(compared(name, (1, 0), "", OLD.as_bytes()), NOT_A_HEADER);
        }
        let major = b"#define THERMO_MAJOR\t1\n";
        for recorded in [&b""[..], b"\n\n", b"#define ", major, b"ull", b"\xff"] {
            assert_eq!(compared("thermo", (1, 0), "", recorded), NOT_A_HEADER);
        }
    }
}
