#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Writes a pair of drivers to start from, in a folder of its own: the drivers of examples/metronome/ by other names,
# with a Kbuild, a test, a file `use` for make run, torture and sweep, and a README. If a step fails, it writes nothing.
# docs/guide.md says how to use the pair.
# Usage: new.sh PEER OWNER
# PEER and OWNER are the languages of the two drivers, rust or c. They are not read from the environment, where LANG is
# the language of the user's messages, and OWNER may be anything.
# Environment:
#   PAIR  the pair's name: the crate of its interface is PAIR_pair
#   A, B  the names of the owner's and of the peer's module
#   DIR   the folder, which must not exist yet
set -euo pipefail
export LC_ALL=C

project=$(realpath "$(dirname "$0")/..")
template=$project/examples/metronome

die() {
	echo "new: $*" >&2
	exit 1
}

# camel NAME - prints a name of a module as a name of a type: my_timer becomes MyTimer
camel() {
	sed -E 's/(^|_)([a-z0-9])/\U\2/g' <<<"$1"
}

# taken NAME - whether a module, a crate, a keyword of Rust or a device of the kernel has this name, or the template has
# a type of this name
taken() {
	local type
	type=$(camel "$1")
	case $1 in
	alloc | as | async | await | bindings | box | break | const | continue | core | crate | d2d* | do | dyn | else | enum | extern | \
		false | ffi | fn | for | gen | if | impl | in | kernel | let | loop | macro | macros | match | mod | module_[ab] | move | mut | \
		pin_init* | priv | proc_macro | pub | ref | return | self | static | std | struct | super | test | trait | true | try | type | \
		typeof | uapi | union | unsafe | unsized | use | virtual | where | while | yield | zerocopy*)
		return 0
		;;
	console | full | kmsg | loop* | mem | null | port | ptmx | pts | ram* | random | shm | std* | tty* | urandom | vcs* | zero)
		return 0
		;;
	esac
	[ -e "$project/examples/$1" ] || grep -rqwF --include='*.mk' -e ":= $1" "$project/examples" ||
		grep -rqwF --include='*.rs' -e "$type" -e "name: \"$1\"" "$template"
}

# check_language VARIABLE DRIVER VALUE - dies if VALUE is neither rust nor c
check_language() {
	[ "$3" = rust ] || [ "$3" = c ] || die "$1, the language of the $2, is rust or c, not '$3'"
}

# check_name VARIABLE VALUE - dies if the value cannot be the name of a module
check_name() {
	[ -n "$2" ] || die "$1 is missing: make new PAIR=gauge A=gauged B=gaugectl DIR=../gauge"
	[[ $2 =~ ^[a-z][a-z0-9]*(_[a-z0-9]+)*$ ]] ||
		die "$1='$2' is no name of a module: lower-case letters, digits and single underscores, and first a letter"
	# D2D_NAME_SIZE of d2d.h, minus 1 for the NUL
	[ "${#2}" -le 31 ] || die "$1='$2' is too long: a driver's name has at most 31 characters"
	! taken "$2" || die "$1='$2' is the name of something else already"
}

peer_language=$1 owner_language=$2
check_language LANG peer "$peer_language"
check_language OWNER owner "$owner_language"
check_name PAIR "${PAIR-}"
check_name A "${A-}"
check_name B "${B-}"
[ "$(camel "$A")" != "$(camel "$B")" ] || die "A='$A' and B='$B' are too similar: their types have the same name"
for name in "$A" "$B"; do
	[ "$name" != "${PAIR}_pair" ] || die "'$name' is the name of the pair's interface: choose another for the module"
done
[ -n "${DIR-}" ] || die "DIR is missing: the folder to write the pair to"
dir=$(realpath -m -- "$DIR")
case $dir in
*[[:space:]:%]*) die "Kbuild allows no blank, colon or percent sign in a path: DIR is '$dir'" ;;
esac
[ ! -e "$dir" ] || die "DIR='$dir' exists already"
stage=$(mktemp -d -- "$dir.XXXXXX" 2>/dev/null) || die "cannot make the folder $dir: its parent is missing or read-only"
trap 'rm -rf -- "$stage"' EXIT

# renamed FILE - prints a file of the template, with the names of the pair
renamed() {
	# In two steps, because a new name may contain an old one.
	sed -e 's/metronome_pair/@1@/g; s/MetronomePair/@2@/g; s/\(c_\)\?metronome/@3@/g; s/Metronome/@4@/g' \
		-e 's/METRONOME_PAIR/@7@/g; s/\(c_\)\?listener/@5@/g; s/Listener/@6@/g' \
		-e "s/@1@/${PAIR}_pair/g; s/@2@/$(camel "$PAIR")Pair/g; s/@3@/$A/g; s/@4@/$(camel "$A")/g" \
		-e "s/@5@/$B/g; s/@6@/$(camel "$B")/g; s/@7@/${PAIR^^}_PAIR/g" "$template/$1"
}

# write_driver ROLE LANGUAGE FILE NAME - writes the source of the driver NAME, from FILE of the template in this
# language. Prints the line of the Kbuild that names the driver. Needs the &&, because bash ignores set -e inside $(...)
write_driver() {
	case $2 in
	rust)
		renamed "$3.rs" >"$stage/src/$4.rs" && echo "pair-$1 := $4"
		;;
	c)
		renamed "c_$3.c" >"$stage/src/$4.c" && echo "pair-c-$1 := $4"
		;;
	esac
}

mkdir "$stage/src"
renamed metronome_pair.rs >"$stage/src/${PAIR}_pair.rs"
owner_line=$(write_driver owner "$owner_language" metronome "$A")
peer_line=$(write_driver peer "$peer_language" listener "$B")
header="the build makes the header \`${PAIR}_pair.h\`, which a driver in C includes, from \`src/${PAIR}_pair.rs\`."
case $owner_language,$peer_language in
rust,rust) languages="Both are in Rust." ;;
rust,c) languages="\`$B\` is in C, and \`$A\` is in Rust: $header" ;;
c,rust) languages="\`$A\` is in C, and \`$B\` is in Rust: $header" ;;
c,c) languages="Both are in C: $header" ;;
esac
renamed test.sh >"$stage/test.sh"
chmod +x "$stage/test.sh"
renamed use >"$stage/use"
cat >"$stage/Kbuild" <<KBUILD
# SPDX-License-Identifier: GPL-2.0
# The drivers $A (owner) and $B (peer). D2D is where make install-dev of Beyond IRPs has installed its library.
D2D ?= /usr/local/share/beyond-irps
\$(if \$(wildcard \$(D2D)/rust.mk),,\$(error There is no \$(D2D)/rust.mk: run make install-dev of Beyond IRPs, or set D2D))
include \$(D2D)/rust.mk

pair := src
pair-interface := ${PAIR}_pair
$owner_line
$peer_line
include \$(D2D)/shared/pair.mk
KBUILD
cat >"$stage/README.md" <<README
# The drivers $A and $B

$A is the owner of the context and is loaded first; $B is its peer. \`src/${PAIR}_pair.rs\` is what they have agreed on.
$languages
The drivers are a copy of the example \`metronome\` of Beyond IRPs: the owner's timer puts items on the queue to the peer, in hard
interrupt, and the peer's work item takes them in a kernel worker. Replace that by what your drivers are to do.

In a virtual machine, from the folder of Beyond IRPs:

    make run PAIR=$dir        # loads both, uses them as \`use\` says, and shows their trace
    make test PAIR=$dir       # test.sh
    make torture PAIR=$dir    # loads and unloads both while they are used as \`use\` says
    make sweep PAIR=$dir      # makes each of their allocations fail
    make shell PAIR=$dir

On your own machine, first run make install-dev in the folder of Beyond IRPs. Then, in this folder:

    make -C /lib/modules/\$(uname -r)/build M=\$PWD modules
    sudo ./test.sh
README
chmod 755 "$stage"
mv -T -- "$stage" "$dir"
trap - EXIT
echo "new: $dir has the pair; 'make test PAIR=$dir' builds it and runs its test"
