#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs cargo in the extra root, in the crate of the trace tool. Links statically: the trace tool runs on the host.
# Usage: cargo.sh ARGUMENT...
. "$(dirname "$0")/../lib/lab.sh"

D2D_ROOT=$("$LAB/root/root-extra.sh")
export D2D_ROOT
need_cache
root=$(basename "$D2D_ROOT")
target=x86_64-unknown-linux-gnu
cd "$PROJECT/trace"
exec "$LAB/enter.sh" env CARGO_HOME="$CACHE/cargo-$(key "$root")" \
	CARGO_TARGET_DIR="$CACHE/cargo-target-$(key "$root" "$PROJECT")" CARGO_TERM_COLOR=never CARGO_BUILD_TARGET=$target \
	CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-D warnings -C target-feature=+crt-static" \
	cargo "$@"
