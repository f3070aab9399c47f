#!/bin/bash
# Shows that the tests notice: applies each mutant of selftests/mutants/, which breaks one thing, to
# a copy of the project, and expects the suite to go red for the reason that the mutant
# names. A mutant that does not apply any more, or that does not compile, fails. KTAP on stdout, the
# counts last.
# Usage: mutants.sh [NAME...]
#
# A mutant begins with what it breaks, and with two lines:
#   boot: KERNEL SCENARIO SECONDS REASON    which expect.sh explains; the copy's own is asked
#   modules: NAME...                        what the scenario needs of the modules in Rust
# or, for what the compiler has to notice, with one:
#   refused: DRIVER REASON                  a driver of selftests/misbehaving/hostile/refused/, and a
#                                           regular expression for what hostile.sh says then
# Its changes follow, which qemu/mutate/ explains and applies.
# Copies are kept in build/mutants/, so that only what a mutant touches is compiled anew.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/jobs.sh"

mapfile -t names < <(
	if [ $# -gt 0 ]; then
		printf '%s\n' "$@"
	else
		cd "$PROJECT/selftests/mutants" && printf '%s\n' *.mutant | sed 's/\.mutant$//'
	fi
)
for name in "${names[@]}"; do
	[ -e "$PROJECT/selftests/mutants/$name.mutant" ] || die "there is no mutant '$name' in selftests/mutants"
done
# Each mutant names its kernel.
unset KERNEL
# See Kbuild.
export D2D_BUILD_ID=1

D2D_ROOT=$("$LAB/root/root.sh")
export D2D_ROOT
tool=$("$LAB/root/tools.sh" mutate)
need_cache
hold "$CACHE/lock/mutants-$(key "$PROJECT")"
copies=$PROJECT/build/mutants
mkdir -p "$copies"

# not_refused COPY DRIVER REASON - says so if the compiler still refuses a hostile driver, or for another
# reason than it should
not_refused() {
	local said
	said=$(D2D_ONLY=module_a "$1/qemu/build.sh" 2>&1) || { echo "$said" && return; }
	. "$(kernel_dir stock)/kernel.env"
	said=$("$LAB/enter.sh" "$1/qemu/check/hostile.sh" "$1/build/$KVER" \
		"$1/selftests/misbehaving/hostile/refused/$2.rs") || :
	grep -qE "^$3" <<<"$said" || echo "hostile.sh says nothing like '$3': $said"
}

# mutate NAME - one mutant; says what is wrong, or nothing
mutate() {
	local copy=$copies/$SLOT mutant=$PROJECT/selftests/mutants/$1.mutant boot modules refused said
	boot=$(sed -n 's/^boot: //p' "$mutant")
	modules=$(sed -n 's/^modules: //p' "$mutant")
	refused=$(sed -n 's/^refused: //p' "$mutant")
	if [ -z "$refused" ] && { [ -z "$boot" ] || [ -z "$modules" ]; }; then
		echo "$mutant lacks 'boot: ...' or 'modules: ...', and 'refused: ...' as well"
		return
	fi
	mkdir -p "$copy"
	# By content and without times: make has to see what the last mutant has left as changed.
	# shellcheck disable=SC2016 # the inner shell's
	"$LAB/enter.sh" sh -ec '
		rsync -rlp --checksum --delete --exclude=/build --exclude=/.git "$1/" "$2"
		cd "$2"
		"$3" "$4"' \
		sh "$PROJECT" "$copy" "$tool" "$mutant" 2>&1 || { echo "the mutant does not apply" && return; }
	if [ -n "$refused" ]; then
		not_refused "$copy" "${refused%% *}" "${refused#* }"
		return
	fi
	# shellcheck disable=SC2001 # of each line
	said=$(D2D_ONLY=$modules "$copy/qemu/expect.sh" - <<<"$boot" 2>&1) || sed 's/^# //' <<<"$said"
}

echo "TAP version 13"
echo "1..${#names[@]}"
for name in "${names[@]}"; do
	job "mutant $name is killed" mutate "$name"
done
jobs_end
