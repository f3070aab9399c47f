#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Installs what a driver outside of this tree is built with, in PREFIX/share/beyond-irps/, or removes it:
#   shared/          the library's headers and sources
#   symvers/RELEASE  the symbols that module_a exports, for each kernel for which it was installed
#   c.mk, rust.mk    what the Kbuild of a driver includes
# If a step fails, what was there before is there again. docs/install.md is for users.
# Usage: dev.sh install-dev|uninstall-dev
# Environment:
#   KVER, KDIR  see modules.sh
#   PREFIX      the folder to install in (default: /usr/local)
#   DESTDIR     the root of the file system to install in (default: /)
. "$(dirname "$0")/lib.sh"

root=${DESTDIR-}
[ -z "$root" ] || root=$(realpath -m -- "$root")
case ${PREFIX:=/usr/local} in
*[[:space:]:%]*) die "Kbuild allows no blank, colon or percent sign in a path: PREFIX is '$PREFIX'" ;;
/*) ;;
*) die "PREFIX is an absolute path, not '$PREFIX'" ;;
esac
share=$root$PREFIX/share
to=$share/beyond-irps

case $1 in
install-dev)
	find_release
	hold_build
	symbols=$(awk '$3 == "module_a"' "$built/Module.symvers" 2>/dev/null) || symbols=
	[ -n "$symbols" ] ||
		die "There is no $built/Module.symvers with module_a: build the modules first, by make with the same KDIR or KVER"
	begin "$share"
	mkdir -- "$stage/beyond-irps" "$stage/beyond-irps/symvers"
	(cd "$PROJECT/shared" && find . -type f \( -name '*.rs' -o -name '*.[ch]' -o -name library.mk -o -name pair.mk \) \
		! -name d2d_abi.rs ! -name '*.mod.c' -exec install -D -m 644 {} "$stage/beyond-irps/shared/{}" \;)
	rm -f "$stage/beyond-irps/shared/pair/d2d_pair.h"
	install -m 644 "$built/shared/pair/d2d_pair.h" "$stage/beyond-irps/shared/include/"
	install -m 644 "$PROJECT"/install/{c,rust}.mk "$stage/beyond-irps/"
	for file in "$to"/symvers/*; do
		[ ! -f "$file" ] || cp -- "$file" "$stage/beyond-irps/symvers/"
	done
	echo "$symbols" >"$stage/beyond-irps/symvers/$release"
	chmod -R u=rwX,go=rX "$stage/beyond-irps"
	new "$to"
	commit
	;;
uninstall-dev)
	[ -d "$to" ] || die "There is nothing to remove: there is no $to"
	begin "$share"
	old "$to"
	commit
	rmdir -p --ignore-fail-on-non-empty -- "$share" 2>/dev/null || :
	;;
*) die "unknown action: $1" ;;
esac
