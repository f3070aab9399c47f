#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs clang's static analyzer on the sources of windows/ that the lab builds. Fails on warnings, too. Runs inside the
# first root, which has clang.
# Usage: windows-analysis.sh EXTRA_ROOT
# The extra root has mingw-w64's headers.
set -euo pipefail

include=$1/usr/x86_64-w64-mingw32/include
cd "$(dirname "$0")/../../windows"
# Allow a deprecated header of mingw-w64, and tags of pool memory, which are multi-character constants.
flags=(--target=x86_64-w64-mingw32 -std=gnu11 -Wall -Wextra -Werror -Wno-multichar '-Wno-#warnings'
	-nostdlibinc -isystem "$include/ddk" -isystem "$include" -I. -Ishared/include -Ishared/owner)
find module_a module_b shared example alarm play.c -name '*.c' -print0 |
	xargs -0 -n 1 -P "$(nproc)" clang-19 --analyze --analyzer-output text -Xclang -analyzer-werror "${flags[@]}"
