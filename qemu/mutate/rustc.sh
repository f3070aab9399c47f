#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Kbuild calls this script instead of rustc when it builds a mutant. Two mutants differ by a few lines, so the script
# uses rustc's incremental compilation. rustc then compiles a crate in parts, and keeps the parts in
# OBJECT.incremental/. For the next mutant, rustc compiles only the parts that have changed. Kbuild expects one object,
# so the script links the parts into one.
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

# rustc names the parts after the crate, CRATE.HASH.rcgu.o, and writes them beside the object. It writes the object
# itself if the crate has only one part.
stem=$(dirname "$object")/$crate
rm -f "$stem".*.rcgu.o
rustc "$@" -Cincremental="$object.incremental" -Ccodegen-units=16
shopt -s nullglob
set -- "$stem".*.rcgu.o
[ $# -eq 0 ] || "${LD:?is not set}" -r -o "$object" "$@"
