#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Builds the Windows version of the pair (windows/) with mingw-w64 into build/windows/.
. "$(dirname "$0")/lib/lab.sh"

D2D_ROOT=$("$LAB/root/root-more.sh")
export D2D_ROOT
mkdir -p "$PROJECT/build"
"$LAB/enter.sh" windows/build.sh
ls "$PROJECT"/build/windows/*.sys
