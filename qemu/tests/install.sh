#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests how users install the project and build drivers of their own. A command with a mistake in it must fail with one
# line and change nothing.
unset ARCH KERNEL MAKELEVEL MAKEFLAGS MFLAGS MAKEOVERRIDES
. "$(dirname "$0")/../lib/lab.sh"

D2D_KERNEL=$(kernel_dir stock)
export D2D_KERNEL
. "$D2D_KERNEL/kernel.env"
. "$LAB/lib/machine.sh"
. "$LAB/lib/dkms.sh"
dkms=$("$LAB/root/packages.sh" dkms)
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"$/\1/p' "$PROJECT/dkms.conf")
mkdir -p "$PROJECT/build"
dir=$(mktemp -d "$PROJECT/build/install.XXXXXX")
trap 'rm -rf "$dir"' EXIT
log=$dir/log
. "$LAB/lib/ktap.sh"

# run_make DIR ARGUMENT... - runs make for the kernel $kver, in the toolchain root because the host may lack kmod. If
# $failing is set, programs in $dir/fails, which fail, come first in PATH
kver=$KVER failing=
run_make() {
	local in=$1
	shift
	"$LAB/enter.sh" env ${failing:+PATH="$dir/fails:/usr/bin:/bin"} \
		make --no-print-directory -C "$in" ${kver:+KVER="$kver"} "$@"
}

state() {
	(cd "$1" && { find . -type d && find . ! -type d -exec md5sum {} +; } | sort)
}

# has DIR FILE... - succeeds if DIR has exactly these files, besides depmod's tables
has() {
	local at=$1
	shift
	diff <(printf '%s\n' "$@") <(cd "$at" && find . ! -type d ! -name 'modules.*' | sort)
}

# make_leaves TARGET DIR FILE... - after make TARGET, DIR must have exactly these files
make_leaves() {
	local target=$1 at=$2
	shift 2
	run_make "$PROJECT" "$target" INSTALL_MOD_PATH="$at" && has "$at" "$@"
}

removes() {
	run_make "$PROJECT" modules_uninstall INSTALL_MOD_PATH="$1" && [ -z "$(ls -A "$1")" ]
}

installs_by_kdir() {
	cp "$dir/root/$updates"/*.ko "$dir/project/"
	run_make "$dir/project" modules_install KDIR="$D2D_KERNEL/tree" INSTALL_MOD_PATH="$dir/kdir" &&
		has "$dir/kdir" "$updates"/module_{a,b}.ko
}

# refused REGEX CMD... - CMD must fail, print one line that matches REGEX, and not change $dir/to
refused() {
	local why=$1 output before
	shift
	before=$(state "$dir/to")
	! output=$("$@" 2>&1) || { echo "make succeeded" && return 1; }
	output=$(grep -v '^make: ' <<<"$output")
	echo "$output"
	[[ $output != *$'\n'* ]] && grep -qE -e "$why" <<<"$output" && diff <(echo "$before") <(state "$dir/to")
}

# mistake REGEX ARGUMENT... - the copy of the installer in $dir/project must refuse these arguments
mistake() {
	refused "$1" run_make "$dir/project" "${@:2}"
}

# without_project CMD... - runs CMD with $dir/prefix at /usr/local, $dir/drivers at /mnt, and the project hidden
without_project() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	"$LAB/enter.sh" sh -ec 'busybox mount -o bind "$1/prefix" /usr/local; busybox mount -o bind "$1/drivers" /mnt
		busybox mount -t tmpfs tmpfs "$2"; cd /mnt; shift 2; exec "$@"' sh "$dir" "$PROJECT" "$@"
}

builds() {
	without_project make --no-print-directory -C "$D2D_KERNEL/tree" M="/mnt/$1" "${@:2}" "${KMAKE[@]}" KCFLAGS=-Werror KRUSTFLAGS=-Dwarnings modules
}

# recipe N FILE - prints the Nth Kbuild file in this file of docs/
recipe() {
	awk -v wanted="$1" '/^```$/ { in_block = 0 } in_block && n == wanted; /^```make$/ { in_block = 1; n++ }' \
		"$PROJECT/docs/$2"
}

# writes_roles - writes two modules: filter (an owner, and a peer of gauged) and bridge (a peer of gauged and alarmd).
# There is no alarmd: a copy of gauged's symbols stands for it
writes_roles() {
	local to=$dir/drivers/roles pair
	mkdir "$to" "$dir/drivers/alarm" && cp "$PROJECT"/shared/pair/{demo_*.rs,d2d_pair-1.0.h} "$to/" || return
	for pair in gauge filter alarm; do
		cp "$PROJECT/shared/pair/d2d_pair.rs" "$to/${pair}_pair.rs" || return
	done
	sed 's/\<module_a\>/gauged/g; s/"middle"/"filter"/; s/\<d2d_pair\>/filter_pair/; s/\<d2d_pair_peer\>/gauge_pair_peer/' \
		"$PROJECT/selftests/peers/middle.rs" >"$to/filter_main.rs" &&
		sed 's/\<module_a\>/gauged/g; s/\<other_a\>/alarmd/; s/\<d2d_pair_peer\>/gauge_pair_peer/; s/\<d2d_pair_peer2\>/alarm_pair_peer2/' \
			"$PROJECT/selftests/peers/bridge.rs" >"$to/bridge_main.rs" &&
		sed 's/gauged/alarmd/g' "$dir/drivers/own/Module.symvers" >"$dir/drivers/alarm/Module.symvers"
}

dev() {
	run_make "$PROJECT" "$1" PREFIX="$dir/prefix"
}

new() {
	make --no-print-directory -C "$PROJECT" new "$@"
}

new_mistake() {
	refused "$1" new "${@:2}"
}

writes() {
	new "${@:2}" && [ -f "$1" ]
}

# tests_pair TARGET CASES PAIR - make TARGET must run exactly CASES cases of the pair, and all must pass
tests_pair() {
	make --no-print-directory -C "$PROJECT" "$1" PAIR="$3" >"$dir/output" 2>&1 || { cat "$dir/output" && return 1; }
	[ "$(tail -n 1 "$dir/output")" = "$2 passed, 0 failed, 0 skipped" ]
}

# pair_mistake REGEX ARGUMENT... - make must fail, and print a line that matches REGEX
pair_mistake() {
	local why=$1
	shift
	! make --no-print-directory -C "$PROJECT" "$@" >"$dir/output" 2>&1 || { echo "make succeeded" && return 1; }
	cat "$dir/output"
	grep -qE -e "$why" "$dir/output"
}

runs_pair() {
	local line
	make --no-print-directory -C "$PROJECT" run PAIR="$1" >"$dir/output" 2>&1 || { cat "$dir/output" && return 1; }
	for line in 'lab: insmod /lib/d2d/gauged.ko' 'gauged: d2d: .* step=attached to=gaugectl' 'gaugectl: d2d: .* step=adopt ' \
		"lab: echo '2' >/dev/gaugectl" 'lab: 8 bytes were read' 'lab: rmmod gauged: refused by the kernel' \
		'gaugectl: heard beats=[1-9]' 'gauged: beats=[1-9]' 'run: passed, '; do
		grep -q "^$line" "$dir/output" || { cat "$dir/output" && echo "not found: $line" && return 1; }
	done
}

failing_pair_fails() {
	sed -i 's/hear 20$/hear 0x/' "$1/test.sh"
	pair_mistake '^not ok 3 ' test PAIR="$1" && [ "$(tail -n 2 "$dir/output" | grep -c '^5 passed, 1 failed')" = 1 ]
}

# torture_reports PAIR - adds a use that never succeeds; the torture must report it, and still use and unload the pair
torture_reports() {
	echo '/sys/kernel/debug/d2d-gauged/nosuch 1' >>"$1/use"
	pair_mistake "^not ok 5 writing '1' to /sys/kernel/debug/d2d-gauged/nosuch" torture PAIR="$1" SECONDS=10 &&
		[ "$(grep -c '^ok [1234] ' "$dir/output")" = 4 ]
}

no_library() {
	! builds own D2D=/nosuch >"$dir/output" 2>&1 || return
	cat "$dir/output"
	! grep -vE '^make|There is no /nosuch/rust.mk: run make install-dev' "$dir/output"
}

no_symbols() {
	mv "$dir/prefix/share/beyond-irps/symvers/$KVER" "$dir/symvers"
	! builds c >"$dir/output" 2>&1 || return
	mv "$dir/symvers" "$dir/prefix/share/beyond-irps/symvers/$KVER"
	cat "$dir/output"
	! grep -vE '^make|There is no /usr/local/share/beyond-irps/symvers/.*: build Beyond IRPs for this kernel' "$dir/output"
}

# with_dkms CMD... - runs CMD with dkms in PATH, and with folders of $dir/machine mounted over those that dkms uses
with_dkms() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	"$LAB/enter.sh" sh -ec 'mkdir -p /usr/lib/modules
		busybox mount -o bind "$1/machine/modules" /usr/lib/modules; busybox mount -o bind "$1/machine/src" /usr/src
		busybox mount -o bind "$1/machine/lib" /var/lib; PATH=$2/usr/sbin:$PATH; shift 2; exec "$@"' sh "$dir" "$dkms" "$@"
}

# dkms_installs - dkms must sign both modules with its key, and B must depend on A
dkms_installs() {
	mkdir -p "$dir/machine"/{lib/dkms,"modules/$KVER",src}
	dkms_sources "$dir/machine/src"
	ln -s "$D2D_KERNEL/tree" "$dir/machine/modules/$KVER/build"
	: | tee "$dir/machine/modules/$KVER"/modules.{builtin,order} >"$dir/machine/modules/$KVER/modules.dep"
	with_dkms dkms install "beyond-irps/$version" -k "$KVER" || { cat "$dir"/machine/lib/dkms/*/*/build/make.log; return 1; }
	(cd "$dir/machine/modules/$KVER" && grep '^updates/dkms/module_b.ko[.xz]*: updates/dkms/module_a.ko[.xz]*$' modules.dep) &&
		[ "$(with_dkms modinfo -F signer -k "$KVER" module_a module_b)" = $'DKMS module signing key\nDKMS module signing key' ]
}

# dkms_removes - dkms must remove the pair, and nothing else
dkms_removes() {
	with_dkms dkms remove "beyond-irps/$version" --all &&
		diff <(printf '%s\n' ./build ./modules.builtin ./modules.order) <(cd "$dir/machine/modules/$KVER" &&
			find . ! -type d ! -name 'modules.*.bin' ! -name 'modules.[adsw]*' ! -name modules.builtin.alias.bin | sort)
}

boots() {
	mkdir -p "$dir"/root/{bin,lib/outside} "$dir/logs"
	cp "$dir"/drivers/*/*.ko "$dir/drivers/own/test.sh" "$dir/root/lib/outside/"
	# shellcheck disable=SC2016 # expanded by the inner shell
	"$LAB/enter.sh" sh -ec 'cp -L --parents /usr/bin/kmod $(ldd /usr/bin/kmod | grep -o "/[^ ]*") "$1"
		for name in modprobe insmod rmmod; do ln -s /usr/bin/kmod "$1/bin/$name"; done' sh "$dir/root"
	"$LAB/run/image.sh" "$dir" >/dev/null 2>&1
	D2D_TIMEOUT=180 run_machine "$D2D_KERNEL" install "$dir/initramfs.cpio" "$dir/logs" && return
	grep -h 'lab: ' "$dir/logs/output"
	return 1
}

ktap_begin
"$LAB/build.sh" >"$log" 2>&1 || { cat "$log" && exit 1; }

updates=./lib/modules/$KVER/updates
mkdir "$dir/root" "$dir/to" "$dir/fails"
expect "modules_install installs the pair and no other module" make_leaves modules_install "$dir/root" "$updates"/module_{a,b}.ko
expect "modules_install replaces what is installed" make_leaves modules_install "$dir/root" "$updates"/module_{a,b}.ko
cp -r "$dir/root" "$dir/again"
expect "modules_uninstall leaves nothing" removes "$dir/again"
cp -r "$dir/root" "$dir/shared"
touch "$dir/shared/$updates/other.ko.xz" "$dir/shared/lib/modules/$KVER/modules.order"
expect "modules_uninstall leaves what others have installed" make_leaves modules_uninstall "$dir/shared" "$updates/other.ko.xz"

mkdir -p "$dir/project/build"
cp -r "$PROJECT"/{Makefile,install} "$dir/project/"
for name in "$KVER" other; do
	mkdir "$dir/project/build/$name"
	cp "$dir/root/$updates"/*.ko "$dir/project/build/$name/"
done
kver='' expect "modules_install with KDIR installs the modules beside the Makefile" installs_by_kdir
printf '#!/bin/sh\necho "depmod: out of memory"; exit 1\n' >"$dir/fails/depmod"
chmod +x "$dir/fails/depmod"
to=INSTALL_MOD_PATH=$dir/to
expect "modules_uninstall is refused if nothing is installed" mistake 'There is nothing to remove: .* has no module_a.ko' modules_uninstall "$to"
expect "modules_install is refused for a kernel that the machine lacks" mistake "There is no kernel .* on this machine" modules_install
expect "modules_install changes nothing if strip fails" mistake 'strip --nosuch failed, nothing .*: strip: unrec' \
	modules_install "$to" INSTALL_MOD_STRIP=--nosuch
failing=y expect "modules_install changes nothing if depmod fails" mistake 'depmod .* failed, nothing .*: depmod: out of memory' \
	modules_install "$to"
kver=other expect "modules_install refuses modules that were built for another kernel" mistake "module_a.ko was built for the kernel ${KVER//+/.}, not for other" \
	modules_install "$to"
kver='' expect "modules_install refuses a KDIR that does not exist" mistake "There is no prepared kernel tree /nosuch: set KDIR" \
	modules_install "$to" KDIR=/nosuch
mkdir -p "$dir/to/$updates"
echo old | tee "$dir/to/$updates/module_a.ko" >"$dir/to/$updates/module_b.ko"
failing=y expect "modules_install leaves the installed modules as they are if depmod fails" mistake 'depmod .* failed, nothing .*: depmod: out of memory' \
	modules_install "$to"
failing=y expect "modules_uninstall removes nothing if depmod fails" mistake 'depmod .* failed, nothing .*: depmod: out of memory' \
	modules_uninstall "$to"
expect "modules_install is refused if INSTALL_MOD_PATH is a file" mistake "Cannot write to .*/module_a.ko/lib" \
	modules_install INSTALL_MOD_PATH="$dir/to/$updates/module_a.ko"
rm "$dir/project/build/$KVER/module_b.ko"
expect "modules_install is refused if a module is not built" mistake 'There is no .*/module_b.ko: build the modules first' modules_install "$to"

mkdir -p "$dir"/drivers/{c,rust,pair/src,sensor} "$dir/prefix"
expect "install-dev installs the library" dev install-dev
cp "$PROJECT/selftests/peers/c_peer.c" "$dir/drivers/c/my_driver.c"
recipe 1 install.md >"$dir/drivers/c/Kbuild"
sed 's/\<module_b\>/meter/g' "$PROJECT/module_b/module_b.rs" >"$dir/drivers/rust/meter_main.rs"
recipe 2 install.md >"$dir/drivers/rust/Kbuild"
cp "$PROJECT"/examples/sensor/*.rs "$dir/drivers/pair/src/"
recipe 3 install.md >"$dir/drivers/pair/Kbuild"
expect "a driver in C is built outside of the project" builds c
expect "a driver in Rust is built outside of the project" builds rust
expect "a pair in Rust, owner and peer, is built outside of the project" builds pair
given=(PAIR=gauge A=gauged B=gaugectl)
sed 's/\<c_sensor/my_sensor/g' "$PROJECT/selftests/peers/c_sensor.c" >"$dir/drivers/sensor/my_sensor.c"
recipe 4 install.md >"$dir/drivers/sensor/Kbuild"
expect "a peer in C of that pair is built outside of the project, with its generated header" builds sensor PAIR=/mnt/pair
LANG=c OWNER=c expect "make new writes a pair in Rust, whatever LANG and OWNER are in the environment" \
	writes "$dir/drivers/own/src/gaugectl.rs" "${given[@]}" DIR="$dir/drivers/own"
expect "make new LANG=c OWNER=rust writes a pair with its peer in C" \
	writes "$dir/peer-in-c/src/gaugectl.c" "${given[@]}" LANG=c OWNER=rust DIR="$dir/peer-in-c"
expect "make new OWNER=c writes a pair with its owner in C" writes "$dir/owner-in-c/src/gauged.c" "${given[@]}" OWNER=c DIR="$dir/owner-in-c"
expect "make new LANG=c writes a pair in C" writes "$dir/in-c/src/gauged.c" "${given[@]}" LANG=c DIR="$dir/in-c"
expect "the new pair is built outside of the project" builds own
expect "the sources of modules in two roles are written" writes_roles
recipe 2 guide.md >"$dir/drivers/roles/Kbuild"
expect "a module in two roles is built outside of the project" builds roles GAUGE=/mnt/own
recipe 3 guide.md >"$dir/drivers/roles/Kbuild"
expect "a peer of two owners is built outside of the project" builds roles GAUGE=/mnt/own ALARM=/mnt/alarm
to=DIR=$dir/to/own
expect "make new without A is refused" new_mistake 'A is missing' PAIR=gauge B=gaugectl "$to"
expect "make new with an empty A is refused" new_mistake 'A is empty' PAIR=gauge A= B=gaugectl "$to"
expect "make new without DIR is refused" new_mistake 'DIR is missing' "${given[@]}"
for name in Gauge 1gauge gauge-d gauge__d gauge_; do
	expect "make new refuses the name $name for a module" new_mistake "A='$name' is no name of a module" PAIR=gauge A="$name" B=gaugectl "$to"
done
expect "make new refuses the name Gauge for a pair" new_mistake "PAIR='Gauge' is no name" PAIR=Gauge A=gauged B=gaugectl "$to"
expect "make new refuses a name that is too long" new_mistake "is too long" PAIR=gauge A=gauge_with_more_than_31_characters B=gaugectl "$to"
for name in kernel match module_a sensor listener timer beat zero ptmx; do
	expect "make new refuses the name $name, which something else has" new_mistake "B='$name' is the name of something else" PAIR=gauge A=gauged B="$name" "$to"
done
for name in C cobol ''; do
	expect "make new refuses LANG='$name'" new_mistake "LANG, the language of the peer, is rust or c, not '$name'" \
		"${given[@]}" "$to" LANG="$name"
	expect "make new refuses OWNER='$name'" new_mistake "OWNER, the language of the owner, is rust or c, not '$name'" \
		"${given[@]}" "$to" OWNER="$name"
done
expect "make new refuses an A and a B that are too similar" new_mistake 'too similar' PAIR=gauge A=gauge1 B=gauge_1 "$to"
expect "make new refuses the name of the pair's interface for a module" new_mistake "'gauge_pair' is the name of the pair's interface" PAIR=gauge A=gauge_pair B=gaugectl "$to"
expect "make new refuses a DIR that exists" new_mistake 'exists already' "${given[@]}" DIR="$dir/to"
expect "make new refuses a DIR whose parent does not exist" new_mistake 'its parent is missing' "${given[@]}" DIR="$dir/to/nosuch/own"
expect "make new refuses a DIR that Kbuild cannot read" new_mistake 'Kbuild allows no blank' "${given[@]}" DIR="$dir/to/o:n"
expect "make test PAIR=DIR builds the new pair and runs its test" tests_pair test 6 "$dir/drivers/own"
expect "make sweep PAIR=DIR makes each allocation fail" tests_pair sweep 7 "$dir/drivers/own"
expect "make torture PAIR=DIR loads, uses and unloads the pair, and reports a use that never succeeds" torture_reports "$dir/drivers/own"
expect "make torture PAIR=DIR refuses SEED" pair_mistake 'with PAIR, make torture takes no SEED' torture PAIR="$dir/drivers/own" SEED=1
expect "make sweep without PAIR is refused" pair_mistake 'sweep needs PAIR=DIR' sweep
expect "make test PAIR=DIR is refused if DIR has no pair" pair_mistake "has no Kbuild: 'make new' writes" test PAIR="$dir/to"
expect "make test PAIR=DIR refuses CASE" pair_mistake 'with PAIR, make test takes no CASE' test PAIR="$dir/drivers/own" CASE=jobs.sh
printf '#!/bin/sh\nrmmod gauged\n' >"$dir/in-c/remove"
chmod +x "$dir/in-c/remove"
# shellcheck disable=SC2016 # expanded in the guest
sed -i 's|rmmod gauged$|"$(dirname "$0")/remove"|' "$dir/in-c/test.sh"
expect "make test PAIR=DIR tests a pair in C whose test calls a program of the pair" tests_pair test 6 "$dir/in-c"
expect "make sweep PAIR=DIR makes each allocation of a pair in C fail" tests_pair sweep 7 "$dir/in-c"
expect "make test PAIR=DIR tests a pair with its owner in C" tests_pair test 6 "$dir/owner-in-c"
expect "make run PAIR=DIR loads, uses and unloads a pair with its peer in C, and shows its trace" runs_pair "$dir/peer-in-c"
expect "make run PAIR=DIR refuses a parameter that the owner lacks" pair_mistake "^image: gauged has no parameter 'nosuch'$" \
	run PAIR="$dir/in-c" A_PARAMS=nosuch=1
expect "make test PAIR=DIR reports a case that fails, and fails" failing_pair_fails "$dir/in-c"
expect "make run PAIR=DIR is refused if DIR has no pair" pair_mistake "has no Kbuild: 'make new' writes" run PAIR="$dir/to"
expect "the mode bench refuses PAIR" refused 'PAIR is for make run, trace, test, torture, sweep and shell' \
	env PAIR="$dir/drivers/own" "$LAB/vm.sh" bench
expect "the driver in Rust has the build ID of the project" \
	cmp {"$PROJECT/build/$KVER","$dir/drivers/rust"}/shared/d2d_abi.rs
expect "a driver does not build if the library's symbols for the kernel are not installed" no_symbols
expect "a pair does not build if the library is not installed" no_library
mkdir "$dir/to/share"
expect "install-dev is refused if the modules are not built" mistake 'There is no .*/Module.symvers with module_a: build the modules first' \
	install-dev "PREFIX=$dir/to"
expect "install-dev refuses a PREFIX that is not absolute" mistake "PREFIX is an absolute path, not 'usr'" install-dev PREFIX=usr
expect "uninstall-dev is refused if the library is not installed" mistake 'There is nothing to remove: there is no .*/share/beyond-irps' \
	uninstall-dev "PREFIX=$dir/to"
expect "modprobe loads and removes both modules, and drivers that were built outside of the project attach" boots
expect "dkms builds, signs and installs the pair" dkms_installs
expect "dkms removes the pair" dkms_removes
expect "uninstall-dev removes the library" dev uninstall-dev
expect "uninstall-dev leaves nothing of the library" [ ! -e "$dir/prefix/share" ]
ktap_end
