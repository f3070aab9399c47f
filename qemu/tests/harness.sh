#!/bin/bash
# Shows that the harness notices: boots guests to which one thing goes wrong each, and
# expects d2d-vm to fail the run and to say why. What the guest does is in
# qemu/guest/harness.sh under the same name. KTAP on stdout, the counts last.
. "$(dirname "$0")/../lib.sh"

# NAME SECONDS REASON: a regular expression that one of the reasons has to match
cases='
good             60
failing-test     60  test: second
missing-result   60  KTAP: the run: a plan of 2 and 1 results
exit-status      60  result: rc is 3, expected 0
stale-nonce      60  result: nonce is stale
power-off        60  no result line
hang              5  timeout after 5 s
left-over        60  result: modules is 1, expected 0
taint            60  result: taint is 12352, expected 12288
texts            60  console: BUG: KASAN
warn             60  console: WARNING: .*splat_warn
oops             60  console: BUG: kernel NULL pointer dereference
panic            60  console: Kernel panic - not syncing: as asked
sleep_in_atomic  60  console: BUG: scheduling while atomic: insmod
spin             60  console: watchdog: BUG: soft lockup
rcu-stall        60  console: rcu: INFO: rcu_preempt
hung-task        60  console: INFO: task insmod:.* blocked for more than
refcount         60  console: refcount_t: addition on 0
list             60  console: kernel BUG at lib/list_debug.c
slab             60  console: BUG splat .*Objects remaining
'

D2D_KERNEL=${D2D_KERNEL:-$("$LAB/kernel.sh" "${KVER-}")}
D2D_ROOT=$("$LAB/root.sh")
export D2D_KERNEL D2D_ROOT
vm=$("$LAB/tools.sh")
mkdir -p "$PROJECT/build"
dir=$(mktemp -d "$PROJECT/build/harness.XXXXXX")
trap 'rm -rf "$dir"' EXIT
"$LAB/image.sh" "$dir" --selftests

# boot NAME SECONDS REASON - one case; says what is wrong with it, or nothing
boot() {
	local name=$1 seconds=$2 reason=$3 rc=0 said
	mkdir "$dir/$name"
	said=$("$LAB/enter.sh" env D2D_TIMEOUT="$seconds" "$vm" harness "$D2D_KERNEL/vmlinux" \
		"$dir/initramfs.cpio" "$dir/$name" "d2d.case=$name" 2>&1) || rc=$?
	if [ -z "$reason" ]; then
		[ "$rc" -eq 0 ] || echo "the run failed, it should pass: $said"
	elif [ "$rc" -ne 1 ]; then
		echo "d2d-vm ended with $rc, expected 1: $said"
	elif ! grep -qE "^FAIL: $reason" <<<"$said"; then
		echo "none of the reasons is '$reason': $said"
	elif [ "$name" = texts ]; then
		while read -r text; do
			grep -qxF "FAIL: console: $text" <<<"$said" || echo "not found: $text"
		done <"$LAB/guest/texts"
	fi
}

mapfile -t cases < <(sed '/^$/d' <<<"$cases")
declare -A names=()
passed=0 failed=0

# Waits for one of the boots that are under way, and reports it
report() {
	local pid name number
	wait -n -p pid
	name=${names[$pid]}
	number=$((passed + failed + 1))
	if [ -s "$dir/$name.wrong" ]; then
		failed=$((failed + 1))
		sed 's/^/# /' "$dir/$name.wrong"
		echo "not ok $number $name"
	else
		passed=$((passed + 1))
		echo "ok $number $name"
	fi
	unset "names[$pid]"
}

echo "TAP version 13"
echo "1..${#cases[@]}"
for case in "${cases[@]}"; do
	read -r name seconds reason <<<"$case"
	[ "${#names[@]}" -lt 2 ] || report
	boot "$name" "$seconds" "$reason" >"$dir/$name.wrong" &
	names[$!]=$name
done
while [ "${#names[@]}" -gt 0 ]; do
	report
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
