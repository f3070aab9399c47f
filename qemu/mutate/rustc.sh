#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Kbuild calls this script instead of rustc when it builds a mutant. Two mutants differ by a few lines, so the
# script compiles incrementally. Then rustc writes a crate in parts. Kbuild expects one object, so the script links the
# parts.
set -euo pipefail

object='' crate='' before=''
for argument; do
	case $argument in
	--emit=obj=*) object=${argument#--emit=obj=} ;;
	*.rs) crate=${crate:-$(basename "$argument" .rs)} ;;
	esac
	[ "$before" != --crate-name ] || crate=$argument
	before=$argument
done
[ -n "$object" ] || exec rustc "$@"

# rustc names the parts CRATE.HASH.rcgu.o. If there is only one, rustc writes the object itself.
stem=$(dirname "$object")/$crate
rm -f "$stem".*.rcgu.o
rustc "$@" -Cincremental="$object.incremental" -Ccodegen-units=16
shopt -s nullglob
set -- "$stem".*.rcgu.o
[ $# -eq 0 ] || "${LD:?is not set}" -r -o "$object" "$@"
