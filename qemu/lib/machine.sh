# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Starts virtual machines. Source lib/lab.sh first.

D2D_ROOT=$("$LAB/root/root.sh")
export D2D_ROOT
d2d_vm=$("$LAB/root/tools.sh")

# run_machine KERNEL [--icount] MODE INITRAMFS DIR [APPEND...] - runs d2d-vm; vm/main.rs explains the D2D_ variables
run_machine() {
	# shellcheck disable=SC2034 # kernel.env sets KVER and KMAKE, too
	local image=$1/vmlinux options=() KVER KMAKE EXPECT='' APPEND='' name
	. "$1/kernel.env"
	if [ -e "$1/linux" ]; then
		image=$1/linux
		options=(--uml)
	elif [ "$ARCH" != x86_64 ]; then
		options=("--$ARCH")
	fi
	shift
	if [ "$1" = --icount ]; then
		options+=(--icount)
		shift
	fi
	local mode=$1 initramfs=$2 dir=$3
	shift 3
	case $* in
	# A program that runs a single case may leave modules loaded.
	*d2d.case=*:*) EXPECT+=' modules=any' ;;
	esac
	local settings=("D2D_EXPECT=$EXPECT")
	for name in D2D_TIMEOUT D2D_STOP_ON D2D_LOGS D2D_GDB D2D_PLUGIN; do
		[ -z "${!name-}" ] || settings+=("$name=${!name}")
	done
	"$LAB/enter.sh" env "${settings[@]}" "$d2d_vm" "${options[@]}" "$mode" "$image" "$initramfs" "$dir" "$@" \
		${APPEND:+"$APPEND"}
}
