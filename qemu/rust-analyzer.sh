#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Writes rust-project.json, which tells editors the crates of the kernel and of this project.
# Environment: see kernel_dir (lib/lab.sh)
. "$(dirname "$0")/lib/lab.sh"

D2D_KERNEL=$(kernel_dir stock)
D2D_ROOT=$("$LAB/root/root.sh")
export D2D_KERNEL D2D_ROOT
. "$D2D_KERNEL/kernel.env"
"$LAB/build.sh" --selftests >&2
hold_build
out=$PROJECT/build/$KVER
"$LAB/enter.sh" make --no-print-directory -C "$D2D_KERNEL/tree" M="$PROJECT" MO="$out" "${KMAKE[@]}" rust-analyzer
"$LAB/enter.sh" "$LAB/kernel/rust-project.py" "$out" "$D2D_ROOT" "$PROJECT" >"$PROJECT/rust-project.json.new"
mv "$PROJECT/rust-project.json.new" "$PROJECT/rust-project.json"
echo "rust-project.json: $(grep -c '"display_name"' "$PROJECT/rust-project.json") crates"
