#!/bin/bash
# The trace tool, which reads a log and shows the steps in it; docs/trace.md.
# Usage: trace.sh text|mermaid|json|html [OPTION...] [LOG]
. "$(dirname "$0")/lib.sh"

tool=$("$LAB/root/tools.sh" trace)
exec "$tool" "$@"
