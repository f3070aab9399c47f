#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# mmdebstrap's set-up hook, run while the new root holds nothing but apt's
# configuration: adds backports, found where the suite itself was found, and resolves the
# kernel, so that what cannot work is refused before the packages are fetched.
# Usage: archive.sh ROOT SUITE OUT [KVER]
set -euo pipefail

root=$1
suite=$2
shift 2

# Both formats in which apt's sources are written
cd "$root/etc/apt"
if [ -s sources.list ]; then
	sed -nE "s/^(deb .*) $suite main/\1 $suite-backports main/p" sources.list >sources.list.d/backports.list
else
	sed -E "s/^Suites:.*/Suites: $suite-backports/" sources.list.d/*.sources | sed '/^$/,$d' >sources.list.d/backports.sources
fi

export APT_CONFIG=$MMDEBSTRAP_APT_CONFIG
apt-get -q -o APT::Update::Error-Mode=any update
"$(dirname "$0")/../kernel/resolve.sh" "$@"
