#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Real drivers that were built with another version of the boundary or of the
# pair's interfaces: what is compatible works, all else is refused by name.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

start 8
load module_a

mark
load skew_older && trace | grep -q "step=attached to=skew_older"
verdict "an older, shorter table is attached, and its calls work"
trace | grep -q "step=op-return from=peer op=ping" && trace | grep -q "step=op-return errno=-$EOPNOTSUPP "
verdict "an operation that it does not have is unsupported (EOPNOTSUPP), and not called"
unload skew_older

mark
load skew_newer && trace | grep -q "step=op-return from=peer op=bounce" && unload skew_newer
verdict "a newer, longer table is attached, and its calls work"

# Refused by the driver, which looks at the owner's table first. MODULE REASON ERRNO
while read -r module reason errno; do
	mark
	fails "$errno" load "$module" && ! loaded "$module" && refused "$module" "$reason"
	verdict "$module"
done <<EOT
skew_reordered bad-prefix EBADR
skew_signature bad-prefix EBADR
skew_major bad-ops-major EPROTO
skew_build bad-build EXDEV
EOT

mark
fails EBADE load skew_core && ! loaded skew_core && refused module_a bad-layout
verdict "skew_core"

unload module_a
ktap_finished
