#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs kselftests on the strict kernel (kernel/strict.config). This kernel loads a module only if the module is signed
# and its imported symbols have the expected versions. At each indirect call, it checks the type of the function. So
# choose tests whose modules pass structures between Rust and C (versions.sh), or have several roles (bridge.sh,
# chain.sh).
unset ARCH KERNEL MAKELEVEL MAKEFLAGS MFLAGS MAKEOVERRIDES
. "$(dirname "$0")/../lib/lab.sh"

D2D_KERNEL=$(kernel_dir strict)
D2D_ROOT=$("$LAB/root/root.sh")
modules=(module_a module_b c_owner owner_appended owner_major owner_signature splat bad_owner bad_peer c_peer
	growing growing_owner_v1_0 growing_owner_v1_2 growing_owner_c growing_owner_c_v1_1
	growing_c growing_c_v1_1 growing_stale growing_swapped growing_v1_0 growing_v1_1 growing_v1_2 growing_v1_2_data
	skew_older skew_newer skew_reordered skew_signature skew_payload skew_major skew_build_id skew_event skew_core skew_table
	arrivals greeter_peer guest_peer metronome c_metronome listener c_listener device_peer
	ticker_peer sensor loud_sensor c_sensor consumer
	other_a bridge c_bridge junction junction_peer middle c_middle lower1)
D2D_ONLY="${modules[*]}"
export D2D_KERNEL D2D_ROOT D2D_ONLY
. "$D2D_KERNEL/kernel.env"
mkdir -p "$PROJECT/build"
dir=$(mktemp -d "$PROJECT/build/strict.XXXXXX")
trap 'rm -rf "$dir"' EXIT
log=$dir/log
. "$LAB/lib/ktap.sh"

without_llvm() {
	! "$LAB/enter.sh" make --no-print-directory -C "$D2D_KERNEL/tree" M="$PROJECT" MO="$dir/gcc" modules >"$dir/output" 2>&1 || return
	cat "$dir/output"
	grep -q "The kernel $KVER was built by clang, and CC is gcc: give make the argument LLVM=-19" "$dir/output" &&
		! grep -E '^  (CC|RUSTC|BINDGEN) ' "$dir/output"
}

have_versions() {
	awk '$2 ~ /_d2d$/ { print; n++; if ($1 == "0x00000000") bad = 1 } END { exit !n || bad }' "$PROJECT/build/$KVER/Module.symvers"
}

# signing COMMANDS FOLDER - copies the pair to FOLDER, and runs there the commands of docs/install.md, section Signing,
# that match COMMANDS
signing() {
	local in=$dir/strict/root/lib/signing/$2
	mkdir -p "$in/build/$KVER"
	cp "$PROJECT/build/$KVER"/module_{a,b}.ko "$in/build/$KVER/"
	sed -n '/^## Signing$/,/^## /s/^    //p' "$PROJECT/docs/install.md" | grep -E -e "$1" >"$dir/commands"
	cat "$dir/commands"
	# shellcheck disable=SC2016 # expanded by the inner shell
	"$LAB/enter.sh" sh -ec 'mkdir -p /usr/lib/modules; busybox mount -o bind "$1/modules" /usr/lib/modules
		cd "$2"; PATH=$1/bin:$PATH; . "$1/commands"' sh "$dir" "$in" &&
		mv "$in/build/$KVER"/*.ko "$in/" && rm -r "$in/build" && [ -e "$in/key.pem" ] && rm "$in"/key.*
}

# signs_by_trusted_key - signs the pair by the kernel's own key (prepare-built.sh)
signs_by_trusted_key() {
	mkdir -p "$dir/strict/root/lib/signing/signed"
	cp "$D2D_KERNEL"/key.{pem,der} "$dir/strict/root/lib/signing/signed/"
	signing /sign-file signed
}

boot() {
	local output
	output=$(D2D_IMAGES=$dir "$LAB/run/boots.sh" - <<<"$1" 2>&1) || echo "$output"
}

ktap_begin
expect "a build without LLVM= ends with one line" without_llvm
# signing and have_versions need the modules.
"$LAB/build.sh" --selftests >"$log" 2>&1 || { cat "$log" && exit 1; }
expect "each owner's symbol has a version" have_versions

mkdir -p "$dir/modules/$KVER" "$dir/bin" "$dir/strict/root/lib/signing/unsigned"
ln -s "$D2D_KERNEL/tree" "$dir/modules/$KVER/build"
printf '#!/bin/sh\necho "%s"\n' "$KVER" >"$dir/bin/uname"
chmod +x "$dir/bin/uname"
cp "$PROJECT/build/$KVER"/module_{a,b}.ko "$dir/strict/root/lib/signing/unsigned/"
expect "the commands in docs/install.md make a key and sign the pair" signing 'openssl|/sign-file' other_key
expect "the commands in docs/install.md sign the pair by the key that the kernel trusts" signs_by_trusted_key

"$LAB/run/image.sh" "$dir/strict" --selftests
while read -r kernel scenario rest; do
	expect_silence "$kernel $scenario" boot "$kernel $scenario $rest"
done <<'TABLE'
strict test/lifecycle.sh,versions.sh,reload.sh 600
strict test/refusals.sh,jobs.sh,ticks.sh,sensor.sh 600
strict test/bridge.sh,chain.sh:calls?and?items 180
strict test/bridge.sh:c_bridge*calls?and?items 90
strict test/bridge.sh:three?roles?makes?a?call 90
strict test/chain.sh:a?middle?in?C*calls?and?items 90
strict run 90
strict test/loader 180
strict harness/cfi 60 console: CFI failure at splat_cfi
TABLE
ktap_end
