#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Shows that the guard (bench-check.sh) can fail: compares the figures of bench-check.sh with altered records.
. "$(dirname "$0")/../lib/lab.sh"

run=$PROJECT/build/bench-check/icount
[ -e "$run/sizes" ] || die "there are no figures to compare: 'make bench-check' measures them"
D2D_ROOT=$("$LAB/root/root.sh")
export D2D_ROOT
tool=("$LAB/enter.sh" "$("$LAB/root/tools.sh" bench)")
dir=$(mktemp -d "$PROJECT/build/bench-check.XXXXXX")
trap 'rm -rf "$dir"' EXIT
log=$dir/log

# guard PASSED RECORD - compares the run with a record; exactly PASSED contenders must pass, and all others must fail
guard() {
	local rc=0
	"${tool[@]}" guard "$2" "$run" >"$dir/output" || rc=$?
	cat "$dir/output"
	[ "$(grep -c '^ok ' "$dir/output")" -eq "$1" ] && [ "$(grep -c '^not ok ' "$dir/output")" -eq $((contenders - $1)) ] &&
		[ "$rc" -eq $(($1 < contenders)) ]
}

# lower PERCENT - makes a record whose figures are PERCENT lower
lower() {
	awk -F '\t' -v OFS='\t' -v by="$1" 'NF == 5 { $4 *= 1 - by / 100; $5 *= 1 - by / 100 } 1' "$dir/record" >"$dir/lower"
}

"${tool[@]}" record "$run" >"$dir/record"
contenders=$("${tool[@]}" guard "$dir/record" "$run" | grep -c '^ok ') || die "the guard compares nothing"

. "$(dirname "$0")/../lib/ktap.sh"
ktap_begin
expect "figures equal to the record pass" guard "$contenders" "$dir/record"
# 1/0.975 is 1.026: the figures are 2.6 percent higher than this record.
lower 2.5
expect "figures 2.6 percent above the record pass" guard "$contenders" "$dir/lower"
lower 4
expect "figures 4.2 percent above the record fail" guard 0 "$dir/lower"
grep -v '^request	' "$dir/record" >"$dir/less"
recorded=$((contenders - $(grep -c '^request	' "$dir/record")))
expect "an operation that the record lacks fails" guard "$recorded" "$dir/less"
expect "the message for such an operation says how to record it" grep -qF "'make bench' records it" "$dir/output"
ktap_end
