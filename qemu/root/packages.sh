#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Prints a directory of the cache with these Debian packages, unpacked. Fetches no dependencies, so NAME... must
# include those that the first root lacks.
# Usage: packages.sh NAME...
. "$(dirname "$0")/../lib/lab.sh"

root=$("$LAB/root/root.sh")
packages=$CACHE/$1-$(key 2 "$(basename "$root")" "$@")
names=("$@")
fetch() {
	mkdir "$1"
	D2D_ROOT=$root step "fetch ${names[*]} (once)" "10 s" "$CACHE/log/packages.log" "$LAB/enter.sh" sh -ec '
		cd "$1"
		shift
		apt-get -q -o APT::Update::Error-Mode=any update
		apt-get -q -o APT::Sandbox::User=root download "$@"
		for deb in *.deb; do
			dpkg-deb -x "$deb" .
			rm "$deb"
		done' sh "$1" "${names[@]}"
}
cached "$packages" packages fetch
echo "$packages"
