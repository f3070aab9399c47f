#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Writes the documentation into build/docs/: that of the library's crates (shared/rustdoc.mk), with private items
# and with links into the documentation of the kernel's crates; and README.md, CONTRIBUTING.md and docs/ as pages.
# Environment: see kernel_dir (lib/lab.sh)
. "$(dirname "$0")/lib/lab.sh"

kernel=$(kernel_dir stock)
. "$kernel/kernel.env"
D2D_ROOT=$("$LAB/root/root.sh")
export D2D_ROOT
need_cache
hold "$CACHE/lock/build-$(key "$PROJECT")"
cd "$PROJECT"
out=build/docs
rm -rf "$out" "build/$KVER-docs"/shared/.doc-*
mkdir -p "build/$KVER-docs" "$out"
"$LAB/enter.sh" make --no-print-directory -C "$kernel/tree" M="$PROJECT" MO="$PROJECT/build/$KVER-docs" "${KMAKE[@]}" \
	-j"$(nproc)" D2D_DOCS="$PROJECT/$out" modules

for page in *.md docs/*.md; do
	"$LAB/enter.sh" rustdoc --output "$out/$(dirname "$page")" "$page"
done
# Make the links between the documents lead to the HTML pages.
find "$out" -maxdepth 1 -name '*.html' -exec sed -i -E 's/(href="[A-Za-z./-]*)\.md/\1.html/g' {} +
find "$out/docs" -name '*.html' -exec sed -i -E 's/(href="[A-Za-z./-]*)\.md/\1.html/g' {} +
cp docs/*.svg "$out/docs"
echo "$out/README.html: the guides, $out/index.html: the crates"
