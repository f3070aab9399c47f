#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Shows that the tests can fail. Each mutant of selftests/mutants/ breaks one thing in a copy of the project. The result
# of a mutant is "ok" if a test fails in the copy for the reason that the mutant names. Otherwise the result is "not
# ok": for example, no test fails, the mutant does not apply, or the copy does not compile although it should. Prints
# KTAP, and last a line of counts.
# Usage: mutants.sh [NAME...]
#
# A mutant begins with a line that says what it breaks. Then come two lines:
#   boot: KERNEL SCENARIO SECONDS REASON    a boot that must fail for REASON (run/boots.sh explains the fields)
#   modules: NAME...                        the modules that the scenario needs; no others are built
# A mutant whose test is a compilation has one of these lines instead:
#   accepted: DRIVER REASON                 Without the mutant, the compiler refuses the hostile driver DRIVER
#                                           (selftests/misbehaving/hostile/refused/). With the mutant, the compiler
#                                           accepts DRIVER. check/compile-hostile.sh must report the missing error in a
#                                           line that begins with a match of REASON, a regular expression.
#   uncompiled: MODULE REASON               The build of MODULE must fail, and print a match of REASON, a regular
#                                           expression.
# The changes follow; qemu/mutate/main.rs explains their form.
# mutants.sh keeps the copies of the project (build/mutants/0 and 1). So make compiles only what the next mutant
# changes.
#
# Environment:
#   CI  if CI is set and no NAME is given, the script runs a sixth of the mutants (ci_share)
#
# At the end, diagnostic lines give the CPU time of all builds and of all boots, and the 15 mutants that took most CPU
# time. (The wall time of a mutant depends on the mutants that run beside it.) build/mutants/times has the CPU time of
# each mutant.
. "$(dirname "$0")/lib/lab.sh"
. "$(dirname "$0")/lib/ktap.sh"
# A mutant may make its virtual machine hang. This machine then runs until its time limit, but uses little CPU time. So
# run five mutants at a time, more than there are CPUs.
# shellcheck disable=SC2034 # a variable of lib/background.sh
free_slots=(0 1 2 3 4)

only_x86_64 "make mutants"
mapfile -t names < <(
	if [ $# -gt 0 ]; then
		printf '%s\n' "$@"
	else
		# Sort the mutants by the first file that they change. Then the mutants of one crate follow each other.
		# So make seldom compiles the other crates and the peers again.
		cd "$PROJECT/selftests/mutants" || exit
		for name in *.mutant; do
			echo "$(grep -m 1 '^file: ' "$name") ${name%.mutant}"
		done | sort | sed 's/.* //' | ci_share 6
	fi
)
for name in "${names[@]}"; do
	[ -e "$PROJECT/selftests/mutants/$name.mutant" ] || die "there is no mutant '$name' in selftests/mutants"
done
# Each mutant names its kernel. With KERNEL set, run/boots.sh would ignore the boot line of a mutant for another kernel.
unset KERNEL
# Give all mutants the same build ID. Otherwise each change in shared/ would change the build ID, and make would compile
# every module again (shared/library.mk).
export D2D_BUILD_ID=1

D2D_ROOT=$("$LAB/root/root.sh")
export D2D_ROOT
tool=$("$LAB/root/tools.sh" mutate)
need_cache
hold "$CACHE/lock/mutants-$(key "$PROJECT")"
copies=$PROJECT/build/mutants
mkdir -p "$copies"
: >"$copies/times"

# add_time COLUMN - adds a CPU time to times[COLUMN], in 1/100 s. It is the time that this process's children have used
# since the last call of add_time
add_time() {
	cpu_time
	# shellcheck disable=SC2154 # $cpu_time is a variable of lib/background.sh
	times[$1]=$((${times[$1]-0} + cpu_time - ${time_before-0}))
	time_before=$cpu_time
}

# compiler_accepts COPY DRIVER REASON - runs check/compile-hostile.sh in the copy. It must print that an expected error
# is missing, in a line that begins with a match of REASON. If there is no such line, prints the output
compiler_accepts() {
	local output
	output=$(D2D_ONLY=module_a "$1/qemu/build.sh" 2>&1) || { echo "$output" && return; }
	. "$(kernel_dir stock)/kernel.env"
	output=$("$LAB/enter.sh" "$1/qemu/check/compile-hostile.sh" "$1/build/$KVER" \
		"$1/selftests/misbehaving/hostile/refused/$2.rs") || :
	grep -qE "^($3)" <<<"$output" || echo "compile-hostile.sh printed no line that matches '$3': $output"
}

# compiler_refuses COPY MODULE REASON - builds a module in the copy, which must fail with output that matches REASON.
# If the build succeeds, or its output does not match, prints what is wrong
compiler_refuses() {
	local output
	if output=$(D2D_ONLY=$2 "$1/qemu/build.sh" 2>&1); then
		echo "the compiler accepts the mutant"
	else
		grep -qE "$3" <<<"$output" || echo "the compiler printed no line that matches '$3': $output"
	fi
}

# take_copy NUMBER... - waits until one of these copies of the project is free. Locks this copy, and sets $copy to its
# path
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

# mutate NAME - applies one mutant and runs its test. If the test does not fail for the reason that the mutant names,
# prints what is wrong
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
	# Most mutants run on User-Mode Linux. All others use copy 0, so copy 1 need not be built for their kernels.
	if [ "$kernel" = uml ]; then
		take_copy 1 0
	else
		take_copy 0
	fi
	# rsync restores the files that the last mutant has changed. rsync finds these files by their contents, and
	# gives them the present time. So make compiles them again.
	"$LAB/enter.sh" sh -ec '
		rsync -rlp --checksum --delete --exclude=/build --exclude=/.git "$1/" "$2"
		cd "$2"
		"$3" "$4"' sh "$PROJECT" "$copy" "$tool" "$mutant" 2>&1 || { echo "the mutant does not apply" && return; }
	# Compile crates in parts, except for the sanitizer kernel. If a crate is compiled in parts, a
	# relocation in its module_init() cannot reach the addresses at which that kernel puts modules.
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
		# Release the copy: make can compile the next mutant in it while this one runs.
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
