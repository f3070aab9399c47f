#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Installs the package of `make rust-headers` in a copy of the clean root, which stands for a user's machine. In this
# copy, make builds a sample module of the kernel, and dkms builds the pair. A virtual machine loads all three modules.
unset ARCH KERNEL
. "$(dirname "$0")/../lib/lab.sh"

D2D_KERNEL=$(kernel_dir stock)
export D2D_KERNEL
. "$D2D_KERNEL/kernel.env"
. "$LAB/lib/machine.sh"
. "$LAB/lib/dkms.sh"
clean=$("$LAB/root/root-clean.sh" "$KVER")
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"$/\1/p' "$PROJECT/dkms.conf")
mkdir -p "$PROJECT/build"
dir=$(mktemp -d "$PROJECT/build/headers.XXXXXX")
user_root=$CACHE/user-root-$(basename "$dir")
trap 'rm -rf "$dir"; "$LAB/root/remove.sh" "$user_root"' EXIT
log=$dir/log
. "$LAB/lib/ktap.sh"

# Hard links are safe: dpkg and dkms replace a file, and never write to it.
need_space 1 "a copy of the clean root"
"$LAB/root/unshare.sh" -- sh -ec 'cp -al "$1" "$2"
	rm -r "$2/etc" "$2/var"
	cp -a "$1/etc" "$1/var" "$2/"' sh "$clean" "$user_root"

on_machine() {
	D2D_ROOT=$user_root "$LAB/enter.sh" "$@"
}

makes_package() {
	package=$PROJECT/$(make --no-print-directory -C "$PROJECT" rust-headers) && [ -s "$package" ]
}

# builds_sample - builds the kernel's sample as a user does: not as the superuser, and without bindgen
builds_sample() {
	on_machine setpriv --reuid=1000 --regid=1000 --clear-groups --inh-caps=-all \
		make -C "/lib/modules/$KVER/build" M="$dir/sample" BINDGEN=/nosuch modules
}

fails_with() {
	! "${@:2}" >"$dir/output" 2>&1 || { cat "$dir/output" && echo "the command succeeded" && return 1; }
	cat "$dir/output"
	grep -qF -e "$1" "$dir/output"
}

# other_rustc VERSION - installs the package with a copy of dpkg's database in which rustc has VERSION; returns dpkg's
# status
other_rustc() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	on_machine sh -ec 'cp -r /var/lib/dpkg /tmp/dpkg
		sed -i "/^Package: rustc\$/,/^\$/ s/^Version: .*/Version: $2/" /tmp/dpkg/status
		rc=0
		dpkg --admindir=/tmp/dpkg -i "$1" || rc=$?
		dpkg --admindir=/tmp/dpkg -r "$3"
		exit $rc' sh "$package" "$1" "linux-rust-headers-$KVER"
}

upgrade_removes() {
	on_machine apt-get -s install -t trixie-backports rustc >"$dir/output" && cat "$dir/output" &&
		grep -q "^Remv linux-rust-headers-$KVER " "$dir/output"
}

# has_vermagic COUNT PATTERN - succeeds if PATTERN matches COUNT modules, all for the stock kernel
has_vermagic() {
	on_machine sh -c "modinfo -F vermagic $2" >"$dir/output" && cat "$dir/output" &&
		[ "$(wc -l <"$dir/output")" -eq "$1" ] && [ "$(grep -c "^$KVER " "$dir/output")" -eq "$1" ]
}

dkms_installs() {
	dkms_sources "$dir"
	# On a real machine, the package with the kernel's own modules has these two files.
	# shellcheck disable=SC2016 # expanded by the inner shell
	on_machine sh -ec 'cp -r "$1/beyond-irps-$2" /usr/src/; touch "/lib/modules/$3/modules.order" "/lib/modules/$3/modules.builtin"
		dkms install "beyond-irps/$2" -k "$3" || { cat /var/lib/dkms/*/*/build/make.log; exit 1; }' \
		sh "$dir" "$version" "$KVER" && has_vermagic 2 "/lib/modules/$KVER/updates/dkms/module_[ab].ko*"
}

boots() {
	local file
	mkdir -p "$dir/root/lib/outside" "$dir/logs"
	cp "$dir/sample/rust_minimal.ko" "$dir/root/lib/outside/"
	for file in "$user_root/usr/lib/modules/$KVER"/updates/dkms/*.ko*; do
		case $file in
		*.xz) on_machine xz -dc "${file#"$user_root"}" >"$dir/root/lib/outside/$(basename "$file" .xz)" ;;
		*) cp "$file" "$dir/root/lib/outside/" ;;
		esac
	done
	# The guest loads none of image.sh's modules, so build only one.
	D2D_ONLY=module_a "$LAB/run/image.sh" "$dir" >/dev/null 2>&1
	D2D_TIMEOUT=180 run_machine "$D2D_KERNEL" rust-headers "$dir/initramfs.cpio" "$dir/logs" && return
	grep -h 'lab: ' "$dir/logs/output"
	return 1
}

# files - lists the files of $user_root, except the records of tools such as dpkg and depmod
files() {
	(cd "$user_root" && find . ! -path './var/*' ! -path "./usr/lib/modules/$KVER/modules.*" ! -path './etc/ld.so.cache' | sort)
}

removes() {
	on_machine sh -ec 'dkms remove "beyond-irps/$1" --all; rm -r "/usr/src/beyond-irps-$1"
		apt-get -y remove "linux-rust-headers-$2"' sh "$version" "$KVER" && diff "$dir/before" <(files)
}

ktap_begin
mkdir "$dir/sample"
cp "$D2D_KERNEL/tree/samples/rust/rust_minimal.rs" "$dir/sample/"
# This macro includes sources that the kernel's build has generated.
printf '\npub fn warn(cond: bool) -> bool {\n\tkernel::warn_on!(cond)\n}\n' >>"$dir/sample/rust_minimal.rs"
echo 'obj-m := rust_minimal.o' >"$dir/sample/Kbuild"
chmod -R a+rwX "$dir"
# This command makes the mount points of the project and the cache, which must be in the list.
on_machine true
files >"$dir/before"

expect "make rust-headers makes a package" makes_package
echo "# $(($(stat -c %s "$package") / 1000000)) MB"
expect "without the package, make cannot build a sample module in Rust" fails_with "target.json" builds_sample
expect "dpkg refuses the package if the machine has a newer rustc" fails_with "depends on rustc (<< " other_rustc 1.97.1+dfsg1-1
expect "dpkg refuses the package if the machine has an older rustc" fails_with "depends on rustc (>= " other_rustc 1.84.0+dfsg1-1
expect "apt installs the package" on_machine apt-get -y install "$package"
expect "apt removes the package when another rustc is installed" upgrade_removes
expect "with the package, make builds the sample module in Rust" builds_sample
expect "the module that make has built is for the stock kernel" has_vermagic 1 "$dir/sample/rust_minimal.ko"
expect "dkms builds and installs the pair" dkms_installs
expect "the stock kernel loads and unloads the module of make and the pair of dkms" boots
expect "removing the package leaves nothing" removes
ktap_end
