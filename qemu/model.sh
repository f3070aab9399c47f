#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Checks the models of the protocols with spin, and the litmus tests with herd7 (selftests/model/).
. "$(dirname "$0")/lib/lab.sh"
. "$(dirname "$0")/lib/parts.sh"

kernel=$(kernel_dir stock)
root=$("$LAB/root/root-herd.sh")
part_now "litmus tests" env D2D_ROOT="$root" "$LAB/enter.sh" selftests/model/litmus.sh "$kernel/tree/tools/memory-model"
part_now "models" "$LAB/enter.sh" selftests/model/run.sh
total
