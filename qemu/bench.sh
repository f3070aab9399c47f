#!/bin/bash
# Measures what the library offers, and what the kernel has for the same purposes: instructions in
# QEMU, and nanoseconds on two real CPUs in User-Mode Linux and, where KVM works, in QEMU. Prints
# a table and writes it to docs/results.md, with the conditions, if all checks pass (bench/).
# Environment: KVER
. "$(dirname "$0")/lib.sh"

D2D_ROOT=$("$LAB/root.sh")
export D2D_ROOT
unset D2D_KERNEL
out=$PROJECT/build/bench
mkdir -p "$out"
instruments=() wanted=${KVER-}

# instrument NAME KERNEL ABOUT - a run of the bench
instrument() {
	local kernel modules load
	kernel=$(KVER=$wanted kernel_dir "$2")
	. "$kernel/kernel.env"
	mkdir -p "$out/$1"
	read -r load _ </proc/loadavg
	D2D_KERNEL=$kernel step "measure by $1" "$3" "$out/$1/log" "$LAB/vm.sh" bench
	cp "$PROJECT/build/$KVER/bench/output" "$out/$1/"
	echo "bench: condition load of the host before: $load" >>"$out/$1/output"
	modules=$PROJECT/build/$KVER/selftests/test_modules
	"$LAB/enter.sh" objdump -dr --no-show-raw-insn "$modules/bench_owner.ko" "$modules/bench_peer.ko" >"$out/$1/disassembly"
	instruments+=("$out/$1")
}

D2D_ICOUNT=y instrument icount stock '15 s'
instrument uml uml '15 s'
if "$LAB/enter.sh" "$("$LAB/tools.sh")" --has-kvm; then
	instrument kvm stock '15 s'
fi
qemu=$("$LAB/enter.sh" qemu-system-x86_64 --version | head -n 1)
"$LAB/enter.sh" "$("$LAB/tools.sh" bench)" "$PROJECT/docs/results.md" "$qemu" "${instruments[@]}"
