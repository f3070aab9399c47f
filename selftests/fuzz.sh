#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A short round of the fuzzer of the C API, which the torture makes for longer. Its seed is printed.
# Usage: fuzz.sh [SECONDS [SEED]]
cd "$(dirname "$0")" || exit 1
exec ./run_torture fuzz "${1:-6}" ${2:+"$2"}
