#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Adds the suite's backports to apt's sources, and chooses the kernel (kernel/resolve.sh). mmdebstrap calls this set-up
# hook before it fetches packages, so an unusable kernel is refused at once.
# Usage: archive.sh ROOT SUITE OUT ARCH [KVER]
# ROOT has only apt's configuration yet. resolve.sh explains OUT, ARCH and KVER.
set -euo pipefail

root=$1
suite=$2
out=$3
arch=$4
kver=${5-}

# mmdebstrap writes one of apt's two formats of source lists.
cd "$root/etc/apt"
if [ "$suite" = sid ]; then
	: # Unstable has no backports.
elif [ -s sources.list ]; then
	sed -nE "s/^(deb .*) $suite main/\1 $suite-backports main/p" sources.list >sources.list.d/backports.list
else
	sed -E "s/^Suites:.*/Suites: $suite-backports/" sources.list.d/*.sources | sed '/^$/,$d' >sources.list.d/backports.sources
fi

export APT_CONFIG=$MMDEBSTRAP_APT_CONFIG
if [ "$arch" != amd64 ]; then
	# Only the commands below look for packages of this architecture: mmdebstrap keeps its own configuration.
	mkdir -p "$out"
	{ cat "$MMDEBSTRAP_APT_CONFIG" && echo "APT::Architectures \"amd64,$arch\";"; } >"$out/apt.conf"
	APT_CONFIG=$out/apt.conf
fi
apt-get -q -o APT::Update::Error-Mode=any update
"$(dirname "$0")/../kernel/resolve.sh" "$arch" "$out" "$kver"
