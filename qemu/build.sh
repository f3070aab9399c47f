#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds the modules for one kernel in build/KVER/. Holds the build lock to its end: no other build may change
# the modules before --install has copied them.
# Usage: build.sh [--selftests] [--bench] [--install DIR] [--source DIR] [--list]
#   --selftests    also build the test modules; with --install, install the kselftests in DIR/kselftest
#   --bench        also build the modules of the bench
#   --install DIR  copy the modules, stripped, to DIR/lib/d2d
#   --source DIR   build another tree of the project, DIR, in DIR/build/KVER/
#   --list         at the end, print the paths of the modules
# Environment:
#   KERNEL                  the kernel of the lab to build for; see also kernel_dir (lib/lab.sh)
#   D2D_ONLY="NAME..."      build only these modules
#   D2D_BUILD_ID            the build ID of all modules (shared/library.mk)
#   D2D_INCREMENTAL=y       omit debug information, and compile crates in parts (mutate/rustc.sh)
#   D2D_NO_TRACEPOINTS=y    omit the tracepoints of hot steps, and build in build/KVER-no-tracepoints/
. "$(dirname "$0")/lib/lab.sh"

install='' selftests='' bench='' list='' source=$PROJECT
while [ $# -gt 0 ]; do
	case $1 in
	--selftests) selftests=y ;;
	--bench) bench=y ;;
	--install) install=$2 && shift ;;
	--list) list=y ;;
	--source) source=$2 && shift ;;
	*) die "unknown option: $1" ;;
	esac
	shift
done

kernel=$(kernel_dir "${KERNEL-stock}")
. "$kernel/kernel.env"
D2D_ROOT=$("$LAB/root/root.sh")
export D2D_ROOT
out=$source/build/$KVER${D2D_NO_TRACEPOINTS:+-no-tracepoints}

# Build for Debian's kernels and the bench as a user does. D2D_INLINE= (shared/library.mk) saves time in all others.
case $KVER$bench in
*+deb* | *y) ;;
*) KMAKE+=(D2D_INLINE=) ;;
esac

hold_build
mkdir -p "$out"
# An incremental build omits the debug information, so it cannot make BTF.
[ -z "${D2D_INCREMENTAL-}" ] ||
	KMAKE+=(RUSTC="$LAB/mutate/rustc.sh" KCFLAGS=-g0 KRUSTFLAGS=-Cdebuginfo=0 CONFIG_DEBUG_INFO_BTF_MODULES=)
"$LAB/enter.sh" make --no-print-directory -C "$kernel/tree" M="$source" MO="$out" "${KMAKE[@]}" \
	-j"$(nproc)" ${V:+V="$V"} ${selftests:+D2D_SELFTESTS=y} ${bench:+D2D_BENCH=y} ${D2D_ONLY:+D2D_ONLY="$D2D_ONLY"} \
	${D2D_BUILD_ID:+D2D_BUILD_ID="$D2D_BUILD_ID"} \
	${D2D_NO_TRACEPOINTS:+D2D_NO_TRACEPOINTS=y} modules 2>&1 | tee "$out/log" || {
	if grep -qE '^error.*`kernel(::[^`]*)?`' "$out/log"; then
		die "no modules for $KVER: its kernel crate lacks the items that the errors name; set KVER= to a kernel with another Rust API"
	fi
	die "no modules for $KVER"
}
[ -z "$install" ] || "$LAB/enter.sh" "$LAB/run/install.sh" "$kernel" "$out" "$install" ${selftests:+selftests}
[ -z "$list" ] || sed "s|^|${out#"$PROJECT/"}/|; s|o\$|ko|" "$out/modules.order"
