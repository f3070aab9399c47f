#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Shows that the tests can fail: on each mutant, a test must fail for the reason that the mutant names.
# Usage: mutants.sh [NAME...]
#
# The first line of a mutant says what it breaks. Then come two lines:
#   boot: KERNEL SCENARIO SECONDS REASON    a boot that must fail for REASON (see run/boots.sh)
#   modules: NAME...                        the modules to build
# A mutant whose test is a compilation has one of the lines below instead of these two. REASON is a regular expression.
#   accepted: DRIVER REASON                 The compiler refuses DRIVER of selftests/misbehaving/hostile/refused/, but
#                                           accepts it with the mutant. check/compile-hostile.sh must report the missing
#                                           error in a line that begins with REASON.
#   uncompiled: MODULE REASON               The build of MODULE must fail, and print REASON.
# The changes follow, in the form that qemu/mutate/main.rs explains.
#
# Environment:
#   CI  if CI is set and no NAME is given, run a sixth of the mutants (ci_share)
#
# build/mutants/times has the CPU time of each mutant: wall time would depend on the mutants that run beside it.
. "$(dirname "$0")/lib/lab.sh"
. "$(dirname "$0")/lib/ktap.sh"
# A hanging virtual machine uses little CPU time, so run more mutants than there are CPUs.
# shellcheck disable=SC2034 # a variable of lib/background.sh
free_slots=(0 1 2 3 4)

only_x86_64 "make mutants"
mapfile -t names < <(
	if [ $# -gt 0 ]; then
		printf '%s\n' "$@"
	else
		# Sort the mutants by the first file that they change, so that successive mutants change the same crate.
		cd "$PROJECT/selftests/mutants" || exit
		for name in *.mutant; do
			echo "$(grep -m 1 '^file: ' "$name") ${name%.mutant}"
		done | sort | sed 's/.* //' | ci_share 6
	fi
)
for name in "${names[@]}"; do
	[ -e "$PROJECT/selftests/mutants/$name.mutant" ] || die "there is no mutant '$name' in selftests/mutants"
done
# run/boots.sh ignores the boot lines of other kernels than KERNEL.
unset KERNEL
# Without a fixed build ID, each change in shared/ compiles every module again (shared/library.mk).
export D2D_BUILD_ID=1

D2D_ROOT=$("$LAB/root/root.sh")
export D2D_ROOT
tool=$("$LAB/root/tools.sh" mutate)
need_cache
hold "$CACHE/lock/mutants-$(key "$PROJECT")"
copies=$PROJECT/build/mutants
mkdir -p "$copies"
: >"$copies/times"

# add_time COLUMN - adds to times[COLUMN] the CPU time, in 1/100 s, of the children that have ended since the last call
add_time() {
	cpu_time
	# shellcheck disable=SC2154 # $cpu_time is a variable of lib/background.sh
	times[$1]=$((${times[$1]-0} + cpu_time - ${time_before-0}))
	time_before=$cpu_time
}

# compiler_accepts COPY DRIVER REASON - runs check/compile-hostile.sh. Prints what is wrong unless a line of its output
# begins with REASON
compiler_accepts() {
	local output
	output=$(D2D_ONLY=module_a "$1/qemu/build.sh" 2>&1) || { echo "$output" && return; }
	. "$(kernel_dir stock)/kernel.env"
	output=$("$LAB/enter.sh" "$1/qemu/check/compile-hostile.sh" "$1/build/$KVER" \
		"$1/selftests/misbehaving/hostile/refused/$2.rs") || :
	grep -qE "^($3)" <<<"$output" || echo "compile-hostile.sh printed no line that matches '$3': $output"
}

# compiler_refuses COPY MODULE REASON - builds MODULE; prints what is wrong unless the build fails and prints REASON
compiler_refuses() {
	local output
	if output=$(D2D_ONLY=$2 "$1/qemu/build.sh" 2>&1); then
		echo "the compiler accepts the mutant"
	else
		grep -qE "$3" <<<"$output" || echo "the compiler printed no line that matches '$3': $output"
	fi
}

# take_copy NUMBER... - waits until one of these copies is free, locks it, and sets $copy to its path
take_copy() {
	local number
	while :; do
		for number; do
			exec {copy_lock}>"$copies/$number.lock"
			if flock -n "$copy_lock"; then
				copy=$copies/$number
				mkdir -p "$copy/build"
				return
			fi
			exec {copy_lock}>&-
		done
		sleep 0.2
	done
}

# timed_mutate NAME - calls mutate, and adds a line to $copies/times: CPU time of the build, CPU time of the boot, NAME
timed_mutate() {
	local times=(0 0)
	mutate "$1"
	add_time 1
	echo "${times[*]} $1" >>"$copies/times"
}

# mutate NAME - applies one mutant and runs its test. Prints what is wrong unless the test fails for the mutant's reason
mutate() {
	local mutant=$PROJECT/selftests/mutants/$1.mutant boot modules accepted uncompiled kernel images output
	boot=$(sed -n 's/^boot: //p' "$mutant")
	modules=$(sed -n 's/^modules: //p' "$mutant")
	accepted=$(sed -n 's/^accepted: //p' "$mutant")
	uncompiled=$(sed -n 's/^uncompiled: //p' "$mutant")
	if [ -z "$accepted$uncompiled" ] && { [ -z "$boot" ] || [ -z "$modules" ]; }; then
		echo "$mutant lacks 'boot: ...' or 'modules: ...', and has neither 'accepted: ...' nor 'uncompiled: ...'"
		return
	fi
	kernel=${boot%% *}
	# Most mutants run on User-Mode Linux. Only they may use copy 1, so copy 1 needs no build for another kernel.
	if [ "$kernel" = uml ]; then
		take_copy 1 0
	else
		take_copy 0
	fi
	# Restore the files that the last mutant has changed. rsync gives them the present time, so make compiles them.
	"$LAB/enter.sh" sh -ec '
		rsync -rlp --checksum --delete --exclude=/build --exclude=/.git "$1/" "$2"
		cd "$2"
		"$3" "$4"' sh "$PROJECT" "$copy" "$tool" "$mutant" 2>&1 || { echo "the mutant does not apply" && return; }
	# On the sanitizer kernel, a relocation in a crate compiled in parts cannot reach the addresses of modules.
	local -x D2D_INCREMENTAL=y
	[ "$kernel" != sanitizer ] || D2D_INCREMENTAL=
	if [ -n "$accepted" ]; then
		compiler_accepts "$copy" "${accepted%% *}" "${accepted#* }"
		return
	fi
	if [ -n "$uncompiled" ]; then
		compiler_refuses "$copy" "${uncompiled%% *}" "${uncompiled#* }"
		return
	fi
	images=$(mktemp -d "$copy/build/images.XXXXXX")
	if ! output=$(D2D_KERNEL=$(kernel_dir "$kernel") D2D_ONLY=$modules \
		"$copy/qemu/run/image.sh" "$images/$kernel" --selftests 2>&1); then
		echo "the mutant does not compile: $output"
	else
		add_time 0
		# Let the next mutant compile in the copy while this one runs.
		exec {copy_lock}>&-
		# shellcheck disable=SC2001 # sed works on each line
		output=$(D2D_IMAGES=$images "$LAB/run/boots.sh" - <<<"$boot" 2>&1) || sed 's/^# //' <<<"$output"
	fi
	rm -r "$images"
}

ktap_begin
for name in "${names[@]}"; do
	expect_silence "a test notices the mutant $name" timed_mutate "$name"
done
wait_for_jobs
awk '{ build += $1; boot += $2 }
	END { printf "# CPU time of the builds %d s, of the boots %d s\n", build / 100, boot / 100 }' "$copies/times"
awk '{ printf "# %5.1f s, build %5.1f s, boot %5.1f s: %s\n", ($1 + $2) / 100, $1 / 100, $2 / 100, $3 }' "$copies/times" |
	sort -rnk 2 | head -n 15
ktap_end
