# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Runs the bench, and collects the files that bench/main.rs reads. Source lib/lab.sh first.

only_x86_64 "the bench"
D2D_ROOT=$("$LAB/root/root.sh")
export D2D_ROOT
unset D2D_KERNEL
requested_kver=${KVER-}

# condition NAME VALUE - prints a condition of the run, in the form that guest/bench.sh uses
condition() {
	echo "bench: condition $1: $2"
}

version_line() {
	"$LAB/enter.sh" "$@" --version | head -n 1
}

# run_bench DIR KERNEL ABOUT - runs the bench on a kernel, and fills DIR. ABOUT says how long the run takes, such as
# "1 min". bench/main.rs explains the name of DIR.
run_bench() {
	local dir=$1 kernel objects modules load case=
	# shellcheck disable=SC2034 # kernel.env sets both
	local KVER KMAKE
	kernel=$(KVER=$requested_kver kernel_dir "$2")
	. "$kernel/kernel.env"
	mkdir -p "$dir"
	read -r load _ </proc/loadavg
	# A count of instructions hardly varies, so one round suffices.
	if [ -n "${D2D_NO_TRACEPOINTS-}" ]; then
		case=operations
	elif [ -z "${D2D_ICOUNT-}" ]; then
		case=rounds
	fi
	D2D_KERNEL=$kernel step "measure $(basename "$dir")" "$3" "$dir/log" "$LAB/vm.sh" bench ${case:+"d2d.case=$case"}
	objects=$PROJECT/build/$KVER${D2D_NO_TRACEPOINTS:+-no-tracepoints}
	{
		cat "$PROJECT/build/$KVER/bench/output"
		[ "$2" = uml ] || condition emulator "$(version_line qemu-system-x86_64)"
		condition rustc "$(version_line rustc)"
		condition 'C compiler' "$(sed -n 's/^CONFIG_CC_VERSION_TEXT="\(.*\)"/\1/p' "$kernel/tree/.config")"
		condition 'load of the host before the run' "$load"
	} >"$dir/output"
	mapfile -t modules < <(find "$objects/selftests" -name 'bench_*.ko' -o -name 'twin_*.ko')
	"$LAB/enter.sh" objdump -dr --no-show-raw-insn "${modules[@]}" >"$dir/disassembly"
	"$LAB/enter.sh" sh -ec '
		to=$1/stripped; shift
		rm -rf "$to"; mkdir "$to"
		for module; do strip --strip-debug -o "$to/$(basename "$module")" "$module"; done
		size "$to"/*.ko' sh "$dir" "${modules[@]}" "$objects"/module_[ab].ko >"$dir/sizes"
}
