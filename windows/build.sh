#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds the Windows version with mingw-w64 into build/windows: both drivers, the drivers of the
# examples, and the program that loads and plays them. Runs in the extra root (qemu/windows.sh).
set -euo pipefail

cd "$(dirname "$0")"
out=../build/windows
mkdir -p "$out"
cc=x86_64-w64-mingw32-gcc
flags=(-std=gnu11 -O2 -Wall -Wextra -Werror -Wno-multichar)
includes=(-isystem /usr/x86_64-w64-mingw32/include/ddk -I. -Ishared/include -Ishared/owner)

# driver NAME SOURCE-OR-OPTION... - builds a driver's image. It has no C runtime and imports from the kernel
# alone. It has no time stamp, so that the same sources give the same bytes. mingw-w64's ntstrsafe.h defines its
# functions in each object that includes it.
driver() {
	local name=$1
	shift
	"$cc" "${flags[@]}" "${includes[@]}" -fno-builtin -nostdlib -shared -s -Wl,--subsystem,native -Wl,--entry,DriverEntry \
		-Wl,--exclude-all-symbols -Wl,--no-insert-timestamp -Wl,--allow-multiple-definition \
		-o "$out/$name.sys" "$@" -lntoskrnl -lhal -lgcc
}

# variant NAME FILE SED - builds module_b as NAME.sys, with FILE changed by the sed script, which must change it
variant() {
	local copy=$out/$1
	rm -rf "$copy"
	mkdir "$copy"
	cp -r module_b shared "$copy"
	sed -i "$3" "$copy/$2"
	if cmp -s "$2" "$copy/$2"; then
		echo "$1: the sed script does not change $2" >&2
		exit 1
	fi
	local includes=(-isystem /usr/x86_64-w64-mingw32/include/ddk -I. -I"$copy/shared/include")
	driver "$1" "$copy"/module_b/*.c "$copy"/shared/d2d/*.c "$copy"/shared/pair/*.c "$out/libmodule_a.a"
}

# module_b is linked with the import library of module_a.
driver module_a module_a/*.c shared/owner/*.c shared/d2d/*.c shared/pair/*.c module_a/module_a.def \
	-Wl,--out-implib,"$out/libmodule_a.a"
driver module_b module_b/*.c shared/d2d/*.c shared/pair/*.c "$out/libmodule_a.a"

# Drivers that module_a has to refuse or to survive (qemu/windows-example.sh)
variant other_layout shared/include/d2d.h '/^    ULONG Kind; /{h;d}; /^    ULONG Length; /G'
variant unregisters_twice module_b/module_b.c '/^TakeBack(VOID)/,/^}/s/^    RunDown();/&\n    (VOID)D2dOwnerUnregister(\&Driver);/'
variant pends_all shared/pair/demo_requests.c 's/? Add(Irp)/? ((VOID)Add, Pend(Requests, Irp))/'
variant sends_twice shared/pair/show.c 's/SendAtOnce(Show, &Show->Complete/SendAtOnce(Show, \&Show->Pend[0]/'

driver sensor example/sensor.c
driver consumer example/consumer.c
driver alarm alarm/alarm.c
driver sleeper alarm/sleeper.c
"$cc" "${flags[@]}" -Ishared/include -s -Wl,--no-insert-timestamp -o "$out/play.exe" play.c -ladvapi32

# The layout of the shared block (compare/layout/layout.c): NAME BYTES
"$cc" "${flags[@]}" "${includes[@]}" -S -o - compare/layout/layout.c | sed -n 's/^.*"-> \(.*\)".*$/\1/p' >"$out/layout"
