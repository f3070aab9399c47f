#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Writes to build/docs/: the documentation of the crates (with private items), that of the headers for drivers in C, and
# the Markdown documents as HTML.
# Environment: see kernel_dir (lib/lab.sh)
. "$(dirname "$0")/lib/lab.sh"

kernel=$(kernel_dir stock)
. "$kernel/kernel.env"
D2D_ROOT=$("$LAB/root/root.sh")
export D2D_ROOT
hold_build
cd "$PROJECT"
out=build/docs
rm -rf "$out" "build/$KVER-docs"/shared/.doc-*
mkdir -p "build/$KVER-docs" "$out"
"$LAB/enter.sh" make --no-print-directory -C "$kernel/tree" M="$PROJECT" MO="$PROJECT/build/$KVER-docs" "${KMAKE[@]}" \
	-j"$(nproc)" D2D_DOCS="$PROJECT/$out" modules

mkdir "$out/c"
for header in shared/include/d2d*.h; do
	text=$("$LAB/enter.sh" "$kernel/tree/scripts/kernel-doc" -rst "$header")
	[ -z "$text" ] || echo "$text" >"$out/c/$(basename "$header" .h).rst"
done

for page in *.md docs/*.md; do
	"$LAB/enter.sh" rustdoc --output "$out/$(dirname "$page")" "$page"
done
find "$out" -maxdepth 1 -name '*.html' -exec sed -i -E 's/(href="[A-Za-z./-]*)\.md/\1.html/g' {} +
find "$out/docs" -name '*.html' -exec sed -i -E 's/(href="[A-Za-z./-]*)\.md/\1.html/g' {} +
cp docs/*.svg "$out/docs"
echo "$out/README.html: the guides, $out/index.html: the crates, $out/c/: the headers for drivers in C"
