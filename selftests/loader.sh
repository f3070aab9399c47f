#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The kernel's module loader refuses a module that no trusted key has signed, and a peer that was built for another
# version of its owner's table. The kernel must enforce signatures and have CONFIG_MODVERSIONS (qemu/tests/strict.sh).
# module_a and module_b are in each of these folders of /lib/signing:
#
#   signed      signed as docs/install.md says, by a key that the kernel trusts
#   other_key   signed by a key that the kernel does not trust
#   unsigned    without a signature
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

SIGNING=/lib/signing

fresh_none()
{
	unload_all
	reset_trace
}

fresh_with()
{
	fresh_none
	load "$1"
}

# only_kernel_logged REGEX - succeeds if the kernel log has a matching line, and the trace is empty
only_kernel_logged()
{
	log_lines "$1" | grep -q . && ! trace | grep .
}

is_refused()
{
	D2D_MODULES=$SIGNING/$1
	fails EKEYREJECTED load module_a && ! loaded module_a && only_kernel_logged "Loading of $2 is rejected"
}

# module_b_works - module_b attaches to the loaded owner, which exports module_a_d2d but need not be module_a
module_b_works()
{
	load module_b && traced "step=attached to=module_b" && exercise module_b && unload module_b
}

module_b_is_refused()
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
verdict "modules that are signed by a key that the kernel trusts can be loaded"

fresh_none
is_refused unsigned "unsigned module"
verdict "a module that is not signed: EKEYREJECTED"

fresh_none
is_refused other_key "module with unavailable key"
verdict "a module that is signed by a key that the kernel does not trust: EKEYREJECTED"
D2D_MODULES=

fresh_with owner_appended
module_b_works
verdict "a function was appended to the owner's table: a peer that was built earlier works"

for owner in owner_major owner_signature; do
	fresh_with "$owner"
	module_b_is_refused
	verdict "$owner: the loader refuses a peer that was built for another version of the owner's table: EINVAL"
done
unload_all
ktap_finished
