#!/bin/bash
# Inside the root: makes the guest's file system of busybox, qemu/guest/ and what is
# staged already.
# Usage: initramfs.sh STAGE PARAMS IMAGE
set -euo pipefail

stage=$1
params=$2
image=$3

mkdir -p "$stage/bin" "$stage/d2d"
cp /usr/bin/busybox "$stage/bin/"
cp "$(dirname "$0")"/guest/* "$stage/d2d/"
mv "$stage/d2d/init" "$stage/init"
cp "$params" "$stage/d2d/params"
cd "$stage"
find . | cpio --quiet -o -H newc -R 0:0 >"$image"
