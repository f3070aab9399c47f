#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A short run of the fuzzer of the exported functions; the torture runs it for longer. It prints its seed.
# Usage: fuzz.sh [SECONDS [SEED]]
cd "$(dirname "$0")" || exit 1
exec ./run_torture fuzz "${1:-6}" ${2:+"$2"}
