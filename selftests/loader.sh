#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What the kernel's loader refuses: modules that are not signed by a key which the kernel trusts, and
# peers of another version of the library. The kernel enforces signatures and has CONFIG_MODVERSIONS,
# and /lib/signing has module_a and module_b unsigned, signed as docs/install.md says by a
# key that the kernel trusts, and signed by another key (qemu/tests/strict.sh).
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

SIGNING=/lib/signing

# fresh_none - unloads all drivers and empties the trace
fresh_none()
{
	unload_all
	reset_trace
}

# fresh_owner NAME - the same, and then loads this owner
fresh_owner()
{
	fresh_none
	load "$1"
}

# says TEXT - whether the kernel has said this since the last reset_trace, and the trace has nothing
says()
{
	log_lines "$1" | grep -q . && ! trace | grep .
}

# is_refused FOLDER WHY - whether the kernel refuses module_a of this folder
is_refused()
{
	D2D_MODULES=$SIGNING/$1
	fails EKEYREJECTED load module_a && ! loaded module_a && says "Loading of $2 is rejected"
}

# mixes OWNER - whether module_b, which was built for module_a, is attached to this owner, and the
# two call each other
mixes()
{
	load module_b && traced "step=attached to=module_b" && exercise module_b && unload module_b
}

# another_version - whether the loader refuses module_b
another_version()
{
	fails EINVAL load module_b && ! loaded module_b &&
		log_lines "module_b: disagrees about version of symbol module_a_d2d$" | grep -q . &&
		! trace | grep -q module_b
}

begin 6

fresh_none
D2D_MODULES=$SIGNING/signed
load module_a && load module_b && traced "step=attached to=module_b" && exercise module_b &&
	unload module_b && unload module_a
verdict "modules that are signed by a key of one's own are loaded"

fresh_none
is_refused unsigned "unsigned module"
verdict "a module that is not signed: EKEYREJECTED"

fresh_none
is_refused other_key "module with unavailable key"
verdict "a module that is signed by another key: EKEYREJECTED"
D2D_MODULES=

fresh_owner owner_appended
mixes owner_appended
verdict "a function was appended to the owner's table: a peer that was built before works"

for owner in owner_major owner_signature; do
	fresh_owner "$owner"
	another_version
	verdict "$owner: the loader refuses a peer that was built for another version of the symbol, EINVAL"
done
unload_all
ktap_finished
