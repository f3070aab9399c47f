#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Prints the directory of Debian's package dkms, unpacked, and fetches it if the cache lacks it. The first toolchain root
# has what dkms needs to run: PATH=$(root/dkms.sh)/usr/sbin:$PATH.
. "$(dirname "$0")/../lib/lab.sh"

root=$("$LAB/root/root.sh")
dkms=$CACHE/dkms-$(key 1 "$(basename "$root")")
# fetch DIR - unpacks the package in DIR
fetch() {
	mkdir "$1"
	D2D_ROOT=$root step "fetch dkms (once)" "10 s" "$CACHE/log/dkms.log" "$LAB/enter.sh" sh -ec '
		cd "$1"
		apt-get -q -o APT::Update::Error-Mode=any update
		apt-get -q -o APT::Sandbox::User=root download dkms
		dpkg-deb -x dkms_*.deb .
		rm dkms_*.deb' sh "$1"
}
cached "$dkms" dkms fetch
echo "$dkms"
