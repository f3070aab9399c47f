#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# If the suite has backports, adds them to apt's sources, from the mirror of the suite. Then chooses the kernel
# (kernel/resolve.sh). mmdebstrap runs this script as its set-up hook, with the host's programs and in the namespaces of
# unshare.sh. At that time, the directory of the new toolchain root has only apt's configuration. So the script can
# refuse an unusable kernel before mmdebstrap fetches any package.
# Usage: archive.sh ROOT SUITE OUT ARCH [KVER]
# ROOT is the directory of the new toolchain root. resolve.sh explains the other arguments.
set -euo pipefail

root=$1
suite=$2
out=$3
arch=$4
kver=${5-}

# apt has two formats of source lists; mmdebstrap writes one of them.
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
	# The commands below also look for packages of this architecture. So make a second configuration of apt for
	# these commands. mmdebstrap keeps its own configuration: it installs no packages of this architecture in the
	# new root. The lists of this architecture stay in the root until the next update there.
	mkdir -p "$out"
	{ cat "$MMDEBSTRAP_APT_CONFIG" && echo "APT::Architectures \"amd64,$arch\";"; } >"$out/apt.conf"
	APT_CONFIG=$out/apt.conf
fi
apt-get -q -o APT::Update::Error-Mode=any update
"$(dirname "$0")/../kernel/resolve.sh" "$arch" "$out" "$kver"
