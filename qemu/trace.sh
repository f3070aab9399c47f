#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Converts a trace to text, pictures and other forms (docs/trace.md).
# Usage: trace.sh
#          plays the demonstration, and writes its trace to build/trace/ in every form
#        trace.sh text|mermaid|json|html|perfetto [OPTION...] [LOG]
#          converts the trace in LOG
# Environment: KERNEL, A_PARAMS, B_PARAMS as for make run
. "$(dirname "$0")/lib/lab.sh"

tool=$("$LAB/root/tools.sh" trace)
[ $# -eq 0 ] || exec "$tool" "$@"

D2D_KERNEL=$(kernel_dir "${KERNEL-stock}")
export D2D_KERNEL
. "$D2D_KERNEL/kernel.env"
out=$PROJECT/build/trace
mkdir -p "$out"
if ! "$LAB/vm.sh" run >"$out/run.log"; then
	cat "$out/run.log"
	exit 1
fi
for form in text:txt json:json html:html mermaid:mmd perfetto:perfetto.json; do
	"$tool" "${form%:*}" "$PROJECT/build/$KVER/run/output" >"$out/trace.${form#*:}"
done
tail -n 1 "$out/run.log"
echo "the trace is in ${out#"$PROJECT/"}/:"
echo "  trace.html  for a browser: the calls between the drivers, their execution contexts and durations, the queues' depths"
echo "  trace.txt   the steps in order"
echo "  trace.json  for programs (docs/trace.md)"
echo "  trace.perfetto.json  for https://ui.perfetto.dev and chrome://tracing"
echo "  trace.mmd   a Mermaid sequence diagram"
